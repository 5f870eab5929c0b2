/* SPDX-License-Identifier: Apache-2.0 */
/* PCI and the virtio devices on it, one a slot in this order: console, disks, nets, the rest. */
#include "machine/pc_internal.h"

#include "base/bits.h"
#include "base/endian.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* PCI class codes, PCI Code and ID Assignment Specification 1.11 section 1. */
enum {
	CLASS_STORAGE = 0x018000,
	CLASS_ETHERNET = 0x020000,
	CLASS_COMMUNICATION = 0x078000,
	CLASS_OTHER = 0xff0000,
};

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

/* Room for a device in the next slot, or NULL. */
static struct pc_virtio *virtio_new(struct pc *pc, struct err *e)
{
	struct pc_virtio *v;

	if (pc->nvirtio + 1 == PCI_SLOTS) {
		err_set(e, E_NOSPC, "board: more devices than the %u PCI slots", PCI_SLOTS - 1);
		return NULL;
	}
	v = calloc(1, sizeof(*v));
	if (!v) {
		err_set(e, E_NOMEM, "board: no memory for a device");
		return NULL;
	}
	pc->virtio[++pc->nvirtio] = v;
	return v;
}

/* A driver's fault: the guest may do it as often as it likes, so the log is limited. */
static void on_broken(struct virtio_dev *d)
{
	log_guest(LOG_WARN, "%s: the guest's driver broke it (%s); it waits for a reset",
		  d->ops->name, d->broken);
}

/* Puts the device that virtio_new gave last into its slot. */
static int virtio_attach(struct pc *pc, struct virtio_dev *dev, u32 class_code, struct err *e)
{
	unsigned slot = pc->nvirtio;
	struct irq_line intx = pc_intx_line(pc, slot);
	struct virtio_pci *p = &pc->virtio[slot]->pci;
	int err = virtio_pci_init(p, dev, class_code);

	dev->on_broken = on_broken;
	if (!err)
		err = pci_attach(&pc->pci, slot, &p->func, &intx,
				 (u8)(PC_PCI_GSI + slot % PC_PCI_GSIS));
	if (err)
		return err_set(e, -err, "board: cannot attach %s in PCI slot %u", dev->ops->name,
			       slot);
	return 0;
}

/* The same on a virtio-mmio transport; its PCI slot stays empty. */
static int virtio_attach_mmio(struct pc *pc, struct virtio_dev *dev, struct err *e)
{
	struct virtio_mmio *m = &pc->virtio[pc->nvirtio]->mmio;
	struct irq_line line;
	u64 base = PC_VIRTIO_MMIO + pc->nmmio * GPA_PAGE_SIZE;

	if (pc->nmmio == PC_MAX_MMIO)
		return err_set(e, E_NOSPC, "board: more than %u devices on virtio-mmio",
			       PC_MAX_MMIO);
	line = pc_irq_line(pc, PC_MMIO_IRQ + pc->nmmio++);
	virtio_mmio_init(m, dev, &line);
	dev->on_broken = on_broken;
	return bus_add(&pc->mmio, base, VIRTIO_MMIO_SIZE, &virtio_mmio_ops, m)
		       ? err_set(e, E_BUSY, "board: virtio-mmio window is taken")
		       : 0;
}

static int console_init(struct pc *pc, struct err *e)
{
	struct virtio_console_port_config port[1 + PC_MAX_PORTS] = {
		{.chr = pc->cfg.console, .is_console = true}};
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	for (unsigned i = 0; i < pc->cfg.nports && i < PC_MAX_PORTS; i++)
		port[1 + i] = (struct virtio_console_port_config){.chr = pc->cfg.port[i].chr,
								  .name = pc->cfg.port[i].name};
	virtio_console_init(&v->console, &pc->map, port, 1 + pc->cfg.nports);
	return virtio_attach(pc, &v->console.dev, CLASS_COMMUNICATION, e);
}

static int disk_init(struct pc *pc, struct io_block *back, bool mmio, struct err *e)
{
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	virtio_blk_init(&v->blk, &pc->map, back, pc->cfg.ncpus);
	return mmio ? virtio_attach_mmio(pc, &v->blk.dev, e)
		    : virtio_attach(pc, &v->blk.dev, CLASS_STORAGE, e);
}

static int net_init(struct pc *pc, struct io_net *back, struct err *e)
{
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	virtio_net_init(&v->net, &pc->map, back);
	return virtio_attach(pc, &v->net.dev, CLASS_ETHERNET, e);
}

static int vsock_init(struct pc *pc, struct err *e)
{
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	virtio_vsock_init(&v->vsock, &pc->map, pc->cfg.vsock, PC_VSOCK_CID);
	return virtio_attach(pc, &v->vsock.dev, CLASS_OTHER, e);
}

static int share_init(struct pc *pc, struct io_fs *back, struct err *e)
{
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	virtio_fs_init(&v->fs, &pc->map, back);
	return virtio_attach(pc, &v->fs.dev, CLASS_STORAGE, e);
}

static void random_fill(void *opaque, void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = getrandom(p, min_u64(len, 256), 0); /* up to 256 never fails */

		if (n <= 0)
			continue;
		p += n;
		len -= (size_t)n;
	}
}

static int rng_init(struct pc *pc, struct err *e)
{
	static const struct io_entropy source = {.fill = random_fill};
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	virtio_rng_init(&v->rng, &pc->map, &source);
	return virtio_attach(pc, &v->rng.dev, CLASS_OTHER, e);
}

/* Free pages of the guest go back to the host. */
static void ram_release(void *opaque, u64 gpa, u64 len)
{
	struct pc *pc = opaque;
	const u8 *host = gpa_ptr(&pc->map, gpa, len, true);

	if (host)
		mem_discard(pc->ram, (u64)(host - mem_host(pc->ram)), len);
}

static int balloon_init(struct pc *pc, struct err *e)
{
	struct pc_virtio *v = virtio_new(pc, e);

	if (!v)
		return -E_NOMEM;
	pc->reclaim = (struct io_reclaim){.release = ram_release, .opaque = pc};
	virtio_balloon_init(&v->balloon, &pc->map, &pc->reclaim);
	pc->balloon = &v->balloon;
	return virtio_attach(pc, &v->balloon.dev, CLASS_OTHER, e);
}

void pc_balloon_set(struct pc *pc, u64 bytes)
{
	u64 take = bytes < pc->cfg.memory ? pc->cfg.memory - bytes : 0;

	virtio_balloon_set_target(pc->balloon, (u32)(take / GPA_PAGE_SIZE));
}

static u64 balloon_stat(const struct virtio_balloon *b, enum virtio_balloon_tag tag)
{
	return b->stats_known >> tag & 1 ? b->stat[tag] : ~0ULL;
}

void pc_balloon_get(struct pc *pc, struct pc_balloon *out)
{
	struct virtio_balloon *b = pc->balloon;
	u64 take = (u64)load_le32(&b->config.num_pages) * GPA_PAGE_SIZE;

	*out = (struct pc_balloon){
		.target = pc->cfg.memory - take,
		.given = (u64)virtio_balloon_actual(b) * GPA_PAGE_SIZE,
		.released = b->released,
		.guest_free = balloon_stat(b, VIRTIO_BALLOON_S_MEMFREE),
		.guest_usable = balloon_stat(b, VIRTIO_BALLOON_S_AVAIL),
	};
	virtio_balloon_poll_stats(b);
}

int pc_virtio_init(struct pc *pc, struct err *e)
{
	int err = pc->cfg.console ? console_init(pc, e) : 0;

	for (unsigned i = 0; !err && i < pc->cfg.ndisks; i++)
		err = disk_init(pc, pc->cfg.disk[i], pc->cfg.disk_mmio[i], e);
	for (unsigned i = 0; !err && i < pc->cfg.nnets; i++)
		err = net_init(pc, pc->cfg.net[i], e);
	for (unsigned i = 0; !err && i < pc->cfg.nshares; i++)
		err = share_init(pc, pc->cfg.share[i], e);
	if (!err && pc->cfg.vsock)
		err = vsock_init(pc, e);
	if (!err)
		err = rng_init(pc, e);
	return err ? err : balloon_init(pc, e);
}

void pc_virtio_fini(struct pc *pc)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++)
		free(pc->virtio[i]);
}
