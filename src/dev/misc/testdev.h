/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The device of kvm-unit-tests, QEMU's pc-testdev (hw/misc/pc-testdev.c there is its only
 * description): interrupt inputs that the guest drives by port, four bytes of ports and
 * memory that every access to is emulated. On a board only when asked for.
 */
#ifndef HULL_DEV_MISC_TESTDEV_H
#define HULL_DEV_MISC_TESTDEV_H

#include "dev/device.h"
#include "io/irq.h"

#define TESTDEV_PORT 0xe0 /* four bytes that remember, then four whose writes do nothing */
#define TESTDEV_PORT_WINDOW 8
#define TESTDEV_LINE_PORT 0x2000 /* a port a line: 0 low, else high */
#define TESTDEV_LINES 24u
#define TESTDEV_RAM_BASE 0xff000000u
#define TESTDEV_RAM_SIZE 0x10000u

struct testdev {
	struct irq_line line[TESTDEV_LINES];
	u8 port[TESTDEV_PORT_WINDOW];
	u8 ram[TESTDEV_RAM_SIZE];
};

/* The caller fills line. */
extern const struct device_ops testdev_port_ops, testdev_line_ops, testdev_ram_ops;

#endif
