/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as a stream, for `hull cp` and `hull commit`: one side walks a tree, the
 * other builds it. Both run as root of the tree they work on (chroot into the
 * container's, the machine's or the host's directory), so that no link leads
 * elsewhere; used by src/run and by guest/init.
 *
 * An entry is a head of COPY_HEAD bytes, a name, a link target, extended attributes and the data,
 * all little-endian; names are relative, without "..". The reader takes the
 * writer for hostile.
 */
#ifndef HULL_RUN_COPY_H
#define HULL_RUN_COPY_H

#include "base/types.h"

#include <stdio.h>

#define COPY_HEAD 56u
#define COPY_NAME_MAX 4096u
#define COPY_DEPTH_MAX 200u
#define COPY_XATTRS_MAX (96u << 10) /* of one file, names and values */

/* Overlay's own marks go along: whiteouts (device 0:0) and opaque directories. */
#define COPY_OVERLAY 1u
/*
 * The host's side of somebody who is not root: what comes in is his, whoever
 * owned it; what goes out and belongs to nobody he has an ID for is root's.
 */
#define COPY_USER 2u
#define COPY_NOBODY 65534u /* proc(5), overflowuid */

struct copy_entry {
	u32 mode, uid, gid; /* mode 0 ends the stream */
	u32 opaque;
	u64 size, mtime_ns;
	char name[COPY_NAME_MAX], link[COPY_NAME_MAX];
	u32 nxattrs; /* bytes, see copy_xattr.c */
	u8 xattrs[COPY_XATTRS_MAX];
};

/*
 * Takes an entry's head, name and link target from bytes; 0 or the number of
 * bytes it took; -1: it makes no sense. Pure.
 */
long copy_parse(const u8 *p, size_t len, struct copy_entry *out);

/* copy_xattr.c: is that a list of attributes that may be set? Pure. */
bool copy_xattrs_ok(const u8 *p, u32 len);
/* Those of an open file into c. -1: more than there is room for. */
int copy_xattrs_read(int fd, struct copy_entry *c);
/* c's to an open file; what its file system does not have is left out. -1 with errno. */
int copy_xattrs_set(int fd, const struct copy_entry *c, unsigned flags);

/*
 * Writes path (absolute or relative to the current directory) and what is below
 * it; names begin with its last component ("." gives all in it, without a name
 * of its own). 0, or -1 with a line on standard error.
 */
int copy_out(FILE *to, const char *path, unsigned flags);

/*
 * Builds what the stream says in the directory dest; with dest no directory,
 * the first entry gets dest as its name. 0, or -1 with a line on standard error.
 */
int copy_in(FILE *from, const char *dest, unsigned flags);

#endif
