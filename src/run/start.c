/* SPDX-License-Identifier: Apache-2.0 */
#include "run/start.h"

#include "host/rootless.h"
#include "run/initrd.h"
#include "run/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MONITOR_ARGS 32u
#define RESTART_MS_FIRST 100u
#define RESTART_MS_LAST 60000u
#define RESTART_STEP_MS 50u
/* Docker's, where the image says nothing. */
#define HEALTH_MS 30000u
#define HEALTH_RETRIES 3u

/* ---- becoming the monitor ---- */

struct args {
	char text[MONITOR_ARGS][PATHS_MAX + 8];
	char *v[MONITOR_ARGS + 1];
	unsigned n;
};

static void arg(struct args *a, const char *key, const char *value)
{
	if (a->n == MONITOR_ARGS)
		return;
	snprintf(a->text[a->n], sizeof(a->text[0]), "%s=%s", key, value);
	a->v[a->n] = a->text[a->n];
	a->n++;
}

static void arg_number(struct args *a, const char *key, long long v)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", v);
	arg(a, key, text);
}

static void arg_fd(struct args *a, const char *key, int fd)
{
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, 0);
	arg_number(a, key, fd);
}

static void arg_health(struct args *a, const struct run_spec *spec)
{
	if (!spec_has_health(spec))
		return;
	arg_number(a, "health-interval", (long long)(spec->health_interval ?: HEALTH_MS));
	arg_number(a, "health-timeout", (long long)(spec->health_timeout ?: HEALTH_MS));
	arg_number(a, "health-start", (long long)spec->health_start);
	arg_number(a, "health-retries", (long long)(spec->health_retries ?: HEALTH_RETRIES));
}

static int become_monitor(const struct start *s, struct err *e)
{
	struct args *a = calloc(1, sizeof(*a));
	char program[PATHS_MAX], self[PATHS_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int ret = program_path("hull-monitor", program, e);

	if (!a)
		return err_set(e, ENOMEM, "cannot start the monitor");
	if (!ret && n > 0) {
		self[n] = 0;
		a->v[a->n++] = (char[]){"hull-monitor"};
		arg(a, "dir", s->t->dir);
		arg(a, "hull", self);
		arg_fd(a, "lock", s->lock);
		arg_fd(a, "listen", s->listener);
		arg_fd(a, "owner", s->owner);
		arg_fd(a, "in", s->in);
		arg_fd(a, "out", s->out);
		arg_fd(a, "err", s->err);
		arg_fd(a, "wire", s->wire);
		arg_fd(a, "start", s->payload);
		arg_fd(a, "net", s->net);
		arg_number(a, "child", s->child);
		arg_number(a, "helper", s->helper);
		arg_number(a, "machine", spec_is_machine(s->spec));
		arg_number(a, "tty", s->spec->tty);
		arg_number(a, "log", (long long)s->spec->log_size);
		arg_health(a, s->spec);
		a->v[a->n] = NULL;
		execv(program, a->v);
		ret = err_errno(e, "%s", program);
	}
	free(a);
	return ret;
}

static int touch(const struct thing *t, const char *name, struct err *e)
{
	char path[PATHS_MAX];
	int fd, ret = thing_path(t, name, path, e);

	if (ret)
		return ret;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "%s", path);
	close(fd);
	return 0;
}

/* Makes the thing in this process and becomes its monitor; returns only an error. */
static int become(struct start *s, struct err *e)
{
	int ret = touch(s->t, "live", e);

	if (!ret)
		ret = spec_is_machine(s->spec) ? machine_start(s, e) : container_start(s, e);
	if (!ret)
		ret = become_monitor(s, e);
	if (s->child > 0 && !kill(s->child, SIGKILL))
		waitpid(s->child, NULL, 0);
	if (s->helper > 0)
		kill(s->helper, SIGKILL);
	thing_finish(s->t, NULL);
	return ret;
}

/* ---- a process for it ---- */

static void send_error(int fd, const struct err *e)
{
	bool unusable = e->status == ENOEXEC || e->status == EACCES || e->status == EISDIR;
	u32 status = e->status == ENOENT ? 127 : unusable ? 126 : 125;
	u8 frame[WIRE_HEAD + 4 + sizeof(e->msg)];
	u32 len = 4 + (u32)strlen(e->msg);
	unsigned at = wire_head(frame, WIRE_ERROR, len);

	memcpy(frame + at, &status, 4);
	memcpy(frame + at + 4, e->msg, len - 4);
	if (send(fd, frame, WIRE_HEAD + len, MSG_NOSIGNAL) < 0)
		_exit(125);
}

static int listen_at(const struct thing *t, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/attach.sock", t->dir);

	if (n >= (int)sizeof(sa.sun_path))
		return err_set(e, ENAMETOOLONG,
			       "%s is too long for a socket: set HULL_DATA to a shorter directory",
			       t->dir);
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 8)) {
		err_errno(e, "%s", sa.sun_path);
		if (fd >= 0)
			close(fd);
		return -EIO;
	}
	return fd;
}

/* No terminal, no directory, no descriptor of whoever typed the command stays with it. */
static void detach(const struct thing *t)
{
	char path[PATHS_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;

	setsid();
	if (chdir(t->dir))
		_exit(125);
	if (!thing_path(t, "messages", path, NULL))
		log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(null, 0);
	dup2(null, 1);
	dup2(log >= 0 ? log : null, 2);
}

static __attribute__((noreturn)) void child_main(struct start *s)
{
	struct err e = {0};

	detach(s->t);
	rootless_note();
	become(s, &e);
	send_error(s->owner, &e);
	_exit(125);
}

static void start_init(struct start *s, const struct thing *t, const struct run_spec *spec)
{
	*s = (struct start){.t = t,
			    .spec = spec,
			    .lock = -1,
			    .listener = -1,
			    .owner = -1,
			    .in = -1,
			    .out = -1,
			    .err = -1,
			    .wire = -1,
			    .payload = -1,
			    .net = -1};
}

int thing_start(const struct thing *t, struct err *e)
{
	struct run_spec spec;
	struct start s;
	int pair[2] = {-1, -1}, ret = thing_spec(t, &spec, e);
	pid_t pid;

	if (ret)
		return ret;
	start_init(&s, t, &spec);
	s.lock = thing_lock(t, true, e);
	if (s.lock < 0)
		ret = s.lock;
	else if ((s.listener = listen_at(t, e)) < 0)
		ret = s.listener;
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		ret = err_errno(e, "socketpair");
	s.owner = pair[1];
	if (!ret) {
		pid = fork();
		if (!pid) {
			close(pair[0]);
			child_main(&s);
		}
		ret = pid < 0 ? err_errno(e, "cannot start a process") : pair[0];
	}
	if (ret < 0 && pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (s.listener >= 0)
		close(s.listener);
	if (s.lock >= 0)
		close(s.lock);
	spec_free(&spec);
	return ret;
}

/* ---- the end ---- */

/* How many times it was started again; kept in a file so that it survives us. */
static unsigned restarts(const struct thing *t, unsigned add)
{
	char path[PATHS_MAX];
	unsigned n = 0;
	FILE *f;

	if (thing_path(t, "restarts", path, NULL))
		return 0;
	f = fopen(path, "re");
	if (f && fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	n += add;
	f = add ? fopen(path, "we") : NULL;
	if (f) {
		fprintf(f, "%u\n", n);
		fclose(f);
	}
	return n;
}

/* Somebody stopped it on purpose. */
static bool was_stopped(const struct thing *t)
{
	char path[PATHS_MAX];

	return !thing_path(t, "stopped", path, NULL) && !access(path, F_OK);
}

static bool wants_restart(const struct thing *t, const struct run_spec *spec)
{
	const char *r = spec->restart ?: "no";
	struct thing_status st;

	if (!strcmp(r, "no") || was_stopped(t) || thing_status(t, &st, NULL))
		return false;
	if (strncmp(r, "on-failure", 10))
		return true;
	if (!st.exit)
		return false;
	return r[10] != ':' || restarts(t, 0) < strtoul(r + 11, NULL, 10);
}

/* The pause before the next start, or until somebody stops it. */
static void wait_before(const struct thing *t, unsigned times)
{
	const struct timespec step = {.tv_nsec = RESTART_STEP_MS * 1000000};
	u64 ms = (u64)RESTART_MS_FIRST << (times < 10 ? times : 10);

	ms = ms > RESTART_MS_LAST ? RESTART_MS_LAST : ms;
	for (u64 past = 0; past < ms && !was_stopped(t); past += RESTART_STEP_MS)
		nanosleep(&step, NULL);
}

int thing_end(const struct thing *t, int lock, int listener, struct err *e)
{
	struct run_spec spec;
	struct start s;
	int ret = thing_spec(t, &spec, e);

	if (ret)
		return ret;
	ret = thing_finish(t, e);
	if (!ret && spec.rm) {
		ret = thing_remove(t, e);
	} else if (!ret && wants_restart(t, &spec)) {
		start_init(&s, t, &spec);
		s.lock = lock;
		s.listener = listener;
		wait_before(t, restarts(t, 1));
		if (!was_stopped(t))
			ret = become(&s, e);
	}
	spec_free(&spec);
	return ret;
}
