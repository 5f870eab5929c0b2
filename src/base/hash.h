/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * FNV-1a, 64 bits (Fowler, Noll and Vo), for names and addresses that are to stay
 * the same from one run to the next. Whoever wants to can make two texts collide.
 */
#ifndef HULL_BASE_HASH_H
#define HULL_BASE_HASH_H

#include "base/types.h"

#define HASH_START 0xcbf29ce484222325ULL

static inline u64 hash_byte(u64 h, u8 b)
{
	return (h ^ b) * 0x100000001b3ULL;
}

static inline u64 hash_text(const char *s)
{
	u64 h = HASH_START;

	while (*s)
		h = hash_byte(h, (u8)*s++);
	return h;
}

#endif
