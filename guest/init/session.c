/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: a process and the vsock connection that carries its stdio, signals
 * and exit status as frames (run/wire.h). One loop, no threads, one frame of
 * buffer in each direction of each session: who does not read is not read
 * from. See hull_init.h.
 */
#include "hull_init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SESSIONS_MAX 64u
#define FDS_OF_SESSION 4u

struct session {
	bool used;
	int conn;
	struct process p; /* pid 0: not started yet */
	bool dead;	  /* reaped, what it wrote may be left */
	u32 status;	  /* wait status when dead */
	bool in_end;	  /* close stdin when nothing is pending */
	bool told;	  /* the last frame is in out */

	u8 *in; /* frames from the host, WIRE_HEAD + cap */
	size_t in_len, in_cap;
	size_t used_in; /* bytes of a WIRE_STDIN payload that went through */

	u8 out[WIRE_HEAD + WIRE_DATA_MAX];
	size_t out_at, out_len;
};

struct init {
	struct session *s[SESSIONS_MAX];
	int listener, signals, first_fd; /* first_fd: pidfd of the first process */
};

/* ---- START ---- */

static bool list_add(const char **list, unsigned *n, unsigned max, const char *value)
{
	if (*n >= max)
		return !init_fail("too many of one field") && false;
	list[(*n)++] = value;
	return true;
}

static bool setup_field(struct setup *s, const char *key, const char *v)
{
	static const struct {
		const char *key;
		size_t at;
	} text[] = {{"root", offsetof(struct setup, root)},
		    {"format", offsetof(struct setup, format)},
		    {"rw", offsetof(struct setup, rw)},
		    {"hostname", offsetof(struct setup, hostname)},
		    {"time", offsetof(struct setup, time)}};

	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		if (!strcmp(key, text[i].key)) {
			*(const char **)((char *)s + text[i].at) = v;
			return true;
		}
	}
	if (!strcmp(key, "card"))
		return list_add(s->card, &s->ncards, ARRAY_LEN(s->card), v);
	if (!strcmp(key, "volume"))
		return list_add(s->volume, &s->nvolumes, ARRAY_LEN(s->volume), v);
	if (!strcmp(key, "tmpfs"))
		return list_add(s->tmpfs, &s->ntmpfs, ARRAY_LEN(s->tmpfs), v);
	if (!strcmp(key, "dns"))
		return list_add(s->dns, &s->ndns, ARRAY_LEN(s->dns), v);
	if (!strcmp(key, "host"))
		return list_add(s->host, &s->nhosts, ARRAY_LEN(s->host), v);
	if (!strcmp(key, "readonly"))
		return s->read_only = true;
	return !init_fail("the host asks for %s, which this init does not know", key) && false;
}

static bool job_text(struct job *j, const char *key, const char *v)
{
	if (!strcmp(key, "cwd"))
		j->cwd = v;
	else if (!strcmp(key, "user"))
		j->user = v;
	else if (!strcmp(key, "op"))
		j->op = v;
	else if (!strcmp(key, "path"))
		j->path = v;
	else if (!strcmp(key, "options"))
		j->options = v;
	else
		return false;
	return true;
}

static bool job_number(struct job *j, const char *key, const char *v)
{
	if (!strcmp(key, "caps"))
		j->caps = strtoull(v, NULL, 16);
	else if (!strcmp(key, "columns"))
		j->cols = (u32)strtoul(v, NULL, 10);
	else if (!strcmp(key, "rows"))
		j->rows = (u32)strtoul(v, NULL, 10);
	else if (!strcmp(key, "signal"))
		j->signal = (u32)strtoul(v, NULL, 10);
	else if (!strcmp(key, "tty"))
		j->tty = true;
	else if (!strcmp(key, "stdin"))
		j->in = true;
	else if (!strcmp(key, "newprivs"))
		j->new_privs = true;
	else if (!strcmp(key, "allcaps"))
		j->all_caps = true;
	else
		return false;
	return true;
}

bool job_parse(const struct wire_frame *f, struct job *job, struct setup *setup)
{
	char key[WIRE_KEY_MAX];
	const char *v;
	size_t at = 0;
	bool bad, ok = true;

	memset(job, 0, sizeof(*job));
	while (ok && wire_field(f, &at, key, &v, &bad)) {
		if (!strcmp(key, "arg"))
			ok = list_add(job->arg, &job->nargs, INIT_LIST_MAX, v);
		else if (!strcmp(key, "env"))
			ok = list_add(job->env, &job->nenv, INIT_LIST_MAX, v);
		else if (!job_text(job, key, v) && !job_number(job, key, v))
			ok = setup && setup_field(setup, key, v);
	}
	if (ok && (bad || (!job->nargs && !job->op && !job->signal)))
		return !init_fail("the host's request makes no sense") && false;
	return ok;
}

/* ---- out ---- */

static void put_u32(struct session *s, enum wire_type type, u32 v, const char *text)
{
	u32 n = (u32)strlen(text);

	if (n > sizeof(s->out) - WIRE_HEAD - 4 - s->out_len)
		n = 0;
	s->out_len += wire_head(s->out + s->out_len, type, 4 + n);
	memcpy(s->out + s->out_len, &v, 4);
	memcpy(s->out + s->out_len + 4, text, n);
	s->out_len += 4 + n;
}

static void hang_up(struct session *s)
{
	if (s->conn >= 0)
		close(s->conn);
	s->conn = -1;
}

static void out_flush(struct session *s)
{
	while (s->conn >= 0 && s->out_at < s->out_len) {
		ssize_t n = send(s->conn, s->out + s->out_at, s->out_len - s->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			hang_up(s);
		else
			s->out_at += (size_t)n;
	}
	s->out_at = s->out_len = 0;
}

/* One frame from a pipe or terminal, if there is something. */
static void out_fill(struct session *s, int *fd, enum wire_type type)
{
	ssize_t n = read(*fd, s->out + WIRE_HEAD, WIRE_DATA_MAX);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	s->out_len = wire_head(s->out, type, (u32)n) + (size_t)n;
	out_flush(s);
}

static int *out_fd(struct session *s)
{
	return s->p.tty ? &s->p.in : &s->p.out;
}

/* ---- in ---- */

static void start(struct init *in, struct session *s, const struct job *job)
{
	int status;

	if (job->signal) { /* for the first process; there is nothing to carry */
		syscall(SYS_pidfd_send_signal, in->first_fd, job->signal, NULL, 0);
		put_u32(s, WIRE_EXIT, 0, "");
		s->told = true;
	} else if (process_start(job, in->first_fd < 0, in->first_fd, &s->p, &status)) {
		put_u32(s, WIRE_ERROR, (u32)status, init_why());
		s->told = true;
	} else {
		if (in->first_fd < 0)
			in->first_fd = (int)syscall(SYS_pidfd_open, s->p.pid, 0);
		put_u32(s, WIRE_STARTED, (u32)s->p.pid, "");
	}
	out_flush(s);
}

static void start_from(struct init *in, struct session *s, const struct wire_frame *f)
{
	struct job *job = malloc(sizeof(*job));

	if (s->p.pid || s->told || !job || !job_parse(f, job, NULL))
		hang_up(s);
	else
		start(in, s, job);
	free(job);
}

static void window(struct session *s, const struct wire_frame *f)
{
	struct winsize w = {.ws_col = (u16)wire_u32(f, 0), .ws_row = (u16)wire_u32(f, 1)};

	if (s->p.in >= 0)
		ioctl(s->p.in, TIOCSWINSZ, &w);
}

static void close_in(struct session *s)
{
	if (s->p.tty || s->p.in < 0)
		return; /* a terminal has one descriptor for both ways */
	close(s->p.in);
	s->p.in = -1;
}

/* False while bytes of it are left. */
static bool feed(struct session *s, const struct wire_frame *f)
{
	while (s->p.in >= 0 && s->used_in < f->len) {
		ssize_t n = write(s->p.in, f->data + s->used_in, f->len - s->used_in);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0)
			close_in(s);
		else
			s->used_in += (size_t)n;
		if (n < 0 && s->p.in >= 0)
			break;
	}
	s->used_in = 0;
	return true;
}

/* False: not yet. */
static bool frame(struct init *in, struct session *s, const struct wire_frame *f)
{
	switch (f->type) {
	case WIRE_START:
		start_from(in, s, f);
		return true;
	case WIRE_STDIN:
		return feed(s, f);
	case WIRE_STDIN_END:
		close_in(s);
		return true;
	case WIRE_SIGNAL:
		if (s->p.pid && !s->dead)
			kill(s->p.pid, (int)wire_u32(f, 0));
		return true;
	case WIRE_WINDOW:
		window(s, f);
		return true;
	default:
		hang_up(s);
		return true;
	}
}

static void in_run(struct init *in, struct session *s)
{
	struct wire_frame f;
	long n;

	while (s->conn >= 0 && (n = wire_parse(s->in, s->in_len, &f)) != 0) {
		if (n < 0) {
			hang_up(s);
			return;
		}
		if (!frame(in, s, &f))
			return;
		s->in_len -= (size_t)n;
		memmove(s->in, s->in + n, s->in_len);
	}
}

static void in_read(struct init *in, struct session *s)
{
	ssize_t n;

	if (s->in_len == s->in_cap) { /* only START is longer than the first buffer */
		u8 *more = s->in_cap < WIRE_HEAD + WIRE_START_MAX
				   ? realloc(s->in, WIRE_HEAD + WIRE_START_MAX)
				   : NULL;

		if (!more) {
			hang_up(s);
			return;
		}
		s->in = more;
		s->in_cap = WIRE_HEAD + WIRE_START_MAX;
	}
	n = recv(s->conn, s->in + s->in_len, s->in_cap - s->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(s);
		return;
	}
	s->in_len += (size_t)n;
	in_run(in, s);
}

/* ---- sessions ---- */

static struct session *session_new(struct init *in, int conn)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct session *s;

		if (in->s[i])
			continue;
		s = calloc(1, sizeof(*s));
		if (s)
			s->in = malloc(s->in_cap = WIRE_HEAD + WIRE_DATA_MAX);
		if (!s || !s->in) {
			free(s);
			break;
		}
		s->conn = conn;
		s->p = (struct process){.in = -1, .out = -1, .err = -1};
		return in->s[i] = s;
	}
	close(conn);
	return NULL;
}

static void session_free(struct session *s)
{
	hang_up(s);
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? s->p.in : i == 1 ? s->p.out : s->p.err;

		if (fd >= 0)
			close(fd);
	}
	free(s->in);
	free(s);
}

/* Sends on what the process wrote; its exit status when it has ended and all is read. */
static void session_drain(struct session *s)
{
	int *fd = out_fd(s);

	if (!s->out_len && *fd >= 0)
		out_fill(s, fd, WIRE_STDOUT);
	if (!s->out_len && s->p.err >= 0)
		out_fill(s, &s->p.err, WIRE_STDERR);
}

/* Nothing to read at this moment? */
static bool is_dry(int fd)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};

	return fd < 0 || poll(&pf, 1, 0) <= 0 || !(pf.revents & POLLIN);
}

static void session_end(struct session *s)
{
	if (!s->dead || s->told || s->out_len)
		return;
	if (is_dry(*out_fd(s)) && is_dry(s->p.err)) {
		put_u32(s, WIRE_EXIT, s->status, "");
		s->told = true;
		out_flush(s);
	}
}

static void reap(struct init *in)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	while (read(in->signals, &si, sizeof(si)) == sizeof(si))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < SESSIONS_MAX; i++) {
			if (in->s[i] && in->s[i]->p.pid == pid) {
				in->s[i]->dead = true;
				in->s[i]->status = (u32)status;
			}
		}
	}
}

/* What a session waits for; NULL for the fds it has not. */
static void session_poll(const struct session *s, struct pollfd pf[FDS_OF_SESSION])
{
	bool stuck = s->used_in || wire_parse(s->in, s->in_len, &(struct wire_frame){0}) > 0;
	short out = s->out_len ? 0 : POLLIN;

	pf[0] = (struct pollfd){s->conn, (short)((stuck ? 0 : POLLIN) | (s->out_len ? POLLOUT : 0)),
				0};
	pf[1] = (struct pollfd){s->p.in, (short)((stuck ? POLLOUT : 0) | (s->p.tty ? out : 0)), 0};
	pf[2] = (struct pollfd){out ? s->p.out : -1, out, 0};
	pf[3] = (struct pollfd){out ? s->p.err : -1, out, 0};
	if (!pf[1].events)
		pf[1].fd = -1;
}

static void session_step(struct init *in, struct session *s, const struct pollfd pf[FDS_OF_SESSION])
{
	if (pf[0].revents & POLLOUT)
		out_flush(s);
	if (pf[1].revents & (POLLOUT | POLLERR) && s->in_len)
		in_run(in, s);
	if (pf[0].revents & (POLLIN | POLLHUP | POLLERR) && pf[0].events & POLLIN)
		in_read(in, s);
	else if (pf[0].revents & (POLLHUP | POLLERR))
		hang_up(s);
	if (s->p.pid)
		session_drain(s);
}

static bool session_over(const struct session *s)
{
	return (s->told && !s->out_len) || (s->conn < 0 && (s->dead || !s->p.pid));
}

static void step(struct init *in)
{
	struct pollfd pf[2 + SESSIONS_MAX * FDS_OF_SESSION];
	int conn;

	pf[0] = (struct pollfd){in->listener, POLLIN, 0};
	pf[1] = (struct pollfd){in->signals, POLLIN, 0};
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct pollfd *p = pf + 2 + i * FDS_OF_SESSION;

		for (unsigned k = 0; k < FDS_OF_SESSION; k++)
			p[k] = (struct pollfd){-1, 0, 0};
		if (in->s[i])
			session_poll(in->s[i], p);
	}
	if (poll(pf, ARRAY_LEN(pf), -1) < 0)
		return;
	if (pf[1].revents)
		reap(in);
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		if (!in->s[i])
			continue;
		session_step(in, in->s[i], pf + 2 + i * FDS_OF_SESSION);
		session_end(in->s[i]);
		if (i && session_over(in->s[i])) {
			session_free(in->s[i]);
			in->s[i] = NULL;
		}
	}
	if (pf[0].revents && (conn = accept4(in->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		session_new(in, conn);
}

void session_loop(int conn, const struct job *job, int listener)
{
	static struct init in;
	struct session *first;
	sigset_t set;

	in.listener = listener;
	in.first_fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	in.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	first = session_new(&in, conn);
	if (!first || in.signals < 0)
		return;
	start(&in, first, job);
	/* The monitor's end of the connection is this machine's life line. */
	while (!session_over(first) && first->conn >= 0)
		step(&in);
}
