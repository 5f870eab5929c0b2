/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Decimal integers in vector registers (Book I 6.17): 31 digits and a sign, digit 0 is the last but
 * one nibble. Results are checked; CR6 says less, greater, equal, overflow or invalid.
 */
#include "engine/jit/ppc/vec.h"

#define DIGITS 31u

static unsigned nibble(const union ppc_vsr *v, unsigned n)
{
	return v->dw[n >> 4] >> (4 * (n & 15)) & 15;
}

static void set_nibble(union ppc_vsr *v, unsigned n, unsigned x)
{
	v->dw[n >> 4] = (v->dw[n >> 4] & ~(15ULL << (4 * (n & 15)))) | (u64)x << (4 * (n & 15));
}

static unsigned digit(const union ppc_vsr *v, unsigned i)
{
	return nibble(v, i + 1);
}

static int sign_of(const union ppc_vsr *v)
{
	unsigned s = nibble(v, 0);

	return s < 10 ? 0 : s == 11 || s == 13 ? -1 : 1;
}

static bool valid(const union ppc_vsr *v)
{
	bool ok = sign_of(v) != 0;

	for (unsigned i = 0; i < DIGITS; i++)
		ok &= digit(v, i) < 10;
	return ok;
}

/* Code of a sign: PS chooses between C and F for plus. */
static unsigned sign_code(int sign, bool ps)
{
	return sign < 0 ? 13 : ps ? 15 : 12;
}

static bool is_zero(const union ppc_vsr *v)
{
	return v->dw[1] == 0 && v->dw[0] >> 4 == 0;
}

/* CR6 of a result. */
static void set_cr6(struct ppc_vcpu *c, const union ppc_vsr *r, bool overflow, bool invalid)
{
	bool zero = is_zero(r), neg = sign_of(r) < 0;

	c->cr[24] = !invalid && !zero && neg;
	c->cr[25] = !invalid && !zero && !neg;
	c->cr[26] = !invalid && zero;
	c->cr[27] = overflow || invalid;
}

static int finish(struct ppc_vcpu *c, u32 w, const union ppc_vsr *r, bool overflow, bool invalid)
{
	*vec_t(c, w) = *r;
	set_cr6(c, r, overflow, invalid);
	return 0;
}

static int compare_digits(const union ppc_vsr *a, const union ppc_vsr *b)
{
	for (unsigned i = DIGITS; i-- > 0;)
		if (digit(a, i) != digit(b, i))
			return digit(a, i) < digit(b, i) ? -1 : 1;
	return 0;
}

/* |a| + |b|, or |a| - |b| where |a| >= |b|; carry out of the highest digit. */
static bool combine(union ppc_vsr *r, const union ppc_vsr *a, const union ppc_vsr *b, bool subtract)
{
	int carry = 0;

	for (unsigned i = 0; i < DIGITS; i++) {
		int d = (int)digit(a, i) + (subtract ? -(int)digit(b, i) : (int)digit(b, i)) +
			carry;

		carry = subtract ? -(d < 0) : d > 9;
		d += subtract ? (d < 0 ? 10 : 0) : (d > 9 ? -10 : 0);
		set_nibble(r, i + 1, (unsigned)d);
	}
	return carry != 0;
}

/* bcdadd., bcdsub. (arg 1). */
static int op_add(struct ppc_vcpu *c, u32 w, u32 subtract)
{
	const union ppc_vsr *a = vec_a(c, w), *b = vec_b(c, w);
	bool ps = w >> 9 & 1, over = false, invalid = !valid(a) || !valid(b);
	int sa = sign_of(a), sb = subtract ? -sign_of(b) : sign_of(b), s = sa;
	union ppc_vsr r = {0};

	if (!invalid && sa == sb) {
		over = combine(&r, a, b, false);
	} else if (!invalid) {
		int cmp = compare_digits(a, b);

		if (cmp >= 0) {
			combine(&r, a, b, true);
			s = cmp ? sa : 1;
		} else {
			combine(&r, b, a, true);
			s = sb;
		}
	}
	set_nibble(&r, 0, invalid ? 0 : sign_code(s, ps));
	*vec_t(c, w) = r;
	set_cr6(c, &r, over, invalid);
	/* The sign of an overflowed sum counts even if the digits that are left are 0. */
	if (over && is_zero(&r)) {
		c->cr[24] = s < 0;
		c->cr[25] = s > 0;
		c->cr[26] = 0;
	}
	return 0;
}

static int op_cpsgn(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = *vec_a(c, w);
	bool invalid = !valid(vec_a(c, w)) || !valid(vec_b(c, w));

	set_nibble(&r, 0, nibble(vec_b(c, w), 0));
	return finish(c, w, &r, false, invalid);
}

static int op_setsgn(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = *vec_b(c, w);
	bool invalid = !valid(vec_b(c, w));

	if (sign_of(&r))
		set_nibble(&r, 0, sign_code(sign_of(&r), w >> 9 & 1));
	return finish(c, w, &r, false, invalid);
}

/* ---- national and zoned decimal ------------------------------------------------------------- */

/* bcdcfn.: seven 16-bit characters and a sign character. */
static int op_from_national(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *b = vec_b(c, w);
	unsigned s = (unsigned)vec_get(b, 2, 7);
	bool invalid = s != 0x2b && s != 0x2d;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 7; i++) {
		unsigned ch = (unsigned)vec_get(b, 2, 6 - i);

		invalid |= ch < 0x30 || ch > 0x39;
		set_nibble(&r, i + 1, ch & 15);
	}
	set_nibble(&r, 0, s == 0x2d ? 13 : w >> 9 & 1 ? 15 : 12);
	return finish(c, w, &r, false, invalid);
}

static int op_to_national(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *b = vec_b(c, w);
	bool over = b->dw[1] || b->dw[0] >> 32;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 7; i++)
		vec_set(&r, 2, 6 - i, 0x30 + digit(b, i));
	vec_set(&r, 2, 7, sign_of(b) < 0 ? 0x2d : 0x2b);
	*vec_t(c, w) = r;
	c->cr[24] = valid(b) && !is_zero(b) && sign_of(b) < 0;
	c->cr[25] = valid(b) && !is_zero(b) && sign_of(b) > 0;
	c->cr[26] = valid(b) && is_zero(b);
	c->cr[27] = over || !valid(b);
	return 0;
}

static int op_from_zoned(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *b = vec_b(c, w);
	bool ps = w >> 9 & 1, invalid = false, neg;
	unsigned sign = (unsigned)vec_get(b, 1, 15) >> 4, zone = ps ? 15 : 3;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		unsigned ch = (unsigned)vec_get(b, 1, 15 - i);

		invalid |= (ch & 15) > 9 || (i && ch >> 4 != zone);
		set_nibble(&r, i + 1, ch & 15);
	}
	neg = ps ? sign == 11 || sign == 13 : sign & 4;
	invalid |= ps && sign < 10;
	set_nibble(&r, 0, neg ? 13 : 12);
	return finish(c, w, &r, false, invalid);
}

static int op_to_zoned(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *b = vec_b(c, w);
	bool ps = w >> 9 & 1, neg = sign_of(b) < 0, over = b->dw[1] >> 4;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		unsigned zone = ps ? 0xf0 : 0x30;

		if (i == 0)
			zone = ps ? (neg ? 0xd0 : 0xc0) : (neg ? 0x70 : 0x30);
		vec_set(&r, 1, 15 - i, zone | digit(b, i));
	}
	*vec_t(c, w) = r;
	c->cr[24] = valid(b) && !is_zero(b) && neg;
	c->cr[25] = valid(b) && !is_zero(b) && !neg;
	c->cr[26] = valid(b) && is_zero(b);
	c->cr[27] = over || !valid(b);
	return 0;
}

/* ---- binary ------------------------------------------------------------------------------------
 */

static int op_from_binary(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 v = vec_128(vec_b(c, w));
	bool neg = v >> 127, over;
	union ppc_vsr r = {0};

	v = neg ? -v : v;
	for (unsigned i = 0; i < DIGITS; i++) {
		/* v / 10 without a 128-bit division: long division by 32-bit pieces. */
		u64 rem = 0;
		u128 q = 0;

		for (int sh = 96; sh >= 0; sh -= 32) {
			u64 part = rem << 32 | (u32)(v >> sh);

			q |= (u128)(part / 10) << sh;
			rem = part % 10;
		}
		set_nibble(&r, i + 1, (unsigned)rem);
		v = q;
	}
	over = v != 0;
	set_nibble(&r, 0, sign_code(neg ? -1 : 1, w >> 9 & 1));
	return finish(c, w, &r, over, false);
}

static int op_to_binary(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *b = vec_b(c, w);
	bool ok = valid(b), neg = sign_of(b) < 0, zero = is_zero(b);
	u128 v = 0;

	for (unsigned i = DIGITS; i-- > 0;)
		v = v * 10 + digit(b, i);
	*vec_t(c, w) = vec_from(neg ? -v : v);
	c->cr[24] = ok && !zero && neg;
	c->cr[25] = ok && !zero && !neg;
	c->cr[26] = ok && zero;
	c->cr[27] = !ok;
	return 0;
}

/* ---- shifts and truncation ----------------------------------------------------------------------
 */

enum { S_SIGNED, S_UNSIGNED, S_ROUND };

/* Nibble i of the digits, 0 outside. */
static unsigned digit_or_0(const union ppc_vsr *v, int i, int first)
{
	return i + first < 0 || i + first > 31 || i < 0 ? 0 : nibble(v, (unsigned)(i + first));
}

static int op_shift(struct ppc_vcpu *c, u32 w, u32 kind)
{
	const union ppc_vsr *b = vec_b(c, w);
	int n = (s8)vec_get(vec_a(c, w), 1, 7), first = kind == S_UNSIGNED ? 0 : 1;
	int count = 32 - first;
	bool over = false, invalid = kind == S_UNSIGNED ? false : !valid(b);
	union ppc_vsr r = {0};

	for (int i = 0; kind == S_UNSIGNED && i < 32; i++)
		invalid |= nibble(b, (unsigned)i) > 9;
	n = n > count ? count : n < -count ? -count : n;
	for (int i = 0; i < count; i++) {
		set_nibble(&r, (unsigned)(i + first), digit_or_0(b, i - n, first));
		over |= n > 0 && i >= count - n && nibble(b, (unsigned)(i + first)) != 0;
	}
	if (kind == S_ROUND && n < 0 && digit_or_0(b, -n - 1, first) >= 5) {
		union ppc_vsr one = {.dw = {0x10, 0}}, sum = {0};

		combine(&sum, &r, &one, false);
		r = sum;
	}
	if (first)
		set_nibble(&r, 0, sign_code(sign_of(b), w >> 9 & 1));
	if (kind != S_UNSIGNED)
		return finish(c, w, &r, over, invalid);
	*vec_t(c, w) = r;
	c->cr[24] = 0;
	c->cr[25] = !invalid && (r.dw[0] | r.dw[1]) != 0;
	c->cr[26] = !invalid && (r.dw[0] | r.dw[1]) == 0;
	c->cr[27] = over || invalid;
	return 0;
}

static int op_trunc(struct ppc_vcpu *c, u32 w, u32 kind)
{
	const union ppc_vsr *b = vec_b(c, w);
	unsigned keep = (unsigned)vec_get(vec_a(c, w), 2, 3), first = kind == S_UNSIGNED ? 0 : 1;
	bool over = false, invalid = kind == S_UNSIGNED ? false : !valid(b);
	union ppc_vsr r = *b;

	for (unsigned i = 0; i < 32 - first; i++) {
		invalid |= nibble(b, i + first) > 9;
		if (i >= keep) {
			over |= nibble(b, i + first) != 0;
			set_nibble(&r, i + first, 0);
		}
	}
	if (first) {
		set_nibble(&r, 0, sign_code(sign_of(b), w >> 9 & 1));
		return finish(c, w, &r, over, invalid);
	}
	*vec_t(c, w) = r;
	c->cr[24] = 0;
	c->cr[25] = !invalid && (r.dw[0] | r.dw[1]) != 0;
	c->cr[26] = !invalid && (r.dw[0] | r.dw[1]) == 0;
	c->cr[27] = over || invalid;
	return 0;
}

/* ---- multiply by 10
 * ------------------------------------------------------------------------------ */

/* vmul10uq, vmul10euq (with carry in from VRB, arg 2); arg 1: the carry out. */
static int op_mul10(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 a = vec_128(vec_a(c, w)), lo, hi;
	unsigned cin = arg & 2 ? vec_b(c, w)->dw[0] & 15 : 0;

	lo = (u128)(u64)a * 10 + cin;
	hi = (a >> 64) * 10 + (lo >> 64);
	*vec_t(c, w) = vec_from(arg & 1 ? hi >> 64 : hi << 64 | (u64)lo);
	return 0;
}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_BCDADD_] = {op_add, 0},
	[PPC_OP_BCDSUB_] = {op_add, 1},
	[PPC_OP_BCDCPSGN_] = {op_cpsgn, 0},
	[PPC_OP_BCDSETSGN_] = {op_setsgn, 0},
	[PPC_OP_BCDCFN_] = {op_from_national, 0},
	[PPC_OP_BCDCTN_] = {op_to_national, 0},
	[PPC_OP_BCDCFZ_] = {op_from_zoned, 0},
	[PPC_OP_BCDCTZ_] = {op_to_zoned, 0},
	[PPC_OP_BCDCFSQ_] = {op_from_binary, 0},
	[PPC_OP_BCDCTSQ_] = {op_to_binary, 0},
	[PPC_OP_BCDS_] = {op_shift, S_SIGNED},
	[PPC_OP_BCDUS_] = {op_shift, S_UNSIGNED},
	[PPC_OP_BCDSR_] = {op_shift, S_ROUND},
	[PPC_OP_BCDTRUNC_] = {op_trunc, S_SIGNED},
	[PPC_OP_BCDUTRUNC_] = {op_trunc, S_UNSIGNED},
	[PPC_OP_VMUL10UQ] = {op_mul10, 0},
	[PPC_OP_VMUL10CUQ] = {op_mul10, 1},
	[PPC_OP_VMUL10EUQ] = {op_mul10, 2},
	[PPC_OP_VMUL10ECUQ] = {op_mul10, 3},
};

struct ppc_op_row ppc_op_vbcd(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
