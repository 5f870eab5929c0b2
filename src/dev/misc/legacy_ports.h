/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One-port devices of old PCs, for what boots by firmware: system control port A
 * and the POST code port. As misc.h.
 */
#ifndef HULL_DEV_MISC_LEGACY_PORTS_H
#define HULL_DEV_MISC_LEGACY_PORTS_H

#include "dev/device.h"

/* ---- system control port A, port 92h: Intel ICH9 datasheet 13.7.3 ------------------- */

#define PORT92_PORT 0x92
#define PORT92_WINDOW 1

enum {
	PORT92_INIT_NOW = 1 << 0, /* rising edge resets the processor */
	PORT92_ALT_A20 = 1 << 1,  /* A20 gate open; we report, the board may ignore it */
};

struct port92 {
	u8 reg;
	void (*reset)(void *opaque);
	void (*a20)(void *opaque, bool open); /* may be NULL */
	void *opaque;
};

void port92_init(struct port92 *d, void (*reset)(void *opaque),
		 void (*a20)(void *opaque, bool open), void *opaque);

extern const struct device_ops port92_ops;

/* ---- POST codes, port 80h, also the guests' I/O delay ---------------------------------- */

#define POST_PORT 0x80
#define POST_WINDOW 1

struct post_port {
	u8 last; /* last code written, for a person looking at a dead guest */
	u32 count;
};

void post_port_init(struct post_port *d);

extern const struct device_ops post_port_ops;

#endif
