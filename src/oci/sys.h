/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls glibc 2.36 has no wrapper for, and small helpers on descriptors.
 * Used by all of src/oci.
 */
#ifndef HULL_OCI_SYS_H
#define HULL_OCI_SYS_H

#include "host/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int sys_openat2(int dir, const char *path, u64 flags, u64 mode, u64 resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/*
 * fork with clone3(2)'s flags. *pidfd may be NULL; into_cgroup -1: none. The
 * child returns 0 and has the caller's memory as a copy.
 */
static inline pid_t sys_clone3(u64 flags, int *pidfd, int into_cgroup)
{
	struct clone_args a = {
		.flags = flags | (pidfd ? CLONE_PIDFD : 0) |
			 (into_cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (u64)(uintptr_t)pidfd,
		/* With CLONE_PARENT the signal is the first child's and must not be given. */
		.exit_signal = flags & CLONE_PARENT ? 0 : 17, /* SIGCHLD */
		.cgroup = into_cgroup >= 0 ? (u64)into_cgroup : 0,
	};

	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

static inline int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_send_signal(int fd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

/* Closes *fd if it is open, leaves -1. errno stays. */
static inline void fd_close(int *fd)
{
	int keep = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = keep;
}

/* Writes text in one write(2): 0 or -errno with errno set. */
int fd_write_text(int dir, const char *path, const char *text);
/* Reads a small file whole, NUL-terminated, its last newline removed. Length or -errno. */
ssize_t fd_read_text(int dir, const char *path, char *out, size_t size);
/* Everything of an open file, malloc'ed and NUL-terminated; NULL with errno. */
char *fd_read_all(int fd, size_t max, size_t *len);

/* The host's /proc as a directory fd, checked to be the root of a procfs. */
int proc_open(struct err *e);
/* A file of the calling process below it, e.g. "attr/exec": never through another mount. */
int proc_self_write(int proc, const char *file, const char *text, struct err *e);
int proc_write(int proc, const char *file, const char *text, struct err *e);

#endif
