/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named files read from a directory or from a tar archive alike: what `hull
 * load` reads. An archive is indexed once; one that is compressed or comes
 * through a pipe is first unwound into a temporary file of the store.
 */
#ifndef HULL_IMAGE_PACK_H
#define HULL_IMAGE_PACK_H

#include "image/store.h"

struct pack;

/* Where a file's bytes are: fd belongs to whoever asked. */
struct pack_file {
	int fd;
	u64 at, size;
};

/* path "-": standard input. */
int pack_open(const struct image_store *s, const char *path, struct pack **out, struct err *e);
/* NULL ok. */
void pack_close(struct pack *p);
bool pack_is_dir(const struct pack *p);
/*
 * name is relative, "blobs/sha256/...". Links are followed within the pack
 * only. -ENOENT. close(out->fd) after use.
 */
int pack_find(struct pack *p, const char *name, struct pack_file *out, struct err *e);
/* A whole file of at most DOC_MAX bytes; free(). */
int pack_read(struct pack *p, const char *name, char **data, size_t *len, struct err *e);

#endif
