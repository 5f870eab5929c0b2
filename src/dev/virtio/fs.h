/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio file system device (virtio 1.2 section 5.11): carries FUSE requests
 * between the driver and a back end (io/fs.h) and knows nothing of what they
 * say, but for the sixteen bytes of an error answer when the back end is gone.
 */
#ifndef HULL_DEV_VIRTIO_FS_H
#define HULL_DEV_VIRTIO_FS_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"
#include "io/fs.h"

#define VIRTIO_FS_SEGS 64u

struct virtio_fs;

struct virtio_fs_slot {
	struct io_fs_req req;
	struct virtio_fs *fs;
	struct virtq *q;
	bool busy;
	struct virtq_chain chain;
	struct io_vec iov[VIRTIO_FS_SEGS];
	u64 gpa[VIRTIO_FS_SEGS];
};

struct virtio_fs {
	struct virtio_dev dev;
	struct virtq vq[2]; /* high priority, requests */
	struct virtio_fs_config config;
	struct io_fs *back;
	unsigned in_flight;
	struct virtio_fs_slot slot[IO_FS_SLOTS];
};

/* back outlives the device. */
void virtio_fs_init(struct virtio_fs *f, struct gpa_map *mem, struct io_fs *back);

#endif
