/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU of a task on the run time of lifted code, in its flat mode: guest
 * addresses are host addresses, and a fault of the host is the guest's.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/jit/host/x86_64/interrupt.h"
#include "engine/jit/irrun/irrun.h"
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/lift.h"
#include "foreign/task.h"

#define CODE_CACHE MIB(32)

/* What a program on a POWER9 under a 64-bit little-endian kernel runs with. */
#define PROGRAM_MSR                                                                                \
	(PPC_MSR_SF | PPC_MSR_VEC | PPC_MSR_VSX | PPC_MSR_EE | PPC_MSR_PR | PPC_MSR_FP |           \
	 PPC_MSR_ME | PPC_MSR_IR | PPC_MSR_DR | PPC_MSR_RI | PPC_MSR_LE)

static struct space *space_of(const struct ppc_vcpu *c)
{
	return (struct space *)c->vm;
}

/* ---- what the run time asks ---- */

static int fetch(void *cpu, u64 pc, u64 *gpa, const u8 **host)
{
	struct ppc_vcpu *c = cpu;

	if (!mem_executable(space_of(c), pc))
		return ppc_raise(c, PPC_ISI, 0);
	*gpa = pc;
	*host = (const u8 *)pc;
	return 0;
}

static int leave(void *cpu, u32 reason)
{
	(void)cpu;
	(void)reason;
	return 1;
}

static unsigned mmu(u32 key)
{
	(void)key;
	return 0;
}

/* Programs say when they have written code (icbi): no page is watched. */
static const struct irrun_ops flat_ops = {
	.target = &ppc_target,
	.flat = true,
	.lift = ppc_lift,
	.fetch = fetch,
	.exit = leave,
	.mmu = mmu,
};

static struct irrun *engine_new(struct space *sp)
{
	const struct irrun_config cfg = {
		.ops = &flat_ops,
		.vm = sp,
		.cache_bytes = CODE_CACHE,
		.interpret = sp->opt.interpret,
	};
	struct irrun *r;

	return irrun_create(&r, &cfg) ? NULL : r;
}

int cpu_space_init(struct space *sp, struct err *e)
{
	sp->engine = engine_new(sp);
	return sp->engine ? 0 : err_set(e, ENOMEM, "no memory for translated code");
}

/* ---- vCPUs ---- */

struct ppc_vcpu *cpu_create(struct space *sp, const struct ppc_vcpu *from)
{
	struct ppc_vcpu *c =
		mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	if (from)
		memcpy(c, from, offsetof(struct ppc_vcpu, rt));
	c->exc.pending = false;
	c->self = c;
	c->vm = (struct ppc_vm *)sp;
	if (irrun_cpu_add(sp->engine, c)) {
		munmap(c, sizeof(*c));
		return NULL;
	}
	c->res_addr = PPC_NO_RESERVATION;
	c->msr = PROGRAM_MSR;
	c->rt.key = PPC_KEY_FLAT | PPC_KEY_ISA3;
	ppc_fpscr_write(c, from ? from->fpscr : 0);
	if (from)
		c->rt.mxcsr = from->rt.mxcsr;
	return c;
}

void cpu_destroy(struct ppc_vcpu *c)
{
	irrun_cpu_remove(space_of(c)->engine, c);
	munmap(c, sizeof(*c));
}

/* The old engine's locks may be held by threads that are not here: it is left alone. */
int cpu_after_fork(struct space *sp, struct ppc_vcpu *c)
{
	sp->engine = engine_new(sp);
	if (!sp->engine)
		return -ENOMEM;
	return irrun_cpu_add(sp->engine, c);
}

void cpu_kick(struct task *t)
{
	atomic_fetch_or(&t->cpu->rt.kick, PPC_KICK_EXIT);
}

void cpu_code_changed(struct space *sp, u64 start, u64 end)
{
	if (!sp->engine)
		return;
	for (u64 p = align_down(start, IRRUN_PAGE); p < end; p += IRRUN_PAGE)
		irrun_page_written(sp->engine, p);
}

/* ---- running ---- */

static void set_fault(struct task *t, int sig, int code, u64 addr)
{
	memset(&t->fault, 0, sizeof(t->fault));
	t->fault.si_signo = sig;
	t->fault.si_code = code;
	t->fault.si_addr = (void *)addr;
}

static int fpe_code(u64 fpscr)
{
	return fpscr & PPC_FPSCR_VX   ? FPE_FLTINV
	       : fpscr & PPC_FPSCR_OX ? FPE_FLTOVF
	       : fpscr & PPC_FPSCR_UX ? FPE_FLTUND
	       : fpscr & PPC_FPSCR_ZX ? FPE_FLTDIV
				      : FPE_FLTRES;
}

/* The interrupt as Linux turns it into a signal: arch/powerpc/kernel/traps.c, mm/fault.c. */
static enum cpu_stop exception(struct task *t)
{
	struct ppc_vcpu *c = t->cpu;
	const struct ppc_exc x = c->exc;

	c->exc.pending = false;
	switch (x.vector) {
	case PPC_SYSCALL:
		return CPU_SYSCALL;
	case PPC_PROGRAM:
		if (x.srr1 & PPC_PROGRAM_TRAP)
			set_fault(t, SIGTRAP, TRAP_BRKPT, c->nip);
		else if (x.srr1 & PPC_PROGRAM_FP)
			set_fault(t, SIGFPE, fpe_code(ppc_fpscr_read(c)), c->nip);
		else
			set_fault(t, SIGILL, x.srr1 & PPC_PROGRAM_PRIV ? ILL_PRVOPC : ILL_ILLOPC,
				  c->nip);
		break;
	case PPC_ISI:
	case PPC_ISEG:
		set_fault(t, SIGSEGV, SEGV_MAPERR, c->nip);
		break;
	case PPC_ALIGN:
		set_fault(t, SIGBUS, BUS_ADRALN, x.dar);
		break;
	case PPC_DSI:
	case PPC_DSEG:
		set_fault(t, SIGSEGV, SEGV_MAPERR, x.dar);
		break;
	default:
		set_fault(t, SIGILL, ILL_ILLOPC, c->nip);
		break;
	}
	return CPU_SIGNAL;
}

enum cpu_stop cpu_run(struct task *t)
{
	struct ppc_vcpu *c = t->cpu;

	if (sigsetjmp(t->run_guard, 0)) {
		irrun_abandon(&c->rt);
		t->running = 0;
		return CPU_SIGNAL;
	}
	if (!c->exc.pending) {
		t->running = 1;
		irrun_run(&c->rt);
		t->running = 0;
	}
	atomic_fetch_and(&c->rt.kick, (u32)IRRUN_KICK_FLUSH);
	return c->exc.pending ? exception(t) : CPU_KICKED;
}

/* In generated code the state is brought up to the faulting instruction; in the interpreter
 * and in helpers it is there already. */
bool cpu_host_fault(struct task *t, int sig, const siginfo_t *info, void *context)
{
	struct ppc_vcpu *c = t->cpu;
	u64 pc, regs[16];

	if (!t->running)
		return false;
	if (sig != SIGSEGV && sig != SIGBUS)
		return false;
	t->fault = *info;
	if (irrun_fault_pc(t->sp->engine, interrupt_pc(context), &pc)) {
		interrupt_registers(context, regs);
		irrun_signal_state(&c->rt, pc, regs);
	}
	siglongjmp(t->run_guard, 1);
}
