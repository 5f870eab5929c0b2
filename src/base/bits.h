/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bit and alignment arithmetic, checked arithmetic. Freestanding.
 */
#ifndef HULL_BASE_BITS_H
#define HULL_BASE_BITS_H

#include "base/types.h"

#define BIT(n) (1ULL << (n))
/* Bits lo..hi (inclusive) set. */
#define BITS(lo, hi) ((~0ULL >> (63 - ((hi) - (lo)))) << (lo))

static inline u64 bits_get(u64 v, unsigned lo, unsigned count)
{
	return (v >> lo) & (count >= 64 ? ~0ULL : BIT(count) - 1);
}

/* The low `bytes` bytes set; bytes is 0..8. */
static inline u64 mask_bytes(unsigned bytes)
{
	return bytes >= 8 ? ~0ULL : BIT(bytes * 8) - 1;
}

static inline u64 align_down(u64 v, u64 pow2)
{
	return v & ~(pow2 - 1);
}

static inline u64 align_up(u64 v, u64 pow2)
{
	return (v + pow2 - 1) & ~(pow2 - 1);
}

static inline bool is_pow2(u64 v)
{
	return v && !(v & (v - 1));
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* True if [off, off+len) lies inside [0, size). Never overflows. */
static inline bool range_inside(u64 off, u64 len, u64 size)
{
	return off <= size && len <= size - off;
}

/* True if a + b or a * b does not fit; *out holds the wrapped result. */
#define add_overflow(a, b, out) __builtin_add_overflow(a, b, out)
#define mul_overflow(a, b, out) __builtin_mul_overflow(a, b, out)

#endif
