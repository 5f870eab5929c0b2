/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector floating point of VSX (Book I 7.6) to IR: on the host's vectors; a NaN in a lane sends the
 * whole to the exact helper.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/lift_vec.h"

static ir_val negated(struct lx *x, u32 arg, ir_val v)
{
	u64 m = arg & VF_DP ? BIT(63) : BIT(63) | BIT(31);

	return ir_make(x->u, IR_VXOR, 0, v, ir_vconst(x->u, m, m), 0);
}

void lift_vfarith(struct lx *x, u32 arg)
{
	static const u8 op[] = {[FP_ADD] = IR_VFADD,
				[FP_SUB] = IR_VFSUB,
				[FP_MUL] = IR_VFMUL,
				[FP_DIV] = IR_VFDIV,
				[FP_SQRT] = IR_VFSQRT};
	unsigned size = arg & VF_DP ? 8 : 4, kind = arg & 0xff, xt = ppc_xt(x->w);
	ir_val a, b, c, r;

	if (x->key & PPC_KEY_FPSLOW) {
		lift_vop(x, 0);
		x->single[xt] = 0;
		return;
	}
	a = lx_vsr(x, ppc_xa(x->w));
	b = lx_vsr(x, arg & VF_MA ? xt : ppc_xb(x->w));
	if (kind < FP_MADD) {
		if (kind == FP_SQRT)
			a = b, b = 0;
		r = ir_make(x->u, op[kind], size, a, b, 0);
	} else {
		c = lx_vsr(x, arg & VF_MA ? ppc_xb(x->w) : xt);
		if (kind == FP_MSUB || kind == FP_NMSUB)
			b = negated(x, arg, b);
		r = ir_make(x->u, IR_VFMA, size, a, c, b);
		if (kind == FP_NMADD || kind == FP_NMSUB)
			r = negated(x, arg, r);
	}
	lx_set_vsr(x, xt, ir_vfix(x->u, size, r, H_VFIX, x->w));
}

/* xvabs, xvnabs, xvneg: arg V_NOT: clear the signs, V_NOTB: set (or invert) them. */
void lift_vfsign(struct lx *x, u32 arg)
{
	u64 m = arg & VF_DP ? BIT(63) : BIT(63) | BIT(31);
	ir_val v = lx_vsr(x, ppc_xb(x->w));

	if (arg & V_NOT)
		v = ir_make(x->u, IR_VAND, 0, v, ir_vconst(x->u, ~m, ~m), 0);
	if (arg & V_NOTB)
		v = ir_make(x->u, IR_VXOR, 0, v, ir_vconst(x->u, m, m), 0);
	lx_set_vsr(x, ppc_xt(x->w), v);
}
