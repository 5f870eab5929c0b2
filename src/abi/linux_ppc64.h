/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where numbers of Linux' interface differ between POWER and the architectures
 * that take them from asm-generic, x86-64 among them. Source: Linux
 * arch/powerpc/include/uapi/asm/fcntl.h and include/uapi/asm-generic/fcntl.h.
 */
#ifndef HULL_ABI_LINUX_PPC64_H
#define HULL_ABI_LINUX_PPC64_H

#include "base/types.h"

enum {
	PPC64_O_DIRECTORY = 0040000,
	PPC64_O_NOFOLLOW = 0100000,
	PPC64_O_LARGEFILE = 0200000,
	PPC64_O_DIRECT = 0400000,
	GENERIC_O_DIRECT = 0040000,
	GENERIC_O_LARGEFILE = 0100000,
	GENERIC_O_DIRECTORY = 0200000,
	GENERIC_O_NOFOLLOW = 0400000,
	OPEN_FLAGS_DIFFER = 0740000, /* in these bits; all others are the same */
};

/* Flags of open, openat and fcntl(F_SETFL) as POWER programs give them, in generic numbers. */
static inline u32 ppc64_open_flags_to_generic(u32 f)
{
	return (f & ~(u32)OPEN_FLAGS_DIFFER) | (f & PPC64_O_DIRECTORY ? GENERIC_O_DIRECTORY : 0) |
	       (f & PPC64_O_NOFOLLOW ? GENERIC_O_NOFOLLOW : 0) |
	       (f & PPC64_O_LARGEFILE ? GENERIC_O_LARGEFILE : 0) |
	       (f & PPC64_O_DIRECT ? GENERIC_O_DIRECT : 0);
}

/* The other way, as fcntl(F_GETFL) tells them. */
static inline u32 ppc64_open_flags_from_generic(u32 f)
{
	return (f & ~(u32)OPEN_FLAGS_DIFFER) | (f & GENERIC_O_DIRECTORY ? PPC64_O_DIRECTORY : 0) |
	       (f & GENERIC_O_NOFOLLOW ? PPC64_O_NOFOLLOW : 0) |
	       (f & GENERIC_O_LARGEFILE ? PPC64_O_LARGEFILE : 0) |
	       (f & GENERIC_O_DIRECT ? PPC64_O_DIRECT : 0);
}

#endif
