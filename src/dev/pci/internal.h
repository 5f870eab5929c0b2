/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files of dev/pci; nobody else includes it. */
#ifndef HULL_DEV_PCI_INTERNAL_H
#define HULL_DEV_PCI_INTERNAL_H

#include "base/bits.h"
#include "dev/pci/pci.h"

/* Sends what is pending and no longer masked. */
void pci_msix_deliver(struct pci_func *f);
void pci_msix_reset(struct pci_func *f);

static inline bool pci_range_holds(const struct pci_range *r, u64 addr, u64 size)
{
	return addr >= r->base && range_inside(addr - r->base, size, r->size);
}

#endif
