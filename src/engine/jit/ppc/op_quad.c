/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Quad-precision floating point (ISA 3.0, Book I 7.6), in VSR 32 to 63.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/vec.h"

static void round_mode(struct sfp_env *e, u32 w)
{
	if (w & 1)
		e->rm = SFP_ODD;
}

static int finish(struct ppc_vcpu *c, u32 w, const struct sfp_env *e, s32 fprf, u128 r)
{
	if (fp_finish(c, e, fprf) == 0)
		*vec_t(c, w) = vec_from(r);
	return fp_check_enabled(c);
}

static int op_arith(struct ppc_vcpu *c, u32 w, u32 op)
{
	struct sfp_env e;
	u128 r, t = vec_128(vec_t(c, w)), b = vec_128(vec_b(c, w));
	bool fma = op >= FP_MADD && op <= FP_NMSUB;

	fp_sync(c);
	e = fp_env(c);
	round_mode(&e, w);
	/* xsmaddqp: VRA * VRB + VRT */
	r = fp_compute_in(&e, SFP_128, op, vec_128(vec_a(c, w)), fma ? t : b, b);
	return finish(c, w, &e, (s32)sfp_fprf(SFP_128, r), r);
}

enum { S_ABS, S_NABS, S_NEG, S_CPSGN };

static int op_sign(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = *vec_b(c, w);

	switch (arg) {
	case S_ABS:
		r.dw[1] &= ~BIT(63);
		break;
	case S_NABS:
		r.dw[1] |= BIT(63);
		break;
	case S_NEG:
		r.dw[1] ^= BIT(63);
		break;
	default:
		r.dw[1] = (r.dw[1] & ~BIT(63)) | (vec_a(c, w)->dw[1] & BIT(63));
	}
	*vec_t(c, w) = r;
	return 0;
}

static void set_crf(struct ppc_vcpu *c, u32 w, unsigned v)
{
	for (unsigned i = 0; i < 4; i++)
		c->cr[4 * ppc_bits(w, 6, 8) + i] = v >> (3 - i) & 1;
}

static void set_fpcc(struct ppc_vcpu *c, unsigned r)
{
	c->fpscr = (c->fpscr & ~(0xfULL << PPC_FPSCR_FPRF_SHIFT)) | (u64)r << PPC_FPSCR_FPRF_SHIFT;
}

static int op_cmp(struct ppc_vcpu *c, u32 w, u32 ordered)
{
	static const u8 crf[] = {8, 2, 4, 1};
	struct sfp a = sfp_unpack(SFP_128, vec_128(vec_a(c, w)));
	struct sfp b = sfp_unpack(SFP_128, vec_128(vec_b(c, w)));
	unsigned r = crf[sfp_compare(a, b) + 1];
	u32 flags = 0;

	fp_sync(c);
	if (r == 1) {
		if (a.snan || b.snan)
			flags = PPC_FPSCR_VXSNAN;
		if (ordered && (!flags || !(c->fpscr & PPC_FPSCR_VE)))
			flags |= PPC_FPSCR_VXVC;
	}
	set_fpcc(c, r);
	set_crf(c, w, r);
	fp_raise_flags(c, flags);
	return fp_check_enabled(c);
}

static unsigned exponent(u128 v)
{
	return (unsigned)(v >> 112) & 0x7fff;
}

static int op_cmpexp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 a = vec_128(vec_a(c, w)), b = vec_128(vec_b(c, w));
	bool nan = sfp_unpack(SFP_128, a).cls == SFP_NAN || sfp_unpack(SFP_128, b).cls == SFP_NAN;
	unsigned r = nan ? 1 : exponent(a) < exponent(b) ? 8 : exponent(a) > exponent(b) ? 4 : 2;

	fp_sync(c);
	set_fpcc(c, r);
	set_crf(c, w, r);
	return 0;
}

static int op_class(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 v = vec_128(vec_b(c, w));
	struct sfp a = sfp_unpack(SFP_128, v);
	unsigned dcmx = ppc_bits(w, 9, 15), bit = 7, r;

	if (a.cls == SFP_NAN)
		bit = 6;
	else if (a.cls == SFP_INF)
		bit = a.sign ? 4 : 5;
	else if (a.cls == SFP_ZERO_)
		bit = a.sign ? 2 : 3;
	else if (a.subnormal)
		bit = a.sign ? 0 : 1;
	r = (unsigned)a.sign << 3 | (dcmx >> bit & 1) << 1;
	fp_sync(c);
	set_fpcc(c, r);
	set_crf(c, w, r);
	return 0;
}

static int op_exponent(struct ppc_vcpu *c, u32 w, u32 arg)
{
	*vec_t(c, w) = (union ppc_vsr){.dw = {0, exponent(vec_128(vec_b(c, w)))}};
	return 0;
}

static int op_significand(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 v = vec_128(vec_b(c, w)), frac = v & (((u128)1 << 112) - 1);
	unsigned e = exponent(v);

	*vec_t(c, w) = vec_from(e && e != 0x7fff ? frac | (u128)1 << 112 : frac);
	return 0;
}

static int op_insert_exp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = *vec_a(c, w);

	r.dw[1] = (r.dw[1] & ~(0x7fffULL << 48)) | (vec_b(c, w)->dw[PPC_DW0] & 0x7fff) << 48;
	*vec_t(c, w) = r;
	return 0;
}

/* To an integer of arg & 127 bits (128: signed), towards zero. */
static int op_to_int(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct sfp_env e;
	u64 r;

	fp_sync(c);
	e = fp_env(c);
	e.rm = SFP_ZERO;
	r = sfp_to_int(&e, sfp_unpack(SFP_128, vec_128(vec_b(c, w))), arg & 127, arg & 128);
	if (arg == (32 | 128))
		r = (u64)(s32)r;
	return finish(c, w, &e, -1, (u128)r << 64);
}

static int op_from_int(struct ppc_vcpu *c, u32 w, u32 is_signed)
{
	u64 v = vec_b(c, w)->dw[PPC_DW0];
	bool neg = is_signed && v >> 63;
	struct sfp_env e;
	u128 r;

	fp_sync(c);
	e = fp_env(c);
	r = sfp_from_int(&e, SFP_128, neg ? -v : v, neg);
	return finish(c, w, &e, (s32)sfp_fprf(SFP_128, r), r);
}

/* xscvqpdp (arg 1), xscvdpqp. */
static int op_convert(struct ppc_vcpu *c, u32 w, u32 to_double)
{
	struct sfp_env e;
	u128 r;

	fp_sync(c);
	e = fp_env(c);
	if (to_double) {
		round_mode(&e, w);
		r = sfp_convert(&e, SFP_64, sfp_unpack(SFP_128, vec_128(vec_b(c, w))));
		return finish(c, w, &e, (s32)sfp_fprf(SFP_64, r), r << 64);
	}
	r = sfp_convert(&e, SFP_128, sfp_unpack(SFP_64, vec_b(c, w)->dw[PPC_DW0]));
	return finish(c, w, &e, (s32)sfp_fprf(SFP_128, r), r);
}

/* xsrqpi[x], xsrqpxp: rounding by R and RMC (figure "Rounding mode by R, RMC"). */
static u8 chosen_mode(const struct ppc_vcpu *c, u32 w)
{
	static const u8 with_r[] = {SFP_NEAREST, SFP_ZERO, SFP_UP, SFP_DOWN};
	unsigned rmc = ppc_bits(w, 21, 22);

	if (w >> 16 & 1)
		return with_r[rmc];
	return rmc == 3 ? (u8)(c->fpscr & PPC_FPSCR_RN) : SFP_AWAY;
}

static int op_round_int(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct sfp_env e;
	u128 r;

	fp_sync(c);
	e = fp_env(c);
	e.rm = chosen_mode(c, w);
	r = sfp_integral(&e, SFP_128, sfp_unpack(SFP_128, vec_128(vec_b(c, w))), w & 1);
	return finish(c, w, &e, (s32)sfp_fprf(SFP_128, r), r);
}

/* To the precision of x87's extended format: 63 bits of fraction. */
static int op_round_extended(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct sfp_env e;
	u128 r;

	fp_sync(c);
	e = fp_env(c);
	e.rm = chosen_mode(c, w);
	r = sfp_convert(&e, SFP_80, sfp_unpack(SFP_128, vec_128(vec_b(c, w)))) << (112 - 63);
	return finish(c, w, &e, (s32)sfp_fprf(SFP_128, r), r);
}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_XSADDQP] = {op_arith, FP_ADD},	   [PPC_OP_XSSUBQP] = {op_arith, FP_SUB},
	[PPC_OP_XSMULQP] = {op_arith, FP_MUL},	   [PPC_OP_XSDIVQP] = {op_arith, FP_DIV},
	[PPC_OP_XSSQRTQP] = {op_arith, FP_SQRT},   [PPC_OP_XSMADDQP] = {op_arith, FP_MADD},
	[PPC_OP_XSMSUBQP] = {op_arith, FP_MSUB},   [PPC_OP_XSNMADDQP] = {op_arith, FP_NMADD},
	[PPC_OP_XSNMSUBQP] = {op_arith, FP_NMSUB}, [PPC_OP_XSABSQP] = {op_sign, S_ABS},
	[PPC_OP_XSNABSQP] = {op_sign, S_NABS},	   [PPC_OP_XSNEGQP] = {op_sign, S_NEG},
	[PPC_OP_XSCPSGNQP] = {op_sign, S_CPSGN},   [PPC_OP_XSCMPOQP] = {op_cmp, 1},
	[PPC_OP_XSCMPUQP] = {op_cmp, 0},	   [PPC_OP_XSCMPEXPQP] = {op_cmpexp, 0},
	[PPC_OP_XSTSTDCQP] = {op_class, 0},	   [PPC_OP_XSXEXPQP] = {op_exponent, 0},
	[PPC_OP_XSXSIGQP] = {op_significand, 0},   [PPC_OP_XSIEXPQP] = {op_insert_exp, 0},
	[PPC_OP_XSCVQPUWZ] = {op_to_int, 32},	   [PPC_OP_XSCVQPSWZ] = {op_to_int, 32 | 128},
	[PPC_OP_XSCVQPUDZ] = {op_to_int, 64},	   [PPC_OP_XSCVQPSDZ] = {op_to_int, 64 | 128},
	[PPC_OP_XSCVUDQP] = {op_from_int, 0},	   [PPC_OP_XSCVSDQP] = {op_from_int, 1},
	[PPC_OP_XSCVQPDP] = {op_convert, 1},	   [PPC_OP_XSCVDPQP] = {op_convert, 0},
	[PPC_OP_XSRQPI] = {op_round_int, 0},	   [PPC_OP_XSRQPXP] = {op_round_extended, 0},
};

struct ppc_op_row ppc_op_quad(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
