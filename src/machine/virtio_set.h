/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio devices of a board as its configuration names them, one a PCI slot
 * in this order: console, disks, nets, shares, vsock, entropy, balloon. Boards
 * say where interrupts go; everything else is the same on all of them.
 */
#ifndef HULL_MACHINE_VIRTIO_SET_H
#define HULL_MACHINE_VIRTIO_SET_H

#include "dev/pci/pci.h"
#include "dev/virtio/balloon.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/fs.h"
#include "dev/virtio/mmio.h"
#include "dev/virtio/net.h"
#include "dev/virtio/pci.h"
#include "dev/virtio/rng.h"
#include "dev/virtio/vsock.h"
#include "host/mem.h"
#include "machine/board.h"

/* A virtio model with its transport. */
struct virtio_at {
	union {
		struct virtio_pci pci;
		struct virtio_mmio mmio;
	};
	union {
		struct virtio_blk blk;
		struct virtio_net net;
		struct virtio_console console;
		struct virtio_rng rng;
		struct virtio_balloon balloon;
		struct virtio_vsock vsock;
		struct virtio_fs fs;
	};
};

struct virtio_set_wires {
	struct gpa_map *map;
	struct mem *ram; /* pages of it go back to the host; mapped by slots of map */
	struct pci_host *pci;
	struct irq_line (*intx_line)(void *opaque, unsigned slot);
	u8 (*intx_gsi)(void *opaque, unsigned slot);
	/* Puts a disk on a virtio-mmio transport; NULL: the board has none. */
	int (*attach_mmio)(void *opaque, struct virtio_mmio *m, struct virtio_dev *dev,
			   struct err *e);
	void *opaque;
};

struct virtio_set {
	struct virtio_set_wires w;
	const struct board_config *cfg;
	struct virtio_at *at[PCI_SLOTS]; /* by slot; 0 is the host bridge; NULL: empty */
	unsigned n;
	struct virtio_balloon *balloon;
	struct io_reclaim reclaim;
};

/* Makes and attaches all devices of cfg, which is kept. On failure fini is still due. */
int virtio_set_init(struct virtio_set *s, const struct board_config *cfg,
		    const struct virtio_set_wires *w, struct err *e);
void virtio_set_fini(struct virtio_set *s);

/* board_ops.balloon_set and balloon_get. */
void virtio_set_balloon(struct virtio_set *s, u64 bytes);
void virtio_set_balloon_get(struct virtio_set *s, struct board_balloon *out);

#endif
