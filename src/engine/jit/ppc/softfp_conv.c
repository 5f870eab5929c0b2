/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IEEE 754 conversions and comparisons in integers. See softfp.h.
 */
#include "engine/jit/ppc/softfp_internal.h"

u128 sfp_convert(struct sfp_env *e, enum sfp_format f, struct sfp a)
{
	u128 sign = (u128)a.sign << (sfp_fraction_bits(f) + sfp_exponent_bits(f));

	e->fi = e->fr = false;
	switch (a.cls) {
	case SFP_NAN:
		return sfp_propagate(e, f, (const struct sfp *const[]){&a}, 1);
	case SFP_INF:
		return sign | (u128)((1u << sfp_exponent_bits(f)) - 1) << sfp_fraction_bits(f);
	case SFP_ZERO_:
		return sign;
	default:
		return sfp_round(e, f, a.sign, a.exp, a.sig, false);
	}
}

/*
 * The magnitude of a normal number with |a| < 2^127 as an integer, rounded; e->fi, e->fr say how.
 */
static u128 to_integer(struct sfp_env *e, struct sfp a)
{
	unsigned drop = a.exp < 0 ? 128 : 127 - (unsigned)a.exp;
	u128 whole = drop >= 128 ? 0 : a.sig >> drop;
	u128 lost = drop == 0 ? 0 : drop >= 128 ? a.sig : a.sig << (128 - drop);
	bool half, rest, odd = whole & 1, up;

	if (a.exp < -1) { /* below one half */
		half = false;
		rest = true;
	} else {
		half = lost >> 127;
		rest = lost << 1 != 0;
	}
	switch (e->rm) {
	case SFP_NEAREST:
		up = half && (rest || odd);
		break;
	case SFP_AWAY:
		up = half;
		break;
	case SFP_UP:
		up = !a.sign && (half || rest);
		break;
	case SFP_DOWN:
		up = a.sign && (half || rest);
		break;
	default:
		up = false;
	}
	e->fi = half || rest;
	e->fr = up;
	return whole + up;
}

static struct sfp from_integer(u128 v, bool sign)
{
	struct sfp n = {.sign = sign};
	u64 hi = (u64)(v >> 64);
	unsigned z;

	if (!v)
		return n;
	z = hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((u64)v);
	n.cls = SFP_NORMAL;
	n.sig = v << z;
	n.exp = 127 - (s32)z;
	return n;
}

u128 sfp_integral(struct sfp_env *e, enum sfp_format f, struct sfp a, bool exact)
{
	struct sfp_env r = {.rm = e->rm};
	u128 v;

	e->fi = e->fr = false;
	if (a.cls != SFP_NORMAL || a.exp >= (s32)sfp_fraction_bits(f))
		return sfp_convert(e, f, a);
	v = to_integer(&r, a);
	if (exact) {
		e->fi = r.fi;
		e->fr = r.fr;
		e->flags |= r.fi ? PPC_FPSCR_XX : 0;
	}
	return sfp_convert(&(struct sfp_env){.rm = SFP_NEAREST}, f, from_integer(v, a.sign));
}

u128 sfp_from_int(struct sfp_env *e, enum sfp_format f, u64 mag, bool sign)
{
	return sfp_convert(e, f, from_integer(mag, mag ? sign : false));
}

static u64 saturate(struct sfp_env *e, unsigned bits, bool is_signed, bool low)
{
	u64 all = bits == 64 ? ~0ULL : 0xffffffffu;

	e->flags |= PPC_FPSCR_VXCVI;
	e->fi = e->fr = false;
	if (!is_signed)
		return low ? 0 : all;
	return low ? (all >> 1) + 1 : all >> 1;
}

u64 sfp_to_int(struct sfp_env *e, struct sfp a, unsigned bits, bool is_signed)
{
	u128 v = 0, limit;

	e->fi = e->fr = false;
	if (a.cls == SFP_NAN) {
		e->flags |= a.snan ? PPC_FPSCR_VXSNAN : 0;
		return saturate(e, bits, is_signed, true);
	}
	if (a.cls == SFP_INF || (a.cls == SFP_NORMAL && a.exp > 64))
		return saturate(e, bits, is_signed, a.sign);
	if (a.cls == SFP_NORMAL)
		v = to_integer(e, a);
	limit = ((u128)1 << (is_signed ? bits - 1 : bits)) - !a.sign;
	if (!is_signed && a.sign)
		limit = 0;
	if (v > limit)
		return saturate(e, bits, is_signed, a.sign);
	e->flags |= e->fi ? PPC_FPSCR_XX : 0;
	return (a.sign ? -(u64)v : (u64)v) & (bits == 64 ? ~0ULL : 0xffffffffu);
}

int sfp_compare(struct sfp a, struct sfp b)
{
	int r;

	if (a.cls == SFP_NAN || b.cls == SFP_NAN)
		return 2;
	if (a.cls == SFP_ZERO_ && b.cls == SFP_ZERO_)
		return 0;
	if (a.cls == SFP_ZERO_)
		return b.sign ? 1 : -1;
	if (b.cls == SFP_ZERO_ || a.sign != b.sign)
		return a.sign ? -1 : 1;
	if (a.cls == SFP_INF || b.cls == SFP_INF)
		r = (a.cls == SFP_INF) - (b.cls == SFP_INF);
	else if (a.exp != b.exp)
		r = a.exp < b.exp ? -1 : 1;
	else
		r = a.sig == b.sig ? 0 : a.sig < b.sig ? -1 : 1;
	return a.sign ? -r : r;
}

u32 sfp_fprf(enum sfp_format f, u128 bits)
{
	struct sfp a = sfp_unpack(f, bits);

	switch (a.cls) {
	case SFP_NAN:
		return 0x11;
	case SFP_INF:
		return a.sign ? 0x09 : 0x05;
	case SFP_ZERO_:
		return a.sign ? 0x12 : 0x02;
	default:
		return (a.sign ? 0x08 : 0x04) | (a.subnormal ? 0x10 : 0);
	}
}
