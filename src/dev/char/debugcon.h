/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Debug console: a one-byte port whose writes go to a character back end.
 * Bochs' port E9h and SeaBIOS/OVMF's port 402h; a read gives E9h, which is how
 * firmware finds out that the port exists.
 */
#ifndef HULL_DEV_CHAR_DEBUGCON_H
#define HULL_DEV_CHAR_DEBUGCON_H

#include "dev/device.h"
#include "io/char.h"

#define DEBUGCON_PORT_BOCHS 0xe9
#define DEBUGCON_PORT_FIRMWARE 0x402
#define DEBUGCON_WINDOW 1
#define DEBUGCON_READBACK 0xe9

struct debugcon {
	struct io_char *out; /* may be NULL: bytes are dropped */
};

/* out is not owned and outlives the device. */
void debugcon_init(struct debugcon *d, struct io_char *out);

extern const struct device_ops debugcon_ops;

#endif
