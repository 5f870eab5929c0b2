/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the emulator's ordinary instructions compute: moves, arithmetic, bits,
 * exchanges, ports, control and debug registers. Contract in emul.h.
 */
#include "core/emul.h"

/* ---- flags ---------------------------------------------------------------------- */

static u64 flag(u64 cond, u64 bit)
{
	return cond & 1 ? bit : 0;
}

/* PF, ZF, SF of an n-byte result. */
static u64 flags_of(u64 r, unsigned n)
{
	return flag(!(r & mask_bytes(n)), FL_ZF) | flag(r >> (n * 8 - 1), FL_SF) |
	       flag(!__builtin_parity((unsigned)r & 0xff), FL_PF);
}

static void set_flags(u64 *flags, u64 mask, u64 val)
{
	*flags = (*flags & ~mask) | (val & mask);
}

static u64 add(unsigned n, u64 a, u64 b, u64 carry, u64 *f)
{
	u64 r = a + b + carry;
	unsigned top = n * 8 - 1;

	*f = flags_of(r, n) | flag(((a & b) | ((a | b) & ~r)) >> top, FL_CF) |
	     flag(((a ^ r) & (b ^ r)) >> top, FL_OF) | flag((a ^ b ^ r) >> 4, FL_AF);
	return r;
}

static u64 sub(unsigned n, u64 a, u64 b, u64 borrow, u64 *f)
{
	u64 r = a - b - borrow;
	unsigned top = n * 8 - 1;

	*f = flags_of(r, n) | flag(((~a & b) | ((~a | b) & r)) >> top, FL_CF) |
	     flag(((a ^ b) & (a ^ r)) >> top, FL_OF) | flag((a ^ b ^ r) >> 4, FL_AF);
	return r;
}

u64 emul_alu(unsigned op, unsigned n, u64 a, u64 b, u64 *flags)
{
	u64 f = 0, r, mask = FL_STATUS, carry = *flags & FL_CF;

	switch (op) {
	case X86_OP_ADD:
	case X86_OP_XADD:
		r = add(n, a, b, 0, &f);
		break;
	case X86_OP_ADC:
		r = add(n, a, b, carry, &f);
		break;
	case X86_OP_SBB:
		r = sub(n, a, b, carry, &f);
		break;
	case X86_OP_INC:
		r = add(n, a, 1, 0, &f);
		mask &= ~(u64)FL_CF;
		break;
	case X86_OP_DEC:
		r = sub(n, a, 1, 0, &f);
		mask &= ~(u64)FL_CF;
		break;
	case X86_OP_NEG:
		r = sub(n, 0, a, 0, &f);
		break;
	case X86_OP_NOT:
		return ~a;
	case X86_OP_AND:
	case X86_OP_TEST:
		f = flags_of(r = a & b, n);
		break;
	case X86_OP_OR:
		f = flags_of(r = a | b, n);
		break;
	case X86_OP_XOR:
		f = flags_of(r = a ^ b, n);
		break;
	default: /* SUB, CMP, CMPXCHG */
		r = sub(n, a, b, 0, &f);
		break;
	}
	set_flags(flags, mask, f);
	return r;
}

/* ---- operands ----------------------------------------------------------------------- */

static u64 address(const struct emul *e)
{
	const struct x86_insn *in = &e->in;
	u64 a = (u64)in->disp;

	if (in->mem_base == X86_REG_RIP)
		a += e->v->rip + in->len;
	else if (in->mem_base != X86_REG_NONE)
		a += e->gpr[in->mem_base];
	if (in->mem_index != X86_REG_NONE)
		a += e->gpr[in->mem_index] * in->mem_scale;
	return a & mask_bytes(in->adsize);
}

static bool operand_read(struct emul *e, const struct x86_opnd *o, u64 *val)
{
	switch (o->kind) {
	case X86_OPND_GPR:
		*val = e->gpr[o->reg] >> (o->high ? 8 : 0) & mask_bytes(o->size);
		return true;
	case X86_OPND_MEM:
		return o->size && o->size <= 8 && emul_read(e, e->in.seg, address(e), o->size, val);
	case X86_OPND_IMM:
		*val = (u64)e->in.imm;
		return true;
	case X86_OPND_SEG:
		*val = o->reg < X86_NSEGS ? e->v->st.seg[o->reg].sel : 0;
		return true;
	case X86_OPND_CR:
		*val = hv_cr_read(e->v, o->reg);
		return true;
	default:
		return false;
	}
}

static bool operand_write(struct emul *e, const struct x86_opnd *o, u64 val)
{
	switch (o->kind) {
	case X86_OPND_GPR:
		emul_gpr_set(e, o->reg, o->size, o->high, val);
		return true;
	case X86_OPND_MEM:
		return o->size && o->size <= 8 &&
		       emul_write(e, e->in.seg, address(e), o->size, val);
	case X86_OPND_CR:
		if (hv_cr_write(e->v, o->reg, val))
			return true;
		e->stop = EMUL_FAULT;
		return false;
	default:
		return false;
	}
}

static u64 sign_extend(u64 val, unsigned n)
{
	unsigned s = 64 - n * 8;

	return (u64)((s64)(val << s) >> s);
}

/* ---- families ------------------------------------------------------------------------- */

static bool exec_move(struct emul *e)
{
	const struct x86_opnd *dst = &e->in.opnd[0], *src = &e->in.opnd[1];
	u64 val;

	if (!operand_read(e, src, &val))
		return false;
	switch (e->in.row->op) {
	case X86_OP_MOVSX:
	case X86_OP_MOVSXD:
		val = sign_extend(val, src->size);
		break;
	case X86_OP_MOVBE:
		val = __builtin_bswap64(val) >> (64 - dst->size * 8);
		break;
	}
	return operand_write(e, dst, val);
}

static bool exec_alu(struct emul *e)
{
	const struct x86_opnd *dst = &e->in.opnd[0];
	u64 a, b = 0, r, flags = e->rflags;
	unsigned op = e->in.row->op;

	if (!operand_read(e, dst, &a) || (e->in.nopnds > 1 && !operand_read(e, &e->in.opnd[1], &b)))
		return false;
	b &= mask_bytes(dst->size);
	r = emul_alu(op, dst->size, a, b, &flags);
	if (op != X86_OP_CMP && op != X86_OP_TEST && !operand_write(e, dst, r))
		return false;
	e->rflags = flags;
	return true;
}

static bool exec_exchange(struct emul *e)
{
	const struct x86_opnd *dst = &e->in.opnd[0], *src = &e->in.opnd[1];
	u64 a, b, r, flags = e->rflags;

	if (!operand_read(e, dst, &a) || !operand_read(e, src, &b))
		return false;
	r = e->in.row->op == X86_OP_XADD ? emul_alu(X86_OP_XADD, dst->size, a, b, &flags) : b;
	if (!operand_write(e, dst, r) || !operand_write(e, src, a))
		return false;
	e->rflags = flags;
	return true;
}

static bool exec_cmpxchg(struct emul *e)
{
	const struct x86_opnd *dst = &e->in.opnd[0];
	u64 a, b, rax = e->gpr[X86_RAX] & mask_bytes(dst->size), flags = e->rflags;

	if (!operand_read(e, dst, &a) || !operand_read(e, &e->in.opnd[1], &b))
		return false;
	emul_alu(X86_OP_CMP, dst->size, rax, a, &flags);
	if (!operand_write(e, dst, flags & FL_ZF ? b : a))
		return false;
	if (!(flags & FL_ZF))
		emul_gpr_set(e, X86_RAX, dst->size, false, a);
	e->rflags = flags;
	return true;
}

static u64 bit_result(unsigned op, u64 val, u64 bit)
{
	switch (op) {
	case X86_OP_BTS:
		return val | bit;
	case X86_OP_BTR:
		return val & ~bit;
	default:
		return val ^ bit;
	}
}

static bool exec_bit(struct emul *e)
{
	const struct x86_opnd *dst = &e->in.opnd[0], *src = &e->in.opnd[1];
	unsigned n = dst->size, op = e->in.row->op;
	u64 off, val, bit;

	if (dst->kind != X86_OPND_MEM || !operand_read(e, src, &off))
		return false;
	bit = BIT(off & (n * 8 - 1));
	off = src->kind == X86_OPND_IMM ? 0
					: (u64)((s64)sign_extend(off, n) >> (n == 2   ? 4
									     : n == 4 ? 5
										      : 6)) *
						  n;
	off = (address(e) + off) & mask_bytes(e->in.adsize);
	if (!emul_read(e, e->in.seg, off, n, &val))
		return false;
	if (op != X86_OP_BT && !emul_write(e, e->in.seg, off, n, bit_result(op, val, bit)))
		return false;
	set_flags(&e->rflags, FL_CF, val & bit ? FL_CF : 0);
	return true;
}

static bool exec_port(struct emul *e)
{
	bool in = e->in.row->op == X86_OP_IN;
	const struct x86_opnd *port = &e->in.opnd[in ? 1 : 0];
	unsigned n = e->in.opnd[in ? 0 : 1].size;
	u64 at = port->kind == X86_OPND_IMM ? e->in.imm & 0xff : e->gpr[X86_RDX] & 0xffff;
	u64 val = in ? 0 : e->gpr[X86_RAX] & mask_bytes(n);

	if (!hv_bus_access(e->v, in ? HV_PIO_IN : HV_PIO_OUT, at, n, &val)) {
		e->stop = EMUL_DEFER;
		return false;
	}
	if (in)
		emul_gpr_set(e, X86_RAX, n, false, val);
	return true;
}

bool emul_ordinary(struct emul *e)
{
	switch (e->in.row->op) {
	case X86_OP_MOV:
	case X86_OP_MOVNTI:
	case X86_OP_MOVDIRI:
	case X86_OP_MOVZX:
	case X86_OP_MOVSX:
	case X86_OP_MOVSXD:
	case X86_OP_MOVBE:
		return exec_move(e);
	case X86_OP_ADD:
	case X86_OP_ADC:
	case X86_OP_SUB:
	case X86_OP_SBB:
	case X86_OP_AND:
	case X86_OP_OR:
	case X86_OP_XOR:
	case X86_OP_CMP:
	case X86_OP_TEST:
	case X86_OP_INC:
	case X86_OP_DEC:
	case X86_OP_NOT:
	case X86_OP_NEG:
		return exec_alu(e);
	case X86_OP_XCHG:
	case X86_OP_XADD:
		return exec_exchange(e);
	case X86_OP_CMPXCHG:
		return exec_cmpxchg(e);
	case X86_OP_BT:
	case X86_OP_BTS:
	case X86_OP_BTR:
	case X86_OP_BTC:
		return exec_bit(e);
	case X86_OP_IN:
	case X86_OP_OUT:
		return exec_port(e);
	default:
		return false;
	}
}
