/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared directory whose files another process serves (src/run/share.h):
 * FUSE requests and answers as datagrams of one SOCK_SEQPACKET socket, each
 * after a little-endian u32, the request's slot. So the machine's process
 * needs no file of the host's.
 */
#ifndef HULL_BLOCK_SHARE_H
#define HULL_BLOCK_SHARE_H

#include "host/loop.h"
#include "io/fs.h"

/* Longest datagram: 64 KiB of data and any header, linux/fuse.h. */
#define SHARE_DATAGRAM_MAX (68u << 10)

/* Takes fd over, also when it fails. No lock needed. */
int share_open(struct loop *l, const char *tag, int fd, struct io_fs **out, struct err *e);
/* NULL ok. Requests in flight are forgotten. Lock held. */
void share_close(struct io_fs *f);

#endif
