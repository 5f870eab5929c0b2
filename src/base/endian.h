/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Unaligned loads and stores of a stated byte order. The caller has checked
 * the bounds; for hostile bytes use base/span.h. Freestanding.
 */
#ifndef HULL_BASE_ENDIAN_H
#define HULL_BASE_ENDIAN_H

#include "base/types.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HULL_LE(bits, v) (v)
#define HULL_BE(bits, v) __builtin_bswap##bits(v)
#else
#define HULL_LE(bits, v) __builtin_bswap##bits(v)
#define HULL_BE(bits, v) (v)
#endif

#define HULL_ENDIAN_ACCESSORS(bits)                                                                \
	static inline u##bits load_le##bits(const void *p)                                         \
	{                                                                                          \
		u##bits v;                                                                         \
		__builtin_memcpy(&v, p, sizeof(v));                                                \
		return HULL_LE(bits, v);                                                           \
	}                                                                                          \
	static inline u##bits load_be##bits(const void *p)                                         \
	{                                                                                          \
		u##bits v;                                                                         \
		__builtin_memcpy(&v, p, sizeof(v));                                                \
		return HULL_BE(bits, v);                                                           \
	}                                                                                          \
	static inline void store_le##bits(void *p, u##bits v)                                      \
	{                                                                                          \
		v = HULL_LE(bits, v);                                                              \
		__builtin_memcpy(p, &v, sizeof(v));                                                \
	}                                                                                          \
	static inline void store_be##bits(void *p, u##bits v)                                      \
	{                                                                                          \
		v = HULL_BE(bits, v);                                                              \
		__builtin_memcpy(p, &v, sizeof(v));                                                \
	}

HULL_ENDIAN_ACCESSORS(16)
HULL_ENDIAN_ACCESSORS(32)
HULL_ENDIAN_ACCESSORS(64)

/* Little-endian value of 1 to 8 bytes. */
static inline u64 load_le(const void *p, unsigned bytes)
{
	const u8 *b = p;
	u64 v = 0;

	for (unsigned i = bytes; i-- > 0;)
		v = v << 8 | b[i];
	return v;
}

static inline void store_le(void *p, unsigned bytes, u64 v)
{
	u8 *b = p;

	for (unsigned i = 0; i < bytes; i++, v >>= 8)
		b[i] = (u8)v;
}

#endif
