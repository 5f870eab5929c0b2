/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of the builder: a stage being built, and what changes its
 * config, its files, its cache.
 */
#ifndef HULL_IMAGE_BUILD_INTERNAL_H
#define HULL_IMAGE_BUILD_INTERNAL_H

#include "image/build.h"
#include "image/containerfile.h"
#include "image/fetch.h"
#include "image/ignore.h"

struct stage {
	char name[128]; /* AS; may be empty */
	json_t *config; /* the whole config document */
	struct descriptor layers[IMAGE_MAX_LAYERS];
	struct digest diff_ids[IMAGE_MAX_LAYERS];
	unsigned nlayers;
	struct digest key; /* of everything so far, for the cache */
	bool has_cmd;	   /* CMD stood in this file */
	json_t *args;	   /* ARG names to their values */
	bool done;
};

struct build {
	struct image_store *store;
	const struct image_build_options *o;
	struct containerfile file;
	struct ignore ignore;
	int context;	     /* directory */
	json_t *args;	     /* --build-arg */
	json_t *global_args; /* ARG before the first FROM */
	struct stage *stages;
	unsigned nstages;
	unsigned step, triggers; /* triggers: instructions that ONBUILD added */
};

/* ---- build.c ---- */

struct stage *build_current(struct build *b);
/* An earlier stage by name or number, or NULL. */
struct stage *build_find_stage(struct build *b, const char *name);
/* A layer from the cache, or by fn on the mounted root; text is what the step is known by. */
int build_step(struct build *b, struct stage *st, const char *text, const struct digest *more,
	       int (*fn)(void *opaque, const char *root, struct err *e), void *opaque,
	       struct err *e);
/* Absolute, from WORKDIR if it is not; out holds 4096 bytes. */
int build_absolute(struct stage *st, const char *path, char *out, struct err *e);

/* ---- build_files.c ---- */

int build_copy(struct build *b, const struct cf_instruction *x, struct err *e);

/* ---- build_config.c: instructions that only change the config ---- */

/* "config" of the document, made if missing. */
json_t *stage_config(struct stage *st);
/* 1 done, 0 not such an instruction, -errno. */
int config_instruction(struct stage *st, const struct cf_instruction *x, char escape,
		       struct err *e);
/* May ONBUILD have that instruction? */
bool onbuild_allowed(const char *name);
/* Environment first, then ARG values: for variables in instructions. */
const char *stage_variable(void *opaque, const char *name, size_t len);
/* NULL-terminated environment of a RUN step; list_free. */
int stage_environment(struct stage *st, char ***out, struct err *e);
/* The argv of a command in exec or shell form; the caller's, NULL without memory. */
json_t *stage_argv(struct stage *st, const struct cf_instruction *x);
/* A history entry; empty: no layer came of it. */
int stage_history(struct stage *st, const char *text, bool empty, struct err *e);

/* ---- build_copy.c ---- */

/* Copies what COPY and ADD name below dst of the mounted root. */
struct copy {
	int from;		     /* root of the sources */
	const struct ignore *ignore; /* NULL: nothing is left out */
	int root;		     /* of the image */
	char **sources;		     /* n of them */
	unsigned nsources;
	const char *dest; /* absolute */
	bool dest_is_dir; /* it ended in a slash, or there are several sources */
	bool own, unpack; /* own: uid and gid count; unpack: ADD of archives */
	u32 uid, gid;
	int mode; /* -1: as it is */
};

int copy_files(const struct copy *c, struct err *e);
/* Digest over names, modes and contents of what would be copied. */
int copy_digest(const struct copy *c, struct digest *out, struct err *e);
/* "user[:group]", names looked up in the root's own files. */
int copy_owner(int root, const char *text, u32 *uid, u32 *gid, struct err *e);
/* mkdir -p inside a root, 0755. An open descriptor of the directory, or -errno. */
int copy_make_dirs(int root, const char *path, struct err *e);

/* ---- build_step.c: layers ---- */

/* Runs fn on the stage's root, mounted; its upper directory becomes a layer if not empty. */
int step_layer(struct build *b, struct stage *st,
	       int (*fn)(void *opaque, const char *root, struct err *e), void *opaque, bool *empty,
	       struct err *e);
/* A layer from an overlay upper directory. */
int step_from_upper(struct image_store *s, const char *upper, struct descriptor *layer,
		    struct digest *diff_id, bool *empty, struct err *e);
/* Config and layers of a stored image into an empty stage. */
int stage_load(struct image_store *s, const struct image *base, struct stage *st, struct err *e);
/* Takes the layer of a key from the cache: 1 found (*empty: there was none to make), 0 not. */
int cache_find(struct build *b, struct stage *st, bool *empty);
void cache_keep(struct build *b, const struct stage *st, bool empty);
/* Makes the stage's key one of what it was, and text, and more (NULL ok). */
int cache_key(struct stage *st, const char *text, const struct digest *more, struct err *e);
/* The stage's layers as an image to mount; image_free. */
int step_image(struct build *b, const struct stage *st, struct image **out, struct err *e);

#endif
