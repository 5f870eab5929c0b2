/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator's own program file, which execve needs: a descriptor out of the
 * program's way that the program cannot close. One table of descriptors is
 * shared with it, so what would close this one goes around it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "foreign/calls.h"

/* Above what programs count on, below what makes the kernel's table large. */
#define SELF_FD_MAX 1023

static int move_up(int fd)
{
	struct rlimit r = {.rlim_cur = SELF_FD_MAX + 1};
	int most = SELF_FD_MAX, high;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur <= (rlim_t)most)
		most = (int)r.rlim_cur - 1;
	if (fd >= most)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, most);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* "/dev/fd/N", as execveat(2) by descriptor names what it started: ours from the program before. */
static int inherited(const char *name)
{
	int fd;

	if (sscanf(name, "/dev/fd/%d", &fd) != 1 || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -1;
	return fd;
}

/* Neither /proc nor any name of it need be there: the program may be in a root of its own. */
int self_open(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	int fd = name ? inherited(name) : -1;

	if (fd < 0)
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && name)
		fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : move_up(fd);
}

/* What `ps` shows: the program's name and arguments instead of the emulator's. */
void self_title(const struct foreign_options *o, const char *name, char **argv)
{
	const char *slash = strrchr(name, '/');
	char *copy = o->title ? calloc(1, o->title_room) : NULL;
	size_t at = 0;

	prctl(PR_SET_NAME, slash ? slash + 1 : name);
	if (!copy)
		return;
	for (unsigned i = 0; argv[i]; i++) {
		size_t n = strlen(argv[i]) + 1;

		n = n < o->title_room - at ? n : o->title_room - at;
		memcpy(copy + at, argv[i], n);
		at += n;
	}
	copy[o->title_room - 1] = 0;
	memcpy(o->title, copy, o->title_room); /* argv's strings are there */
	free(copy);
}

s64 self_exec(struct space *sp, const char **argv, char **envp)
{
	s64 ret;

	fcntl(sp->self_fd, F_SETFD, 0);
	syscall(SYS_execveat, sp->self_fd, "", argv, envp, AT_EMPTY_PATH);
	ret = -errno;
	fcntl(sp->self_fd, F_SETFD, FD_CLOEXEC);
	return ret;
}

s64 call_close(struct task *t, const u64 a[6])
{
	if ((int)a[0] == t->sp->self_fd)
		return -EBADF;
	return host_call(t, SYS_close, a[0], 0, 0, 0, 0, 0);
}

s64 call_dup3(struct task *t, const u64 a[6])
{
	struct space *sp = t->sp;
	s64 ret = 0;

	pthread_mutex_lock(&sp->lock);
	if ((int)a[1] == sp->self_fd && a[0] != a[1]) {
		int fd = fcntl(sp->self_fd, F_DUPFD_CLOEXEC, 0);

		ret = fd < 0 ? -errno : 0;
		if (!ret)
			sp->self_fd = fd;
	}
	pthread_mutex_unlock(&sp->lock);
	return ret ? ret : host_call(t, SYS_dup3, a[0], a[1], a[2], 0, 0, 0);
}

s64 call_close_range(struct task *t, const u64 a[6])
{
	u32 first = (u32)a[0], last = (u32)a[1], self = (u32)t->sp->self_fd;
	s64 ret = 0;

	if (first > last || self < first || self > last || a[2] & CLOSE_RANGE_CLOEXEC)
		return host_call(t, SYS_close_range, first, last, a[2], 0, 0, 0);
	if (self > first)
		ret = host_call(t, SYS_close_range, first, self - 1, a[2], 0, 0, 0);
	if (!ret && self < last)
		ret = host_call(t, SYS_close_range, self + 1, last, a[2], 0, 0, 0);
	return ret;
}
