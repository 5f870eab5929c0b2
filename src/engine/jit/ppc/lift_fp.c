/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Scalar floating point (Book I 4.6) and scalar VSX to IR: the operation on the host's FPU, a check
 * that sends NaNs to the exact helper, and the operands kept for FPRF, FI and FR (fp.h).
 * Record forms, and everything while FPSCR enables an exception, are helpers' alone.
 *
 * Singles: a value that was rounded to single in this straight piece is also at hand as F32. Add,
 * subtract, multiply, divide and square root of singles may be done in double and rounded again;
 * multiply-add may not.
 */
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/op_fp.h"

struct regs {
	unsigned t, a, b, c;
};

static struct regs registers(u32 w, u32 arg)
{
	switch (arg & F_FORM) {
	case F_AC:
		return (struct regs){ppc_rt(w), ppc_ra(w), ppc_rc(w), 0};
	case F_AB:
	case F_ACB:
	case F_B:
		return (struct regs){ppc_rt(w), ppc_ra(w), ppc_rb(w), ppc_rc(w)};
	case X_MA:
		return (struct regs){ppc_xt(w), ppc_xa(w), ppc_xt(w), ppc_xb(w)};
	case X_MM:
		return (struct regs){ppc_xt(w), ppc_xa(w), ppc_xb(w), ppc_xt(w)};
	default:
		return (struct regs){ppc_xt(w), ppc_xa(w), ppc_xb(w), 0};
	}
}

static ir_val get(struct lx *x, unsigned n)
{
	return ir_get(x->u, IR_F64, 8, OFF_FPR(n));
}

static bool one_operand(unsigned op)
{
	return op == FP_SQRT || op >= FP_RSP;
}

/* Keep the operands for whoever asks for FPRF. */
static void keep(struct lx *x, u32 arg, ir_val a, ir_val b, ir_val c)
{
	unsigned op = arg & (FP_SINGLE - 1);

	if (!one_operand(op))
		ir_put(x->u, IR_F64, 8, OFF(fp_a), a);
	ir_put(x->u, IR_F64, 8, OFF(fp_b), b);
	if (op >= FP_MADD && op <= FP_NMSUB)
		ir_put(x->u, IR_F64, 8, OFF(fp_c), c);
	ir_put(x->u, IR_I64, 2, OFF(fp_op), lx_k(x, arg & 0xff));
}

static ir_val operate(struct lx *x, unsigned op, enum ir_type t, ir_val a, ir_val b, ir_val c)
{
	ir_val r;

	switch (op) {
	case FP_ADD:
		return ir_typed(x->u, IR_FADD, t, a, b, 0);
	case FP_SUB:
		return ir_typed(x->u, IR_FSUB, t, a, b, 0);
	case FP_MUL:
		return ir_typed(x->u, IR_FMUL, t, a, b, 0);
	case FP_DIV:
		return ir_typed(x->u, IR_FDIV, t, a, b, 0);
	case FP_SQRT:
		return ir_typed(x->u, IR_FSQRT, t, b, 0, 0);
	default:
		if (op == FP_MSUB || op == FP_NMSUB)
			b = ir_typed(x->u, IR_FNEG, t, b, 0, 0);
		r = ir_typed(x->u, IR_FMA, t, a, c, b);
		if (op == FP_NMADD || op == FP_NMSUB)
			r = ir_typed(x->u, IR_FNEG, t, r, 0, 0);
		return r;
	}
}

static ir_val narrow(struct lx *x, unsigned reg, ir_val v)
{
	return x->single[reg] ? x->single[reg] : ir_make(x->u, IR_F2S, 0, v, 0, 0);
}

/* The result as F32 before the check. */
static ir_val single_result(struct lx *x, unsigned op, struct regs n, ir_val a, ir_val b, ir_val c)
{
	bool fma = op >= FP_MADD && op <= FP_NMSUB;

	if (op == FP_RSP)
		return narrow(x, n.b, b);
	if (fma)
		return operate(x, op, IR_F32, narrow(x, n.a, a), narrow(x, n.b, b),
			       narrow(x, n.c, c));
	if (x->single[n.b] && (op == FP_SQRT || x->single[n.a]))
		return operate(x, op, IR_F32, x->single[n.a], x->single[n.b], 0);
	return ir_make(x->u, IR_F2S, 0, operate(x, op, IR_F64, a, b, c), 0, 0);
}

static void put_single(struct lx *x, unsigned t, ir_val s)
{
	ir_put(x->u, IR_F64, 8, OFF_FPR(t), ir_make(x->u, IR_S2F, 0, s, 0, 0));
	x->single[t] = s;
}

static void lift_single(struct lx *x, u32 arg, struct regs n)
{
	ir_val a = get(x, n.a), b = get(x, n.b), c = get(x, n.c), r;

	r = single_result(x, arg & (FP_SINGLE - 1), n, a, b, c);
	r = ir_ffix(x->u, IR_F32, r, H_FFIX32, x->w);
	put_single(x, n.t, r);
	keep(x, arg, a, b, c);
}

static void lift_from_int(struct lx *x, u32 arg, struct regs n)
{
	ir_val v = ir_get(x->u, IR_I64, 8, OFF_FPR(n.b));
	unsigned op = (arg & (FP_SINGLE - 1)) == FP_CFID ? IR_I2F : IR_U2F;
	struct ir_op o = {
		.op = (u8)op, .type = arg & FP_SINGLE ? IR_F32 : IR_F64, .size = 8, .a = v};
	ir_val r = ir_add_op(x->u, o);

	if (arg & FP_SINGLE) {
		put_single(x, n.t, r);
	} else {
		ir_put(x->u, IR_F64, 8, OFF_FPR(n.t), r);
		x->single[n.t] = 0;
	}
	ir_put(x->u, IR_I64, 8, OFF(fp_b), v);
	ir_put(x->u, IR_I64, 2, OFF(fp_op), lx_k(x, arg & 0xff));
}

#define SOME_NAN 0x7ff8000000000000ULL

/* A double that is NaN, so that ffix calls its helper, if cond is 1. */
static ir_val trigger(struct lx *x, ir_val cond)
{
	ir_val bits = lx_sel(x, cond, lx_k(x, SOME_NAN), lx_k(x, 0));

	return ir_typed(x->u, IR_BITSF, IR_F64, bits, 0, 0);
}

/* The host gives the lowest integer for what it cannot represent: then ask the helper. */
static void lift_to_int(struct lx *x, u32 arg, struct regs n)
{
	unsigned op = arg & (FP_SINGLE - 1), size = op >= FP_CTIW ? 4 : 8;
	ir_val b = get(x, n.b), r, bad, fixed;
	struct ir_op o = {.op = (op - FP_CTID) & 1 ? IR_F2IZ : IR_F2I,
			  .type = IR_F64,
			  .size = (u8)size,
			  .a = b};

	r = ir_add_op(x->u, o);
	bad = ir_set(x->u, IR_EQ, size, r, lx_k(x, size == 8 ? BIT(63) : BIT(31)));
	if (size == 4)
		r = lx_sext(x, 4, r);
	fixed = ir_ffix(x->u, IR_F64, trigger(x, bad), H_CTI, x->w);
	r = lx_sel(x, bad, ir_typed(x->u, IR_FBITS, IR_F64, fixed, 0, 0), r);
	if (arg & F_WORD)
		r = lx_op(x, IR_OR, lx_zext(x, 4, r), lx_op(x, IR_SHL, r, lx_k(x, 32)));
	ir_put(x->u, IR_I64, 8, OFF_FPR(n.t), r);
	x->single[n.t] = 0;
	keep(x, arg, 0, b, 0);
}

static void lift_to_integral(struct lx *x, u32 arg, struct regs n)
{
	static const u8 mode[] = {[FP_RIZ - FP_RIN] = IR_ZERO,
				  [FP_RIP - FP_RIN] = IR_UP,
				  [FP_RIM - FP_RIN] = IR_DOWN};
	ir_val b = get(x, n.b);
	struct ir_op o = {.op = IR_FROUND,
			  .type = IR_F64,
			  .a = b,
			  .imm = mode[(arg & (FP_SINGLE - 1)) - FP_RIN]};
	ir_val r = ir_ffix(x->u, IR_F64, ir_add_op(x->u, o), H_FFIX, x->w);

	ir_put(x->u, IR_F64, 8, OFF_FPR(n.t), r);
	x->single[n.t] = 0;
	keep(x, arg, 0, b, 0);
}

/* Only by the helper: estimates, rounding that x86 does not have, unsigned integers. */
static bool helper_only(struct lx *x, u32 arg)
{
	unsigned op = arg & (FP_SINGLE - 1);

	return (x->key & PPC_KEY_FPSLOW) ||
	       (!(arg >= X_AB && (arg & F_FORM) >= X_AB) && (x->w & 1)) || op == FP_RE ||
	       op == FP_RSQRTE || op == FP_RIN || op == FP_RIC || op == FP_SPDP ||
	       (op >= FP_CTID && op <= FP_CTIWUZ && ((op - FP_CTID) & 2));
}

void lift_farith(struct lx *x, u32 arg)
{
	unsigned op = arg & (FP_SINGLE - 1);
	struct regs n = registers(x->w, arg);
	ir_val a, b, c, r;

	if (helper_only(x, arg)) {
		lift_vop(x, 0);
		x->single[n.t] = 0;
	} else if (op == FP_CFID || op == FP_CFIDU) {
		lift_from_int(x, arg, n);
	} else if (op >= FP_CTID && op <= FP_CTIWUZ) {
		lift_to_int(x, arg, n);
	} else if (op >= FP_RIN && op <= FP_RIC) {
		lift_to_integral(x, arg, n);
	} else if ((arg & FP_SINGLE) || op == FP_RSP) {
		lift_single(x, arg, n);
	} else {
		a = get(x, n.a);
		b = get(x, n.b);
		c = get(x, n.c);
		r = ir_ffix(x->u, IR_F64, operate(x, op, IR_F64, a, b, c), H_FFIX, x->w);
		ir_put(x->u, IR_F64, 8, OFF_FPR(n.t), r);
		x->single[n.t] = 0;
		keep(x, arg, a, b, c);
	}
}

void lift_fmove(struct lx *x, u32 arg)
{
	struct regs n = registers(x->w, arg);
	unsigned kind = arg & 0xff;
	ir_val r, s = 0;

	if (((arg & F_FORM) < X_AB && kind < MV_MRGEW && (x->w & 1)) || kind >= MV_CPSGN) {
		if (kind == MV_SEL && !(x->w & 1)) {
			struct ir_op zero = {.op = IR_BITSF, .type = IR_F64, .a = lx_k(x, 0)};

			r = ir_fset(x->u, IR_GES, IR_F64, get(x, n.a), ir_add_op(x->u, zero));
			r = ir_typed(x->u, IR_SEL, IR_F64, r, get(x, n.c), get(x, n.b));
			ir_put(x->u, IR_F64, 8, OFF_FPR(n.t), r);
		} else {
			lift_vop(x, 0);
		}
		x->single[n.t] = 0;
		return;
	}
	r = get(x, n.b);
	if (kind == MV_MR)
		s = x->single[n.b];
	if (kind == MV_ABS || kind == MV_NABS)
		r = ir_typed(x->u, IR_FABS, IR_F64, r, 0, 0);
	if (kind == MV_NEG || kind == MV_NABS)
		r = ir_typed(x->u, IR_FNEG, IR_F64, r, 0, 0);
	ir_put(x->u, IR_F64, 8, OFF_FPR(n.t), r);
	x->single[n.t] = s;
}

void lift_fcmp(struct lx *x, u32 arg)
{
	static const enum ir_cc cc[] = {IR_LTS, IR_GTS, IR_EQ};
	struct regs n = registers(x->w, arg);
	unsigned field = ppc_bits(x->w, 6, 8) * 4;
	ir_val a = get(x, n.a), b = get(x, n.b), bit, all;

	if (x->key & PPC_KEY_FPSLOW) {
		lift_vop(x, 0);
		return;
	}
	/* The helper's answer for unordered operands is the number 1, and exceptions. */
	bit = ir_fset(x->u, IR_UNO, IR_F64, a, b);
	bit = ir_ffix(x->u, IR_F64, trigger(x, bit), H_FCMP, x->w);
	all = ir_typed(x->u, IR_FBITS, IR_F64, bit, 0, 0);
	lx_put1(x, OFF_CR(field + 3), all);
	for (unsigned i = 0; i < 3; i++) {
		bit = ir_fset(x->u, cc[i], IR_F64, a, b);
		lx_put1(x, OFF_CR(field + i), bit);
		all = lx_op(x, IR_OR, all, lx_op(x, IR_SHL, bit, lx_k(x, 3 - i)));
	}
	lx_put1(x, OFF(fp_cmp), lx_op(x, IR_OR, all, lx_k(x, 16)));
}
