/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals. A signal for which the program has a handler is caught by ours, which
 * keeps its siginfo, blocks all others and stops the vCPU; between two guest
 * instructions the handler's frame is pushed and the mask becomes the guest's
 * again. So one signal is under way at a time and the kernel queues the rest.
 * Ignored and default signals are the host kernel's business. Numbers, sets and
 * siginfo are alike on both sides.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/jit/host/x86_64/interrupt.h"
#include "foreign/task.h"

/* Raised by instructions; never blocked on the host, never left to the default there. */
#define SYNC_SIGNALS                                                                               \
	(BIT(SIGSEGV - 1) | BIT(SIGBUS - 1) | BIT(SIGILL - 1) | BIT(SIGFPE - 1) | BIT(SIGTRAP - 1))
#define UNBLOCKABLE (BIT(SIGKILL - 1) | BIT(SIGSTOP - 1))

/* li r0,172 (rt_sigreturn); sc */
static const u32 trampoline[2] = {0x380000ac, 0x44000002};

static bool is_sync(int sig)
{
	return sig > 0 && sig <= (int)FOREIGN_NSIG && SYNC_SIGNALS >> (sig - 1) & 1;
}

/* ---- on the host's side ---- */

static void host_mask(u64 mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

void signal_mask_apply(struct task *t)
{
	host_mask(t->got ? ~SYNC_SIGNALS : t->mask & ~SYNC_SIGNALS);
}

static void keep(struct task *t, const siginfo_t *info, ucontext_t *uc)
{
	t->got_info = *info;
	t->got = 1;
	sigfillset(&uc->uc_sigmask);
	for (int s = 1; s < 32; s++)
		if (is_sync(s))
			sigdelset(&uc->uc_sigmask, s);
	interrupt_rewind(uc);
	cpu_kick(t);
}

/* Back to what the signal does by itself, and once more. */
static void die_of(int sig)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	sigaction(sig, &sa, NULL);
	host_mask(0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig);
	_exit(128 + sig);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	struct task *t = task_current();

	if (!t)
		die_of(sig);
	if (is_sync(sig) && info->si_code > 0) {
		if (t->guarded)
			siglongjmp(t->guard, 1);
		if (cpu_host_fault(t, sig, info, context))
			return;
		die_of(sig); /* ours */
	}
	keep(t, info, context);
}

static void host_action(unsigned sig, u64 handler, u64 flags)
{
	bool ours = handler != (u64)SIG_DFL && handler != (u64)SIG_IGN;
	u64 hf = SA_SIGINFO | SA_ONSTACK | SA_RESTART | (flags & (SA_NOCLDSTOP | SA_NOCLDWAIT));

	if (is_sync((int)sig))
		interrupt_action(sig, (u64)on_signal, hf | SA_NODEFER, 0);
	else
		interrupt_action(sig, ours ? (u64)on_signal : handler, hf, ~SYNC_SIGNALS);
}

int signal_init(struct space *sp, struct err *e)
{
	void *p = mmap(NULL, FOREIGN_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		return err_errno(e, "memory");
	memcpy(p, trampoline, sizeof(trampoline));
	mprotect(p, FOREIGN_PAGE, PROT_READ);
	sp->trampoline = (u64)p;
	if (mem_set_exec(sp, (u64)p, (u64)p + FOREIGN_PAGE, true))
		return err_set(e, ENOMEM, "no memory");
	for (unsigned s = 1; s < 32; s++) {
		struct sigaction was;

		sigaction((int)s, NULL, &was);
		if (was.sa_handler == SIG_IGN)
			sp->action[s].handler = (u64)SIG_IGN;
		if (is_sync((int)s))
			host_action(s, (u64)SIG_DFL, 0);
	}
	return 0;
}

/* ---- delivery ---- */

static void run_handler(struct task *t, struct foreign_action *a, const siginfo_t *info)
{
	int sig = info->si_signo;

	if (frame_push(t, a, info)) {
		if (sig == SIGSEGV)
			die_of(SIGSEGV);
		signal_force(t, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
		return;
	}
	t->mask |= a->mask;
	if (!(a->flags & SA_NODEFER))
		t->mask |= BIT(sig - 1);
	t->mask &= ~UNBLOCKABLE;
}

static struct foreign_action take_action(struct space *sp, int sig)
{
	struct foreign_action a;

	pthread_mutex_lock(&sp->lock);
	a = sp->action[sig];
	if (a.flags & SA_RESETHAND && a.handler != (u64)SIG_IGN && a.handler != (u64)SIG_DFL) {
		sp->action[sig].handler = (u64)SIG_DFL;
		host_action((unsigned)sig, (u64)SIG_DFL, 0);
	}
	pthread_mutex_unlock(&sp->lock);
	return a;
}

void signal_force(struct task *t, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct foreign_action a = take_action(t->sp, sig);

	if (a.handler == (u64)SIG_DFL || a.handler == (u64)SIG_IGN || t->mask >> (sig - 1) & 1)
		die_of(sig);
	run_handler(t, &a, info);
	signal_mask_apply(t);
}

/* The interrupted call's number is still in r0, its first argument in `orig`. */
static void restart_or_not(struct task *t, bool again)
{
	if (again) {
		t->cpu->nip -= 4;
		return;
	}
	t->cpu->gpr[3] = EINTR;
	t->cpu->cr[3] = 1;
}

void signal_deliver(struct task *t, bool restart)
{
	struct foreign_action a;
	siginfo_t info;

	if (!t->got) {
		if (restart)
			restart_or_not(t, true);
		return;
	}
	info = t->got_info;
	a = take_action(t->sp, info.si_signo);
	if (a.handler == (u64)SIG_IGN || a.handler == (u64)SIG_DFL) {
		if (restart)
			restart_or_not(t, true);
		t->got = 0;
		if (a.handler == (u64)SIG_DFL && is_sync(info.si_signo))
			die_of(info.si_signo); /* sent by kill */
	} else {
		if (restart)
			restart_or_not(t, a.flags & SA_RESTART);
		t->got = 0;
		run_handler(t, &a, &info);
	}
	if (t->mask_saved) {
		t->mask = t->saved_mask;
		t->mask_saved = false;
	}
	signal_mask_apply(t);
}

/* ---- system calls ---- */

s64 signal_action(struct task *t, unsigned sig, u64 act, u64 old, u64 setsize)
{
	struct space *sp = t->sp;
	struct foreign_action a, was;

	if (setsize != 8 || !sig || sig > FOREIGN_NSIG)
		return -EINVAL;
	if (act && mem_read(t, &a, act, sizeof(a)))
		return -EFAULT;
	if (act && UNBLOCKABLE >> (sig - 1) & 1)
		return -EINVAL;
	pthread_mutex_lock(&sp->lock);
	was = sp->action[sig];
	if (act) {
		a.mask &= ~UNBLOCKABLE;
		sp->action[sig] = a;
		host_action(sig, a.handler, a.flags);
	}
	pthread_mutex_unlock(&sp->lock);
	if (old && mem_write(t, old, &was, sizeof(was)))
		return -EFAULT;
	return 0;
}

s64 signal_procmask(struct task *t, int how, u64 set, u64 old, u64 setsize)
{
	u64 was = t->mask, m = 0;

	if (setsize != 8)
		return -EINVAL;
	if (set) {
		if (mem_read(t, &m, set, 8))
			return -EFAULT;
		if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
			return -EINVAL;
		t->mask = (how == SIG_BLOCK	? was | m
			   : how == SIG_UNBLOCK ? was & ~m
						: m) &
			  ~UNBLOCKABLE;
		signal_mask_apply(t);
	}
	return old && mem_write(t, old, &was, 8) ? -EFAULT : 0;
}

s64 signal_altstack(struct task *t, u64 ss, u64 old)
{
	struct foreign_stack was = t->alt, s;
	bool on = t->cpu->gpr[1] - was.sp < was.size;

	if (ss) {
		if (mem_read(t, &s, ss, sizeof(s)))
			return -EFAULT;
		if (on)
			return -EPERM;
		if (s.flags & ~(SS_DISABLE | SS_ONSTACK))
			return -EINVAL;
		if (s.flags & SS_DISABLE)
			s = (struct foreign_stack){.flags = SS_DISABLE};
		else if (s.size < 4096)
			return -ENOMEM;
		t->alt = s;
	}
	was.flags = !was.size ? SS_DISABLE : on ? SS_ONSTACK : 0;
	return old && mem_write(t, old, &was, sizeof(was)) ? -EFAULT : 0;
}

s64 signal_suspend(struct task *t, u64 set, u64 setsize)
{
	u64 m;

	if (setsize != 8)
		return -EINVAL;
	if (mem_read(t, &m, set, 8))
		return -EFAULT;
	t->saved_mask = t->mask;
	t->mask_saved = true;
	t->mask = m & ~UNBLOCKABLE;
	signal_mask_apply(t);
	interrupt_call(&t->got, SYS_ppoll, 0, 0, 0, 0, 0, 0);
	return -EINTR;
}

s64 signal_return(struct task *t)
{
	if (frame_pop(t))
		signal_force(t, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
	t->mask &= ~UNBLOCKABLE;
	signal_mask_apply(t);
	return 0;
}
