/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio over PCI, modern interface only (virtio 1.2 section 4.1): one memory
 * BAR with common configuration, ISR, device configuration and notification
 * areas, one with the MSI-X table, and the PCI configuration access capability
 * that firmware uses. The board embeds struct virtio_pci, joins it with an
 * initialized device and attaches .func to a slot.
 */
#ifndef HULL_DEV_VIRTIO_PCI_H
#define HULL_DEV_VIRTIO_PCI_H

#include "dev/pci/pci.h"
#include "dev/virtio/virtio.h"

#define VIRTIO_PCI_BAR_MSIX 1
#define VIRTIO_PCI_BAR_REGS 4
/* Areas of the register BAR. */
#define VIRTIO_PCI_COMMON_OFF 0x0000
#define VIRTIO_PCI_ISR_OFF 0x1000
#define VIRTIO_PCI_DEVICE_OFF 0x2000
#define VIRTIO_PCI_NOTIFY_OFF 0x3000
#define VIRTIO_PCI_AREA_SIZE 0x1000
#define VIRTIO_PCI_REGS_SIZE 0x4000
/* Queue n is notified at VIRTIO_PCI_NOTIFY_OFF + n * this (fit for ioeventfd, any length). */
#define VIRTIO_PCI_NOTIFY_STEP 4

struct virtio_pci {
	struct pci_func func;
	struct virtio_dev *dev;
	u32 device_feature_select, driver_feature_select;
	u16 queue_select;
	u16 config_vector;
	u16 queue_vector[VIRTIO_QUEUES_MAX];
	u8 isr;
	unsigned cfg_cap; /* offset of the configuration access capability */
};

/* class_code as in pci_ids (0x010000 SCSI/other storage, 0x020000 Ethernet ...). 0 or -E_x. */
int virtio_pci_init(struct virtio_pci *p, struct virtio_dev *dev, u32 class_code);

#endif
