/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Device life cycle common to all virtio devices and transports: status,
 * feature negotiation, reset, configuration space. Contract in virtio.h.
 */
#include "dev/virtio/virtio.h"

#include "base/bits.h"
#include "base/endian.h"

void virtio_init(struct virtio_dev *d, const struct virtio_ops *ops, enum virtio_id id,
		 struct gpa_map *mem, struct virtq *vq, unsigned nvqs)
{
	*d = (struct virtio_dev){
		.ops = ops,
		.mem = mem,
		.id = (u16)id,
		.features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_INDIRECT_DESC) |
			    BIT(VIRTIO_F_EVENT_IDX),
		.vq = vq,
		.nvqs = nvqs,
	};
	for (unsigned i = 0; i < nvqs; i++)
		vq[i] = (struct virtq){
			.dev = d,
			.index = (u16)i,
			.size_max = VIRTQ_SIZE_MAX,
			.size = VIRTQ_SIZE_MAX,
		};
}

void virtio_queue_size(struct virtio_dev *d, unsigned q, u16 size_max)
{
	if (q >= d->nvqs || !is_pow2(size_max) || size_max > VIRTQ_SIZE_MAX)
		return;
	d->vq[q].size_max = d->vq[q].size = size_max;
}

struct virtq *virtio_queue(struct virtio_dev *d, u32 index)
{
	return index < d->nvqs ? &d->vq[index] : NULL;
}

void virtio_break(struct virtio_dev *d, const char *why)
{
	if (d->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	d->broken = why;
	d->status |= VIRTIO_STATUS_NEEDS_RESET;
	if (d->on_broken)
		d->on_broken(d);
	if (d->status & VIRTIO_STATUS_DRIVER_OK && d->transport.config_irq)
		d->transport.config_irq(d->transport.opaque);
}

void virtio_config_changed(struct virtio_dev *d)
{
	d->config_generation++;
	if (d->status & VIRTIO_STATUS_DRIVER_OK && d->transport.config_irq)
		d->transport.config_irq(d->transport.opaque);
}

static void forget_driver(struct virtio_dev *d)
{
	d->status = 0;
	d->driver_features = 0;
	d->broken = NULL;
	d->resetting = false;
	for (unsigned i = 0; i < d->nvqs; i++) {
		struct virtq *q = &d->vq[i];

		*q = (struct virtq){
			.dev = d,
			.index = q->index,
			.size_max = q->size_max,
			.size = q->size_max,
		};
	}
}

void virtio_reset_done(struct virtio_dev *d)
{
	if (d->resetting)
		forget_driver(d);
}

static void reset(struct virtio_dev *d)
{
	if (d->resetting)
		return;
	d->resetting = true;
	if (!d->ops->reset || d->ops->reset(d))
		forget_driver(d);
}

/* Section 2.2.2 and 3.1.1: a device may refuse what the driver chose. */
static bool features_acceptable(const struct virtio_dev *d)
{
	return !(d->driver_features & ~d->features) && virtio_has(d, VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio_dev *d, u8 val)
{
	u8 added;

	if (!val) {
		reset(d);
		return;
	}
	if (d->resetting)
		return;
	val &= (u8)~VIRTIO_STATUS_NEEDS_RESET;
	if (val & VIRTIO_STATUS_FEATURES_OK && !features_acceptable(d))
		val &= (u8) ~(VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	added = val & (u8)~d->status;
	d->status |= val;
	if (added & VIRTIO_STATUS_FEATURES_OK && d->ops->negotiated)
		d->ops->negotiated(d);
	if (!(added & VIRTIO_STATUS_DRIVER_OK))
		return;
	if (d->status & VIRTIO_STATUS_NEEDS_RESET && d->transport.config_irq)
		d->transport.config_irq(d->transport.opaque);
	if (d->ops->start)
		d->ops->start(d);
}

u8 virtio_get_status(const struct virtio_dev *d)
{
	/* A driver that polls for 0 after a reset must not see it too early (2.4.1). */
	return d->status ? d->status : d->resetting;
}

u32 virtio_get_features(const struct virtio_dev *d, u32 half)
{
	return half < 2 ? (u32)(d->features >> (32 * half)) : 0;
}

u32 virtio_get_driver_features(const struct virtio_dev *d, u32 half)
{
	return half < 2 ? (u32)(d->driver_features >> (32 * half)) : 0;
}

void virtio_set_driver_features(struct virtio_dev *d, u32 half, u32 val)
{
	if (half > 1 || d->status & VIRTIO_STATUS_FEATURES_OK || d->resetting)
		return;
	d->driver_features &= ~(0xffffffffull << (32 * half));
	d->driver_features |= (u64)val << (32 * half);
}

void virtio_notify(struct virtio_dev *d, u32 index)
{
	if (index < d->nvqs && virtio_running(d) && d->vq[index].enabled)
		d->ops->notify(d, index);
}

void virtio_set_dma(struct virtio_dev *d, bool on)
{
	bool was_off = d->dma_off;

	d->dma_off = !on;
	for (unsigned i = 0; on && was_off && i < d->nvqs; i++)
		virtio_notify(d, i);
}

u64 virtio_config_read(struct virtio_dev *d, u64 off, unsigned size)
{
	u8 bytes[8] = {0};

	if (off < d->config_len)
		__builtin_memcpy(bytes, d->config + off, min_u64(size, d->config_len - off));
	return load_le(bytes, size);
}

void virtio_config_write(struct virtio_dev *d, u64 off, unsigned size, u64 val)
{
	u8 bytes[8];

	if (!d->ops->config_write || d->resetting || !range_inside(off, size, d->config_len))
		return;
	store_le(bytes, size, val);
	d->ops->config_write(d, (unsigned)off, size, bytes);
}
