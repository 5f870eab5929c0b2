/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fixed-point storage access (Book I 3.3.2 to 3.3.7, Book II 4.6) to IR.
 */
#include "engine/jit/ppc/lift.h"

unsigned lx_swap(const struct lx *x)
{
	return x->key & PPC_KEY_LE ? 0 : IR_SWAP;
}

/*
 * The effective address as a value and a displacement. In 32-bit mode the sum is cut to 32 bits.
 */
ir_val lx_ea(struct lx *x, u32 arg, s64 *disp)
{
	unsigned ra = ppc_ra(x->w);
	ir_val a = arg & M_UPDATE ? lx_gpr(x, ra) : lx_gpr0(x, ra);

	*disp = 0;
	if (arg & M_INDEXED) {
		ir_val b = lx_gpr(x, ppc_rb(x->w));

		a = ra || (arg & M_UPDATE) ? lx_op(x, IR_ADD, a, b) : b;
	} else {
		*disp = arg & M_DS ? (s16)(x->w & 0xfffc) : (s16)x->w;
	}
	if (!x->sf) {
		a = lx_zext(x, 4, *disp ? lx_op(x, IR_ADD, a, lx_k(x, (u64)*disp)) : a);
		*disp = 0;
	}
	return a;
}

static void update(struct lx *x, u32 arg, ir_val ea, s64 disp)
{
	if (arg & M_UPDATE)
		lx_set_gpr(x, ppc_ra(x->w), disp ? lx_op(x, IR_ADD, ea, lx_k(x, (u64)disp)) : ea);
}

static unsigned access_flags(struct lx *x, u32 arg)
{
	unsigned f = lx_swap(x);

	if (arg & M_REVERSE)
		f ^= IR_SWAP;
	return f | (arg & M_SX ? IR_SIGNED : 0);
}

/* Update forms with RA = 0, or RA = RT of loads, are invalid (Book I 3.3.2). */
static bool bad_update(struct lx *x, u32 arg, bool load)
{
	unsigned ra = ppc_ra(x->w);

	if (!(arg & M_UPDATE) || (ra && !(load && ra == ppc_rt(x->w))))
		return false;
	lx_illegal(x);
	return true;
}

void lift_load(struct lx *x, u32 arg)
{
	ir_val ea, v;
	s64 disp;

	if (bad_update(x, arg, true))
		return;
	ea = lx_ea(x, arg, &disp);
	v = ir_load(x->u, IR_I64, arg & M_SIZE, access_flags(x, arg), ea, disp);
	lx_set_gpr(x, ppc_rt(x->w), v);
	update(x, arg, ea, disp);
}

void lift_store(struct lx *x, u32 arg)
{
	ir_val ea, v;
	s64 disp;

	if (bad_update(x, arg, false))
		return;
	v = lx_gpr(x, ppc_rt(x->w));
	ea = lx_ea(x, arg, &disp);
	ir_store(x->u, IR_I64, arg & M_SIZE, access_flags(x, arg), ea, disp, v);
	update(x, arg, ea, disp);
}

/* An alignment interrupt at EA, whatever it is (multiple and string accesses in LE mode). */
static void alignment(struct lx *x, ir_val ea, s64 disp)
{
	if (disp)
		ea = lx_op(x, IR_ADD, ea, lx_k(x, (u64)disp));
	ir_call(x->u, H_ALIGN, ea, 0, 0);
	x->ended = true;
	ir_exit(x->u, IR_PLAIN, x->pc);
}

void lift_lmw(struct lx *x, u32 store)
{
	unsigned rt = ppc_rt(x->w), ra = ppc_ra(x->w);
	ir_val ea, v[32];
	s64 disp;

	if (!store && ra >= rt && (ra || rt == 0)) {
		lx_illegal(x);
		return;
	}
	ea = lx_ea(x, 0, &disp);
	if (x->key & PPC_KEY_LE) {
		alignment(x, ea, disp);
		return;
	}
	for (unsigned r = rt; r < 32; r++, disp += 4) {
		if (!x->sf && r > rt) /* each word's address wraps by itself */
			ea = lx_zext(x, 4, lx_op(x, IR_ADD, ea, lx_k(x, 4))), disp = 0;
		if (store)
			ir_store(x->u, IR_I64, 4, lx_swap(x), ea, disp, lx_gpr(x, r));
		else
			v[r] = ir_load(x->u, IR_I64, 4, lx_swap(x), ea, disp);
	}
	for (unsigned r = rt; !store && r < 32; r++)
		lx_set_gpr(x, r, v[r]);
}

/* Is register n one of the `count` from rt on, with wrap-around? */
static bool in_range(unsigned rt, unsigned count, unsigned n)
{
	return ((n - rt) & 31) < count;
}

/* lswi, lswx, stswi, stswx. The loads must not overwrite their own address (Book I 3.3.6). */
void lift_lsw(struct lx *x, u32 arg)
{
	unsigned nb = ppc_rb(x->w) ? ppc_rb(x->w) : 32, ra = ppc_ra(x->w);
	ir_val ea;
	s64 disp;

	if (x->row->op == PPC_OP_LSWI && in_range(ppc_rt(x->w), (nb + 3) / 4, ra)) {
		lx_illegal(x);
		return;
	}
	ea = arg & M_INDEXED ? lx_ea(x, arg, &disp) : lx_gpr0(x, ra);
	if (!x->sf)
		ea = lx_zext(x, 4, ea);
	if (x->key & PPC_KEY_LE)
		alignment(x, ea, 0);
	else
		ir_call(x->u, H_LSW, lx_k(x, x->w), ea, lx_k(x, x->row->op));
}

/* Raise the alignment interrupt unless EA is a multiple of size. */
static void check_aligned(struct lx *x, unsigned size, ir_val ea)
{
	u32 skip;

	if (size == 1)
		return;
	skip = ir_new_label(x->u);
	ir_brif(x->u, ir_set(x->u, IR_EQ, 8, lx_op(x, IR_AND, ea, lx_k(x, size - 1)), lx_k(x, 0)),
		skip);
	ir_call(x->u, H_ALIGN, ea, 0, 0);
	ir_exit(x->u, IR_PLAIN, x->pc);
	lx_label(x, skip);
}

static ir_val indexed_ea(struct lx *x)
{
	s64 disp;

	return lx_ea(x, M_INDEXED, &disp);
}

void lift_larx(struct lx *x, u32 size)
{
	ir_val ea, v;

	check_aligned(x, size, indexed_ea(x));
	ea = indexed_ea(x);
	v = ir_load(x->u, IR_I64, size, lx_swap(x), ea, 0);
	ir_put(x->u, IR_I64, 8, OFF(res_addr), ea);
	ir_put(x->u, IR_I64, 8, OFF(res_val[0]), v);
	ir_put(x->u, IR_I64, 4, OFF(res_size), lx_k(x, size));
	lx_set_gpr(x, ppc_rt(x->w), v);
}

/* CR0 of a store conditional: 00, done, SO; and the reservation is gone. */
static void conditional_result(struct lx *x, ir_val done)
{
	lx_put1(x, OFF_CR(0), lx_k(x, 0));
	lx_put1(x, OFF_CR(1), lx_k(x, 0));
	lx_put1(x, OFF_CR(2), done);
	lx_put1(x, OFF_CR(3), lx_get1(x, OFF(so)));
	ir_put(x->u, IR_I64, 8, OFF(res_addr), lx_k(x, PPC_NO_RESERVATION));
}

/* A store conditional succeeds if memory holds what the reservation saw: compare and swap. */
void lift_stcx(struct lx *x, u32 size)
{
	u32 fail = ir_new_label(x->u), end = ir_new_label(x->u);
	ir_val ea, other;

	check_aligned(x, size, indexed_ea(x));
	ea = indexed_ea(x);
	other = ir_set(x->u, IR_NE, 8, ea, ir_get(x->u, IR_I64, 8, OFF(res_addr)));
	other = lx_op(
		x, IR_OR, other,
		ir_set(x->u, IR_NE, 4, ir_get(x->u, IR_I64, 4, OFF(res_size)), lx_k(x, size)));
	ir_brif(x->u, other, fail);
	conditional_result(x, ir_cas(x->u, size, lx_swap(x), ea,
				     ir_get(x->u, IR_I64, 8, OFF(res_val[0])),
				     lx_gpr(x, ppc_rt(x->w))));
	ir_br(x->u, end);
	lx_label(x, fail);
	conditional_result(x, lx_k(x, 0));
	lx_label(x, end);
}

/* Quadwords: the even register is the number's high half in either byte order. */
static ir_val load_quad(struct lx *x, ir_val ea, s64 disp)
{
	ir_val v = ir_load(x->u, IR_V128, 16, lx_swap(x), ea, disp);
	unsigned rt = ppc_rt(x->w);

	lx_set_gpr(x, rt, ir_imm(x->u, IR_VEXT, 8, v, 0, 1));
	lx_set_gpr(x, rt + 1, ir_imm(x->u, IR_VEXT, 8, v, 0, 0));
	return v;
}

/* RTp must be even, and of loads not contain RA or RB. */
static bool bad_pair(struct lx *x, bool load, bool indexed)
{
	unsigned rt = ppc_rt(x->w), ra = ppc_ra(x->w), rb = ppc_rb(x->w);

	if (!(rt & 1) && !(load && ((rt | 1) == (ra | 1) || (indexed && (rt | 1) == (rb | 1)))))
		return false;
	lx_illegal(x);
	return true;
}

void lift_lq(struct lx *x, u32 arg)
{
	s64 disp = (s16)(x->w & 0xfff0);
	ir_val a;

	if (bad_pair(x, true, false))
		return;
	a = lx_op(x, IR_ADD, lx_gpr0(x, ppc_ra(x->w)), lx_k(x, (u64)disp));
	check_aligned(x, 16, x->sf ? a : lx_zext(x, 4, a));
	a = lx_op(x, IR_ADD, lx_gpr0(x, ppc_ra(x->w)), lx_k(x, (u64)disp));
	load_quad(x, x->sf ? a : lx_zext(x, 4, a), 0);
}

void lift_stq(struct lx *x, u32 arg)
{
	ir_val ea, v;
	s64 disp;

	if (bad_pair(x, false, false))
		return;
	ea = lx_ea(x, M_DS, &disp);
	check_aligned(x, 16, lx_op(x, IR_ADD, ea, lx_k(x, (u64)disp)));
	ea = lx_ea(x, M_DS, &disp);
	v = ir_make(x->u, IR_VCAT, 0, lx_gpr(x, ppc_rt(x->w) + 1), lx_gpr(x, ppc_rt(x->w)), 0);
	ir_store(x->u, IR_V128, 16, lx_swap(x), ea, disp, v);
}

void lift_lqarx(struct lx *x, u32 arg)
{
	ir_val ea, v;

	if (bad_pair(x, true, true))
		return;
	check_aligned(x, 16, indexed_ea(x));
	ea = indexed_ea(x);
	v = ir_load(x->u, IR_V128, 16, lx_swap(x), ea, 0);
	ir_put(x->u, IR_I64, 8, OFF(res_addr), ea);
	ir_put(x->u, IR_I64, 8, OFF(res_val[0]), ir_imm(x->u, IR_VEXT, 8, v, 0, 0));
	ir_put(x->u, IR_I64, 8, OFF(res_val[1]), ir_imm(x->u, IR_VEXT, 8, v, 0, 1));
	ir_put(x->u, IR_I64, 4, OFF(res_size), lx_k(x, 16));
	lx_set_gpr(x, ppc_rt(x->w), ir_get(x->u, IR_I64, 8, OFF(res_val[1])));
	lx_set_gpr(x, ppc_rt(x->w) + 1, ir_get(x->u, IR_I64, 8, OFF(res_val[0])));
}

void lift_stqcx(struct lx *x, u32 arg)
{
	if (bad_pair(x, false, false))
		return;
	check_aligned(x, 16, indexed_ea(x));
	ir_call(x->u, H_QUAD, lx_k(x, x->w), indexed_ea(x), 0);
}

void lift_amo(struct lx *x, u32 size)
{
	check_aligned(x, size, lx_gpr(x, ppc_ra(x->w)));
	ir_call(x->u, H_AMO, lx_k(x, x->w), lx_gpr(x, ppc_ra(x->w)), lx_k(x, x->row->op));
}

/* The cache block: 128 bytes on all processors of ISA 2.07 and 3.0. */
void lift_dcbz(struct lx *x, u32 arg)
{
	ir_val ea = lx_op(x, IR_AND, indexed_ea(x), lx_k(x, ~127ULL));
	ir_val zero = ir_vconst(x->u, 0, 0);

	for (unsigned i = 0; i < 128; i += 16)
		ir_store(x->u, IR_V128, 16, 0, ea, i, zero);
}
