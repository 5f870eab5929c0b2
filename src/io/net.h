/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An Ethernet back end as a device sees it. Whole frames without FCS, at most
 * IO_NET_FRAME_MAX bytes. All calls run with the machine lock held.
 *
 * tx: device to world; copies before it returns; drops when the world is full.
 * rx: the back end calls the device's receive() when it has a frame; when that
 * returns false (no buffers) it keeps the frame and stops reading until the
 * device calls rx_ready().
 */
#ifndef HULL_IO_NET_H
#define HULL_IO_NET_H

#include "io/block.h"

#define IO_NET_FRAME_MAX 65550u

struct io_net;

struct io_net_ops {
	void (*tx)(struct io_net *n, const struct io_vec *iov, unsigned niov);
	void (*rx_ready)(struct io_net *n);
};

struct io_net {
	const struct io_net_ops *ops;
	u8 mac[6];
	u16 mtu;
	/* Filled in by the device when it attaches. */
	bool (*receive)(void *opaque, const void *frame, size_t len);
	void *opaque;
};

#endif
