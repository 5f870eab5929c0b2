/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: data movement without arithmetic: mov, movzx/movsx, lea, cmovcc,
 * setcc, sign extension of the accumulator, xlat, movbe, movnti.
 */
#include "engine/jit/x86/interp.h"

static int exec_mov(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0 || opnd_write(c, in, 0, v) < 0)
		return -1;
	return interp_next(c, in);
}

static int exec_mov_reg_reg(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v = c->gpr[in->opnd[1].reg];

	c->gpr[in->opnd[0].reg] = in->opnd[0].size == 8 ? v : (u32)v;
	return interp_next(c, in);
}

static int exec_mov_load(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	u64 v;

	if (interp_read(c, in->seg, interp_ea(c, in), n, &v) < 0)
		return -1;
	gpr_set(c, in->opnd[0].reg, n, in->opnd[0].high, v);
	return interp_next(c, in);
}

/* MOV r/m, Sreg: 16 bits to memory; a register gets it zero-extended to the operand size. */
static int exec_mov_from_seg(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 sel = c->seg[in->modrm >> 3 & 7].sel;

	if (in->opnd[0].kind == X86_OPND_MEM) {
		if (interp_write(c, in->seg, interp_ea(c, in), 2, sel) < 0)
			return -1;
	} else {
		gpr_set(c, in->opnd[0].reg, in->opsize, false, sel);
	}
	return interp_next(c, in);
}

static int exec_movsx(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	v = sext(v, in->opnd[1].size) & mask_bytes(in->opnd[0].size);
	gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false, v);
	return interp_next(c, in);
}

static int exec_lea(struct x86_vcpu *c, const struct x86_insn *in)
{
	gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false, interp_ea(c, in));
	return interp_next(c, in);
}

/* The source is read, and a 32-bit destination zero-extended, whatever the condition. */
static int exec_cmov(struct x86_vcpu *c, const struct x86_insn *in)
{
	const struct x86_opnd *o = &in->opnd[0];
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	if (!interp_cond(c, in->opcode))
		v = gpr_get(c, o->reg, o->size, false);
	gpr_set(c, o->reg, o->size, false, v);
	return interp_next(c, in);
}

static int exec_set(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (opnd_write(c, in, 0, interp_cond(c, in->opcode)) < 0)
		return -1;
	return interp_next(c, in);
}

/* CBW, CWDE, CDQE. */
static int exec_cbw(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;

	gpr_set(c, X86_RAX, n, false, sext(c->gpr[X86_RAX], n / 2) & mask_bytes(n));
	return interp_next(c, in);
}

/* CWD, CDQ, CQO. */
static int exec_cwd(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	bool neg = sign_of(c->gpr[X86_RAX], n);

	gpr_set(c, X86_RDX, n, false, neg ? mask_bytes(n) : 0);
	return interp_next(c, in);
}

static int exec_xlat(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 off = (c->gpr[X86_RBX] + (u8)c->gpr[X86_RAX]) & mask_bytes(in->adsize);
	u64 v;

	if (interp_read(c, in->seg, off, 1, &v) < 0)
		return -1;
	gpr_set(c, X86_RAX, 1, false, v);
	return interp_next(c, in);
}

static int exec_movbe(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	v = __builtin_bswap64(v) >> (64 - in->opnd[0].size * 8);
	if (opnd_write(c, in, 0, v) < 0)
		return -1;
	return interp_next(c, in);
}

static interp_fn mov_form(const struct x86_insn *in)
{
	const struct x86_opnd *d = &in->opnd[0], *s = &in->opnd[1];

	if (d->kind == X86_OPND_GPR && s->kind == X86_OPND_MEM)
		return exec_mov_load;
	if (d->kind == X86_OPND_GPR && s->kind == X86_OPND_GPR && d->size >= 4)
		return exec_mov_reg_reg;
	return exec_mov;
}

static interp_fn mov_lookup_1b(const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x63:
		return in->mode == X86_MODE_64 ? exec_movsx : NULL;
	case 0x88 ... 0x8b:
	case 0xa0 ... 0xa3:
	case 0xb0 ... 0xbf:
		return mov_form(in);
	case 0xc6:
	case 0xc7:
		return (in->modrm >> 3 & 7) == 0 ? exec_mov : NULL;
	case 0x8c:
		return (in->modrm >> 3 & 7) < X86_NSEGS ? exec_mov_from_seg : NULL;
	case 0x8d:
		return exec_lea;
	case 0x98:
		return exec_cbw;
	case 0x99:
		return exec_cwd;
	case 0xd7:
		return exec_xlat;
	default:
		return NULL;
	}
}

static interp_fn mov_lookup_0f(const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x40 ... 0x4f:
		return exec_cmov;
	case 0x90 ... 0x9f:
		return exec_set;
	case 0xb6:
	case 0xb7:
		return exec_mov; /* operands are read with their own size */
	case 0xbe:
	case 0xbf:
		return exec_movsx;
	case 0xc3:
		return exec_mov; /* MOVNTI */
	default:
		return NULL;
	}
}

interp_fn interp_mov_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return mov_lookup_1b(in);
	if (in->map == X86_MAP_0F)
		return mov_lookup_0f(in);
	if (in->map == X86_MAP_0F38 && in->opcode == 0xf9)
		return exec_mov; /* MOVDIRI */
	if (in->map == X86_MAP_0F38 && !in->repne && (in->opcode == 0xf0 || in->opcode == 0xf1))
		return exec_movbe;
	return NULL;
}
