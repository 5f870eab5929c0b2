/* SPDX-License-Identifier: Apache-2.0 */
/* Tap interface back end. Contract in tap.h. */
#include "net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RX_FRAMES 64u /* at once, before other events get their turn */
#define TX_PIECES 300u

struct tap {
	struct io_net io;
	struct loop *loop;
	struct loop_fd watch;
	int fd;
	size_t held; /* bytes of a frame the device had no buffers for */
	u8 frame[IO_NET_FRAME_MAX];
};

static struct tap *tap_of(struct io_net *n)
{
	return container_of(n, struct tap, io);
}

static void tap_tx(struct io_net *n, const struct io_vec *iov, unsigned niov)
{
	struct tap *t = tap_of(n);
	struct iovec v[TX_PIECES];
	ssize_t sent;

	if (niov > TX_PIECES)
		return;
	for (unsigned i = 0; i < niov; i++)
		v[i] = (struct iovec){iov[i].base, iov[i].len};
	/* A full or downed interface drops frames; so do we. */
	sent = writev(t->fd, v, (int)niov);
	(void)sent;
}

static bool offer(struct tap *t, size_t len)
{
	t->held = 0;
	if (!t->io.receive || t->io.receive(t->io.opaque, t->frame, len))
		return true;
	t->held = len;
	return false;
}

static void ready(void *opaque, u32 events)
{
	struct tap *t = opaque;

	for (unsigned i = 0; i < RX_FRAMES && !t->held; i++) {
		ssize_t n = read(t->fd, t->frame, sizeof(t->frame));

		if (n <= 0)
			return;
		if (!offer(t, (size_t)n))
			loop_fd_mod(t->loop, &t->watch, 0);
	}
}

static void tap_rx_ready(struct io_net *n)
{
	struct tap *t = tap_of(n);

	if (t->held && offer(t, t->held))
		loop_fd_mod(t->loop, &t->watch, EPOLLIN);
}

static const struct io_net_ops tap_ops = {tap_tx, tap_rx_ready};

static int attach(int fd, const char *name, struct err *e)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	if (strlen(name) >= IFNAMSIZ)
		return err_set(e, EINVAL, "tap %s: the name is longer than %d characters", name,
			       IFNAMSIZ - 1);
	if (!if_nametoindex(name))
		return err_set(e, ENODEV,
			       "tap %s: no such interface; make it with ip tuntap add %s mode tap",
			       name, name);
	strcpy(r.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &r)) {
		if (errno == EBUSY)
			return err_set(e, EBUSY, "tap %s is in use", name);
		return err_errno(e, "tap %s", name);
	}
	return 0;
}

static u16 mtu_of(const char *name)
{
	struct ifreq r = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	u16 mtu = 1500;

	strcpy(r.ifr_name, name);
	if (s >= 0 && !ioctl(s, SIOCGIFMTU, &r) && r.ifr_mtu >= 68 && r.ifr_mtu <= 65520)
		mtu = (u16)r.ifr_mtu;
	if (s >= 0)
		close(s);
	return mtu;
}

int tap_adopt(struct loop *l, int fd, u16 mtu, const u8 mac[6], struct io_net **out, struct err *e)
{
	struct tap *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		close(fd);
		return err_set(e, ENOMEM, "tap: out of memory");
	}
	t->io.ops = &tap_ops;
	t->loop = l;
	t->fd = fd;
	err = loop_fd_add(l, &t->watch, t->fd, EPOLLIN, ready, t, e);
	if (err) {
		tap_close(&t->io);
		return err;
	}
	memcpy(t->io.mac, mac, 6);
	t->io.mtu = mtu;
	*out = &t->io;
	return 0;
}

int tap_open(struct loop *l, const char *name, const u8 mac[6], struct io_net **out, struct err *e)
{
	int err, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, "tap %s: /dev/net/tun", name);
	err = attach(fd, name, e);
	if (!err)
		return tap_adopt(l, fd, mtu_of(name), mac, out, e);
	close(fd);
	return err;
}

void tap_close(struct io_net *n)
{
	struct tap *t;

	if (!n)
		return;
	t = tap_of(n);
	loop_fd_del(t->loop, &t->watch);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}
