/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Nested page tables; contract in npt.h. Level 1 entries are 4K pages, level 2
 * 2M, level 3 1G. Hardware walks the tables while they change: an entry is
 * written once, whole, after what it points to is complete; a table that became
 * unreachable is emptied, chained through its first entry (page aligned, so "not
 * present" in both formats) and freed by npt_reap.
 */
#include "core/npt.h"
#include "base/bits.h"
#include "core/port.h"

#define ENTRIES 512u
#define PA_MASK BITS(12, 51)
#define TOP_PAGE 3u /* largest page: level 3 */

/* ---- formats ------------------------------------------------------------------ */

/* AMD APM vol. 2, 15.25.5: long-mode entries; nested walks are user accesses. */
enum { AMD_P = 1, AMD_RW = 2, AMD_US = 4, AMD_PCD = 16, AMD_A = 32, AMD_D = 64, AMD_PS = 128 };
#define AMD_NX BIT(63)

static u64 amd_leaf(u32 prot)
{
	u64 e = AMD_P | AMD_US | AMD_A | AMD_D;

	e |= prot & NPT_WRITE ? AMD_RW : 0;
	e |= prot & NPT_EXEC ? 0 : AMD_NX;
	return e | (prot & NPT_UNCACHED ? AMD_PCD : 0);
}

const struct npt_format npt_format_amd = {
	.table = AMD_P | AMD_RW | AMD_US | AMD_A,
	.large = AMD_PS,
	.write = AMD_RW,
	.leaf = amd_leaf,
};

/* Intel SDM vol. 3C, tables 29-1 to 29-7: permissions in bits 0-2, memory type in 3-5. */
enum { EPT_WB = 6 << 3, EPT_LARGE = 128 };

static u64 ept_leaf(u32 prot)
{
	return (prot & NPT_RWX) | (prot & NPT_UNCACHED ? 0 : EPT_WB);
}

const struct npt_format npt_format_ept = {
	.table = NPT_RWX,
	.large = EPT_LARGE,
	.write = NPT_WRITE,
	.leaf = ept_leaf,
};

/* ---- tables ------------------------------------------------------------------- */

static u64 level_size(unsigned level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

static u64 *entry_of(u64 *table, unsigned level, u64 gpa)
{
	return &table[gpa >> (12 + 9 * (level - 1)) & (ENTRIES - 1)];
}

static void entry_set(u64 *e, u64 val)
{
	__atomic_store_n(e, val, __ATOMIC_RELEASE);
}

static bool is_page(const struct npt *t, u64 e, unsigned level)
{
	return level == 1 || (e & t->fmt->large);
}

static u64 *table_of(u64 e)
{
	return port_va(e & PA_MASK);
}

static u64 *table_new(struct npt *t)
{
	u64 *p = port_page_alloc(0);

	t->tables += p != NULL;
	return p;
}

/* Replace one entry by another, keeping count; a table below the old one becomes garbage. */
static void entry_replace(struct npt *t, u64 *e, unsigned level, u64 val)
{
	u64 old = *e, *sub;

	entry_set(e, val);
	if (val && is_page(t, val, level))
		t->pages[level - 1]++;
	if (!old)
		return;
	if (is_page(t, old, level)) {
		t->pages[level - 1]--;
		return;
	}
	sub = table_of(old);
	for (unsigned i = 0; i < ENTRIES; i++)
		if (sub[i])
			entry_replace(t, &sub[i], level - 1, 0);
	sub[0] = (u64)(uintptr_t)t->garbage;
	t->garbage = sub;
}

/* A large page becomes a table of pages one level smaller. */
static int entry_split(struct npt *t, u64 *e, unsigned level)
{
	u64 *sub = table_new(t), old = *e;

	if (!sub)
		return -E_NOMEM;
	if (level == 2)
		old &= ~t->fmt->large;
	for (unsigned i = 0; i < ENTRIES; i++)
		sub[i] = old + i * level_size(level - 1);
	entry_set(e, port_pa(sub) | t->fmt->table);
	t->pages[level - 1]--;
	t->pages[level - 2] += ENTRIES;
	return 0;
}

/* The table below *e, made if there is none. */
static u64 *descend(struct npt *t, u64 *e, unsigned level)
{
	u64 *sub;

	if (!*e) {
		sub = table_new(t);
		if (sub)
			entry_set(e, port_pa(sub) | t->fmt->table);
		return sub;
	}
	if (is_page(t, *e, level) && entry_split(t, e, level))
		return NULL;
	return table_of(*e);
}

static int map_one(struct npt *t, u64 gpa, u64 pa, unsigned level, u32 prot)
{
	u64 *table = t->root, val = pa | t->fmt->leaf(prot) | (level > 1 ? t->fmt->large : 0);

	for (unsigned l = t->levels; l > level && table; l--)
		table = descend(t, entry_of(table, l, gpa), l);
	if (!table)
		return -E_NOMEM;
	entry_replace(t, entry_of(table, level, gpa), level, val);
	return 0;
}

static bool level_allowed(const struct npt *t, unsigned level)
{
	return level == 1 || (t->sizes & (level == 2 ? NPT_2M : NPT_1G));
}

static unsigned best_level(const struct npt *t, u64 gpa, u64 pa, u64 size)
{
	for (unsigned l = TOP_PAGE; l > 1; l--)
		if (level_allowed(t, l) && !((gpa | pa) & (level_size(l) - 1)) &&
		    size >= level_size(l))
			return l;
	return 1;
}

/* ---- ranges ------------------------------------------------------------------------ */

/* What to do with the mapped entries of a range. */
struct change {
	bool unmap; /* else write-protect */
	bool changed;
};

static void change_entry(struct npt *t, u64 *e, unsigned level, struct change *c)
{
	if (c->unmap)
		entry_replace(t, e, level, 0);
	else if (!(*e & t->fmt->write))
		return;
	else
		entry_set(e, *e & ~t->fmt->write);
	c->changed = true;
}

static void change_range(struct npt *t, u64 *table, unsigned level, u64 gpa, u64 end,
			 struct change *c)
{
	u64 next, size = level_size(level), *e;

	for (; gpa < end; gpa = next) {
		next = min_u64(align_down(gpa, size) + size, end);
		e = entry_of(table, level, gpa);
		if (!*e)
			continue;
		if (level == 1 ||
		    (is_page(t, *e, level) && (next - gpa == size || entry_split(t, e, level))))
			change_entry(t, e, level, c);
		else
			change_range(t, table_of(*e), level - 1, gpa, next, c);
	}
}

static bool range_ok(const struct npt *t, u64 gpa, u64 size)
{
	return !((gpa | size) & 4095) && range_inside(gpa, size, level_size(t->levels + 1));
}

static bool change(struct npt *t, u64 gpa, u64 size, bool unmap)
{
	struct change c = {.unmap = unmap};
	u64 top = level_size(t->levels + 1);

	if (gpa >= top)
		return false;
	change_range(t, t->root, t->levels, gpa, gpa + min_u64(size, top - gpa), &c);
	return c.changed;
}

/* ---- public -------------------------------------------------------------------------- */

int npt_init(struct npt *t, const struct npt_format *fmt, unsigned levels, u32 sizes)
{
	*t = (struct npt){.fmt = fmt, .levels = levels, .sizes = sizes};
	t->root = table_new(t);
	return t->root ? 0 : -E_NOMEM;
}

void npt_fini(struct npt *t)
{
	if (!t->root)
		return;
	for (unsigned i = 0; i < ENTRIES; i++)
		if (t->root[i])
			entry_replace(t, &t->root[i], t->levels, 0);
	npt_reap(t, t->garbage);
	port_page_free(t->root, 0);
	t->root = NULL;
	t->tables--;
}

int npt_map(struct npt *t, u64 gpa, u64 pa, u64 size, u32 prot)
{
	unsigned level;
	int err;

	if (!range_ok(t, gpa, size) || (pa & ~PA_MASK) || !(prot & NPT_READ))
		return -E_INVAL;
	while (size) {
		level = best_level(t, gpa, pa, size);
		err = map_one(t, gpa, pa, level, prot);
		if (err)
			return err;
		gpa += level_size(level);
		pa += level_size(level);
		size -= level_size(level);
	}
	return 0;
}

bool npt_unmap(struct npt *t, u64 gpa, u64 size)
{
	return change(t, gpa, size, true);
}

bool npt_write_protect(struct npt *t, u64 gpa, u64 size)
{
	return change(t, gpa, size, false);
}

void npt_reap(struct npt *t, u64 *list)
{
	u64 *next;

	for (u64 *p = list; p; p = next) {
		next = (u64 *)(uintptr_t)p[0];
		port_page_free(p, 0);
		t->tables--;
	}
}
