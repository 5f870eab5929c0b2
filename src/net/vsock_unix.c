/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets behind vsock. Contract in vsock_unix.h. */
#include "net/vsock_unix.h"

#include "base/bits.h"
#include "host/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 32u /* "CONNECT 4294967295\n" */
#define RX_SIZE 16384u
#define PATH_SUFFIX 11u /* "_4294967295" */

enum stream_state {
	ASKING,	 /* a client has not said its CONNECT line yet */
	WAITING, /* ... and now waits for the guest */
	THROUGH,
	DRAINING, /* over, but bytes for the host are left */
};

struct stream {
	struct list link;
	struct unix_vsock *v;
	int fd;
	struct loop_fd watch;
	u32 events;
	enum stream_state state;
	unsigned conn; /* WAITING, THROUGH */
	u32 host_port;
	bool guest_eof; /* shut down our writing side when tx is empty */
	bool host_eof;	/* read() gave 0 */
	bool rx_held;	/* the device would not take more */
	bool unwatched; /* the peer is gone, but not all it sent has been taken */
	u8 rx[RX_SIZE]; /* from the socket */
	size_t rx_at, rx_end;
	u8 tx[IO_VSOCK_WINDOW]; /* to the socket */
	size_t tx_at, tx_end;
};

struct unix_vsock {
	struct io_vsock io;
	struct loop *loop;
	int fd;
	struct loop_fd watch;
	struct list streams;
	unsigned nstreams;
	struct stream *by_conn[IO_VSOCK_CONNS];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static struct unix_vsock *unix_of(struct io_vsock *v)
{
	return container_of(v, struct unix_vsock, io);
}

static void stream_ready(void *opaque, u32 events);

static void stream_events(struct stream *s)
{
	bool in = !s->rx_held && !s->host_eof && s->state != WAITING && s->state != DRAINING;
	u32 events = (in ? (u32)EPOLLIN : 0) | (s->tx_at < s->tx_end ? (u32)EPOLLOUT : 0);

	if (s->unwatched && in) {
		s->unwatched = false;
		loop_fd_add(s->v->loop, &s->watch, s->fd, s->events = events, stream_ready, s,
			    NULL);
	}
	if (events == s->events)
		return;
	s->events = events;
	loop_fd_mod(s->v->loop, &s->watch, events);
}

static void stream_free(struct stream *s)
{
	loop_fd_del(s->v->loop, &s->watch);
	close(s->fd);
	list_remove(&s->link);
	s->v->nstreams--;
	free(s);
}

/* The connection is over for us: tell the device and forget it. */
static void stream_end(struct stream *s)
{
	struct unix_vsock *v = s->v;

	if (s->state == WAITING || s->state == THROUGH) {
		v->by_conn[s->conn] = NULL;
		v->io.hangup(v->io.opaque, s->conn, true);
	}
	stream_free(s);
}

/* --- guest to socket --- */

static void tell_consumed(struct stream *s, size_t n)
{
	if (s->state == THROUGH)
		s->v->io.consumed(s->v->io.opaque, s->conn, n);
}

/* False: the stream is gone. */
static bool tx_flush(struct stream *s)
{
	while (s->tx_at < s->tx_end) {
		ssize_t n = send(s->fd, s->tx + s->tx_at, s->tx_end - s->tx_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			stream_end(s);
			return false;
		}
		if (n < 0)
			break;
		s->tx_at += (size_t)n;
		tell_consumed(s, (size_t)n);
	}
	if (s->tx_at == s->tx_end)
		s->tx_at = s->tx_end = 0;
	if (!s->tx_end && s->state == DRAINING) {
		stream_free(s);
		return false;
	}
	if (!s->tx_end && s->guest_eof)
		shutdown(s->fd, SHUT_WR);
	stream_events(s);
	return true;
}

/* The device keeps to the window, so what is kept always fits. */
static void on_send(struct io_vsock *io, unsigned conn, const void *buf, size_t len)
{
	struct stream *s = unix_of(io)->by_conn[conn];
	ssize_t n = 0;

	if (!s)
		return;
	if (!s->tx_end)
		n = send(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	n = n < 0 ? 0 : n; /* an error shows again when the rest is flushed */
	if (s->tx_at) {
		memmove(s->tx, s->tx + s->tx_at, s->tx_end - s->tx_at);
		s->tx_end -= s->tx_at;
		s->tx_at = 0;
	}
	if (len - (size_t)n > sizeof(s->tx) - s->tx_end)
		return;
	memcpy(s->tx + s->tx_end, (const u8 *)buf + n, len - (size_t)n);
	s->tx_end += len - (size_t)n;
	stream_events(s);
	if (n)
		io->consumed(io->opaque, conn, (size_t)n);
}

static void on_eof(struct io_vsock *io, unsigned conn)
{
	struct stream *s = unix_of(io)->by_conn[conn];

	if (!s)
		return;
	s->guest_eof = true;
	if (!s->tx_end)
		shutdown(s->fd, SHUT_WR);
}

static void on_close(struct io_vsock *io, unsigned conn)
{
	struct unix_vsock *v = unix_of(io);
	struct stream *s = v->by_conn[conn];

	if (!s)
		return;
	v->by_conn[conn] = NULL;
	s->state = DRAINING;
	tx_flush(s);
}

/* --- socket to guest --- */

/* Offers what was read; true if the device took all of it. */
static bool rx_offer(struct stream *s)
{
	struct io_vsock *io = &s->v->io;

	s->rx_at += io->receive(io->opaque, s->conn, s->rx + s->rx_at, s->rx_end - s->rx_at);
	s->rx_held = s->rx_at < s->rx_end;
	if (!s->rx_held)
		s->rx_at = s->rx_end = 0;
	if (!s->rx_held && s->host_eof)
		io->hangup(io->opaque, s->conn, false);
	return !s->rx_held;
}

static void on_rx_ready(struct io_vsock *io, unsigned conn)
{
	struct stream *s = unix_of(io)->by_conn[conn];

	if (!s || s->state != THROUGH || !s->rx_held)
		return;
	rx_offer(s);
	stream_events(s);
}

static void rx_run(struct stream *s)
{
	ssize_t n = recv(s->fd, s->rx + s->rx_end, sizeof(s->rx) - s->rx_end, MSG_DONTWAIT);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stream_end(s);
		return;
	}
	if (!n)
		s->host_eof = true;
	s->rx_end += (size_t)n;
	rx_offer(s);
	stream_events(s);
}

/* --- a client's first line --- */

static void client_connect(struct stream *s, u32 port)
{
	struct unix_vsock *v = s->v;
	int conn = v->io.connect ? v->io.connect(v->io.opaque, port, &s->host_port) : -ENODEV;

	if (conn < 0) {
		stream_free(s);
		return;
	}
	s->conn = (unsigned)conn;
	s->state = WAITING;
	v->by_conn[conn] = s;
	stream_events(s);
}

static bool parse_line(const char *line, u32 *port)
{
	unsigned long long n;
	char *end;

	if (strncmp(line, "CONNECT ", 8) || line[8] < '0' || line[8] > '9')
		return false;
	n = strtoull(line + 8, &end, 10);
	*port = (u32)n;
	return !*end && n <= 0xffffffffu;
}

/* Byte by byte, so that nothing behind the line is taken yet. */
static void line_run(struct stream *s)
{
	u32 port;

	for (;;) {
		ssize_t n = recv(s->fd, s->rx + s->rx_end, 1, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || (s->rx[s->rx_end] != '\n' && s->rx_end == LINE_MAX_BYTES)) {
			stream_free(s);
			return;
		}
		if (s->rx[s->rx_end] == '\n')
			break;
		s->rx_end++;
	}
	s->rx[s->rx_end] = 0;
	s->rx_end = 0;
	if (!parse_line((char *)s->rx, &port)) {
		stream_free(s);
		return;
	}
	client_connect(s, port);
}

static void on_accepted(struct io_vsock *io, unsigned conn)
{
	struct stream *s = unix_of(io)->by_conn[conn];
	char line[LINE_MAX_BYTES];
	int n;

	if (!s)
		return;
	s->state = THROUGH;
	n = snprintf(line, sizeof(line), "OK %u\n", s->host_port);
	/* Nothing was sent before, so there is room for a line. */
	if (send(s->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
		log_debug("vsock: a client did not take its answer");
	stream_events(s);
}

/* --- streams --- */

static void stream_ready(void *opaque, u32 events)
{
	struct stream *s = opaque;

	if (events & EPOLLOUT && !tx_flush(s))
		return;
	if (events & EPOLLIN && s->events & EPOLLIN) {
		if (s->state == ASKING)
			line_run(s);
		else
			rx_run(s);
		return;
	}
	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	/* The peer is gone; a hang-up repeats itself, so do not watch it while bytes wait. */
	if (s->state == WAITING || s->rx_held) {
		loop_fd_del(s->v->loop, &s->watch);
		s->unwatched = true;
		return;
	}
	stream_end(s);
}

/* Takes fd. NULL: out of memory, fd is closed. */
static struct stream *stream_new(struct unix_vsock *v, int fd, enum stream_state state)
{
	struct stream *s = v->nstreams < VSOCK_UNIX_CLIENTS ? malloc(sizeof(*s)) : NULL;

	if (!s) {
		close(fd);
		return NULL;
	}
	memset(s, 0, offsetof(struct stream, rx));
	s->rx_at = s->rx_end = s->tx_at = s->tx_end = 0;
	s->v = v;
	s->fd = fd;
	s->state = state;
	s->events = EPOLLIN;
	if (loop_fd_add(v->loop, &s->watch, fd, EPOLLIN, stream_ready, s, NULL)) {
		close(fd);
		free(s);
		return NULL;
	}
	list_insert_before(&v->streams, &s->link);
	v->nstreams++;
	return s;
}

static int on_open(struct io_vsock *io, unsigned conn, u32 port)
{
	struct unix_vsock *v = unix_of(io);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s_%u", v->path, port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stream *s;

	if (fd < 0)
		return -errno;
	if (n >= (int)sizeof(a.sun_path) || connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		log_debug("vsock: guest's connection to %s refused: %s", a.sun_path,
			  strerror(errno));
		close(fd);
		return -ECONNREFUSED;
	}
	s = stream_new(v, fd, THROUGH);
	if (!s)
		return -ENOMEM;
	s->conn = conn;
	v->by_conn[conn] = s;
	return 0;
}

static const struct io_vsock_ops unix_ops = {
	.open = on_open,
	.accepted = on_accepted,
	.send = on_send,
	.eof = on_eof,
	.close = on_close,
	.rx_ready = on_rx_ready,
};

/* --- the listening socket --- */

static void accept_ready(void *opaque, u32 events)
{
	struct unix_vsock *v = opaque;
	int fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		stream_new(v, fd, ASKING);
}

static int listen_at(struct unix_vsock *v, const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) + PATH_SUFFIX >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "vsock %s: the path is longer than %zu characters",
			       path, sizeof(a.sun_path) - PATH_SUFFIX - 1);
	strcpy(a.sun_path, path);
	v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->fd < 0)
		return err_errno(e, "vsock %s", path);
	if (bind(v->fd, (struct sockaddr *)&a, sizeof(a)))
		return errno == EADDRINUSE
			       ? err_set(e, EADDRINUSE,
					 "vsock %s exists already; remove it if no machine uses it",
					 path)
			       : err_errno(e, "vsock %s", path);
	strcpy(v->path, path);
	if (listen(v->fd, 16))
		return err_errno(e, "vsock %s", path);
	return loop_fd_add(v->loop, &v->watch, v->fd, EPOLLIN, accept_ready, v, e);
}

int vsock_unix_open(struct loop *l, const char *path, struct io_vsock **out, struct err *e)
{
	struct unix_vsock *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return err_set(e, ENOMEM, "vsock %s: out of memory", path);
	v->io.ops = &unix_ops;
	v->loop = l;
	v->fd = -1;
	list_init(&v->streams);
	err = listen_at(v, path, e);
	if (err) {
		vsock_unix_close(&v->io);
		return err;
	}
	*out = &v->io;
	return 0;
}

void vsock_unix_close(struct io_vsock *io)
{
	struct unix_vsock *v;

	if (!io)
		return;
	v = unix_of(io);
	list_for_each_safe (it, tmp, &v->streams)
		stream_free(list_entry(it, struct stream, link));
	loop_fd_del(v->loop, &v->watch);
	if (v->fd >= 0)
		close(v->fd);
	if (v->path[0])
		unlink(v->path);
	free(v);
}

void vsock_unix_unlink(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (strlen(path) < sizeof(a.sun_path)) {
		strcpy(a.sun_path, path);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) && errno == ECONNREFUSED)
			unlink(path);
	}
	close(fd);
}
