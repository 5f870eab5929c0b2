/* SPDX-License-Identifier: Apache-2.0 */
/* The thing's side; see monitor.h. */
#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- a container ---- */

static void read_stream(struct monitor *m, int *fd, enum wire_type type)
{
	ssize_t n;

	if (*fd < 0 || m->output_len)
		return;
	n = read(*fd, m->output + WIRE_HEAD, WIRE_DATA_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(fd);
		return;
	}
	log_bytes(m, type, m->output + WIRE_HEAD, (size_t)n);
	m->output_len = wire_head(m->output, type, (u32)n) + (size_t)n;
	clients_flush(m);
}

static void container_step(struct monitor *m)
{
	read_stream(m, m->tty ? &m->in : &m->out, WIRE_STDOUT);
	read_stream(m, &m->err, WIRE_STDERR);
}

static bool container_stdin(struct monitor *m, const struct wire_frame *f, size_t *used)
{
	while (m->in >= 0 && *used < f->len) {
		ssize_t n = write(m->in, f->data + *used, f->len - *used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			if (!m->tty)
				drop(&m->in);
			break;
		}
		*used += (size_t)n;
	}
	return true;
}

static bool container_input(struct monitor *m, const struct wire_frame *f, size_t *used)
{
	struct winsize w = {.ws_col = (u16)wire_u32(f, 0), .ws_row = (u16)wire_u32(f, 1)};

	switch (f->type) {
	case WIRE_STDIN:
		return container_stdin(m, f, used);
	case WIRE_STDIN_END:
		if (!m->tty)
			drop(&m->in);
		break;
	case WIRE_SIGNAL:
		if (!m->ended)
			kill(m->child, (int)wire_u32(f, 0));
		break;
	case WIRE_WINDOW:
		if (m->tty && m->in >= 0)
			ioctl(m->in, TIOCSWINSZ, &w);
		break;
	default:
		break;
	}
	return true;
}

/* ---- a machine ---- */

/* The guest's init is there: tell it what to do. */
static void greet(struct monitor *m)
{
	u8 buf[4096];
	ssize_t n;
	int fd = accept4(m->wire_listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	drop(&m->wire_listener);
	while ((n = read(m->start, buf, sizeof(buf))) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	drop(&m->start);
	m->wire = fd;
}

static void wire_frame_in(struct monitor *m, const struct wire_frame *f, long n)
{
	if (f->type == WIRE_EXIT) {
		m->told = true;
		m->status = wire_u32(f, 0);
	} else if (f->type == WIRE_ERROR) {
		m->failed = m->told = true;
		m->error_status = wire_u32(f, 0);
		snprintf(m->error, sizeof(m->error), "%.*s", (int)f->len - 4,
			 (const char *)f->data + 4);
	} else if (f->type == WIRE_STDOUT || f->type == WIRE_STDERR || f->type == WIRE_STARTED) {
		if (f->type != WIRE_STARTED)
			log_bytes(m, f->type, f->data, f->len);
		memcpy(m->output, m->wire_in, (size_t)n);
		m->output_len = (size_t)n;
		clients_flush(m);
	}
}

static void wire_run(struct monitor *m)
{
	struct wire_frame f;
	long n;

	while (!m->output_len && (n = wire_parse(m->wire_in, m->wire_len, &f)) != 0) {
		if (n < 0) { /* not the init we know: nothing it says can be believed */
			drop(&m->wire);
			m->wire_len = 0;
			return;
		}
		wire_frame_in(m, &f, n);
		m->wire_len -= (size_t)n;
		memmove(m->wire_in, m->wire_in + n, m->wire_len);
	}
}

static void wire_read(struct monitor *m)
{
	size_t room = sizeof(m->wire_in) - m->wire_len;
	ssize_t n;

	wire_run(m);
	if (m->output_len || m->wire < 0 || !room)
		return;
	n = recv(m->wire, m->wire_in + m->wire_len, sizeof(m->wire_in) - m->wire_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(&m->wire);
		return;
	}
	m->wire_len += (size_t)n;
	wire_run(m);
}

/* Frames go through as they are; the guest's init checks them again. */
static bool machine_input(struct monitor *m, const struct wire_frame *f, size_t *used)
{
	const u8 *p = f->data - WIRE_HEAD;
	size_t len = f->len + WIRE_HEAD;

	if (f->type > WIRE_WINDOW || f->type == WIRE_START || m->told)
		return true;
	if (m->wire < 0)
		return m->ended; /* the machine is still starting */
	while (*used < len) {
		ssize_t n = send(m->wire, p + *used, len - *used, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0 && errno != EINTR)
			return true;
		*used += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* ---- both ---- */

void feed_poll(const struct monitor *m, struct pollfd pf[FEED_FDS])
{
	short in = m->output_len ? 0 : POLLIN, out = 0;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		out |= m->client[i].fd >= 0 && client_is_stuck(&m->client[i]) ? POLLOUT : 0;
	for (unsigned i = 0; i < FEED_FDS; i++)
		pf[i] = (struct pollfd){.fd = -1};
	if (m->machine) {
		pf[0] = (struct pollfd){m->wire_listener, POLLIN, 0};
		pf[1] = (struct pollfd){in || out ? m->wire : -1, in | out, 0};
		return;
	}
	pf[0] = (struct pollfd){in ? m->out : -1, in, 0};
	pf[1] = (struct pollfd){in ? m->err : -1, in, 0};
	pf[2] = (struct pollfd){m->in, (short)((m->tty ? in : 0) | out), 0};
	if (!pf[2].events)
		pf[2].fd = -1;
}

void feed_step(struct monitor *m, const struct pollfd pf[FEED_FDS])
{
	if (!m->machine)
		container_step(m);
	else if (m->wire_listener >= 0 && pf[0].revents & POLLIN)
		greet(m);
	else
		wire_read(m);
}

bool feed_input(struct monitor *m, const struct wire_frame *f, size_t *used)
{
	return m->machine ? machine_input(m, f, used) : container_input(m, f, used);
}

bool feed_is_dry(struct monitor *m)
{
	const int fd[3] = {m->machine ? m->wire : m->tty ? m->in : m->out, m->err, -1};

	if (m->output_len)
		return false;
	if (m->machine && m->told)
		return true;
	for (unsigned i = 0; fd[i] >= 0 || i < 2; i++) {
		struct pollfd pf = {fd[i], POLLIN, 0};

		if (fd[i] >= 0 && poll(&pf, 1, 0) > 0 && pf.revents & POLLIN)
			return false;
	}
	return true;
}
