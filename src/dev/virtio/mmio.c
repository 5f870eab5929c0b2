/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio MMIO transport, virtio 1.2 section 4.2. Contract in mmio.h. */
#include "dev/virtio/mmio.h"

#include "base/bits.h"

/* Section 4.2.2: bits of InterruptStatus. */
#define ISR_QUEUE 1
#define ISR_CONFIG 2
#define VENDOR 0x4c4c5548 /* "HULL" */

static void raise_irq(struct virtio_mmio *m, u32 isr)
{
	m->isr |= isr;
	irq_set(&m->irq, true);
}

static void queue_irq(void *opaque, unsigned q)
{
	raise_irq(opaque, ISR_QUEUE);
}

static void config_irq(void *opaque)
{
	raise_irq(opaque, ISR_CONFIG);
}

static void ack(struct virtio_mmio *m, u32 bits)
{
	m->isr &= ~bits;
	if (!m->isr)
		irq_set(&m->irq, false);
}

static u32 reg_read(struct virtio_mmio *m, u64 off)
{
	struct virtio_dev *d = m->dev;
	const struct virtq *q = virtio_queue(d, m->queue_sel);

	switch (off) {
	case VIRTIO_MMIO_MAGIC:
		return VIRTIO_MMIO_MAGIC_VALUE;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return virtio_get_features(d, m->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? q->size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q && q->enabled;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return m->isr;
	case VIRTIO_MMIO_STATUS:
		return virtio_get_status(d);
	case VIRTIO_MMIO_SHM_LEN_LOW: /* no shared memory: length and base are -1 (4.2.2) */
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return 0xffffffff;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return d->config_generation;
	}
	return 0;
}

static void status_write(struct virtio_mmio *m, u8 val)
{
	virtio_set_status(m->dev, val);
	if (val)
		return;
	m->device_features_sel = m->driver_features_sel = m->queue_sel = 0;
	ack(m, ~0u);
}

/* Ring addresses come in two 32-bit halves. */
static void queue_write(struct virtq *q, u64 off, u32 val)
{
	if (!q)
		return;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		virtq_set_size(q, val > 0xffff ? 0 : (u16)val);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (val & 1)
			virtq_enable(q);
		else
			q->enabled = false;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		virtq_set_addr(q, &q->desc_gpa, (off & 4) * 8, 4, val);
		break;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
		virtq_set_addr(q, &q->avail_gpa, (off & 4) * 8, 4, val);
		break;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
		virtq_set_addr(q, &q->used_gpa, (off & 4) * 8, 4, val);
		break;
	}
}

static void reg_write(struct virtio_mmio *m, u64 off, u32 val)
{
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		m->device_features_sel = val;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		m->driver_features_sel = val;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_set_driver_features(m->dev, m->driver_features_sel, val);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		m->queue_sel = val;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		virtio_notify(m->dev, val);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		ack(m, val);
		break;
	case VIRTIO_MMIO_STATUS:
		status_write(m, (u8)val);
		break;
	default:
		queue_write(virtio_queue(m->dev, m->queue_sel), off, val);
	}
}

/* Section 4.2.2.2: registers are 32 bits wide; only the configuration space is not. */
static u64 mmio_read(void *opaque, u64 off, unsigned size)
{
	struct virtio_mmio *m = opaque;

	if (off >= VIRTIO_MMIO_CONFIG)
		return virtio_config_read(m->dev, off - VIRTIO_MMIO_CONFIG, size);
	return size == 4 && !(off & 3) ? reg_read(m, off) : 0;
}

static void mmio_write(void *opaque, u64 off, unsigned size, u64 val)
{
	struct virtio_mmio *m = opaque;

	if (off >= VIRTIO_MMIO_CONFIG)
		virtio_config_write(m->dev, off - VIRTIO_MMIO_CONFIG, size, val);
	else if (size == 4 && !(off & 3))
		reg_write(m, off, (u32)val);
}

static void mmio_reset(void *opaque)
{
	status_write(opaque, 0);
}

const struct device_ops virtio_mmio_ops = {
	.name = "virtio-mmio",
	.reset = mmio_reset,
	.read = mmio_read,
	.write = mmio_write,
};

void virtio_mmio_init(struct virtio_mmio *m, struct virtio_dev *dev, const struct irq_line *irq)
{
	*m = (struct virtio_mmio){.dev = dev, .irq = *irq};
	dev->transport = (struct virtio_transport){queue_irq, config_irq, m};
}
