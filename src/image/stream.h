/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of bytes inside the image pipeline: sources that are pulled, a ring
 * between two threads, decompression. A layer goes
 *
 *	file or network -> hash, blob file -> ring -> inflate -> ring -> untar
 *	                                                           \-> hash
 *
 * with a thread on each side of a ring (image/layer.c). Knows nothing of images.
 */
#ifndef HULL_IMAGE_STREAM_H
#define HULL_IMAGE_STREAM_H

#include "host/err.h"

#include <sys/types.h>

struct source {
	/*
	 * The next bytes: their number with *p set, 0 at the end, -errno. They
	 * stay valid until the next call. Not called again after 0 or an error.
	 */
	ssize_t (*next)(void *opaque, const u8 **p, struct err *e);
	void *opaque;
};

/* A part of an open file, by pread. len (u64)-1: to its end. */
struct file_source {
	int fd;
	u64 at, left;
	const char *what; /* names it in messages */
	u8 *buf;
};

int file_source_init(struct file_source *f, int fd, u64 at, u64 len, const char *what,
		     struct source *out, struct err *e);
/* Does not close fd. Idempotent. */
void file_source_fini(struct file_source *f);

/* The same by read(2), for pipes. */
struct pipe_source {
	int fd;
	const char *what;
	u8 *buf;
};

int pipe_source_init(struct pipe_source *f, int fd, const char *what, struct source *out,
		     struct err *e);
void pipe_source_fini(struct pipe_source *f);

/* ---- a ring of chunks: one writer, one or two readers, each in its own thread ---- */

struct ring;

#define RING_READERS 2u

int ring_create(unsigned readers, struct ring **out, struct err *e);
/* Nobody may be inside. NULL ok. */
void ring_destroy(struct ring *r);
/*
 * Room for up to *cap bytes, waited for; NULL when the readers have given up.
 * ring_put makes the first len bytes of it visible.
 */
u8 *ring_room(struct ring *r, size_t *cap);
void ring_put(struct ring *r, size_t len);
/* Copies; false when the readers have given up. */
bool ring_write(struct ring *r, const void *data, size_t len);
/* No more comes. status 0, or -errno for the readers with the writer's message. */
void ring_end(struct ring *r, int status, const struct err *why);
/* A reader wants no more: the writer is told. */
void ring_cancel(struct ring *r);
/* The reader's side as a source; n < readers. */
struct ring_reader {
	struct ring *ring;
	unsigned n;
};
struct source ring_source(struct ring_reader *rr, struct ring *r, unsigned n);

/* ---- decompression ---- */

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_OTHER };

/* By its first bytes (RFC 1952, RFC 8878); OTHER: bzip2, xz, lz4, which hull does not read. */
enum compression compression_detect(const void *head, size_t len);

struct inflate;

/*
 * Decompresses what `from` gives, by its first bytes; passes on what is not
 * compressed. Several gzip members or zstd frames in a row are one stream, as
 * the tools have it. -EBADMSG on damage, -EOPNOTSUPP for other compressions.
 */
int inflate_create(const struct source *from, struct inflate **out, struct err *e);
void inflate_destroy(struct inflate *z);
/*
 * Up to cap bytes to out: their number, 0 at the end, -errno. cap at least a
 * byte.
 */
ssize_t inflate_read(struct inflate *z, u8 *out, size_t cap, struct err *e);
/* Compressed bytes taken so far. */
u64 inflate_taken(const struct inflate *z);
enum compression inflate_kind(const struct inflate *z);

#endif
