/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host bridge: routes ECAM and port 0xcf8/0xcfc accesses to functions, and
 * assigns BARs for guests that boot without firmware. Contract in pci.h.
 */
#include "dev/pci/pci.h"

#include "base/bits.h"
#include "base/endian.h"
#include "dev/pci/internal.h"

/* Intel 3 Series Express Chipset (Q35 MCH) datasheet, section 5.1. */
#define MCH_PCIEXBAR 0x60
#define MCH_PCIEXBAR_ENABLE 1
#define MCH_PCIEXBAR_64MB (2 << 1)
#define MCH_PAM0 0x90
#define MCH_PAM_COUNT 7
#define MCH_PAM_SEGMENT 0x33 /* read and write enables of both halves */
#define MCH_SMRAM 0x9d

static const struct pci_ids mch_ids = {
	.vendor = 0x8086,
	.device = 0x29c0,
	.subvendor = 0x1af4,
	.subdevice = 0x1100,
	.class_code = 0x060000, /* host bridge */
	.revision = 2,
};

void pci_host_init(struct pci_host *h, const struct pci_host_config *cfg)
{
	struct pci_func *b = &h->bridge;

	*h = (struct pci_host){.cfg = *cfg};
	pci_func_init(b, "pci-host", &mch_ids, NULL, h);
	if (cfg->ecam.size)
		store_le64(&b->config[MCH_PCIEXBAR],
			   cfg->ecam.base | MCH_PCIEXBAR_64MB | MCH_PCIEXBAR_ENABLE);
	for (unsigned i = 0; i < MCH_PAM_COUNT; i++)
		b->config[MCH_PAM0 + i] = b->writable[MCH_PAM0 + i] = MCH_PAM_SEGMENT;
	b->writable[MCH_SMRAM] = 0xff;
	pci_attach(h, 0, b, NULL, 0);
}

static struct pci_func *func_at(struct pci_host *h, unsigned bus, unsigned devfn)
{
	return bus || devfn & 7 ? NULL : h->func[(devfn >> 3) % PCI_SLOTS];
}

static void port_reset(void *opaque)
{
	struct pci_host *h = opaque;

	h->port_addr = 0;
}

static void host_reset(void *opaque)
{
	struct pci_host *h = opaque;

	for (unsigned i = 0; i < PCI_SLOTS; i++)
		if (h->func[i])
			pci_func_reset(h->func[i]);
}

/* PCI Express 2.0 table 7-1: bus, device and function, register. */
static u64 ecam_read(void *opaque, u64 off, unsigned size)
{
	struct pci_func *f = func_at(opaque, (unsigned)(off >> 20), (off >> 12) & 0xff);
	unsigned reg = off & 0xfff;
	u64 lo;

	if (!f)
		return mask_bytes(size);
	if (size < 8)
		return pci_config_read(f, reg, size);
	lo = pci_config_read(f, reg, 4);
	return lo | (u64)pci_config_read(f, reg + 4, 4) << 32;
}

static void ecam_write(void *opaque, u64 off, unsigned size, u64 val)
{
	struct pci_func *f = func_at(opaque, (unsigned)(off >> 20), (off >> 12) & 0xff);
	unsigned reg = off & 0xfff;

	if (!f)
		return;
	pci_config_write(f, reg, size < 8 ? size : 4, (u32)val);
	if (size == 8)
		pci_config_write(f, reg + 4, 4, (u32)(val >> 32));
}

const struct device_ops pci_ecam_ops = {
	.name = "pci-ecam",
	.reset = host_reset,
	.read = ecam_read,
	.write = ecam_write,
};

#define PORT_DATA (PCI_PORT_DATA - PCI_PORT_ADDR)
#define PORT_CF9 1

/* PCI 3.0 section 3.2.2.3.2. */
static struct pci_func *port_target(struct pci_host *h, u64 off, unsigned size, unsigned *reg)
{
	u32 a = h->port_addr;

	if (off < PORT_DATA || !range_inside(off - PORT_DATA, size, 4) || !(a & PCI_ADDR_ENABLE))
		return NULL;
	*reg = (a & 0xfc) + (unsigned)(off - PORT_DATA);
	return func_at(h, (a >> 16) & 0xff, (a >> 8) & 0xff);
}

static u64 port_read(void *opaque, u64 off, unsigned size)
{
	struct pci_host *h = opaque;
	struct pci_func *f;
	unsigned reg;

	if (off == 0 && size == 4)
		return h->port_addr;
	if (off == PORT_CF9 && size == 1 && h->cfg.cf9.ops)
		return h->cfg.cf9.ops->read(h->cfg.cf9.opaque, 0, 1);
	f = port_target(h, off, size, &reg);
	return f ? pci_config_read(f, reg, size) : mask_bytes(size);
}

static void port_write(void *opaque, u64 off, unsigned size, u64 val)
{
	struct pci_host *h = opaque;
	struct pci_func *f;
	unsigned reg;

	if (off == 0 && size == 4) {
		h->port_addr = (u32)val & ~3u;
		return;
	}
	if (off == PORT_CF9 && size == 1 && h->cfg.cf9.ops) {
		h->cfg.cf9.ops->write(h->cfg.cf9.opaque, 0, 1, val);
		return;
	}
	f = port_target(h, off, size, &reg);
	if (f)
		pci_config_write(f, reg, size, (u32)val);
}

const struct device_ops pci_port_ops = {
	.name = "pci-port",
	.reset = port_reset,
	.read = port_read,
	.write = port_write,
};

/* Next aligned place in r at or after *next. */
static int range_take(const struct pci_range *r, u64 *next, u64 size, u64 *addr)
{
	u64 a = align_up(*next, size);

	if (a < *next || !pci_range_holds(r, a, size))
		return -E_NOSPC;
	*addr = a;
	*next = a + size;
	return 0;
}

static int func_assign(struct pci_host *h, struct pci_func *f, u64 *io, u64 *mem32, u64 *mem64)
{
	u16 cmd = load_le16(&f->config[PCI_CFG_COMMAND]);

	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &f->bar[i];
		unsigned reg = PCI_CFG_BAR0 + 4 * i;
		bool wide = b->kind == PCI_BAR_MEM64;
		u64 addr;
		int err;

		if (b->kind == PCI_BAR_NONE)
			continue;
		if (b->kind == PCI_BAR_IO)
			err = range_take(&h->cfg.io, io, b->size, &addr);
		else if (wide && h->cfg.mem64.size)
			err = range_take(&h->cfg.mem64, mem64, b->size, &addr);
		else
			err = range_take(&h->cfg.mem32, mem32, b->size, &addr);
		if (err)
			return err;
		pci_config_write(f, reg, 4, (u32)addr);
		if (wide)
			pci_config_write(f, reg + 4, 4, (u32)(addr >> 32));
		cmd |= b->kind == PCI_BAR_IO ? PCI_CMD_IO : PCI_CMD_MEM;
	}
	pci_config_write(f, PCI_CFG_COMMAND, 2, cmd);
	return 0;
}

int pci_assign_bars(struct pci_host *h)
{
	u64 io = h->cfg.io.base, mem32 = h->cfg.mem32.base, mem64 = h->cfg.mem64.base;

	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		int err = h->func[i] ? func_assign(h, h->func[i], &io, &mem32, &mem64) : 0;

		if (err)
			return err;
	}
	return 0;
}
