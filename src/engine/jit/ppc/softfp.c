/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IEEE 754 arithmetic in integers: taking apart, rounding, add, multiply,
 * divide, square root. See softfp.h; conversions are in softfp_conv.c.
 */
#include "engine/jit/ppc/softfp_internal.h"

unsigned sfp_fraction_bits(enum sfp_format f)
{
	static const u8 bits[] = {
		[SFP_16] = 10, [SFP_32] = 23, [SFP_64] = 52, [SFP_80] = 63, [SFP_128] = 112};

	return bits[f];
}

unsigned sfp_exponent_bits(enum sfp_format f)
{
	static const u8 bits[] = {
		[SFP_16] = 5, [SFP_32] = 8, [SFP_64] = 11, [SFP_80] = 15, [SFP_128] = 15};

	return bits[f];
}

static unsigned clz128(u128 v)
{
	u64 hi = (u64)(v >> 64);

	return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((u64)v);
}

static s32 bias(enum sfp_format f)
{
	return (1 << (sfp_exponent_bits(f) - 1)) - 1;
}

struct sfp sfp_unpack(enum sfp_format f, u128 bits)
{
	unsigned fb = sfp_fraction_bits(f), eb = sfp_exponent_bits(f);
	u128 frac = bits & (((u128)1 << fb) - 1);
	u32 exp = (u32)(bits >> fb) & ((1u << eb) - 1);
	struct sfp n = {.sign = bits >> (fb + eb) & 1};

	if (exp == (1u << eb) - 1) {
		n.cls = frac ? SFP_NAN : SFP_INF;
		n.sig = frac << (127 - fb);
		n.snan = frac && !(frac >> (fb - 1) & 1);
	} else if (exp) {
		n.cls = SFP_NORMAL;
		n.exp = (s32)exp - bias(f);
		n.sig = ((u128)1 << 127) | frac << (127 - fb);
	} else if (frac) {
		unsigned z = clz128(frac << (127 - fb));

		n.cls = SFP_NORMAL;
		n.subnormal = true;
		n.exp = 1 - bias(f) - (s32)z;
		n.sig = frac << (127 - fb) << z;
	}
	return n;
}

static u128 sign_bit(enum sfp_format f, bool sign)
{
	return sign ? (u128)1 << (sfp_fraction_bits(f) + sfp_exponent_bits(f)) : 0;
}

static u128 infinity(enum sfp_format f, bool sign)
{
	return sign_bit(f, sign) |
	       ((u128)((1u << sfp_exponent_bits(f)) - 1) << sfp_fraction_bits(f));
}

static u128 zero(enum sfp_format f, bool sign)
{
	return sign_bit(f, sign);
}

u128 sfp_default_nan(enum sfp_format f)
{
	return infinity(f, false) | (u128)1 << (sfp_fraction_bits(f) - 1);
}

u128 sfp_nan(enum sfp_format f, struct sfp a)
{
	return infinity(f, a.sign) | (u128)1 << (sfp_fraction_bits(f) - 1) |
	       a.sig >> (127 - sfp_fraction_bits(f));
}

u128 sfp_propagate(struct sfp_env *e, enum sfp_format f, const struct sfp *const *n, unsigned count)
{
	const struct sfp *first = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (n[i]->cls != SFP_NAN)
			continue;
		if (n[i]->snan)
			e->flags |= PPC_FPSCR_VXSNAN;
		first = first ? first : n[i];
	}
	return first ? sfp_nan(f, *first) : sfp_default_nan(f);
}

/* Does the value between two neighbours go up? `half` is the first bit lost, `rest` any other. */
static bool goes_up(u8 rm, bool sign, bool odd, bool half, bool rest)
{
	switch (rm) {
	case SFP_NEAREST:
		return half && (rest || odd);
	case SFP_AWAY:
		return half;
	case SFP_UP:
		return !sign && (half || rest);
	case SFP_DOWN:
		return sign && (half || rest);
	case SFP_ODD:
		return !odd && (half || rest);
	default:
		return false;
	}
}

/* The largest finite number or infinity, by rounding mode (ISA I 4.4.3.2). */
static u128 overflow(struct sfp_env *e, enum sfp_format f, bool sign)
{
	bool inf = e->rm == SFP_NEAREST || e->rm == SFP_AWAY || (e->rm == SFP_UP && !sign) ||
		   (e->rm == SFP_DOWN && sign);

	e->flags |= PPC_FPSCR_OX | PPC_FPSCR_XX;
	e->fi = true;
	e->fr = inf;
	return infinity(f, sign) - !inf;
}

/* sig >> n where bits lost go into *sticky. */
static u128 shift_sticky(u128 sig, unsigned n, bool *sticky)
{
	if (n == 0)
		return sig;
	if (n >= 128) {
		*sticky |= sig != 0;
		return 0;
	}
	*sticky |= (sig & (((u128)1 << n) - 1)) != 0;
	return sig >> n;
}

/* What enabled overflow and underflow add to the exponent (ISA I 4.4.3.1, 4.4.4.1). */
static s32 wrap_exponent(enum sfp_format f)
{
	return f == SFP_32 ? 192 : f == SFP_64 ? 1536 : 24576;
}

u128 sfp_round(struct sfp_env *e, enum sfp_format f, bool sign, s32 exp, u128 sig, bool sticky)
{
	unsigned fb = sfp_fraction_bits(f), drop = 127 - fb;
	s32 emin = 1 - bias(f), biased;
	bool tiny = exp < emin, half, up;
	u128 frac;

	if (tiny && (e->enables & PPC_FPSCR_UE)) {
		e->flags |= PPC_FPSCR_UX;
		exp += wrap_exponent(f);
		tiny = exp < emin; /* only of operands in a wider format */
	}
	if (tiny)
		sig = shift_sticky(sig, (unsigned)(emin - exp), &sticky);
	biased = tiny ? 0 : exp + bias(f);
	half = sig >> (drop - 1) & 1;
	sticky |= (sig & (((u128)1 << (drop - 1)) - 1)) != 0;
	frac = sig >> drop;
	up = goes_up(e->rm, sign, frac & 1, half, sticky);
	e->fi = half || sticky;
	e->fr = up;
	frac += up;
	if (!tiny && frac >> (fb + 1)) {
		frac >>= 1;
		biased++;
	}
	if (!tiny && biased > bias(f) * 2) {
		if (!(e->enables & PPC_FPSCR_OE))
			return overflow(e, f, sign);
		e->flags |= PPC_FPSCR_OX;
		biased -= wrap_exponent(f);
		if (biased > bias(f) * 2 || biased < 1)
			return overflow(e, f, sign);
	}
	if (e->fi)
		e->flags |= PPC_FPSCR_XX | (tiny ? PPC_FPSCR_UX : 0);
	/* A subnormal that rounded up to the least normal number carries into the exponent. */
	if (!tiny)
		frac = (frac & (((u128)1 << fb) - 1)) | (u128)biased << fb;
	return sign_bit(f, sign) | frac;
}

/* 256 bits, for products and sums of them. */
struct wide {
	u128 hi, lo;
};

static struct wide multiply(u128 a, u128 b)
{
	u128 al = (u64)a, ah = a >> 64, bl = (u64)b, bh = b >> 64;
	u128 ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
	u128 mid = (ll >> 64) + (u64)lh + (u64)hl;

	return (struct wide){hh + (lh >> 64) + (hl >> 64) + (mid >> 64), mid << 64 | (u64)ll};
}

static struct wide shift_right(struct wide v, unsigned n, bool *sticky)
{
	if (n >= 256) {
		*sticky |= (v.hi | v.lo) != 0;
		return (struct wide){0, 0};
	}
	if (n >= 128) {
		*sticky |= v.lo != 0;
		v = (struct wide){0, v.hi};
		n -= 128;
	}
	if (n == 0)
		return v;
	*sticky |= v.lo << (128 - n) != 0;
	return (struct wide){v.hi >> n, v.lo >> n | v.hi << (128 - n)};
}

static struct wide shift_left(struct wide v, unsigned n)
{
	if (n >= 128) {
		v = (struct wide){v.lo, 0};
		n -= 128;
	}
	return n ? (struct wide){v.hi << n | v.lo >> (128 - n), v.lo << n} : v;
}

static int compare_wide(struct wide a, struct wide b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/*
 * The sum of two numbers with 256-bit significands whose leading bit is 255, rounded. Neither is
 * zero.
 */
static u128 add_wide(struct sfp_env *e, enum sfp_format f, bool sa, s32 ea, struct wide a, bool sb,
		     s32 eb, struct wide b)
{
	bool sticky = false;
	unsigned lead;

	if (ea < eb || (ea == eb && compare_wide(a, b) < 0)) {
		struct wide w = a;
		s32 x = ea;
		bool s = sa;

		a = b, b = w;
		ea = eb, eb = x;
		sa = sb, sb = s;
	}
	/* One bit of headroom. No format has so many bits that this loses one. */
	a = shift_right(a, 1, &sticky);
	b = shift_right(b, (unsigned)(ea - eb) + 1, &sticky);
	if (sa == sb) {
		a.hi += b.hi + (a.lo + b.lo < a.lo);
		a.lo += b.lo;
	} else {
		u128 borrow = a.lo < b.lo || (a.lo == b.lo && sticky);

		a.hi = a.hi - b.hi - borrow;
		a.lo = a.lo - b.lo - sticky;
	}
	if (!a.hi && !a.lo)
		return zero(f, e->rm == SFP_DOWN);
	lead = a.hi ? clz128(a.hi) : 128 + clz128(a.lo);
	a = shift_left(a, lead);
	return sfp_round(e, f, sa, ea + 1 - (s32)lead, a.hi, sticky || a.lo);
}

static void no_rounding(struct sfp_env *e)
{
	e->fi = e->fr = false;
}

static u128 invalid(struct sfp_env *e, enum sfp_format f, u32 flag)
{
	e->flags |= flag;
	return sfp_default_nan(f);
}

u128 sfp_add(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b, bool subtract)
{
	no_rounding(e);
	if (a.cls == SFP_NAN || b.cls == SFP_NAN)
		return sfp_propagate(e, f, (const struct sfp *const[]){&a, &b}, 2);
	b.sign ^= subtract;
	if (a.cls == SFP_INF && b.cls == SFP_INF && a.sign != b.sign)
		return invalid(e, f, PPC_FPSCR_VXISI);
	if (a.cls == SFP_INF || b.cls == SFP_INF)
		return infinity(f, a.cls == SFP_INF ? a.sign : b.sign);
	if (a.cls == SFP_ZERO_ && b.cls == SFP_ZERO_)
		return zero(f, a.sign == b.sign ? a.sign : e->rm == SFP_DOWN);
	if (a.cls == SFP_ZERO_)
		return sfp_round(e, f, b.sign, b.exp, b.sig, false);
	if (b.cls == SFP_ZERO_)
		return sfp_round(e, f, a.sign, a.exp, a.sig, false);
	return add_wide(e, f, a.sign, a.exp, (struct wide){a.sig, 0}, b.sign, b.exp,
			(struct wide){b.sig, 0});
}

/* The product of two normal numbers, leading bit at 255. */
static struct wide product(struct sfp a, struct sfp c, s32 *exp)
{
	struct wide p = multiply(a.sig, c.sig);

	*exp = a.exp + c.exp + 1;
	if (!(p.hi >> 127)) {
		p = shift_left(p, 1);
		--*exp;
	}
	return p;
}

u128 sfp_mul(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b)
{
	bool sign = a.sign ^ b.sign;
	struct wide p;
	s32 exp;

	no_rounding(e);
	if (a.cls == SFP_NAN || b.cls == SFP_NAN)
		return sfp_propagate(e, f, (const struct sfp *const[]){&a, &b}, 2);
	if (a.cls == SFP_INF || b.cls == SFP_INF)
		return a.cls == SFP_ZERO_ || b.cls == SFP_ZERO_ ? invalid(e, f, PPC_FPSCR_VXIMZ)
								: infinity(f, sign);
	if (a.cls == SFP_ZERO_ || b.cls == SFP_ZERO_)
		return zero(f, sign);
	p = product(a, b, &exp);
	return sfp_round(e, f, sign, exp, p.hi, p.lo != 0);
}

u128 sfp_fma(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp c, struct sfp b,
	     bool subtract, bool negate)
{
	bool imz = (a.cls == SFP_INF && c.cls == SFP_ZERO_) ||
		   (a.cls == SFP_ZERO_ && c.cls == SFP_INF);
	bool sp = a.sign ^ c.sign, sb = b.sign ^ subtract;
	struct wide p;
	s32 exp;
	u128 r;

	no_rounding(e);
	if (imz)
		e->flags |= PPC_FPSCR_VXIMZ;
	if (imz || a.cls == SFP_NAN || b.cls == SFP_NAN || c.cls == SFP_NAN)
		return sfp_propagate(e, f, (const struct sfp *const[]){&a, &b, &c}, 3);
	if (a.cls == SFP_INF || c.cls == SFP_INF) {
		if (b.cls == SFP_INF && sb != sp)
			return invalid(e, f, PPC_FPSCR_VXISI);
		return infinity(f, sp ^ negate);
	}
	if (b.cls == SFP_INF)
		return infinity(f, sb ^ negate);
	if (a.cls == SFP_ZERO_ || c.cls == SFP_ZERO_) {
		if (b.cls == SFP_ZERO_)
			r = zero(f, sp == sb ? sp : e->rm == SFP_DOWN);
		else
			r = sfp_round(e, f, sb, b.exp, b.sig, false);
	} else {
		p = product(a, c, &exp);
		r = b.cls == SFP_ZERO_
			    ? sfp_round(e, f, sp, exp, p.hi, p.lo != 0)
			    : add_wide(e, f, sp, exp, p, sb, b.exp, (struct wide){b.sig, 0});
	}
	return r ^ sign_bit(f, negate);
}

u128 sfp_div(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b)
{
	bool sign = a.sign ^ b.sign, over = false;
	s32 exp = a.exp - b.exp;
	u128 r = a.sig, q = 0;

	no_rounding(e);
	if (a.cls == SFP_NAN || b.cls == SFP_NAN)
		return sfp_propagate(e, f, (const struct sfp *const[]){&a, &b}, 2);
	if (a.cls == b.cls && a.cls != SFP_NORMAL)
		return invalid(e, f, a.cls == SFP_INF ? PPC_FPSCR_VXIDI : PPC_FPSCR_VXZDZ);
	if (a.cls == SFP_INF)
		return infinity(f, sign);
	if (b.cls == SFP_ZERO_) {
		e->flags |= PPC_FPSCR_ZX;
		return infinity(f, sign);
	}
	if (a.cls == SFP_ZERO_ || b.cls == SFP_INF)
		return zero(f, sign);
	if (r < b.sig) {
		over = r >> 127;
		r <<= 1;
		exp--;
	}
	/* One quotient bit a round; r < 2 * b.sig at its start, over is r's bit 128. */
	for (unsigned i = 0; i < 128; i++) {
		bool one = over || r >= b.sig;

		r -= one ? b.sig : 0;
		q = q << 1 | one;
		over = r >> 127;
		r <<= 1;
	}
	return sfp_round(e, f, sign, exp, q, over || r);
}

u128 sfp_sqrt(struct sfp_env *e, enum sfp_format f, struct sfp a)
{
	u128 root = 0, rem = 0, bits = a.sig;
	unsigned odd = a.exp & 1;

	no_rounding(e);
	if (a.cls == SFP_NAN)
		return sfp_propagate(e, f, (const struct sfp *const[]){&a}, 1);
	if (a.cls == SFP_ZERO_)
		return zero(f, a.sign);
	if (a.sign)
		return invalid(e, f, PPC_FPSCR_VXSQRT);
	if (a.cls == SFP_INF)
		return infinity(f, false);
	/* The radicand is sig (odd exponent) or sig / 2, two bits a round. */
	for (unsigned i = 0; i < 118; i++) {
		unsigned two;

		if (i == 0 && !odd) {
			two = (unsigned)(bits >> 127);
			bits <<= 1;
		} else {
			two = (unsigned)(bits >> 126);
			bits <<= 2;
		}
		rem = rem << 2 | two;
		root <<= 1;
		if (rem >= (root << 1 | 1)) {
			rem -= root << 1 | 1;
			root |= 1;
		}
	}
	return sfp_round(e, f, false, (a.exp - (s32)odd) / 2, root << 10, rem || bits);
}
