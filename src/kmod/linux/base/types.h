/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Takes base/types.h's place in the files that include Linux' headers: the same
 * names from there. Sizes and calling convention are the same, so these files and
 * the unchanged ones of core/ and dev/ can be linked.
 */
#ifndef HULL_BASE_TYPES_H
#define HULL_BASE_TYPES_H

#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/types.h>

#define ARRAY_LEN(a) ARRAY_SIZE(a)

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

/* E_x of base/types.h are Linux' numbers. */

#endif
