/* SPDX-License-Identifier: Apache-2.0 */
#include "run/client.h"

#include "host/tty.h"
#include "run/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_FIRST 0x10	/* Ctrl-P */
#define KEY_SECOND 0x11 /* Ctrl-Q */

struct client {
	int fd, signals, from, to; /* from, to: our stdin and stdout, or the caller's */
	const struct client_config *cfg;
	bool in_open, key; /* key: the first detach key was typed */
	bool done;
	struct client_result *result;
	u8 in[WIRE_HEAD + WIRE_DATA_MAX]; /* from the other side */
	size_t in_len;
	u8 out[WIRE_HEAD + WIRE_DATA_MAX + 64]; /* to it */
	size_t out_at, out_len;
};

static const int taken[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
			    SIGUSR2, SIGCONT, SIGALRM, SIGWINCH};

void client_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_LEN(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* ---- to the other side ---- */

static void flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* reading will tell */
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
}

/* There is always room for a few small frames behind one of data. */
static void put(struct client *c, enum wire_type type, const u32 *v, unsigned n)
{
	if (c->out_len + WIRE_HEAD + 4 * n > sizeof(c->out))
		return;
	c->out_len += wire_head(c->out + c->out_len, type, 4 * n);
	for (unsigned i = 0; i < n; i++, c->out_len += 4)
		memcpy(c->out + c->out_len, &v[i], 4);
	flush(c);
}

static void put_window(struct client *c)
{
	u16 cols, rows;

	if (c->cfg->tty && tty_window(STDIN_FILENO, &cols, &rows))
		put(c, WIRE_WINDOW, (const u32[]){cols, rows}, 2);
}

/* Looks for the detach keys; returns how many bytes go on, moved to the front. */
static size_t keys(struct client *c, u8 *p, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		if (c->key && p[i] == KEY_SECOND) {
			c->result->end = CLIENT_DETACHED;
			c->done = true;
			return to;
		}
		c->key = p[i] == KEY_FIRST;
		p[to++] = p[i];
	}
	return to;
}

static void read_stdin(struct client *c)
{
	ssize_t n = read(c->from, c->out + WIRE_HEAD, WIRE_DATA_MAX);
	size_t len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		c->in_open = false;
		if (!c->cfg->keep_stdin)
			put(c, WIRE_STDIN_END, NULL, 0);
		return;
	}
	len = c->cfg->tty ? keys(c, c->out + WIRE_HEAD, (size_t)n) : (size_t)n;
	if (!len)
		return;
	c->out_len = wire_head(c->out, WIRE_STDIN, (u32)len) + len;
	flush(c);
}

static void read_signals(struct client *c)
{
	struct signalfd_siginfo si;

	while (read(c->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			put_window(c);
		else if (c->cfg->signals)
			put(c, WIRE_SIGNAL, &si.ssi_signo, 1);
		else { /* nobody to pass it to */
			c->result->end = CLIENT_DETACHED;
			c->done = true;
		}
	}
}

/* ---- from the other side ---- */

/* Blocking on purpose: whoever reads us slowly slows the process down. */
static void write_all(int fd, const u8 *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EAGAIN) {
			struct pollfd pf = {fd, POLLOUT, 0};

			poll(&pf, 1, -1);
			continue;
		}
		if (w < 0 && errno != EINTR)
			return; /* gone; the process goes on */
		p += w > 0 ? w : 0;
		n -= w > 0 ? (size_t)w : 0;
	}
}

static void end_with(struct client *c, enum client_end end, int status)
{
	c->result->end = end;
	c->result->status = status;
	c->done = true;
}

static void frame(struct client *c, const struct wire_frame *f)
{
	int st = (int)wire_u32(f, 0);

	switch (f->type) {
	case WIRE_STDOUT:
	case WIRE_STDERR:
		if (!c->cfg->quiet)
			write_all(f->type == WIRE_STDOUT ? c->to : STDERR_FILENO, f->data, f->len);
		break;
	case WIRE_STARTED:
		if (c->cfg->only_start)
			end_with(c, CLIENT_STARTED, 0);
		else
			put_window(c);
		break;
	case WIRE_EXIT:
		end_with(c, CLIENT_EXITED, WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st));
		break;
	case WIRE_ERROR:
		snprintf(c->result->text, sizeof(c->result->text), "%.*s", (int)f->len - 4,
			 (const char *)f->data + 4);
		end_with(c, CLIENT_ERROR, st & 0xff);
		break;
	default:
		end_with(c, CLIENT_LOST, 125);
		break;
	}
}

static void read_frames(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	struct wire_frame f;
	long used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_with(c, CLIENT_LOST, 125);
		return;
	}
	c->in_len += (size_t)n;
	while (!c->done && (used = wire_parse(c->in, c->in_len, &f)) != 0) {
		if (used < 0) {
			end_with(c, CLIENT_LOST, 125);
			return;
		}
		frame(c, &f);
		c->in_len -= (size_t)used;
		memmove(c->in, c->in + used, c->in_len);
	}
}

/* ---- the loop ---- */

static void loop(struct client *c)
{
	while (!c->done) {
		struct pollfd pf[3] = {
			{c->fd, (short)(POLLIN | (c->out_len ? POLLOUT : 0)), 0},
			{c->signals, POLLIN, 0},
			{c->in_open && !c->out_len ? c->from : -1, POLLIN, 0},
		};

		if (poll(pf, 3, -1) < 0)
			continue;
		if (pf[0].revents & POLLOUT)
			flush(c);
		if (pf[1].revents)
			read_signals(c);
		if (pf[0].revents & (POLLIN | POLLHUP | POLLERR))
			read_frames(c);
		if (!c->done && pf[2].revents && !c->out_len)
			read_stdin(c);
	}
}

static int open_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_LEN(taken); i++)
		sigaddset(&set, taken[i]);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(e, "cannot watch signals") : fd;
}

int client_run(int fd, const struct client_config *cfg, struct client_result *out, struct err *e)
{
	struct client c = {.fd = fd, .cfg = cfg, .result = out};
	struct tty tty = {0};
	sigset_t before;

	c.from = cfg->own_fds ? cfg->fd_in : STDIN_FILENO;
	c.to = cfg->own_fds ? cfg->fd_out : STDOUT_FILENO;
	*out = (struct client_result){.end = CLIENT_LOST, .status = 125};
	client_signals(&before);
	c.signals = open_signals(e);
	if (c.signals < 0)
		return c.signals;
	c.in_open = cfg->in && !cfg->only_start && !cfg->quiet;
	if (cfg->tty && cfg->in) {
		tty_save(&tty, STDIN_FILENO);
		tty_raw(&tty);
	}
	if (!cfg->in && !cfg->only_start && !cfg->quiet && !cfg->keep_stdin)
		put(&c, WIRE_STDIN_END, NULL, 0);
	loop(&c);
	if (cfg->tty && cfg->in)
		tty_restore(&tty);
	close(c.signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return 0;
}
