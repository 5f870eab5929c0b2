/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Branches, traps and the condition register (Book I 2.4, 2.5, 3.3.11) to IR.
 */
#include "engine/jit/ppc/lift.h"

static void link(struct lx *x)
{
	if (x->w & 1)
		ir_put(x->u, IR_I64, 8, OFF(lr), lx_k(x, lx_next(x)));
}

static u64 target(struct lx *x, s64 disp)
{
	u64 t = (x->w & 2 ? 0 : x->pc) + (u64)disp;

	return x->sf ? t : (u32)t;
}

void lift_b(struct lx *x, u32 arg)
{
	link(x);
	lx_goto(x, x->w & 1 ? IR_SUBROUTINE : IR_PLAIN,
		target(x, (s64)((u64)(x->w & 0x3fffffc) << 38) >> 38));
}

/*
 * The condition of BO and BI (Book I 2.4, figure "BO field encodings") with CTR counted down; 0 if
 * the branch is always taken.
 */
static ir_val condition(struct lx *x)
{
	unsigned bo = ppc_rt(x->w), size = x->sf ? 8 : 4;
	ir_val ok = 0, cr;

	if (!(bo & 4)) {
		ir_val ctr = lx_op(x, IR_SUB, ir_get(x->u, IR_I64, 8, OFF(ctr)), lx_k(x, 1));

		ir_put(x->u, IR_I64, 8, OFF(ctr), ctr);
		ok = ir_set(x->u, bo & 2 ? IR_EQ : IR_NE, size, ctr, lx_k(x, 0));
	}
	if (!(bo & 16)) {
		cr = lx_get1(x, OFF_CR(ppc_ra(x->w)));
		if (!(bo & 8))
			cr = lx_op(x, IR_XOR, cr, lx_k(x, 1));
		ok = ok ? lx_op(x, IR_AND, ok, cr) : cr;
	}
	return ok;
}

void lift_bc(struct lx *x, u32 arg)
{
	u64 to = target(x, (s16)(x->w & 0xfffc));
	ir_val cond;

	if (x->w == 0x429f0005) { /* bcl 20,31,$+4 reads the address of the next instruction */
		link(x);
		return;
	}
	cond = condition(x);
	link(x);
	if (!cond)
		lx_goto(x, x->w & 1 ? IR_SUBROUTINE : IR_PLAIN, to);
	else
		lx_goto_if(x, cond, to);
}

/* bclr, bcctr, bctar: off is where the target register is. */
void lift_bc_ind(struct lx *x, u32 off)
{
	bool lr = off == OFF(lr);
	enum ir_kind kind = x->w & 1 ? IR_SUBROUTINE : IR_PLAIN;
	u64 m = x->sf ? ~3ULL : 0xfffffffc;
	ir_val cond, to;
	u32 skip;

	if (!lr && off == OFF(ctr) && !(ppc_rt(x->w) & 4)) {
		lx_illegal(x); /* bcctr that counts is an invalid form */
		return;
	}
	if (lr && !(x->w & 1) && ppc_bits(x->w, 19, 20) == 0)
		kind = IR_RETURN;
	to = lx_op(x, IR_AND, ir_get(x->u, IR_I64, 8, off), lx_k(x, m));
	cond = condition(x);
	if (!cond) {
		link(x);
		lx_goto_ind(x, kind, to);
		return;
	}
	link(x);
	skip = ir_new_label(x->u);
	ir_brif(x->u, lx_op(x, IR_XOR, cond, lx_k(x, 1)), skip);
	lx_goto_ind(x, kind, to);
	lx_label(x, skip);
	x->ended = false;
}

/* Traps: arg 8 or 4 is the size, 16: with an immediate. */
void lift_trap(struct lx *x, u32 arg)
{
	static const u8 cc[] = {IR_GTU, IR_LTU, IR_EQ, IR_GTS, IR_LTS}; /* TO from the right */
	unsigned to = ppc_rt(x->w);
	ir_val a = lx_gpr(x, ppc_ra(x->w)), b, any = 0, one;
	u32 skip;

	if ((to & 7) == 7 || (to & 0x1c) == 0x1c) {
		lx_raise(x, PPC_PROGRAM, PPC_PROGRAM_TRAP, 0);
		return;
	}
	b = arg & 16 ? lx_k(x, (u64)ppc_si(x->w)) : lx_gpr(x, ppc_rb(x->w));
	for (unsigned i = 0; i < ARRAY_LEN(cc); i++)
		if (to >> i & 1) {
			one = ir_set(x->u, (enum ir_cc)cc[i], arg & 15, a, b);
			any = any ? lx_op(x, IR_OR, any, one) : one;
		}
	if (!any)
		return;
	skip = ir_new_label(x->u);
	ir_brif(x->u, lx_op(x, IR_XOR, any, lx_k(x, 1)), skip);
	lx_raise(x, PPC_PROGRAM, PPC_PROGRAM_TRAP, 0);
	lx_label(x, skip);
	x->ended = false;
}

/* arg: IR operation; 256: the second operand, 512: the result is complemented. */
void lift_crlogic(struct lx *x, u32 arg)
{
	ir_val a = lx_get1(x, OFF_CR(ppc_ra(x->w))), b = lx_get1(x, OFF_CR(ppc_rb(x->w))), r;

	if (arg & 256)
		b = lx_op(x, IR_XOR, b, lx_k(x, 1));
	if ((arg & 0xff) == IR_XOR && ppc_ra(x->w) == ppc_rb(x->w))
		r = lx_k(x, 0);
	else
		r = lx_op(x, arg & 0xff, a, b);
	if (arg & 512)
		r = lx_op(x, IR_XOR, r, lx_k(x, 1));
	lx_put1(x, OFF_CR(ppc_rt(x->w)), r);
}

void lift_mcrf(struct lx *x, u32 arg)
{
	unsigned to = ppc_bits(x->w, 6, 8), from = ppc_bits(x->w, 11, 13);

	ir_put(x->u, IR_I64, 4, OFF_CR(to * 4), ir_get(x->u, IR_I64, 4, OFF_CR(from * 4)));
}

/* FXM of mfocrf and mtocrf: what is undefined, not one bit, processors read as the first, or CR7.
 */
static unsigned one_field(u32 w)
{
	unsigned fxm = ppc_bits(w, 12, 19);

	return fxm ? 0x80000000u >> (unsigned)__builtin_clz(fxm) : 1;
}

/* The fields that FXM selects (mfcr: all), packed. */
void lift_mfcr(struct lx *x, u32 arg)
{
	unsigned fxm = arg ? one_field(x->w) : 0xff;
	ir_val r = lx_k(x, 0), bit;

	for (unsigned i = 0; i < 32; i++) {
		if (!(fxm >> (7 - i / 4) & 1))
			continue;
		bit = lx_get1(x, OFF_CR(i));
		if (i < 31)
			bit = lx_op(x, IR_SHL, bit, lx_k(x, 31 - i));
		r = lx_op(x, IR_OR, r, bit);
	}
	lx_set_gpr(x, ppc_rt(x->w), r);
}

void lift_mtcrf(struct lx *x, u32 arg)
{
	unsigned fxm = x->row->op == PPC_OP_MTOCRF ? one_field(x->w) : ppc_bits(x->w, 12, 19);
	ir_val s = lx_gpr(x, ppc_rt(x->w));

	for (unsigned i = 0; i < 32; i++)
		if (fxm >> (7 - i / 4) & 1)
			lx_put1(x, OFF_CR(i),
				lx_op(x, IR_AND, lx_op(x, IR_SHR, s, lx_k(x, 31 - i)), lx_k(x, 1)));
}

void lift_mcrxrx(struct lx *x, u32 arg)
{
	static const u32 from[] = {OFF(ov), OFF(ov32), OFF(ca), OFF(ca32)};

	for (unsigned i = 0; i < 4; i++)
		lx_put1(x, OFF_CR(ppc_bits(x->w, 6, 8) * 4 + i), lx_get1(x, from[i]));
}

void lift_setb(struct lx *x, u32 arg)
{
	unsigned bit = ppc_bits(x->w, 11, 13) * 4;
	ir_val gt = lx_get1(x, OFF_CR(bit + 1));

	lx_set_gpr(x, ppc_rt(x->w), lx_sel(x, lx_get1(x, OFF_CR(bit)), lx_k(x, ~0ULL), gt));
}

void lift_nop(struct lx *x, u32 arg)
{
}
