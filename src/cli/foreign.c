/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull exec-foreign`: a program of another ISA as a process of this host, by
 * hull-foreign.
 */
#include "cli/run.h"

#include "run/initrd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* hull-foreign's words are the same: what is recognized here is passed on. */
static const char *const word[] = {
	[FOREIGN_SYSROOT] = "--sysroot",
	[FOREIGN_ARGV0] = "--argv0",
	[FOREIGN_TRACE] = "--trace",
	[FOREIGN_INTERPRET] = "--interpret",
};

static int parse(const struct cli_command *self, int argc, char **argv, const char **out,
		 struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	unsigned n = 1;
	int ret;

	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (!opt)
			break;
		out[n++] = word[opt->id];
		if (opt->arg)
			out[n++] = p.value;
	}
	if (ret < 0)
		return ret;
	if (!ret)
		return err_set(e, EINVAL, "no program given");
	out[n++] = "--";
	out[n++] = p.value;
	for (int i = p.at; i < argc; i++)
		out[n++] = argv[i];
	return 0;
}

int cmd_exec_foreign(const struct cli_command *self, int argc, char **argv)
{
	char program[PATHS_MAX];
	struct err e = {0};
	const char **v = calloc((size_t)argc * 2 + 3, sizeof(*v));
	int ret;

	if (!v) {
		err_set(&e, ENOMEM, "no memory");
		return cli_fail(self, &e);
	}
	ret = parse(self, argc, argv, v, &e);
	if (ret) {
		free(v);
		return cli_parse_end(self, ret, &e);
	}
	ret = program_path("hull-foreign", program, &e);
	if (!ret) {
		v[0] = "hull-foreign";
		signal(SIGPIPE, SIG_DFL);
		execv(program, (char **)v);
		err_errno(&e, "%s", program);
	}
	free(v);
	return cli_fail(self, &e);
}
