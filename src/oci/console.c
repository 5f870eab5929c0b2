/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/console.h"
#include "oci/root.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>

/* The container could have put anything at that name; only a real pty multiplexer is used. */
static int open_ptmx(int root, struct err *e)
{
	int fd = root_open(root, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0)
		fd = root_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (fd < 0)
		return err_errno(e, "open the container's /dev/ptmx");
	/* 5:2 is the multiplexer, both as a node and inside devpts (devices.txt). */
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2))
		return fd;
	close(fd);
	return err_set(e, ENODEV, "the container's /dev/ptmx is not a pty multiplexer");
}

int console_open(int root, const struct oci_process *process, bool plain, int *master,
		 struct err *e)
{
	struct termios tio;

	struct winsize ws = {.ws_row = process->rows, .ws_col = process->cols};
	struct statfs fs;
	int fd = open_ptmx(root, e), slave, zero = 0;

	*master = -1;
	if (fd < 0)
		return fd;
	if (ioctl(fd, TIOCSPTLCK, &zero) ||
	    (slave = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		err_errno(e, "open the terminal's slave");
		close(fd);
		return -EIO;
	}
	if (fstatfs(slave, &fs) || fs.f_type != DEVPTS_SUPER_MAGIC) {
		close(slave);
		close(fd);
		return err_set(e, ENODEV, "the terminal's slave is not on devpts");
	}
	if (plain && tcgetattr(slave, &tio) == 0) {
		tio.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(slave, TCSANOW, &tio);
	}
	if ((ws.ws_row || ws.ws_col) && ioctl(fd, TIOCSWINSZ, &ws)) {
		err_errno(e, "set the terminal's size");
		close(slave);
		close(fd);
		return -EIO;
	}
	/* The program's user may not be the one who opened it; in a pty group 5 stays. */
	if (process->uid && fchown(slave, process->uid, (gid_t)-1) && errno != EPERM &&
	    errno != EINVAL) {
		err_errno(e, "give the terminal to user %u", process->uid);
		close(slave);
		close(fd);
		return -EIO;
	}
	*master = fd;
	return slave;
}

int console_send(int socket, int master, struct err *e)
{
	char name[32] = "/dev/pts/0";
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = {0};
	struct iovec v = {name, 0};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
	unsigned n = 0;

	if (ioctl(master, TIOCGPTN, &n) == 0)
		snprintf(name, sizeof(name), "/dev/pts/%u", n);
	v.iov_len = strlen(name);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &master, sizeof(int));
	if (sendmsg(socket, &h, MSG_NOSIGNAL) < 0)
		return err_errno(e, "send the terminal to the console socket");
	return 0;
}

int console_adopt(int slave, struct err *e)
{
	if (ioctl(slave, TIOCSCTTY, 0))
		return err_errno(e, "make the terminal the controlling one");
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return err_errno(e, "dup2");
	if (slave > 2)
		close(slave);
	return 0;
}

int console_connect(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "socket %s: the path is too long", path);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		err_errno(e, "connect to socket %s", path);
		fd_close(&fd);
		return -ECONNREFUSED;
	}
	return fd;
}
