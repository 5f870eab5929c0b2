/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rotates and shifts (Book I 3.3.14) to IR.
 */
#include "engine/jit/ppc/lift_alu.h"

static void finish(struct lx *x, ir_val v)
{
	lx_set_gpr(x, ppc_ra(x->w), v);
	if ((x->row->flags & PPC_F_RC) && (x->w & 1))
		lx_record(x, v);
}

/* Ones from bit mb to bit me in the ISA's numbering; wraps around if mb > me. */
static u64 mask(unsigned mb, unsigned me)
{
	u64 from = ~0ULL >> mb, to = ~0ULL << (63 - me);

	return mb <= me ? from & to : from | to;
}

/* RS rotated in 32 bits, doubled if the mask reaches into the upper half. */
static ir_val rotate32(struct lx *x, ir_val count, u64 m)
{
	ir_val r = lx_op4(x, IR_ROTL, lx_gpr(x, ppc_rt(x->w)), count);

	if (m >> 32)
		r = lx_op(x, IR_OR, r, lx_op(x, IR_SHL, r, lx_k(x, 32)));
	return r;
}

void lift_rlw(struct lx *x, u32 arg)
{
	unsigned mb = ppc_bits(x->w, 21, 25), me = ppc_bits(x->w, 26, 30), sh = ppc_rb(x->w);
	u64 m = mask(mb + 32, me + 32);
	ir_val r, s = lx_gpr(x, ppc_rt(x->w));

	if (arg == RL_REG) {
		r = lx_op(x, IR_AND, rotate32(x, lx_gpr(x, ppc_rb(x->w)), m), lx_k(x, m));
	} else if (arg == RL_INSERT) {
		r = lx_op(x, IR_AND, rotate32(x, lx_k(x, sh), m), lx_k(x, m));
		r = lx_op(x, IR_OR, r, lx_op(x, IR_AND, lx_gpr(x, ppc_ra(x->w)), lx_k(x, ~m)));
	} else if (sh == 0 && !(m >> 32)) {
		r = lx_op(x, IR_AND, s, lx_k(x, m));
	} else if (mb == 0 && me == 31 - sh) {
		r = lx_op4(x, IR_SHL, s, lx_k(x, sh));
	} else if (me == 31 && mb && mb == 32 - sh) {
		r = lx_op4(x, IR_SHR, s, lx_k(x, mb));
	} else {
		r = lx_op(x, IR_AND, rotate32(x, lx_k(x, sh), m), lx_k(x, m));
	}
	finish(x, r);
}

static u64 rld_mask(struct lx *x, u32 arg, unsigned sh)
{
	unsigned m = ppc_mb6(x->w);

	switch (arg) {
	case RLD_CL:
	case RLD_REG_CL:
		return mask(m, 63);
	case RLD_CR:
	case RLD_REG_CR:
		return mask(0, m);
	default:
		return mask(m, 63 - sh);
	}
}

void lift_rld(struct lx *x, u32 arg)
{
	bool reg = arg == RLD_REG_CL || arg == RLD_REG_CR;
	unsigned sh = reg ? 0 : ppc_sh6(x->w), m6 = ppc_mb6(x->w);
	u64 m = rld_mask(x, arg, sh);
	ir_val r = lx_gpr(x, ppc_rt(x->w));

	if (arg == RLD_CL && sh && m6 == 64 - sh) {
		finish(x, lx_op(x, IR_SHR, r, lx_k(x, m6)));
		return;
	}
	if (arg == RLD_CR && sh && m6 == 63 - sh) {
		finish(x, lx_op(x, IR_SHL, r, lx_k(x, sh)));
		return;
	}
	if (reg)
		r = lx_op(x, IR_ROTL, r, lx_gpr(x, ppc_rb(x->w)));
	else if (sh)
		r = lx_op(x, IR_ROTL, r, lx_k(x, sh));
	if (m != ~0ULL)
		r = lx_op(x, IR_AND, r, lx_k(x, m));
	if (arg == RLD_INSERT && m != ~0ULL)
		r = lx_op(x, IR_OR, r, lx_op(x, IR_AND, lx_gpr(x, ppc_ra(x->w)), lx_k(x, ~m)));
	finish(x, r);
}

static void set_carry(struct lx *x, ir_val ca)
{
	lx_put1(x, OFF(ca), ca);
	if (x->v3)
		lx_put1(x, OFF(ca32), ca);
}

/* s >> n for 0 <= n <= 63 with CA: negative and a one lost. s is sign-extended. */
static ir_val shift_right_algebraic(struct lx *x, ir_val s, ir_val n)
{
	ir_val lost = lx_op(x, IR_ANDN, s, lx_op(x, IR_SHL, lx_k(x, ~0ULL), n));
	ir_val some = ir_set(x->u, IR_NE, 8, lost, lx_k(x, 0));

	set_carry(x, lx_op(x, IR_AND, some, ir_set(x->u, IR_LTS, 8, s, lx_k(x, 0))));
	return lx_op(x, IR_SAR, s, n);
}

/*
 * slw, srw, sraw, sld, srd, srad. Words: six bits of the count are used and a count of 32 to 63
 * leaves nothing, which shifting in 64 bits gives by itself.
 */
void lift_shift(struct lx *x, u32 arg)
{
	ir_val s = lx_gpr(x, ppc_rt(x->w)), n = lx_gpr(x, ppc_rb(x->w)), r, big;

	if (!(arg & SH_D)) {
		n = lx_op(x, IR_AND, n, lx_k(x, 63));
		if (arg == SH_L)
			r = lx_zext(x, 4, lx_op(x, IR_SHL, s, n));
		else if (arg == SH_R)
			r = lx_op(x, IR_SHR, lx_zext(x, 4, s), n);
		else
			r = shift_right_algebraic(x, lx_sext(x, 4, s), n);
		finish(x, r);
		return;
	}
	big = lx_op(x, IR_AND, n, lx_k(x, 64));
	if (arg & SH_RA) {
		/* 64 and more: as 63, but every one is lost. */
		ir_val most = lx_sel(x, big, lx_k(x, 63), lx_op(x, IR_AND, n, lx_k(x, 63)));
		ir_val neg = ir_set(x->u, IR_LTS, 8, s, lx_k(x, 0));
		ir_val lost = lx_op(x, IR_ANDN, s, lx_op(x, IR_SHL, lx_k(x, ~0ULL), most));
		ir_val some = lx_sel(x, big, neg, ir_set(x->u, IR_NE, 8, lost, lx_k(x, 0)));

		set_carry(x, lx_op(x, IR_AND, some, neg));
		finish(x, lx_op(x, IR_SAR, s, most));
		return;
	}
	r = lx_op(x, arg & SH_R ? IR_SHR : IR_SHL, s, n);
	finish(x, lx_sel(x, big, lx_k(x, 0), r));
}

/* srawi, sradi, extswsli. */
void lift_shift_imm(struct lx *x, u32 arg)
{
	unsigned n = arg & SH_D ? ppc_sh6(x->w) : ppc_rb(x->w);
	ir_val s = lx_gpr(x, ppc_rt(x->w));

	if (arg == (SH_D | SH_L)) {
		finish(x, lx_op(x, IR_SHL, lx_sext(x, 4, s), lx_k(x, n)));
		return;
	}
	if (!(arg & SH_D))
		s = lx_sext(x, 4, s);
	if (n) {
		s = shift_right_algebraic(x, s, lx_k(x, n));
	} else {
		set_carry(x, lx_k(x, 0));
	}
	finish(x, s);
}
