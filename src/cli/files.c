/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull cp` and `hull commit`.
 */
#include "cli/run.h"

#include "image/image.h"
#include "run/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHANGES_MAX 64u

/* NAME:PATH or a path of the host's; one that begins with / or . is the host's. */
static int parse_side(const char *text, struct files_side *s, struct thing *t, struct err *e)
{
	const char *colon = strchr(text, ':');
	char name[RUN_NAME_MAX];

	*s = (struct files_side){.path = text};
	if (text[0] == '/' || text[0] == '.' || !colon)
		return *text ? 0 : err_set(e, EINVAL, "an empty path");
	if ((size_t)(colon - text) >= sizeof(name) || !colon[1])
		return err_set(e, EINVAL, "%.80s: give NAME:PATH", text);
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	s->thing = t;
	s->path = colon + 1;
	return thing_open(name, t, e);
}

int cmd_cp(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *word[2] = {0};
	struct files_side side[2];
	struct thing t[2];
	struct err e = {0};
	unsigned n = 0;
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (n < 2)
			word[n] = p.value;
		n++;
	}
	if (!ret && n != 2)
		ret = err_set(&e, EINVAL, "give NAME:PATH PATH or PATH NAME:PATH");
	if (ret < 0 || !word[0] || !word[1])
		return cli_parse_end(self, ret, &e);
	for (unsigned i = 0; !ret && i < 2; i++)
		ret = parse_side(word[i], &side[i], &t[i], &e);
	if (!ret && !side[0].thing == !side[1].thing)
		ret = err_set(&e, EINVAL, "one side is a container or machine, the other is here");
	if (!ret)
		ret = files_copy(&side[0], &side[1], &e);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

int cmd_commit(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *word[2] = {0}, *comment = NULL, *changes[CHANGES_MAX + 1] = {0};
	char id[IMAGE_DIGEST_MAX];
	struct thing t;
	struct err e = {0};
	unsigned n = 0, nchanges = 0;
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (opt && opt->id == COMMIT_MESSAGE)
			comment = p.value;
		else if (opt && nchanges < CHANGES_MAX)
			changes[nchanges++] = p.value;
		else if (!opt && n < 2)
			word[n++] = p.value;
	}
	if (!ret && !n)
		ret = err_set(&e, EINVAL, "give the name of a container or machine");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	ret = thing_open(word[0], &t, &e);
	if (!ret)
		ret = files_commit(&t, word[1], nchanges ? changes : NULL, comment, id, &e);
	if (!ret)
		printf("%s\n", id);
	return ret ? cli_fail(self, &e) : CLI_OK;
}
