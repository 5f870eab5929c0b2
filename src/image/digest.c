/* SPDX-License-Identifier: Apache-2.0 */
#include "image/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SHA256_BYTES 32
#define HEX_DIGITS (2 * SHA256_BYTES)

static_assert(sizeof(((struct digest *)0)->s) == DIGEST_PREFIX + HEX_DIGITS + 1, "digest text");

int digest_parse(const char *text, struct digest *out, struct err *e)
{
	if (!text)
		return err_set(e, EINVAL, "a digest is missing");
	if (!strncmp(text, "sha512:", 7))
		return err_set(e, EOPNOTSUPP, "digest %.80s: only sha256 is supported", text);
	if (strncmp(text, "sha256:", DIGEST_PREFIX) || strlen(text) != DIGEST_PREFIX + HEX_DIGITS ||
	    strspn(text + DIGEST_PREFIX, "0123456789abcdef") != HEX_DIGITS)
		return err_set(e, EINVAL, "%.80s is no sha256 digest", text);
	memcpy(out->s, text, sizeof(out->s));
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return !memcmp(a->s, b->s, sizeof(a->s));
}

static void digest_print(const u8 *bytes, struct digest *out)
{
	memcpy(out->s, "sha256:", DIGEST_PREFIX);
	for (unsigned i = 0; i < SHA256_BYTES; i++)
		snprintf(out->s + DIGEST_PREFIX + 2 * i, 3, "%02x", bytes[i]);
}

int hash_begin(struct hash *h, struct err *e)
{
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)) {
		hash_drop(h);
		return err_set(e, ENOMEM, "no memory for a digest");
	}
	return 0;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	EVP_DigestUpdate(h->ctx, data, len);
}

int hash_copy(struct hash *to, const struct hash *from, struct err *e)
{
	int ret = hash_begin(to, e);

	if (ret)
		return ret;
	if (EVP_MD_CTX_copy_ex(to->ctx, from->ctx))
		return 0;
	hash_drop(to);
	return err_set(e, ENOMEM, "no memory for a digest");
}

void hash_end(struct hash *h, struct digest *out)
{
	u8 bytes[EVP_MAX_MD_SIZE] = {0};

	EVP_DigestFinal_ex(h->ctx, bytes, NULL);
	digest_print(bytes, out);
	hash_drop(h);
}

void hash_drop(struct hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

int digest_of(const void *data, size_t len, struct digest *out, struct err *e)
{
	struct hash h;
	int ret = hash_begin(&h, e);

	if (ret)
		return ret;
	hash_add(&h, data, len);
	hash_end(&h, out);
	return 0;
}
