/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What every device model is: const ops and an opaque instance. Devices make
 * no system calls and use no libc and no heap: the board embeds the instance
 * structs and hands in wires (io/irq.h), clocks, back ends and guest memory.
 *
 * Each family member offers
 *	void xyz_init(struct xyz *d, ...wires and back ends...);
 *	extern const struct device_ops xyz_ops;   (or one per register window)
 * and is reached only through the ops, under the machine lock. offset is
 * relative to the window; size is 1, 2, 4 or 8 and never crosses the window's
 * end. A read of nothing gives all ones, a write to nothing is dropped; no
 * guest access ever fails, asserts or stops.
 */
#ifndef HULL_DEV_DEVICE_H
#define HULL_DEV_DEVICE_H

#include "base/types.h"

struct device_ops {
	const char *name;	  /* for logs and `hull inspect` */
	void (*reset)(void *dev); /* may be NULL: nothing to forget */
	u64 (*read)(void *dev, u64 offset, unsigned size);
	void (*write)(void *dev, u64 offset, unsigned size, u64 val);
};

struct device {
	const struct device_ops *ops;
	void *opaque;
};

#endif
