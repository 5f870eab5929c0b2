/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Compare and swap of guest memory at its host address, as other vCPUs' host threads see it. */
#ifndef HULL_ENGINE_JIT_PPC_SWAP_H
#define HULL_ENGINE_JIT_PPC_SWAP_H

#include "base/endian.h"

/* 16 bytes. A compiler's own needs a library where not every host of the kind has the instruction.
 */
static inline bool ppc_swap16(void *p, const void *old, const void *new)
{
	u64 lo = load_le64(old), hi = load_le64((const u8 *)old + 8);
	bool done;

#ifdef __x86_64__
	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*(unsigned __int128 *)p), "+a"(lo), "+d"(hi)
			 : "b"(load_le64(new)), "c"(load_le64((const u8 *)new + 8))
			 : "memory");
#else
	unsigned __int128 was = (unsigned __int128)hi << 64 | lo;
	unsigned __int128 to =
		(unsigned __int128)load_le64((const u8 *)new + 8) << 64 | load_le64(new);

	done = __atomic_compare_exchange_n((unsigned __int128 *)p, &was, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
	return done;
}

/* size is 1, 2, 4, 8 or 16, p aligned to it; bytes in storage order. */
static inline bool ppc_swap(void *p, u32 size, const void *old, const void *new)
{
	u64 a = size < 16 ? load_le(old, size) : 0, b = size < 16 ? load_le(new, size) : 0;
	u32 a4 = (u32)a;
	u16 a2 = (u16)a;
	u8 a1 = (u8)a;

	switch (size) {
	case 1:
		return __atomic_compare_exchange_n((u8 *)p, &a1, (u8)b, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	case 2:
		return __atomic_compare_exchange_n((u16 *)p, &a2, (u16)b, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	case 4:
		return __atomic_compare_exchange_n((u32 *)p, &a4, (u32)b, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	case 8:
		return __atomic_compare_exchange_n((u64 *)p, &a, b, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	default:
		return ppc_swap16(p, old, new);
	}
}

#endif
