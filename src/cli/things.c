/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands on things by name, several at a time: stop, kill, pause, resume,
 * rm, start, restart, wait, inspect. A name that is no thing of `hull run`'s
 * may be a machine of `hull boot`'s: control.c has those.
 */
#include "cli/run.h"

#include "run/life.h"
#include "run/start.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS_DEFAULT 10u
#define STOP_SECONDS_MACHINE 30u
#define LOCK_MS 200u
#define LOCK_STEP_MS 5u

struct each {
	const struct cli_command *self;
	u64 seconds; /* of --timeout; given: it was */
	bool given, force, all;
	int sig;
	json_t *array; /* inspect */
};

static int do_stop(const struct each *x, const struct thing *t, struct err *e)
{
	return thing_stop(t, x->given ? x->seconds : STOP_SECONDS_DEFAULT, e);
}

static int do_kill(const struct each *x, const struct thing *t, struct err *e)
{
	return thing_kill(t, x->sig ? x->sig : SIGKILL, e);
}

static int do_pause(const struct each *x, const struct thing *t, struct err *e)
{
	return thing_pause(t, !strcmp(x->self->name, "pause"), e);
}

/* Its lock, unless it runs or is about to run again; others have it for moments only. */
static int lock_ended(const struct thing *t, struct err *e)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};
	struct thing_status st;
	int ret = thing_status(t, &st, e);

	if (ret)
		return ret;
	ret = -EBUSY;
	for (unsigned ms = 0; ret == -EBUSY && ms < LOCK_MS; ms += LOCK_STEP_MS) {
		if (st.state == THING_RUNNING || st.state == THING_STARTING)
			break;
		ret = thing_lock(t, false, NULL);
		if (ret == -EBUSY && !nanosleep(&step, NULL) && thing_status(t, &st, e))
			return -ENOENT;
	}
	return ret >= 0 ? ret
			: err_set(e, EBUSY, "%s is running: `hull stop %s` first, or rm -f",
				  t->name, t->name);
}

static int do_rm(const struct each *x, const struct thing *t, struct err *e)
{
	int ret, lock = lock_ended(t, e);

	if (lock == -EBUSY && x->force) {
		ret = thing_kill(t, SIGKILL, e);
		if (access(t->dir, F_OK))
			return 0; /* it was to be removed anyway */
		lock = ret && ret != -ENOENT ? ret : thing_lock(t, true, e);
	}
	if (lock < 0)
		return lock;
	ret = thing_remove(t, e);
	close(lock);
	return ret;
}

static int do_start(const struct each *x, const struct thing *t, struct err *e)
{
	const struct client_config cfg = {.only_start = true};
	struct client_result r;
	struct thing_status st;
	char stopped[PATHS_MAX];
	int fd, ret = thing_status(t, &st, e);

	if (!ret && (st.state == THING_RUNNING || st.state == THING_STARTING))
		return err_set(e, EBUSY, "%s is running already", t->name);
	if (ret || (ret = thing_path(t, "stopped", stopped, e)))
		return ret;
	unlink(stopped);
	fd = thing_start(t, e);
	if (fd < 0)
		return fd;
	ret = client_run(fd, &cfg, &r, e);
	close(fd);
	if (!ret && r.end != CLIENT_STARTED)
		ret = err_set(e, EIO, "%s: %s", t->name, r.text[0] ? r.text : "it ended at once");
	if (!ret)
		printf("%s\n", t->name);
	return ret;
}

static int do_restart(const struct each *x, const struct thing *t, struct err *e)
{
	struct thing_status st;
	int ret = thing_status(t, &st, e);

	if (!ret && (st.state == THING_RUNNING || st.state == THING_STARTING))
		ret = do_stop(x, t, e);
	return ret ? ret : do_start(x, t, e);
}

static int do_wait(const struct each *x, const struct thing *t, struct err *e)
{
	u32 status;
	int ret = thing_wait(t, &status, e);

	if (!ret)
		printf("%u\n", status);
	return ret;
}

static int do_inspect(const struct each *x, const struct thing *t, struct err *e)
{
	json_t *o = thing_inspect(t, e);
	int ret;

	if (!o)
		return -EIO;
	ret = json_dumpf(o, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(o);
	return ret;
}

static const struct {
	const char *name;
	int (*fn)(const struct each *x, const struct thing *t, struct err *e);
} actions[] = {
	{"stop", do_stop},	 {"kill", do_kill}, {"pause", do_pause},
	{"resume", do_pause},	 {"rm", do_rm},	    {"start", do_start},
	{"restart", do_restart}, {"wait", do_wait}, {"inspect", do_inspect},
};

static int act(const struct each *x, const char *name, struct err *e)
{
	struct thing t;
	unsigned i = 0;
	int ret = thing_open(name, &t, e);

	if (ret == -ENOENT && control_knows(x->self->name))
		return control_one(x->self, name, x->given ? x->seconds : STOP_SECONDS_MACHINE, e);
	if (ret)
		return ret;
	while (i < ARRAY_LEN(actions) - 1 && strcmp(actions[i].name, x->self->name))
		i++;
	return actions[i].fn(x, &t, e);
}

static int option(struct each *x, const struct cli_option *o, const char *v, struct err *e)
{
	switch (o->id) {
	case THINGS_TIMEOUT:
		x->given = true;
		return cli_parse_uint("timeout", v, 0, 86400, &x->seconds, e);
	case THINGS_FORCE:
		x->force = true;
		return 0;
	case THINGS_ALL:
		x->all = true;
		return 0;
	case THINGS_SIGNAL:
		x->sig = spec_signal(v);
		return x->sig ? 0 : err_set(e, EINVAL, "there is no signal %.40s", v);
	default:
		return err_set(e, EINVAL, "unknown option");
	}
}

struct every {
	const struct each *x;
	int status;
};

static void act_on(void *opaque, const struct thing *t)
{
	struct every *a = opaque;
	struct err e = {0};

	if (act(a->x, t->name, &e))
		a->status = cli_fail(a->x->self, &e);
}

int cmd_things(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	struct each x = {.self = self};
	struct every every = {.x = &x};
	const struct cli_option *opt;
	struct err e = {0};
	int ret, n = 0, status = CLI_OK;

	/* First all options, then the names in their order. */
	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		n += !opt;
		if (opt && (ret = option(&x, opt, p.value, &e)) < 0)
			break;
	}
	if (!ret && !n && !x.all)
		ret = err_set(&e, EINVAL, "give a name (see `hull ps`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	p = (struct cli_parser){.cmd = self, .argc = argc, .argv = argv};
	while (cli_next(&p, &opt, NULL) > 0)
		if (!opt && act(&x, p.value, &e))
			status = cli_fail(self, &e);
	if (x.all && thing_each(act_on, &every, &e))
		status = cli_fail(self, &e);
	return every.status ? every.status : status;
}
