/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a serving process and back. Contract in share.h. */
#include "block/share.h"

#include "base/bits.h"
#include "base/endian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_MAX 80u /* of one request: more than the device takes */
#define ROUNDS 16u     /* answers before other events get their turn */

struct share {
	struct io_fs io;
	struct loop *loop;
	int fd;
	struct loop_fd watch;
	bool lost;
	struct loop_work lose_work;
	struct io_fs_req *slot[IO_FS_SLOTS]; /* in flight, sent or waiting */
	struct io_fs_req *first, **last;     /* waiting for room in the socket */
};

static struct share *share_of(struct io_fs *f)
{
	return container_of(f, struct share, io);
}

/* Nobody serves any more: everything in flight fails, now and from now on. */
static void lose(void *opaque)
{
	struct share *s = opaque;

	s->lost = true;
	loop_fd_del(s->loop, &s->watch);
	s->first = NULL;
	s->last = &s->first;
	for (unsigned i = 0; i < IO_FS_SLOTS; i++) {
		struct io_fs_req *r = s->slot[i];

		s->slot[i] = NULL;
		if (r)
			r->done(r, 0, true);
	}
}

static unsigned fill(struct iovec *v, u8 *slot, const struct io_vec *iov, unsigned n)
{
	v[0] = (struct iovec){slot, 4};
	for (unsigned i = 0; i < n && i + 1 < PIECES_MAX; i++)
		v[i + 1] = (struct iovec){iov[i].base, iov[i].len};
	return n + 1;
}

/* 1 sent, 0 no room, negative: the other side is gone. */
static int transmit(struct share *s, struct io_fs_req *r)
{
	struct iovec v[PIECES_MAX];
	struct msghdr m = {.msg_iov = v};
	u8 slot[4];
	ssize_t n;

	store_le32(slot, r->slot);
	m.msg_iovlen = fill(v, slot, r->out, r->nout);
	do
		n = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? 1 : errno == EAGAIN ? 0 : -errno;
}

static void watch_update(struct share *s)
{
	loop_fd_mod(s->loop, &s->watch, EPOLLIN | (s->first ? (u32)EPOLLOUT : 0));
}

static void submit(struct io_fs *io, struct io_fs_req *r)
{
	struct share *s = share_of(io);
	bool answer = r->nin;
	int ret = s->lost ? -EPIPE : s->first && answer ? 0 : transmit(s, r);

	if (!answer)
		return; /* FORGET: what does not fit is forgotten at the end */
	s->slot[r->slot] = r;
	if (ret < 0) {
		loop_post(s->loop, &s->lose_work);
	} else if (!ret) {
		r->next = NULL;
		*s->last = r;
		s->last = &r->next;
		watch_update(s);
	}
}

static void send_waiting(struct share *s)
{
	while (s->first) {
		int ret = transmit(s, s->first);

		if (ret < 0) {
			lose(s);
			return;
		}
		if (!ret)
			return;
		s->first = s->first->next;
	}
	s->last = &s->first;
	watch_update(s);
}

/* False: nothing there. The slot is looked at first, then the rest goes where it belongs. */
static bool receive(struct share *s)
{
	struct iovec v[PIECES_MAX];
	struct msghdr m = {.msg_iov = v};
	struct io_fs_req *r;
	u8 slot[4];
	ssize_t n = recv(s->fd, slot, sizeof(slot), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	r = n == 4 && load_le32(slot) < IO_FS_SLOTS ? s->slot[load_le32(slot)] : NULL;
	if (!r) {
		lose(s);
		return false;
	}
	m.msg_iovlen = fill(v, slot, r->in, r->nin);
	n = recvmsg(s->fd, &m, MSG_DONTWAIT);
	if (n < 4) {
		lose(s);
		return false;
	}
	s->slot[r->slot] = NULL;
	r->done(r, (u32)n - 4, false);
	return true;
}

static void ready(void *opaque, u32 events)
{
	struct share *s = opaque;

	if (events & EPOLLOUT)
		send_waiting(s);
	for (unsigned i = 0; i < ROUNDS && !s->lost && receive(s); i++)
		;
	if (!s->lost && events & (EPOLLHUP | EPOLLERR))
		lose(s);
}

static const struct io_fs_ops share_ops = {.submit = submit};

int share_open(struct loop *l, const char *tag, int fd, struct io_fs **out, struct err *e)
{
	struct share *s = calloc(1, sizeof(*s));
	int ret;

	if (!s) {
		close(fd);
		return err_set(e, ENOMEM, "share %s: out of memory", tag);
	}
	s->io.ops = &share_ops;
	snprintf(s->io.tag, sizeof(s->io.tag), "%s", tag);
	s->loop = l;
	s->fd = fd;
	s->last = &s->first;
	s->lose_work = (struct loop_work){.fn = lose, .opaque = s};
	ret = loop_fd_add(l, &s->watch, fd, EPOLLIN, ready, s, e);
	if (ret) {
		share_close(&s->io);
		return ret;
	}
	*out = &s->io;
	return 0;
}

void share_close(struct io_fs *f)
{
	struct share *s;

	if (!f)
		return;
	s = share_of(f);
	loop_fd_del(s->loop, &s->watch);
	close(s->fd);
	free(s);
}
