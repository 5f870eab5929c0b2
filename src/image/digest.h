/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests (image-spec descriptor.md, "Digests"): sha256 only. Used all
 * over image/; knows no files.
 */
#ifndef HULL_IMAGE_DIGEST_H
#define HULL_IMAGE_DIGEST_H

#include "host/err.h"

/* "sha256:" + 64 lower-case hexadecimal digits + NUL. */
struct digest {
	char s[72];
};

#define DIGEST_PREFIX 7 /* length of "sha256:" */

/* -EINVAL unless text is a well-formed sha256 digest. text NULL is malformed. */
int digest_parse(const char *text, struct digest *out, struct err *e);
static inline const char *digest_hex(const struct digest *d)
{
	return d->s + DIGEST_PREFIX;
}
bool digest_equal(const struct digest *a, const struct digest *b);
/* Digest of the bytes; 0 or -ENOMEM. */
int digest_of(const void *data, size_t len, struct digest *out, struct err *e);

/* A digest in the making. Zeroed is a valid, not begun one. */
struct hash {
	void *ctx;
};

int hash_begin(struct hash *h, struct err *e);
void hash_add(struct hash *h, const void *data, size_t len);
/* A second one in the same state, for looking at it half-way. */
int hash_copy(struct hash *to, const struct hash *from, struct err *e);
/* Gives the digest of all added and frees. */
void hash_end(struct hash *h, struct digest *out);
/* Frees without a result; idempotent. */
void hash_drop(struct hash *h);

#endif
