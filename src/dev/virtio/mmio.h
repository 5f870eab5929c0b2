/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio over MMIO, version 2 (virtio 1.2 section 4.2): one register window of
 * VIRTIO_MMIO_SIZE bytes and one level-triggered interrupt line. The board
 * tells the guest where it is (ACPI LNRO0005, or virtio_mmio.device= on the
 * kernel command line).
 */
#ifndef HULL_DEV_VIRTIO_MMIO_H
#define HULL_DEV_VIRTIO_MMIO_H

#include "dev/device.h"
#include "dev/virtio/virtio.h"
#include "io/irq.h"

struct virtio_mmio {
	struct virtio_dev *dev;
	struct irq_line irq;
	u32 device_features_sel, driver_features_sel, queue_sel;
	u32 isr;
};

void virtio_mmio_init(struct virtio_mmio *m, struct virtio_dev *dev, const struct irq_line *irq);

extern const struct device_ops virtio_mmio_ops; /* opaque: struct virtio_mmio */

#endif
