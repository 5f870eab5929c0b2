/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Nested page tables: guest-physical to host-physical, one radix walker for
 * AMD's NPT (the host's own long-mode format, 4 or 5 levels: AMD APM vol. 2,
 * 15.25) and Intel's EPT (4 or 5 levels: SDM vol. 3C, 29.3).
 *
 * Maps with the largest page that fits, splits one when a part of it changes.
 * Knows nothing of VMs. The caller locks, and flushes what CPUs have cached.
 */
#ifndef HULL_CORE_NPT_H
#define HULL_CORE_NPT_H

#include "base/types.h"

enum npt_prot {
	NPT_READ = 1,
	NPT_WRITE = 2,
	NPT_EXEC = 4,
	NPT_RWX = 7,
	NPT_UNCACHED = 8, /* memory type UC instead of WB */
};

enum npt_sizes { NPT_2M = 1, NPT_1G = 2 };

struct npt_format { /* const, one for NPT, one for EPT */
	u64 table;  /* bits of an entry that points to a table */
	u64 large;  /* makes an entry of level 2 or 3 a page */
	u64 write;  /* the write permission */
	u64 (*leaf)(u32 prot);
};

extern const struct npt_format npt_format_amd, npt_format_ept;

struct npt {
	const struct npt_format *fmt;
	u64 *root;
	unsigned levels; /* 4 or 5 */
	u32 sizes;	 /* enum npt_sizes allowed */
	u64 *garbage;	 /* tables no longer reachable, until npt_reap */
	u64 tables;	 /* pages in use for tables */
	u64 pages[3];	 /* mapped entries of 4K, 2M, 1G */
};

/* 0 or -E_NOMEM. */
int npt_init(struct npt *t, const struct npt_format *fmt, unsigned levels, u32 sizes);
void npt_fini(struct npt *t); /* half-built is fine */

/*
 * All page aligned. What was mapped there before is replaced. 0, -E_NOMEM (a part may be
 * mapped), -E_INVAL (alignment; an address too large for the levels).
 */
int npt_map(struct npt *t, u64 gpa, u64 pa, u64 size, u32 prot);
/*
 * True if anything was mapped there. A large page that cannot be split for want of memory
 * goes as a whole.
 */
bool npt_unmap(struct npt *t, u64 gpa, u64 size);
/* Take away write permission, of large pages as a whole. True if anything changed. */
bool npt_write_protect(struct npt *t, u64 gpa, u64 size);
/* Free a list of tables taken off npt.garbage; after every CPU has flushed. */
void npt_reap(struct npt *t, u64 *list);

#endif
