/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull kernel list|fetch|add`: guest kernels in the data directory.
 */
#include "cli/cli.h"
#include "image/kernel.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void print_row(void *opaque, const struct kernel_entry *k)
{
	printf("%-28s %-28s %s\n", k->name, k->target[0] ? k->target : "-", k->path);
}

static void add_json(void *opaque, const struct kernel_entry *k)
{
	json_array_append_new(opaque, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", k->name,
						"alias_of", k->target, "origin", k->origin, "path",
						k->path, "modules", k->modules));
}

static int list(bool json, struct err *e)
{
	json_t *array;
	int ret;

	if (!json) {
		printf("%-28s %-28s %s\n", "NAME", "ALIAS OF", "IMAGE");
		return kernel_list(print_row, NULL, e);
	}
	array = json_array();
	ret = kernel_list(add_json, array, e);
	if (!ret)
		ret = json_dumpf(array, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(array);
	return ret;
}

static int fetch(const char *arch, const char *what, struct err *e)
{
	char name[128];
	int ret = kernel_fetch(arch, what, name, e);

	if (!ret)
		printf("%s\n", name);
	return ret;
}

int cmd_kernel(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *word[4] = {0}, *arch = "x86_64";
	unsigned n = 0;
	bool json = false;
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (opt && opt->id == KERNEL_JSON)
			json = true;
		else if (opt)
			arch = p.value;
		else if (n < ARRAY_LEN(word))
			word[n++] = p.value;
	}
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	if (n == 1 && !strcmp(word[0], "list"))
		ret = list(json, &e);
	else if ((n == 1 || n == 2) && !strcmp(word[0], "fetch"))
		ret = fetch(arch, word[1], &e);
	else if ((n == 3 || n == 4) && !strcmp(word[0], "add"))
		ret = kernel_add(word[1], word[2], word[3], &e);
	else
		ret = err_set(&e, EINVAL,
			      "give list, fetch [cloud|generic|ppc64le|PACKAGE] or add NAME "
			      "IMAGE [MODULES-DIRECTORY]");
	return ret ? cli_fail(self, &e) : CLI_OK;
}
