/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw disk images: a file or a block device behind io/block.h, read and written
 * directly from and to guest memory. Requests run by io_uring, or by a few
 * threads where io_uring is not permitted; several at once, in any order.
 *
 * A writable image is locked exclusively, a read-only one shared (open file
 * description locks), so that two machines never write one image.
 *
 * What the host cannot do (ENOSPC, EIO ...) is reported to the guest as a
 * failed request, with one log line; nothing is ever reported done that is not.
 */
#ifndef HULL_BLOCK_RAW_H
#define HULL_BLOCK_RAW_H

#include "host/loop.h"
#include "io/block.h"

struct raw_config {
	const char *path;
	bool readonly;
	const char *serial; /* at most 20 characters; NULL: none */
	bool threads;	    /* do not use io_uring */
};

/* l outlives the image. Errors name the path. Threads start with the first request. */
int raw_open(struct loop *l, const struct raw_config *cfg, struct io_block **out, struct err *e);

/* Waits until nothing is in flight; done() of what was runs before this returns. Lock held. */
void raw_drain(struct io_block *b);

/* Drains, writes everything to stable storage, closes. NULL ok. Lock held. */
void raw_close(struct io_block *b);

#endif
