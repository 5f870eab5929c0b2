/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from a Containerfile (Dockerfile reference). RUN steps are carried out
 * by whoever calls: this folder knows no container engine.
 *
 * Instructions that change files work on an overlay of the layers so far; what
 * ends up in its upper directory is the next layer. Layers are cached below
 * cache/ in the store by a digest over all instructions before, and the contents
 * of what is copied.
 */
#ifndef HULL_IMAGE_BUILD_H
#define HULL_IMAGE_BUILD_H

#include "image/image.h"

/* One RUN step. All strings and lists are valid during the call only. */
struct image_run {
	const char *root;	    /* the mounted, writable root */
	char *const *argv;	    /* NULL-terminated */
	char *const *env;	    /* all of it, "NAME=value" */
	const char *workdir, *user; /* as in the config, may be empty */
	const struct image_platform *platform;
};

struct image_build_ops {
	/*
	 * Runs to its end with output to standard error. *status: exit status, 128 +
	 * signal. -errno: it could not be run.
	 */
	int (*run)(void *opaque, const struct image_run *r, int *status, struct err *e);
	void *opaque;
};

struct image_build_options {
	const char *context;	 /* directory */
	const char *file;	 /* NULL: Containerfile, else Dockerfile, of the context */
	const char *const *tags; /* NULL-terminated, may be NULL */
	const char *const *args; /* "NAME=value", or "NAME" for the environment's; likewise */
	const char *target;	 /* a stage's name or number; NULL: the last */
	const struct image_platform *platform;
	const struct image_build_ops *ops; /* NULL: RUN is refused */
	bool no_cache, quiet;
	/* To get a base image that is not stored; NULL: that is an error. */
	int (*pull)(void *opaque, struct image_store *s, const char *ref, struct err *e);
	void *opaque;
};

/*
 * Needs root, and a mount namespace that the caller made for it: mounts of a
 * build that is killed vanish with that. id (IMAGE_DIGEST_MAX) gets the ID.
 */
int image_build(struct image_store *s, const struct image_build_options *o, char *id,
		struct err *e);

/*
 * A new image from a stored one and an overlay upper directory, as `hull commit`
 * wants it. changes: Containerfile instructions on the config ("CMD [...]"),
 * NULL-terminated or NULL. id gets the ID; name NULL: none.
 */
int image_commit(struct image_store *s, const struct image *base, const char *upper,
		 const char *name, const char *const *changes, const char *comment, char *id,
		 struct err *e);

#endif
