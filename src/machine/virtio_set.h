/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio devices of a board as its configuration names them, one a PCI slot
 * in this order: console, disks, nets, entropy, shares, vsock, balloon. Boards
 * say where interrupts go; everything else is the same on all of them.
 */
#ifndef HULL_MACHINE_VIRTIO_SET_H
#define HULL_MACHINE_VIRTIO_SET_H

#include "dev/pci/pci.h"
#include "dev/virtio/pci.h"
#include "host/mem.h"
#include "io/reclaim.h"
#include "machine/board.h"

/* PCI class codes, PCI Code and ID Assignment Specification 1.11 section 1. */
enum {
	PCI_CLASS_STORAGE = 0x018000,
	PCI_CLASS_ETHERNET = 0x020000,
	PCI_CLASS_COMMUNICATION = 0x078000,
	PCI_CLASS_OTHER = 0xff0000,
};

/* A slot: the transport, unused by a device on virtio-mmio, and the model (allocated). */
struct virtio_at {
	struct virtio_pci pci;
	void *model;
};

struct virtio_set_wires {
	struct gpa_map *map;
	struct mem *ram; /* pages of it go back to the host; mapped by slots of map */
	struct pci_host *pci;
	struct irq_line (*intx_line)(void *opaque, unsigned slot);
	u8 (*intx_gsi)(void *opaque, unsigned slot);
	/* Puts a disk on a virtio-mmio transport; NULL: the board has none. */
	int (*attach_mmio)(void *opaque, struct virtio_dev *dev, struct err *e);
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

/* For virtio_more.c: a zeroed model of size bytes for the next slot, or NULL; puts it there. */
void *virtio_set_new(struct virtio_set *s, size_t size, struct err *e);
int virtio_set_attach(struct virtio_set *s, struct virtio_dev *dev, u32 class_code, struct err *e);
/* virtio_more.c: the console's further ports (NULL: none); shares, vsock and balloon. */
extern const struct virtio_console_multi *const virtio_more_ports;
int virtio_more_init(struct virtio_set *s, struct err *e);

/* board_ops.balloon_set and balloon_get. */
void virtio_set_balloon(struct virtio_set *s, u64 bytes);
void virtio_set_balloon_get(struct virtio_set *s, struct board_balloon *out);

#endif
