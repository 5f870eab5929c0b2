/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * malloc, calloc and free for the linked sources, on pages of whoever
 * this_cpu()->owner says: blocks up to half a page by size class, larger ones
 * in whole pages. Everything of an owner can be given up at once.
 */
#ifndef HULL_METAL_HEAP_H
#define HULL_METAL_HEAP_H

#include "base/types.h"

/* Frees what is left of an owner, blocks and pages; how many pages that were. */
u64 heap_release(unsigned owner);

#endif
