/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host's end of a machine's stream sockets (vsock). The device keeps the
 * protocol and the table of connections; the back end has one byte stream for
 * each. Connections are small numbers, 0 .. IO_VSOCK_CONNS - 1, given by the
 * device. All calls run with the machine lock held; none may call back from
 * inside itself unless said.
 */
#ifndef HULL_IO_VSOCK_H
#define HULL_IO_VSOCK_H

#include "base/types.h"

#define IO_VSOCK_CONNS 256u

struct io_vsock;

/* Device to back end. */
struct io_vsock_ops {
	/* The guest connects to the host's port. 0 or -errno: refused (no close follows). */
	int (*open)(struct io_vsock *v, unsigned conn, u32 port);
	/* The guest has accepted a connection the host asked for (connect below). */
	void (*accepted)(struct io_vsock *v, unsigned conn);
	/*
	 * Guest to host: takes all of it (the device never has more than
	 * IO_VSOCK_WINDOW outstanding); calls consumed() as it gets rid of it,
	 * also from inside.
	 */
	void (*send)(struct io_vsock *v, unsigned conn, const void *buf, size_t len);
	/* The guest will send no more. */
	void (*eof)(struct io_vsock *v, unsigned conn);
	/*
	 * The connection is gone, the number will be used again; what send() was
	 * given still goes out.
	 */
	void (*close)(struct io_vsock *v, unsigned conn);
	/* receive() may be tried again. */
	void (*rx_ready)(struct io_vsock *v, unsigned conn);
};

#define IO_VSOCK_WINDOW (64u << 10)

struct io_vsock {
	const struct io_vsock_ops *ops;
	/* Filled in by the device when it attaches. */
	void *opaque;
	/* The host connects to a guest port: the connection's number, or -errno. */
	int (*connect)(void *opaque, u32 guest_port, u32 *host_port);
	/* Host to guest: how much was taken; after less than all wait for rx_ready. */
	size_t (*receive)(void *opaque, unsigned conn, const void *buf, size_t len);
	/* n bytes that send() gave have left the back end. */
	void (*consumed)(void *opaque, unsigned conn, size_t n);
	/*
	 * The host will send no more. all: nor take any more; the number is not the
	 * back end's any longer and no close follows.
	 */
	void (*hangup)(void *opaque, unsigned conn, bool all);
};

#endif
