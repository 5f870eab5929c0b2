/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio socket device (virtio 1.2 section 5.10), host end: stream connections
 * in both directions with credit-based flow control, over io/vsock.h.
 *
 * A connection is one row of a fixed table. What is owed to the driver (a
 * response, a reset, credit ...) is a bit in the row, sent in a fixed order as
 * receive buffers come, so nothing is ever allocated or queued without bound.
 *
 *	guest: REQUEST -> open() ok -> OPEN, RESPONSE owed
 *	host:  connect() -> CONNECTING, REQUEST owed -> RESPONSE -> OPEN
 *	OPEN:  SHUTDOWN of both directions or RST by the guest -> close(), FREE
 *	       hangup(all) by the host -> CLOSING, SHUTDOWN owed -> RST -> FREE
 */
#ifndef HULL_DEV_VIRTIO_VSOCK_H
#define HULL_DEV_VIRTIO_VSOCK_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"
#include "io/vsock.h"

#define VIRTIO_VSOCK_RESETS 64u /* owed for connections we do not know */

enum vsock_conn_state { VSOCK_FREE, VSOCK_CONNECTING, VSOCK_OPEN, VSOCK_CLOSING };

struct vsock_conn {
	u8 state; /* enum vsock_conn_state */
	u8 owed;
	bool starved; /* the back end waits for rx_ready */
	bool asked;   /* a credit request is out */
	bool guest_sent_eof;
	u32 guest_port, host_port;
	u32 peer_alloc, peer_fwd; /* the driver's receive buffer and what left it */
	u32 sent;		  /* bytes to the guest */
	u32 received, consumed;	  /* bytes from the guest */
	u32 told;		  /* consumed, as the driver last heard it */
	u64 age;
};

struct vsock_reset {
	u64 src_cid, dst_cid;
	u32 src_port, dst_port;
	u16 type;
};

struct virtio_vsock {
	struct virtio_dev dev;
	struct virtq vq[3];
	u8 config[8]; /* guest_cid, section 5.10.4 */
	u64 cid;
	struct io_vsock *back;
	u32 next_port;
	u64 clock; /* counts connections: ages */
	struct vsock_conn conn[IO_VSOCK_CONNS];
	struct vsock_reset reset[VIRTIO_VSOCK_RESETS];
	unsigned nresets;
};

/* cid >= 3. back outlives the device. */
void virtio_vsock_init(struct virtio_vsock *v, struct gpa_map *mem, struct io_vsock *back, u32 cid);

#endif
