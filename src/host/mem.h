/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: one memfd mapped once, handed to the guest-physical map in
 * pieces (so that a board can leave holes), with the per-page flags the map
 * wants. Pages cost nothing until touched. Used by boards and tests.
 */
#ifndef HULL_HOST_MEM_H
#define HULL_HOST_MEM_H

#include "core/gpa.h"
#include "host/err.h"

struct mem;

/* size in bytes, rounded up to a page; zero-filled. name shows in /proc/PID/maps. */
int mem_create(const char *name, u64 size, struct mem **out, struct err *e);
/* NULL ok. The map's slots that point here must not be used any more. */
void mem_destroy(struct mem *m);

u8 *mem_host(const struct mem *m);
u64 mem_size(const struct mem *m);
int mem_fd(const struct mem *m);

/* Make [offset, offset+size) of m appear at gpa. readonly: ROM for the guest. */
int mem_map(struct mem *m, struct gpa_map *map, u64 gpa, u64 offset, u64 size, bool readonly,
	    struct err *e);

/*
 * Give the host back all of [offset, offset+len), page aligned; it reads as
 * zeroes afterwards (balloon, machine reset). 0 or -errno.
 */
int mem_discard(struct mem *m, u64 offset, u64 len);

#endif
