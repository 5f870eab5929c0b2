/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LZ4's "legacy frame" as Linux packs kernels in it (lz4/doc/lz4_Frame_format.md,
 * "Legacy frame"; lz4_Block_format.md): blocks of a 32-bit size, each at most
 * 8 MiB unpacked and independent of the others. Input is hostile.
 */
#include "machine/boot/boot.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdlib.h>
#include <string.h>

#define LEGACY_MAGIC 0x184c2102u
#define BLOCK_MAX MIB(8)
#define MATCH_MIN 4u

struct lz4 {
	const u8 *in, *end; /* of the block */
	u8 *out;
	u64 len, cap; /* whole output */
	u64 start;    /* of the block's output: matches reach no further back */
};

/* A length whose nibble was 15 goes on in bytes until one is not 255. */
static bool more_length(struct lz4 *z, u64 *n)
{
	u8 b;

	do {
		if (z->in == z->end)
			return false;
		b = *z->in++;
		*n += b;
	} while (b == 255);
	return *n <= BLOCK_MAX;
}

static bool literals(struct lz4 *z, u64 n)
{
	if (n == 15 && !more_length(z, &n))
		return false;
	if (n > (u64)(z->end - z->in) || n > z->cap - z->len)
		return false;
	memcpy(z->out + z->len, z->in, n);
	z->in += n;
	z->len += n;
	return true;
}

static bool match(struct lz4 *z, u64 n)
{
	u64 distance;

	if (z->end - z->in < 2)
		return false;
	distance = load_le16(z->in);
	z->in += 2;
	if (n == 15 && !more_length(z, &n))
		return false;
	n += MATCH_MIN;
	if (!distance || distance > z->len - z->start || n > z->cap - z->len)
		return false;
	if (distance >= n) {
		memcpy(z->out + z->len, z->out + z->len - distance, n);
		z->len += n;
		return true;
	}
	for (; n; n--, z->len++) /* it repeats itself */
		z->out[z->len] = z->out[z->len - distance];
	return true;
}

/* The last sequence of a block has literals only. */
static bool block(struct lz4 *z)
{
	while (z->in < z->end) {
		u8 token = *z->in++;

		if (!literals(z, token >> 4))
			return false;
		if (z->in < z->end && !match(z, token & 15))
			return false;
	}
	return z->len - z->start <= BLOCK_MAX;
}

bool boot_is_lz4(const u8 *in, u64 len)
{
	return len > 12 && load_le32(in) == LEGACY_MAGIC;
}

int boot_unlz4(const u8 *in, u64 len, u64 limit, u8 **out, u64 *out_len)
{
	u64 at = 4, size;
	struct lz4 z = {0};

	if (!boot_is_lz4(in, len))
		return -E_INVAL;
	size = load_le32(in + len - 4); /* Linux appends how much comes out */
	if (!size)
		return -E_INVAL;
	if (size > limit)
		return -E_2BIG;
	z.cap = size;
	z.out = malloc(size);
	if (!z.out)
		return -E_NOMEM;
	while (at + 4 < len && z.len < size) {
		u64 n = load_le32(in + at);

		z.start = z.len;
		z.in = in + at + 4;
		z.end = z.in + n;
		if (!n || n > len - 4 - (at + 4) || !block(&z))
			break;
		at += 4 + n;
	}
	if (z.len != size) {
		free(z.out);
		return -E_INVAL;
	}
	*out = z.out;
	*out_len = size;
	return 0;
}
