/* SPDX-License-Identifier: Apache-2.0 */
#include "run/life.h"

#include "run/internal.h"
#include "vm/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GONE_MS 15000u /* from a SIGKILL to the end of all cleaning up */
#define POLL_MS 3u
#define HEALTH_TEXT_MAX 4096u /* of what a check printed, in inspect */

static void sleep_ms(u64 ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

int thing_running(const struct thing *t, struct thing_status *st, struct err *e)
{
	int ret = thing_status(t, st, e);

	if (!ret && st->state != THING_RUNNING && st->state != THING_STARTING)
		ret = err_set(e, ENOENT, "%s is not running", t->name);
	return ret;
}

bool thing_wait_free(const struct thing *t, u64 ms)
{
	for (u64 past = 0; past <= ms; past += POLL_MS) {
		struct thing_status st;

		/* Cleans up too, should the monitor have been killed. */
		if (thing_status(t, &st, NULL) ||
		    (st.state != THING_RUNNING && st.state != THING_STARTING))
			return true;
		sleep_ms(POLL_MS);
	}
	return false;
}

/* ---- signals ---- */

/* So that the restart policy does not start it again. */
static void mark_stopped(const struct thing *t)
{
	char path[PATHS_MAX];
	int fd;

	if (thing_path(t, "stopped", path, NULL))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static int stop_signal(const struct thing *t)
{
	struct run_spec spec;
	int sig = SIGTERM;

	if (thing_spec(t, &spec, NULL))
		return sig;
	if (spec.stop_signal && spec_signal(spec.stop_signal))
		sig = spec_signal(spec.stop_signal);
	spec_free(&spec);
	return sig;
}

/* A machine whose guest does not listen is switched off from outside. */
static int kill_hard(const struct thing *t, const struct thing_status *st, struct err *e)
{
	int ret;

	if (thing_is_paused(t))
		thing_pause(t, false, NULL);
	ret = thing_signal(t, SIGKILL, e);
	if (ret || thing_wait_free(t, GONE_MS / 3))
		return 0; /* no one to signal: it has ended just now */
	if (st->pid > 0)
		kill(st->pid, SIGKILL);
	return thing_wait_free(t, GONE_MS) ? 0 : err_set(e, ETIMEDOUT, "%s does not end", t->name);
}

/*
 * Between two starts a thing has ended, but its monitor to be has the lock:
 * waits until it runs again or, having seen the mark, gives up. True: it is
 * gone for good.
 */
static bool between_starts(const struct thing *t, struct thing_status *st)
{
	for (u64 past = 0; past < GONE_MS; past += POLL_MS) {
		int lock = thing_lock(t, false, NULL);

		if (lock >= 0)
			close(lock);
		if (thing_status(t, st, NULL) || lock >= 0)
			return true;
		if (st->state == THING_RUNNING)
			return false;
		sleep_ms(POLL_MS);
	}
	return false;
}

/*
 * Nobody is to start it again. 1: it runs, *st says how; 0: it was between two
 * starts and is gone for good.
 */
static int no_more_starts(const struct thing *t, struct thing_status *st, struct err *e)
{
	int lock, ret = thing_status(t, st, e);

	if (ret)
		return ret;
	if (st->state == THING_RUNNING || st->state == THING_STARTING) {
		mark_stopped(t);
		return 1;
	}
	lock = thing_lock(t, false, NULL);
	if (lock >= 0) {
		close(lock);
		return err_set(e, ENOENT, "%s is not running", t->name);
	}
	mark_stopped(t);
	return !between_starts(t, st);
}

int thing_stop(const struct thing *t, u64 seconds, struct err *e)
{
	struct thing_status st;
	int ret = no_more_starts(t, &st, e);

	if (ret <= 0)
		return ret;
	if (thing_is_paused(t))
		thing_pause(t, false, NULL);
	ret = thing_signal(t, stop_signal(t), NULL);
	if (!ret && thing_wait_free(t, seconds * 1000))
		return 0;
	return kill_hard(t, &st, e);
}

int thing_kill(const struct thing *t, int sig, struct err *e)
{
	struct thing_status st;
	int ret = sig == SIGKILL ? no_more_starts(t, &st, e) : thing_running(t, &st, e);

	if (sig != SIGKILL)
		return ret ? ret : thing_signal(t, sig, e);
	return ret > 0 ? kill_hard(t, &st, e) : ret;
}

int thing_wait(const struct thing *t, u32 *status, struct err *e)
{
	const struct client_config cfg = {.quiet = true};
	struct client_result r;
	struct thing_status st;
	int fd, ret = thing_status(t, &st, e);

	if (ret)
		return ret;
	*status = st.exit;
	if (st.state == THING_EXITED)
		return 0;
	fd = thing_attach(t, e);
	if (fd < 0)
		return fd;
	ret = client_run(fd, &cfg, &r, e);
	close(fd);
	*status = (u32)r.status;
	if (!ret && r.end == CLIENT_LOST)
		ret = err_set(e, EIO, "the monitor of %s was killed", t->name);
	thing_wait_free(t, GONE_MS);
	return ret;
}

/* ---- pause ---- */

static bool is_machine(const struct thing *t)
{
	struct run_spec spec;
	bool is;

	if (thing_spec(t, &spec, NULL))
		return false;
	is = spec_is_machine(&spec);
	spec_free(&spec);
	return is;
}

static int machine_ask(const struct thing *t, const char *what, json_t **reply, struct err *e)
{
	int ret, fd = control_connect(t->name, e);

	if (fd < 0)
		return fd;
	ret = control_call(fd, json_pack("{s:s}", "do", what), reply, e);
	close(fd);
	return ret;
}

int thing_pause(const struct thing *t, bool pause, struct err *e)
{
	struct thing_status st;
	json_t *r = NULL;
	int ret = thing_running(t, &st, e);

	if (ret)
		return ret;
	if (!is_machine(t))
		return container_pause(t, pause, e);
	ret = machine_ask(t, pause ? "pause" : "resume", &r, e);
	json_decref(r);
	return ret;
}

bool thing_is_paused(const struct thing *t)
{
	json_t *r = NULL;
	const char *state;
	bool paused;

	if (!is_machine(t))
		return container_is_paused(t);
	if (machine_ask(t, "status", &r, NULL))
		return false;
	state = json_string_value(json_object_get(r, "state"));
	paused = state && !strcmp(state, "paused");
	json_decref(r);
	return paused;
}

/* ---- processes in a machine ---- */

/* The guest's init through vsock: a connection on which one START is due. */
static int guest_connect(const struct thing *t, struct err *e)
{
	char path[PATHS_MAX], line[40];
	size_t n = 0;
	int fd, ret = thing_path(t, "v/vsock", path, e);

	fd = ret ? ret : socket_connect(path);
	if (fd < 0)
		return err_set(e, ENOENT, "%s is not running", t->name);
	dprintf(fd, "CONNECT %u\n", WIRE_PORT_EXEC);
	while (n < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	if (n < 2 || strncmp(line, "OK", 2)) {
		close(fd);
		return err_set(e, EAGAIN, "%s is not ready yet", t->name);
	}
	return fd;
}

static int send_start(int fd, struct fields *f, struct err *e)
{
	size_t at = 0;
	int ret = f->failed ? err_set(e, E2BIG, "arguments and environment are too long") : 0;

	if (!ret)
		wire_head(f->p, WIRE_START, (u32)(f->len - WIRE_HEAD));
	while (!ret && at < f->len) {
		ssize_t n = send(fd, f->p + at, f->len - at, MSG_NOSIGNAL);

		if (n < 0)
			ret = err_errno(e, "the machine does not listen");
		else
			at += (size_t)n;
	}
	free(f->p);
	*f = (struct fields){0};
	return ret;
}

static int exec_spec(const struct thing *t, const struct exec_config *x, struct run_spec *out,
		     struct err *e)
{
	int ret = thing_spec(t, out, e);

	if (ret)
		return ret;
	strv_free(&out->args);
	for (unsigned i = 0; !ret && i < x->args.n; i++)
		ret = strv_add(&out->args, x->args.v[i], e);
	if (!ret)
		ret = strv_merge(&out->env, &x->env, e);
	if (!ret && x->user)
		ret = spec_text(&out->user, x->user, e);
	if (!ret && x->cwd)
		ret = spec_text(&out->cwd, x->cwd, e);
	out->tty = x->tty;
	out->interactive = x->in;
	out->privileged |= x->privileged;
	if (ret)
		spec_free(out);
	return ret;
}

static int machine_exec(const struct thing *t, const struct run_spec *spec, bool detach,
			struct client_result *out, struct err *e)
{
	const struct client_config cfg = {.tty = spec->tty,
					  .in = spec->interactive,
					  .signals = !spec->tty,
					  .only_start = detach};
	struct fields f = {0};
	int ret, fd = guest_connect(t, e);

	if (fd < 0)
		return fd;
	fields_process(&f, spec);
	ret = send_start(fd, &f, e);
	if (!ret)
		ret = client_run(fd, &cfg, out, e);
	close(fd);
	return ret;
}

int thing_exec(const struct thing *t, const struct exec_config *x, struct client_result *out,
	       struct err *e)
{
	struct thing_status st;
	struct run_spec spec;
	int ret = thing_running(t, &st, e);

	if (ret || (ret = exec_spec(t, x, &spec, e)))
		return ret;
	if (thing_is_paused(t))
		ret = err_set(e, EBUSY, "%s is paused: `hull resume %s` first", t->name, t->name);
	else
		ret = spec_is_machine(&spec) ? machine_exec(t, &spec, x->detach, out, e)
					     : container_exec(t, &spec, x, out, e);
	spec_free(&spec);
	return ret;
}

int machine_op(const struct thing *t, const char *op, const char *path, const char *options, int in,
	       int out, struct err *e)
{
	const struct client_config cfg = {
		.in = in >= 0, .fd_in = in, .fd_out = out, .own_fds = true};
	struct client_result r;
	struct fields f = {0};
	int ret, fd = guest_connect(t, e);

	if (fd < 0)
		return fd;
	fields_add(&f, "op", op);
	fields_add(&f, "path", path);
	fields_add(&f, "options", options);
	if (in >= 0)
		fields_add(&f, "stdin", "1");
	ret = send_start(fd, &f, e);
	if (!ret)
		ret = client_run(fd, &cfg, &r, e);
	close(fd);
	if (!ret && (r.end != CLIENT_EXITED || r.status))
		ret = err_set(e, r.end == CLIENT_EXITED && r.status == 127 ? ENOENT : EIO, "%s: %s",
			      t->name, r.text[0] ? r.text : "the machine could not do it");
	return ret;
}

/* ---- figures ---- */

int process_usage(pid_t pid, struct thing_use *u, struct err *e)
{
	unsigned long long user, sys, rss;
	char path[40], text[1024], *end;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (f)
		fclose(f);
	text[n] = 0;
	end = strrchr(text, ')'); /* proc(5): fields 14, 15 and 24 */
	if (!end || sscanf(end + 2,
			   "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			   "%*d %*d %*u %*u %llu",
			   &user, &sys, &rss) != 3)
		return err_set(e, ENOENT, "its process has ended");
	u->cpu_ns += (user + sys) * (1000000000ull / (u64)sysconf(_SC_CLK_TCK));
	u->memory += rss * (u64)sysconf(_SC_PAGESIZE);
	u->processes++;
	return 0;
}

int thing_usage(const struct thing *t, struct thing_use *out, struct err *e)
{
	struct thing_status st;
	struct run_spec spec;
	int ret = thing_running(t, &st, e);

	*out = (struct thing_use){0};
	if (ret || (ret = thing_spec(t, &spec, e)))
		return ret;
	out->memory_limit = spec.memory;
	ret = spec_is_machine(&spec) ? process_usage(st.pid, out, e) : container_usage(t, out, e);
	spec_free(&spec);
	return ret;
}

int thing_top(const struct thing *t, struct err *e)
{
	struct thing_status st;
	int ret = thing_running(t, &st, e);

	if (ret)
		return ret;
	return is_machine(t) ? machine_op(t, "top", NULL, NULL, -1, STDOUT_FILENO, e)
			     : container_top(t, e);
}

/* The argv of a check as the image has it. */
static int health_args(const struct run_spec *spec, struct strv *out, struct err *e)
{
	bool shell = !strcmp(spec->health.v[0], "CMD-SHELL");
	int ret = 0;

	if (shell && !(ret = strv_add(out, "/bin/sh", e)))
		ret = strv_add(out, "-c", e);
	for (unsigned i = 1; !ret && i < (shell ? 2 : spec->health.n); i++)
		ret = strv_add(out, spec->health.v[i], e);
	return ret;
}

int thing_health(const struct thing *t, u64 ms, struct err *e)
{
	struct exec_config x = {.timeout_ms = ms};
	struct client_result r = {0};
	struct run_spec spec;
	int ret = thing_spec(t, &spec, e);

	if (!ret && !spec_has_health(&spec))
		ret = err_set(e, ENOENT, "%s has no health check", t->name);
	if (!ret)
		ret = health_args(&spec, &x.args, e);
	if (!ret)
		ret = thing_exec(t, &x, &r, e);
	if (!ret && r.end == CLIENT_ERROR)
		fprintf(stderr, "%s\n", r.text);
	strv_free(&x.args);
	spec_free(&spec);
	return ret ? ret : r.end != CLIENT_EXITED || r.status;
}

static json_t *health_json(const struct thing *t, const struct thing_status *st)
{
	char path[PATHS_MAX], text[HEALTH_TEXT_MAX] = "";
	json_t *o =
		json_pack("{s:s, s:i}", "status", st->health, "failing_streak", (int)st->failures);
	FILE *f = thing_path(t, "health.log", path, NULL) ? NULL : fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	json_t *said;

	if (f)
		fclose(f);
	said = json_stringn(text, n); /* NULL: it is no text */
	json_object_set_new(o, "output", said ? said : json_string(""));
	return o;
}

json_t *thing_inspect(const struct thing *t, struct err *e)
{
	struct thing_status st;
	struct run_spec spec;
	json_t *o, *machine;

	if (thing_status(t, &st, e) || thing_spec(t, &spec, e))
		return NULL;
	o = spec_to_json(&spec);
	json_object_set_new(o, "directory", json_string(t->dir));
	json_object_set_new(
		o, "state",
		json_string(thing_is_paused(t) ? "paused" : thing_state_name(st.state)));
	if (st.state == THING_RUNNING) {
		json_object_set_new(o, "pid", json_integer(st.pid));
		json_object_set_new(o, "monitor", json_integer(st.monitor));
		json_object_set_new(o, "started_ns", json_integer((json_int_t)st.started_ns));
		if (spec_is_machine(&spec) && !machine_ask(t, "inspect", &machine, NULL)) {
			json_object_del(machine, "ok");
			json_object_set_new(o, "machine", machine);
		}
	}
	if (st.health[0])
		json_object_set_new(o, "health_status", health_json(t, &st));
	if (st.state == THING_EXITED) {
		json_object_set_new(o, "exit", json_integer(st.exit));
		json_object_set_new(o, "finished_ns", json_integer((json_int_t)st.finished_ns));
		if (st.error[0])
			json_object_set_new(o, "error", json_string(st.error));
	}
	spec_free(&spec);
	return o;
}
