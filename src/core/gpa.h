/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The guest-physical map: which guest-physical addresses (GPA) are RAM or ROM
 * and where that lives in this process. Everything else is MMIO or nothing and
 * is the bus's business.
 *
 * Slots are added before the first vCPU runs and never overlap; after that the
 * map is read without locks by every thread. Freestanding.
 *
 * Whoever writes guest RAM other than by running the guest (device DMA, boot
 * loader, debugger) goes through gpa_write, or gets a pointer by gpa_ptr and
 * calls gpa_written() AFTER the bytes have landed: that is how the software
 * CPU learns that code it translated has changed, and how dirty logging works.
 */
#ifndef HULL_CORE_GPA_H
#define HULL_CORE_GPA_H

#include "base/types.h"

#define GPA_PAGE_SHIFT 12
#define GPA_PAGE_SIZE 4096u
#define GPA_MAX_SLOTS 32

enum gpa_page_flags {
	GPA_PAGE_CODE = 1,  /* an engine holds translations of this page */
	GPA_PAGE_CLEAN = 2, /* dirty logging is on and the page is clean */
};

struct gpa_slot {
	u64 gpa, size;		/* bytes, page aligned */
	u8 *host;		/* not owned */
	_Atomic u8 *page_flags; /* one per page, owned by the map's creator; never NULL */
	bool readonly;		/* ROM: guest writes are dropped by the engine */
	int fd;			/* memfd behind it, or -1 */
	u64 fd_offset;
};

struct gpa_map {
	struct gpa_slot slot[GPA_MAX_SLOTS];
	unsigned nslots;
	/*
	 * Set by the engine: called for each written page whose flags are not 0,
	 * on the writing thread. May be NULL.
	 */
	void (*page_written)(void *opaque, struct gpa_slot *s, u64 gpa);
	void *opaque;
};

/* 0, -E_INVAL (alignment, overlap, overflow) or -E_NOSPC. Keeps slots sorted by gpa. */
int gpa_slot_add(struct gpa_map *m, const struct gpa_slot *slot);

/* The slot holding gpa, or NULL. */
struct gpa_slot *gpa_slot_find(const struct gpa_map *m, u64 gpa);

/*
 * Host address of [gpa, gpa+len) if it lies in one slot (writable if `write`),
 * else NULL. Valid as long as the map.
 */
void *gpa_ptr(const struct gpa_map *m, u64 gpa, u64 len, bool write);

/* Tell engines that [gpa, gpa+len) was written; ignores what is not RAM. */
void gpa_written(struct gpa_map *m, u64 gpa, u64 len);

/* Copy, across slots. 0 or -E_FAULT when any byte is not RAM (then nothing is promised). */
int gpa_read(const struct gpa_map *m, u64 gpa, void *buf, u64 len);
int gpa_write(struct gpa_map *m, u64 gpa, const void *buf, u64 len);

#endif
