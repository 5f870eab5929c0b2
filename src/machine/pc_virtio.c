/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's virtio devices: one PCI slot each, in a fixed order, so that a
 * guest finds the same device in the same slot as long as the configuration is
 * the same.
 */
#include "machine/pc_internal.h"

#include <errno.h>
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

/* The next free slot gets a virtio device. */
static int virtio_attach(struct pc *pc, struct virtio_pci *p, struct virtio_dev *dev,
			 u32 class_code, struct err *e)
{
	unsigned slot = pc->next_slot++;
	struct irq_line intx = pc_intx_line(pc, slot);
	int err = virtio_pci_init(p, dev, class_code);

	if (!err)
		err = pci_attach(&pc->pci, slot, &p->func, &intx,
				 (u8)(PC_PCI_GSI + slot % PC_PCI_GSIS));
	if (err)
		return err_set(e, -err, "board: cannot attach %s in PCI slot %u", dev->ops->name,
			       slot);
	return 0;
}

static int console_init(struct pc *pc, struct err *e)
{
	const struct virtio_console_port_config port = {.chr = pc->cfg.console, .is_console = true};

	if (!pc->cfg.console)
		return 0;
	pc->console = calloc(1, sizeof(*pc->console));
	if (!pc->console)
		return err_set(e, E_NOMEM, "no memory for the console");
	virtio_console_init(pc->console, &pc->map, &port, 1);
	return virtio_attach(pc, &pc->console_pci, &pc->console->dev, CLASS_COMMUNICATION, e);
}

static int disks_init(struct pc *pc, struct err *e)
{
	int err = 0;

	for (unsigned i = 0; !err && i < pc->cfg.ndisks; i++) {
		struct pc_disk *d = calloc(1, sizeof(*d));

		pc->disk[i] = d;
		if (!d)
			return err_set(e, E_NOMEM, "no memory for disk %u", i);
		virtio_blk_init(&d->blk, &pc->map, pc->cfg.disk[i], pc->cfg.ncpus);
		err = virtio_attach(pc, &d->pci, &d->blk.dev, CLASS_STORAGE, e);
	}
	return err;
}

static int nets_init(struct pc *pc, struct err *e)
{
	int err = 0;

	for (unsigned i = 0; !err && i < pc->cfg.nnets; i++) {
		struct pc_net *n = calloc(1, sizeof(*n));

		pc->net[i] = n;
		if (!n)
			return err_set(e, E_NOMEM, "no memory for network card %u", i);
		virtio_net_init(&n->net, &pc->map, pc->cfg.net[i]);
		err = virtio_attach(pc, &n->pci, &n->net.dev, CLASS_ETHERNET, e);
	}
	return err;
}

static void entropy(void *opaque, void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno != EINTR) {
			memset(p, 0, len); /* cannot happen on a kernel that has the call */
			return;
		}
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* A page of a RAM slot goes back to the host; it reads as zeroes afterwards. */
static void release(void *opaque, u64 gpa, u64 len)
{
	struct pc *pc = opaque;
	const struct gpa_slot *s = gpa_slot_find(&pc->map, gpa);

	if (s && s->fd == mem_fd(pc->ram))
		mem_discard(pc->ram, s->fd_offset + (gpa - s->gpa), len);
}

static int others_init(struct pc *pc, struct err *e)
{
	int err;

	virtio_rng_init(&pc->rng, &pc->map, &(struct io_entropy){entropy, NULL});
	err = virtio_attach(pc, &pc->rng_pci, &pc->rng.dev, CLASS_OTHER, e);
	if (err)
		return err;
	virtio_balloon_init(&pc->balloon, &pc->map, &(struct io_reclaim){release, pc});
	err = virtio_attach(pc, &pc->balloon_pci, &pc->balloon.dev, CLASS_OTHER, e);
	if (err || !pc->cfg.vsock)
		return err;
	pc->vsock = calloc(1, sizeof(*pc->vsock));
	if (!pc->vsock)
		return err_set(e, E_NOMEM, "no memory for vsock");
	virtio_vsock_init(pc->vsock, &pc->map, pc->cfg.vsock, PC_VSOCK_CID);
	return virtio_attach(pc, &pc->vsock_pci, &pc->vsock->dev, CLASS_OTHER, e);
}

int pc_virtio_init(struct pc *pc, struct err *e)
{
	int err = console_init(pc, e);

	if (!err)
		err = disks_init(pc, e);
	if (!err)
		err = nets_init(pc, e);
	return err ? err : others_init(pc, e);
}

void pc_virtio_fini(struct pc *pc)
{
	for (unsigned i = 0; i < pc->cfg.ndisks; i++)
		free(pc->disk[i]);
	for (unsigned i = 0; i < pc->cfg.nnets; i++)
		free(pc->net[i]);
	free(pc->console);
	free(pc->vsock);
}
