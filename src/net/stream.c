/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a stream socket. Contract in stream.h. */
#include "net/stream.h"

#include "base/endian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LENGTH_SIZE 4u
#define TX_PIECES 300u /* of one frame: more than any queue has descriptors */
#define RX_ROUNDS 4u   /* reads before other events get their turn */

static_assert(STREAM_RX_SIZE >= 2 * (IO_NET_FRAME_MAX + LENGTH_SIZE), "a frame always fits");

static struct net_stream *stream_of(struct io_net *n)
{
	return container_of(n, struct net_stream, io);
}

static void watch_update(struct net_stream *s)
{
	u32 events = (s->rx_held ? 0 : (u32)EPOLLIN) | (s->tx_end ? (u32)EPOLLOUT : 0);

	if (s->dead || events == s->events)
		return;
	s->events = events;
	loop_fd_mod(s->loop, &s->watch, events);
}

static void lose(struct net_stream *s, const char *why)
{
	if (s->dead)
		return;
	s->dead = true;
	loop_fd_del(s->loop, &s->watch);
	if (s->lost)
		s->lost(s->opaque, why);
}

/* --- to the world --- */

static void tx_keep(struct net_stream *s, const struct iovec *iov, unsigned niov, size_t skip)
{
	if (s->tx_at) {
		memmove(s->tx, s->tx + s->tx_at, s->tx_end - s->tx_at);
		s->tx_end -= s->tx_at;
		s->tx_at = 0;
	}
	for (unsigned i = 0; i < niov; i++) {
		size_t n = iov[i].iov_len > skip ? iov[i].iov_len - skip : 0;

		memcpy(s->tx + s->tx_end, (const u8 *)iov[i].iov_base + iov[i].iov_len - n, n);
		s->tx_end += n;
		skip -= iov[i].iov_len - n;
	}
	watch_update(s);
}

static void stream_tx(struct io_net *io, const struct io_vec *iov, unsigned niov)
{
	struct net_stream *s = stream_of(io);
	struct iovec v[TX_PIECES + 1];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = niov + 1};
	u8 length[LENGTH_SIZE];
	size_t len = 0, total;
	ssize_t sent = 0;

	if (s->dead || niov > TX_PIECES)
		return;
	for (unsigned i = 0; i < niov; i++) {
		v[i + 1] = (struct iovec){iov[i].base, iov[i].len};
		len += iov[i].len;
	}
	store_be32(length, (u32)len);
	v[0] = (struct iovec){length, sizeof(length)};
	total = len + sizeof(length);
	if (!s->tx_end) {
		sent = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			lose(s, strerror(errno));
			return;
		}
		sent = sent < 0 ? 0 : sent;
	}
	if ((size_t)sent == total)
		return;
	/* A frame that was begun must be finished; there is always room for one. */
	if (!sent && s->tx_end - s->tx_at + total > STREAM_TX_SIZE - IO_NET_FRAME_MAX) {
		s->tx_dropped++;
		return;
	}
	tx_keep(s, v, niov + 1, (size_t)sent);
}

static void tx_flush(struct net_stream *s)
{
	ssize_t n =
		send(s->fd, s->tx + s->tx_at, s->tx_end - s->tx_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			lose(s, strerror(errno));
		return;
	}
	s->tx_at += (size_t)n;
	if (s->tx_at == s->tx_end)
		s->tx_at = s->tx_end = 0;
	watch_update(s);
}

/* --- to the guest --- */

/* Hands over whole frames from the buffer. False: the device has no room, or all is lost. */
static bool rx_deliver(struct net_stream *s)
{
	while (s->rx_end - s->rx_at >= LENGTH_SIZE) {
		u32 len = load_be32(s->rx + s->rx_at);

		if (len > IO_NET_FRAME_MAX) {
			lose(s, "a frame of impossible length");
			return false;
		}
		if (s->rx_end - s->rx_at - LENGTH_SIZE < len)
			return true;
		if (s->io.receive &&
		    !s->io.receive(s->io.opaque, s->rx + s->rx_at + LENGTH_SIZE, len)) {
			s->rx_held = true;
			return false;
		}
		s->rx_at += LENGTH_SIZE + len;
	}
	return true;
}

/* True if there may be more to read. */
static bool rx_fill(struct net_stream *s)
{
	ssize_t n;

	if (STREAM_RX_SIZE - s->rx_end < IO_NET_FRAME_MAX + LENGTH_SIZE) {
		memmove(s->rx, s->rx + s->rx_at, s->rx_end - s->rx_at);
		s->rx_end -= s->rx_at;
		s->rx_at = 0;
	}
	n = recv(s->fd, s->rx + s->rx_end, STREAM_RX_SIZE - s->rx_end, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			lose(s, strerror(errno));
		return false;
	}
	if (!n) {
		lose(s, "it closed the connection");
		return false;
	}
	s->rx_end += (size_t)n;
	return true;
}

static void rx_run(struct net_stream *s)
{
	for (unsigned i = 0; i < RX_ROUNDS && !s->dead && !s->rx_held; i++)
		if (!rx_fill(s) || !rx_deliver(s))
			break;
	if (s->rx_at == s->rx_end)
		s->rx_at = s->rx_end = 0;
	watch_update(s);
}

static void stream_rx_ready(struct io_net *io)
{
	struct net_stream *s = stream_of(io);

	if (!s->rx_held)
		return;
	s->rx_held = false;
	rx_deliver(s);
	watch_update(s);
}

static void ready(void *opaque, u32 events)
{
	struct net_stream *s = opaque;

	if (events & EPOLLOUT && s->tx_end)
		tx_flush(s);
	if (s->dead)
		return;
	if (events & EPOLLIN)
		rx_run(s);
	else if (events & (EPOLLHUP | EPOLLERR))
		lose(s, "it closed the connection");
}

static const struct io_net_ops stream_ops = {stream_tx, stream_rx_ready};

int net_stream_init(struct net_stream *s, struct loop *l, int fd, struct err *e)
{
	*s = (struct net_stream){.loop = l, .fd = fd, .events = EPOLLIN, .io.ops = &stream_ops};
	s->rx = malloc(STREAM_RX_SIZE);
	s->tx = malloc(STREAM_TX_SIZE);
	if (!s->rx || !s->tx) {
		net_stream_fini(s);
		return err_set(e, ENOMEM, "network: out of memory");
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return loop_fd_add(l, &s->watch, fd, EPOLLIN, ready, s, e);
}

void net_stream_fini(struct net_stream *s)
{
	loop_fd_del(s->loop, &s->watch);
	s->dead = true;
	free(s->rx);
	free(s->tx);
	s->rx = s->tx = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
