/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts (ISA 3.0 III chapter 6): their delivery, the ways back, MSR, and the
 * loop that runs a vCPU. The partition's view: LPCR.AIL and ILE come by H_SET_MODE,
 * every interrupt goes to the guest in HV = 0, `sc 1` is a hypercall.
 */
#include "engine/jit/ppc/system.h"

/* MSR bits that SRR1 does not take over: 33 to 36 and 42 to 47 tell of the interrupt. */
#define SRR1_INFO 0x783f0000ull
/* Bits of MSR that exist here. */
#define MSR_SUPPORTED                                                                              \
	(PPC_MSR_SF | PPC_MSR_VEC | PPC_MSR_VSX | PPC_MSR_EE | PPC_MSR_PR | PPC_MSR_FP |           \
	 PPC_MSR_ME | PPC_MSR_FE0 | PPC_MSR_SE | PPC_MSR_BE | PPC_MSR_FE1 | PPC_MSR_IR |           \
	 PPC_MSR_DR | PPC_MSR_PMM | PPC_MSR_RI | PPC_MSR_LE)

#define AIL_OFFSET_2 0x18000ull
#define AIL_OFFSET_3 0xc000000000004000ull
#define SCV_BASE 0x17000ull
#define SCV_BASE_AIL 0xc000000000003000ull

#define FSCR_IC_SHIFT 56

void ppc_kick_set(struct ppc_vcpu *c, u32 bits)
{
	atomic_fetch_or(&c->rt.kick, bits);
	c->vm->host.wake(c);
}

void ppc_mode_changed(struct ppc_vcpu *c)
{
	u32 old = c->rt.key;

	ppc_key_update(c);
	if ((old | c->rt.key) & PPC_KEY_STEP)
		c->rt.leave = 1;
}

/* The decrementer, if nobody else will say so: no look at the clock while a timer is set for it. */
static bool dec_due(struct ppc_vcpu *c)
{
	u64 armed = atomic_load(&c->sys->timer_armed);

	return !(armed && armed <= c->dec_deadline) && ppc_dec_pending(c);
}

static void msr_set(struct ppc_vcpu *c, u64 msr)
{
	msr &= MSR_SUPPORTED;
	if (msr & PPC_MSR_PR) /* ISA III 4.2.1: problem state implies these */
		msr |= PPC_MSR_EE | PPC_MSR_IR | PPC_MSR_DR;
	c->msr = msr;
	if (msr & PPC_MSR_EE && (atomic_load(&c->irq_pin) || dec_due(c)))
		ppc_kick_set(c, PPC_KICK_IRQ);
	ppc_mode_changed(c);
}

/* ---- delivery ---- */

/* Interrupts that LPCR.AIL does not move, ISA III 2.2. */
static bool fixed_vector(unsigned vector)
{
	return vector == PPC_RESET || vector == PPC_MCHECK;
}

/* MSR and address where a handler starts; alternate location if translation was on. */
static void enter_handler(struct ppc_vcpu *c, unsigned vector)
{
	u64 old = c->msr, msr = PPC_MSR_SF | (old & PPC_MSR_ME), offset = 0;
	unsigned ail = (unsigned)((c->lpcr & PPC_LPCR_AIL) >> PPC_LPCR_AIL_SHIFT);

	if (c->lpcr & PPC_LPCR_ILE)
		msr |= PPC_MSR_LE;
	if (ail >= 2 && !fixed_vector(vector) && (old & PPC_MSR_IR) && (old & PPC_MSR_DR)) {
		msr |= PPC_MSR_IR | PPC_MSR_DR;
		offset = ail == 2 ? AIL_OFFSET_2 : AIL_OFFSET_3;
	}
	c->nip = offset + vector;
	msr_set(c, msr);
}

static void interrupt(struct ppc_vcpu *c, unsigned vector, u64 srr1)
{
	bool async = vector == PPC_EXTERNAL || vector == PPC_DECR || vector == PPC_RESET;

	ppc_trace(c, (struct vcpu_trace_event){.kind = async ? VCPU_TRACE_INT : VCPU_TRACE_EXC,
					       .where = vector,
					       .value = srr1,
					       .aux = vector == PPC_DSI || vector == PPC_DSEG ||
								      vector == PPC_ALIGN
							      ? c->dar
							      : 0});
	c->srr0 = c->nip;
	c->srr1 = (c->msr & ~SRR1_INFO) | srr1;
	enter_handler(c, vector);
}

/* scv: LR and CTR instead of SRR0 and SRR1, EE and RI stay. ISA III 3.3.1. */
static void interrupt_scv(struct ppc_vcpu *c, unsigned lev)
{
	u64 keep = c->msr & (PPC_MSR_EE | PPC_MSR_RI), old = c->msr;
	bool alternate;

	c->lr = c->nip;
	c->ctr = old & ~SRR1_INFO;
	enter_handler(c, 0);
	alternate = c->nip != 0;
	c->nip = (alternate ? SCV_BASE_AIL : SCV_BASE) + lev * 0x20;
	msr_set(c, c->msr | keep);
}

/*
 * At once where nobody else is to see it first; hypercalls may sleep and end the machine, that is
 * the run loop's business.
 */
int ppc_sc(struct ppc_vcpu *c, enum ppc_vector vec, unsigned lev)
{
	if (c->rt.key & PPC_KEY_STEP || (vec == PPC_SYSCALL && lev == 1)) {
		ppc_raise(c, vec, 0);
		c->exc.lev = (u16)lev;
		return -1;
	}
	if (vec == PPC_SYSCALL)
		interrupt(c, PPC_SYSCALL, 0);
	else
		interrupt_scv(c, lev);
	return 0;
}

static void deliver_syscall(struct ppc_vcpu *c, const struct ppc_exc *x)
{
	if (x->lev != 1)
		interrupt(c, PPC_SYSCALL, 0);
	else if (c->msr & PPC_MSR_PR)
		c->gpr[3] = (u64)H_PRIVILEGE;
	else
		ppc_hcall(c);
}

void ppc_deliver(struct ppc_vcpu *c)
{
	const struct ppc_exc x = c->exc;

	c->exc.pending = false;
	switch (x.vector) {
	case PPC_SYSCALL:
		deliver_syscall(c, &x);
		return;
	case PPC_SYSCALL_VECTORED:
		interrupt_scv(c, x.lev);
		return;
	case PPC_DSI:
	case PPC_ALIGN:
		c->dsisr = x.dsisr;
		/* fall through */
	case PPC_DSEG:
		c->dar = x.dar;
		break;
	case PPC_FACILITY:
		c->fscr = (c->fscr & (BIT(FSCR_IC_SHIFT) - 1)) | (u64)x.lev << FSCR_IC_SHIFT;
		break;
	case PPC_HEAI: /* nobody emulates for this guest: what it has is not there */
		interrupt(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
		return;
	}
	interrupt(c, x.vector, x.srr1);
}

bool ppc_irq_pending(struct ppc_vcpu *c)
{
	return atomic_load(&c->irq_pin) || ppc_dec_pending(c);
}

/* System reset whatever EE says; external interrupts before the decrementer, ISA III 6.9. */
static void deliver_async(struct ppc_vcpu *c)
{
	if (atomic_exchange(&c->sys->reset_wanted, false))
		interrupt(c, PPC_RESET, 0);
	if (!(c->msr & PPC_MSR_EE) || c->dbg_step) /* a step is not to end in a handler */
		return;
	if (atomic_load(&c->irq_pin))
		interrupt(c, PPC_EXTERNAL, 0);
	else if (ppc_dec_pending(c))
		interrupt(c, PPC_DECR, 0);
}

/* ---- return and MSR ---- */

/* ISA III 4.4.1 (rfid, rfscv): without HV ME stays. */
static int return_to(struct ppc_vcpu *c, u64 nip, u64 msr)
{
	msr_set(c, (msr & ~(SRR1_INFO | PPC_MSR_ME)) | (c->msr & PPC_MSR_ME));
	if (!(c->msr & PPC_MSR_SF))
		nip = (u32)nip;
	c->nip = nip & ~3ull;
	return 0;
}

int ppc_rfid(struct ppc_vcpu *c)
{
	return return_to(c, c->srr0, c->srr1);
}

int ppc_rfscv(struct ppc_vcpu *c)
{
	return return_to(c, c->lr, c->ctr);
}

/* Hypervisor's; the lifter has refused it already. */
int ppc_hrfid(struct ppc_vcpu *c)
{
	c->nip -= 4;
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

int ppc_rfebb(struct ppc_vcpu *c, unsigned s)
{
	c->bescr = (c->bescr & ~BIT(63)) | (u64)s << 63;
	c->nip = c->ebbrr & ~3ull;
	c->rt.leave = 1;
	return 0;
}

/* ISA III 4.4.1 (mtmsr, mtmsrd): L = 1 changes EE and RI alone; HV, ME and LE never change. */
int ppc_mtmsr(struct ppc_vcpu *c, u64 val, unsigned l, bool doubleword)
{
	u64 change = PPC_MSR_EE | PPC_MSR_RI;

	if (!l)
		change = ~(PPC_MSR_HV | PPC_MSR_ME | PPC_MSR_LE);
	if (!doubleword)
		change &= 0xffffffff;
	msr_set(c, (c->msr & ~change) | (val & change));
	return 0;
}

/* ---- the run loop ---- */

int ppc_unit_exit(void *cpu, u32 reason)
{
	struct ppc_vcpu *c = cpu;

	if (c->exc.pending && c->exc.vector == PPC_TRACE && !(c->msr & (PPC_MSR_SE | PPC_MSR_BE)))
		c->exc.pending = false; /* the debugger's step, not the guest's */
	else if (c->exc.pending)
		ppc_deliver(c);
	else if (reason == IRRUN_NO_CODE) {
		/* What a bus without an answer does to a fetch. */
		c->dar = c->nip;
		interrupt(c, PPC_MCHECK, 0);
	}
	if (reason == IRRUN_BAD_UNIT)
		return -1;
	return ppc_debug_exit(c, reason);
}

static void halt_serve(struct ppc_vcpu *c)
{
	if (!atomic_exchange(&c->sys->prodded, false) && !atomic_load(&c->sys->reset_wanted) &&
	    !ppc_irq_pending(c))
		return;
	c->halted = false;
	ppc_dispatch_count(c, true);
}

void ppc_start_serve(struct ppc_vcpu *c)
{
	u64 nip = atomic_load(&c->sys->start_nip);

	if (nip == ~0ULL)
		return;
	ppc_start_state(c, nip, atomic_load(&c->sys->start_arg));
	atomic_store(&c->sys->start_nip, ~0ULL);
	atomic_store(&c->sys->stopped, false);
}

enum ppc_run_end ppc_run(struct ppc_vcpu *c)
{
	int end;

	for (;;) {
		u32 kick = atomic_fetch_and(&c->rt.kick, (u32)IRRUN_KICK_FLUSH);

		ppc_flush_serve(c);
		if (c->exc.pending)
			ppc_deliver(c);
		if (kick & PPC_KICK_EXIT)
			return PPC_RUN_KICK;
		if (kick & PPC_KICK_IRQ)
			ppc_dec_arm(c); /* the timer may have come before a moved deadline */
		if (atomic_load(&c->sys->stopped)) {
			ppc_start_serve(c);
			if (atomic_load(&c->sys->stopped))
				return PPC_RUN_STOPPED;
		}
		if (c->halted) {
			halt_serve(c);
			if (c->halted)
				return PPC_RUN_HALT;
		}
		deliver_async(c);
		end = irrun_run(&c->rt);
		if (end)
			return end < 0 ? PPC_RUN_ERROR : PPC_RUN_DEBUG;
	}
}
