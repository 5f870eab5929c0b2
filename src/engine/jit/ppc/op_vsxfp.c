/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector floating point of VSX and the scalar instructions that are not like FPU ones (Book I
 * 7.6): exceptions of all elements are gathered in FPSCR; with one that is enabled the target
 * stays.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/vec.h"

#define DP (1u << 8)  /* doubles, else singles */
#define MA (1u << 9)  /* XA * XB + XT */
#define MM (1u << 10) /* XA * XT + XB */
#define SCALAR (1u << 11)

static enum sfp_format format(u32 arg)
{
	return arg & DP ? SFP_64 : SFP_32;
}

static u64 at(const struct ppc_vcpu *c, unsigned reg, unsigned size, unsigned i)
{
	return vec_get(&c->vsr[reg], size, i);
}

/* Exceptions into FPSCR; the result into VSR t unless it is suppressed. */
static int finish(struct ppc_vcpu *c, u32 flags, unsigned t, const union ppc_vsr *r)
{
	fp_raise_flags(c, flags);
	if (!fp_suppressed(c, flags))
		c->vsr[t] = *r;
	return fp_check_enabled(c);
}

static u64 arith_element(struct ppc_vcpu *c, u32 w, u32 arg, unsigned i, u32 *flags)
{
	unsigned size = arg & DP ? 8 : 4, xb = ppc_xb(w), xt = ppc_xt(w);
	struct sfp_env e = fp_env(c);
	u64 a = at(c, ppc_xa(w), size, i), b = at(c, arg & MA ? xt : xb, size, i);
	u64 m = at(c, arg & MA ? xb : xt, size, i);
	u64 r = (u64)fp_compute_in(&e, format(arg), arg & 0xff, a, b, m);

	*flags |= e.flags;
	return r;
}

static int op_arith(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & DP ? 8 : 4;
	union ppc_vsr r = {0};
	u32 flags = 0;

	fp_sync(c);
	for (unsigned i = 0; i < 16 / size; i++)
		vec_set(&r, size, i, arith_element(c, w, arg, i, &flags));
	return finish(c, flags, ppc_xt(w), &r);
}

/* Again for generated code whose result has a NaN; into scratch[2..3] (ir_target.vtmp_off). */
u64 ppc_fp_vfix(void *cpu, u64 word, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;
	const struct ppc_row *row = ppc_decode((u32)word);
	struct ppc_op_row o = row ? ppc_op_row(row->op) : (struct ppc_op_row){0};
	unsigned size = o.arg & DP ? 8 : 4;
	union ppc_vsr r = {0}, keep;
	u32 flags = 0;

	if (o.fn == op_arith) {
		for (unsigned i = 0; i < 16 / size; i++)
			vec_set(&r, size, i, arith_element(c, (u32)word, o.arg, i, &flags));
		fp_raise_flags(c, flags);
	} else if (o.fn) { /* VMX: no flags */
		keep = *vec_t(c, (u32)word);
		o.fn(c, (u32)word, o.arg);
		r = *vec_t(c, (u32)word);
		*vec_t(c, (u32)word) = keep;
	} else {
		r = (union ppc_vsr){0};
	}
	c->scratch[2] = r.dw[0];
	c->scratch[3] = r.dw[1];
	return 0;
}

/* ---- maximum and minimum (tables "Actions for xsmaxdp" and its like) ------------------------- */

enum { X_MAX = 1, X_C = 2, X_J = 4 };

static u64 minmax(enum sfp_format f, u32 kind, u64 a, u64 b, u32 *flags)
{
	struct sfp sa = sfp_unpack(f, a), sb = sfp_unpack(f, b);
	int cmp = sfp_compare(sa, sb);

	if (cmp == 2) {
		if (sa.snan || sb.snan)
			*flags |= PPC_FPSCR_VXSNAN;
		if (kind & X_C)
			return b;
		if (kind & X_J)
			return sa.cls == SFP_NAN ? a : b;
		if (sa.cls == SFP_NAN && sb.cls == SFP_NAN)
			return (u64)sfp_nan(f, sa);
		if (sa.snan || sb.snan)
			return (u64)sfp_nan(f, sa.snan ? sa : sb);
		return sa.cls == SFP_NAN ? b : a;
	}
	if (kind & X_C)
		return (kind & X_MAX ? cmp >= 0 : cmp < 0) ? a : b;
	if (cmp == 0)
		return (kind & X_MAX) ? (sa.sign ? b : a) : (sa.sign ? a : b);
	return (cmp > 0) == !!(kind & X_MAX) ? a : b;
}

static int op_minmax(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & DP ? 8 : 4, n = arg & SCALAR ? 1 : 16 / size;
	union ppc_vsr r = {0};
	u32 flags = 0;

	fp_sync(c);
	for (unsigned i = 0; i < n; i++)
		vec_set(&r, size, i,
			minmax(format(arg), arg & 7, at(c, ppc_xa(w), size, i),
			       at(c, ppc_xb(w), size, i), &flags));
	return finish(c, flags, ppc_xt(w), &r);
}

/* ---- comparisons to a mask ---------------------------------------------------------------------
 */

enum { C_EQ, C_GT, C_GE };

static int op_cmp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & DP ? 8 : 4, n = arg & SCALAR ? 1 : 16 / size;
	union ppc_vsr r = {0};
	u32 flags = 0;

	fp_sync(c);
	for (unsigned i = 0; i < n; i++) {
		struct sfp a = sfp_unpack(format(arg), at(c, ppc_xa(w), size, i));
		struct sfp b = sfp_unpack(format(arg), at(c, ppc_xb(w), size, i));
		int cmp = sfp_compare(a, b);
		bool yes =
			(arg & 3) == C_EQ ? cmp == 0 : cmp == 1 || ((arg & 3) == C_GE && cmp == 0);

		if (cmp == 2 && (a.snan || b.snan))
			flags |= PPC_FPSCR_VXSNAN |
				 ((arg & 3) != C_EQ && !(c->fpscr & PPC_FPSCR_VE) ? PPC_FPSCR_VXVC
										  : 0);
		else if (cmp == 2 && (arg & 3) != C_EQ)
			flags |= PPC_FPSCR_VXVC;
		vec_set(&r, size, i, yes ? ~0ULL : 0);
	}
	if (!(arg & SCALAR) && (w & 1 << 10))
		vec_cr6(c, &r);
	return finish(c, flags, ppc_xt(w), &r);
}

/* ---- signs, tests, classes ------------------------------------------------------------------- */

enum { S_ABS, S_NABS, S_NEG, S_CPSGN };

static int op_sign(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 m = arg & DP ? BIT(63) : BIT(63) | BIT(31);
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 2; i++) {
		u64 a = c->vsr[ppc_xa(w)].dw[i], b = c->vsr[ppc_xb(w)].dw[i];

		switch (arg & 7) {
		case S_ABS:
			r.dw[i] = b & ~m;
			break;
		case S_NABS:
			r.dw[i] = b | m;
			break;
		case S_NEG:
			r.dw[i] = b ^ m;
			break;
		default:
			r.dw[i] = (b & ~m) | (a & m);
		}
	}
	c->vsr[ppc_xt(w)] = r;
	return 0;
}

static void set_crf(struct ppc_vcpu *c, u32 w, unsigned v)
{
	for (unsigned i = 0; i < 4; i++)
		c->cr[4 * ppc_bits(w, 6, 8) + i] = v >> (3 - i) & 1;
}

static void set_fpcc(struct ppc_vcpu *c, unsigned r)
{
	fp_sync(c);
	c->fpscr = (c->fpscr & ~(0xfULL << PPC_FPSCR_FPRF_SHIFT)) | (u64)r << PPC_FPSCR_FPRF_SHIFT;
}

/* One element of xvtdiv*: fe_flag in bit 1, fg_flag in bit 2. */
static unsigned tdiv_element(enum sfp_format f, u64 va, u64 vb)
{
	struct sfp a = sfp_unpack(f, va), b = sfp_unpack(f, vb);
	bool d = f == SFP_64;
	s32 lo = d ? -1022 : -126, hi = d ? 1021 : 125, far = d ? 1023 : 127,
	    near = d ? -1021 : -125;
	s32 small = d ? -970 : -103;
	unsigned r = 0;

	if (a.cls == SFP_INF || b.cls == SFP_INF || b.cls == SFP_ZERO_)
		return 6;
	if (b.subnormal)
		r |= 4;
	if (a.cls == SFP_NAN || b.cls == SFP_NAN || b.exp <= lo || b.exp >= hi)
		return r | 2;
	if (a.cls == SFP_NORMAL &&
	    (a.exp - b.exp >= far || a.exp - b.exp <= near || a.exp <= small))
		r |= 2;
	return r;
}

static unsigned tsqrt_element(enum sfp_format f, u64 vb)
{
	struct sfp b = sfp_unpack(f, vb);
	unsigned r = b.cls == SFP_INF || b.cls == SFP_ZERO_ || b.subnormal ? 4 : 0;

	if (b.cls != SFP_NORMAL || b.sign || b.exp <= (f == SFP_64 ? -970 : -103))
		r |= 2;
	return r;
}

static int op_test(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & DP ? 8 : 4, r = 8;

	for (unsigned i = 0; i < 16 / size; i++)
		r |= arg & 1 ? tsqrt_element(format(arg), at(c, ppc_xb(w), size, i))
			     : tdiv_element(format(arg), at(c, ppc_xa(w), size, i),
					    at(c, ppc_xb(w), size, i));
	set_crf(c, w, r);
	return 0;
}

/* DCMX: NaN, +inf, -inf, +0, -0, +subnormal, -subnormal. */
static bool in_class(enum sfp_format f, u64 v, unsigned dcmx)
{
	struct sfp a = sfp_unpack(f, v);

	if (a.cls == SFP_NAN)
		return dcmx >> 6 & 1;
	if (a.cls == SFP_INF)
		return dcmx >> (a.sign ? 4 : 5) & 1;
	if (a.cls == SFP_ZERO_)
		return dcmx >> (a.sign ? 2 : 3) & 1;
	return a.subnormal && (dcmx >> (a.sign ? 0 : 1) & 1);
}

static int op_vtstdc(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned dcmx = ppc_ra(w) | (w >> 2 & 1) << 5 | (w >> 6 & 1) << 6, size = arg & DP ? 8 : 4;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16 / size; i++)
		vec_set(&r, size, i,
			in_class(format(arg), at(c, ppc_xb(w), size, i), dcmx) ? ~0ULL : 0);
	c->vsr[ppc_xt(w)] = r;
	return 0;
}

/* xststdcdp, xststdcsp (a double that is no single: SO). */
static int op_stdc(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v = c->vsr[ppc_xb(w)].dw[PPC_DW0];
	unsigned dcmx = ppc_bits(w, 9, 15), r;
	struct sfp_env e = {0};
	bool match, exact = true;

	if (arg & DP) {
		match = in_class(SFP_64, v, dcmx);
	} else {
		struct sfp a = sfp_unpack(SFP_64, v);
		u32 s = (u32)sfp_convert(&e, SFP_32, a);

		exact = a.cls == SFP_NAN ? !(v & 0x1fffffff)
					 : !(e.flags & (PPC_FPSCR_XX | PPC_FPSCR_OX));
		match = in_class(SFP_64, v, dcmx & 0x7c) ||
			((v >> 52 & 0x7ff) && (v >> 52 & 0x7ff) < 0x381 &&
			 (dcmx >> (v >> 63 ? 0 : 1) & 1)) ||
			(a.cls == SFP_NORMAL && in_class(SFP_32, s, dcmx & 3));
	}
	r = (unsigned)(v >> 63) << 3 | match << 1 | !exact;
	set_fpcc(c, r);
	set_crf(c, w, r);
	return 0;
}

static int op_cmpexp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 a = c->vsr[ppc_xa(w)].dw[PPC_DW0], b = c->vsr[ppc_xb(w)].dw[PPC_DW0];
	unsigned ea = a >> 52 & 0x7ff, eb = b >> 52 & 0x7ff;
	bool nan = sfp_unpack(SFP_64, a).cls == SFP_NAN || sfp_unpack(SFP_64, b).cls == SFP_NAN;
	unsigned r = nan ? 1 : ea < eb ? 8 : ea > eb ? 4 : 2;

	set_fpcc(c, r);
	set_crf(c, w, r);
	return 0;
}

#define AR(op)                                                                                     \
	{                                                                                          \
		op_arith, (op)                                                                     \
	}
#define AD(op)                                                                                     \
	{                                                                                          \
		op_arith, (op) | DP                                                                \
	}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_XVADDSP] = AR(FP_ADD),
	[PPC_OP_XVADDDP] = AD(FP_ADD),
	[PPC_OP_XVSUBSP] = AR(FP_SUB),
	[PPC_OP_XVSUBDP] = AD(FP_SUB),
	[PPC_OP_XVMULSP] = AR(FP_MUL),
	[PPC_OP_XVMULDP] = AD(FP_MUL),
	[PPC_OP_XVDIVSP] = AR(FP_DIV),
	[PPC_OP_XVDIVDP] = AD(FP_DIV),
	[PPC_OP_XVSQRTSP] = AR(FP_SQRT),
	[PPC_OP_XVSQRTDP] = AD(FP_SQRT),
	[PPC_OP_XVRESP] = AR(FP_RE),
	[PPC_OP_XVREDP] = AD(FP_RE),
	[PPC_OP_XVRSQRTESP] = AR(FP_RSQRTE),
	[PPC_OP_XVRSQRTEDP] = AD(FP_RSQRTE),
	[PPC_OP_XVMADDASP] = AR(FP_MADD | MA),
	[PPC_OP_XVMADDMSP] = AR(FP_MADD | MM),
	[PPC_OP_XVMSUBASP] = AR(FP_MSUB | MA),
	[PPC_OP_XVMSUBMSP] = AR(FP_MSUB | MM),
	[PPC_OP_XVNMADDASP] = AR(FP_NMADD | MA),
	[PPC_OP_XVNMADDMSP] = AR(FP_NMADD | MM),
	[PPC_OP_XVNMSUBASP] = AR(FP_NMSUB | MA),
	[PPC_OP_XVNMSUBMSP] = AR(FP_NMSUB | MM),
	[PPC_OP_XVMADDADP] = AD(FP_MADD | MA),
	[PPC_OP_XVMADDMDP] = AD(FP_MADD | MM),
	[PPC_OP_XVMSUBADP] = AD(FP_MSUB | MA),
	[PPC_OP_XVMSUBMDP] = AD(FP_MSUB | MM),
	[PPC_OP_XVNMADDADP] = AD(FP_NMADD | MA),
	[PPC_OP_XVNMADDMDP] = AD(FP_NMADD | MM),
	[PPC_OP_XVNMSUBADP] = AD(FP_NMSUB | MA),
	[PPC_OP_XVNMSUBMDP] = AD(FP_NMSUB | MM),
	[PPC_OP_XVRSPI] = AR(FP_RIN),
	[PPC_OP_XVRSPIZ] = AR(FP_RIZ),
	[PPC_OP_XVRSPIP] = AR(FP_RIP),
	[PPC_OP_XVRSPIM] = AR(FP_RIM),
	[PPC_OP_XVRSPIC] = AR(FP_RIC),
	[PPC_OP_XVRDPI] = AD(FP_RIN),
	[PPC_OP_XVRDPIZ] = AD(FP_RIZ),
	[PPC_OP_XVRDPIP] = AD(FP_RIP),
	[PPC_OP_XVRDPIM] = AD(FP_RIM),
	[PPC_OP_XVRDPIC] = AD(FP_RIC),
	[PPC_OP_XVMAXSP] = {op_minmax, X_MAX},
	[PPC_OP_XVMINSP] = {op_minmax, 0},
	[PPC_OP_XVMAXDP] = {op_minmax, X_MAX | DP},
	[PPC_OP_XVMINDP] = {op_minmax, DP},
	[PPC_OP_XSMAXDP] = {op_minmax, X_MAX | DP | SCALAR},
	[PPC_OP_XSMINDP] = {op_minmax, DP | SCALAR},
	[PPC_OP_XSMAXCDP] = {op_minmax, X_MAX | X_C | DP | SCALAR},
	[PPC_OP_XSMINCDP] = {op_minmax, X_C | DP | SCALAR},
	[PPC_OP_XSMAXJDP] = {op_minmax, X_MAX | X_J | DP | SCALAR},
	[PPC_OP_XSMINJDP] = {op_minmax, X_J | DP | SCALAR},
	[PPC_OP_XVCMPEQSP] = {op_cmp, C_EQ},
	[PPC_OP_XVCMPGTSP] = {op_cmp, C_GT},
	[PPC_OP_XVCMPGESP] = {op_cmp, C_GE},
	[PPC_OP_XVCMPEQDP] = {op_cmp, C_EQ | DP},
	[PPC_OP_XVCMPGTDP] = {op_cmp, C_GT | DP},
	[PPC_OP_XVCMPGEDP] = {op_cmp, C_GE | DP},
	[PPC_OP_XSCMPEQDP] = {op_cmp, C_EQ | DP | SCALAR},
	[PPC_OP_XSCMPGTDP] = {op_cmp, C_GT | DP | SCALAR},
	[PPC_OP_XSCMPGEDP] = {op_cmp, C_GE | DP | SCALAR},
	[PPC_OP_XVABSSP] = {op_sign, S_ABS},
	[PPC_OP_XVNABSSP] = {op_sign, S_NABS},
	[PPC_OP_XVNEGSP] = {op_sign, S_NEG},
	[PPC_OP_XVCPSGNSP] = {op_sign, S_CPSGN},
	[PPC_OP_XVABSDP] = {op_sign, S_ABS | DP},
	[PPC_OP_XVNABSDP] = {op_sign, S_NABS | DP},
	[PPC_OP_XVNEGDP] = {op_sign, S_NEG | DP},
	[PPC_OP_XVCPSGNDP] = {op_sign, S_CPSGN | DP},
	[PPC_OP_XVTDIVSP] = {op_test, 0},
	[PPC_OP_XVTSQRTSP] = {op_test, 1},
	[PPC_OP_XVTDIVDP] = {op_test, DP},
	[PPC_OP_XVTSQRTDP] = {op_test, 1 | DP},
	[PPC_OP_XVTSTDCSP] = {op_vtstdc, 0},
	[PPC_OP_XVTSTDCDP] = {op_vtstdc, DP},
	[PPC_OP_XSTSTDCSP] = {op_stdc, 0},
	[PPC_OP_XSTSTDCDP] = {op_stdc, DP},
	[PPC_OP_XSCMPEXPDP] = {op_cmpexp, 0},
};

struct ppc_op_row ppc_op_vsxfp(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
