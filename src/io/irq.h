/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Interrupt wires between devices and interrupt controllers. A board fills
 * these in; a device only ever calls them. Called with the machine lock held.
 */
#ifndef HULL_IO_IRQ_H
#define HULL_IO_IRQ_H

#include "base/types.h"

/* One level-signalled input pin: number n of whatever `opaque` is. */
struct irq_line {
	void (*set)(void *opaque, unsigned n, bool level);
	void *opaque;
	unsigned n;
};

/* An unconnected line (set == NULL) is allowed and does nothing. */
static inline void irq_set(const struct irq_line *l, bool level)
{
	if (l->set)
		l->set(l->opaque, l->n, level);
}

/*
 * Message-signalled interrupts: a 32-bit data write to a 64-bit address
 * (PCI 3.0 section 6.8). The sink decides what the address means.
 */
struct msi_sink {
	void (*send)(void *opaque, u64 addr, u32 data);
	void *opaque;
};

static inline void msi_send(const struct msi_sink *s, u64 addr, u32 data)
{
	if (s->send)
		s->send(s->opaque, addr, data);
}

#endif
