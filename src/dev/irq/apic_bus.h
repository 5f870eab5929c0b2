/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What stands in for the APIC bus / system bus interrupt messages: knows every
 * local APIC, decides which ones a message is for, carries EOIs to I/O APICs.
 * References: Intel SDM vol. 3A sections 11.6 (IPIs and destinations), 11.8.5
 * (EOI broadcast), 11.11 (message-signalled interrupts).
 *
 * Everything runs under the machine lock.
 */
#ifndef HULL_DEV_IRQ_APIC_BUS_H
#define HULL_DEV_IRQ_APIC_BUS_H

#include "base/types.h"
#include "io/irq.h"

#define APIC_BUS_MAX 64u
#define APIC_BUS_EOI_SINKS 4u

/* Delivery modes, SDM 11.6.1 table "delivery mode"; ICR, LVT, I/O APIC and MSI share them. */
enum apic_mode {
	APIC_MODE_FIXED = 0,
	APIC_MODE_LOWEST = 1,
	APIC_MODE_SMI = 2,
	APIC_MODE_NMI = 4,
	APIC_MODE_INIT = 5,
	APIC_MODE_STARTUP = 6,
	APIC_MODE_EXTINT = 7,
};

struct apic_msg {
	u32 dest;
	bool logical; /* destination mode */
	bool wide;    /* dest has 32 bits (x2APIC IPI); else 8, and FFh is everyone */
	bool level;   /* trigger mode */
	u8 mode;      /* enum apic_mode */
	u8 vector;
};

struct lapic;

struct apic_bus {
	struct lapic *cpu[APIC_BUS_MAX]; /* not owned; filled by lapic_init; NULL: none yet */
	unsigned ncpus;
	unsigned next_lowest; /* where the search for a lowest-priority target starts */
	struct {
		void (*eoi)(void *opaque, u8 vector);
		void *opaque;
	} eoi_sink[APIC_BUS_EOI_SINKS];
	unsigned nsinks;
};

void apic_bus_init(struct apic_bus *b);

/* Hear of EOIs of level-triggered vectors. 0 or -E_NOSPC. */
int apic_bus_add_eoi(struct apic_bus *b, void (*eoi)(void *opaque, u8 vector), void *opaque);

/* Deliver a message. True if at least one local APIC accepted it. */
bool apic_bus_send(struct apic_bus *b, const struct apic_msg *msg);

/* An MSI write; fits msi_sink.send with a struct apic_bus. Other addresses are dropped. */
void apic_bus_msi(void *bus, u64 addr, u32 data);

/* EOI broadcast, called by local APICs. */
void apic_bus_eoi(struct apic_bus *b, u8 vector);

/* The 8259's INT output: drives LINT0 of every local APIC. Fits irq_line.set. */
void apic_bus_pic_intr(void *bus, unsigned n, bool level);

#endif
