/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing tar: POSIX.1-2017 pax interchange format (pax, section
 * "EXTENDED DESCRIPTION"), ustar, and GNU's long names and base-256 numbers
 * (GNU tar manual, "Basic Tar Format"). The reader trusts nothing: lengths,
 * numbers and names are bounded here; what a name means is judged by who
 * unpacks (image/unpack.h). Pure: bytes come from a struct source, go to a
 * callback.
 */
#ifndef HULL_IMAGE_TAR_H
#define HULL_IMAGE_TAR_H

#include "base/bits.h"
#include "image/stream.h"

#define TAR_BLOCK 512u
/* Names and link targets (Linux PATH_MAX), extended headers, xattrs of one entry. */
#define TAR_MAX_NAME 4096u
#define TAR_MAX_PAX MIB(1)
#define TAR_MAX_XATTRS 64u

enum tar_kind {
	TAR_FILE,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCKDEV,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name;
	const u8 *value;
	size_t len;
};

struct tar_entry {
	enum tar_kind kind;
	char name[TAR_MAX_NAME]; /* as written, no trailing slashes */
	char link[TAR_MAX_NAME]; /* target of a link */
	u32 mode;		 /* permission bits, 07777 */
	u32 uid, gid, major, minor;
	u64 size; /* of the data that follows; 0 but for files */
	s64 mtime;
	u32 mtime_ns;
	struct tar_xattr xattrs[TAR_MAX_XATTRS];
	unsigned nxattrs;
};

struct tar;

/* The source is only borrowed. */
int tar_open(const struct source *from, struct tar **out, struct err *e);
void tar_close(struct tar *t);
/*
 * The next entry, valid until the next call; what is left of the last one's
 * data is skipped. 1, 0 at the end of the archive, -errno (-EBADMSG: not tar).
 */
int tar_next(struct tar *t, const struct tar_entry **out, struct err *e);
/* Data of the current entry: number of bytes with *p set, 0 at its end, -errno. */
ssize_t tar_data(struct tar *t, const u8 **p, struct err *e);
/* Where in the archive the current entry's data begins. */
u64 tar_offset(const struct tar *t);
/* Reads and drops all that follows the archive's end; 0 or -errno. */
int tar_drain(struct tar *t, struct err *e);

/* ---- writing ---- */

struct tar_writer {
	int (*write)(void *opaque, const void *data, size_t len, struct err *e);
	void *opaque;
};

/* Header of an entry, extended where ustar does not do. Its data and tar_pad follow. */
int tar_put(const struct tar_writer *w, const struct tar_entry *t, struct err *e);
/* Zeros up to the next block after size bytes of data. */
int tar_pad(const struct tar_writer *w, u64 size, struct err *e);
/* Header, data and padding of a plain file. */
int tar_put_file(const struct tar_writer *w, const char *name, const void *data, size_t len,
		 struct err *e);
/* The two zero blocks at the end. */
int tar_finish(const struct tar_writer *w, struct err *e);

#endif
