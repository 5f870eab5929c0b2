/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fixed-point arithmetic, compares, logic (Book I 3.3.9 to 3.3.13) to IR.
 */
#include "engine/jit/ppc/lift_alu.h"

void lx_compare(struct lx *x, unsigned field, unsigned size, bool is_signed, ir_val a, ir_val b)
{
	struct ir_unit *u = x->u;

	lx_put1(x, OFF_CR(field * 4), ir_set(u, is_signed ? IR_LTS : IR_LTU, size, a, b));
	lx_put1(x, OFF_CR(field * 4 + 1), ir_set(u, is_signed ? IR_GTS : IR_GTU, size, a, b));
	lx_put1(x, OFF_CR(field * 4 + 2), ir_set(u, IR_EQ, size, a, b));
	lx_put1(x, OFF_CR(field * 4 + 3), lx_get1(x, OFF(so)));
}

void lx_record(struct lx *x, ir_val v)
{
	lx_compare(x, 0, x->sf ? 8 : 4, true, v, lx_k(x, 0));
}

static void set_overflow(struct lx *x, ir_val ov, ir_val ov32)
{
	lx_put1(x, OFF(ov), ov);
	if (x->v3)
		lx_put1(x, OFF(ov32), ov32);
	lx_put1(x, OFF(so), lx_op(x, IR_OR, lx_get1(x, OFF(so)), ov));
}

static bool oe(const struct lx *x)
{
	return (x->row->flags & PPC_F_OE) && (x->w & 1 << 10);
}

static bool rc(const struct lx *x)
{
	return (x->row->flags & PPC_F_RC) && (x->w & 1);
}

static void finish(struct lx *x, unsigned reg, ir_val v)
{
	lx_set_gpr(x, reg, v);
	if (rc(x))
		lx_record(x, v);
}

/* The second operand of the add instructions, by A_*. */
static ir_val addend(struct lx *x, u32 arg)
{
	switch (arg & A_B) {
	case A_B_RB:
		return lx_gpr(x, ppc_rb(x->w));
	case A_B_SI:
		return lx_k(x, (u64)ppc_si(x->w));
	case A_B_MINUS1:
		return lx_k(x, ~0ULL);
	default:
		return lx_k(x, 0);
	}
}

/* All of add* and subf*: RT = (RA or not RA) + b + carry in. */
void lift_addsub(struct lx *x, u32 arg)
{
	unsigned size = x->sf ? 8 : 4;
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b = addend(x, arg), cin, r;
	ir_val plain = a;

	if (arg & A_NOT)
		a = ir_make(x->u, IR_NOT, 8, a, 0, 0);
	cin = arg & A_CIN ? lx_get1(x, OFF(ca)) : lx_k(x, arg & A_NOT ? 1 : 0);
	if (arg & A_CIN)
		r = lx_op(x, IR_ADD, lx_op(x, IR_ADD, a, b), cin);
	else
		r = arg & A_NOT ? lx_op(x, IR_SUB, b, plain) : lx_op(x, IR_ADD, a, b);
	if (arg & A_CA) {
		bool sum = !(arg & (A_NOT | A_CIN)); /* carried if it is below what was added */
		ir_val ca = sum ? ir_set(x->u, IR_LTU, size, r, b)
				: ir_make(x->u, IR_ADDCO, size, a, b, cin);

		if (x->v3)
			lx_put1(x, OFF(ca32),
				sum ? ir_set(x->u, IR_LTU, 4, r, b)
				    : ir_make(x->u, IR_ADDCO, 4, a, b, cin));
		lx_put1(x, OFF(ca), ca);
	}
	if (oe(x)) {
		ir_val ov32 = x->v3 ? ir_make(x->u, IR_ADDOV, 4, a, b, cin) : 0;

		set_overflow(x, ir_make(x->u, IR_ADDOV, size, a, b, cin), ov32);
	}
	finish(x, ppc_rt(x->w), r);
	if (arg & A_RECORD)
		lx_record(x, r);
}

void lift_addi(struct lx *x, u32 shift)
{
	ir_val imm = lx_k(x, (u64)ppc_si(x->w) << shift);

	lx_set_gpr(x, ppc_rt(x->w),
		   ppc_ra(x->w) ? lx_op(x, IR_ADD, lx_gpr(x, ppc_ra(x->w)), imm) : imm);
}

void lift_addpcis(struct lx *x, u32 arg)
{
	s64 d = (s16)((x->w >> 6 & 0x3ff) << 6 | ppc_ra(x->w) << 1 | (x->w & 1));

	lx_set_gpr(x, ppc_rt(x->w), lx_k(x, lx_next(x) + ((u64)d << 16)));
}

/* addex with CY=0: OV is the carry. */
void lift_addex(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b = lx_gpr(x, ppc_rb(x->w));
	ir_val cin = lx_get1(x, OFF(ov));
	ir_val co = ir_make(x->u, IR_ADDCO, x->sf ? 8 : 4, a, b, cin);
	ir_val co32 = ir_make(x->u, IR_ADDCO, 4, a, b, cin);

	if (ppc_bits(x->w, 21, 22)) {
		lx_illegal(x);
		return;
	}
	lx_set_gpr(x, ppc_rt(x->w), lx_op(x, IR_ADD, lx_op(x, IR_ADD, a, b), cin));
	lx_put1(x, OFF(ov), co);
	lx_put1(x, OFF(ov32), co32);
}

void lift_mul(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b, r;

	b = arg == MUL_LI ? lx_k(x, (u64)ppc_si(x->w)) : lx_gpr(x, ppc_rb(x->w));
	switch (arg) {
	case MUL_LW:
		r = lx_op(x, IR_MUL, lx_sext(x, 4, a), lx_sext(x, 4, b));
		break;
	case MUL_HW:
		r = lx_op4(x, IR_MULHS, a, b);
		break;
	case MUL_HWU:
		r = lx_op4(x, IR_MULHU, a, b);
		break;
	case MUL_HD:
		r = lx_op(x, IR_MULHS, a, b);
		break;
	case MUL_HDU:
		r = lx_op(x, IR_MULHU, a, b);
		break;
	default:
		r = lx_op(x, IR_MUL, a, b);
	}
	if (oe(x)) {
		ir_val ov = ir_make(x->u, IR_MULOV, arg == MUL_LW ? 4 : 8, a, b, 0);

		set_overflow(x, ov, ov);
	}
	finish(x, ppc_rt(x->w), r);
}

/* maddld, maddhd, maddhdu: RA * RB + RC, 128 bits. */
void lift_madd(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b = lx_gpr(x, ppc_rb(x->w)),
	       c = lx_gpr(x, ppc_rc(x->w));
	ir_val lo = lx_op(x, IR_MUL, a, b), hi, carry;

	if (arg == MADD_LD) {
		lx_set_gpr(x, ppc_rt(x->w), lx_op(x, IR_ADD, lo, c));
		return;
	}
	carry = ir_make(x->u, IR_ADDCO, 8, lo, c, lx_k(x, 0));
	hi = lx_op(x, arg == MADD_HD ? IR_MULHS : IR_MULHU, a, b);
	hi = lx_op(x, IR_ADD, hi, carry);
	if (arg == MADD_HD)
		hi = lx_op(x, IR_ADD, hi, lx_op(x, IR_SAR, c, lx_k(x, 63)));
	lx_set_gpr(x, ppc_rt(x->w), hi);
}

/* 1 where a signed division of size bytes has no result. */
static ir_val bad_divs(struct lx *x, unsigned size, ir_val a, ir_val b)
{
	u64 least = size == 8 ? BIT(63) : BIT(31);
	ir_val zero = ir_set(x->u, IR_EQ, size, b, lx_k(x, 0));
	ir_val over = lx_op(x, IR_AND, ir_set(x->u, IR_EQ, size, a, lx_k(x, least)),
			    ir_set(x->u, IR_EQ, size, b, lx_k(x, ~0ULL)));

	return lx_op(x, IR_OR, zero, over);
}

/* divwe: (RA << 32) / RB; no result if it does not fit 32 bits. */
static ir_val divwe(struct lx *x, ir_val a, ir_val b, ir_val *bad)
{
	ir_val n = lx_op(x, IR_SHL, a, lx_k(x, 32)), d = lx_sext(x, 4, b);
	ir_val q = lx_op(x, IR_DIVS, n, d);
	ir_val fits = ir_set(x->u, IR_EQ, 8, q, lx_sext(x, 4, q));

	*bad = lx_op(x, IR_OR, bad_divs(x, 8, n, d), lx_op(x, IR_XOR, fits, lx_k(x, 1)));
	return lx_sel(x, *bad, lx_k(x, 0), lx_zext(x, 4, q));
}

static ir_val divweu(struct lx *x, ir_val a, ir_val b, ir_val *bad)
{
	ir_val q = lx_op(x, IR_DIVU, lx_op(x, IR_SHL, a, lx_k(x, 32)), lx_zext(x, 4, b));

	*bad = ir_set(x->u, IR_GEU, 4, a, b);
	return lx_sel(x, *bad, lx_k(x, 0), q);
}

void lift_div(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b = lx_gpr(x, ppc_rb(x->w)), r, bad = 0;
	unsigned size = arg & DIV_D ? 8 : 4;

	switch (arg) {
	case DIV_WE:
		r = divwe(x, a, b, &bad);
		break;
	case DIV_WEU:
		r = divweu(x, a, b, &bad);
		break;
	case DIV_DE:
		r = ir_call(x->u, H_DIVDE, a, b, 0);
		bad = oe(x) ? ir_call(x->u, H_DIVDE_OV, a, b, 0) : 0;
		break;
	case DIV_DEU:
		r = ir_call(x->u, H_DIVDEU, a, b, 0);
		bad = ir_set(x->u, IR_GEU, 8, a, b);
		break;
	default:
		r = ir_make(x->u, arg & DIV_U ? IR_DIVU : IR_DIVS, size, a, b, 0);
	}
	if (oe(x)) {
		if (!bad && (arg & DIV_U))
			bad = ir_set(x->u, IR_EQ, size, b, lx_k(x, 0));
		else if (!bad)
			bad = bad_divs(x, size, a, b);
		set_overflow(x, bad, bad);
	}
	finish(x, ppc_rt(x->w), r);
}

void lift_mod(struct lx *x, u32 arg)
{
	ir_val r = ir_make(x->u, arg & DIV_U ? IR_REMU : IR_REMS, arg & DIV_D ? 8 : 4,
			   lx_gpr(x, ppc_ra(x->w)), lx_gpr(x, ppc_rb(x->w)), 0);

	if (arg == DIV_W)
		r = lx_sext(x, 4, r);
	lx_set_gpr(x, ppc_rt(x->w), r);
}

void lift_cmp(struct lx *x, u32 arg)
{
	unsigned size = x->w & 1 << 21 ? 8 : 4;
	ir_val b;

	if (arg & CMP_IMM)
		b = lx_k(x, arg & CMP_U ? x->w & 0xffff : (u64)ppc_si(x->w));
	else
		b = lx_gpr(x, ppc_rb(x->w));
	lx_compare(x, ppc_bits(x->w, 6, 8), size, !(arg & CMP_U), lx_gpr(x, ppc_ra(x->w)), b);
}

/* cmprb, cmpeqb: GT of the field is the answer, the others 0. */
void lift_cmprb(struct lx *x, u32 arg)
{
	unsigned bit = ppc_bits(x->w, 6, 8) * 4;
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b = lx_gpr(x, ppc_rb(x->w));
	ir_val r = ir_call(x->u, arg, a, b, lx_k(x, x->w >> 21 & 1));

	lx_put1(x, OFF_CR(bit), lx_k(x, 0));
	lx_put1(x, OFF_CR(bit + 1), r);
	lx_put1(x, OFF_CR(bit + 2), lx_k(x, 0));
	lx_put1(x, OFF_CR(bit + 3), lx_k(x, 0));
}

void lift_isel(struct lx *x, u32 arg)
{
	lx_set_gpr(x, ppc_rt(x->w),
		   lx_sel(x, lx_get1(x, OFF_CR(ppc_rc(x->w))), lx_gpr0(x, ppc_ra(x->w)),
			  lx_gpr(x, ppc_rb(x->w))));
}

void lift_logic(struct lx *x, u32 arg)
{
	ir_val s = lx_gpr(x, ppc_rt(x->w)), b = lx_gpr(x, ppc_rb(x->w)), r;

	if (ppc_rt(x->w) == ppc_rb(x->w) && (arg == IR_OR || arg == IR_AND)) {
		finish(x, ppc_ra(x->w), s);
		return;
	}
	if ((arg & LOGIC_NOTB) && (arg & 0xff) == IR_AND)
		r = lx_op(x, IR_ANDN, s, b);
	else if (arg & LOGIC_NOTB)
		r = lx_op(x, arg & 0xff, s, ir_make(x->u, IR_NOT, 8, b, 0, 0));
	else
		r = lx_op(x, arg & 0xff, s, b);
	if (arg & LOGIC_NOT)
		r = ir_make(x->u, IR_NOT, 8, r, 0, 0);
	finish(x, ppc_ra(x->w), r);
}

void lift_logic_imm(struct lx *x, u32 arg)
{
	u64 imm = (u64)(x->w & 0xffff) << (arg & LOGIC_SHIFTED ? 16 : 0);
	ir_val r = lx_gpr(x, ppc_rt(x->w));

	if (imm || (arg & 0xff) == IR_AND)
		r = lx_op(x, arg & 0xff, r, lx_k(x, imm));
	lx_set_gpr(x, ppc_ra(x->w), r);
	if ((arg & 0xff) == IR_AND)
		lx_record(x, r);
}

/* extsb.., cntlz.., cnttz.., popcntd: arg is the IR operation and its size << 8. */
void lift_unary(struct lx *x, u32 arg)
{
	finish(x, ppc_ra(x->w), ir_make(x->u, arg & 0xff, arg >> 8, lx_gpr(x, ppc_rt(x->w)), 0, 0));
}

/* RA = helper(RS, RB), or RT = helper(RA, RB). */
void lift_pure(struct lx *x, u32 arg)
{
	bool to_rt = arg & PURE_RT;
	ir_val a = lx_gpr(x, to_rt ? ppc_ra(x->w) : ppc_rt(x->w));

	lx_set_gpr(x, to_rt ? ppc_rt(x->w) : ppc_ra(x->w),
		   ir_call(x->u, arg & 0xff, a, lx_gpr(x, ppc_rb(x->w)), 0));
}

/* cmpb, by a vector's bytes */
void lift_cmpb(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_rt(x->w)), b = lx_gpr(x, ppc_rb(x->w)), zero = lx_k(x, 0);

	a = ir_make(x->u, IR_VCAT, 0, a, zero, 0);
	b = ir_make(x->u, IR_VCAT, 0, b, zero, 0);
	a = ir_make(x->u, IR_VCMPEQ, 1, a, b, 0);
	lx_set_gpr(x, ppc_ra(x->w), ir_imm(x->u, IR_VEXT, 8, a, 0, 0));
}

/* No random number: software tries again or elsewhere (ISA I 3.3.9, darn). */
void lift_darn(struct lx *x, u32 arg)
{
	lx_set_gpr(x, ppc_rt(x->w), lx_k(x, ~0ULL));
}
