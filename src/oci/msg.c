/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between the runtime and the processes it makes (plan.h). */
#include "oci/plan.h"

#include "host/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int send_fd(int sock, void *data, size_t len, int fd)
{
	struct iovec v = {data, len};
	union control c = {0};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *cm;

	if (fd >= 0) {
		h.msg_control = &c;
		h.msg_controllen = sizeof(c.buf);
		cm = CMSG_FIRSTHDR(&h);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int msg_send(int sock, enum msg_kind kind, int value, int fd, struct err *e)
{
	struct msg m = {.kind = (s32)kind, .value = value};

	if (send_fd(sock, &m, offsetof(struct msg, text) + 1, fd))
		return err_errno(e, "the other side of the container's start is gone");
	return 0;
}

int msg_send_text(int sock, const char *text, int fd, struct err *e)
{
	return send_fd(sock, (void *)(uintptr_t)text, strlen(text), fd) ? err_errno(e, "send") : 0;
}

void msg_send_error(int sock, const struct err *e)
{
	struct msg m = {.kind = MSG_ERROR, .value = e->status};

	memcpy(m.text, e->msg, sizeof(m.text));
	send(sock, &m, offsetof(struct msg, text) + strlen(m.text) + 1, MSG_NOSIGNAL);
}

void msg_log(int sock, int level, const char *fmt, ...)
{
	struct msg m = {.kind = MSG_LOG, .value = level};
	va_list ap;

	if (sock < 0 || level > (int)log_get_level())
		return;
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	send_fd(sock, &m, offsetof(struct msg, text) + strlen(m.text) + 1, -1);
}

static int recv_one(int sock, struct msg *m, int *fd, struct err *e)
{
	struct iovec v = {m, sizeof(*m)};
	union control c = {0};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.buf)};
	struct cmsghdr *cm;
	ssize_t n;

	*fd = -1;
	/* ECONNRESET, once, when the other end left something unread: its last words follow. */
	do
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == 0)
		return 0;
	if (n < 0)
		return err_errno(e, "read from the container's process");
	cm = CMSG_FIRSTHDR(&h);
	if (cm && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cm), sizeof(int));
	if ((size_t)n < offsetof(struct msg, text) + 1)
		return err_set(e, EPROTO, "bad message from the container's process");
	((char *)m)[n - 1] = 0;
	return 1;
}

int msg_recv(int sock, struct msg *m, int *fd, struct err *e)
{
	int ret;

	while ((ret = recv_one(sock, m, fd, e)) > 0 && m->kind == MSG_LOG) {
		fd_close(fd);
		log_at(m->value == LOG_WARN ? LOG_WARN : LOG_DEBUG, "%s", m->text);
	}
	return ret;
}
