/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ACPI fixed hardware: PM1a event and control blocks, PM timer, one GPE block,
 * power button, sleep and reset.
 * Reference: ACPI 6.4 section 4.8.3 (fixed registers) and 4.8.4.1 (GPEs).
 *
 * The machine is always in ACPI mode (FADT.SMI_CMD = 0, SCI_EN reads 1). One
 * window of 16 bytes; the FADT's block addresses are its base plus the offsets
 * below. The reset register is at ACPI_PM_RESET with ACPI_PM_RESET_VALUE.
 *
 * The callbacks only take note (see dev/misc/misc.h).
 */
#ifndef HULL_DEV_TIMER_ACPI_PM_H
#define HULL_DEV_TIMER_ACPI_PM_H

#include "dev/device.h"
#include "io/clock.h"
#include "io/irq.h"

#define ACPI_PM_PORT 0x600
#define ACPI_PM_WINDOW 16

enum acpi_pm_reg {
	ACPI_PM1_STATUS = 0,	 /* 2 bytes, write 1 to clear */
	ACPI_PM1_ENABLE = 2,	 /* 2 bytes */
	ACPI_PM1_CONTROL = 4,	 /* 2 bytes */
	ACPI_PM_RESET = 6,	 /* 1 byte */
	ACPI_PM_TIMER = 8,	 /* 4 bytes, 3.579545 MHz */
	ACPI_PM_GPE_STATUS = 12, /* 2 bytes: GPE 0..15, write 1 to clear */
	ACPI_PM_GPE_ENABLE = 14, /* 2 bytes */
};

#define ACPI_PM_TIMER_HZ 3579545u
#define ACPI_PM_RESET_VALUE 1
#define ACPI_PM_SLP_TYP_S5 5 /* what the DSDT's _S5 names */

/* PM1 status/enable bits, ACPI tables 4.11 and 4.12. */
enum {
	ACPI_PM1_TIMER = 1 << 0,
	ACPI_PM1_GLOBAL = 1 << 5,
	ACPI_PM1_POWER_BUTTON = 1 << 8,
	ACPI_PM1_SLEEP_BUTTON = 1 << 9,
	ACPI_PM1_RTC = 1 << 10,
};

struct acpi_pm_wires {
	struct irq_line sci;
	void (*power_off)(void *opaque); /* S5 */
	void (*reset)(void *opaque);
	void *opaque;
};

struct acpi_pm {
	u16 status, enable, control;
	u16 gpe_status, gpe_enable;
	const struct io_clock *clock;
	struct io_timer timer; /* the next flip of the PM timer's top bit */
	struct acpi_pm_wires wires;
	bool sci_level;
};

void acpi_pm_init(struct acpi_pm *a, const struct io_clock *clock,
		  const struct acpi_pm_wires *wires);

void acpi_pm_power_button(struct acpi_pm *a);

/* General-purpose event n, 0..15: sets its status bit. */
void acpi_pm_gpe(struct acpi_pm *a, unsigned n);

extern const struct device_ops acpi_pm_ops;

#endif
