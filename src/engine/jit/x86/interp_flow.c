/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: near control transfers. The target is checked before anything
 * is pushed or popped; #GP(0) is then of the branch itself.
 */
#include "engine/jit/x86/interp.h"

static u64 rel_target(const struct x86_vcpu *c, const struct x86_insn *in)
{
	return (interp_next_rip(c, in) + (u64)in->imm) & mask_bytes(in->opsize);
}

static int go(struct x86_vcpu *c, const struct x86_insn *in, u64 target)
{
	if (interp_check_target(c, in, target) < 0)
		return -1;
	c->rip = target;
	return 0;
}

static int exec_jcc(struct x86_vcpu *c, const struct x86_insn *in)
{
	return interp_cond(c, in->opcode) ? go(c, in, rel_target(c, in)) : interp_next(c, in);
}

static int exec_jmp(struct x86_vcpu *c, const struct x86_insn *in)
{
	return go(c, in, rel_target(c, in));
}

/* LOOPNE E0, LOOPE E1, LOOP E2: count first, in the address size; no flag changes. */
static int exec_loop(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 count = (c->gpr[X86_RCX] - 1) & mask_bytes(in->adsize), target = rel_target(c, in);
	bool zf = c->rflags & RF_ZF;
	bool taken = count && (in->opcode == 0xe2 || zf == (in->opcode == 0xe1));

	if (taken && interp_check_target(c, in, target) < 0)
		return -1;
	gpr_set(c, X86_RCX, in->adsize, false, count);
	if (!taken)
		return interp_next(c, in);
	c->rip = target;
	return 0;
}

static int exec_jcxz(struct x86_vcpu *c, const struct x86_insn *in)
{
	return c->gpr[X86_RCX] & mask_bytes(in->adsize) ? interp_next(c, in)
							: go(c, in, rel_target(c, in));
}

static int call_to(struct x86_vcpu *c, const struct x86_insn *in, u64 target)
{
	if (interp_check_target(c, in, target) < 0 ||
	    interp_push(c, interp_next_rip(c, in) & mask_bytes(in->opsize), in->opsize) < 0)
		return -1;
	c->rip = target;
	return 0;
}

static int exec_call(struct x86_vcpu *c, const struct x86_insn *in)
{
	return call_to(c, in, rel_target(c, in));
}

static int exec_call_indirect(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 target;

	if (opnd_read(c, in, 0, &target) < 0)
		return -1;
	return call_to(c, in, target);
}

static int exec_jmp_indirect(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 target;

	if (opnd_read(c, in, 0, &target) < 0)
		return -1;
	return go(c, in, target);
}

static int exec_ret(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 target;

	if (interp_peek(c, &target, in->opsize) < 0 || interp_check_target(c, in, target) < 0)
		return -1;
	stack_set(c, stack_get(c) + in->opsize + (in->opcode == 0xc2 ? (u16)in->imm : 0));
	c->rip = target;
	return 0;
}

interp_fn interp_flow_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_0F)
		return (in->opcode & 0xf0) == 0x80 ? exec_jcc : NULL;
	if (in->map != X86_MAP_1B)
		return NULL;
	switch (in->opcode) {
	case 0x70 ... 0x7f:
		return exec_jcc;
	case 0xc2:
	case 0xc3:
		return exec_ret;
	case 0xe0 ... 0xe2:
		return exec_loop;
	case 0xe3:
		return exec_jcxz;
	case 0xe8:
		return exec_call;
	case 0xe9:
	case 0xeb:
		return exec_jmp;
	case 0xff:
		switch (in->modrm >> 3 & 7) {
		case 2:
			return exec_call_indirect;
		case 4:
			return exec_jmp_indirect;
		default:
			return NULL;
		}
	default:
		return NULL;
	}
}
