/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The hypervisor's own page tables: all RAM and what devices need at its own
 * address, no page both writable and executable, nothing at 0, a hole below
 * every stack. Addresses are physical ones.
 */
#ifndef HULL_METAL_PAGING_H
#define HULL_METAL_PAGING_H

#include "base/types.h"

/* Builds the tables from metal.boot and switches to them. Memory must be up. */
void paging_init(void);
/* This CPU's view: no-execute, write protection, the tables. */
void paging_enable(void);

/* Device registers at [pa, pa + size): uncached. Before other CPUs run, or for good. */
void paging_map_device(u64 pa, u64 size);
/* Takes the page at pa away (guard). */
void paging_unmap_page(u64 pa);
/* Can [pa, pa + size) be read? For tables that firmware or a loader points at. */
bool paging_is_mapped(u64 pa, u64 size);

/* Looks at every entry: how many are writable and executable (0, or we have a bug). */
u64 paging_audit(u64 *entries);

/* STACK_SIZE bytes with a hole below; returns the top, or 0. */
u64 paging_stack_alloc(void);

#endif
