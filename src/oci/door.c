/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/door.h"
#include "oci/ns.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

union control {
	char buf[CMSG_SPACE(NS_COUNT * sizeof(int))];
	struct cmsghdr align;
};

/* By way of the descriptor: a state directory's name may be longer than sun_path. */
static struct sockaddr_un address(int dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" DOOR_NAME, dir);
	return a;
}

int door_make(int dir, struct err *e)
{
	struct sockaddr_un a = address(dir);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    fchmodat(dir, DOOR_NAME, 0600, 0) == 0 && listen(fd, 8) == 0)
		return fd;
	err_errno(e, "make the socket for exec before the start");
	fd_close(&fd);
	return -EIO;
}

int door_hold(struct oci_plan *p, struct err *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NS_COUNT; i++) {
		char path[32];

		if (!(p->config->ns_flags & ns_order[i]))
			continue;
		snprintf(path, sizeof(path), "self/ns/%s", ns_name(ns_order[i]));
		p->held[n] = openat(p->proc, path, O_RDONLY | O_CLOEXEC);
		if (p->held[n++] < 0)
			return err_errno(e, "open /proc/%s", path);
	}
	return 0;
}

static void answer(const struct oci_plan *p, int sock)
{
	struct iovec v = {"", 1};
	union control c = {0};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c};
	struct cmsghdr *cm;
	size_t n = 0;

	while (n < NS_COUNT && p->held[n] >= 0)
		n++;
	h.msg_controllen = CMSG_SPACE(n * sizeof(int));
	cm = CMSG_FIRSTHDR(&h);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cm), p->held, n * sizeof(int));
	sendmsg(sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void door_serve(const struct oci_plan *p)
{
	struct pollfd f[2] = {{p->start, POLLIN, 0}, {p->door, POLLIN, 0}};

	for (;;) {
		int sock;

		if (poll(f, 2, -1) < 0 && errno != EINTR)
			return;
		if (f[0].revents)
			return;
		sock = f[1].revents ? accept4(p->door, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (sock >= 0)
			answer(p, sock);
		fd_close(&sock);
	}
}

bool door_ask(int dir, int held[NS_COUNT])
{
	struct sockaddr_un a = address(dir);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char byte;
	struct iovec v = {&byte, 1};
	union control c = {0};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.buf)};
	struct cmsghdr *cm = NULL;

	for (unsigned i = 0; i < NS_COUNT; i++)
		held[i] = -1;
	if (sock >= 0 && connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    recvmsg(sock, &h, MSG_CMSG_CLOEXEC) == 1)
		cm = CMSG_FIRSTHDR(&h);
	fd_close(&sock);
	if (!cm || cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
		return false;
	memcpy(held, CMSG_DATA(cm), cm->cmsg_len - CMSG_LEN(0));
	return true;
}
