/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One foreign process (struct space) and its threads (struct task), each a host
 * thread with a vCPU of its own. Private to foreign/.
 *
 * A task is touched by its own thread only, but for what the host's signal
 * handlers of that thread write (`got`). A space is shared; its lock guards what
 * is named below it.
 */
#ifndef HULL_FOREIGN_TASK_H
#define HULL_FOREIGN_TASK_H

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "engine/jit/ppc/cpu.h"
#include "foreign/foreign.h"

#define FOREIGN_PAGE 4096ULL
#define FOREIGN_NSIG 64u	/* asm/signal.h _NSIG */
#define FOREIGN_EXEC_MAX 65536u /* ranges of executable memory, room for them */

/* struct sigaction of the kernel's ABI; the same on both sides. */
struct foreign_action {
	u64 handler, flags, restorer, mask;
};

struct foreign_stack { /* stack_t */
	u64 sp;
	s32 flags, pad;
	u64 size;
};

/* Executable address ranges, sorted, not touching each other. */
struct exec_map {
	struct exec_range {
		u64 start, end;
	} * range;
	unsigned n, room;
};

struct space {
	struct foreign_options opt;
	char exe[PATH_MAX]; /* the program's own path, for /proc/self/exe */
	int self_fd;	    /* the emulator's program file, for execve */
	u64 brk_start, trampoline;
	void *engine; /* cpu.c's */
	pthread_mutex_t lock;
	/* under the lock */
	u64 brk, brk_mapped;
	struct exec_map exec;
	struct foreign_action action[FOREIGN_NSIG + 1];
	unsigned ntasks;
};

/* Why a CPU stopped. */
enum cpu_stop {
	CPU_SYSCALL,
	CPU_KICKED,
	CPU_SIGNAL, /* an exception that is a signal: task.fault_* says which */
};

struct task {
	struct ppc_vcpu *cpu;
	struct space *sp;
	int tid;
	u64 clear_tid;
	u64 mask; /* blocked signals, bit n-1 */
	bool mask_saved;
	u64 saved_mask; /* rt_sigsuspend: restored after the handler */
	struct foreign_stack alt;
	/* A signal the host delivered, not yet passed on; all others are blocked meanwhile. */
	volatile sig_atomic_t got;
	siginfo_t got_info;
	/* CPU_SIGNAL: a siginfo as the kernel would make it. */
	siginfo_t fault;
	/* Where to go when guest memory that the emulator itself touches is not there. */
	sigjmp_buf guard;
	volatile sig_atomic_t guarded;
	sigjmp_buf run_guard; /* the same for the interpreter's accesses */
	volatile sig_atomic_t running;
};

/* The calling thread's task; for signal handlers. */
struct task *task_current(void);
void task_set_current(struct task *t);

/* ---- cpu.c: the vCPU ---- */

int cpu_space_init(struct space *sp, struct err *e);
/* A vCPU for a new task: registers zero, or those of `from`. NULL = no memory. */
struct ppc_vcpu *cpu_create(struct space *sp, const struct ppc_vcpu *from);
void cpu_destroy(struct ppc_vcpu *c);
/* In the only thread of a child after fork: nothing translated is shared with the parent. */
int cpu_after_fork(struct space *sp, struct ppc_vcpu *c);
enum cpu_stop cpu_run(struct task *t);
/* Makes cpu_run return soon; for signal handlers of the task's thread. */
void cpu_kick(struct task *t);
/* Code in [start, end) may have changed. */
void cpu_code_changed(struct space *sp, u64 start, u64 end);
/* A host fault of the thread: true if it was the guest's and the context now leaves cpu_run. */
bool cpu_host_fault(struct task *t, int sig, const siginfo_t *info, void *context);

/* ---- mem.c ---- */

/* Copy from and to guest memory: 0 or -EFAULT. */
int mem_read(struct task *t, void *dst, u64 src, u64 len);
int mem_write(struct task *t, u64 dst, const void *src, u64 len);
/* Length of a string in guest memory without its end, or -EFAULT, -ENAMETOOLONG (max). */
s64 mem_strlen(struct task *t, u64 s, u64 max);

s64 mem_mmap(struct task *t, u64 addr, u64 len, int prot, int flags, int fd, u64 off);
s64 mem_munmap(struct task *t, u64 addr, u64 len);
s64 mem_mprotect(struct task *t, u64 addr, u64 len, int prot);
s64 mem_mremap(struct task *t, u64 old, u64 old_len, u64 len, int flags, u64 to);
s64 mem_brk(struct task *t, u64 to);
/* May code be fetched from there? Any thread. */
bool mem_executable(struct space *sp, u64 addr);
/* Is the whole range executable from now on, or not; under no lock. 0 or -ENOMEM. */
int mem_set_exec(struct space *sp, u64 start, u64 end, bool on);

/* ---- elf.c, stack.c ---- */

struct image {
	u64 entry, base, phdr, end; /* base: of a position-independent program or interpreter */
	u64 interp_base, start;	    /* start: where to begin, the interpreter's entry if any */
	unsigned phnum;
};

int elf_load(struct space *sp, const char *path, struct image *im, struct err *e);
/* A file name as seen through the sysroot: `path` itself or what is put into buf. */
const char *sysroot_path(const struct space *sp, const char *path, char buf[PATH_MAX]);
/* Builds the first stack; returns the stack pointer or 0. */
u64 stack_build(struct space *sp, const struct image *im, char **argv, char **envp, struct err *e);

/* ---- signal.c, frame.c ---- */

int signal_init(struct space *sp, struct err *e);
/* Deliver what is waiting, if any. `restart`: a system call was interrupted at nip - 4. */
void signal_deliver(struct task *t, bool restart);
/* Deliver a synchronous signal; ends the process if it cannot be. */
void signal_force(struct task *t, const siginfo_t *info);
/* The host's mask follows the guest's. */
void signal_mask_apply(struct task *t);
s64 signal_action(struct task *t, unsigned sig, u64 act, u64 old, u64 setsize);
s64 signal_procmask(struct task *t, int how, u64 set, u64 old, u64 setsize);
s64 signal_altstack(struct task *t, u64 ss, u64 old);
s64 signal_suspend(struct task *t, u64 set, u64 setsize);
s64 signal_return(struct task *t);
/* frame.c: push a frame for the handler; -EFAULT if the stack is not there. */
int frame_push(struct task *t, const struct foreign_action *a, const siginfo_t *info);
int frame_pop(struct task *t);

/* ---- calls*.c ---- */

/* One system call as the registers say; afterwards they hold the result. */
void syscall_do(struct task *t);

/* task.c: the thread's life. Never returns. */
void task_loop(struct task *t) __attribute__((noreturn));
s64 task_clone(struct task *t, u64 flags, u64 stack, u64 ptid, u64 tls, u64 ctid);
s64 task_fork(struct task *t, u64 flags, u64 stack, u64 ptid, u64 ctid);
void task_exit(struct task *t, int status) __attribute__((noreturn));
/* exec.c: while argv[0] is a script, its interpreter and the script as an argument instead. */
void exec_script(struct space *sp, char ***argv);
s64 task_execve(struct task *t, int dirfd, u64 path, u64 argv, u64 envp, int flags);

#endif
