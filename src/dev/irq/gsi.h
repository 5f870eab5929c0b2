/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The interrupt wiring of a PC: ISA line n goes to the 8259 pair's input n and
 * to the I/O APIC's pin n, except that the timer's line 0 goes to pin 2 (the
 * MADT says so in an interrupt source override, ACPI 6.4 section 5.2.12.5).
 * Lines 16 to 23 go to the I/O APIC only.
 */
#ifndef HULL_DEV_IRQ_GSI_H
#define HULL_DEV_IRQ_GSI_H

#include "dev/irq/ioapic.h"
#include "dev/irq/pic.h"

#define GSI_TIMER_PIN 2u

struct gsi_wiring {
	struct pic *pic;
	struct ioapic *ioapic;
};

/* Fits irq_line.set with a struct gsi_wiring; n is an ISA line or a GSI of 16 and up. */
static inline void gsi_set(void *opaque, unsigned n, bool level)
{
	struct gsi_wiring *w = opaque;

	if (n < 16)
		pic_set_irq(w->pic, n, level);
	ioapic_set_irq(w->ioapic, n == 0 ? GSI_TIMER_PIN : n, level);
}

/* Is this vector the interval timer's, by the I/O APIC or by the 8259s? */
static inline bool gsi_is_timer(const struct gsi_wiring *w, int vector)
{
	u64 rte = w->ioapic->rte[GSI_TIMER_PIN];

	return (vector == (u8)rte && !(rte & IOAPIC_RTE_MASKED)) ||
	       vector == w->pic->chip[0].vector_base;
}

static inline struct irq_line gsi_line(struct gsi_wiring *w, unsigned n)
{
	return (struct irq_line){.set = gsi_set, .opaque = w, .n = n};
}

#endif
