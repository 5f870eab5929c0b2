/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI host bridge of a pseries and what is on it. Configuration space is
 * reached by RTAS only; INTA of each slot is a source of its own, and so is each
 * message: RTAS (ibm,change-msi) fills the MSI-X table in, data being the source.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"

static u64 window_base(const struct pci_bar *b)
{
	if (b->kind == PCI_BAR_IO)
		return PSERIES_PCI_IO;
	return b->addr < PSERIES_PCI_MEM64 ? PSERIES_PCI_MEM - PSERIES_PCI_MEM32 : 0;
}

static void on_bar_map(void *opaque, struct pci_func *f, unsigned bar, bool map)
{
	struct pseries *ps = opaque;
	const struct pci_bar *b = &f->bar[bar];
	u64 at = window_base(b) + b->addr;

	/* Where a guest lays one BAR over another the first one answers. */
	if (map)
		bus_add(&ps->mmio, at, b->size, b->ops, b->opaque);
	else
		bus_remove(&ps->mmio, at, b->opaque);
}

static void msi_received(void *opaque, u64 addr, u32 data)
{
	struct pseries *ps = opaque;

	if (addr == PSERIES_MSI_ADDR && data >= PSERIES_IRQ_MSI)
		xics_message(&ps->xics, data);
}

static struct irq_line intx_line(void *opaque, unsigned slot)
{
	struct pseries *ps = opaque;

	return xics_line(&ps->xics, PSERIES_IRQ_INTX + slot);
}

static u8 intx_gsi(void *opaque, unsigned slot)
{
	return 0xff; /* "unknown", PCI 3.0 section 6.2.4: the tree says it */
}

int pseries_pci_init(struct pseries *ps, struct err *e)
{
	const struct pci_host_config host = {
		.io = {0x1000, PSERIES_PCI_IO_SIZE - 0x1000},
		.mem32 = {PSERIES_PCI_MEM32, PSERIES_PCI_MEM32_SIZE},
		.mem64 = {PSERIES_PCI_MEM64, PSERIES_PCI_MEM64_SIZE},
		.bar_map = on_bar_map,
		.opaque = ps,
		.msi = {.send = msi_received, .opaque = ps},
	};
	const struct virtio_set_wires wires = {
		.map = &ps->map,
		.ram = ps->ram,
		.pci = &ps->pci,
		.intx_line = intx_line,
		.intx_gsi = intx_gsi,
		.opaque = ps,
	};

	pci_host_init(&ps->pci, &host);
	return virtio_set_init(&ps->virtio, &ps->cfg, &wires, e);
}

/* addr: register 11:8 in bits 31:28, bus 23:16, device 15:11, function 10:8, register 7:0. */
struct pci_func *pseries_pci_func(struct pseries *ps, u32 addr, u32 buid_hi, u32 buid_lo,
				  unsigned *reg)
{
	unsigned slot = addr >> 11 & 31;

	*reg = (addr & 0xff) | (addr >> 28) << 8;
	if (((u64)buid_hi << 32 | buid_lo) != PSERIES_BUID || addr >> 16 & 0xff || addr >> 8 & 7 ||
	    !slot)
		return NULL;
	return ps->pci.func[slot];
}

u32 pseries_msi_irq(const struct pci_func *f, unsigned n)
{
	return PSERIES_IRQ_MSI + f->slot * PSERIES_MSIS + n;
}

unsigned pseries_msi_set(struct pseries *ps, struct pci_func *f, unsigned n)
{
	n = (unsigned)min_u64(n, min_u64(f->msix.n, PSERIES_MSIS));
	/* The table is firmware's here. */
	for (unsigned i = 0; i < n; i++) {
		u8 *entry = &f->msix.table[i * PCI_MSIX_ENTRY_SIZE];

		store_le64(entry, PSERIES_MSI_ADDR);
		store_le32(entry + 8, pseries_msi_irq(f, i));
	}
	return n;
}
