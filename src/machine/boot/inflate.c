/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip decompression (RFC 1951, RFC 1952) for kernels that come compressed:
 * multiboot images in distributions do. Input is hostile; output is bounded.
 */
#include "machine/boot/boot.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_BITS = 15,
	NUM_LIT = 288,
	NUM_DIST = 30,
	END_OF_BLOCK = 256,
	GZ_HEADER = 10,
	GZ_TRAILER = 8,
	GZ_FHCRC = 2,
	GZ_FEXTRA = 4,
	GZ_FNAME = 8,
	GZ_FCOMMENT = 16,
};

struct inflate {
	const u8 *in;
	u64 len, pos;
	u64 bits;
	unsigned nbits;
	u8 *out;
	u64 out_len, out_cap, limit;
	int err; /* sticks */
};

/* Canonical Huffman code: codes of each length, symbols in code order. */
struct huffman {
	u16 count[MAX_BITS + 1];
	u16 symbol[NUM_LIT];
};

static unsigned take_bits(struct inflate *s, unsigned n)
{
	unsigned v;

	while (s->nbits < n) {
		if (s->pos == s->len) {
			s->err = -E_INVAL;
			return 0;
		}
		s->bits |= (u64)s->in[s->pos++] << s->nbits;
		s->nbits += 8;
	}
	v = (unsigned)bits_get(s->bits, 0, n);
	s->bits >>= n;
	s->nbits -= n;
	return v;
}

static bool out_reserve(struct inflate *s, u64 n)
{
	u64 cap = s->out_cap;
	u8 *p;

	if (n > s->limit - s->out_len) {
		s->err = -E_2BIG;
		return false;
	}
	if (s->out_len + n <= cap)
		return true;
	while (cap < s->out_len + n)
		cap = cap ? cap * 2 : MIB(1);
	p = realloc(s->out, cap);
	if (!p) {
		s->err = -E_NOMEM;
		return false;
	}
	s->out = p;
	s->out_cap = cap;
	return true;
}

/* False when more codes are asked for than there are. */
static bool huffman_build(struct huffman *h, const u8 *lengths, unsigned n)
{
	u16 offset[MAX_BITS + 2] = {0};
	int left = 1;

	memset(h->count, 0, sizeof(h->count));
	for (unsigned i = 0; i < n; i++)
		h->count[lengths[i]]++;
	h->count[0] = 0;
	for (unsigned len = 1; len <= MAX_BITS; len++) {
		left = left * 2 - h->count[len];
		if (left < 0)
			return false;
		offset[len + 1] = offset[len] + h->count[len];
	}
	for (unsigned i = 0; i < n; i++)
		if (lengths[i])
			h->symbol[offset[lengths[i]]++] = (u16)i;
	return true;
}

static unsigned huffman_decode(struct inflate *s, const struct huffman *h)
{
	int code = 0, first = 0, index = 0;

	for (unsigned len = 1; len <= MAX_BITS && !s->err; len++) {
		int count = h->count[len];

		code |= (int)take_bits(s, 1);
		if (code - count < first)
			return h->symbol[index + (code - first)];
		index += count;
		first = (first + count) << 1;
		code <<= 1;
	}
	if (!s->err)
		s->err = -E_INVAL;
	return END_OF_BLOCK;
}

static void copy_match(struct inflate *s, unsigned len, unsigned dist)
{
	if (dist > s->out_len) {
		s->err = -E_INVAL;
		return;
	}
	if (!out_reserve(s, len))
		return;
	for (; len; len--, s->out_len++)
		s->out[s->out_len] = s->out[s->out_len - dist];
}

/* RFC 1951 section 3.2.5 */
static void inflate_codes(struct inflate *s, const struct huffman *lit, const struct huffman *dist)
{
	static const u16 len_base[29] = {3,  4,	 5,  6,	  7,   8,   9,	 10,  11, 13,
					 15, 17, 19, 23,  27,  31,  35,	 43,  51, 59,
					 67, 83, 99, 115, 131, 163, 195, 227, 258};
	static const u8 len_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
	static const u16 dist_base[NUM_DIST] = {1,    2,    3,	  4,	 5,	7,    9,    13,
						17,   25,   33,	  49,	 65,	97,   129,  193,
						257,  385,  513,  769,	 1025,	1537, 2049, 3073,
						4097, 6145, 8193, 12289, 16385, 24577};

	while (!s->err) {
		unsigned sym = huffman_decode(s, lit), len, d;

		if (s->err || sym == END_OF_BLOCK)
			return;
		if (sym < END_OF_BLOCK) {
			if (out_reserve(s, 1))
				s->out[s->out_len++] = (u8)sym;
			continue;
		}
		sym -= END_OF_BLOCK + 1;
		if (sym >= ARRAY_LEN(len_base)) {
			s->err = -E_INVAL;
			return;
		}
		len = len_base[sym] + take_bits(s, len_extra[sym]);
		d = huffman_decode(s, dist);
		if (s->err || d >= NUM_DIST) {
			s->err = s->err ? s->err : -E_INVAL;
			return;
		}
		d = dist_base[d] + take_bits(s, d < 4 ? 0 : d / 2 - 1);
		if (!s->err)
			copy_match(s, len, d);
	}
}

static void inflate_fixed(struct inflate *s)
{
	struct huffman lit, dist;
	u8 len[NUM_LIT];

	for (unsigned i = 0; i < NUM_LIT; i++)
		len[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	huffman_build(&lit, len, NUM_LIT);
	memset(len, 5, NUM_DIST);
	huffman_build(&dist, len, NUM_DIST);
	inflate_codes(s, &lit, &dist);
}

/* Code lengths are run-length coded themselves (section 3.2.7). */
static void read_lengths(struct inflate *s, const struct huffman *h, u8 *len, unsigned n)
{
	unsigned i = 0;

	while (i < n && !s->err) {
		unsigned sym = huffman_decode(s, h), repeat = 1;
		u8 value = (u8)sym;

		if (sym >= 16) {
			value = sym == 16 && i ? len[i - 1] : 0;
			repeat = sym == 16   ? 3 + take_bits(s, 2)
				 : sym == 17 ? 3 + take_bits(s, 3)
					     : 11 + take_bits(s, 7);
		}
		if (repeat > n - i || (sym == 16 && !i) || sym > 18)
			s->err = s->err ? s->err : -E_INVAL;
		for (; !s->err && repeat; repeat--)
			len[i++] = value;
	}
}

static void inflate_dynamic(struct inflate *s)
{
	static const u8 order[19] = {16, 17, 18, 0, 8,	7, 9,  6, 10, 5,
				     11, 4,  12, 3, 13, 2, 14, 1, 15};
	unsigned nlit = take_bits(s, 5) + 257, ndist = take_bits(s, 5) + 1, ncode;
	struct huffman lit, dist;
	u8 len[NUM_LIT + 32] = {0};

	ncode = take_bits(s, 4) + 4;
	for (unsigned i = 0; i < ncode; i++)
		len[order[i]] = (u8)take_bits(s, 3);
	if (s->err || nlit > 286 || ndist > NUM_DIST || !huffman_build(&lit, len, 19)) {
		s->err = s->err ? s->err : -E_INVAL;
		return;
	}
	memset(len + 19, 0, sizeof(len) - 19);
	read_lengths(s, &lit, len, nlit + ndist);
	if (!s->err &&
	    (!huffman_build(&lit, len, nlit) || !huffman_build(&dist, len + nlit, ndist)))
		s->err = -E_INVAL;
	if (!s->err)
		inflate_codes(s, &lit, &dist);
}

static void inflate_stored(struct inflate *s)
{
	unsigned len;

	s->bits = s->nbits = 0;
	if (!range_inside(s->pos, 4, s->len)) {
		s->err = -E_INVAL;
		return;
	}
	len = load_le16(s->in + s->pos);
	if (len != (u16)~load_le16(s->in + s->pos + 2) || !range_inside(s->pos + 4, len, s->len)) {
		s->err = -E_INVAL;
		return;
	}
	s->pos += 4;
	if (!out_reserve(s, len) || !len)
		return;
	memcpy(s->out + s->out_len, s->in + s->pos, len);
	s->out_len += len;
	s->pos += len;
}

static void inflate_run(struct inflate *s)
{
	bool last;

	do {
		last = take_bits(s, 1);
		switch (take_bits(s, 2)) {
		case 0:
			inflate_stored(s);
			break;
		case 1:
			inflate_fixed(s);
			break;
		case 2:
			inflate_dynamic(s);
			break;
		default:
			s->err = -E_INVAL;
		}
	} while (!s->err && !last);
}

/* Length of the gzip header, or 0 when it is not one (RFC 1952 section 2.3). */
static u64 gzip_header_len(const u8 *in, u64 len)
{
	u64 at = GZ_HEADER;
	unsigned flags;

	if (len < GZ_HEADER + GZ_TRAILER || in[0] != 0x1f || in[1] != 0x8b || in[2] != 8)
		return 0;
	flags = in[3];
	if (flags & GZ_FEXTRA)
		at += 2u + load_le16(in + at);
	for (unsigned strings = !!(flags & GZ_FNAME) + !!(flags & GZ_FCOMMENT); strings;
	     strings--) {
		while (at < len && in[at])
			at++;
		at++;
	}
	if (flags & GZ_FHCRC)
		at += 2;
	return at + GZ_TRAILER <= len ? at : 0;
}

static u32 crc32(const u8 *p, u64 len)
{
	u32 table[256], crc = ~0u;

	for (u32 i = 0; i < 256; i++) {
		table[i] = i;
		for (unsigned k = 0; k < 8; k++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
	}
	for (u64 i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
	return ~crc;
}

int boot_gunzip(const u8 *in, u64 len, u64 limit, u8 **out, u64 *out_len)
{
	struct inflate s = {.in = in, .len = len, .limit = limit};

	s.pos = gzip_header_len(in, len);
	if (!s.pos)
		return -E_INVAL;
	s.len -= GZ_TRAILER;
	inflate_run(&s);
	if (!s.err &&
	    (s.pos + GZ_TRAILER > len || load_le32(in + s.pos) != crc32(s.out, s.out_len) ||
	     load_le32(in + s.pos + 4) != (u32)s.out_len))
		s.err = -E_INVAL;
	if (s.err) {
		free(s.out);
		return s.err;
	}
	*out = s.out;
	*out_len = s.out_len;
	return 0;
}
