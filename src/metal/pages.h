/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Physical pages and who owns each of them: one byte a page, and a count for
 * every owner. Nothing is overcommitted: a page given is a page taken away.
 * Large runs come from the top of memory, 2 MiB aligned, small ones from below.
 * Any CPU; has its own lock. Pure apart from that.
 */
#ifndef HULL_METAL_PAGES_H
#define HULL_METAL_PAGES_H

#include "metal/cpu.h"

#define PAGE_SIZE 4096u
#define OWNERS_MAX 64u

enum page_owner {
	OWNER_FREE,
	OWNER_HYPERVISOR,
	OWNER_MODULES,
	OWNER_NOBODY, /* not RAM, or firmware's */
	OWNER_VM,     /* and the following: one for each VM */
};

struct pages {
	u8 *owner; /* by page number */
	u64 n;
	u64 low_hint, high_hint;
	u64 count[OWNERS_MAX];
	struct spinlock lock;
};

/* map: n bytes for the table. Everything belongs to nobody at first. */
void pages_init(struct pages *p, u8 *map, u64 n);
/* Changes the owner of whole pages inside [addr, addr + size), whoever had them. */
void pages_assign(struct pages *p, u64 addr, u64 size, unsigned owner);

/*
 * n pages in a row, physical address, not cleared; 0 = there are none. A power
 * of two is naturally aligned.
 */
u64 pages_alloc(struct pages *p, u64 n, unsigned owner);
/* Only pages of `owner` are freed; false if one was not (a bug of ours). */
bool pages_free(struct pages *p, u64 addr, u64 n, unsigned owner);
/* All that is left of an owner; returns how many pages that were. */
u64 pages_free_all(struct pages *p, unsigned owner);
unsigned pages_owner(const struct pages *p, u64 addr);

#endif
