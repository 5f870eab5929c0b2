/* SPDX-License-Identifier: Apache-2.0 */
/* `hull network create|ls|rm|inspect` on run/net.h. */
#include "cli/run.h"

#include "run/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64u

struct request {
	const char *word, *subnet;
	const char *name[NAMES_MAX];
	unsigned n;
	bool internal, json;
};

static int print_json(json_t *o)
{
	int ret = o && !json_dumpf(o, stdout, JSON_INDENT(2)) && putchar('\n') != EOF ? 0 : -EIO;

	json_decref(o);
	return ret;
}

static int create(const struct request *r, struct err *e)
{
	struct net n = {.internal = r->internal};
	int ret = r->subnet ? net_subnet(r->subnet, &n, e) : 0;

	if (r->n != 1)
		return err_set(e, EINVAL, "create: give one name");
	if (ret || (ret = spec_name("network", r->name[0], e)))
		return ret;
	snprintf(n.name, sizeof(n.name), "%s", r->name[0]);
	ret = net_create(&n, e);
	if (!ret)
		printf("%s\n", n.name);
	return ret;
}

static int list(const struct request *r, struct err *e)
{
	json_t *all = net_json(NULL, e), *o;
	size_t i;

	if (!all)
		return -EIO;
	if (r->json)
		return print_json(all);
	printf("%-20s %-18s %-8s %s\n", "NAME", "SUBNET", "INTERNAL", "MEMBERS");
	json_array_foreach(all, i, o)
		printf("%-20s %-18s %-8s %zu\n", json_string_value(json_object_get(o, "name")),
		       json_string_value(json_object_get(o, "subnet")),
		       json_is_true(json_object_get(o, "internal")) ? "yes" : "no",
		       json_array_size(json_object_get(o, "members")));
	json_decref(all);
	return 0;
}

static int inspect(const char *name, struct err *e)
{
	json_t *o = net_json(name, e);

	return o ? print_json(o) : -EIO;
}

static int each(const struct cli_command *self, const struct request *r)
{
	int status = CLI_OK;

	for (unsigned i = 0; i < r->n; i++) {
		struct err e = {0};

		if (!strcmp(r->word, "rm") ? net_remove(r->name[i], &e) : inspect(r->name[i], &e))
			status = cli_fail(self, &e);
	}
	return status;
}

static int parse(const struct cli_command *self, int argc, char **argv, struct request *r,
		 struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	int ret;

	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (opt && opt->id == NETWORK_SUBNET)
			r->subnet = p.value;
		else if (opt && opt->id == NETWORK_INTERNAL)
			r->internal = true;
		else if (opt)
			r->json = true;
		else if (!r->word)
			r->word = p.value;
		else if (r->n < NAMES_MAX)
			r->name[r->n++] = p.value;
	}
	return ret;
}

int cmd_network(const struct cli_command *self, int argc, char **argv)
{
	struct request r = {0};
	struct err e = {0};
	int ret = parse(self, argc, argv, &r, &e);

	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	if (r.word && r.n && (!strcmp(r.word, "rm") || !strcmp(r.word, "inspect")))
		return each(self, &r);
	if (r.word && !strcmp(r.word, "create"))
		ret = create(&r, &e);
	else if (r.word && !strcmp(r.word, "ls") && !r.n)
		ret = list(&r, &e);
	else
		ret = err_set(&e, EINVAL, "give create NAME, ls, rm NAME... or inspect NAME...");
	return ret ? cli_fail(self, &e) : CLI_OK;
}
