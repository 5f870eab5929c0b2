/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/pages.h"

#include "base/bits.h"

#include <string.h>

enum { LARGE = 512 }; /* pages from which on a run is aligned to 2 MiB and taken from the top */

void pages_init(struct pages *p, u8 *map, u64 n)
{
	memset(p, 0, sizeof(*p));
	memset(map, OWNER_NOBODY, n);
	p->owner = map;
	p->n = p->high_hint = n;
	p->low_hint = 1;
	p->count[OWNER_NOBODY] = n;
}

static void assign(struct pages *p, u64 first, u64 n, unsigned owner)
{
	for (u64 i = first; i < first + n; i++) {
		p->count[p->owner[i]]--;
		p->owner[i] = (u8)owner;
	}
	p->count[owner] += n;
}

void pages_assign(struct pages *p, u64 addr, u64 size, unsigned owner)
{
	u64 first = align_up(addr, PAGE_SIZE) / PAGE_SIZE, end;

	/* What is not ours is so down to its last byte. */
	if (owner != OWNER_FREE)
		first = addr / PAGE_SIZE;
	if (add_overflow(addr, size, &end))
		end = ~0ULL;
	end = owner != OWNER_FREE ? (end / PAGE_SIZE + (end % PAGE_SIZE != 0)) : end / PAGE_SIZE;
	first = max_u64(first, 1); /* page 0 stays nobody's: it is NULL */
	end = min_u64(end, p->n);
	if (first < end)
		assign(p, first, end - first, owner);
}

static bool run_is_free(const struct pages *p, u64 at, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (p->owner[at + i] != OWNER_FREE)
			return false;
	return true;
}

static u64 find_high(struct pages *p, u64 n)
{
	u64 at = p->n < n ? 0 : align_down(min_u64(p->high_hint, p->n - n), LARGE);

	for (; at; at -= LARGE)
		if (run_is_free(p, at, n))
			return at;
	return 0;
}

static u64 find_low(struct pages *p, u64 n)
{
	u64 step = is_pow2(n) ? n : 1;

	for (u64 at = align_up(p->low_hint, step); at + n <= p->n; at += step)
		if (run_is_free(p, at, n))
			return at;
	return 0;
}

u64 pages_alloc(struct pages *p, u64 n, unsigned owner)
{
	u64 at;

	if (!n || owner >= OWNERS_MAX)
		return 0;
	spin_lock(&p->lock);
	at = n >= LARGE ? find_high(p, n) : find_low(p, n);
	if (at) {
		assign(p, at, n, owner);
		if (n == 1)
			p->low_hint = at + 1;
	}
	spin_unlock(&p->lock);
	return at * PAGE_SIZE;
}

bool pages_free(struct pages *p, u64 addr, u64 n, unsigned owner)
{
	u64 first = addr / PAGE_SIZE;
	bool ok = range_inside(first, n, p->n);

	spin_lock(&p->lock);
	for (u64 i = 0; ok && i < n; i++)
		ok = p->owner[first + i] == owner;
	if (ok) {
		assign(p, first, n, OWNER_FREE);
		p->low_hint = min_u64(p->low_hint, first);
	}
	spin_unlock(&p->lock);
	return ok;
}

u64 pages_free_all(struct pages *p, unsigned owner)
{
	u64 n;

	spin_lock(&p->lock);
	n = p->count[owner];
	for (u64 i = 1, left = n; left && i < p->n; i++) {
		if (p->owner[i] != owner)
			continue;
		assign(p, i, 1, OWNER_FREE);
		p->low_hint = min_u64(p->low_hint, i);
		left--;
	}
	spin_unlock(&p->lock);
	return n;
}

unsigned pages_owner(const struct pages *p, u64 addr)
{
	return addr / PAGE_SIZE < p->n ? p->owner[addr / PAGE_SIZE] : OWNER_NOBODY;
}
