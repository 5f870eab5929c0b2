/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 128-bit vectors of lifted units, by AVX forms.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

/* dst = a op b in one instruction; operation and size. swap: the host wants b first. */
struct two {
	u8 op, size;
	bool swap;
	struct vex v;
};

#define V0F(pp, code)                                                                              \
	{                                                                                          \
		pp, MAP_0F, code, false                                                            \
	}
#define V38(code)                                                                                  \
	{                                                                                          \
		PP_66, MAP_0F38, code, false                                                       \
	}

static const struct two two_table[] = {
	{IR_VAND, 0, false, V0F(PP_66, 0xdb)},	  {IR_VOR, 0, false, V0F(PP_66, 0xeb)},
	{IR_VXOR, 0, false, V0F(PP_66, 0xef)},	  {IR_VANDN, 0, true, V0F(PP_66, 0xdf)},
	{IR_VADD, 1, false, V0F(PP_66, 0xfc)},	  {IR_VADD, 2, false, V0F(PP_66, 0xfd)},
	{IR_VADD, 4, false, V0F(PP_66, 0xfe)},	  {IR_VADD, 8, false, V0F(PP_66, 0xd4)},
	{IR_VSUB, 1, false, V0F(PP_66, 0xf8)},	  {IR_VSUB, 2, false, V0F(PP_66, 0xf9)},
	{IR_VSUB, 4, false, V0F(PP_66, 0xfa)},	  {IR_VSUB, 8, false, V0F(PP_66, 0xfb)},
	{IR_VADDSS, 1, false, V0F(PP_66, 0xec)},  {IR_VADDSS, 2, false, V0F(PP_66, 0xed)},
	{IR_VADDUS, 1, false, V0F(PP_66, 0xdc)},  {IR_VADDUS, 2, false, V0F(PP_66, 0xdd)},
	{IR_VSUBSS, 1, false, V0F(PP_66, 0xe8)},  {IR_VSUBSS, 2, false, V0F(PP_66, 0xe9)},
	{IR_VSUBUS, 1, false, V0F(PP_66, 0xd8)},  {IR_VSUBUS, 2, false, V0F(PP_66, 0xd9)},
	{IR_VMUL, 2, false, V0F(PP_66, 0xd5)},	  {IR_VMUL, 4, false, V38(0x40)},
	{IR_VMULEU, 4, false, V0F(PP_66, 0xf4)},  {IR_VMULES, 4, false, V38(0x28)},
	{IR_VMINS, 1, false, V38(0x38)},	  {IR_VMINS, 2, false, V0F(PP_66, 0xea)},
	{IR_VMINS, 4, false, V38(0x39)},	  {IR_VMINU, 1, false, V0F(PP_66, 0xda)},
	{IR_VMINU, 2, false, V38(0x3a)},	  {IR_VMINU, 4, false, V38(0x3b)},
	{IR_VMAXS, 1, false, V38(0x3c)},	  {IR_VMAXS, 2, false, V0F(PP_66, 0xee)},
	{IR_VMAXS, 4, false, V38(0x3d)},	  {IR_VMAXU, 1, false, V0F(PP_66, 0xde)},
	{IR_VMAXU, 2, false, V38(0x3e)},	  {IR_VMAXU, 4, false, V38(0x3f)},
	{IR_VAVGU, 1, false, V0F(PP_66, 0xe0)},	  {IR_VAVGU, 2, false, V0F(PP_66, 0xe3)},
	{IR_VCMPEQ, 1, false, V0F(PP_66, 0x74)},  {IR_VCMPEQ, 2, false, V0F(PP_66, 0x75)},
	{IR_VCMPEQ, 4, false, V0F(PP_66, 0x76)},  {IR_VCMPEQ, 8, false, V38(0x29)},
	{IR_VCMPGTS, 1, false, V0F(PP_66, 0x64)}, {IR_VCMPGTS, 2, false, V0F(PP_66, 0x65)},
	{IR_VCMPGTS, 4, false, V0F(PP_66, 0x66)}, {IR_VCMPGTS, 8, false, V38(0x37)},
	{IR_VUNPKL, 1, false, V0F(PP_66, 0x60)},  {IR_VUNPKL, 2, false, V0F(PP_66, 0x61)},
	{IR_VUNPKL, 4, false, V0F(PP_66, 0x62)},  {IR_VUNPKL, 8, false, V0F(PP_66, 0x6c)},
	{IR_VUNPKH, 1, false, V0F(PP_66, 0x68)},  {IR_VUNPKH, 2, false, V0F(PP_66, 0x69)},
	{IR_VUNPKH, 4, false, V0F(PP_66, 0x6a)},  {IR_VUNPKH, 8, false, V0F(PP_66, 0x6d)},
	{IR_VPACKSS, 2, false, V0F(PP_66, 0x63)}, {IR_VPACKSS, 4, false, V0F(PP_66, 0x6b)},
	{IR_VPACKSU, 2, false, V0F(PP_66, 0x67)}, {IR_VPACKSU, 4, false, V38(0x2b)},
	{IR_VSHUF, 0, false, V38(0x00)},	  {IR_VFADD, 4, false, V0F(PP_NONE, 0x58)},
	{IR_VFADD, 8, false, V0F(PP_66, 0x58)},	  {IR_VFSUB, 4, false, V0F(PP_NONE, 0x5c)},
	{IR_VFSUB, 8, false, V0F(PP_66, 0x5c)},	  {IR_VFMUL, 4, false, V0F(PP_NONE, 0x59)},
	{IR_VFMUL, 8, false, V0F(PP_66, 0x59)},	  {IR_VFDIV, 4, false, V0F(PP_NONE, 0x5e)},
	{IR_VFDIV, 8, false, V0F(PP_66, 0x5e)},
};

static const struct vex v_and = V0F(PP_66, 0xdb), v_andn = V0F(PP_66, 0xdf),
			v_or = V0F(PP_66, 0xeb), v_xor = V0F(PP_66, 0xef),
			v_ones = V0F(PP_66, 0x76);

static bool by_table(struct xe *x, const struct ir_op *op)
{
	struct emit_mem m;
	unsigned a, b, dst;

	for (unsigned n = 0; n < ARRAY_LEN(two_table); n++) {
		const struct two *t = &two_table[n];

		if (t->op != op->op || (t->size && t->size != op->size))
			continue;
		a = xe_use_xmm(x, t->swap ? op->b : op->a);
		if (!t->swap && xe_in_memory(x, op->b, 16, &m)) {
			dst = xe_def_xmm(x);
			vex_rm(x->e, t->v, dst, a, &m);
			return true;
		}
		b = xe_use_xmm(x, t->swap ? op->a : op->b);
		dst = xe_def_xmm(x);
		vex_rr(x->e, t->v, dst, a, b);
		return true;
	}
	return false;
}

static void all_ones(struct xe *x, unsigned reg)
{
	vex_rr(x->e, v_ones, reg, reg, reg);
}

static void not(struct xe * x, const struct ir_op *op)
{
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	all_ones(x, dst);
	vex_rr(x->e, v_xor, dst, dst, a);
}

static void select(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), c = xe_use_xmm(x, op->c);
	unsigned dst = xe_def_xmm(x), t = xe_xmm_temp(x);

	vex_rr(x->e, v_andn, dst, c, a);
	vex_rr(x->e, v_and, t, c, b);
	vex_rr(x->e, v_or, dst, dst, t);
}

/* Unsigned a > b: not (min(a, b) == a); for 8 bytes with the sign bits flipped. */
static void greater_unsigned(struct xe *x, const struct ir_op *op)
{
	static const struct vex min[] = {V0F(PP_66, 0xda), V38(0x3a), V38(0x3b)};
	static const struct vex eq[] = {V0F(PP_66, 0x74), V0F(PP_66, 0x75), V0F(PP_66, 0x76)};
	static const struct vex gt8 = V38(0x37);
	struct emit_mem k = xe_rt(x, offsetof(struct irrun_cpu, konst[XE_K_SIGN8]));
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), dst = xe_def_xmm(x);
	unsigned n = op->size >> 1, t = xe_xmm_temp(x);

	if (op->size == 8) {
		vex_rm(x->e, v_xor, dst, a, &k);
		vex_rm(x->e, v_xor, t, b, &k);
		vex_rr(x->e, gt8, dst, dst, t);
		return;
	}
	vex_rr(x->e, min[n], dst, a, b);
	vex_rr(x->e, eq[n], dst, dst, a);
	all_ones(x, t);
	vex_rr(x->e, v_xor, dst, dst, t);
}

/* ---- shifts ---- */

static void shift_lanes(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x47, 0x45, 0x46};
	struct vex v = {PP_66, MAP_0F38, code[op->op - IR_VSHL], op->size == 8};
	struct emit_mem k = xe_rt(x, offsetof(struct irrun_cpu, konst) +
					     16 * (op->size == 8 ? XE_K_63 : XE_K_31));
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), dst = xe_def_xmm(x);

	vex_rm(x->e, v_and, dst, b, &k);
	vex_rr(x->e, v, dst, a, dst);
}

static void shift_imm(struct xe *x, const struct ir_op *op)
{
	struct vex v = {PP_66, MAP_0F, op->size == 2 ? 0x71 : op->size == 4 ? 0x72 : 0x73, false};
	unsigned n = op->op == IR_VSHLI ? 6 : op->op == IR_VSHRI ? 2 : 4;
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	if (op->size == 16)
		n++;
	vex_rri(x->e, v, n, dst, a, (u8)op->imm);
}

static void align(struct xe *x, const struct ir_op *op)
{
	static const struct vex v = {PP_66, MAP_0F3A, 0x0f, false};
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), dst = xe_def_xmm(x);

	vex_rri(x->e, v, dst, b, a, (u8)op->imm);
}

/* ---- bytes ---- */

static void permute(struct xe *x, const struct ir_op *op)
{
	static const struct vex shuf = V38(0x00), psllw = V0F(PP_66, 0x71),
				blend = {PP_66, MAP_0F3A, 0x4c, false};
	struct emit_mem k = xe_rt(x, offsetof(struct irrun_cpu, konst[XE_K_0F]));
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), c = xe_use_xmm(x, op->c);
	unsigned dst = xe_def_xmm(x), t = xe_xmm_temp(x), u = xe_xmm_temp(x);

	vex_rm(x->e, v_and, t, c, &k);
	vex_rr(x->e, shuf, u, b, t);
	vex_rr(x->e, shuf, t, a, t);
	vex_rri(x->e, psllw, 6, dst, c, 3); /* bit 4 of each byte to bit 7 */
	vex_rri(x->e, blend, dst, t, u, (u8)(dst << 4));
}

static void swap_bytes(struct xe *x, const struct ir_op *op)
{
	static const struct vex shuf = V38(0x00);
	unsigned n = op->size == 2   ? XE_K_SWAP2
		     : op->size == 4 ? XE_K_SWAP4
		     : op->size == 8 ? XE_K_SWAP8
				     : XE_K_SWAP16;
	struct emit_mem k = xe_rt(x, offsetof(struct irrun_cpu, konst) + 16 * n);
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rm(x->e, shuf, dst, a, &k);
}

/* ---- lanes and general registers ---- */

static void splat(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x78, 0x79, 0x58, 0x59};
	struct vex to = {PP_66, MAP_0F, 0x6e, op->size == 8};
	struct vex bc = V38(code[__builtin_ctz(op->size)]);
	unsigned a = xe_use(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, to, dst, 0, a);
	vex_rr(x->e, bc, dst, 0, dst);
}

static void extract(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x14, 0x15, 0x16, 0x16};
	struct vex v = {PP_66, MAP_0F3A, code[__builtin_ctz(op->size)], op->size == 8};
	struct vex low = {PP_66, MAP_0F, 0x7e, op->size == 8};
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def(x);

	if (!op->imm && op->size >= 4)
		vex_rr(x->e, low, a, 0, dst);
	else
		vex_rri(x->e, v, a, 0, dst, (u8)op->imm);
}

static void insert(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x20, 0, 0x22, 0x22};
	struct vex v = {PP_66, MAP_0F3A, code[__builtin_ctz(op->size)], op->size == 8};
	unsigned a = xe_use_xmm(x, op->a), b = xe_use(x, op->b), dst = xe_def_xmm(x);

	if (op->size == 2)
		v = (struct vex)V0F(PP_66, 0xc4);
	vex_rri(x->e, v, dst, a, b, (u8)op->imm);
}

static void concat(struct xe *x, const struct ir_op *op)
{
	static const struct vex to = {PP_66, MAP_0F, 0x6e, true},
				ins = {PP_66, MAP_0F3A, 0x22, true};
	unsigned a = xe_use(x, op->a), b = xe_use(x, op->b), dst = xe_def_xmm(x);

	vex_rr(x->e, to, dst, 0, a);
	vex_rri(x->e, ins, dst, dst, b, 1);
}

static void mask(struct xe *x, const struct ir_op *op)
{
	struct vex v = op->size == 1   ? (struct vex)V0F(PP_66, 0xd7)
		       : op->size == 4 ? (struct vex)V0F(PP_NONE, 0x50)
				       : (struct vex)V0F(PP_66, 0x50);
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def(x);

	vex_rr(x->e, v, dst, 0, a);
}

static void widen(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x20, 0x23, 0x25};
	struct vex v = V38(code[op->size >> 1]);
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, v, dst, 0, a);
}

/* ---- floating point ---- */

static void vfma(struct xe *x, const struct ir_op *op)
{
	static const struct vex mov = {PP_NONE, MAP_0F, 0x28, false};
	struct vex v = {PP_66, MAP_0F38, 0xb8, op->size == 8};
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), c = xe_use_xmm(x, op->c);
	unsigned dst = xe_def_xmm(x);

	vex_rr(x->e, mov, dst, 0, c);
	vex_rr(x->e, v, dst, a, b);
}

static void vfsqrt(struct xe *x, const struct ir_op *op)
{
	struct vex v = V0F(op->size == 8 ? PP_66 : PP_NONE, 0x51);
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, v, dst, 0, a);
}

static void vfset(struct xe *x, const struct ir_op *op)
{
	/* Predicates of SDM vol. 2, CMPPD, table 3-1: the quiet ones. */
	static const u8 predicate[] = {
		[IR_EQ] = 0x00,	 [IR_NE] = 0x04,  [IR_LTS] = 0x11, [IR_LES] = 0x12,
		[IR_GTS] = 0x1e, [IR_GES] = 0x1d, [IR_UNO] = 0x03,
	};
	struct vex v = V0F(op->size == 8 ? PP_66 : PP_NONE, 0xc2);
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), dst = xe_def_xmm(x);

	vex_rri(x->e, v, dst, a, b, predicate[op->sub]);
}

bool xe_vec(struct xe *x, const struct ir_op *op)
{
	if (by_table(x, op))
		return true;
	switch (op->op) {
	case IR_VNOT:
		not(x, op);
		return true;
	case IR_VSEL:
		select(x, op);
		return true;
	case IR_VCMPGTU:
		greater_unsigned(x, op);
		return true;
	case IR_VSHL:
	case IR_VSHR:
	case IR_VSAR:
		shift_lanes(x, op);
		return true;
	case IR_VSHLI:
	case IR_VSHRI:
	case IR_VSARI:
		shift_imm(x, op);
		return true;
	case IR_VALIGN:
		align(x, op);
		return true;
	case IR_VPERM:
		permute(x, op);
		return true;
	case IR_VBSWAP:
		swap_bytes(x, op);
		return true;
	case IR_VSPLAT:
		splat(x, op);
		return true;
	case IR_VEXT:
		extract(x, op);
		return true;
	case IR_VINS:
		insert(x, op);
		return true;
	case IR_VCAT:
		concat(x, op);
		return true;
	case IR_VMASK:
		mask(x, op);
		return true;
	case IR_VSXTL:
		widen(x, op);
		return true;
	case IR_VFMA:
		vfma(x, op);
		return true;
	case IR_VFSQRT:
		vfsqrt(x, op);
		return true;
	case IR_VFSET:
		vfset(x, op);
		return true;
	}
	return false;
}
