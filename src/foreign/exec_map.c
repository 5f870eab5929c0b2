/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted set of address ranges: which guest pages may be executed.
 */
#include "foreign/exec_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first range that ends behind addr. */
static unsigned find(const struct exec_map *m, u64 addr)
{
	unsigned lo = 0, hi = m->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (m->range[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int make_room(struct exec_map *m)
{
	unsigned room = m->room ? m->room * 2 : 64;
	struct exec_range *r;

	if (m->n + 1 < m->room)
		return 0;
	if (room > FOREIGN_EXEC_MAX)
		return -ENOMEM;
	r = realloc(m->range, room * sizeof(*r));
	if (!r)
		return -ENOMEM;
	m->range = r;
	m->room = room;
	return 0;
}

static void drop(struct exec_map *m, unsigned at, unsigned n)
{
	memmove(m->range + at, m->range + at + n, (m->n - at - n) * sizeof(*m->range));
	m->n -= n;
}

static void put(struct exec_map *m, unsigned at, u64 start, u64 end)
{
	memmove(m->range + at + 1, m->range + at, (m->n - at) * sizeof(*m->range));
	m->range[at] = (struct exec_range){.start = start, .end = end};
	m->n++;
}

static void take_out(struct exec_map *m, u64 start, u64 end)
{
	unsigned i = find(m, start);

	if (i < m->n && m->range[i].start < start) {
		u64 tail = m->range[i].end;

		m->range[i].end = start;
		i++;
		if (tail > end) {
			put(m, i, end, tail);
			return;
		}
	}
	while (i < m->n && m->range[i].end <= end)
		drop(m, i, 1);
	if (i < m->n && m->range[i].start < end)
		m->range[i].start = end;
}

static void put_in(struct exec_map *m, u64 start, u64 end)
{
	unsigned i, n = 0;

	take_out(m, start, end);
	i = find(m, start);
	if (i > 0 && m->range[i - 1].end == start) {
		start = m->range[--i].start;
		n++;
	}
	if (i + n < m->n && m->range[i + n].start == end)
		end = m->range[i + n++].end;
	drop(m, i, n);
	put(m, i, start, end);
}

int exec_map_set(struct exec_map *m, u64 start, u64 end, bool on)
{
	int ret;

	if (start >= end)
		return 0;
	ret = make_room(m);
	if (ret)
		return ret;
	if (on)
		put_in(m, start, end);
	else
		take_out(m, start, end);
	return 0;
}

bool exec_map_has(const struct exec_map *m, u64 addr)
{
	unsigned i = find(m, addr);

	return i < m->n && m->range[i].start <= addr;
}

bool exec_map_meets(const struct exec_map *m, u64 start, u64 end)
{
	unsigned i = find(m, start);

	return i < m->n && m->range[i].start < end;
}
