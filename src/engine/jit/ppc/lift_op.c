/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Instructions that are one call of their helper (op.h).
 */
#include "engine/jit/ppc/lift.h"

void lift_op(struct lx *x, u32 arg)
{
	ir_call(x->u, H_OP, lx_k(x, x->w), lx_k(x, x->row->op), 0);
}

void lift_vop(struct lx *x, u32 arg)
{
	unsigned rt = ppc_rt(x->w);

	ir_call(x->u, H_VOP, lx_k(x, x->w), lx_k(x, x->row->op), 0);
	x->single[rt] = 0;
}
