/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fixed-point instructions that are functions of numbers alone (Book I 3.3.9, 3.3.10, 3.3.13).
 */
#include "engine/jit/ppc/pure.h"

u64 ppc_cmpb(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = 0;

	for (unsigned i = 0; i < 64; i += 8)
		if ((a >> i & 0xff) == (b >> i & 0xff))
			r |= 0xffULL << i;
	return r;
}

u64 ppc_popcntb(void *cpu, u64 a, u64 b, u64 c)
{
	a -= a >> 1 & 0x5555555555555555ULL;
	a = (a & 0x3333333333333333ULL) + (a >> 2 & 0x3333333333333333ULL);
	return (a + (a >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
}

u64 ppc_popcntw(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = ppc_popcntb(cpu, a, 0, 0);

	r += r >> 8;
	r += r >> 16;
	return r & 0x3f0000003fULL;
}

/* Parity of the low bits of the bytes. */
u64 ppc_prtyd(void *cpu, u64 a, u64 b, u64 c)
{
	a ^= a >> 32;
	a ^= a >> 16;
	a ^= a >> 8;
	return a & 1;
}

u64 ppc_prtyw(void *cpu, u64 a, u64 b, u64 c)
{
	a ^= a >> 16;
	a ^= a >> 8;
	return a & 0x100000001ULL;
}

/* Bits of RB (b) that the bytes of RS (a) name. */
u64 ppc_bpermd(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned n = a >> (8 * i) & 0xff;

		if (n < 64)
			r |= (b >> (63 - n) & 1) << i;
	}
	return r;
}

/* Is the byte RA[56:63] in one of the ranges of RB; c: L, two ranges. */
u64 ppc_cmprb(void *cpu, u64 a, u64 b, u64 c)
{
	u8 v = (u8)a, lo = (u8)b, hi = (u8)(b >> 8), lo2 = (u8)(b >> 16), hi2 = (u8)(b >> 24);

	return (lo <= v && v <= hi) || (c && lo2 <= v && v <= hi2);
}

u64 ppc_cmpeqb(void *cpu, u64 a, u64 b, u64 c)
{
	for (unsigned i = 0; i < 64; i += 8)
		if ((b >> i & 0xff) == (a & 0xff))
			return 1;
	return 0;
}

/* (hi:0) / d, one bit a round; hi < d. */
static u64 divide_high(u64 hi, u64 d)
{
	u64 q = 0;

	for (unsigned i = 0; i < 64; i++) {
		bool over = hi >> 63;

		hi <<= 1;
		q <<= 1;
		if (over || hi >= d) {
			hi -= d;
			q |= 1;
		}
	}
	return q;
}

u64 ppc_divdeu(void *cpu, u64 a, u64 b, u64 c)
{
	return a >= b ? 0 : divide_high(a, b);
}

/* Quotient of (a:0) / b as magnitude; false: it does not fit. */
static bool divide_signed(u64 a, u64 b, u64 *q)
{
	u64 n = a >> 63 ? -a : a, d = b >> 63 ? -b : b;
	bool negative = (a ^ b) >> 63;

	if (n >= d)
		return false;
	*q = divide_high(n, d);
	if (*q > (negative ? 1ULL << 63 : (1ULL << 63) - 1))
		return false;
	if (negative)
		*q = -*q;
	return true;
}

u64 ppc_divde(void *cpu, u64 a, u64 b, u64 c)
{
	u64 q;

	return divide_signed(a, b, &q) ? q : 0;
}

u64 ppc_divde_ov(void *cpu, u64 a, u64 b, u64 c)
{
	u64 q;

	return !divide_signed(a, b, &q);
}

/* 6 in each digit that has no carry out of the sum a + b (Book I 3.3.9, addg6s). */
u64 ppc_addg6s(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = 0, carry = 0;

	for (unsigned i = 0; i < 64; i += 4) {
		carry = ((a >> i & 15) + (b >> i & 15) + carry) >> 4;
		if (!carry)
			r |= 6ULL << i;
	}
	return r;
}

/* A densely packed decimal of ten bits to three digits (Book I appendix, DPD). */
static u32 dpd_to_bcd(u32 d)
{
	u32 a = d >> 7 & 7, b = d >> 4 & 7, s = d & 7, p, q, r;

	if (!(d & 8))
		return a << 8 | b << 4 | s;
	switch (d >> 1 & 3) {
	case 0:
		return a << 8 | b << 4 | 8 | (d & 1);
	case 1:
		return a << 8 | (8 | (b & 1)) << 4 | (b & 6) | (d & 1);
	case 2:
		return (8 | (a & 1)) << 8 | b << 4 | (a & 6) | (d & 1);
	}
	p = 8 | (a & 1);
	q = b & 1;
	r = d & 1;
	switch (b >> 1) {
	case 0:
		return p << 8 | (8 | q) << 4 | (a & 6) | r;
	case 1:
		return p << 8 | ((a & 6) | q) << 4 | 8 | r;
	case 2:
		return ((a & 6) | (a & 1)) << 8 | (8 | q) << 4 | 8 | r;
	default:
		return p << 8 | (8 | q) << 4 | 8 | r;
	}
}

static u32 bcd_to_dpd(u32 v)
{
	u32 x = v >> 8 & 15, y = v >> 4 & 15, z = v & 15;
	u32 low = (x & 1) << 7 | (y & 1) << 4 | (z & 1);

	switch ((x >> 3) << 2 | (y >> 3) << 1 | z >> 3) {
	case 0:
		return (x & 7) << 7 | (y & 7) << 4 | (z & 7);
	case 1:
		return low | (x & 6) << 7 | (y & 6) << 4 | 8;
	case 2:
		return low | (x & 6) << 7 | (z & 6) << 4 | 10;
	case 3:
		return low | (x & 6) << 7 | 0x4e;
	case 4:
		return low | (z & 6) << 7 | (y & 6) << 4 | 12;
	case 5:
		return low | (y & 6) << 7 | 0x2e;
	case 6:
		return low | (z & 6) << 7 | 0x0e;
	default:
		return low | 0x6e;
	}
}

/* Both words: six digits of BCD from two declets, and back. */
u64 ppc_cdtbcd(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = 0;

	for (unsigned i = 0; i < 64; i += 32)
		r |= (u64)(dpd_to_bcd(a >> (i + 10) & 0x3ff) << 12 | dpd_to_bcd(a >> i & 0x3ff))
		     << i;
	return r;
}

u64 ppc_cbcdtd(void *cpu, u64 a, u64 b, u64 c)
{
	u64 r = 0;

	for (unsigned i = 0; i < 64; i += 32)
		r |= (u64)(bcd_to_dpd(a >> (i + 12) & 0xfff) << 10 | bcd_to_dpd(a >> i & 0xfff))
		     << i;
	return r;
}
