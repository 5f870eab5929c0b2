/* SPDX-License-Identifier: Apache-2.0 */
/* A bus of local APICs, an I/O APIC and the 8259 pair, with recorders for every wire. */
#ifndef HULL_TESTS_APIC_RIG_H
#define HULL_TESTS_APIC_RIG_H

#include "dev/irq/gsi.h"
#include "dev/irq/ioapic.h"
#include "dev/irq/lapic.h"
#include "tests/fake_clock.h"

#define RIG_CPUS 4

struct apic_rig {
	struct fake_clock fc;
	struct apic_bus bus;
	struct lapic cpu[RIG_CPUS];
	struct ioapic ioapic;
	struct pic pic;
	struct gsi_wiring gsi;
	bool intr[RIG_CPUS];
	unsigned nmis[RIG_CPUS], inits[RIG_CPUS], sipis[RIG_CPUS];
	u8 sipi_vector;
	unsigned eois;
	u8 eoi_vector;
};

static void rig_intr(void *opaque, unsigned cpu, bool level)
{
	((struct apic_rig *)opaque)->intr[cpu] = level;
}

static void rig_nmi(void *opaque, unsigned cpu)
{
	((struct apic_rig *)opaque)->nmis[cpu]++;
}

static void rig_init_ipi(void *opaque, unsigned cpu)
{
	((struct apic_rig *)opaque)->inits[cpu]++;
}

static void rig_sipi(void *opaque, unsigned cpu, u8 vector)
{
	struct apic_rig *r = opaque;

	r->sipis[cpu]++;
	r->sipi_vector = vector;
}

static int rig_pic_ack(void *opaque)
{
	return pic_ack(&((struct apic_rig *)opaque)->pic);
}

static u64 rig_tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	return tsc / 2; /* a 2 GHz TSC that started with the clock */
}

static void rig_eoi(void *opaque, u8 vector)
{
	struct apic_rig *r = opaque;

	r->eois++;
	r->eoi_vector = vector;
}

static inline void apic_rig_init(struct apic_rig *r, unsigned ncpus)
{
	const struct lapic_wires wires = {
		.intr = rig_intr,
		.nmi = rig_nmi,
		.init = rig_init_ipi,
		.sipi = rig_sipi,
		.pic_ack = rig_pic_ack,
		.tsc_to_ns = rig_tsc_to_ns,
		.opaque = r,
	};

	memset(r, 0, sizeof(*r));
	fake_clock_init(&r->fc, 0);
	apic_bus_init(&r->bus);
	apic_bus_add_eoi(&r->bus, rig_eoi, r);
	for (unsigned i = 0; i < ncpus; i++)
		lapic_init(&r->cpu[i], i, &r->bus, &r->fc.clock, &wires);
	ioapic_init(&r->ioapic, &r->bus);
	pic_init(&r->pic, (struct irq_line){.set = apic_bus_pic_intr, .opaque = &r->bus});
	r->gsi = (struct gsi_wiring){.pic = &r->pic, .ioapic = &r->ioapic};
}

static inline void lw(struct apic_rig *r, unsigned cpu, u32 reg, u32 val)
{
	lapic_ops.write(&r->cpu[cpu], reg, 4, val);
}

static inline u32 lr(struct apic_rig *r, unsigned cpu, u32 reg)
{
	return (u32)lapic_ops.read(&r->cpu[cpu], reg, 4);
}

static inline void rig_enable(struct apic_rig *r, unsigned ncpus)
{
	for (unsigned i = 0; i < ncpus; i++)
		lw(r, i, 0xf0, 0x1ff);
}

static inline int rig_x2apic(struct apic_rig *r, unsigned cpu)
{
	return lapic_msr_write(&r->cpu[cpu], 0x1b, r->cpu[cpu].base_msr | 0xc00);
}

#endif
