/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A length-checked window on bytes somebody else wrote (guest, disk, file,
 * network). Reads past the end give 0 and set `bad`, which sticks: parse the
 * whole header, then look at `bad` once. Freestanding; owns nothing.
 */
#ifndef HULL_BASE_SPAN_H
#define HULL_BASE_SPAN_H

#include "base/bits.h"
#include "base/endian.h"

struct span {
	const u8 *p;
	u64 len;
	bool bad;
};

static inline struct span span_of(const void *p, u64 len)
{
	return (struct span){.p = p, .len = len};
}

/* Pointer to [off, off+len), or NULL and sticky `bad`. */
static inline const u8 *span_at(struct span *s, u64 off, u64 len)
{
	if (!range_inside(off, len, s->len)) {
		s->bad = true;
		return NULL;
	}
	return s->p + off;
}

static inline u8 span_u8(struct span *s, u64 off)
{
	const u8 *p = span_at(s, off, 1);
	return p ? *p : 0;
}

static inline u16 span_le16(struct span *s, u64 off)
{
	const u8 *p = span_at(s, off, 2);
	return p ? load_le16(p) : 0;
}

static inline u32 span_le32(struct span *s, u64 off)
{
	const u8 *p = span_at(s, off, 4);
	return p ? load_le32(p) : 0;
}

static inline u64 span_le64(struct span *s, u64 off)
{
	const u8 *p = span_at(s, off, 8);
	return p ? load_le64(p) : 0;
}

/* A narrower span; on failure an empty bad one, and `s` is bad too. */
static inline struct span span_sub(struct span *s, u64 off, u64 len)
{
	const u8 *p = span_at(s, off, len);
	return (struct span){.p = p, .len = p ? len : 0, .bad = !p};
}

#endif
