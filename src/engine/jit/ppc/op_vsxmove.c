/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VSX conversions, permutes and moves to and from GPRs (Book I 7.6).
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/vec.h"

static union ppc_vsr *xt(struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[ppc_xt(w)];
}

static const union ppc_vsr *xa(const struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[ppc_xa(w)];
}

static const union ppc_vsr *xb(const struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[ppc_xb(w)];
}

static int finish(struct ppc_vcpu *c, u32 w, u32 flags, const union ppc_vsr *r)
{
	fp_raise_flags(c, flags);
	if (!fp_suppressed(c, flags))
		*xt(c, w) = *r;
	return fp_check_enabled(c);
}

/* ---- conversions: element sizes and kinds of source and target --------------------------------
 */

enum { T_FLOAT, T_SIGNED, T_UNSIGNED };
#define CV(from, fsize, to, tsize) ((from) | (fsize) << 2 | (to) << 6 | (tsize) << 8)

static enum sfp_format format(unsigned size)
{
	return size == 2 ? SFP_16 : size == 4 ? SFP_32 : SFP_64;
}

static u64 convert(struct sfp_env *e, u32 arg, u64 v)
{
	unsigned from = arg & 3, fsize = arg >> 2 & 15, to = arg >> 6 & 3, tsize = arg >> 8 & 15;

	if (from == T_FLOAT && to == T_FLOAT)
		return (u64)sfp_convert(e, format(tsize), sfp_unpack(format(fsize), v));
	if (from == T_FLOAT) {
		e->rm = SFP_ZERO;
		return sfp_to_int(e, sfp_unpack(format(fsize), v), tsize * 8, to == T_SIGNED);
	}
	if (from == T_SIGNED) {
		s64 s = vec_sext(v, fsize);

		return (u64)sfp_from_int(e, format(tsize), s < 0 ? -(u64)s : (u64)s, s < 0);
	}
	return (u64)sfp_from_int(e, format(tsize), v, false);
}

/* The wider of the two sizes gives the elements; a narrow one is in the left half of each. */
static int op_convert(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned fsize = arg >> 2 & 15, tsize = arg >> 8 & 15, wide = fsize > tsize ? fsize : tsize;
	union ppc_vsr r = {0};
	u32 flags = 0;

	fp_sync(c);
	for (unsigned i = 0; i < 16 / wide; i++) {
		struct sfp_env e = fp_env(c);
		unsigned from = i * (wide / fsize), to = i * (wide / tsize);
		u64 v;

		if (fsize == 2)
			from++; /* half precision is in the right half */
		v = convert(&e, arg, vec_get(xb(c, w), fsize, from));
		flags |= e.flags;
		vec_set(&r, tsize, tsize == 2 ? to + 1 : to, v);
		if (tsize == 4 && wide == 8)
			vec_set(&r, 4, to + 1, v); /* undefined by the ISA; a copy in practice */
	}
	return finish(c, w, flags, &r);
}

/* xscvdpsp: single to words 0 and 1; xscvdpspn, xscvspdpn move bits without exceptions. */
static int op_dpsp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct sfp_env e;
	union ppc_vsr r = {0};
	u32 s;

	fp_sync(c);
	e = fp_env(c);
	s = (u32)sfp_convert(&e, SFP_32, sfp_unpack(SFP_64, xb(c, w)->dw[PPC_DW0]));
	r.w[PPC_W(0)] = r.w[PPC_W(1)] = s;
	if (fp_finish(c, &e, (s32)sfp_fprf(SFP_32, s)) == 0)
		*xt(c, w) = r;
	return fp_check_enabled(c);
}

static int op_dpspn(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u32 s = (u32)ppc_fp_stfs(c, xb(c, w)->dw[PPC_DW0], 0, 0);
	union ppc_vsr r = {0};

	r.w[PPC_W(0)] = r.w[PPC_W(1)] = s;
	*xt(c, w) = r;
	return 0;
}

static int op_spdpn(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 d = fp_single_to_double(xb(c, w)->w[PPC_W(0)]);

	*xt(c, w) = (union ppc_vsr){.dw = {0, d}};
	return 0;
}

/* xscvhpdp, xscvdphp: scalar half precision in the right quarter of doubleword 0. */
static int op_half(struct ppc_vcpu *c, u32 w, u32 to_half)
{
	u64 v = xb(c, w)->dw[PPC_DW0], r;
	struct sfp_env e;

	fp_sync(c);
	e = fp_env(c);
	if (to_half)
		r = (u64)sfp_convert(&e, SFP_16, sfp_unpack(SFP_64, v));
	else
		r = (u64)sfp_convert(&e, SFP_64, sfp_unpack(SFP_16, (u16)v));
	if (fp_finish(c, &e, (s32)sfp_fprf(to_half ? SFP_16 : SFP_64, r)) == 0)
		*xt(c, w) = (union ppc_vsr){.dw = {0, r}};
	return fp_check_enabled(c);
}

/* ---- exponents and significands
 * ------------------------------------------------------------------ */

static u64 mantissa(u64 v, unsigned fb, unsigned eb)
{
	u64 exp = v >> fb & (BIT(eb) - 1), frac = v & (BIT(fb) - 1);

	return exp && exp != BIT(eb) - 1 ? frac | BIT(fb) : frac;
}

/* arg: 0 exponent, 1 significand; of a double to a GPR */
static int op_xpart(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v = xb(c, w)->dw[PPC_DW0];

	c->gpr[ppc_rt(w)] = arg ? mantissa(v, 52, 11) : v >> 52 & 0x7ff;
	return 0;
}

/* The same of vectors; arg bit 1: doubles. */
static int op_xvpart(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & 2 ? 8 : 4, fb = arg & 2 ? 52 : 23, eb = arg & 2 ? 11 : 8;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16 / size; i++) {
		u64 v = vec_get(xb(c, w), size, i);

		vec_set(&r, size, i, arg & 1 ? mantissa(v, fb, eb) : v >> fb & (BIT(eb) - 1));
	}
	*xt(c, w) = r;
	return 0;
}

static int op_insert_exp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 a = c->gpr[ppc_ra(w)], b = c->gpr[ppc_rb(w)];

	*xt(c, w) = (union ppc_vsr){.dw = {0, (a & ~(0x7ffULL << 52)) | (b & 0x7ff) << 52}};
	return 0;
}

static int op_xvinsert_exp(struct ppc_vcpu *c, u32 w, u32 dp)
{
	unsigned size = dp ? 8 : 4, fb = dp ? 52 : 23;
	u64 mask = dp ? 0x7ff : 0xff;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16 / size; i++) {
		u64 a = vec_get(xa(c, w), size, i), b = vec_get(xb(c, w), size, i);

		vec_set(&r, size, i, (a & ~(mask << fb)) | (b & mask) << fb);
	}
	*xt(c, w) = r;
	return 0;
}

/* ---- permutes
 * -------------------------------------------------------------------------------------- */

static int op_permdi(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned dm = ppc_bits(w, 22, 23);
	u64 hi = vec_get(xa(c, w), 8, dm >> 1), lo = vec_get(xb(c, w), 8, dm & 1);

	*xt(c, w) = (union ppc_vsr){.dw = {lo, hi}};
	return 0;
}

static int op_sldwi(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned sh = ppc_bits(w, 22, 23);
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++)
		r.w[PPC_W(i)] = (u32)(i + sh < 4 ? vec_get(xa(c, w), 4, i + sh)
						 : vec_get(xb(c, w), 4, i + sh - 4));
	*xt(c, w) = r;
	return 0;
}

/* xxmrghw (0), xxmrglw (2) */
static int op_merge(struct ppc_vcpu *c, u32 w, u32 first)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 2; i++) {
		r.w[PPC_W(2 * i)] = (u32)vec_get(xa(c, w), 4, first + i);
		r.w[PPC_W(2 * i + 1)] = (u32)vec_get(xb(c, w), 4, first + i);
	}
	*xt(c, w) = r;
	return 0;
}

/* Bytes of XA followed by XT by the numbers in XB; arg: from the right. */
static int op_perm(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		unsigned n = vec_get(xb(c, w), 1, i) & 31;

		n = arg ? 31 - n : n;
		vec_set(&r, 1, i, vec_get(n & 16 ? xt(c, w) : xa(c, w), 1, n & 15));
	}
	*xt(c, w) = r;
	return 0;
}

static int op_spltw(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v = vec_get(xb(c, w), 4, ppc_bits(w, 14, 15)) * 0x100000001ULL;

	*xt(c, w) = (union ppc_vsr){.dw = {v, v}};
	return 0;
}

static int op_spltib(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v = ppc_bits(w, 13, 20) * 0x0101010101010101ULL;

	*xt(c, w) = (union ppc_vsr){.dw = {v, v}};
	return 0;
}

static int op_extractuw(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned at = ppc_bits(w, 12, 15);
	u64 v = 0;

	for (unsigned i = 0; i < 4; i++)
		v = v << 8 | vec_get(xb(c, w), 1, (at + i) & 15);
	*xt(c, w) = (union ppc_vsr){.dw = {0, v}};
	return 0;
}

static int op_insertw(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned at = ppc_bits(w, 12, 15);
	u64 v = vec_get(xb(c, w), 4, 1);

	for (unsigned i = 0; i < 4 && at + i < 16; i++)
		vec_set(xt(c, w), 1, at + i, v >> (24 - 8 * i));
	return 0;
}

static int op_reverse(struct ppc_vcpu *c, u32 w, u32 size)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++)
		vec_set(&r, 1, i ^ (size - 1), vec_get(xb(c, w), 1, i));
	*xt(c, w) = r;
	return 0;
}

/* ---- moves to and from GPRs
 * ---------------------------------------------------------------------- */

enum { MF_D, MF_WZ, MF_LD };

static int op_mfvsr(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *s = xt(c, w);

	c->gpr[ppc_ra(w)] = arg == MF_D	   ? s->dw[PPC_DW0]
			    : arg == MF_WZ ? (u32)s->dw[PPC_DW0]
					   : s->dw[PPC_DW(1)];
	return 0;
}

enum { MT_D, MT_WA, MT_WZ, MT_WS, MT_DD };

static int op_mtvsr(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 a = c->gpr[ppc_ra(w)], hi = a, lo = 0;

	if (arg == MT_WA)
		hi = (u64)(s32)a;
	else if (arg == MT_WZ)
		hi = (u32)a;
	else if (arg == MT_WS)
		hi = lo = (u32)a * 0x100000001ULL;
	else if (arg == MT_DD)
		hi = ppc_ra(w) ? a : 0, lo = c->gpr[ppc_rb(w)];
	*xt(c, w) = (union ppc_vsr){.dw = {lo, hi}};
	return 0;
}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_XVCVDPSP] = {op_convert, CV(T_FLOAT, 8, T_FLOAT, 4)},
	[PPC_OP_XVCVSPDP] = {op_convert, CV(T_FLOAT, 4, T_FLOAT, 8)},
	[PPC_OP_XVCVHPSP] = {op_convert, CV(T_FLOAT, 2, T_FLOAT, 4)},
	[PPC_OP_XVCVSPHP] = {op_convert, CV(T_FLOAT, 4, T_FLOAT, 2)},
	[PPC_OP_XVCVDPSXDS] = {op_convert, CV(T_FLOAT, 8, T_SIGNED, 8)},
	[PPC_OP_XVCVDPUXDS] = {op_convert, CV(T_FLOAT, 8, T_UNSIGNED, 8)},
	[PPC_OP_XVCVDPSXWS] = {op_convert, CV(T_FLOAT, 8, T_SIGNED, 4)},
	[PPC_OP_XVCVDPUXWS] = {op_convert, CV(T_FLOAT, 8, T_UNSIGNED, 4)},
	[PPC_OP_XVCVSPSXDS] = {op_convert, CV(T_FLOAT, 4, T_SIGNED, 8)},
	[PPC_OP_XVCVSPUXDS] = {op_convert, CV(T_FLOAT, 4, T_UNSIGNED, 8)},
	[PPC_OP_XVCVSPSXWS] = {op_convert, CV(T_FLOAT, 4, T_SIGNED, 4)},
	[PPC_OP_XVCVSPUXWS] = {op_convert, CV(T_FLOAT, 4, T_UNSIGNED, 4)},
	[PPC_OP_XVCVSXDDP] = {op_convert, CV(T_SIGNED, 8, T_FLOAT, 8)},
	[PPC_OP_XVCVUXDDP] = {op_convert, CV(T_UNSIGNED, 8, T_FLOAT, 8)},
	[PPC_OP_XVCVSXWDP] = {op_convert, CV(T_SIGNED, 4, T_FLOAT, 8)},
	[PPC_OP_XVCVUXWDP] = {op_convert, CV(T_UNSIGNED, 4, T_FLOAT, 8)},
	[PPC_OP_XVCVSXDSP] = {op_convert, CV(T_SIGNED, 8, T_FLOAT, 4)},
	[PPC_OP_XVCVUXDSP] = {op_convert, CV(T_UNSIGNED, 8, T_FLOAT, 4)},
	[PPC_OP_XVCVSXWSP] = {op_convert, CV(T_SIGNED, 4, T_FLOAT, 4)},
	[PPC_OP_XVCVUXWSP] = {op_convert, CV(T_UNSIGNED, 4, T_FLOAT, 4)},
	[PPC_OP_XSCVDPSP] = {op_dpsp, 0},
	[PPC_OP_XSCVDPSPN] = {op_dpspn, 0},
	[PPC_OP_XSCVSPDPN] = {op_spdpn, 0},
	[PPC_OP_XSCVHPDP] = {op_half, 0},
	[PPC_OP_XSCVDPHP] = {op_half, 1},
	[PPC_OP_XSXEXPDP] = {op_xpart, 0},
	[PPC_OP_XSXSIGDP] = {op_xpart, 1},
	[PPC_OP_XVXEXPSP] = {op_xvpart, 0},
	[PPC_OP_XVXSIGSP] = {op_xvpart, 1},
	[PPC_OP_XVXEXPDP] = {op_xvpart, 2},
	[PPC_OP_XVXSIGDP] = {op_xvpart, 3},
	[PPC_OP_XSIEXPDP] = {op_insert_exp, 0},
	[PPC_OP_XVIEXPSP] = {op_xvinsert_exp, 0},
	[PPC_OP_XVIEXPDP] = {op_xvinsert_exp, 1},
	[PPC_OP_XXPERMDI] = {op_permdi, 0},
	[PPC_OP_XXSLDWI] = {op_sldwi, 0},
	[PPC_OP_XXMRGHW] = {op_merge, 0},
	[PPC_OP_XXMRGLW] = {op_merge, 2},
	[PPC_OP_XXPERM] = {op_perm, 0},
	[PPC_OP_XXPERMR] = {op_perm, 1},
	[PPC_OP_XXSPLTW] = {op_spltw, 0},
	[PPC_OP_XXSPLTIB] = {op_spltib, 0},
	[PPC_OP_XXEXTRACTUW] = {op_extractuw, 0},
	[PPC_OP_XXINSERTW] = {op_insertw, 0},
	[PPC_OP_XXBRH] = {op_reverse, 2},
	[PPC_OP_XXBRW] = {op_reverse, 4},
	[PPC_OP_XXBRD] = {op_reverse, 8},
	[PPC_OP_XXBRQ] = {op_reverse, 16},
	[PPC_OP_MFVSRD] = {op_mfvsr, MF_D},
	[PPC_OP_MFVSRWZ] = {op_mfvsr, MF_WZ},
	[PPC_OP_MFVSRLD] = {op_mfvsr, MF_LD},
	[PPC_OP_MTVSRD] = {op_mtvsr, MT_D},
	[PPC_OP_MTVSRWA] = {op_mtvsr, MT_WA},
	[PPC_OP_MTVSRWZ] = {op_mtvsr, MT_WZ},
	[PPC_OP_MTVSRWS] = {op_mtvsr, MT_WS},
	[PPC_OP_MTVSRDD] = {op_mtvsr, MT_DD},
};

struct ppc_op_row ppc_op_vsxmove(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
