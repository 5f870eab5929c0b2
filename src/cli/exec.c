/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull exec`, `attach` and `top`: one running thing and this terminal.
 */
#include "cli/run.h"

#include "run/life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- exec ---- */

static int exec_option(struct exec_config *x, const struct cli_option *o, const char *v,
		       struct err *e)
{
	switch (o->id) {
	case EXEC_INTERACTIVE:
		x->in = true;
		return 0;
	case EXEC_TTY:
		x->tty = true;
		return 0;
	case EXEC_DETACH:
		x->detach = true;
		return 0;
	case EXEC_PRIVILEGED:
		x->privileged = true;
		return 0;
	case EXEC_ENV:
		if (!strchr(v, '='))
			return err_set(e, EINVAL, "environment %.60s: give KEY=VALUE", v);
		return strv_add(&x->env, v, e);
	case EXEC_USER:
		return spec_text(&x->user, v, e);
	case EXEC_WORKDIR:
		return spec_text(&x->cwd, v, e);
	default:
		return err_set(e, EINVAL, "unknown option");
	}
}

static int exec_parse(const struct cli_command *self, int argc, char **argv, struct exec_config *x,
		      const char **name, struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	int ret;

	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (opt) {
			ret = exec_option(x, opt, p.value, e);
			if (ret)
				return ret;
			continue;
		}
		*name = p.value;
		for (ret = 0; !ret && p.at < argc; p.at++)
			ret = strv_add(&x->args, argv[p.at], e);
		break;
	}
	if (ret < 0)
		return ret;
	if (!*name || !x->args.n)
		return err_set(e, EINVAL, "give a name (see `hull ps`) and a command");
	if (x->tty && x->in && !isatty(STDIN_FILENO))
		return err_set(e, EINVAL, "-it: standard input is no terminal; give -i alone");
	return 0;
}

static int end_status(const struct cli_command *self, const char *name,
		      const struct client_result *r)
{
	switch (r->end) {
	case CLIENT_EXITED:
		return r->status;
	case CLIENT_STARTED:
	case CLIENT_DETACHED:
		return CLI_OK;
	case CLIENT_ERROR:
		fprintf(stderr, "hull %s: %s\n", self->name, r->text);
		return r->status;
	case CLIENT_LOST:
		break;
	}
	fprintf(stderr, "hull %s: %s ended\n", self->name, name);
	return CLI_ERROR;
}

int cmd_exec(const struct cli_command *self, int argc, char **argv)
{
	struct exec_config x = {0};
	struct client_result r = {0};
	const char *name = NULL;
	struct err e = {0};
	struct thing t;
	int ret = exec_parse(self, argc, argv, &x, &name, &e);

	if (!ret && !(ret = thing_open(name, &t, &e)))
		ret = thing_exec(&t, &x, &r, &e);
	ret = ret ? cli_parse_end(self, ret, &e) : end_status(self, name, &r);
	strv_free(&x.args);
	strv_free(&x.env);
	spec_text(&x.user, NULL, NULL);
	spec_text(&x.cwd, NULL, NULL);
	return ret;
}

/* ---- attach ---- */

static int attach(const char *name, bool no_stdin, struct client_result *r, struct err *e)
{
	struct client_config cfg = {.in = true};
	struct run_spec spec;
	struct thing t;
	int fd, ret = thing_open(name, &t, e);

	if (ret || (ret = thing_spec(&t, &spec, e)))
		return ret;
	cfg.tty = spec.tty;
	cfg.in = spec.interactive && !no_stdin;
	cfg.signals = !spec.tty;
	cfg.keep_stdin = true;
	spec_free(&spec);
	fd = thing_attach(&t, e);
	if (fd < 0)
		return fd;
	ret = client_run(fd, &cfg, r, e);
	close(fd);
	return ret;
}

int cmd_attach(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *name = NULL;
	bool no_stdin = false;
	struct client_result r = {0};
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		no_stdin |= opt != NULL;
		name = opt ? name : p.value;
	}
	if (!ret && !name)
		ret = err_set(&e, EINVAL, "give a name (see `hull ps`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	ret = attach(name, no_stdin, &r, &e);
	return ret ? cli_fail(self, &e) : end_status(self, name, &r);
}

/* ---- top ---- */

int cmd_top(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *name = NULL;
	struct err e = {0};
	struct thing t;
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0)
		name = p.value;
	if (!ret && !name)
		ret = err_set(&e, EINVAL, "give a name (see `hull ps`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	ret = thing_open(name, &t, &e);
	if (!ret)
		ret = thing_top(&t, &e);
	return ret ? cli_fail(self, &e) : CLI_OK;
}
