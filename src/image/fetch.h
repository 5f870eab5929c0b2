/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting an image into the store from wherever its blobs are: the one path
 * that pull (a registry) and load (an archive or layout) share. Also putting
 * new images together from a config and layers.
 */
#ifndef HULL_IMAGE_FETCH_H
#define HULL_IMAGE_FETCH_H

#include "image/layer.h"

struct fetch_sink {
	int (*push)(void *opaque, const void *data, size_t len, struct err *e);
	void *opaque;
};

struct fetch_ops {
	/*
	 * A manifest, index or config: all its bytes, at most DOC_MAX, for
	 * free(). -ENOENT: not there. One thread.
	 */
	int (*document)(void *opaque, const struct descriptor *d, char **data, size_t *len,
			struct err *e);
	/* The bytes of a blob from an offset on. Several threads at once. */
	int (*blob)(void *opaque, const struct descriptor *d, u64 from, const struct fetch_sink *to,
		    struct err *e);
	unsigned parallel; /* blobs at once, 1 to FETCH_PARALLEL_MAX */
	bool resume;	   /* partial blobs are worth keeping */
};

#define FETCH_PARALLEL_MAX 16u

struct fetch_options {
	const struct image_platform *platform; /* of an index; NULL: the host's */
	bool all;	  /* every image of an index that is there, whatever its platform */
	bool quiet;	  /* no progress on standard error */
	const char *what; /* for the progress line */
};

/*
 * Fetches what root names (a manifest or an index) with all below it, checks
 * every digest, unpacks layers. root->size 0 and media "" are allowed: not
 * known. The names are the caller's to give.
 */
int fetch_image(struct image_store *s, const struct fetch_ops *ops, void *opaque,
		const struct descriptor *root, const struct fetch_options *o, struct err *e);

/*
 * Stores a config and the manifest that joins it to its layers. The config's
 * rootfs is set here from diff_ids. id gets the config's digest. Takes nothing
 * over.
 */
int compose_image(struct image_store *s, json_t *config, const struct descriptor *layers,
		  const struct digest *diff_ids, unsigned n, struct descriptor *out,
		  struct digest *id, struct err *e);
/* The manifest alone, of a config that is stored. */
int compose_manifest(struct image_store *s, const struct descriptor *config,
		     const struct descriptor *layers, unsigned n, struct descriptor *out,
		     struct err *e);
/* "2026-01-02T03:04:05Z"; $SOURCE_DATE_EPOCH if set. out holds 40 bytes. */
void compose_time(char *out);

#endif
