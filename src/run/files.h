/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a thing and the host: `hull cp` and `hull commit`. A running
 * container's tree is entered as its process sees it; of an ended one the
 * root is mounted for the moment; a running machine's init does it inside.
 */
#ifndef HULL_RUN_FILES_H
#define HULL_RUN_FILES_H

#include "run/thing.h"

/* One side of a copy; thing NULL: the host. */
struct files_side {
	const struct thing *thing;
	const char *path;
};

/* Copies a file or a directory; `to` is a directory to put it in, or a new name. */
int files_copy(const struct files_side *from, const struct files_side *to, struct err *e);

/*
 * A new image from the thing's and what it changed; name NULL: none. changes:
 * Containerfile instructions. id holds IMAGE_DIGEST_MAX bytes.
 */
int files_commit(const struct thing *t, const char *name, const char *const *changes,
		 const char *comment, char *id, struct err *e);

#endif
