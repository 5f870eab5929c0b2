/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines that are attached; see monitor.h. */
#include "monitor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_MS 2000 /* for a client to take the last frame */

void client_drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void client_add(struct monitor *m, int fd, bool owner)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &m->client[i];

		if (c->fd >= 0)
			continue;
		c->fd = fd;
		c->owner = owner;
		c->in_len = c->used = 0;
		c->sent = m->output_len; /* begins with the next frame */
		return;
	}
	close(fd);
}

/* ---- to the clients ---- */

static void send_some(struct client *c, const u8 *p, size_t len)
{
	ssize_t n = send(c->fd, p + c->sent, len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		c->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		client_drop(c);
}

void clients_flush(struct monitor *m)
{
	bool left = false;

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &m->client[i];

		if (c->fd >= 0 && c->sent < m->output_len)
			send_some(c, m->output, m->output_len);
		left |= c->fd >= 0 && c->sent < m->output_len;
	}
	if (left)
		return;
	m->output_len = 0;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		m->client[i].sent = 0;
}

void clients_last(struct monitor *m, const u8 *frame, size_t len)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &m->client[i];

		c->sent = 0;
		while (c->fd >= 0 && c->sent < len) {
			struct pollfd pf = {c->fd, POLLOUT, 0};

			if (poll(&pf, 1, LAST_MS) <= 0)
				break;
			send_some(c, frame, len);
		}
	}
}

/* ---- from the clients ---- */

static void in_run(struct monitor *m, struct client *c)
{
	struct wire_frame f;
	long n;

	while (c->fd >= 0 && (n = wire_parse(c->in, c->in_len, &f)) != 0) {
		if (n < 0) {
			client_drop(c);
			return;
		}
		if (!feed_input(m, &f, &c->used))
			return;
		c->used = 0;
		c->in_len -= (size_t)n;
		memmove(c->in, c->in + n, c->in_len);
	}
}

static void in_read(struct monitor *m, struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->in_len += (size_t)n;
	in_run(m, c);
}

bool client_is_stuck(const struct client *c)
{
	struct wire_frame f;

	return wire_parse(c->in, c->in_len, &f) > 0;
}

void clients_poll(const struct monitor *m, struct pollfd pf[CLIENTS_MAX])
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = &m->client[i];

		pf[i] = (struct pollfd){.fd = c->fd};
		if (c->fd >= 0 && !client_is_stuck(c))
			pf[i].events |= POLLIN;
		if (c->fd >= 0 && c->sent < m->output_len)
			pf[i].events |= POLLOUT;
	}
}

void clients_step(struct monitor *m, const struct pollfd pf[CLIENTS_MAX])
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &m->client[i];

		if (c->fd < 0)
			continue;
		if (client_is_stuck(c))
			in_run(m, c);
		if (pf[i].revents & POLLIN)
			in_read(m, c);
		else if (pf[i].revents & (POLLHUP | POLLERR))
			client_drop(c);
	}
	clients_flush(m);
}
