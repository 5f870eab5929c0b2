// SPDX-License-Identifier: Apache-2.0
/*
 * Where ppc_diff's two sides may differ: undefined by the ISA, or an error of QEMU 7.2, each with
 * its place.
 */
#include "tests/unit/jit/ppc_diff.h"

static void same(u64 *a, u64 b)
{
	*a = b;
}

/* Bits of CR field n and of FPSCR. */
static void same_bits(u64 *a, u64 b, u64 bits)
{
	*a = (*a & ~bits) | (b & bits);
}

static bool is_division(unsigned op)
{
	return ONE_OF(op, PPC_OP_DIVW, PPC_OP_DIVWU, PPC_OP_DIVWE, PPC_OP_DIVWEU, PPC_OP_DIVD,
		      PPC_OP_DIVDU, PPC_OP_DIVDE, PPC_OP_DIVDEU, PPC_OP_MODSW, PPC_OP_MODUW,
		      PPC_OP_MODSD, PPC_OP_MODUD);
}

static bool is_word_division(unsigned op)
{
	return ONE_OF(op, PPC_OP_DIVW, PPC_OP_DIVWU, PPC_OP_DIVWE, PPC_OP_DIVWEU, PPC_OP_MODSW,
		      PPC_OP_MODUW);
}

/* Does the division have no result (Book I 3.3.9)? */
static bool no_quotient(const struct ppc_row *r, u32 w, const struct state *s)
{
	u64 a = s->gpr[ppc_ra(w)], b = s->gpr[ppc_rb(w)];
	bool word = is_word_division(r->op);
	s64 sa = word ? (s32)a : (s64)a, sb = word ? (s32)b : (s64)b;

	if (word)
		a = (u32)a, b = (u32)b;
	switch (r->op) {
	case PPC_OP_DIVWEU:
	case PPC_OP_DIVDEU:
		return a >= b;
	case PPC_OP_DIVWE: {
		__int128 q = sb ? ((__int128)sa * (1LL << 32)) / sb : 0;

		return !sb || q != (s32)q;
	}
	case PPC_OP_DIVDE: {
		__int128 n = (__int128)((unsigned __int128)sa << 64);

		if (!sb || (sb == -1 && sa == INT64_MIN))
			return true;
		return n / sb != (s64)(n / sb);
	}
	default:
		return !b || (sb == -1 && sa == (word ? INT32_MIN : INT64_MIN));
	}
}

static void undefined_fixed(const struct ppc_row *r, u32 w, const struct state *before,
			    struct state *a, struct state *b)
{
	unsigned rt = ppc_rt(w);

	if (is_division(r->op)) {
		if (no_quotient(r, w, before))
			same(&a->gpr[rt], b->gpr[rt]);
		if (is_word_division(r->op)) /* the upper half */
			same_bits(&a->gpr[rt], b->gpr[rt], ~0xffffffffULL);
		if ((w & 1) && (no_quotient(r, w, before) || is_word_division(r->op)))
			same_bits(&a->cr, b->cr, 0xe0000000); /* of an undefined number */
	}
	/* mfocrf and mtocrf with not just one bit of FXM (Book I 3.3.17). */
	if (ONE_OF(r->op, PPC_OP_MFOCRF, PPC_OP_MTOCRF) &&
	    __builtin_popcount(ppc_bits(w, 12, 19)) != 1) {
		same(&a->gpr[rt], b->gpr[rt]);
		same(&a->cr, b->cr);
	}
	if (r->op == PPC_OP_MFOCRF && __builtin_popcount(ppc_bits(w, 12, 19)) == 1) {
		u64 field = 0xf0000000ULL >> 4 * (__builtin_clz(ppc_bits(w, 12, 19)) - 24);

		same_bits(&a->gpr[rt], b->gpr[rt], ~field);
	}
	/* Bits 35 to 43 of XER are reserved and read as zero (Book I 3.2.2); QEMU 7.2 keeps them.
	 */
	if (r->op == PPC_OP_MTSPR && ppc_spr(w) == 1)
		same_bits(&a->xer, b->xer, 0x1ff00000);
	/* QEMU 7.2's divde misses quotients below -2^63 and above 2^63 - 1. */
	if (r->op == PPC_OP_DIVDE && no_quotient(r, w, before))
		same_bits(&a->xer, b->xer, PPC_XER_SO | PPC_XER_OV | PPC_XER_OV32);
	if (r->op == PPC_OP_DIVDE && no_quotient(r, w, before) && (w & 1))
		same_bits(&a->cr, b->cr, 0xf0000000);
}

static bool writes_fpr(const struct ppc_row *r)
{
	return has_operand(r, PPC_OPND_FRT) || has_operand(r, PPC_OPND_FRTP);
}

/* Scalar instructions with a VSR for target. */
static bool scalar_vsx(const struct ppc_row *r)
{
	return !strncmp(r->name, "xs", 2) || !strncmp(r->name, "lxs", 3) ||
	       ONE_OF(r->op, PPC_OP_MTVSRD, PPC_OP_MTVSRWA, PPC_OP_MTVSRWZ);
}

static bool is_estimate(unsigned op)
{
	return ONE_OF(op, PPC_OP_FRE, PPC_OP_FRES, PPC_OP_FRSQRTE, PPC_OP_FRSQRTES, PPC_OP_XSREDP,
		      PPC_OP_XSRESP, PPC_OP_XSRSQRTEDP, PPC_OP_XSRSQRTESP, PPC_OP_XVREDP,
		      PPC_OP_XVRESP, PPC_OP_XVRSQRTEDP, PPC_OP_XVRSQRTESP);
}

static bool is_compare(unsigned op)
{
	return ONE_OF(op, PPC_OP_FCMPU, PPC_OP_FCMPO, PPC_OP_XSCMPUDP, PPC_OP_XSCMPODP,
		      PPC_OP_XSCMPUQP, PPC_OP_XSCMPOQP);
}

static void close_enough(u64 *a, u64 b, unsigned bits, u64 by)
{
	for (unsigned at = 0; at < 64; at += bits) {
		u64 m = bits == 64 ? ~0ULL : (BIT(bits) - 1) << at, d = (*a & m) - (b & m);

		if (d >> at <= by || -d >> at <= by)
			same_bits(a, b, m);
	}
}

/* Estimates may be off by more than QEMU's; of zero QEMU 7.2 says 1/2 (fre) instead of infinity. */
static void estimates(const struct ppc_row *r, u32 w, const struct state *before, struct state *a,
		      struct state *b)
{
	bool vsx = r->name[0] == 'x', single = strstr(r->name, "sp") != NULL;
	unsigned t = vsx ? ppc_xt(w) : ppc_rt(w), src = vsx ? ppc_xb(w) : ppc_rb(w);

	for (unsigned k = 0; k < 2; k++) {
		if (r->name[1] == 'v' && single)
			close_enough(&a->vsr[t][k], b->vsr[t][k], 32, 4);
		else
			close_enough(&a->vsr[t][k], b->vsr[t][k], 64, BIT(31));
	}
	if (!vsx && before->vsr[src][0] << 1 == 0) {
		same(&a->vsr[t][0], b->vsr[t][0]);
		same_bits(&a->fpscr, b->fpscr, PPC_FPSCR_FPRF);
	}
}

static void undefined_flags(const struct ppc_row *r, u32 w, struct state *a, struct state *b)
{
	u64 bits = 0;

	if (is_estimate(r->op)) /* FI, and XX is not theirs (Book I 4.6.6.1) */
		bits |= PPC_FPSCR_FI | PPC_FPSCR_XX | PPC_FPSCR_FX | PPC_FPSCR_ZX;
	if (is_compare(r->op)) /* QEMU 7.2 clears FI and sets C, which no comparison alters */
		bits |= PPC_FPSCR_FI | 0x10000;
	if (!strncmp(r->name, "xv", 2)) /* QEMU 7.2 alters FI, which vectors do not (Book I 7.6) */
		bits |= PPC_FPSCR_FI;
	/* QEMU 7.2 forgets underflow of one element beside overflow of another. */
	if (!strncmp(r->name, "xv", 2) && (a->fpscr & b->fpscr & PPC_FPSCR_OX))
		bits |= PPC_FPSCR_UX | PPC_FPSCR_FX;
	if (!strncmp(r->name, "fcti", 4) || !strncmp(r->name, "xscvdp", 6)) /* FPRF undefined */
		bits |= PPC_FPSCR_FPRF;
	if (!strncmp(r->name, "fcfid", 5)) /* QEMU 7.2 forgets it */
		bits |= PPC_FPSCR_FPRF;
	if (r->op == PPC_OP_MTFSB1) /* QEMU 7.2 does not set it with some exceptions */
		bits |= PPC_FPSCR_FX;
	/* Infinity times zero plus a signalling NaN: both bits (table 'Actions for xsmaddadp'),
	 * QEMU 7.2 sets only one. */
	if ((a->fpscr & b->fpscr & PPC_FPSCR_VXIMZ) && (a->fpscr & PPC_FPSCR_VXSNAN))
		bits |= PPC_FPSCR_VXSNAN;
	/* A signalling NaN beside a quiet one: QEMU 7.2 looks at the first only. */
	if (ONE_OF(r->op, PPC_OP_XSMAXJDP, PPC_OP_XSMINJDP))
		bits |= PPC_FPSCR_VXSNAN | PPC_FPSCR_VX | PPC_FPSCR_FX;
	same_bits(&a->fpscr, b->fpscr, bits);
	if ((bits & 0xff000000) && (r->flags & PPC_F_RC) && (w & 1))
		same_bits(&a->cr, b->cr, 0x0f000000);
}

static void undefined_fp(const struct ppc_row *r, u32 w, const struct state *before,
			 struct state *a, struct state *b)
{
	unsigned t = ppc_rt(w);

	/* Doubleword 1 of a scalar's target is undefined (Book I 7.2.1.1). */
	if (writes_fpr(r)) {
		same(&a->vsr[t][1], b->vsr[t][1]);
		if (has_operand(r, PPC_OPND_FRTP))
			same(&a->vsr[(t + 1) & 31][1], b->vsr[(t + 1) & 31][1]);
	}
	if (scalar_vsx(r) && has_operand(r, PPC_OPND_XT))
		same(&a->vsr[ppc_xt(w)][1], b->vsr[ppc_xt(w)][1]);
	if (scalar_vsx(r) && has_operand(r, PPC_OPND_VRT) && (r->flags & PPC_F_LD))
		same(&a->vsr[32 + t][1], b->vsr[32 + t][1]);
	/* QEMU 7.2 has no FR (Book I 4.2.2 says it is set by every rounding), no DRN, no NI. */
	same_bits(&a->fpscr, b->fpscr, PPC_FPSCR_FR | PPC_FPSCR_NI | ~0xffffffffULL);
	/* The upper half of a conversion to a word (Book I 4.6.7). */
	if (ONE_OF(r->op, PPC_OP_FCTIW, PPC_OP_FCTIWZ, PPC_OP_FCTIWU, PPC_OP_FCTIWUZ))
		same_bits(&a->vsr[t][0], b->vsr[t][0], ~0xffffffffULL);
	undefined_flags(r, w, a, b);
	/* QEMU 7.2 says of a single's subnormal number that it is of any class. */
	if (r->op == PPC_OP_XSTSTDCSP && (before->vsr[ppc_xb(w)][0] >> 52 & 0x7ff) - 1 < 0x380) {
		same_bits(&a->cr, b->cr, 2ULL << 4 * (7 - ppc_bits(w, 6, 8)));
		same_bits(&a->fpscr, b->fpscr, 0x2000);
	}
	/* QEMU 7.2 takes an invalid operation of one element for those after it too. */
	if (!strncmp(r->name, "xvcv", 4) && (a->fpscr & b->fpscr & PPC_FPSCR_VXCVI))
		memcpy(a->vsr[ppc_xt(w)], b->vsr[ppc_xt(w)], 16);
	if (is_estimate(r->op))
		estimates(r, w, before, a, b);
}

/* The bytes of an element load or store that are not the element's (Book I 6.7.2). */
static void only_element(u32 w, bool big_endian, const struct state *before, unsigned size,
			 struct state *a, struct state *b)
{
	u64 ea = before->gpr[ppc_rb(w)] + (ppc_ra(w) ? before->gpr[ppc_ra(w)] : 0);
	unsigned n = (unsigned)(ea & 15 & ~(size - 1));

	for (unsigned i = 0; i < 16; i++) {
		unsigned at = big_endian ? i : 15 - i, bit = 56 - 8 * (at & 7);

		if (i < n || i >= n + size)
			same_bits(&a->vsr[32 + ppc_rt(w)][at >> 3], b->vsr[32 + ppc_rt(w)][at >> 3],
				  0xffULL << bit);
	}
}

static unsigned element_size(unsigned op)
{
	switch (op) {
	case PPC_OP_LVEBX:
		return 1;
	case PPC_OP_LVEHX:
	case PPC_OP_VEXTRACTUH:
	case PPC_OP_VINSERTH:
	case PPC_OP_VEXTUHLX:
	case PPC_OP_VEXTUHRX:
		return 2;
	case PPC_OP_LVEWX:
	case PPC_OP_VEXTRACTUW:
	case PPC_OP_VINSERTW:
	case PPC_OP_VEXTUWLX:
	case PPC_OP_VEXTUWRX:
	case PPC_OP_XXEXTRACTUW:
	case PPC_OP_XXINSERTW:
		return 4;
	case PPC_OP_VEXTRACTD:
	case PPC_OP_VINSERTD:
		return 8;
	default:
		return 0;
	}
}

static void undefined_vector(const struct ppc_row *r, u32 w, bool big_endian,
			     const struct state *before, struct state *a, struct state *b)
{
	unsigned size = element_size(r->op), at = ppc_bits(w, 12, 15), t = 32 + ppc_rt(w);

	if (has_operand(r, PPC_OPND_RA) && has_operand(r, PPC_OPND_VRB))
		at = before->gpr[ppc_ra(w)] & 15;
	if (size && (r->flags & PPC_F_LD))
		only_element(w, big_endian, before, size, a, b);
	else if (size && at + size > 16) { /* beyond the vector: undefined (Book I 6.8.6) */
		memcpy(a->vsr, b->vsr, sizeof(a->vsr));
		same(&a->gpr[ppc_rt(w)], b->gpr[ppc_rt(w)]);
	}
	/* QEMU 7.2 says of a sum of two negative zeros that it is less, too. */
	if (ONE_OF(r->op, PPC_OP_BCDADD_, PPC_OP_BCDSUB_) && (a->cr & b->cr & 0x20))
		same_bits(&a->cr, b->cr, 0xc0);
	/* Operands that are no decimal numbers (Book I 6.17). */
	if (!strncmp(r->name, "bcd", 3) && ((a->cr & b->cr & 0xf0) == 0x10 ||
					    (r->op == PPC_OP_BCDCFSQ_ && (a->cr & b->cr & 0x10))))
		memcpy(a->vsr[t], b->vsr[t], 16);
	same_bits(&a->vscr, b->vscr, ~0x10001ULL); /* reserved bits */
}

void diff_undefined(const struct ppc_row *r, bool big_endian, const struct state *before,
		    struct state *a, struct state *b)
{
	u32 w = (u32)before->insn;

	a->gpr[13] = b->gpr[13];
	memcpy(a->pad, b->pad, sizeof(a->pad));
	memcpy(a->pad2, b->pad2, sizeof(a->pad2));
	a->host_sp = b->host_sp;
	a->host_toc = b->host_toc;
	undefined_fixed(r, w, before, a, b);
	undefined_fp(r, w, before, a, b);
	undefined_vector(r, w, big_endian, before, a, b);
}

/* ---- 32-bit mode ---- */

/* CR0 says of the low half what it is. */
static void record32(const struct ppc_row *r, u32 w, struct state *a, struct state *b)
{
	bool to_ra = has_operand(r, PPC_OPND_RS);
	s32 v = (s32)b->gpr[to_ra ? ppc_ra(w) : ppc_rt(w)];
	u64 cr0 = v < 0 ? 0x80000000 : v > 0 ? 0x40000000 : 0x20000000;

	if (!((r->flags & PPC_F_RC) && (w & 1)) && r->name[strlen(r->name) - 1] != '.')
		return;
	same_bits(&a->cr, b->cr, 0x10000000); /* SO */
	if (is_division(r->op) || (r->flags & (PPC_F_LD | PPC_F_ST)))
		same_bits(&a->cr, b->cr, 0xf0000000);
	else
		same_bits(&b->cr, cr0, 0xe0000000);
}

void diff_mode32(const struct ppc_row *r, const struct state *before, struct state *a,
		 struct state *b)
{
	u32 w = (u32)before->insn;

	if (ONE_OF(r->op, PPC_OP_ADDC, PPC_OP_ADDE, PPC_OP_ADDME, PPC_OP_ADDZE, PPC_OP_ADDIC,
		   PPC_OP_ADDIC_, PPC_OP_SUBFC, PPC_OP_SUBFE, PPC_OP_SUBFME, PPC_OP_SUBFZE,
		   PPC_OP_SUBFIC)) /* the carry out of the low half (Book I 3.3.9) */
		same_bits(&b->xer, b->xer & PPC_XER_CA32 ? PPC_XER_CA : 0, PPC_XER_CA);
	if (r->op == PPC_OP_ADDEX && !ppc_bits(w, 21, 22)) /* its carry is OV */
		same_bits(&b->xer, b->xer & PPC_XER_OV32 ? PPC_XER_OV : 0, PPC_XER_OV);
	if (r->flags & PPC_F_OE)
		same_bits(&a->xer, b->xer, PPC_XER_SO | PPC_XER_OV);
	if (r->facility == PPC_FAC_NONE)
		record32(r, w, a, b);
	/* Addresses have 32 bits (Book I 1.10.3), the count too (2.4). */
	if (ONE_OF(r->op, PPC_OP_B, PPC_OP_BC, PPC_OP_BCLR, PPC_OP_BCCTR, PPC_OP_BCTAR)) {
		b->nip &= 0xffffffff;
		if (!(ppc_rt(w) & 4) && r->op != PPC_OP_B && before->ctr >> 32)
			same(&a->nip, b->nip);
	}
	if (r->op == PPC_OP_ADDPCIS)
		same(&a->gpr[ppc_rt(w)], b->gpr[ppc_rt(w)]);
}
