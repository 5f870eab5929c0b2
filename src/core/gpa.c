/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/gpa.h"

#include "base/bits.h"

int gpa_slot_add(struct gpa_map *m, const struct gpa_slot *s)
{
	unsigned i;
	u64 end;

	if (!s->size || (s->gpa | s->size) & (GPA_PAGE_SIZE - 1) || !s->host || !s->page_flags ||
	    add_overflow(s->gpa, s->size, &end))
		return -E_INVAL;
	if (m->nslots == GPA_MAX_SLOTS)
		return -E_NOSPC;
	for (i = m->nslots; i > 0 && m->slot[i - 1].gpa > s->gpa; i--)
		;
	if (i > 0 && m->slot[i - 1].gpa + m->slot[i - 1].size > s->gpa)
		return -E_INVAL;
	if (i < m->nslots && end > m->slot[i].gpa)
		return -E_INVAL;
	for (unsigned k = m->nslots; k > i; k--)
		m->slot[k] = m->slot[k - 1];
	m->slot[i] = *s;
	m->nslots++;
	return 0;
}

struct gpa_slot *gpa_slot_find(const struct gpa_map *m, u64 gpa)
{
	unsigned lo = 0, hi = m->nslots;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct gpa_slot *s = &m->slot[mid];

		if (gpa < s->gpa)
			hi = mid;
		else if (gpa - s->gpa >= s->size)
			lo = mid + 1;
		else
			return (struct gpa_slot *)s;
	}
	return NULL;
}

void *gpa_ptr(const struct gpa_map *m, u64 gpa, u64 len, bool write)
{
	const struct gpa_slot *s = gpa_slot_find(m, gpa);

	if (!s || (write && s->readonly) || !range_inside(gpa - s->gpa, len, s->size))
		return NULL;
	return s->host + (gpa - s->gpa);
}

void gpa_written(struct gpa_map *m, u64 gpa, u64 len)
{
	u64 page = align_down(gpa, GPA_PAGE_SIZE);

	if (!len || !m->page_written)
		return;
	/*
	 * The bytes must be out before we look whether anybody holds a translation
	 * of them: a translator sets the flag first and reads the bytes after.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* Count pages, not addresses: gpa + len may wrap for hostile input. */
	for (u64 left = (gpa - page + len - 1) / GPA_PAGE_SIZE + 1; left; left--) {
		struct gpa_slot *s = gpa_slot_find(m, page);

		if (!s)
			return;
		if (__atomic_load_n((u8 *)&s->page_flags[(page - s->gpa) >> GPA_PAGE_SHIFT],
				    __ATOMIC_SEQ_CST))
			m->page_written(m->opaque, s, page);
		page += GPA_PAGE_SIZE;
	}
}

/* One contiguous piece of [gpa, gpa+len): its host address and length, or NULL. */
static u8 *gpa_piece(const struct gpa_map *m, u64 gpa, u64 len, u64 *piece, bool write)
{
	const struct gpa_slot *s = gpa_slot_find(m, gpa);

	if (!s || (write && s->readonly))
		return NULL;
	*piece = min_u64(len, s->size - (gpa - s->gpa));
	return s->host + (gpa - s->gpa);
}

int gpa_read(const struct gpa_map *m, u64 gpa, void *buf, u64 len)
{
	u64 n;

	for (u8 *out = buf; len; gpa += n, out += n, len -= n) {
		const u8 *p = gpa_piece(m, gpa, len, &n, false);

		if (!p)
			return -E_FAULT;
		for (u64 i = 0; i < n; i++)
			out[i] = p[i];
	}
	return 0;
}

int gpa_write(struct gpa_map *m, u64 gpa, const void *buf, u64 len)
{
	u64 n;

	for (const u8 *in = buf; len; gpa += n, in += n, len -= n) {
		u8 *p = gpa_piece(m, gpa, len, &n, true);

		if (!p)
			return -E_FAULT;
		for (u64 i = 0; i < n; i++)
			p[i] = in[i];
		gpa_written(m, gpa, n);
	}
	return 0;
}
