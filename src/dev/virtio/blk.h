/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio block device (virtio 1.2 section 5.2) over an io_block back end:
 * several queues, flush, discard, write zeroes, serial number, read-only.
 * Requests run asynchronously and finish in any order; a device reset is
 * finished only when the last of them has, so that no data lands in memory
 * that the driver has given to somebody else.
 */
#ifndef HULL_DEV_VIRTIO_BLK_H
#define HULL_DEV_VIRTIO_BLK_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"

#define VIRTIO_BLK_QUEUES_MAX 16
#define VIRTIO_BLK_QUEUE_SIZE 128
#define VIRTIO_BLK_SEGS VIRTIO_BLK_QUEUE_SIZE /* pieces of one request, header and status too */
#define VIRTIO_BLK_REQS 128		      /* in flight, all queues together */

struct virtio_blk;

struct virtio_blk_req {
	struct io_block_req io;
	struct virtio_blk *blk;
	struct virtq *q;
	struct virtq_chain chain;
	struct virtio_blk_req *next_free;
	u32 type;
	unsigned range; /* of a discard or write zeroes: the one being worked on */
	bool flush_after;
	u8 *status;
	u64 status_gpa;
	struct io_vec iov[VIRTIO_BLK_SEGS + 1]; /* a buffer that crosses RAM slots is two pieces */
	u64 gpa[VIRTIO_BLK_SEGS + 1];
};

/* About 650 KiB, touched only as far as requests are in flight. */
struct virtio_blk {
	struct virtio_dev dev;
	struct virtq vq[VIRTIO_BLK_QUEUES_MAX];
	struct virtio_blk_config config;
	struct io_block *back;
	struct virtio_blk_req *free;
	unsigned in_flight;
	unsigned nused; /* requests that were ever used: the others are untouched memory */
	struct virtio_blk_req req[VIRTIO_BLK_REQS];
};

/* nqueues 1..VIRTIO_BLK_QUEUES_MAX (clamped); usually one per vCPU. back outlives the device. */
void virtio_blk_init(struct virtio_blk *b, struct gpa_map *mem, struct io_block *back,
		     unsigned nqueues);

#endif
