/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run loop: events between instructions (kicks, NMI, interrupts, INIT and
 * SIPI, debug traps), then translated code or the interpreter. Freestanding, so
 * that the guest's vector state may stay in the host's registers; engine.c
 * sleeps and reports for it. Order of events: SDM vol. 3A table 6-2.
 */
#include "engine/jit/x86/sys.h"

/* Interpreted instructions between two looks at the mode. */
#define BATCH 4096u

enum look { LOOK_GO, LOOK_LEAVE };

static bool shadow(const struct x86_vcpu *c)
{
	return c->sti_shadow || c->movss_shadow;
}

static void take_init(struct x86_vcpu *c, u32 kick)
{
	if (kick & X86_KICK_INIT) {
		atomic_fetch_and(&c->kick, ~(u32)X86_KICK_INIT);
		x86_reset(c, true);
	}
	if (!(kick & X86_KICK_SIPI))
		return;
	atomic_fetch_and(&c->kick, ~(u32)X86_KICK_SIPI);
	if (!c->wait_sipi)
		return;
	c->wait_sipi = false;
	c->seg[X86_CS].sel = (u16)(c->sipi_vector << 8);
	c->seg[X86_CS].base = (u64)c->sipi_vector << 12;
	c->rip = 0;
	x86_mode_update(c);
}

static void take_nmi(struct x86_vcpu *c, u32 kick)
{
	if (kick & X86_KICK_NMI)
		atomic_fetch_and(&c->kick, ~(u32)X86_KICK_NMI);
	if (!atomic_load(&c->sys->nmi_queued) || c->nmi_masked || c->wait_sipi)
		return;
	if (shadow(c)) {
		x86_look(c);
		return;
	}
	atomic_fetch_sub(&c->sys->nmi_queued, 1);
	c->nmi_masked = true;
	x86_deliver_interrupt(c, X86_NMI);
}

static void take_irq(struct x86_vcpu *c)
{
	int vec;

	if (!atomic_load(&c->irq_pin) || !(c->rflags & RF_IF) || c->wait_sipi) {
		atomic_fetch_and(&c->kick, ~(u32)X86_KICK_IRQ);
		/* The pin may have come up meanwhile. */
		x86_irq_recheck(c);
		return;
	}
	if (shadow(c))
		return; /* the bit stays: looked at again after one instruction */
	x86_fpu_park(c);
	vec = c->bus.irq_ack(c->bus.opaque);
	if (vec >= 0)
		x86_deliver_interrupt(c, (u8)vec);
	else if (!atomic_load(&c->irq_pin))
		atomic_fetch_and(&c->kick, ~(u32)X86_KICK_IRQ);
}

static enum look look(struct x86_vcpu *c, enum x86_run *why)
{
	u32 kick = atomic_fetch_and(&c->kick, ~(u32)(X86_KICK_LOOK | X86_KICK_FLUSH));

	if (c->sys->rmw_gpa)
		x86_rmw_finish(c);
	if (kick & (X86_KICK_INIT | X86_KICK_SIPI))
		take_init(c, kick);
	if (c->shutdown) {
		*why = X86_RUN_SHUTDOWN;
		return LOOK_LEAVE;
	}
	if (kick & X86_KICK_EXIT) {
		atomic_fetch_and(&c->kick, ~(u32)X86_KICK_EXIT);
		*why = X86_RUN_KICK;
		return LOOK_LEAVE;
	}
	if (c->sys->db_bits && !c->movss_shadow) {
		/* Traps of an instruction that ran outside step(). */
		x86_raise_db(c, c->sys->db_bits);
		c->sys->db_bits = 0;
		x86_deliver_exception(c);
	}
	take_nmi(c, kick);
	if (kick & X86_KICK_IRQ)
		take_irq(c);
	return LOOK_GO;
}

/* ---- one instruction with all debug checks ---- */

/* A breakpoint of the debugger at the next instruction. */
static bool debugger_stop(struct x86_vcpu *c, u64 linear)
{
	for (unsigned i = 0; c->dbg_on && i < c->dbg.nbreaks && i < ARRAY_LEN(c->dbg.breaks); i++)
		if (c->dbg.breaks[i] == linear)
			return true;
	return false;
}

static void deliver(struct x86_vcpu *c)
{
	x86_deliver_exception(c);
	c->sys->event = true;
}

/* Traps after an instruction. MOV SS holds them back for one more. */
static void step_traps(struct x86_vcpu *c, bool tf)
{
	u64 bits = c->sys->db_bits;

	if (c->movss_shadow)
		return;
	if (tf && !c->sys->event)
		bits |= DR6_BS;
	c->sys->db_bits = 0;
	if (!bits)
		return;
	x86_raise_db(c, bits);
	deliver(c);
}

/* True: leave the run loop for the debugger. */
static bool step(struct x86_vcpu *c, bool resumed)
{
	u64 linear = c->seg_base[X86_CS] + c->rip;
	bool tf = c->rflags & RF_TF;
	u32 bits;

	if (c->code_mode != X86_MODE_64)
		linear &= 0xffffffff;
	if (!resumed && debugger_stop(c, linear)) {
		c->sys->dbg_addr = c->rip;
		return true;
	}
	c->sys->event = false;
	bits = c->rflags & RF_RF || c->movss_shadow ? 0 : x86_debug_exec(c, linear);
	c->rflags &= ~(u64)RF_RF;
	c->sti_shadow = c->movss_shadow = false;
	c->count.instructions++;
	if (bits) {
		x86_raise_db(c, bits);
		deliver(c);
	} else if (x86_interp_step(c) < 0) {
		c->sys->db_bits = 0;
		deliver(c);
	} else {
		step_traps(c, tf);
	}
	if (c->sys->dbg_hit) {
		c->sys->dbg_hit = false;
		return true;
	}
	if (c->dbg_on && c->dbg.step) {
		c->sys->dbg_addr = c->rip;
		return true;
	}
	return false;
}

/* Interpret until something wants a look; at least one instruction. */
static void interpret(struct x86_vcpu *c, unsigned max)
{
	unsigned n = 0;

	do {
		c->sti_shadow = c->movss_shadow = false;
		n++;
		if (x86_interp_step(c) < 0) {
			x86_deliver_exception(c);
			break;
		}
	} while (n < max && !atomic_load_explicit(&c->kick, memory_order_relaxed) &&
		 !(c->mode_key & X86_KEY_STEP));
	c->count.instructions += n;
}

static void translated(struct x86_vcpu *c)
{
	c->rflags &= ~(u64)RF_RF;
	jit_run(c);
	if (c->exc.pending)
		x86_deliver_exception(c);
}

enum x86_run x86_run(struct x86_vcpu *c)
{
	bool resumed = c->sys->stopped;
	enum x86_run why = X86_RUN_HALT;

	c->sys->stopped = false;
	if (c->exc.pending)
		x86_deliver_exception(c);
	for (;;) {
		if (atomic_load_explicit(&c->kick, memory_order_relaxed) &&
		    look(c, &why) == LOOK_LEAVE)
			break;
		if (c->halted || c->wait_sipi) {
			why = X86_RUN_HALT;
			break;
		}
		if (c->mode_key & X86_KEY_STEP) {
			if (step(c, resumed)) {
				c->sys->stopped = true;
				why = X86_RUN_DEBUG;
				break;
			}
			resumed = false;
		} else if (!c->vm->jit) {
			interpret(c, BATCH);
		} else if (shadow(c)) {
			interpret(c, 1);
		} else {
			translated(c);
		}
	}
	x86_fpu_park(c);
	return why;
}
