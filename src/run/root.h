/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thing's root from its image: layers and an overlay for a container, one
 * block device for a machine. An image "dir:/PATH" is a directory of the
 * host's, for tests.
 */
#ifndef HULL_RUN_ROOT_H
#define HULL_RUN_ROOT_H

#include "run/thing.h"

struct run_root {
	char block[PATHS_MAX];
};

/* What an image says about its process; lists end with NULL, any member may be NULL. */
struct run_image {
	char **entrypoint, **cmd, **env;
	const char *user, *workdir, *stop_signal;
	void *own;
};

/* Looks up spec->image, and keeps its digest in the spec. */
int root_image(struct run_spec *spec, struct run_image *out, struct err *e);
void root_image_free(struct run_image *im);

/* The image's root as an EROFS file. */
int root_block(const struct thing *t, const struct run_spec *spec, struct run_root *out,
	       struct err *e);

#endif
