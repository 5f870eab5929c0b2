/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/irq/apic_bus.h"

#include "base/bits.h"
#include "dev/irq/lapic.h"

/* MSI address and data, SDM 11.11.1 and 11.11.2. */
#define MSI_ADDR_BASE 0xfee00000u
#define MSI_ADDR_MASK 0xfff00000u
enum {
	MSI_ADDR_LOGICAL = 1 << 2,
	MSI_ADDR_HINT = 1 << 3,
	MSI_ADDR_DEST_SHIFT = 12,
	MSI_DATA_MODE_SHIFT = 8,
	MSI_DATA_LEVEL = 1 << 15,
};

void apic_bus_init(struct apic_bus *b)
{
	*b = (struct apic_bus){0};
}

int apic_bus_add_eoi(struct apic_bus *b, void (*eoi)(void *opaque, u8 vector), void *opaque)
{
	if (b->nsinks == APIC_BUS_EOI_SINKS)
		return -E_NOSPC;
	b->eoi_sink[b->nsinks].eoi = eoi;
	b->eoi_sink[b->nsinks++].opaque = opaque;
	return 0;
}

/* Lowest priority: one of the matching APICs, the least busy, turns taken among equals. */
static bool apic_bus_send_lowest(struct apic_bus *b, const struct apic_msg *msg)
{
	struct lapic *best = NULL;
	u32 best_ppr = ~0u;

	for (unsigned i = 0; i < b->ncpus; i++) {
		struct lapic *l = b->cpu[(b->next_lowest + i) % b->ncpus];

		if (l && lapic_matches(l, msg) && lapic_enabled(l) && lapic_ppr(l) < best_ppr) {
			best_ppr = lapic_ppr(l);
			best = l;
		}
	}
	if (!best)
		return false;
	b->next_lowest = (best->index + 1) % b->ncpus;
	return lapic_accept(best, APIC_MODE_FIXED, msg->vector, msg->level);
}

bool apic_bus_send(struct apic_bus *b, const struct apic_msg *msg)
{
	bool accepted = false;

	if (msg->mode == APIC_MODE_LOWEST)
		return apic_bus_send_lowest(b, msg);
	for (unsigned i = 0; i < b->ncpus; i++)
		if (b->cpu[i] && lapic_matches(b->cpu[i], msg))
			accepted |= lapic_accept(b->cpu[i], msg->mode, msg->vector, msg->level);
	return accepted;
}

void apic_bus_msi(void *bus, u64 addr, u32 data)
{
	struct apic_msg msg = {
		.dest = bits_get(addr, MSI_ADDR_DEST_SHIFT, 8),
		.logical = addr & MSI_ADDR_LOGICAL,
		.level = data & MSI_DATA_LEVEL,
		.mode = bits_get(data, MSI_DATA_MODE_SHIFT, 3),
		.vector = (u8)data,
	};

	if (addr >> 32 || (addr & MSI_ADDR_MASK) != MSI_ADDR_BASE)
		return;
	if (addr & MSI_ADDR_HINT && msg.mode == APIC_MODE_FIXED)
		msg.mode = APIC_MODE_LOWEST;
	apic_bus_send(bus, &msg);
}

void apic_bus_eoi(struct apic_bus *b, u8 vector)
{
	for (unsigned i = 0; i < b->nsinks; i++)
		b->eoi_sink[i].eoi(b->eoi_sink[i].opaque, vector);
}

void apic_bus_pic_intr(void *bus, unsigned n, bool level)
{
	struct apic_bus *b = bus;

	for (unsigned i = 0; i < b->ncpus; i++)
		if (b->cpu[i])
			lapic_lint(b->cpu[i], 0, level);
}
