/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * I/O APIC with 24 inputs, version 20h (with an EOI register).
 * References: Intel 82093AA datasheet (order 290566) section 3; Intel ICH9
 * datasheet section 13.5 (EOI register, 13.5.4).
 *
 * Polarity is stored but not applied: lines here are active when true.
 */
#ifndef HULL_DEV_IRQ_IOAPIC_H
#define HULL_DEV_IRQ_IOAPIC_H

#include "dev/device.h"
#include "dev/irq/apic_bus.h"

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_WINDOW 0x1000u
#define IOAPIC_PINS 24u

/* Redirection table entry, 82093AA 3.2.4. */
enum {
	IOAPIC_RTE_MODE_SHIFT = 8,
	IOAPIC_RTE_LOGICAL = 1 << 11,
	IOAPIC_RTE_PENDING = 1 << 12, /* delivery status, read only */
	IOAPIC_RTE_POLARITY = 1 << 13,
	IOAPIC_RTE_REMOTE_IRR = 1 << 14, /* read only */
	IOAPIC_RTE_LEVEL = 1 << 15,
	IOAPIC_RTE_MASKED = 1 << 16,
	IOAPIC_RTE_DEST_SHIFT = 56,
};

struct ioapic {
	struct apic_bus *bus;
	u64 rte[IOAPIC_PINS];
	u32 lines; /* levels at the inputs */
	u32 id;	   /* register 0, bits 24..27 */
	u8 select;
};

/* Registers itself for EOIs with bus, which outlives it. */
void ioapic_init(struct ioapic *io, struct apic_bus *bus);

/* Input 0..23; fits irq_line.set with a struct ioapic. */
void ioapic_set_irq(void *ioapic, unsigned n, bool level);

extern const struct device_ops ioapic_ops;

#endif
