/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address dispatch: which device answers at an address of the memory or the
 * port space. A sorted table of windows, binary search and a last-hit cache.
 * Boards fill it; PCI BARs come and go while the guest runs.
 *
 * All functions run with the machine lock held. Knows no particular device.
 */
#ifndef HULL_MACHINE_BUS_H
#define HULL_MACHINE_BUS_H

#include "dev/device.h"

#define BUS_WINDOWS_MAX 160

struct bus_window {
	u64 base, size;
	struct device dev;
};

struct bus {
	struct bus_window w[BUS_WINDOWS_MAX];
	unsigned n, last;
};

/* 0, -E_INVAL (empty, wraps), -E_EXIST (overlaps another window) or -E_NOSPC. */
int bus_add(struct bus *b, u64 base, u64 size, const struct device_ops *ops, void *opaque);

/* Removes the window of this device at base; none: nothing. */
void bus_remove(struct bus *b, u64 base, const void *opaque);

/*
 * One access of 1, 2, 4 or 8 bytes, little-endian. What crosses a window's end
 * is split into bytes; where nobody answers, reads give all ones and writes
 * are dropped.
 */
u64 bus_read(struct bus *b, u64 addr, unsigned size);
void bus_write(struct bus *b, u64 addr, unsigned size, u64 val);

/* Calls every device's reset once per window, in address order. */
void bus_reset(struct bus *b);

/* The window at addr, or NULL: for logs and tests. */
const struct bus_window *bus_find(struct bus *b, u64 addr);

#endif
