/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls about the process itself, the dispatcher and the trace.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "foreign/calls.h"

s64 call_brk(struct task *t, const u64 a[6])
{
	return mem_brk(t, a[0]);
}

s64 call_mmap(struct task *t, const u64 a[6])
{
	return mem_mmap(t, a[0], a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
}

s64 call_munmap(struct task *t, const u64 a[6])
{
	return mem_munmap(t, a[0], a[1]);
}

s64 call_mprotect(struct task *t, const u64 a[6])
{
	return mem_mprotect(t, a[0], a[1], (int)a[2]);
}

s64 call_mremap(struct task *t, const u64 a[6])
{
	return mem_mremap(t, a[0], a[1], a[2], (int)a[3], a[4]);
}

s64 call_exit(struct task *t, const u64 a[6])
{
	task_exit(t, (int)a[0]);
}

s64 call_exit_group(struct task *t, const u64 a[6])
{
	(void)t;
	syscall(SYS_exit_group, (int)a[0]);
	return 0;
}

s64 call_fork(struct task *t, const u64 a[6])
{
	(void)a;
	return task_fork(t, SIGCHLD, 0, 0, 0);
}

/* clone(flags, stack, parent_tid, tls, child_tid), Linux kernel/fork.c without BACKWARDS */
s64 call_clone(struct task *t, const u64 a[6])
{
	if (a[0] & CLONE_VM && !(a[0] & CLONE_VFORK))
		return task_clone(t, a[0], a[1], a[2], a[3], a[4]);
	return task_fork(t, a[0], a[1], a[2], a[4]);
}

s64 call_execve(struct task *t, const u64 a[6])
{
	return task_execve(t, AT_FDCWD, a[0], a[1], a[2], 0);
}

s64 call_execveat(struct task *t, const u64 a[6])
{
	return task_execve(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}

s64 call_set_tid_address(struct task *t, const u64 a[6])
{
	t->clear_tid = a[0];
	return t->tid;
}

s64 call_rt_sigaction(struct task *t, const u64 a[6])
{
	return signal_action(t, (unsigned)a[0], a[1], a[2], a[3]);
}

s64 call_rt_sigprocmask(struct task *t, const u64 a[6])
{
	return signal_procmask(t, (int)a[0], a[1], a[2], a[3]);
}

s64 call_rt_sigsuspend(struct task *t, const u64 a[6])
{
	return signal_suspend(t, a[0], a[1]);
}

s64 call_sigaltstack(struct task *t, const u64 a[6])
{
	return signal_altstack(t, a[0], a[1]);
}

s64 call_refuse(struct task *t, const u64 a[6])
{
	(void)t;
	(void)a;
	return -ENOSYS;
}

/* ---- dispatcher ---- */

static void trace(struct task *t, const struct call_entry *e, u64 n, const u64 a[6], s64 ret)
{
	char line[256];
	int at = snprintf(line, sizeof(line), "[%d] ", t->tid);

	if (e)
		at += snprintf(line + at, sizeof(line) - (size_t)at, "%s(", e->name);
	else
		at += snprintf(line + at, sizeof(line) - (size_t)at, "%llu(",
			       (unsigned long long)n);
	for (unsigned i = 0; i < (e ? e->nargs : 6u); i++)
		at += snprintf(line + at, sizeof(line) - (size_t)at, "%s%#llx", i ? ", " : "",
			       (unsigned long long)a[i]);
	at += snprintf(line + at, sizeof(line) - (size_t)at, ") = %lld\n", (long long)ret);
	if (write(2, line, (size_t)at) < 0)
		return;
}

enum { NR_RT_SIGRETURN = 172, MAX_ERRNO = 4095, PPC_EDEADLOCK = 58 };

/* Power ABI of system calls: number in r0, arguments in r3 to r8; CR0.SO set: r3 is an errno. */
void syscall_do(struct task *t)
{
	struct ppc_vcpu *c = t->cpu;
	const u64 *a = c->gpr + 3;
	u64 n = c->gpr[0], args[6] = {a[0], a[1], a[2], a[3], a[4], a[5]};
	const struct call_entry *e = call_find(n);
	bool failed;
	s64 ret;

	if (n == NR_RT_SIGRETURN) {
		signal_return(t);
		return;
	}
	if (!e)
		ret = -ENOSYS;
	else if (e->fn)
		ret = e->fn(t, args);
	else
		ret = host_call(t, e->host, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (t->sp->opt.trace)
		trace(t, e, n, args, ret);
	if (ret == -INTERRUPT_RESTART) {
		signal_deliver(t, true);
		return;
	}
	failed = ret < 0 && ret >= -MAX_ERRNO;
	c->gpr[3] = failed ? (u64)-ret : (u64)ret;
	c->cr[3] = failed;
}
