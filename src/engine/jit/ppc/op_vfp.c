/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector single precision of VMX (Book I 6.10): rounds to nearest, reports nothing. VSCR.NJ
 * flushes subnormals.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/vec.h"

static u32 flush(const struct ppc_vcpu *c, u32 v)
{
	if (c->vscr_nj && !(v & 0x7f800000))
		return v & 0x80000000;
	return v;
}

static u32 get(const struct ppc_vcpu *c, const union ppc_vsr *v, unsigned i)
{
	return flush(c, v->w[PPC_W(i)]);
}

static int op_arith(struct ppc_vcpu *c, u32 w, u32 op)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		struct sfp_env e = {0};

		r.w[PPC_W(i)] = flush(c, (u32)fp_compute_in(&e, SFP_32, op, get(c, vec_a(c, w), i),
							    get(c, vec_b(c, w), i),
							    get(c, vec_c(c, w), i)));
	}
	*vec_t(c, w) = r;
	return 0;
}

static int op_minmax(struct ppc_vcpu *c, u32 w, u32 max)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		u32 a = get(c, vec_a(c, w), i), b = get(c, vec_b(c, w), i), v;
		struct sfp sa = sfp_unpack(SFP_32, a), sb = sfp_unpack(SFP_32, b);
		int cmp = sfp_compare(sa, sb);

		if (cmp == 2)
			v = (u32)sfp_nan(SFP_32, sa.cls == SFP_NAN ? sa : sb);
		else if (cmp == 0)
			v = max ? (sa.sign ? b : a) : (sa.sign ? a : b);
		else
			v = (cmp > 0) == (max != 0) ? a : b;
		r.w[PPC_W(i)] = v;
	}
	*vec_t(c, w) = r;
	return 0;
}

/* 2^f - 1 of a fraction f in 32 bits, in 32 bits: f * (1 + (f - 1) * 0.3431..), error below 0.3 %.
 */
static u64 exp2_fraction(u64 f)
{
	return f - (f * (BIT(32) - f) >> 32) * 1473763000ULL / BIT(32);
}

static u32 exp2_estimate(u32 v)
{
	struct sfp a = sfp_unpack(SFP_32, v);
	struct sfp_env e = {.rm = SFP_DOWN};
	s32 whole;
	u64 frac;

	if (a.cls == SFP_NAN)
		return (u32)sfp_nan(SFP_32, a);
	if (a.cls == SFP_ZERO_ || a.exp < -32)
		return 0x3f800000;
	if (a.cls == SFP_INF || a.exp > 7)
		return a.sign ? 0 : 0x7f800000;
	/* a in fixed point, 32 bits of fraction. */
	frac = (u64)(a.sig >> (127 - 32 - a.exp));
	frac = a.sign ? -frac : frac;
	whole = (s32)((s64)frac >> 32);
	e.rm = SFP_NEAREST;
	a = (struct sfp){.cls = SFP_NORMAL, .exp = whole};
	a.sig = ((u128)1 << 127) | (u128)exp2_fraction((u32)frac) << 95;
	return (u32)sfp_convert(&e, SFP_32, a);
}

static u32 log2_estimate(u32 v)
{
	struct sfp a = sfp_unpack(SFP_32, v);
	struct sfp_env e = {0};
	u64 f, log;
	s64 fixed;

	if (a.cls == SFP_NAN)
		return (u32)sfp_nan(SFP_32, a);
	if (a.cls == SFP_ZERO_)
		return 0xff800000;
	if (a.sign)
		return (u32)sfp_default_nan(SFP_32);
	if (a.cls == SFP_INF)
		return v;
	f = (u64)(a.sig >> 95) & 0xffffffff;
	log = f + (f * (BIT(32) - f) >> 32) * 1473763000ULL / BIT(32);
	fixed = ((s64)a.exp << 32) + (s64)log;
	a = sfp_unpack(SFP_64,
		       sfp_from_int(&e, SFP_64, (u64)(fixed < 0 ? -fixed : fixed), fixed < 0));
	if (a.cls == SFP_NORMAL)
		a.exp -= 32;
	return (u32)sfp_convert(&e, SFP_32, a);
}

enum { U_EXP, U_LOG, U_RIN, U_RIZ, U_RIP, U_RIM };

static u32 unary(unsigned kind, u32 v)
{
	static const u8 rm[] = {
		[U_RIN] = SFP_NEAREST, [U_RIZ] = SFP_ZERO, [U_RIP] = SFP_UP, [U_RIM] = SFP_DOWN};
	struct sfp_env e = {0};

	if (kind == U_EXP)
		return exp2_estimate(v);
	if (kind == U_LOG)
		return log2_estimate(v);
	e.rm = rm[kind];
	return (u32)sfp_integral(&e, SFP_32, sfp_unpack(SFP_32, v), false);
}

static int op_unary(struct ppc_vcpu *c, u32 w, u32 kind)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++)
		r.w[PPC_W(i)] = flush(c, unary(kind, get(c, vec_b(c, w), i)));
	*vec_t(c, w) = r;
	return 0;
}

/* vcfux, vcfsx: an integer over 2^UIM. */
static int op_from_int(struct ppc_vcpu *c, u32 w, u32 is_signed)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		struct sfp_env e = {0};
		u32 v = vec_b(c, w)->w[PPC_W(i)];
		bool neg = is_signed && v >> 31;
		struct sfp n = sfp_unpack(SFP_64, sfp_from_int(&e, SFP_64, neg ? -v : v, neg));

		n.exp -= (s32)ppc_ra(w);
		r.w[PPC_W(i)] = (u32)sfp_convert(&e, SFP_32, n);
	}
	*vec_t(c, w) = r;
	return 0;
}

/* vctuxs, vctsxs: times 2^UIM, towards zero, saturating; NaN gives 0. */
static int op_to_int(struct ppc_vcpu *c, u32 w, u32 is_signed)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		struct sfp_env e = {.rm = SFP_ZERO};
		struct sfp n = sfp_unpack(SFP_32, get(c, vec_b(c, w), i));

		n.exp += (s32)ppc_ra(w);
		r.w[PPC_W(i)] = n.cls == SFP_NAN ? 0 : (u32)sfp_to_int(&e, n, 32, is_signed);
		if (e.flags & PPC_FPSCR_VXCVI)
			vec_saturated(c);
	}
	*vec_t(c, w) = r;
	return 0;
}

enum { C_EQ, C_GE, C_GT };

static int op_cmp(struct ppc_vcpu *c, u32 w, u32 kind)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		int cmp = sfp_compare(sfp_unpack(SFP_32, get(c, vec_a(c, w), i)),
				      sfp_unpack(SFP_32, get(c, vec_b(c, w), i)));
		bool yes = kind == C_EQ ? cmp == 0 : cmp == 1 || (kind == C_GE && cmp == 0);

		r.w[PPC_W(i)] = yes ? ~0u : 0;
	}
	*vec_t(c, w) = r;
	if (w & 1 << 10)
		vec_cr6(c, &r);
	return 0;
}

/* vcmpbfp: bit 0: not a <= b, bit 1: not a >= -b. */
static int op_cmpb(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};
	bool inside = true;

	for (unsigned i = 0; i < 4; i++) {
		struct sfp a = sfp_unpack(SFP_32, get(c, vec_a(c, w), i));
		struct sfp b = sfp_unpack(SFP_32, get(c, vec_b(c, w), i));
		int le = sfp_compare(a, b), ge;

		b.sign ^= 1;
		ge = sfp_compare(a, b);
		r.w[PPC_W(i)] =
			(le == 1 || le == 2 ? 1u << 31 : 0) | (ge == -1 || ge == 2 ? 1u << 30 : 0);
		inside &= r.w[PPC_W(i)] == 0;
	}
	*vec_t(c, w) = r;
	if (w & 1 << 10) {
		c->cr[24] = c->cr[25] = c->cr[27] = 0;
		c->cr[26] = inside;
	}
	return 0;
}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_VADDFP] = {op_arith, FP_ADD},	[PPC_OP_VSUBFP] = {op_arith, FP_SUB},
	[PPC_OP_VMADDFP] = {op_arith, FP_MADD}, [PPC_OP_VNMSUBFP] = {op_arith, FP_NMSUB},
	[PPC_OP_VREFP] = {op_arith, FP_RE},	[PPC_OP_VRSQRTEFP] = {op_arith, FP_RSQRTE},
	[PPC_OP_VMAXFP] = {op_minmax, 1},	[PPC_OP_VMINFP] = {op_minmax, 0},
	[PPC_OP_VEXPTEFP] = {op_unary, U_EXP},	[PPC_OP_VLOGEFP] = {op_unary, U_LOG},
	[PPC_OP_VRFIN] = {op_unary, U_RIN},	[PPC_OP_VRFIZ] = {op_unary, U_RIZ},
	[PPC_OP_VRFIP] = {op_unary, U_RIP},	[PPC_OP_VRFIM] = {op_unary, U_RIM},
	[PPC_OP_VCFUX] = {op_from_int, 0},	[PPC_OP_VCFSX] = {op_from_int, 1},
	[PPC_OP_VCTUXS] = {op_to_int, 0},	[PPC_OP_VCTSXS] = {op_to_int, 1},
	[PPC_OP_VCMPEQFP] = {op_cmp, C_EQ},	[PPC_OP_VCMPGEFP] = {op_cmp, C_GE},
	[PPC_OP_VCMPGTFP] = {op_cmp, C_GT},	[PPC_OP_VCMPBFP] = {op_cmpb, 0},
};

struct ppc_op_row ppc_op_vfp(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
