/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The virtual terminal of a PAPR machine (PAPR, "Virtual Terminal (Vterm)
 * Option"): bytes go out and come in by hypercalls, up to VTY_CHUNK at once; an
 * interrupt tells of input. The board makes the calls. Under the machine lock.
 * Freestanding.
 */
#ifndef HULL_DEV_CHAR_VTY_H
#define HULL_DEV_CHAR_VTY_H

#include "base/types.h"
#include "io/char.h"

#define VTY_CHUNK 16u
#define VTY_RING 256u /* input that waits, a power of two */

struct vty {
	struct io_char *chr;
	u8 ring[VTY_RING];
	u32 head, tail;
	/* There is more input, and the guest has not said that it wants no interrupts. */
	void (*notify)(void *opaque);
	void *opaque;
	bool enabled;
};

/* chr NULL: what is written goes nowhere. */
void vty_init(struct vty *t, struct io_char *chr, void (*notify)(void *opaque), void *opaque);
void vty_reset(struct vty *t);

void vty_put(struct vty *t, const u8 *bytes, unsigned n);
/* At most VTY_CHUNK bytes into buf; how many. */
unsigned vty_get(struct vty *t, u8 *buf);
/* H_VIO_SIGNAL */
void vty_enable(struct vty *t, bool on);

#endif
