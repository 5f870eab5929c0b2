/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One-port devices whose writes tell the machine something: test exit, panic
 * notification, the reset control register. More of the kind: legacy_ports.h.
 *
 * The callbacks run on the vCPU's thread with the machine lock held; they may
 * only take note (set a flag, kick), not stop the machine on the spot.
 */
#ifndef HULL_DEV_MISC_MISC_H
#define HULL_DEV_MISC_MISC_H

#include "dev/device.h"

/* ---- test exit: QEMU's isa-debug-exit ---------------------------------------- */

#define TEST_EXIT_PORT 0xf4
#define TEST_EXIT_WINDOW 4

struct test_exit {
	void (*exit)(void *opaque, u32 value); /* the guest's value, unshifted */
	void *opaque;
};

void test_exit_init(struct test_exit *d, void (*exit)(void *opaque, u32 value), void *opaque);

extern const struct device_ops test_exit_ops;

/* ---- pvpanic: QEMU docs/specs/pvpanic.txt --------------------------------------- */

#define PVPANIC_PORT 0x505
#define PVPANIC_WINDOW 1

enum pvpanic_event {
	PVPANIC_PANICKED = 1,	  /* the guest panicked and will stop */
	PVPANIC_CRASH_LOADED = 2, /* it panicked and boots a crash kernel */
};

struct pvpanic {
	void (*panic)(void *opaque, u8 events); /* enum pvpanic_event, or-ed */
	void *opaque;
};

void pvpanic_init(struct pvpanic *d, void (*panic)(void *opaque, u8 events), void *opaque);

extern const struct device_ops pvpanic_ops;

/* ---- reset control register, port CF9h: Intel ICH9 datasheet 13.7.5 --------------- */

#define RESET_CF9_PORT 0xcf9
#define RESET_CF9_WINDOW 1

enum {
	RESET_CF9_SYS_RST = 1 << 1,  /* 1 = hard reset when RST_CPU rises */
	RESET_CF9_RST_CPU = 1 << 2,  /* rising edge resets */
	RESET_CF9_FULL_RST = 1 << 3, /* power cycle too: same to us */
};

struct reset_cf9 {
	u8 reg;
	void (*reset)(void *opaque);
	void *opaque;
};

void reset_cf9_init(struct reset_cf9 *d, void (*reset)(void *opaque), void *opaque);

extern const struct device_ops reset_cf9_ops;

#endif
