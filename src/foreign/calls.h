/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that are more than the host's call of another number. Each
 * takes the six argument registers and returns the kernel's result: a negative
 * errno on failure, -INTERRUPT_RESTART if a signal came first.
 */
#ifndef HULL_FOREIGN_CALLS_H
#define HULL_FOREIGN_CALLS_H

#include <sys/syscall.h>

#include "engine/jit/host/x86_64/interrupt.h"
#include "foreign/task.h"

/* The host's call, as it is. */
static inline s64 host_call(struct task *t, s64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	return interrupt_call(&t->got, nr, a0, a1, a2, a3, a4, a5);
}

typedef s64 (*call_fn)(struct task *t, const u64 a[6]);

#define FOREIGN_CALLS 460u /* numbers below this are looked up */

/* numbers.c: what number n is; name NULL = unknown. */
struct call_entry {
	const char *name;
	s16 host;   /* the host's number, or -1 */
	u8 nargs;   /* shown by the trace */
	call_fn fn; /* NULL: host_call with the host's number */
};
const struct call_entry *call_find(u64 n);

/* calls_file.c */
s64 call_open(struct task *t, const u64 a[6]);
s64 call_openat(struct task *t, const u64 a[6]);
s64 call_openat2(struct task *t, const u64 a[6]);
s64 call_creat(struct task *t, const u64 a[6]);
s64 call_stat(struct task *t, const u64 a[6]);
s64 call_lstat(struct task *t, const u64 a[6]);
s64 call_fstat(struct task *t, const u64 a[6]);
s64 call_newfstatat(struct task *t, const u64 a[6]);
s64 call_statx(struct task *t, const u64 a[6]);
s64 call_access(struct task *t, const u64 a[6]);
s64 call_faccessat(struct task *t, const u64 a[6]);
s64 call_faccessat2(struct task *t, const u64 a[6]);
s64 call_readlink(struct task *t, const u64 a[6]);
s64 call_readlinkat(struct task *t, const u64 a[6]);
s64 call_llseek(struct task *t, const u64 a[6]);
s64 call_statfs64(struct task *t, const u64 a[6]);
s64 call_fstatfs64(struct task *t, const u64 a[6]);
s64 call_fcntl(struct task *t, const u64 a[6]);
s64 call_pipe(struct task *t, const u64 a[6]);
s64 call_pipe2(struct task *t, const u64 a[6]);
s64 call_dup2(struct task *t, const u64 a[6]);
s64 call_sync_file_range2(struct task *t, const u64 a[6]);
/* One argument moved, or a constant more: the older calls as their newer forms. */
s64 call_mkdir(struct task *t, const u64 a[6]);
s64 call_rmdir(struct task *t, const u64 a[6]);
s64 call_unlink(struct task *t, const u64 a[6]);
s64 call_link(struct task *t, const u64 a[6]);
s64 call_symlink(struct task *t, const u64 a[6]);
s64 call_rename(struct task *t, const u64 a[6]);
s64 call_chmod(struct task *t, const u64 a[6]);
s64 call_chown(struct task *t, const u64 a[6]);
s64 call_lchown(struct task *t, const u64 a[6]);
s64 call_mknod(struct task *t, const u64 a[6]);

/* calls_misc.c */
s64 call_time(struct task *t, const u64 a[6]);
s64 call_utime(struct task *t, const u64 a[6]);
s64 call_utimes(struct task *t, const u64 a[6]);
s64 call_alarm(struct task *t, const u64 a[6]);
s64 call_pause(struct task *t, const u64 a[6]);
s64 call_nice(struct task *t, const u64 a[6]);
s64 call_getpgrp(struct task *t, const u64 a[6]);
s64 call_uname(struct task *t, const u64 a[6]);
s64 call_prctl(struct task *t, const u64 a[6]);
s64 call_personality(struct task *t, const u64 a[6]);
s64 call_setrlimit(struct task *t, const u64 a[6]);
s64 call_prlimit64(struct task *t, const u64 a[6]);
s64 call_poll(struct task *t, const u64 a[6]);
s64 call_select(struct task *t, const u64 a[6]);
s64 call_epoll_create(struct task *t, const u64 a[6]);
s64 call_epoll_ctl(struct task *t, const u64 a[6]);
s64 call_epoll_wait(struct task *t, const u64 a[6]);
s64 call_epoll_pwait(struct task *t, const u64 a[6]);
s64 call_eventfd(struct task *t, const u64 a[6]);
s64 call_signalfd(struct task *t, const u64 a[6]);
s64 call_inotify_init(struct task *t, const u64 a[6]);
s64 call_send(struct task *t, const u64 a[6]);
s64 call_recv(struct task *t, const u64 a[6]);
s64 call_socketcall(struct task *t, const u64 a[6]);
s64 call_setsockopt(struct task *t, const u64 a[6]);
s64 call_getsockopt(struct task *t, const u64 a[6]);

/* self.c: what must not close the emulator's own descriptor. */
int self_open(void);
/* name: of the file that was to be run, a script's own. */
void self_title(const struct foreign_options *o, const char *name, char **argv);
/* execve of the emulator; returns only a failure. */
s64 self_exec(struct space *sp, const char **argv, char **envp);
s64 call_close(struct task *t, const u64 a[6]);
s64 call_dup3(struct task *t, const u64 a[6]);
s64 call_close_range(struct task *t, const u64 a[6]);

/* calls_ipc.c */
s64 call_ipc(struct task *t, const u64 a[6]);
s64 call_semctl(struct task *t, const u64 a[6]);
s64 call_shmctl(struct task *t, const u64 a[6]);
s64 call_msgctl(struct task *t, const u64 a[6]);
s64 call_shmat(struct task *t, const u64 a[6]);

/* calls_ioctl.c */
s64 call_ioctl(struct task *t, const u64 a[6]);

/* calls_task.c */
s64 call_brk(struct task *t, const u64 a[6]);
s64 call_mmap(struct task *t, const u64 a[6]);
s64 call_munmap(struct task *t, const u64 a[6]);
s64 call_mprotect(struct task *t, const u64 a[6]);
s64 call_mremap(struct task *t, const u64 a[6]);
s64 call_exit(struct task *t, const u64 a[6]);
s64 call_exit_group(struct task *t, const u64 a[6]);
s64 call_fork(struct task *t, const u64 a[6]);
s64 call_clone(struct task *t, const u64 a[6]);
s64 call_execve(struct task *t, const u64 a[6]);
s64 call_execveat(struct task *t, const u64 a[6]);
s64 call_set_tid_address(struct task *t, const u64 a[6]);
s64 call_rt_sigaction(struct task *t, const u64 a[6]);
s64 call_rt_sigprocmask(struct task *t, const u64 a[6]);
s64 call_rt_sigsuspend(struct task *t, const u64 a[6]);
s64 call_sigaltstack(struct task *t, const u64 a[6]);
s64 call_refuse(struct task *t, const u64 a[6]); /* -ENOSYS */

#endif
