/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of images as a whole: as a tar, and an image's merged root seen by
 * nobody else.
 */
#ifndef HULL_IMAGE_TREE_H
#define HULL_IMAGE_TREE_H

#include "image/image.h"
#include "image/tar.h"

enum tree_form {
	TREE_PLAIN,   /* as it is */
	TREE_OVERLAY, /* an overlayfs upper directory: whiteouts and opaque marks as layer.md has
			 them */
};

/*
 * Writes everything below dirfd as tar entries in name order, hard links within
 * as links, xattrs kept but overlayfs' own, sockets left out, other file
 * systems mounted below not entered. The root itself is the entry "./" if
 * with_root. Does not write the end of the archive.
 */
int tree_tar(const struct tar_writer *w, int dirfd, enum tree_form form, bool with_root,
	     struct err *e);

/*
 * Calls fn in a child process with the image's merged root mounted read-only at
 * a directory that only the child sees. What fn returns and its error come
 * back; nothing else does.
 */
int tree_with_root(struct image_store *s, const struct image *im,
		   int (*fn)(void *opaque, const char *root, struct err *e), void *opaque,
		   struct err *e);

#endif
