/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector loads and stores (Book I 6.7, 7.6.3) to IR. In the state a vector is one number; in
 * storage its elements of the given size stand one after the other, each in the mode's byte order.
 */
#include "engine/jit/ppc/lift.h"

static unsigned target(struct lx *x, u32 arg)
{
	if (arg & VM_DQ)
		return ppc_xtq(x->w);
	return arg & VM_VRT ? ppc_rt(x->w) + 32 : ppc_xt(x->w);
}

static ir_val address(struct lx *x, u32 arg, s64 *disp)
{
	ir_val ea;

	if (arg & VM_DQ) {
		ea = lx_gpr0(x, ppc_ra(x->w));
		*disp = (s16)(x->w & 0xfff0);
		if (!x->sf) {
			ea = lx_zext(x, 4, lx_op(x, IR_ADD, ea, lx_k(x, (u64)*disp)));
			*disp = 0;
		}
		return ea;
	}
	ea = lx_ea(x, M_INDEXED, disp);
	return arg & VM_ALIGN ? lx_op(x, IR_AND, ea, lx_k(x, ~15ULL)) : ea;
}

/*
 * Between a number in little-endian storage and elements of `size`, first one leftmost: their
 * order is reversed.
 */
static ir_val reorder(struct lx *x, unsigned size, ir_val v)
{
	ir_val order;

	switch (size) {
	case 16:
		return v;
	case 8:
		return ir_imm(x->u, IR_VALIGN, 0, v, v, 8);
	case 4:
		order = ir_vconst(x->u, 0x0b0a09080f0e0d0cULL, 0x0302010007060504ULL);
		break;
	default:
		order = ir_vconst(x->u, 0x09080b0a0d0c0f0eULL, 0x0100030205040706ULL);
	}
	return ir_make(x->u, IR_VSHUF, 0, v, order, 0);
}

/* Elements of one byte stand in the same order whatever the mode. */
static bool whole_swap(struct lx *x, unsigned size)
{
	return size == 1 || lx_swap(x);
}

void lift_vload(struct lx *x, u32 arg)
{
	unsigned size = arg & 31;
	s64 disp;
	ir_val ea = address(x, arg, &disp), v;

	if (whole_swap(x, size))
		v = ir_load(x->u, IR_V128, 16, IR_SWAP, ea, disp);
	else
		v = reorder(x, size, ir_load(x->u, IR_V128, 16, 0, ea, disp));
	lx_set_vsr(x, target(x, arg), v);
}

void lift_vstore(struct lx *x, u32 arg)
{
	unsigned size = arg & 31;
	s64 disp;
	ir_val ea = address(x, arg, &disp), v = lx_vsr(x, target(x, arg));

	if (whole_swap(x, size))
		ir_store(x->u, IR_V128, 16, IR_SWAP, ea, disp, v);
	else
		ir_store(x->u, IR_V128, 16, 0, ea, disp, reorder(x, size, v));
}

void lift_vsplat_load(struct lx *x, u32 size)
{
	s64 disp;
	ir_val ea = lx_ea(x, M_INDEXED, &disp);

	lx_set_vsr(x, ppc_xt(x->w),
		   ir_make(x->u, IR_VSPLAT, size, ir_load(x->u, IR_I64, size, lx_swap(x), ea, 0), 0,
			   0));
}

void lift_stve(struct lx *x, u32 size)
{
	s64 disp;
	ir_val ea = lx_ea(x, M_INDEXED, &disp);

	ir_call(x->u, H_STVE, lx_k(x, x->w), lx_op(x, IR_AND, ea, lx_k(x, ~(u64)(size - 1))),
		lx_k(x, size));
}

/* lxvl and its like: the address is RA|0, the length in RB. */
void lift_lxvl(struct lx *x, u32 helper)
{
	ir_val ea = lx_gpr0(x, ppc_ra(x->w));

	ir_call(x->u, helper, lx_k(x, x->w), x->sf ? ea : lx_zext(x, 4, ea),
		lx_gpr(x, ppc_rb(x->w)));
	x->single[ppc_xt(x->w)] = 0;
}
