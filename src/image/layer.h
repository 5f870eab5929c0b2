/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers on their way into the store: the bytes of a blob are pushed in, and
 * while they come they are hashed and kept, decompressed, hashed again (the
 * diff_id) and unpacked, each step in a thread of its own. Digests decide at
 * the end whether any of it stays.
 *
 * Unpacked layers are not waited for on disk. Each says in which boot of the
 * host it was made; one of another boot that has not been settled since counts
 * as missing and is made again from its blob, whose digest is then checked.
 */
#ifndef HULL_IMAGE_LAYER_H
#define HULL_IMAGE_LAYER_H

#include "image/store.h"
#include "image/unpack.h"

struct layer_job;

struct layer_want {
	const struct descriptor *blob; /* NULL: whatever the digest is (an import) */
	const struct digest *diff_id;  /* NULL: whatever it is */
	bool resume;		       /* keep and continue a partial download */
	bool plain_names;	       /* ".wh." names are no whiteouts */
};

/*
 * Starts the threads. The job belongs to one thread, and so does pushing. With
 * resume, layer_have() bytes of the blob are there already and must not be
 * pushed again.
 */
int layer_begin(struct image_store *s, const struct layer_want *want, struct layer_job **out,
		struct err *e);
u64 layer_have(const struct layer_job *j);
int layer_push(struct layer_job *j, const void *data, size_t len, struct err *e);
/*
 * All bytes are pushed: waits, verifies, names blob and layer. Gives both
 * digests and the blob's size and media type (NULL ok). Frees the job.
 */
int layer_finish(struct layer_job *j, struct descriptor *blob, struct digest *diff_id,
		 struct err *e);
/* Frees it without a result; a resumable part stays. NULL ok. */
void layer_abort(struct layer_job *j);

/* Is the layer unpacked, and beyond doubt? */
bool layer_present(const struct image_store *s, const struct digest *diff_id);
/* Unpacks it from its blob if it is not. */
int layer_ensure(struct image_store *s, const struct descriptor *blob, const struct digest *diff_id,
		 struct err *e);
/* Reads a blob from a source, of which the job takes all. */
int layer_from_source(struct image_store *s, const struct layer_want *want,
		      const struct source *from, struct descriptor *blob, struct digest *diff_id,
		      struct err *e);
/* Waits until layers of more than a minute ago are on disk, and says so in them. */
void layer_settle(struct image_store *s);

#endif
