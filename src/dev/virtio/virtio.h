/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio 1.2 device core: what device models and transports share.
 *
 * A device model (blk.c, net.c ...) embeds struct virtio_dev, supplies a const
 * struct virtio_ops, its queues and its configuration bytes, and offers
 * features. A transport (pci.c, mmio.c) owns the registers, calls the
 * virtio_set_* functions below and delivers interrupts. Neither knows the
 * other; the board joins them by virtio_pci_init or virtio_mmio_init.
 *
 *   guest register write -> transport -> virtio.c -> ops->notify(dev, queue)
 *   device: virtq_pop -> work -> virtq_push -> virtq_publish -> transport->irq
 *
 * What a guest may do wrong (rings outside RAM, looping or overlong chains,
 * readable buffers after writable ones ...) is found in virtqueue.c and ends in
 * virtio_break(): DEVICE_NEEDS_RESET, a configuration interrupt, and silence
 * until the driver resets (section 2.1.2). Nothing else ever happens to hull.
 *
 * Split rings, VIRTIO_F_VERSION_1, INDIRECT_DESC and EVENT_IDX; no packed
 * rings, no legacy interface. Everything runs under the machine lock; the
 * driver runs at the same time on other threads, so ring memory is read once,
 * with acquire, and written with release. Freestanding, no heap.
 */
#ifndef HULL_DEV_VIRTIO_VIRTIO_H
#define HULL_DEV_VIRTIO_VIRTIO_H

#include "abi/virtio.h"
#include "core/gpa.h"
#include "io/block.h"

#define VIRTIO_QUEUES_MAX 34 /* of one device: 16 console ports use 34 */
#define VIRTQ_SIZE_MAX 256

struct virtio_dev;

struct virtio_ops {
	const char *name;
	/*
	 * Forget all guest state. Returns false while requests are in flight
	 * whose memory the driver must not reuse yet; the model then calls
	 * virtio_reset_done() when the last has finished, and the driver reads
	 * a non-zero status until then (section 2.4.1). May be NULL (always done).
	 */
	bool (*reset)(struct virtio_dev *d);
	/* Features are negotiated (d->driver_features). May be NULL. */
	void (*negotiated)(struct virtio_dev *d);
	/* DRIVER_OK was set. May be NULL. */
	void (*start)(struct virtio_dev *d);
	/* The driver says that queue q has buffers. Only while running. */
	void (*notify)(struct virtio_dev *d, unsigned q);
	/* d->config bytes [off, off+len) are about to be written by the driver. May be NULL. */
	void (*config_write)(struct virtio_dev *d, unsigned off, unsigned len, const u8 *bytes);
};

/* The transport's side: raise the interrupt of a queue, or of configuration changes. */
struct virtio_transport {
	void (*queue_irq)(void *opaque, unsigned q);
	void (*config_irq)(void *opaque);
	void *opaque;
};

struct virtq {
	struct virtio_dev *dev;
	u16 index;
	u16 size_max; /* power of two, what the device offers */
	/* Set by the driver through the transport. */
	u16 size;
	bool enabled;
	u64 desc_gpa, avail_gpa, used_gpa;
	/* While enabled: the rings in this process, whole ranges checked. */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 avail_seen; /* next avail entry to take */
	u16 used_idx;	/* next used entry to publish */
	u16 used_told;	/* used_idx at the last interrupt decision */
	bool kicks_off; /* the driver was asked not to notify */
};

struct virtio_dev {
	const struct virtio_ops *ops;
	struct gpa_map *mem;
	u16 id;	      /* enum virtio_id */
	u64 features; /* offered, VERSION_1 and the ring features included */
	struct virtq *vq;
	unsigned nvqs;
	u8 *config; /* little-endian, device specific */
	unsigned config_len;
	/* Guest-visible state. */
	u64 driver_features;
	u8 status;
	u8 config_generation;
	bool resetting;
	bool dma_off;	    /* PCI bus mastering is off: no access to queues */
	const char *broken; /* why NEEDS_RESET, for logs; NULL if it is not */
	/* The board wants to know of it, once each time. May be NULL. */
	void (*on_broken)(struct virtio_dev *d);
	struct virtio_transport transport;
};

/* --- for device models --- */

/* vq: nvqs queues, in the model's struct; sizes are set by virtio_queue_size. */
void virtio_init(struct virtio_dev *d, const struct virtio_ops *ops, enum virtio_id id,
		 struct gpa_map *mem, struct virtq *vq, unsigned nvqs);
/* Power of two up to VIRTQ_SIZE_MAX; default VIRTQ_SIZE_MAX. */
void virtio_queue_size(struct virtio_dev *d, unsigned q, u16 size_max);

static inline bool virtio_has(const struct virtio_dev *d, unsigned feature)
{
	return d->driver_features >> feature & 1;
}

/* The driver is ready and nothing is broken: queues may be used. */
static inline bool virtio_running(const struct virtio_dev *d)
{
	return (d->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
		       VIRTIO_STATUS_DRIVER_OK &&
	       !d->resetting && !d->dma_off;
}

/* The driver did something a device cannot go on from; why is a constant string. */
void virtio_break(struct virtio_dev *d, const char *why);
/* d->config changed: new generation, configuration interrupt. */
void virtio_config_changed(struct virtio_dev *d);
/* See virtio_ops.reset. */
void virtio_reset_done(struct virtio_dev *d);

/*
 * One buffer chain: first nout device-readable, then nin device-writable
 * pieces. iov and gpa are the caller's arrays with room for cap pieces.
 */
struct virtq_chain {
	u16 head;
	unsigned cap, nout, nin;
	u64 out_len, in_len; /* bytes */
	struct io_vec *iov;
	u64 *gpa;
};

/* A chain with room on the stack for any chain of a queue. */
#define VIRTQ_CHAIN(name)                                                                          \
	struct io_vec name##_iov[VIRTQ_SIZE_MAX];                                                  \
	u64 name##_gpa[VIRTQ_SIZE_MAX];                                                            \
	struct virtq_chain name = {.cap = VIRTQ_SIZE_MAX, .iov = name##_iov, .gpa = name##_gpa}

/*
 * Take the next available chain. False: none, or the device is not running or
 * has just been broken by a malformed one. The caller owes a virtq_push.
 */
bool virtq_pop(struct virtq *q, struct virtq_chain *c);
/* Give the chain last popped back unseen (receive buffers that were not enough). */
void virtq_unpop(struct virtq *q, unsigned n);

/*
 * Queue a used entry: c's first `written` writable bytes have been filled in
 * (engines are told here). ahead counts entries not yet published, from 0.
 */
void virtq_fill(struct virtq *q, const struct virtq_chain *c, u32 written, unsigned ahead);
/* Make n filled entries visible to the driver at once. */
void virtq_publish(struct virtq *q, unsigned n);
/* virtq_fill + virtq_publish of one chain. */
void virtq_push(struct virtq *q, const struct virtq_chain *c, u32 written);
/* Interrupt the driver if it wants to know of what was published since the last call. */
void virtq_interrupt(struct virtq *q);

/*
 * Ask the driver not to notify while the queue is being worked on, and to do
 * so again. virtq_kicks_on returns true if buffers came meanwhile: go on working.
 */
void virtq_kicks_off(struct virtq *q);
bool virtq_kicks_on(struct virtq *q);
/* virtq_kicks_on for who has seen that n waiting chains are not enough and put them back. */
bool virtq_wait_beyond(struct virtq *q, unsigned n);

/*
 * Work a queue off: serve() of each chain says how many writable bytes it filled; interrupts
 * the driver at the end. For models that answer at once.
 */
void virtq_serve(struct virtq *q, u32 (*serve)(void *opaque, struct virtq_chain *c), void *opaque);

/* Copies between a chain's pieces and a buffer, from byte off; returns bytes copied. */
u64 virtq_read(const struct virtq_chain *c, u64 off, void *buf, u64 len);	 /* readable part */
u64 virtq_write(const struct virtq_chain *c, u64 off, const void *buf, u64 len); /* writable */

/* --- for transports (driver's register writes) --- */

void virtio_set_status(struct virtio_dev *d, u8 val);
u8 virtio_get_status(const struct virtio_dev *d);
/* Half 0 or 1 of the 64 feature bits; others read 0 and ignore writes. */
u32 virtio_get_features(const struct virtio_dev *d, u32 half);
u32 virtio_get_driver_features(const struct virtio_dev *d, u32 half);
void virtio_set_driver_features(struct virtio_dev *d, u32 half, u32 val);
/* Size and ring addresses may be written while the queue is off; q may be NULL (no such queue). */
struct virtq *virtio_queue(struct virtio_dev *d, u32 index);
void virtq_set_size(struct virtq *q, u16 size);
void virtq_set_addr(struct virtq *q, u64 *field, unsigned shift, unsigned size, u64 val);
void virtq_enable(struct virtq *q);
void virtio_notify(struct virtio_dev *d, u32 index);
/* PCI bus mastering went on or off. Queues with waiting buffers are served on the way on. */
void virtio_set_dma(struct virtio_dev *d, bool on);
/* Device configuration space; outside it reads 0 and drops writes. */
u64 virtio_config_read(struct virtio_dev *d, u64 off, unsigned size);
void virtio_config_write(struct virtio_dev *d, u64 off, unsigned size, u64 val);

#endif
