/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUSHF, POPF, CLI, STI and INT n: what depends on IOPL and virtual-8086 mode
 * (SDM vol. 2; vol. 3B section 20.2). The virtual-8086 mode extensions (VME) are
 * not offered.
 */
#include "engine/jit/x86/sys.h"

static bool vm86_trapped(const struct x86_vcpu *c)
{
	return x86_vm86(c) && x86_iopl(c) < 3;
}

int sys_pushf(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v = c->rflags & ~(u64)(RF_RF | RF_VM);
	struct x86_stack s = {0};

	if (vm86_trapped(c))
		return x86_raise_err(c, X86_GP, 0);
	x86_stack_current(c, &s);
	if (x86_stack_push(c, &s, in->opsize, v | RF_FIXED))
		return -1;
	x86_stack_commit(c, &s);
	return sys_done(c, in);
}

int sys_popf(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 mask = X86_F_STATUS | RF_TF | RF_DF | RF_NT, v;
	struct x86_stack s = {0};

	if (vm86_trapped(c))
		return x86_raise_err(c, X86_GP, 0);
	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, in->opsize, &v))
		return -1;
	if (in->opsize > 2)
		mask |= RF_AC | RF_ID;
	if (c->cpl <= x86_iopl(c))
		mask |= RF_IF;
	if (!c->cpl)
		mask |= RF_IOPL;
	x86_stack_commit(c, &s);
	c->rflags = (c->rflags & ~(mask | RF_RF)) | (v & mask);
	x86_mode_update(c);
	return sys_done(c, in);
}

int sys_cli_sti(struct x86_vcpu *c, const struct x86_insn *in, bool set)
{
	if (c->cpl > x86_iopl(c) && !x86_real_mode(c))
		return x86_raise_err(c, X86_GP, 0);
	if (!set) {
		c->rflags &= ~(u64)RF_IF;
	} else if (!(c->rflags & RF_IF)) {
		c->rflags |= RF_IF;
		c->sti_shadow = true;
	}
	return sys_done(c, in);
}

int sys_int(struct x86_vcpu *c, const struct x86_insn *in, u8 vector)
{
	x86_trace(c, (struct vcpu_trace_event){
			     .kind = VCPU_TRACE_INT, .where = vector, .write = true});
	return x86_event(c, vector, EVENT_SOFT, false, 0, sys_next(c, in));
}
