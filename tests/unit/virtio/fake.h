/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio driver made of plain memory writes, for tests of device models: 1 MiB
 * of "guest RAM", a transport that counts interrupts, rings at fixed places.
 */
#ifndef HULL_TESTS_VIRTIO_FAKE_H
#define HULL_TESTS_VIRTIO_FAKE_H

#include "tests/test.h"

#include "base/bits.h"
#include "dev/virtio/virtio.h"

#define FAKE_RAM 0x100000u
#define FAKE_RING(q) (0x1000u + (q)*0x2000u)
#define FAKE_AVAIL 0x1000u
#define FAKE_USED 0x1400u
#define FAKE_DATA 0x80000u

struct fake_queue {
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 size, next_desc, used_seen;
};

struct fake {
	_Alignas(4096) u8 ram[FAKE_RAM];
	_Atomic u8 flags[FAKE_RAM / GPA_PAGE_SIZE];
	struct gpa_map map;
	struct virtio_dev *dev;
	struct fake_queue q[VIRTIO_QUEUES_MAX];
	unsigned queue_irqs[VIRTIO_QUEUES_MAX], config_irqs;
	unsigned pages_written;
};

struct fake_seg {
	u64 gpa;
	u32 len;
	bool write;
};

static inline void fake_queue_irq(void *opaque, unsigned q)
{
	((struct fake *)opaque)->queue_irqs[q]++;
}

static inline void fake_config_irq(void *opaque)
{
	((struct fake *)opaque)->config_irqs++;
}

static inline void fake_page_written(void *opaque, struct gpa_slot *s, u64 gpa)
{
	((struct fake *)opaque)->pages_written++;
}

/* Before the device is initialized: it needs f->map. */
static inline void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	gpa_slot_add(&f->map,
		     &(struct gpa_slot){
			     .size = FAKE_RAM, .host = f->ram, .page_flags = f->flags, .fd = -1});
	f->map.page_written = fake_page_written;
	f->map.opaque = f;
}

static inline void fake_queue_setup(struct fake *f, unsigned q, u16 size)
{
	struct fake_queue *k = &f->q[q];
	struct virtq *v = &f->dev->vq[q];
	u32 at = FAKE_RING(q);

	memset(&f->ram[at], 0, 0x2000);
	*k = (struct fake_queue){.desc = (void *)&f->ram[at],
				 .avail = (void *)&f->ram[at + FAKE_AVAIL],
				 .used = (void *)&f->ram[at + FAKE_USED],
				 .size = size};
	virtq_set_size(v, size);
	virtq_set_addr(v, &v->desc_gpa, 0, 8, at);
	virtq_set_addr(v, &v->avail_gpa, 0, 8, at + FAKE_AVAIL);
	virtq_set_addr(v, &v->used_gpa, 0, 8, at + FAKE_USED);
	virtq_enable(v);
}

/* The whole driver start-up, section 3.1.1. Features without VERSION_1. */
static inline void fake_start(struct fake *f, struct virtio_dev *d, u64 features)
{
	f->dev = d;
	d->transport = (struct virtio_transport){fake_queue_irq, fake_config_irq, f};
	features |= BIT(VIRTIO_F_VERSION_1);
	virtio_set_status(d, 0);
	virtio_set_status(d, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	virtio_set_driver_features(d, 0, (u32)features);
	virtio_set_driver_features(d, 1, (u32)(features >> 32));
	virtio_set_status(d, d->status | VIRTIO_STATUS_FEATURES_OK);
	for (unsigned q = 0; q < d->nvqs; q++)
		fake_queue_setup(f, q, d->vq[q].size_max);
	virtio_set_status(d, d->status | VIRTIO_STATUS_DRIVER_OK);
}

static inline void fake_offer(struct fake_queue *k, u16 head)
{
	k->avail->ring[k->avail->idx % k->size] = head;
	k->avail->idx++;
}

/* Adds one chain; descriptors are used round robin. Its head. */
static inline u16 fake_add(struct fake *f, unsigned q, const struct fake_seg *s, unsigned n)
{
	struct fake_queue *k = &f->q[q];
	u16 head = k->next_desc;

	for (unsigned i = 0; i < n; i++) {
		u16 at = k->next_desc;

		k->next_desc = (u16)((at + 1) % k->size);
		k->desc[at] = (struct virtq_desc){
			.addr = s[i].gpa,
			.len = s[i].len,
			.flags = (u16)((s[i].write ? VIRTQ_DESC_F_WRITE : 0) |
				       (i + 1 < n ? VIRTQ_DESC_F_NEXT : 0)),
			.next = k->next_desc,
		};
	}
	fake_offer(k, head);
	return head;
}

static inline void fake_kick(struct fake *f, unsigned q)
{
	virtio_notify(f->dev, q);
}

/* Next used entry, if any. */
static inline bool fake_used(struct fake *f, unsigned q, u32 *id, u32 *len)
{
	struct fake_queue *k = &f->q[q];
	struct virtq_used_elem *e = &k->used->ring[k->used_seen % k->size];

	if (k->used->idx == k->used_seen)
		return false;
	k->used_seen++;
	*id = e->id;
	*len = e->len;
	return true;
}

static inline bool fake_broken(const struct fake *f)
{
	return f->dev->status & VIRTIO_STATUS_NEEDS_RESET;
}

#endif
