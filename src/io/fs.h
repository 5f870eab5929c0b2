/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A shared directory as a device sees it: FUSE requests go to whoever serves
 * them and answers come back, in any order. A request belongs to the back end
 * from submit until done(), which is called exactly once on the machine's
 * event thread with the machine lock held, never from inside submit.
 */
#ifndef HULL_IO_FS_H
#define HULL_IO_FS_H

#include "io/block.h"

struct io_fs_req {
	const struct io_vec *out; /* the request */
	unsigned nout;
	const struct io_vec *in; /* room for the answer; none: there will be no answer */
	unsigned nin;
	/* len bytes of the answer are in place, or nobody serves any more (lost). */
	void (*done)(struct io_fs_req *r, u32 len, bool lost);
	struct io_fs_req *next; /* the back end's */
	u32 slot;		/* the device's: small, unique among those in flight */
};

struct io_fs;

struct io_fs_ops {
	/* A request without room for an answer is done when submit returns; no done() follows. */
	void (*submit)(struct io_fs *f, struct io_fs_req *r);
};

#define IO_FS_TAG_MAX 36 /* virtio 1.2 section 5.11.4 */
#define IO_FS_SLOTS 32u

struct io_fs {
	const struct io_fs_ops *ops;
	char tag[IO_FS_TAG_MAX + 1];
};

#endif
