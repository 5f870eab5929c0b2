/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any access to PCI configuration space (ECAM and ports), to the BARs of a
 * virtio device and to the MMIO transport, in any order and of any size.
 */
#include "base/endian.h"
#include "dev/virtio/mmio.h"
#include "dev/virtio/pci.h"
#include "dev/virtio/rng.h"

#include <stdlib.h>
#include <string.h>

#define RAM 0x10000u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void bar_map(void *opaque, struct pci_func *f, unsigned bar, bool map)
{
	const struct pci_bar *b = &f->bar[bar];

	/* What the board relies on. */
	if (map && (b->addr % b->size || b->addr < 0xc0000000 || b->addr + b->size > 0xd0000000))
		abort();
}

static void ignore_msi(void *opaque, u64 addr, u32 val)
{
}

static void ignore_line(void *opaque, unsigned n, bool level)
{
}

static void fill(void *opaque, void *buf, size_t len)
{
	memset(buf, 1, len);
}

struct world {
	_Alignas(4096) u8 ram[RAM];
	_Atomic u8 flags[RAM / GPA_PAGE_SIZE];
	struct gpa_map map;
	struct pci_host host;
	struct virtio_pci pci;
	struct virtio_mmio mmio;
	struct virtio_rng rng[2];
};

static void setup(struct world *w)
{
	const struct io_entropy source = {fill, NULL};
	const struct irq_line line = {ignore_line, NULL, 0};
	const struct pci_host_config cfg = {
		.mem32 = {0xc0000000, 0x10000000},
		.ecam = {0xb0000000, PCI_ECAM_SIZE},
		.bar_map = bar_map,
		.msi = {ignore_msi, NULL},
	};

	w->map.nslots = 0;
	gpa_slot_add(
		&w->map,
		&(struct gpa_slot){.size = RAM, .host = w->ram, .page_flags = w->flags, .fd = -1});
	pci_host_init(&w->host, &cfg);
	virtio_rng_init(&w->rng[0], &w->map, &source);
	virtio_rng_init(&w->rng[1], &w->map, &source);
	virtio_pci_init(&w->pci, &w->rng[0].dev, 0xff0000);
	pci_attach(&w->host, 1, &w->pci.func, &line, 10);
	pci_assign_bars(&w->host);
	virtio_mmio_init(&w->mmio, &w->rng[1].dev, &line);
}

/* One access: 8 bytes of input. */
static void access_one(struct world *w, const u8 *p)
{
	const unsigned size = 1u << (p[0] >> 4 & 3);
	u32 off = load_le16(p + 1);
	u64 val = load_le32(p + 3) | (u64)p[7] << 32;
	const struct pci_bar *bar = &w->pci.func.bar[p[0] & 1 ? 1 : 4];
	const struct device_ops *ops;
	void *dev;

	switch (p[0] & 7) {
	case 0:
	case 1:
	case 2:
		ops = bar->ops;
		dev = bar->opaque;
		off %= (u32)bar->size;
		break;
	case 3:
	case 4:
		ops = &pci_ecam_ops;
		dev = &w->host;
		off = (off & 0xff) | (off & 0x8000 ? 0 : 1 << 15);
		break;
	case 5:
		ops = &pci_port_ops;
		dev = &w->host;
		off &= 7;
		break;
	default:
		ops = &virtio_mmio_ops;
		dev = &w->mmio;
		off %= VIRTIO_MMIO_SIZE;
	}
	off &= ~(size - 1);
	if (p[0] & 0x80)
		ops->read(dev, off, size);
	else
		ops->write(dev, off, size, val);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct world w;

	setup(&w);
	for (; size >= 8; data += 8, size -= 8)
		access_one(&w, data);
	pci_ecam_ops.reset(&w.host);
	return 0;
}
