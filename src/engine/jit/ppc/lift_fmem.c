/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Loads and stores of FPRs and of scalars in VSRs (Book I 4.6.2, 4.6.3, 7.6.3) to IR.
 */
#include "engine/jit/ppc/lift.h"

static unsigned target(struct lx *x, u32 arg)
{
	if (arg & FM_VSX)
		return ppc_xt(x->w);
	return ppc_rt(x->w) + (arg & FM_VRT ? 32 : 0);
}

static void update(struct lx *x, u32 arg, ir_val ea, s64 disp)
{
	if (arg & M_UPDATE)
		lx_set_gpr(x, ppc_ra(x->w), disp ? lx_op(x, IR_ADD, ea, lx_k(x, (u64)disp)) : ea);
}

static bool bad_update(struct lx *x, u32 arg)
{
	if (!(arg & M_UPDATE) || ppc_ra(x->w))
		return false;
	lx_illegal(x);
	return true;
}

/* A floating-point number of 4 or 8 bytes at ea + disp as one. */
static ir_val load_number(struct lx *x, enum ir_type t, unsigned size, ir_val ea, s64 disp)
{
	if (!lx_swap(x))
		return ir_load(x->u, t, size, 0, ea, disp);
	return ir_typed(x->u, IR_BITSF, t, ir_load(x->u, IR_I64, size, IR_SWAP, ea, disp), 0, 0);
}

static void store_number(struct lx *x, enum ir_type t, unsigned size, ir_val ea, s64 disp, ir_val v)
{
	if (!lx_swap(x))
		ir_store(x->u, t, size, 0, ea, disp, v);
	else
		ir_store(x->u, IR_I64, size, IR_SWAP, ea, disp,
			 ir_typed(x->u, IR_FBITS, t, v, 0, 0));
}

void lift_fload(struct lx *x, u32 arg)
{
	unsigned t = target(x, arg), size = arg & M_SIZE;
	ir_val ea, v;
	s64 disp;

	if (bad_update(x, arg))
		return;
	ea = lx_ea(x, arg, &disp);
	if (arg & FM_INT) {
		v = ir_load(x->u, IR_I64, size, lx_swap(x) | (arg & M_SX ? IR_SIGNED : 0), ea,
			    disp);
		ir_put(x->u, IR_I64, 8, OFF_FPR(t), v);
		x->single[t] = 0;
	} else if (arg & FM_SINGLE) {
		v = load_number(x, IR_F32, 4, ea, disp);
		ir_put(x->u, IR_F32, 4, OFF(scratch[0]), v);
		x->single[t] = v;
		v = ir_ffix(x->u, IR_F64, ir_make(x->u, IR_S2F, 0, v, 0, 0), H_LFS, x->w);
		ir_put(x->u, IR_F64, 8, OFF_FPR(t), v);
	} else {
		v = load_number(x, IR_F64, 8, ea, disp);
		ir_put(x->u, IR_F64, 8, OFF_FPR(t), v);
		x->single[t] = 0;
	}
	update(x, arg, ea, disp);
}

/*
 * A double as single without rounding: its bits in the ordinary case; a subnormal single, and what
 * cannot be one, by the helper, which ffix calls for a NaN.
 */
static ir_val as_single(struct lx *x, unsigned t)
{
	ir_val v = ir_get(x->u, IR_I64, 8, OFF_FPR(t)), bits, exp, rare;

	bits = lx_op(x, IR_OR,
		     lx_op(x, IR_AND, lx_op(x, IR_SHR, v, lx_k(x, 32)), lx_k(x, 0xc0000000)),
		     lx_op(x, IR_AND, lx_op(x, IR_SHR, v, lx_k(x, 29)), lx_k(x, 0x3fffffff)));
	exp = lx_op(x, IR_AND, lx_op(x, IR_SHR, v, lx_k(x, 52)), lx_k(x, 0x7ff));
	rare = ir_set(x->u, IR_LTU, 8, lx_op(x, IR_SUB, exp, lx_k(x, 1)), lx_k(x, 896));
	bits = lx_sel(x, rare, lx_k(x, 0x7fc00000), bits);
	return ir_ffix(x->u, IR_F32, ir_typed(x->u, IR_BITSF, IR_F32, bits, 0, 0), H_STFS, t);
}

void lift_fstore(struct lx *x, u32 arg)
{
	unsigned t = target(x, arg), size = arg & M_SIZE;
	ir_val ea, v;
	s64 disp;

	if (bad_update(x, arg))
		return;
	ea = lx_ea(x, arg, &disp);
	if (arg & FM_INT) {
		v = ir_get(x->u, IR_I64, 8, OFF_FPR(t));
		ir_store(x->u, IR_I64, size, lx_swap(x), ea, disp, v);
	} else if (arg & FM_SINGLE) {
		v = x->single[t] ? x->single[t] : as_single(x, t);
		store_number(x, IR_F32, 4, ea, disp, v);
	} else {
		store_number(x, IR_F64, 8, ea, disp, ir_get(x->u, IR_F64, 8, OFF_FPR(t)));
	}
	update(x, arg, ea, disp);
}

/* Pairs: in either byte order the even register is the number's high half. */
void lift_lfdp(struct lx *x, u32 arg)
{
	unsigned t = ppc_rt(x->w), first = x->key & PPC_KEY_LE ? 1 : 0;
	ir_val ea, v[2];
	s64 disp;

	if (t & 1) {
		lx_illegal(x);
		return;
	}
	ea = lx_ea(x, arg, &disp);
	for (unsigned i = 0; i < 2; i++)
		v[i] = load_number(x, IR_F64, 8, ea, disp + 8 * i);
	for (unsigned i = 0; i < 2; i++) {
		ir_put(x->u, IR_F64, 8, OFF_FPR(t + (i ^ first)), v[i]);
		x->single[t + i] = 0;
	}
}

void lift_stfdp(struct lx *x, u32 arg)
{
	unsigned t = ppc_rt(x->w), first = x->key & PPC_KEY_LE ? 1 : 0;
	ir_val ea;
	s64 disp;

	if (t & 1) {
		lx_illegal(x);
		return;
	}
	ea = lx_ea(x, arg, &disp);
	for (unsigned i = 0; i < 2; i++)
		store_number(x, IR_F64, 8, ea, disp + 8 * i,
			     ir_get(x->u, IR_F64, 8, OFF_FPR(t + (i ^ first))));
}
