/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression of layers (image/stream.h): gzip by ISA-L, zstd by libzstd,
 * both streaming with a bounded window.
 */
#include "image/stream.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* 128 MiB of history at most (zstd's own default limit for decoders, RFC 8878 3.1.1.1.2). */
#define ZSTD_WINDOW_LOG 27

/* Enough to tell every format. */
#define MAGIC_MAX 8u

struct inflate {
	struct source from;
	enum compression kind;
	const u8 *in; /* what is left of the source's last bytes */
	size_t left;
	u8 head[MAGIC_MAX]; /* the first bytes, where they came in small pieces */
	const u8 *behind;   /* what came after those */
	size_t behind_left;
	u64 taken;
	bool source_end, between; /* between: members or frames */
	struct inflate_state *gz;
	ZSTD_DCtx *zs;
};

enum compression compression_detect(const void *head, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		enum compression kind;
	} magics[] = {
		{"\x1f\x8b\x08", 3, COMPRESSION_GZIP},
		{"\x28\xb5\x2f\xfd", 4, COMPRESSION_ZSTD},
		{"BZh", 3, COMPRESSION_OTHER},
		{"\xfd"
		 "7zXZ",
		 5, COMPRESSION_OTHER},
		{"\x04\x22\x4d\x18", 4, COMPRESSION_OTHER},
	};

	for (unsigned i = 0; i < ARRAY_LEN(magics); i++)
		if (len >= magics[i].len && !memcmp(head, magics[i].magic, magics[i].len))
			return magics[i].kind;
	return COMPRESSION_NONE;
}

/* Makes z->left non-zero unless the source ends. */
static int refill(struct inflate *z, struct err *e)
{
	ssize_t n;

	if (z->left || z->source_end)
		return 0;
	if (z->behind_left) {
		z->in = z->behind;
		z->left = z->behind_left;
		z->behind_left = 0;
		return 0;
	}
	n = z->from.next(z->from.opaque, &z->in, e);
	if (n < 0)
		return (int)n;
	z->left = (size_t)n;
	z->taken += (u64)n;
	z->source_end = !n;
	return 0;
}

/* The first bytes, at least MAGIC_MAX of them if there are so many. */
static int first_bytes(struct inflate *z, struct err *e)
{
	size_t have = 0;
	int ret = refill(z, e);

	if (ret || z->left >= MAGIC_MAX)
		return ret;
	while (!ret && z->left && have < MAGIC_MAX) {
		size_t n = z->left < MAGIC_MAX - have ? z->left : MAGIC_MAX - have;

		memcpy(z->head + have, z->in, n);
		have += n;
		z->behind = z->in + n;
		z->behind_left = z->left - n;
		z->left = 0;
		if (have < MAGIC_MAX)
			ret = refill(z, e);
	}
	z->in = z->head;
	z->left = have;
	return ret;
}

static int start(struct inflate *z, struct err *e)
{
	z->between = true;
	if (z->kind == COMPRESSION_OTHER)
		return err_set(e, EOPNOTSUPP,
			       "compressed neither by gzip nor by zstd: decompress it first");
	if (z->kind == COMPRESSION_GZIP) {
		z->gz = malloc(sizeof(*z->gz));
		if (z->gz)
			isal_inflate_init(z->gz);
	} else if (z->kind == COMPRESSION_ZSTD) {
		z->zs = ZSTD_createDCtx();
		if (z->zs)
			ZSTD_DCtx_setParameter(z->zs, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	}
	if ((z->kind == COMPRESSION_GZIP && !z->gz) || (z->kind == COMPRESSION_ZSTD && !z->zs))
		return err_set(e, ENOMEM, "no memory");
	return 0;
}

int inflate_create(const struct source *from, struct inflate **out, struct err *e)
{
	struct inflate *z = calloc(1, sizeof(*z));
	int ret;

	*out = NULL;
	if (!z)
		return err_set(e, ENOMEM, "no memory");
	z->from = *from;
	ret = first_bytes(z, e);
	z->kind = compression_detect(z->in, z->left);
	if (!ret)
		ret = start(z, e);
	if (ret)
		inflate_destroy(z);
	else
		*out = z;
	return ret;
}

void inflate_destroy(struct inflate *z)
{
	if (!z)
		return;
	free(z->gz);
	ZSTD_freeDCtx(z->zs);
	free(z);
}

u64 inflate_taken(const struct inflate *z)
{
	return z->taken;
}

enum compression inflate_kind(const struct inflate *z)
{
	return z->kind;
}

static ssize_t plain_read(struct inflate *z, u8 *out, size_t cap)
{
	size_t n = z->left < cap ? z->left : cap;

	memcpy(out, z->in, n);
	z->in += n;
	z->left -= n;
	return (ssize_t)n;
}

static int gzip_member(struct inflate *z, struct err *e)
{
	int ret = 0;

	isal_inflate_reset(z->gz);
	z->gz->crc_flag = ISAL_GZIP;
	z->between = *z->in != 0x1f;
	/* RFC 1952 2.2: members only; gzip(1) ignores zeros after the last one, and so does hull.
	 */
	while (z->between && !ret && z->left) {
		for (; z->left; z->left--, z->in++)
			if (*z->in)
				return err_set(e, EBADMSG, "garbage after the gzip data");
		ret = refill(z, e);
	}
	return ret;
}

/* One step; *made is what came out. */
static int gzip_step(struct inflate *z, u8 *out, size_t cap, size_t *made, struct err *e)
{
	int ret = z->between ? gzip_member(z, e) : 0;

	if (ret || z->between)
		return ret;
	z->gz->next_in = (u8 *)z->in;
	z->gz->avail_in = (uint32_t)z->left;
	z->gz->next_out = out;
	z->gz->avail_out = (uint32_t)cap;
	ret = isal_inflate(z->gz);
	if (ret < 0)
		return err_set(e, EBADMSG, "damaged gzip data");
	z->in = z->gz->next_in;
	z->left = z->gz->avail_in;
	*made = cap - z->gz->avail_out;
	if (z->gz->block_state == ISAL_BLOCK_FINISH)
		z->between = true;
	return 0;
}

static int zstd_step(struct inflate *z, u8 *out, size_t cap, size_t *made, struct err *e)
{
	ZSTD_inBuffer in = {z->in, z->left, 0};
	ZSTD_outBuffer o = {out, cap, 0};
	size_t ret = ZSTD_decompressStream(z->zs, &o, &in);

	if (ZSTD_isError(ret))
		return err_set(e, EBADMSG, "damaged zstd data: %s", ZSTD_getErrorName(ret));
	z->in += in.pos;
	z->left -= in.pos;
	z->between = ret == 0;
	*made = o.pos;
	return 0;
}

ssize_t inflate_read(struct inflate *z, u8 *out, size_t cap, struct err *e)
{
	for (;;) {
		size_t made = 0;
		bool last;
		int ret = refill(z, e);

		if (ret)
			return ret;
		if (z->kind == COMPRESSION_NONE)
			return plain_read(z, out, cap);
		last = !z->left;
		if (last && z->between)
			return 0;
		if (z->kind == COMPRESSION_GZIP)
			ret = gzip_step(z, out, cap, &made, e);
		else
			ret = zstd_step(z, out, cap, &made, e);
		if (ret)
			return ret;
		if (made)
			return (ssize_t)made;
		if (last && !z->between)
			return err_set(e, EBADMSG, "compressed data is cut short");
	}
}
