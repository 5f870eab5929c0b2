/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio entropy device (virtio 1.2 section 5.4) over io/entropy.h. */
#ifndef HULL_DEV_VIRTIO_RNG_H
#define HULL_DEV_VIRTIO_RNG_H

#include "dev/virtio/virtio.h"
#include "io/entropy.h"

struct virtio_rng {
	struct virtio_dev dev;
	struct virtq vq[1];
	struct io_entropy source;
};

void virtio_rng_init(struct virtio_rng *r, struct gpa_map *mem, const struct io_entropy *source);

#endif
