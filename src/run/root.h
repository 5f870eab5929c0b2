/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thing's root from its stored image: layers and an overlay for a container,
 * one block device for a machine.
 */
#ifndef HULL_RUN_ROOT_H
#define HULL_RUN_ROOT_H

#include "image/image.h"
#include "run/thing.h"

/*
 * Looks up spec->image and keeps its digest in the spec, so that the thing
 * stays what it is when the name moves on. The image is the caller's
 * (image_free).
 */
int root_image(struct run_spec *spec, struct image **out, struct err *e);

/* Keeps the image's files as long as the thing is there; thing_remove lets them go. */
int root_pin(const struct thing *t, const struct image *im, struct err *e);

/* The image of a thing's digest, in its store; the caller's both (image_free, image_store_close).
 */
int root_resolve(const struct run_spec *spec, struct image_store **store, struct image **out,
		 struct err *e);

/* The image's root as an EROFS file; path holds PATHS_MAX bytes. */
int root_block(const struct run_spec *spec, char *path, struct err *e);

/*
 * Mounts the image and the thing's own layer at dir/root, in this process's
 * mount name space.
 */
int root_mount(const struct thing *t, const struct run_spec *spec, struct err *e);

#endif
