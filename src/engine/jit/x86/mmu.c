/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The soft TLB: filling, growing, flushing, the set-aside tables of other PCIDs,
 * and the protection of pages that hold translated code.
 *
 * Only the owning thread writes entries, with one exception: x86_tlb_protect
 * may empty a write entry from any thread. The protocol: the
 * page's flag is set first; an owner that installs a write entry re-reads the
 * flag afterwards (both sides with a full fence), so one of the two notices.
 *
 * Size: a table starts with X86_TLB_MIN entries and doubles when it was filled
 * more often than it has entries since the last flush.
 */
#include "engine/jit/x86/sys.h"

static struct x86_tlb_entry *entry_of(const struct x86_vcpu *c, struct x86_tlb_entry *table,
				      enum x86_mmu mmu, u64 linear)
{
	return (void *)((char *)table + (linear >> 8 & c->tlb_mask[mmu]));
}

static unsigned entries(const struct x86_vcpu *c, enum x86_mmu mmu)
{
	return c->tlb_mask[mmu] / 16 + 1;
}

static void table_clear(struct x86_tlb_entry *t, unsigned n)
{
	x86_fill(t, 0, n * sizeof(*t));
	t[0].page = x86_tlb_empty(0);
}

static void fetch_clear(struct x86_vcpu *c, bool global_too)
{
	c->tlb_gen++;
	for (unsigned i = 0; i < X86_FETCH_CACHE; i++)
		if (global_too || !c->sys->fetch[i].global)
			c->sys->fetch[i].page = X86_TLB_EMPTY;
	if (c->vm->jit)
		jit_tlb_flushed(c, global_too);
}

static void mmu_clear(struct x86_vcpu *c, enum x86_mmu mmu)
{
	table_clear(c->tlb[mmu].rd, entries(c, mmu));
	table_clear(c->tlb[mmu].wr, entries(c, mmu));
	c->sys->nonglobal_n[mmu] = 0;
	if (c->vm->jit)
		jit_slots_clear(c, mmu);
}

/* Change size: larger after many fills, back to the smallest after few. The table is empty after.
 */
static void mmu_resize(struct x86_vcpu *c, enum x86_mmu mmu)
{
	unsigned n = entries(c, mmu), fills = c->sys->fills[mmu];

	c->sys->fills[mmu] = 0;
	if (fills > n && n < X86_TLB_MAX)
		n *= 2;
	else if (fills < n / 8 && n > X86_TLB_MIN)
		n /= 2;
	c->tlb_mask[mmu] = (n - 1) * 16;
}

void x86_tlb_init(struct x86_vcpu *c)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		c->tlb_mask[m] = (X86_TLB_MIN - 1) * 16;
		mmu_clear(c, m);
	}
	fetch_clear(c, true);
}

static bool is_large(const u64 filter[2], u64 linear, unsigned shift)
{
	return filter[linear >> 63] >> (linear >> shift & 63) & 1;
}

void x86_tlb_note_large(struct x86_vcpu *c, u64 linear, unsigned shift)
{
	struct x86_sys *s = c->sys;

	if (shift >= 30)
		s->large_1g[linear >> 63] |= BIT(linear >> 30 & 63);
	else if (shift > 12) {
		/* 4 MiB pages of 32-bit paging are two of these. */
		s->large_2m[linear >> 63] |= BIT(linear >> 21 & 63);
		if (shift == 22)
			s->large_2m[linear >> 63] |= BIT((linear ^ MIB(2)) >> 21 & 63);
	}
}

static void nonglobal_note(struct x86_vcpu *c, enum x86_mmu mmu, u64 linear)
{
	unsigned *n = &c->sys->nonglobal_n[mmu];

	if (*n < X86_NONGLOBAL_MAX)
		c->sys->nonglobal[mmu][*n] = (u16)((linear >> 8 & c->tlb_mask[mmu]) / 16);
	if (*n <= X86_NONGLOBAL_MAX)
		++*n;
}

/* Drop the entries of non-global pages. */
static void mmu_clear_nonglobal(struct x86_vcpu *c, enum x86_mmu mmu)
{
	struct x86_sys *s = c->sys;

	if (mmu == X86_MMU_USER || s->nonglobal_n[mmu] > X86_NONGLOBAL_MAX) {
		mmu_resize(c, mmu);
		mmu_clear(c, mmu);
		return;
	}
	for (unsigned i = 0; i < s->nonglobal_n[mmu]; i++) {
		unsigned k = s->nonglobal[mmu][i];

		c->tlb[mmu].rd[k].page = x86_tlb_empty(k);
		c->tlb[mmu].wr[k].page = x86_tlb_empty(k);
	}
	if (s->nonglobal_n[mmu] && c->vm->jit)
		jit_slots_clear(c, mmu);
	s->nonglobal_n[mmu] = 0;
}

void x86_tlb_flush_images(struct x86_vcpu *c)
{
	for (unsigned i = 0; i < X86_IMAGES; i++)
		c->sys->image[i].valid = false;
	if (c->vm->jit)
		jit_windows_flush(c, true, 0);
}

static unsigned pcid_of(const struct x86_vcpu *c, u64 cr3)
{
	return c->cr4 & CR4_PCIDE ? cr3 & 0xfff : 0;
}

void x86_tlb_flush(struct x86_vcpu *c, bool global_too)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		if (global_too) {
			mmu_resize(c, m);
			mmu_clear(c, m);
		} else {
			mmu_clear_nonglobal(c, m);
		}
	}
	fetch_clear(c, global_too);
	if (c->vm->jit)
		jit_windows_flush(c, false, pcid_of(c, c->cr3));
	if (global_too) {
		struct x86_sys *s = c->sys;

		x86_tlb_flush_images(c);
		s->user_global = false;
		s->keys[0] = s->keys[1] = 0;
		s->large_2m[0] = s->large_2m[1] = s->large_1g[0] = s->large_1g[1] = 0;
	}
}

/* Keys (2 bits each in diff) of entries that are in the tables have new rights. */
static void keys_changed(struct x86_vcpu *c, u32 diff, bool pkru)
{
	unsigned keys = 0;

	for (unsigned i = 0; i < 16; i++)
		if (diff >> 2 * i & 3)
			keys |= 1u << i;
	if (!(keys & c->sys->keys[pkru]))
		return;
	/* Fetches know no keys: theirs may stay. */
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		mmu_clear(c, m);
	x86_tlb_flush_images(c);
	c->sys->keys[0] = c->sys->keys[1] = 0;
}

void x86_set_pkru(struct x86_vcpu *c, u32 v)
{
	u32 diff = c->pkru ^ v;

	c->pkru = v;
	keys_changed(c, diff, true);
}

void x86_set_pkrs(struct x86_vcpu *c, u32 v)
{
	u32 diff = (u32)c->pkrs ^ v;

	c->pkrs = v;
	keys_changed(c, diff, false);
}

/* Empty the entries of one table for pages of [base, base + 2^shift): n of them, from index on. */
static void table_flush_range(struct x86_tlb_entry *table, unsigned index, unsigned n, u64 base,
			      unsigned shift)
{
	u64 mask = ~(BIT(shift) - 1);

	for (unsigned i = index; i < index + n; i++)
		if ((table[i].page & mask) == base)
			table[i].page = x86_tlb_empty(i);
}

/* Empty every entry for pages of the 2^shift bytes around linear. */
static void flush_range(struct x86_vcpu *c, u64 linear, unsigned shift)
{
	u64 base = linear & ~(BIT(shift) - 1);

	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		/* Both sizes are powers of two: the entries lie side by side. */
		unsigned n = (unsigned)min_u64(BIT(shift - 12), entries(c, m));
		unsigned index = (unsigned)((base >> 8 & c->tlb_mask[m]) / 16);

		if (c->vm->jit && shift > 12)
			jit_slots_clear(c, m);
		table_flush_range(c->tlb[m].rd, index, n, base, shift);
		table_flush_range(c->tlb[m].wr, index, n, base, shift);
	}
}

void x86_tlb_flush_page(struct x86_vcpu *c, u64 linear)
{
	struct x86_sys *s = c->sys;

	linear &= ~0xfffULL;
	if (s->user_global) /* INVLPG drops global pages of every PCID */
		x86_tlb_flush_images(c);
	if (is_large(s->large_1g, linear, 30)) {
		x86_tlb_flush(c, true);
		return;
	}
	if (is_large(s->large_2m, linear, 21)) {
		/* Two neighbours make a 4 MiB page of 32-bit paging. */
		if (c->vm->jit)
			jit_windows_flush(c, true, 0);
		flush_range(c, linear, x86_long_mode(c) || (c->cr4 & CR4_PAE) ? 21 : 22);
		fetch_clear(c, true);
		return;
	}
	flush_range(c, linear, 12);
	c->tlb_gen++;
	for (unsigned u = 0; u < 2; u++) {
		struct x86_fetch_entry *f = &s->fetch[linear >> 12 & (X86_FETCH_CACHE - 1)];

		if (f->page == (linear | u))
			f->page = X86_TLB_EMPTY;
	}
	if (c->vm->jit) {
		jit_tlb_flushed_page(c, linear);
		jit_windows_flush_page(c, linear);
		jit_slots_clear_page(c, linear);
	}
}

/* ---- process contexts (SDM vol. 3A section 4.10.1) ---- */

static struct x86_image *image_find(struct x86_vcpu *c, unsigned pcid)
{
	for (unsigned i = 0; i < X86_IMAGES; i++) {
		struct x86_image *m = &c->sys->image[i];

		if (m->valid && m->pcid == pcid)
			return m;
	}
	return NULL;
}

/* Set the user table aside. */
static void image_save(struct x86_vcpu *c, unsigned pcid)
{
	struct x86_image *m = &c->sys->image[0];
	unsigned bytes = entries(c, X86_MMU_USER) * 16;

	for (unsigned i = 1; i < X86_IMAGES && m->valid; i++)
		if (!c->sys->image[i].valid || c->sys->image[i].stamp < m->stamp)
			m = &c->sys->image[i];
	m->valid = true;
	m->pcid = (u16)pcid;
	m->mask = c->tlb_mask[X86_MMU_USER];
	m->stamp = ++c->sys->image_clock;
	m->write_gen = atomic_load(&c->sys->protect_gen);
	x86_copy(m->rd, c->tlb[X86_MMU_USER].rd, bytes);
	x86_copy(m->wr, c->tlb[X86_MMU_USER].wr, bytes);
	/* A page protected while we copied may be in the copy: make it look older. */
	atomic_thread_fence(memory_order_seq_cst);
	if (m->write_gen != atomic_load(&c->sys->protect_gen))
		m->write_gen--;
}

static void image_restore(struct x86_vcpu *c, struct x86_image *m)
{
	struct x86_tlb *t = &c->tlb[X86_MMU_USER];
	unsigned bytes = m->mask + 16;

	c->tlb_mask[X86_MMU_USER] = m->mask;
	x86_copy(t->rd, m->rd, bytes);
	if (m->write_gen == atomic_load(&c->sys->protect_gen)) {
		x86_copy(t->wr, m->wr, bytes);
		atomic_thread_fence(memory_order_seq_cst);
	}
	if (m->write_gen != atomic_load(&c->sys->protect_gen))
		table_clear(t->wr, m->mask / 16 + 1);
	m->valid = false;
	if (c->vm->jit)
		jit_slots_clear(c, X86_MMU_USER);
}

void x86_tlb_flush_pcid(struct x86_vcpu *c, unsigned pcid)
{
	struct x86_image *m = image_find(c, pcid);

	if (m)
		m->valid = false;
	if (c->vm->jit)
		jit_windows_flush(c, false, pcid);
	if (pcid == pcid_of(c, c->cr3))
		x86_tlb_flush(c, false);
}

void x86_tlb_switch(struct x86_vcpu *c, u64 cr3, bool noflush)
{
	unsigned old = c->cr3 & 0xfff, new = cr3 & 0xfff;
	struct x86_image *m;

	if (!(c->cr4 & CR4_PCIDE) || (old == new && !noflush)) {
		x86_tlb_flush(c, false);
		return;
	}
	if (old == new)
		return;
	if (c->vm->jit)
		jit_windows_switch(c, new, noflush);
	image_save(c, old);
	m = image_find(c, new);
	if (m && noflush) {
		image_restore(c, m);
	} else {
		if (m)
			m->valid = false;
		mmu_resize(c, X86_MMU_USER);
		mmu_clear(c, X86_MMU_USER);
	}
	mmu_clear_nonglobal(c, X86_MMU_KERNEL);
	mmu_clear_nonglobal(c, X86_MMU_KERNEL_OPEN);
	fetch_clear(c, false);
}

/* ---- filling ---- */

static bool page_flagged(const struct gpa_slot *s, u64 gpa)
{
	return atomic_load_explicit(&s->page_flags[(gpa - s->gpa) >> GPA_PAGE_SHIFT],
				    memory_order_seq_cst);
}

static void install_write(struct x86_vcpu *c, enum x86_mmu mmu, u64 page, const struct gpa_slot *s,
			  u64 gpa)
{
	struct x86_tlb_entry *e = entry_of(c, c->tlb[mmu].wr, mmu, page);
	u64 empty = x86_tlb_empty((unsigned)(e - c->tlb[mmu].wr));

	if (s->readonly || page_flagged(s, gpa))
		return;
	__atomic_store_n(&e->page, empty, __ATOMIC_RELAXED);
	e->add = (u64)(uintptr_t)(s->host + (gpa - s->gpa)) - page;
	__atomic_store_n(&e->page, page, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	if (page_flagged(s, gpa))
		__atomic_store_n(&e->page, empty, __ATOMIC_RELAXED);
}

void x86_tlb_install(struct x86_vcpu *c, enum x86_mmu mmu, u64 linear, const struct x86_walk *w,
		     const struct gpa_slot *s)
{
	u64 page = linear & ~0xfffULL, gpa = w->gpa & ~0xfffULL;
	struct x86_tlb_entry *r;

	c->count.tlb_misses++;
	if (++c->sys->fills[mmu] > 2 * entries(c, mmu) && entries(c, mmu) < X86_TLB_MAX) {
		mmu_resize(c, mmu);
		mmu_clear(c, mmu);
	}
	r = entry_of(c, c->tlb[mmu].rd, mmu, page);
	r->add = (u64)(uintptr_t)(s->host + (gpa - s->gpa)) - page;
	r->page = page;
	if (w->write_ok)
		install_write(c, mmu, page, s, gpa);
	if (w->shift > 12)
		x86_tlb_note_large(c, linear, w->shift);
	if (w->keyed)
		c->sys->keys[w->pkru] |= (u16)(1u << w->pkey);
	if (mmu == X86_MMU_USER)
		c->sys->user_global |= w->global;
	else if (!w->global)
		nonglobal_note(c, mmu, page);
}

void x86_tlb_protect(struct x86_vm *vm, u64 gpa)
{
	const struct gpa_slot *s = gpa_slot_find(vm->map, gpa);
	u64 host;

	if (!s)
		return;
	host = (u64)(uintptr_t)(s->host + (align_down(gpa, GPA_PAGE_SIZE) - s->gpa));
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < ARRAY_LEN(vm->vcpu); i++) {
		struct x86_vcpu *c = __atomic_load_n(&vm->vcpu[i], __ATOMIC_ACQUIRE);

		if (!c)
			continue;
		atomic_fetch_add(&c->sys->protect_gen, 1);
		for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
			struct x86_tlb_entry *e = c->tlb[m].wr;
			unsigned n = __atomic_load_n(&c->tlb_mask[m], __ATOMIC_RELAXED) / 16 + 1;

			for (unsigned k = 0; k < n; k++)
				if (__atomic_load_n(&e[k].page, __ATOMIC_RELAXED) +
					    __atomic_load_n(&e[k].add, __ATOMIC_RELAXED) ==
				    host)
					__atomic_store_n(&e[k].page, x86_tlb_empty(k),
							 __ATOMIC_RELAXED);
		}
		atomic_thread_fence(memory_order_seq_cst);
		if (vm->jit) {
			jit_slots_protect(c, host);
			jit_windows_protect(c, host);
		}
	}
}
