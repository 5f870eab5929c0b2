/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * MSI-X of a PCI function (PCI 3.0 section 6.8.2): vector table and pending
 * bits in a memory BAR, function mask and vector masks. Contract in pci.h.
 */
#include "dev/pci/pci.h"

#include "base/bits.h"
#include "base/endian.h"
#include "dev/pci/internal.h"

static_assert(PCI_MSIX_MAX * PCI_MSIX_ENTRY_SIZE <= PCI_MSIX_PBA_OFF, "the table fits");
static_assert(PCI_MSIX_MAX <= 64, "pending bits are one u64");

static u16 msix_ctrl(const struct pci_func *f)
{
	return load_le16(&f->config[f->msix.cap + PCI_MSIX_CTRL]);
}

bool pci_msix_enabled(const struct pci_func *f)
{
	return f->msix.n && msix_ctrl(f) & PCI_MSIX_CTRL_ENABLE;
}

static u8 *entry(struct pci_func *f, unsigned v)
{
	return &f->msix.table[v * PCI_MSIX_ENTRY_SIZE];
}

/* Without bus mastering a function may not write messages (PCI 3.0 table 6-1). */
static bool vector_open(struct pci_func *f, unsigned v)
{
	return pci_bus_master(f) && !(msix_ctrl(f) & PCI_MSIX_CTRL_MASK) &&
	       !(load_le32(entry(f, v) + PCI_MSIX_ENTRY_CTRL) & PCI_MSIX_ENTRY_MASKED);
}

static void vector_send(struct pci_func *f, unsigned v)
{
	const u8 *e = entry(f, v);

	msi_send(&f->host->cfg.msi, load_le64(e), load_le32(e + 8));
}

void pci_msix_notify(struct pci_func *f, unsigned v)
{
	if (!f->host || v >= f->msix.n || !pci_msix_enabled(f))
		return;
	if (vector_open(f, v))
		vector_send(f, v);
	else
		f->msix.pending |= BIT(v);
}

void pci_msix_deliver(struct pci_func *f)
{
	if (!f->host || !pci_msix_enabled(f))
		return;
	for (unsigned v = 0; f->msix.pending && v < f->msix.n; v++) {
		if (!(f->msix.pending & BIT(v)) || !vector_open(f, v))
			continue;
		f->msix.pending &= ~BIT(v);
		vector_send(f, v);
	}
}

void pci_msix_reset(struct pci_func *f)
{
	f->msix.pending = 0;
	__builtin_memset(f->msix.table, 0, sizeof(f->msix.table));
	for (unsigned v = 0; v < f->msix.n; v++)
		entry(f, v)[PCI_MSIX_ENTRY_CTRL] = PCI_MSIX_ENTRY_MASKED;
}

static u64 msix_read(void *opaque, u64 off, unsigned size)
{
	struct pci_func *f = opaque;
	u8 pba[8];

	if (range_inside(off, size, f->msix.n * PCI_MSIX_ENTRY_SIZE))
		return load_le(&f->msix.table[off], size);
	store_le64(pba, f->msix.pending);
	if (off >= PCI_MSIX_PBA_OFF && range_inside(off - PCI_MSIX_PBA_OFF, size, sizeof(pba)))
		return load_le(&pba[off - PCI_MSIX_PBA_OFF], size);
	return 0;
}

static void msix_write(void *opaque, u64 off, unsigned size, u64 val)
{
	struct pci_func *f = opaque;

	/* Only aligned dword and qword accesses are defined (section 6.8.2). */
	if (size < 4 || off % size || !range_inside(off, size, f->msix.n * PCI_MSIX_ENTRY_SIZE))
		return;
	store_le(&f->msix.table[off], size, val);
	pci_msix_deliver(f);
}

static const struct device_ops msix_ops = {
	.name = "msix",
	.read = msix_read,
	.write = msix_write,
};

int pci_msix_add(struct pci_func *f, unsigned bar, unsigned n)
{
	int cap, err;

	if (!n || n > PCI_MSIX_MAX || f->msix.n)
		return -E_INVAL;
	err = pci_bar_add(f, bar, PCI_BAR_MEM32, PCI_MSIX_BAR_SIZE, &msix_ops, f);
	if (err)
		return err;
	cap = pci_cap_add(f, PCI_CAP_MSIX, PCI_MSIX_CAP_SIZE);
	if (cap < 0)
		return cap;
	f->msix.n = n;
	f->msix.cap = (unsigned)cap;
	store_le16(&f->config[cap + PCI_MSIX_CTRL], (u16)(n - 1));
	store_le32(&f->config[cap + PCI_MSIX_TABLE], bar);
	store_le32(&f->config[cap + PCI_MSIX_PBA], PCI_MSIX_PBA_OFF | bar);
	store_le16(&f->writable[cap + PCI_MSIX_CTRL], PCI_MSIX_CTRL_ENABLE | PCI_MSIX_CTRL_MASK);
	return 0;
}
