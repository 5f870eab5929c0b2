/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt wires: to our own controllers, or to those inside the engine. */
#include "machine/pc_internal.h"

static void engine_gsi_set(void *opaque, unsigned n, bool level)
{
	struct pc *pc = opaque;

	if (pc->vm) /* devices settle their lines (low) before there is an engine's VM */
		pc->cfg.engine->gsi_set(pc->vm, n, level);
}

static void engine_msi_send(void *opaque, u64 addr, u32 data)
{
	struct pc *pc = opaque;

	if (!pc_events_message(pc, addr, data))
		pc->cfg.engine->msi_send(pc->vm, addr, data);
}

void pc_irq_init(struct pc *pc)
{
	if (pc->irqchip)
		return;
	apic_bus_init(&pc->apic_bus);
	ioapic_init(&pc->ioapic, &pc->apic_bus);
	pic_init(&pc->pic, (struct irq_line){.set = apic_bus_pic_intr, .opaque = &pc->apic_bus});
	pc->gsi = (struct gsi_wiring){.pic = &pc->pic, .ioapic = &pc->ioapic};
}

struct irq_line pc_irq_line(struct pc *pc, unsigned n)
{
	if (pc->irqchip)
		return (struct irq_line){.set = engine_gsi_set, .opaque = pc, .n = n};
	return gsi_line(&pc->gsi, n);
}

struct msi_sink pc_msi_sink(struct pc *pc)
{
	if (pc->irqchip)
		return (struct msi_sink){.send = engine_msi_send, .opaque = pc};
	return (struct msi_sink){.send = apic_bus_msi, .opaque = &pc->apic_bus};
}

/* Slots that share an I/O APIC input: it is high while any of them is. */
static void intx_set(void *opaque, unsigned slot, bool level)
{
	struct pc *pc = opaque;
	struct irq_line line = pc_irq_line(pc, PC_PCI_GSI + slot % PC_PCI_GSIS);
	u32 sharing = 0x01010101u << slot % PC_PCI_GSIS;

	pc->pci_intx = (pc->pci_intx & ~(1u << slot)) | (u32)level << slot;
	irq_set(&line, pc->pci_intx & sharing);
}
static_assert(PC_PCI_GSIS == 8 && PCI_SLOTS == 32, "the sharing mask repeats every 8 slots");

struct irq_line pc_intx_line(struct pc *pc, unsigned slot)
{
	return (struct irq_line){.set = intx_set, .opaque = pc, .n = slot};
}
