/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector integer instructions, logic and permutes of VMX and VSX (Book I 6.8, 6.9, 7.6) to IR. IR
 * numbers lanes from the least significant one, the ISA elements from the most significant.
 */
#include "engine/jit/ppc/lift_vec.h"

static ir_val va(struct lx *x)
{
	return lx_vsr(x, 32 + ppc_ra(x->w));
}

static ir_val vb(struct lx *x)
{
	return lx_vsr(x, 32 + ppc_rb(x->w));
}

static ir_val vc(struct lx *x)
{
	return lx_vsr(x, 32 + ppc_rc(x->w));
}

static void set_vt(struct lx *x, ir_val v)
{
	lx_set_vsr(x, 32 + ppc_rt(x->w), v);
}

static ir_val op2(struct lx *x, unsigned op, unsigned size, ir_val a, ir_val b)
{
	return ir_make(x->u, op, size, a, b, 0);
}

void lift_vbin(struct lx *x, u32 arg)
{
	set_vt(x, op2(x, V_OP(arg), V_SIZE(arg), va(x), vb(x)));
}

void lift_vlogic(struct lx *x, u32 arg)
{
	bool vsx = arg & V_VSX;
	ir_val a = vsx ? lx_vsr(x, ppc_xa(x->w)) : va(x), b = vsx ? lx_vsr(x, ppc_xb(x->w)) : vb(x),
	       r;
	bool same = vsx ? ppc_xa(x->w) == ppc_xb(x->w) : ppc_ra(x->w) == ppc_rb(x->w);
	unsigned op = V_OP(arg);

	if (same && op == IR_VXOR && !(arg & V_NOT))
		r = ir_vconst(x->u, 0, 0);
	else if (same && (op == IR_VOR || op == IR_VAND) && !(arg & V_NOTB))
		r = a;
	else if (arg & V_NOTB)
		r = op2(x, op, 0, a, ir_make(x->u, IR_VNOT, 0, b, 0, 0));
	else
		r = op2(x, op, 0, a, b);
	if (arg & V_NOT)
		r = ir_make(x->u, IR_VNOT, 0, r, 0, 0);
	lx_set_vsr(x, vsx ? ppc_xt(x->w) : 32 + ppc_rt(x->w), r);
}

void lift_vsel(struct lx *x, u32 vsx)
{
	if (vsx)
		lx_set_vsr(x, ppc_xt(x->w),
			   ir_make(x->u, IR_VSEL, 0, lx_vsr(x, ppc_xa(x->w)),
				   lx_vsr(x, ppc_xb(x->w)), lx_vsr(x, ppc_xc(x->w))));
	else
		set_vt(x, ir_make(x->u, IR_VSEL, 0, va(x), vb(x), vc(x)));
}

void lift_vcmp(struct lx *x, u32 arg)
{
	ir_val r = op2(x, V_OP(arg), V_SIZE(arg), va(x), vb(x)), m;

	if (arg & V_NOT)
		r = ir_make(x->u, IR_VNOT, 0, r, 0, 0);
	set_vt(x, r);
	if (!(x->w & 1 << 10))
		return;
	m = ir_make(x->u, IR_VMASK, 1, r, 0, 0);
	lx_put1(x, OFF_CR(24), ir_set(x->u, IR_EQ, 4, m, lx_k(x, 0xffff)));
	lx_put1(x, OFF_CR(25), lx_k(x, 0));
	lx_put1(x, OFF_CR(26), ir_set(x->u, IR_EQ, 4, m, lx_k(x, 0)));
	lx_put1(x, OFF_CR(27), lx_k(x, 0));
}

/* Saturating sums: SAT where the plain sum differs. */
void lift_vsat(struct lx *x, u32 arg)
{
	ir_val a = va(x), b = vb(x), r = op2(x, V_OP(arg), V_SIZE(arg), a, b), plain;
	bool add = V_OP(arg) == IR_VADDSS || V_OP(arg) == IR_VADDUS;

	plain = op2(x, add ? IR_VADD : IR_VSUB, V_SIZE(arg), a, b);
	plain = op2(x, IR_VOR, 0, ir_get(x->u, IR_V128, 16, OFF(vscr_sat)),
		    op2(x, IR_VXOR, 0, plain, r));
	set_vt(x, r);
	ir_put(x->u, IR_V128, 16, OFF(vscr_sat), plain);
}

void lift_vrot(struct lx *x, u32 size)
{
	ir_val a = va(x), b = vb(x), back = op2(x, IR_VSUB, size, ir_vconst(x->u, 0, 0), b);

	set_vt(x, op2(x, IR_VOR, 0, op2(x, IR_VSHL, size, a, b), op2(x, IR_VSHR, size, a, back)));
}

/* All of a vector's lanes of `size` bytes with this low part. */
static ir_val splat_mask(struct lx *x, unsigned size, u64 v)
{
	for (unsigned n = size * 8; n < 64; n *= 2)
		v |= v << n;
	return ir_vconst(x->u, v, v);
}

/*
 * Shifts of lanes of 1 and 2 bytes by counts of their own, in the even and the odd lanes of twice
 * the size. b holds counts that fit.
 */
static ir_val shift_halves(struct lx *x, unsigned op, unsigned size, ir_val a, ir_val b)
{
	unsigned wide = size * 2, n = size * 8;
	u64 low = size == 1 ? 0xff : 0xffff;
	ir_val lo = splat_mask(x, wide, low), hi = splat_mask(x, wide, low << n);
	ir_val bl = op2(x, IR_VAND, 0, b, lo), bh = ir_imm(x->u, IR_VSHRI, wide, b, 0, n), l = a,
	       h = a;

	if (op == IR_VSHL)
		h = op2(x, IR_VAND, 0, a, hi);
	else if (op == IR_VSHR)
		l = op2(x, IR_VAND, 0, a, lo);
	else
		l = ir_imm(x->u, IR_VSHLI, wide, a, 0, n);
	if (size == 1) {
		l = shift_halves(x, op, 2, l, bl);
		h = shift_halves(x, op, 2, h, bh);
	} else {
		l = op2(x, op, 4, l, bl);
		h = op2(x, op, 4, h, bh);
	}
	if (op == IR_VSAR)
		l = ir_imm(x->u, IR_VSHRI, wide, l, 0, n);
	if (op == IR_VSHL)
		l = op2(x, IR_VAND, 0, l, lo);
	else
		h = op2(x, IR_VAND, 0, h, hi);
	return op2(x, IR_VOR, 0, l, h);
}

/* vslb, vslh, vsrb, vsrh, vsrab, vsrah */
void lift_vshift(struct lx *x, u32 arg)
{
	unsigned size = V_SIZE(arg);
	ir_val b = op2(x, IR_VAND, 0, vb(x), splat_mask(x, size, size * 8 - 1));

	set_vt(x, shift_halves(x, V_OP(arg), size, va(x), b));
}

/*
 * vbpermq: bit i is bit b[i] of a, 0 if there is none. The byte that holds it is shuffled into
 * place, then the bit is tested.
 */
void lift_vbpermq(struct lx *x, u32 arg)
{
	ir_val b = vb(x), zero = ir_vconst(x->u, 0, 0), at, bit, r;

	at = op2(x, IR_VAND, 0, ir_imm(x->u, IR_VSHRI, 2, b, 0, 3), splat_mask(x, 1, 15));
	at = op2(x, IR_VXOR, 0, at, splat_mask(x, 1, 15));
	at = op2(x, IR_VOR, 0, at, op2(x, IR_VAND, 0, b, splat_mask(x, 1, 0x80)));
	bit = op2(x, IR_VSHUF, 0, ir_vconst(x->u, 0x0102040810204080, 0),
		  op2(x, IR_VAND, 0, b, splat_mask(x, 1, 7)));
	r = op2(x, IR_VAND, 0, op2(x, IR_VSHUF, 0, va(x), at), bit);
	r = ir_make(x->u, IR_VMASK, 1, op2(x, IR_VCMPEQ, 1, r, zero), 0, 0);
	r = lx_op(x, IR_XOR, r, lx_k(x, 0xffff));
	set_vt(x, ir_make(x->u, IR_VCAT, 0, lx_k(x, 0), r, 0));
}

/* vmule*w, vmulo*w: IR's even lanes are the ISA's odd elements. */
void lift_vmulhalf(struct lx *x, u32 arg)
{
	ir_val a = va(x), b = vb(x);

	if (arg & V_NOT) { /* even elements */
		a = ir_imm(x->u, IR_VSHRI, 8, a, 0, 32);
		b = ir_imm(x->u, IR_VSHRI, 8, b, 0, 32);
	}
	set_vt(x, op2(x, V_OP(arg), 4, a, b));
}

void lift_vmerge(struct lx *x, u32 arg)
{
	if (arg & V_VSX)
		lx_set_vsr(x, ppc_xt(x->w),
			   op2(x, V_OP(arg), V_SIZE(arg), lx_vsr(x, ppc_xb(x->w)),
			       lx_vsr(x, ppc_xa(x->w))));
	else
		set_vt(x, op2(x, V_OP(arg), V_SIZE(arg), vb(x), va(x)));
}

/* Byte n from the left of a||b is byte ~n from the right of b, a. */
void lift_vperm(struct lx *x, u32 reversed)
{
	ir_val c = vc(x);

	if (!reversed)
		c = ir_make(x->u, IR_VNOT, 0, c, 0, 0);
	set_vt(x, ir_make(x->u, IR_VPERM, 0, vb(x), va(x), c));
}

/* The 16 bytes from `at` of a||b. */
static ir_val bytes_from(struct lx *x, ir_val a, ir_val b, unsigned at)
{
	return at ? ir_imm(x->u, IR_VALIGN, 0, b, a, 16 - at) : a;
}

void lift_vsldoi(struct lx *x, u32 arg)
{
	set_vt(x, bytes_from(x, va(x), vb(x), ppc_bits(x->w, 22, 25)));
}

void lift_sldwi(struct lx *x, u32 arg)
{
	lx_set_vsr(x, ppc_xt(x->w),
		   bytes_from(x, lx_vsr(x, ppc_xa(x->w)), lx_vsr(x, ppc_xb(x->w)),
			      4 * ppc_bits(x->w, 22, 23)));
}

static ir_val splat(struct lx *x, unsigned size, ir_val v, unsigned element)
{
	unsigned lane = 16 / size - 1 - (element & (16 / size - 1));

	return ir_make(x->u, IR_VSPLAT, size, ir_imm(x->u, IR_VEXT, size, v, 0, lane), 0, 0);
}

void lift_vsplat(struct lx *x, u32 size)
{
	set_vt(x, splat(x, size, vb(x), ppc_ra(x->w)));
}

void lift_spltw(struct lx *x, u32 arg)
{
	lx_set_vsr(x, ppc_xt(x->w), splat(x, 4, lx_vsr(x, ppc_xb(x->w)), ppc_bits(x->w, 14, 15)));
}

void lift_vsplat_imm(struct lx *x, u32 size)
{
	u64 v = (u64)((s64)((u64)ppc_ra(x->w) << 59) >> 59) & (BIT(8 * size) - 1);

	for (unsigned bits = 8 * size; bits < 64; bits *= 2)
		v |= v << bits;
	set_vt(x, ir_vconst(x->u, v, v));
}

void lift_spltib(struct lx *x, u32 arg)
{
	u64 v = ppc_bits(x->w, 13, 20) * 0x0101010101010101ULL;

	lx_set_vsr(x, ppc_xt(x->w), ir_vconst(x->u, v, v));
}

/* Modulo packs: the low halves of the elements of a||b. */
void lift_vpack(struct lx *x, u32 size)
{
	u64 w[4] = {0};

	for (unsigned i = 0, n = 0; i < 32; i++)
		if (i % size < size / 2) {
			w[n / 8] |= (u64)i << (8 * (n % 8));
			n++;
		}
	set_vt(x, ir_make(x->u, IR_VPERM, 0, vb(x), va(x), ir_vconst(x->u, w[0], w[1])));
}

/* V_NOT: the high half. */
void lift_vunpack(struct lx *x, u32 arg)
{
	ir_val b = vb(x);

	if (arg & V_NOT)
		b = ir_imm(x->u, IR_VALIGN, 0, b, b, 8);
	set_vt(x, ir_make(x->u, IR_VSXTL, V_SIZE(arg), b, 0, 0));
}

void lift_vneg(struct lx *x, u32 size)
{
	set_vt(x, op2(x, IR_VSUB, size, ir_vconst(x->u, 0, 0), vb(x)));
}

void lift_mladd(struct lx *x, u32 arg)
{
	set_vt(x, op2(x, IR_VADD, 2, op2(x, IR_VMUL, 2, va(x), vb(x)), vc(x)));
}

void lift_lvs(struct lx *x, u32 right)
{
	ir_val sh = lx_gpr(x, ppc_rb(x->w)), n;

	if (ppc_ra(x->w))
		sh = lx_op(x, IR_ADD, lx_gpr(x, ppc_ra(x->w)), sh);
	sh = lx_op(x, IR_AND, sh, lx_k(x, 15));
	if (right)
		sh = lx_op(x, IR_SUB, lx_k(x, 16), sh);
	n = ir_make(x->u, IR_VSPLAT, 1, sh, 0, 0);
	set_vt(x, op2(x, IR_VADD, 1, n,
		      ir_vconst(x->u, 0x08090a0b0c0d0e0fULL, 0x0001020304050607ULL)));
}

void lift_permdi(struct lx *x, u32 arg)
{
	ir_val a = lx_vsr(x, ppc_xa(x->w)), b = lx_vsr(x, ppc_xb(x->w)), r;

	switch (ppc_bits(x->w, 22, 23)) {
	case 0:
		r = op2(x, IR_VUNPKH, 8, b, a);
		break;
	case 1:
		r = ir_make(x->u, IR_VSEL, 0, a, b, ir_vconst(x->u, ~0ULL, 0));
		break;
	case 2:
		r = ir_imm(x->u, IR_VALIGN, 0, b, a, 8);
		break;
	default:
		r = op2(x, IR_VUNPKL, 8, b, a);
	}
	lx_set_vsr(x, ppc_xt(x->w), r);
}

void lift_vbswap(struct lx *x, u32 size)
{
	lx_set_vsr(x, ppc_xt(x->w), ir_make(x->u, IR_VBSWAP, size, lx_vsr(x, ppc_xb(x->w)), 0, 0));
}

/* ---- moves to and from GPRs -------------------------------------------------------------------
 */

/* arg: bytes, + 16 for doubleword 1. */
void lift_mfvsr(struct lx *x, u32 arg)
{
	u32 off = arg & 16 ? OFF_VSR(ppc_xt(x->w)) : OFF_FPR(ppc_xt(x->w));

	lx_set_gpr(x, ppc_ra(x->w), ir_get(x->u, IR_I64, arg & 15, off));
}

void lift_mtvsr(struct lx *x, u32 arg)
{
	ir_val a = lx_gpr(x, ppc_ra(x->w));
	unsigned t = ppc_xt(x->w);

	switch (arg) {
	case MTV_WA:
		a = lx_sext(x, 4, a);
		break;
	case MTV_WZ:
		a = lx_zext(x, 4, a);
		break;
	case MTV_WS:
		lx_set_vsr(x, t, ir_make(x->u, IR_VSPLAT, 4, a, 0, 0));
		return;
	case MTV_DD:
		lx_set_vsr(x, t,
			   ir_make(x->u, IR_VCAT, 0, lx_gpr(x, ppc_rb(x->w)),
				   lx_gpr0(x, ppc_ra(x->w)), 0));
		return;
	}
	ir_put(x->u, IR_I64, 8, OFF_FPR(t), a);
	x->single[t] = 0;
}
