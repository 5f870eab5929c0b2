/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar unpacked into a directory that serves as an overlayfs lower
 * directory (image-spec layer.md; kernel Documentation/filesystems/overlayfs.rst).
 *
 * Every path is resolved with openat2(RESOLVE_IN_ROOT) below the directory and
 * acted on through descriptors, so no name and no link, absolute, dangling or
 * with "..", leads out of it. ".." in an entry's own name is refused. Later
 * entries of the same name replace earlier ones, as tar has it. Whiteouts become
 * devices 0:0 and opaque directories the overlay xattr; an archive cannot set
 * overlay xattrs of its own.
 *
 * Not root: everything belongs to the user, devices are left out, and overlay
 * xattrs are of the user. namespace ("userxattr" mounts).
 */
#ifndef HULL_IMAGE_UNPACK_H
#define HULL_IMAGE_UNPACK_H

#include "image/tar.h"

struct unpack_limits {
	u64 bytes;   /* of file data in one layer */
	u64 entries; /* of the archive */
};

struct unpack_result {
	u64 bytes, entries, devices_skipped;
};

/* $HULL_LAYER_MAX bytes, default 64 GiB; 4 million entries. */
void unpack_limits_default(struct unpack_limits *out);

/*
 * whiteouts false: ".wh." names are plain names (an imported root). root is an
 * open directory, filled. limits NULL: the default ones. The archive is read to
 * the source's end.
 */
int unpack_tar(const struct source *from, int root, bool whiteouts,
	       const struct unpack_limits *limits, struct unpack_result *out, struct err *e);

/* The name overlayfs looks for: "trusted.overlay.opaque" as root, else "user.overlay.opaque". */
const char *unpack_opaque_xattr(void);

#endif
