/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio network device (virtio 1.2 section 5.1) over an io_net back end: one
 * receive and one transmit queue, mergeable receive buffers, control queue for
 * receive mode and MAC address. No offloads: the back ends carry whole frames
 * with checksums, and large ones (MTU 65520) do what segmentation offload would.
 */
#ifndef HULL_DEV_VIRTIO_NET_H
#define HULL_DEV_VIRTIO_NET_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"
#include "io/net.h"

struct virtio_net {
	struct virtio_dev dev;
	struct virtq vq[3];
	struct virtio_net_config config;
	struct io_net *back;
	bool promiscuous;
	u8 mac[6]; /* the one the driver uses now */
	u64 rx_frames, tx_frames, rx_dropped, tx_dropped;
};

/* Takes the receive side of back, which outlives the device. */
void virtio_net_init(struct virtio_net *n, struct gpa_map *mem, struct io_net *back);

#endif
