/* SPDX-License-Identifier: Apache-2.0 */
/* PCI of the board: its windows, and what is special about virtio on a PC. */
#include "machine/pc_internal.h"

#include "base/bits.h"

static void on_bar_map(void *opaque, struct pci_func *f, unsigned bar, bool map)
{
	struct pc *pc = opaque;
	struct pci_bar *b = &f->bar[bar];
	struct bus *bus = b->kind == PCI_BAR_IO ? &pc->pio : &pc->mmio;
	bool there = true;

	/* Where a guest lays one BAR over another the first one answers. */
	if (map)
		there = !bus_add(bus, b->addr, b->size, b->ops, b->opaque);
	else
		bus_remove(bus, b->addr, b->opaque);
	if (there && bar == VIRTIO_PCI_BAR_REGS && pc->events)
		pc_events_map(pc, f->slot, b->addr, map);
}

void pc_pci_init(struct pc *pc)
{
	u64 mem64 = max_u64(PC_PCI_MEM64_MIN, align_up(GIB(4) + pc->ram_high, GIB(1)));
	const struct pci_host_config cfg = {
		.io = {PC_PCI_IO, PC_PCI_IO_SIZE},
		.mem32 = {PC_PCI_MEM32, PC_PCI_MEM32_END - PC_PCI_MEM32},
		.mem64 = {mem64, PC_PCI_MEM64_SIZE},
		.ecam = {PC_ECAM, PCI_ECAM_SIZE},
		.bar_map = on_bar_map,
		.opaque = pc,
		.msi = pc_msi_sink(pc),
		.cf9 = {&reset_cf9_ops, &pc->cf9},
	};

	pci_host_init(&pc->pci, &cfg);
}

static struct irq_line intx_line(void *opaque, unsigned slot)
{
	return pc_intx_line(opaque, slot);
}

static u8 intx_gsi(void *opaque, unsigned slot)
{
	return (u8)(PC_PCI_GSI + slot % PC_PCI_GSIS);
}

int pc_virtio_init(struct pc *pc, struct err *e)
{
	const struct virtio_set_wires wires = {
		.map = &pc->map,
		.ram = pc->ram,
		.pci = &pc->pci,
		.intx_line = intx_line,
		.intx_gsi = intx_gsi,
		.attach_mmio = pc_extra_attach_mmio,
		.opaque = pc,
	};

	return virtio_set_init(&pc->virtio, &pc->cfg, &wires, e);
}
