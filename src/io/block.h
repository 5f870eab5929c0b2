/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A block back end as a device sees it: asynchronous, byte-addressed in
 * multiples of 512. A request belongs to the back end from submit until its
 * done() is called, exactly once, on the machine's event thread with the
 * machine lock held (never from inside submit). Several may be in flight and
 * finish in any order.
 */
#ifndef HULL_IO_BLOCK_H
#define HULL_IO_BLOCK_H

#include "base/types.h"

enum io_block_op {
	IO_BLOCK_READ,
	IO_BLOCK_WRITE,
	IO_BLOCK_FLUSH,
	IO_BLOCK_DISCARD,
	IO_BLOCK_WRITE_ZEROES,
};

/* Same layout as POSIX struct iovec. */
struct io_vec {
	void *base;
	size_t len;
};

struct io_block_req {
	enum io_block_op op;
	bool unmap;		  /* WRITE_ZEROES may deallocate */
	u64 offset, len;	  /* bytes; len of READ/WRITE equals the sum of iov */
	const struct io_vec *iov; /* READ/WRITE only; lives until done */
	unsigned niov;
	void (*done)(struct io_block_req *req, int err); /* 0 or -errno */
	void *opaque;
	void *backend; /* the back end's */
};

struct io_block;

struct io_block_ops {
	void (*submit)(struct io_block *b, struct io_block_req *req);
	/* May be NULL: ends a batch; submit may hold requests back until then. */
	void (*commit)(struct io_block *b);
};

/* Public part; a back end embeds it. Constant after creation. */
struct io_block {
	const struct io_block_ops *ops;
	u64 size;	/* bytes, multiple of 512 */
	u32 block_size; /* preferred I/O size, power of two >= 512 */
	bool readonly, can_discard, can_write_zeroes;
	char serial[21]; /* NUL-terminated, may be empty */
};

#endif
