/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One PCI function: configuration space with per-bit write masks, BARs that
 * follow the command register, capability list, INTx. Contract in pci.h.
 */
#include "dev/pci/pci.h"

#include "base/bits.h"
#include "base/endian.h"
#include "dev/pci/internal.h"

void pci_func_init(struct pci_func *f, const char *name, const struct pci_ids *ids,
		   const struct pci_func_ops *ops, void *opaque)
{
	*f = (struct pci_func){.name = name, .ops = ops, .opaque = opaque};
	store_le16(&f->config[PCI_CFG_VENDOR], ids->vendor);
	store_le16(&f->config[PCI_CFG_DEVICE], ids->device);
	store_le16(&f->config[PCI_CFG_SUBVENDOR], ids->subvendor);
	store_le16(&f->config[PCI_CFG_SUBDEVICE], ids->subdevice);
	f->config[PCI_CFG_REVISION] = ids->revision;
	store_le(&f->config[PCI_CFG_CLASS], 3, ids->class_code);
	store_le16(&f->writable[PCI_CFG_COMMAND],
		   PCI_CMD_MASTER | PCI_CMD_PARITY | PCI_CMD_SERR | PCI_CMD_INTX_OFF);
	f->writable[PCI_CFG_CACHE_LINE] = 0xff;
	f->writable[PCI_CFG_LATENCY] = 0xff;
	f->writable[PCI_CFG_INT_LINE] = 0xff;
	f->cap_end = PCI_CFG_FIRST_FREE;
}

static unsigned bar_reg(unsigned bar)
{
	return PCI_CFG_BAR0 + 4 * bar;
}

int pci_bar_add(struct pci_func *f, unsigned bar, enum pci_bar_kind kind, u64 size,
		const struct device_ops *ops, void *opaque)
{
	bool io = kind == PCI_BAR_IO;
	u8 *cfg, *wr;

	if (bar >= PCI_BARS || kind == PCI_BAR_NONE || f->bar[bar].kind != PCI_BAR_NONE ||
	    (kind == PCI_BAR_MEM64 && bar + 1 >= PCI_BARS))
		return -E_INVAL;
	if (!is_pow2(size) || size < (io ? 4 : 16) || (io && size > 256) ||
	    (kind != PCI_BAR_MEM64 && size > GIB(1)))
		return -E_INVAL;
	cfg = &f->config[bar_reg(bar)];
	wr = &f->writable[bar_reg(bar)];
	f->bar[bar] = (struct pci_bar){.kind = kind, .size = size, .ops = ops, .opaque = opaque};
	store_le32(wr, (u32) ~(size - 1));
	store_le32(cfg, io ? PCI_BAR_F_IO : 0);
	if (kind == PCI_BAR_MEM64) {
		store_le32(cfg, PCI_BAR_F_64 | PCI_BAR_F_PREFETCH);
		store_le32(wr + 4, (u32)(~(size - 1) >> 32));
	}
	f->writable[PCI_CFG_COMMAND] |= io ? PCI_CMD_IO : PCI_CMD_MEM;
	return 0;
}

int pci_cap_add(struct pci_func *f, u8 id, unsigned len)
{
	unsigned off = (unsigned)align_up(f->cap_end, 4);

	if (len < 2 || !range_inside(off, len, PCI_CFG_SIZE))
		return -E_NOSPC;
	f->config[off] = id;
	f->config[f->cap_last ? f->cap_last + 1 : PCI_CFG_CAPS] = (u8)off;
	f->config[PCI_CFG_STATUS] |= PCI_STS_CAPS;
	f->cap_last = off;
	f->cap_end = off + len;
	return (int)off;
}

static u16 command(const struct pci_func *f)
{
	return load_le16(&f->config[PCI_CFG_COMMAND]);
}

/* Where the guest put the BAR, and whether it decodes inside a window there. */
static bool bar_decodes(const struct pci_func *f, unsigned n, u64 *addr)
{
	const struct pci_bar *b = &f->bar[n];
	const struct pci_host_config *c = &f->host->cfg;
	const u8 *reg = &f->config[bar_reg(n)];
	u64 a = load_le32(reg) & ~(b->size - 1) & 0xffffffff;

	if (b->kind == PCI_BAR_MEM64)
		a |= (u64)load_le32(reg + 4) << 32;
	*addr = a;
	if (b->kind == PCI_BAR_IO)
		return command(f) & PCI_CMD_IO && pci_range_holds(&c->io, a, b->size);
	return command(f) & PCI_CMD_MEM &&
	       (pci_range_holds(&c->mem32, a, b->size) || pci_range_holds(&c->mem64, a, b->size));
}

static void bar_unmap(struct pci_func *f, unsigned n)
{
	const struct pci_host_config *c = &f->host->cfg;

	if (!f->bar[n].mapped)
		return;
	if (c->bar_map)
		c->bar_map(c->opaque, f, n, false);
	f->bar[n].mapped = false;
}

static void bar_update(struct pci_func *f, unsigned n)
{
	const struct pci_host_config *c = &f->host->cfg;
	struct pci_bar *b = &f->bar[n];
	bool on;
	u64 addr;

	if (b->kind == PCI_BAR_NONE)
		return;
	on = bar_decodes(f, n, &addr);
	if (on == b->mapped && (!on || addr == b->addr))
		return;
	bar_unmap(f, n);
	if (!on)
		return;
	b->addr = addr;
	b->mapped = true;
	if (c->bar_map)
		c->bar_map(c->opaque, f, n, true);
}

static void bars_update(struct pci_func *f)
{
	for (unsigned i = 0; f->host && i < PCI_BARS; i++)
		bar_update(f, i);
}

static void intx_update(struct pci_func *f)
{
	f->config[PCI_CFG_STATUS] &= (u8)~PCI_STS_INTX;
	if (f->intx_level)
		f->config[PCI_CFG_STATUS] |= PCI_STS_INTX;
	irq_set(&f->intx, f->intx_level && !(command(f) & PCI_CMD_INTX_OFF));
}

void pci_intx_set(struct pci_func *f, bool level)
{
	if (f->intx_level == level)
		return;
	f->intx_level = level;
	intx_update(f);
}

u32 pci_config_read(struct pci_func *f, unsigned off, unsigned size)
{
	if (!range_inside(off, size, PCI_CFG_SIZE))
		return 0;
	if (f->ops && f->ops->config_reading)
		f->ops->config_reading(f->opaque, off, size);
	return (u32)load_le(&f->config[off], size);
}

static bool touches(unsigned off, unsigned len, unsigned start, unsigned end)
{
	return off < end && off + len > start;
}

void pci_config_write(struct pci_func *f, unsigned off, unsigned size, u32 val)
{
	if (!range_inside(off, size, PCI_CFG_SIZE))
		return;
	for (unsigned i = 0; i < size; i++, val >>= 8) {
		u8 w = f->writable[off + i];

		f->config[off + i] = (u8)((f->config[off + i] & ~w) | (val & w));
	}
	if (touches(off, size, PCI_CFG_COMMAND, PCI_CFG_COMMAND + 2)) {
		bars_update(f);
		intx_update(f);
	} else if (touches(off, size, PCI_CFG_BAR0, PCI_CFG_BAR0 + 4 * PCI_BARS)) {
		bars_update(f);
	}
	if (f->msix.n && touches(off, size, f->msix.cap + PCI_MSIX_CTRL, f->msix.cap + 4))
		pci_msix_deliver(f);
	if (f->ops && f->ops->config_written)
		f->ops->config_written(f->opaque, off, size);
}

void pci_func_reset(struct pci_func *f)
{
	if (f->ops && f->ops->reset)
		f->ops->reset(f->opaque);
	__builtin_memcpy(f->config, f->power_on, PCI_CFG_SIZE);
	pci_msix_reset(f);
	pci_intx_set(f, false);
	bars_update(f);
}

int pci_attach(struct pci_host *h, unsigned slot, struct pci_func *f, const struct irq_line *intx,
	       u8 gsi)
{
	if (slot >= PCI_SLOTS || f->host)
		return -E_INVAL;
	if (h->func[slot])
		return -E_BUSY;
	f->host = h;
	f->slot = slot;
	if (intx) {
		f->intx = *intx;
		f->config[PCI_CFG_INT_PIN] = 1; /* INTA */
		f->config[PCI_CFG_INT_LINE] = gsi;
	}
	__builtin_memcpy(f->power_on, f->config, PCI_CFG_SIZE);
	pci_msix_reset(f);
	h->func[slot] = f;
	return 0;
}
