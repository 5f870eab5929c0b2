/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * FPSCR (ISA I 4.2.2, 4.4) and exact operations on doubles. See fp.h.
 */
#include "engine/jit/ppc/fp.h"

#define VX_BITS                                                                                    \
	(PPC_FPSCR_VXSNAN | PPC_FPSCR_VXISI | PPC_FPSCR_VXIDI | PPC_FPSCR_VXZDZ |                  \
	 PPC_FPSCR_VXIMZ | PPC_FPSCR_VXVC | PPC_FPSCR_VXSOFT | PPC_FPSCR_VXSQRT | PPC_FPSCR_VXCVI)
#define STICKY (VX_BITS | PPC_FPSCR_OX | PPC_FPSCR_UX | PPC_FPSCR_ZX | PPC_FPSCR_XX)

/* MXCSR, SDM vol. 1, 10.2.3. */
enum { CSR_ZE = 1 << 2, CSR_OE = 1 << 3, CSR_UE = 1 << 4, CSR_PE = 1 << 5, CSR_FLAGS = 0x3f };
#define CSR_MASKED 0x1f80u

static u32 host_csr(const struct ppc_vcpu *c)
{
#ifdef __x86_64__
	u32 v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
#else
	return c->rt.mxcsr;
#endif
}

static void set_host_csr(struct ppc_vcpu *c, u32 v)
{
	c->rt.mxcsr = v;
#ifdef __x86_64__
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
#endif
}

static u32 csr_of(u64 fpscr)
{
	static const u8 rc[] = {0, 3, 2, 1};

	return CSR_MASKED | (u32)rc[fpscr & PPC_FPSCR_RN] << 13;
}

static u64 derived(u64 v)
{
	u64 enabled = (v & VX_BITS ? PPC_FPSCR_VE : 0) | (v & PPC_FPSCR_OX ? PPC_FPSCR_OE : 0) |
		      (v & PPC_FPSCR_UX ? PPC_FPSCR_UE : 0) |
		      (v & PPC_FPSCR_ZX ? PPC_FPSCR_ZE : 0) | (v & PPC_FPSCR_XX ? PPC_FPSCR_XE : 0);

	v &= ~(PPC_FPSCR_VX | PPC_FPSCR_FEX);
	return v | (v & VX_BITS ? PPC_FPSCR_VX : 0) | (v & enabled ? PPC_FPSCR_FEX : 0);
}

void fp_raise_flags(struct ppc_vcpu *c, u32 flags)
{
	flags &= STICKY;
	if (flags & ~c->fpscr)
		c->fpscr |= PPC_FPSCR_FX;
	c->fpscr = derived(c->fpscr | flags);
}

struct sfp_env fp_env(const struct ppc_vcpu *c)
{
	return (struct sfp_env){.rm = (u8)(c->fpscr & PPC_FPSCR_RN),
				.enables = (u32)c->fpscr & (PPC_FPSCR_OE | PPC_FPSCR_UE)};
}

static void set_fprf(struct ppc_vcpu *c, u32 fprf)
{
	c->fpscr = (c->fpscr & ~(u64)PPC_FPSCR_FPRF) | fprf << PPC_FPSCR_FPRF_SHIFT;
}

static void set_fi_fr(struct ppc_vcpu *c, bool fi, bool fr)
{
	c->fpscr &= ~(PPC_FPSCR_FI | PPC_FPSCR_FR);
	c->fpscr |= (fi ? PPC_FPSCR_FI : 0) | (fr ? PPC_FPSCR_FR : 0);
}

static bool is_to_int(unsigned op)
{
	return op >= FP_CTID && op <= FP_CTIWUZ;
}

static void merge(struct ppc_vcpu *c, u32 csr)
{
	u32 flags = (csr & CSR_OE ? PPC_FPSCR_OX : 0) | (csr & CSR_UE ? PPC_FPSCR_UX : 0) |
		    (csr & CSR_ZE ? PPC_FPSCR_ZX : 0) | (csr & CSR_PE ? PPC_FPSCR_XX : 0);
	unsigned op = c->fp_op;

	fp_raise_flags(c, flags);
	if (op) {
		struct sfp_env e = fp_env(c);
		u64 r = fp_compute(&e, op, c->fp_a, c->fp_b, c->fp_c);

		set_fi_fr(c, e.fi, e.fr);
		if (!is_to_int(op))
			set_fprf(c, sfp_fprf(SFP_64, r));
	}
	if (c->fp_cmp)
		c->fpscr = (c->fpscr & ~(0xfULL << PPC_FPSCR_FPRF_SHIFT)) |
			   (u64)(c->fp_cmp & 15) << PPC_FPSCR_FPRF_SHIFT;
	c->fp_op = c->fp_cmp = 0;
}

void fp_sync(struct ppc_vcpu *c)
{
	u32 csr = host_csr(c);

	if (csr & CSR_FLAGS)
		set_host_csr(c, csr & ~(u32)CSR_FLAGS);
	if ((csr & CSR_FLAGS) || c->fp_op || c->fp_cmp)
		merge(c, csr);
}

void fp_update_key(struct ppc_vcpu *c)
{
	u32 key = c->rt.key;

	ppc_key_update(c);
	if (c->rt.key != key) {
		c->nip = key & PPC_KEY_SF ? c->nip + 4 : (u32)(c->nip + 4);
		c->rt.leave = 1;
	}
}

void fp_write_fpscr(struct ppc_vcpu *c, u64 v)
{
	c->fpscr = derived(v);
	set_host_csr(c, csr_of(v));
	fp_update_key(c);
}

int fp_check_enabled(struct ppc_vcpu *c)
{
	if (!(c->fpscr & PPC_FPSCR_FEX) || !(c->msr & (PPC_MSR_FE0 | PPC_MSR_FE1)))
		return 0;
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_FP);
}

bool fp_suppressed(const struct ppc_vcpu *c, u32 flags)
{
	return ((flags & VX_BITS) && (c->fpscr & PPC_FPSCR_VE)) ||
	       ((flags & PPC_FPSCR_ZX) && (c->fpscr & PPC_FPSCR_ZE));
}

int fp_finish(struct ppc_vcpu *c, const struct sfp_env *e, s32 fprf)
{
	bool no = fp_suppressed(c, e->flags);

	fp_raise_flags(c, e->flags);
	set_fi_fr(c, e->fi && !no, e->fr && !no);
	if (!no && fprf >= 0)
		set_fprf(c, (u32)fprf);
	return no;
}

void fp_record(struct ppc_vcpu *c)
{
	for (unsigned i = 0; i < 4; i++)
		c->cr[4 + i] = c->fpscr >> (31 - i) & 1;
}

u64 ppc_fpscr_read(struct ppc_vcpu *c)
{
	merge(c, c->rt.mxcsr);
	c->rt.mxcsr &= ~(u32)CSR_FLAGS;
	return c->fpscr;
}

void ppc_fpscr_write(struct ppc_vcpu *c, u64 v)
{
	c->fpscr = derived(v);
	c->fp_op = c->fp_cmp = 0;
	c->rt.mxcsr = csr_of(v);
	ppc_key_update(c);
}

/* ---- operations --------------------------------------------------------------------------- */

static u64 to_single(struct sfp_env *e, struct sfp a)
{
	u32 s = (u32)sfp_convert(e, SFP_32, a);
	struct sfp_env widen = {0};

	return (u64)sfp_convert(&widen, SFP_64, sfp_unpack(SFP_32, s));
}

/* A result in format f as a double. */
static u64 as_double(enum sfp_format f, u128 r)
{
	struct sfp_env widen = {0};

	return (u64)(f == SFP_64 ? r : sfp_convert(&widen, SFP_64, sfp_unpack(f, r)));
}

/* Estimates are the correctly rounded values; inexact is not reported (Book I 4.6.6.1). */
static u128 estimate(struct sfp_env *e, enum sfp_format f, bool root, struct sfp b)
{
	struct sfp one = sfp_unpack(SFP_64, 0x3ffULL << 52);
	u128 r;

	if (root && b.cls == SFP_NORMAL && !b.sign)
		b = sfp_unpack(f, sfp_sqrt(&(struct sfp_env){.rm = e->rm}, f, b));
	else if (root && b.sign && (b.cls == SFP_NORMAL || b.cls == SFP_INF))
		return sfp_sqrt(e, f, b); /* invalid */
	r = sfp_div(e, f, one, b);
	e->flags &= ~(u32)PPC_FPSCR_XX;
	e->fi = e->fr = false;
	return r;
}

static u64 to_integral(struct sfp_env *e, enum sfp_format f, unsigned op, struct sfp b)
{
	static const u8 rm[] = {SFP_AWAY, SFP_ZERO, SFP_UP, SFP_DOWN};
	struct sfp_env r = *e;
	u64 v;

	if (op != FP_RIC)
		r.rm = rm[op - FP_RIN];
	v = (u64)sfp_integral(&r, f, b, op == FP_RIC);
	e->flags |= r.flags;
	e->fi = r.fi;
	e->fr = r.fr;
	return v;
}

static u64 to_integer(struct sfp_env *e, unsigned op, struct sfp b)
{
	struct sfp_env r = *e;
	u64 v;

	if ((op - FP_CTID) & 1)
		r.rm = SFP_ZERO;
	v = sfp_to_int(&r, b, op >= FP_CTIW ? 32 : 64, !((op - FP_CTID) & 2));
	if (op == FP_CTIW || op == FP_CTIWZ)
		v = r.flags & PPC_FPSCR_VXCVI && v >> 31 ? v : (u64)(s32)v;
	e->flags |= r.flags;
	e->fi = r.fi;
	e->fr = r.fr;
	return v;
}

static u128 arithmetic(struct sfp_env *e, enum sfp_format f, unsigned op, struct sfp a,
		       struct sfp b, struct sfp c)
{
	switch (op) {
	case FP_ADD:
	case FP_SUB:
		return sfp_add(e, f, a, b, op == FP_SUB);
	case FP_MUL:
		return sfp_mul(e, f, a, b);
	case FP_DIV:
		return sfp_div(e, f, a, b);
	case FP_SQRT:
		return sfp_sqrt(e, f, b);
	case FP_RE:
	case FP_RSQRTE:
		return estimate(e, f, op == FP_RSQRTE, b);
	default:
		return sfp_fma(e, f, a, c, b, op == FP_MSUB || op == FP_NMSUB,
			       op == FP_NMADD || op == FP_NMSUB);
	}
}

u64 fp_compute(struct sfp_env *e, unsigned op, u64 a, u64 b, u64 c)
{
	enum sfp_format f = op & FP_SINGLE ? SFP_32 : SFP_64;
	struct sfp nb = sfp_unpack(SFP_64, b);

	op &= FP_SINGLE - 1;
	if (op <= FP_RSQRTE)
		return as_double(
			f, arithmetic(e, f, op, sfp_unpack(SFP_64, a), nb, sfp_unpack(SFP_64, c)));
	if (is_to_int(op))
		return to_integer(e, op, nb);
	switch (op) {
	case FP_RSP:
		return to_single(e, nb);
	case FP_SPDP:
		return (u64)sfp_convert(e, SFP_64, sfp_unpack(SFP_32, (u32)b));
	case FP_CFID:
		return as_double(f, sfp_from_int(e, f, b >> 63 ? -b : b, b >> 63));
	case FP_CFIDU:
		return as_double(f, sfp_from_int(e, f, b, false));
	default:
		return to_integral(e, SFP_64, op, nb);
	}
}

u128 fp_compute_in(struct sfp_env *e, enum sfp_format f, unsigned op, u128 a, u128 b, u128 c)
{
	struct sfp nb = sfp_unpack(f, b);

	if (op >= FP_RIN && op <= FP_RIC)
		return to_integral(e, f, op, nb);
	return arithmetic(e, f, op, sfp_unpack(f, a), nb, sfp_unpack(f, c));
}

u64 fp_single_to_double(u32 s)
{
	u64 sign = (u64)(s >> 31) << 63;

	if ((s & 0x7f800000) == 0x7f800000)
		return sign | 0x7ffULL << 52 | (u64)(s & 0x7fffff) << 29;
	return (u64)sfp_convert(&(struct sfp_env){0}, SFP_64, sfp_unpack(SFP_32, s));
}

u64 ppc_fp_lfs(void *cpu, u64 w, u64 b, u64 c)
{
	return fp_single_to_double((u32)((struct ppc_vcpu *)cpu)->scratch[0]);
}

/* Book I 4.6.3: bits move; only 874 <= exponent <= 896 is shifted into a subnormal. */
u64 ppc_fp_stfs(void *cpu, u64 v, u64 b, u64 c)
{
	unsigned exp = v >> 52 & 0x7ff;
	u64 frac;

	if (exp > 896 || v << 1 == 0)
		return (v >> 32 & 0xc0000000) | (v >> 29 & 0x3fffffff);
	frac = BIT(52) | (v & (BIT(52) - 1));
	if (exp < 874)
		return v >> 63 << 31;
	return v >> 63 << 31 | frac >> (29 + 897 - exp);
}
