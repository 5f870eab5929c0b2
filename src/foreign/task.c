/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads and processes: the run loop of a task, clone, fork, execve, exit, and
 * foreign_run, which makes the first task.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "foreign/calls.h"

#define HOST_STACK KIB(256)
#define SIGNAL_STACK KIB(64)

static _Thread_local struct task *current;

struct task *task_current(void)
{
	return current;
}

void task_set_current(struct task *t)
{
	current = t;
}

/* Host signal handlers run on a stack of their own: the guest's may be anywhere. */
static void signal_stack(void)
{
	void *p = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	stack_t ss = {.ss_sp = p, .ss_size = SIGNAL_STACK};

	if (p != MAP_FAILED)
		sigaltstack(&ss, NULL);
}

/* ---- running ---- */

void task_loop(struct task *t)
{
	task_set_current(t);
	signal_stack();
	signal_mask_apply(t);
	for (;;) {
		switch (cpu_run(t)) {
		case CPU_SYSCALL:
			syscall_do(t);
			break;
		case CPU_SIGNAL:
			signal_force(t, &t->fault);
			break;
		case CPU_KICKED:
			break;
		}
		if (t->got)
			signal_deliver(t, false);
	}
}

static struct task *task_new(struct space *sp, const struct task *from)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sp = sp;
	t->cpu = cpu_create(sp, from ? from->cpu : NULL);
	if (!t->cpu) {
		free(t);
		return NULL;
	}
	t->mask = from ? from->mask : 0;
	return t;
}

static void futex_wake_all(u64 addr)
{
	syscall(SYS_futex, addr, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void task_exit(struct task *t, int status)
{
	struct space *sp = t->sp;
	bool last;

	pthread_mutex_lock(&sp->lock);
	last = --sp->ntasks == 0;
	pthread_mutex_unlock(&sp->lock);
	if (last)
		syscall(SYS_exit_group, status);
	if (t->clear_tid) {
		u32 zero = 0;

		if (!mem_write(t, t->clear_tid, &zero, 4))
			futex_wake_all(t->clear_tid);
	}
	task_set_current(NULL);
	cpu_destroy(t->cpu);
	free(t);
	pthread_exit(NULL);
}

/* ---- new ones ---- */

struct start {
	struct task *t;
	u64 flags, ptid, ctid;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int tid;
};

static void *thread_main(void *arg)
{
	struct start *s = arg;
	struct task *t = s->t;
	u32 tid = (u32)gettid();

	t->tid = (int)tid;
	task_set_current(t);
	if (s->flags & CLONE_PARENT_SETTID)
		mem_write(t, s->ptid, &tid, 4);
	if (s->flags & CLONE_CHILD_SETTID)
		mem_write(t, s->ctid, &tid, 4);
	if (s->flags & CLONE_CHILD_CLEARTID)
		t->clear_tid = s->ctid;
	pthread_mutex_lock(&s->lock);
	s->tid = (int)tid;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
	task_loop(t);
}

static void child_registers(struct task *t, u64 flags, u64 stack, u64 tls)
{
	t->cpu->gpr[3] = 0;
	t->cpu->cr[3] = 0;
	if (stack)
		t->cpu->gpr[1] = stack;
	if (flags & CLONE_SETTLS)
		t->cpu->gpr[13] = tls;
}

static int start_thread(struct start *s)
{
	pthread_attr_t attr;
	pthread_t th;
	sigset_t all, was;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, HOST_STACK);
	sigfillset(&all); /* until it has its task */
	pthread_sigmask(SIG_SETMASK, &all, &was);
	ret = pthread_create(&th, &attr, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	pthread_attr_destroy(&attr);
	return ret;
}

s64 task_clone(struct task *t, u64 flags, u64 stack, u64 ptid, u64 tls, u64 ctid)
{
	const u64 need = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	struct start s = {.flags = flags, .ptid = ptid, .ctid = ctid, .tid = 0};
	struct space *sp = t->sp;

	if ((flags & need) != need)
		return -EINVAL;
	s.t = task_new(sp, t);
	if (!s.t)
		return -ENOMEM;
	child_registers(s.t, flags, stack, tls);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.cond, NULL);
	pthread_mutex_lock(&sp->lock);
	sp->ntasks++;
	pthread_mutex_unlock(&sp->lock);
	pthread_mutex_lock(&s.lock);
	if (start_thread(&s)) {
		pthread_mutex_unlock(&s.lock);
		pthread_mutex_lock(&sp->lock);
		sp->ntasks--;
		pthread_mutex_unlock(&sp->lock);
		cpu_destroy(s.t->cpu);
		free(s.t);
		return -EAGAIN;
	}
	while (!s.tid)
		pthread_cond_wait(&s.cond, &s.lock);
	pthread_mutex_unlock(&s.lock);
	return s.tid;
}

/*
 * fork, and vfork too, whose child then does not share its parent's memory: it is
 * there to call execve.
 */
s64 task_fork(struct task *t, u64 flags, u64 stack, u64 ptid, u64 ctid)
{
	struct space *sp = t->sp;
	sigset_t all, was;
	u32 tid;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	pthread_mutex_lock(&sp->lock);
	pid = fork();
	if (pid) {
		int e = errno;

		pthread_mutex_unlock(&sp->lock);
		pthread_sigmask(SIG_SETMASK, &was, NULL);
		if (pid < 0)
			return -e;
		tid = (u32)pid;
		if (flags & CLONE_PARENT_SETTID)
			mem_write(t, ptid, &tid, 4);
		return pid;
	}
	pthread_mutex_init(&sp->lock, NULL);
	sp->ntasks = 1;
	t->tid = (int)gettid();
	tid = (u32)t->tid;
	t->got = 0;
	if (cpu_after_fork(sp, t->cpu))
		_exit(127);
	if (flags & CLONE_CHILD_SETTID)
		mem_write(t, ctid, &tid, 4);
	t->clear_tid = flags & CLONE_CHILD_CLEARTID ? ctid : 0;
	child_registers(t, flags & ~(u64)CLONE_SETTLS, stack, 0);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return 0;
}

/* ---- the first one ---- */

static void find_exe(struct space *sp, const char *path)
{
	char *p = realpath(path, NULL);

	snprintf(sp->exe, sizeof(sp->exe), "%s", p ? p : path);
	free(p);
}

static int load(struct space *sp, struct task *t, char **argv, char **envp, struct err *e)
{
	struct image im = {0};
	char buf[PATH_MAX];
	const char *name = argv[0];
	int ret;

	exec_script(sp, &argv);
	ret = elf_load(sp, sysroot_path(sp, argv[0], buf), &im, e);
	if (ret)
		return ret;
	find_exe(sp, sysroot_path(sp, argv[0], buf));
	sp->brk = sp->brk_start = sp->brk_mapped = im.end;
	if (sp->opt.argv0)
		argv[0] = (char *)sp->opt.argv0;
	t->cpu->gpr[1] = stack_build(sp, &im, argv, envp, e);
	if (!t->cpu->gpr[1])
		return -e->status;
	self_title(&sp->opt, name, argv);
	t->cpu->nip = im.start;
	t->cpu->gpr[12] = im.start;
	return 0;
}

/* The first task of the space, its program loaded; NULL: e says why. */
static struct task *first_task(struct space *sp, char **argv, char **envp, struct err *e)
{
	struct task *t = task_new(sp, NULL);
	u64 mask = 0;

	if (!t) {
		err_set(e, ENOMEM, "no memory for a CPU");
		return NULL;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, 8);
	t->mask = mask;
	t->tid = (int)gettid();
	if (!load(sp, t, argv, envp, e))
		return t;
	cpu_destroy(t->cpu);
	free(t);
	return NULL;
}

int foreign_run(const struct foreign_options *o, char **argv, char **envp, struct err *e)
{
	struct space *sp = calloc(1, sizeof(*sp));
	struct task *t;

	if (!sp)
		return err_set(e, ENOMEM, "no memory");
	sp->opt = *o;
	sp->ntasks = 1;
	pthread_mutex_init(&sp->lock, NULL);
	sp->self_fd = self_open();
	if (cpu_space_init(sp, e) || !(t = first_task(sp, argv, envp, e))) {
		free(sp);
		return -e->status;
	}
	task_set_current(t);
	if (signal_init(sp, e))
		return -e->status;
	task_loop(t);
}
