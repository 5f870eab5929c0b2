/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted set of address ranges. The caller holds the lock that guards it.
 */
#ifndef HULL_FOREIGN_EXEC_MAP_H
#define HULL_FOREIGN_EXEC_MAP_H

#include "foreign/task.h"

/* [start, end) is in the set from now on (on) or not. -ENOMEM: nothing changed. */
int exec_map_set(struct exec_map *m, u64 start, u64 end, bool on);
bool exec_map_has(const struct exec_map *m, u64 addr);
/* True if some address of [start, end) is in the set. */
bool exec_map_meets(const struct exec_map *m, u64 start, u64 end);

#endif
