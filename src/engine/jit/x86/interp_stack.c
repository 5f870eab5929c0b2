/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: push, pop, pusha, popa, enter, leave. RSP changes only when all
 * memory accesses of the instruction have succeeded.
 */
#include "engine/jit/x86/interp.h"

static int exec_push(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	u64 v;

	if (opnd_read(c, in, 0, &v) < 0 || interp_push(c, v & mask_bytes(n), n) < 0)
		return -1;
	return interp_next(c, in);
}

static int exec_push_imm(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;

	if (interp_push(c, (u64)in->imm & mask_bytes(n), n) < 0)
		return -1;
	return interp_next(c, in);
}

/* The selector, zero-extended to the operand size. */
static int exec_push_seg(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned seg = in->opcode >> 3 & 7;

	if (in->map == X86_MAP_0F)
		seg = in->opcode == 0xa0 ? X86_FS : X86_GS;
	if (interp_push(c, c->seg[seg].sel, in->opsize) < 0)
		return -1;
	return interp_next(c, in);
}

static int exec_pop_reg(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	u64 v;

	if (interp_peek(c, &v, n) < 0)
		return -1;
	stack_set(c, stack_get(c) + n);
	gpr_set(c, in->opnd[0].reg, n, false, v); /* POP RSP: the value wins */
	return interp_next(c, in);
}

/* An address based on RSP uses its value after the pop (SDM vol. 2, POP). */
static int exec_pop_mem(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	u64 v, old = c->gpr[X86_RSP];

	if (interp_peek(c, &v, n) < 0)
		return -1;
	stack_set(c, stack_get(c) + n);
	if (interp_write(c, in->seg, interp_ea(c, in), n, v) < 0) {
		c->gpr[X86_RSP] = old;
		return -1;
	}
	return interp_next(c, in);
}

static int exec_pusha(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 sp = stack_get(c), old = c->gpr[X86_RSP];
	unsigned n = in->opsize;

	for (unsigned i = 0; i < 8; i++) {
		u64 v = i == X86_RSP ? old : c->gpr[i];

		sp = (sp - n) & mask_bytes(stack_size(c));
		if (interp_write(c, X86_SS, sp, n, v & mask_bytes(n)) < 0)
			return -1;
	}
	stack_set(c, sp);
	return interp_next(c, in);
}

static int exec_popa(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 sp = stack_get(c), v[8];
	unsigned n = in->opsize;

	for (unsigned i = 0; i < 8; i++) {
		if (interp_read(c, X86_SS, sp, n, &v[i]) < 0)
			return -1;
		sp = (sp + n) & mask_bytes(stack_size(c));
	}
	for (unsigned i = 0; i < 8; i++)
		if (7 - i != X86_RSP)
			gpr_set(c, 7 - i, n, false, v[i]);
	stack_set(c, sp);
	return interp_next(c, in);
}

/* SDM vol. 2, ENTER: the display of outer frames, then the locals. */
static int exec_enter(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize, level = (unsigned)in->imm2 & 31;
	u64 m = mask_bytes(stack_size(c));
	u64 sp = (stack_get(c) - n) & m, frame = sp, bp = c->gpr[X86_RBP] & m, v, linear;
	void *probe;

	if (interp_write(c, X86_SS, sp, n, c->gpr[X86_RBP] & mask_bytes(n)) < 0)
		return -1;
	for (unsigned i = 1; i < level; i++) {
		bp = (bp - n) & m;
		sp = (sp - n) & m;
		if (interp_read(c, X86_SS, bp, n, &v) < 0 || interp_write(c, X86_SS, sp, n, v) < 0)
			return -1;
	}
	if (level) {
		sp = (sp - n) & m;
		if (interp_write(c, X86_SS, sp, n, frame & mask_bytes(n)) < 0)
			return -1;
	}
	sp = (sp - (u16)in->imm) & m;
	/* The processor probes the new top of stack for writing. */
	if (interp_linear(c, X86_SS, sp, n, X86_WRITE, &linear) < 0 ||
	    x86_rmw_ptr(c, linear, n, &probe) < 0)
		return -1;
	gpr_set(c, X86_RBP, n < stack_size(c) ? n : stack_size(c), false, frame);
	stack_set(c, sp);
	return interp_next(c, in);
}

static int exec_leave(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v, sp = c->gpr[X86_RBP] & mask_bytes(stack_size(c));
	unsigned n = in->opsize;

	if (interp_read(c, X86_SS, sp, n, &v) < 0)
		return -1;
	stack_set(c, sp + n);
	gpr_set(c, X86_RBP, n, false, v);
	return interp_next(c, in);
}

static interp_fn stack_lookup_1b(const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x06:
	case 0x0e:
	case 0x16:
	case 0x1e:
		return exec_push_seg;
	case 0x50 ... 0x57:
		return exec_push;
	case 0x58 ... 0x5f:
		return exec_pop_reg;
	case 0x60:
		return exec_pusha;
	case 0x61:
		return exec_popa;
	case 0x68:
	case 0x6a:
		return exec_push_imm;
	case 0x8f:
		return in->has_mem ? exec_pop_mem : exec_pop_reg;
	case 0xc8:
		return exec_enter;
	case 0xc9:
		return exec_leave;
	case 0xff:
		return (in->modrm >> 3 & 7) == 6 ? exec_push : NULL;
	default:
		return NULL;
	}
}

interp_fn interp_stack_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return stack_lookup_1b(in);
	if (in->map == X86_MAP_0F && (in->opcode == 0xa0 || in->opcode == 0xa8))
		return exec_push_seg;
	return NULL;
}
