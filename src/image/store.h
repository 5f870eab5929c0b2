/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's inside (layout in image/image.h): locks, blobs, names, pins,
 * garbage. For the files of image/ and the commands that list and tidy.
 *
 * Locks: `lock` is held shared by every open store and exclusively to collect
 * garbage; `index.lock` exclusively around a change of index.json. Both are
 * flock(2)s, so that they end with the process.
 *
 * Durability: a blob and index.json are on disk before they get their names.
 * Unpacked layers and block images are not waited for; see layer.h.
 */
#ifndef HULL_IMAGE_STORE_H
#define HULL_IMAGE_STORE_H

#include "image/manifest.h"

struct image_store {
	char dir[PATHS_MAX];
	int fd;	     /* the directory, -1: a missing store opened for reading */
	int lock_fd; /* -1 likewise */
	bool writable;
};

/* ---- blobs ---- */

/* "blobs/sha256/HEX"; out holds 100 bytes. */
void blob_path(const struct digest *d, char *out);
/* True, and its size, if the blob is there. */
bool blob_stat(const struct image_store *s, const struct digest *d, u64 *size);
/* Takes a damaged one away. */
void blob_forget(const struct image_store *s, const struct digest *d);
/* A read-only descriptor, the caller's, or -ENOENT. */
int blob_open(const struct image_store *s, const struct digest *d, struct err *e);
/*
 * The bytes of a small blob (at most DOC_MAX), checked against its digest;
 * free() them.
 */
int blob_read(const struct image_store *s, const struct digest *d, char **data, size_t *len,
	      struct err *e);

/* A blob being written. Zeroed, blob_abort does nothing. */
struct blob_writer {
	const struct image_store *store;
	struct hash hash;
	u64 size;
	int fd;
	bool open, keep; /* keep: abort leaves the partial file for a later resume */
	char path[100];	 /* below the store */
};

/* resume NULL: a fresh temporary file. */
int blob_begin(const struct image_store *s, struct blob_writer *w, struct err *e);
/*
 * A partial file of that digest, kept over failures, to be resumed: its present
 * size is w->size and hashed. -EBUSY if another process is writing it.
 */
int blob_resume(const struct image_store *s, struct blob_writer *w, const struct digest *d,
		struct err *e);
int blob_write(struct blob_writer *w, const void *data, size_t len, struct err *e);
/* Is what was written so far the whole of that blob? 0 or -EBADMSG, as blob_commit says it. */
int blob_check(const struct blob_writer *w, const struct digest *want, u64 want_size,
	       struct err *e);
/*
 * Complete and named. want NULL: whatever it is, see out (NULL ok); want_size (u64)-1: any.
 * Another digest or size than wanted is -EBADMSG, and nothing stays behind.
 */
int blob_commit(struct blob_writer *w, const struct digest *want, u64 want_size, struct digest *out,
		struct err *e);
void blob_abort(struct blob_writer *w);
/* All at once. */
int blob_put(const struct image_store *s, const void *data, size_t len, struct digest *out,
	     struct err *e);

/* ---- names ---- */

struct index_entries {
	struct descriptor *v; /* each with a name, in the index' order */
	unsigned n;
};

/* What index.json says now; index_free the result. */
int index_load(const struct image_store *s, struct index_entries *out, struct err *e);
void index_free(struct index_entries *x);
/* Gives the manifest a name (canonical, ref.h), taking it from whatever had it. */
int index_tag(const struct image_store *s, const char *name, const struct descriptor *d,
	      struct err *e);
/* Takes a name away; -ENOENT if there is no such. */
int index_untag(const struct image_store *s, const char *name, struct err *e);

/* ---- finding ---- */

/*
 * What a reference names: an index entry, or what a digest or an ID means, then
 * without a name. -ENOENT.
 */
int store_find(const struct image_store *s, const char *ref, struct descriptor *out, struct err *e);
/*
 * The image manifest behind a descriptor: follows indexes to the platform among
 * what is stored. want NULL: the host's. manifest_fini the result; *at is its
 * own descriptor.
 */
int store_manifest(const struct image_store *s, const struct descriptor *d,
		   const struct image_platform *want, struct descriptor *at, struct manifest *out,
		   struct err *e);
/*
 * Calls fn for each image manifest below a descriptor that is stored, with its
 * descriptor. Stops when fn returns non-zero and returns that.
 */
int store_each_manifest(const struct image_store *s, const struct descriptor *d,
			int (*fn)(void *opaque, const struct descriptor *at,
				  const struct manifest *m),
			void *opaque, struct err *e);
/* Is that manifest the one of a descriptor, or below it? */
bool store_holds(const struct image_store *s, const struct descriptor *d,
		 const struct digest *manifest);
/* The image of a manifest without its layer directories; image_free. */
int store_image(const struct image_store *s, const struct descriptor *at, const struct manifest *m,
		struct image **out, struct err *e);

/* ---- garbage ---- */

struct prune_result {
	unsigned names, blobs, layers, blocks;
	u64 bytes; /* of blobs and block images */
};

/*
 * Removes what no name and no pin refers to; with all, first every name whose
 * image is not pinned. wait: for other processes to close the store (10 s),
 * else -EBUSY at once.
 */
int store_prune(struct image_store *s, bool all, bool wait, struct prune_result *out,
		struct err *e);
/* Is an image below the descriptor pinned? */
bool store_is_pinned(struct image_store *s, const struct descriptor *d);
/* Calls fn for the manifest digest of each pin. */
int store_each_pin(const struct image_store *s,
		   int (*fn)(void *opaque, const char *owner, const struct digest *manifest),
		   void *opaque, struct err *e);

/* ---- files ---- */

/* A fresh file or directory below tmp/; its path below the store goes to out (100 bytes). */
int store_temp_file(const struct image_store *s, char *out, struct err *e);
int store_temp_dir(const struct image_store *s, char *out, struct err *e);
/* Deepest directory a layer may have. */
#define TREE_MAX_DEPTH 400u
/* Removes a file or a tree below dirfd, never following a link. 0 or -errno. */
int store_tree_remove(int dirfd, const char *name);
/* -errno with a message of the full disk or quota kind, where it is one. */
int store_io_error(const struct image_store *s, const char *what, struct err *e);

#endif
