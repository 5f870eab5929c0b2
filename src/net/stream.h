/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet frames over a connected stream socket, each after its length as a
 * 32-bit big-endian number: what passt (and QEMU's -netdev stream) speak.
 *
 * Frames to the world that the socket does not take at once wait in a bounded
 * buffer; when that is full they are dropped, as a network does. All calls run
 * with the machine lock held.
 */
#ifndef HULL_NET_STREAM_H
#define HULL_NET_STREAM_H

#include "host/loop.h"
#include "io/net.h"

#define STREAM_RX_SIZE (256u << 10)
#define STREAM_TX_SIZE (1u << 20)

struct net_stream {
	struct io_net io;
	struct loop *loop;
	struct loop_fd watch;
	int fd;
	u32 events;  /* what the watch waits for */
	u8 *rx, *tx; /* STREAM_RX_SIZE and STREAM_TX_SIZE bytes */
	size_t rx_at, rx_end;
	size_t tx_at, tx_end;
	bool rx_held; /* the device had no buffers for the frame at rx_at */
	bool dead;
	u64 tx_dropped;
	/* The peer is gone or sent nonsense; called once. */
	void (*lost)(void *opaque, const char *why);
	void *opaque;
};

/* Takes fd (makes it non-blocking; closed by fini, also on error). */
int net_stream_init(struct net_stream *s, struct loop *l, int fd, struct err *e);
void net_stream_fini(struct net_stream *s);

#endif
