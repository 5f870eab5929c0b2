/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of vsock as unix stream sockets, the way Firecracker does it:
 *
 *   host to guest: connect to PATH, send "CONNECT <port>\n"; when the guest has
 *	accepted, "OK <host port>\n" comes back and the stream is through. When
 *	it refuses, the connection is closed.
 *   guest to host (CID 2): a connection to port P arrives at PATH_P, where some
 *	other program listens.
 *
 * Bytes wait in the sockets and in one window per connection, never without
 * bound.
 */
#ifndef HULL_NET_VSOCK_UNIX_H
#define HULL_NET_VSOCK_UNIX_H

#include "host/loop.h"
#include "io/vsock.h"

#define VSOCK_UNIX_CLIENTS 256u

/* Listens on path, which must not exist. Errors name it. No lock needed. */
int vsock_unix_open(struct loop *l, const char *path, struct io_vsock **out, struct err *e);
/* Closes everything and removes path, if the sandbox lets it. NULL ok. Lock held. */
void vsock_unix_close(struct io_vsock *v);
/* Removes path if it is a socket at which nobody listens; for who is outside the sandbox. */
void vsock_unix_unlink(const char *path);

#endif
