/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: 2 GiB of a guest's user half shown at one place of the host's address
 * space, page by page, by the host's MMU, so that an access that goes from page
 * to page needs one look at one slot (x86/translate_slot.c, XL_WIDE) and no TLB
 * entry. For a VM with one vCPU; hosted; called on the vCPU's thread but for
 * jit_windows_protect().
 *
 * What is mapped is a copy of the soft TLB: a page is shown when it has an entry
 * there, writable when it has one to write, and hidden by whatever empties such
 * entries for a reason. Where nothing is shown the host faults, jit_signal()
 * leaves generated code, the instruction is interpreted, and the page is shown.
 * A checked access lies inside the 2 GiB; nothing else is ever mapped there.
 *
 * Every window shows its addresses the same distance further up, JIT_WINDOW_BIAS, which is in the
 * code as part of the displacement. Where something of the host is in the way there is no window.
 *
 * Showing and hiding a page costs as much as thousands of accesses, so both are
 * paid from a budget that time refills; without one the windows are shut for a
 * while and accesses ask the soft TLB.
 */
#include <sys/mman.h>

#include "base/bits.h"
#include "engine/jit/rt/jit.h"

enum {
	REGIONS = 4,
	PAGES = 8192,  /* shown at a time; the host's limit is some 65000 mappings */
	HEADS = 16384, /* a power of two */
	BUDGET = 2048, /* of pages to show, one more each 100 us */
	AHEAD = 8,     /* pages shown at a time if the TLB has them */
	REFUSED = 8,   /* what it costs when a page cannot be shown as it is asked for */
	HIDDEN = 4,    /* pages that can be hidden for the price of one, if all are */
	FAULT = 2,     /* what it costs to find that a page is not shown */
	CHURN = 16,    /* the same for one that is hidden by itself: it was shown for little */
	DROPPED = 64,  /* and for a whole address space */
	MIN_TO_OPEN = 256,
	NONE = 0xffff,
};

struct shown {
	u64 lin, host;
	bool write;
	u16 lin_next, host_next;
};

struct region {
	u64 lin;
	bool reserved; /* of the host's address space, at lin + JIT_WINDOW_BIAS */
	bool used;
};

struct jit_windows {
	_Atomic u32 lock;
	u32 pcid; /* whose pages are shown */
	bool owned;
	bool broken; /* the host refused to map */
	struct region region[REGIONS];
	struct shown page[PAGES];
	u16 lin_head[HEADS], host_head[HEADS];
	u16 free;
	u32 npages;
	s64 budget;
	u64 stamp;
};

static void lock(struct jit_windows *w)
{
	while (atomic_exchange_explicit(&w->lock, 1, memory_order_acquire))
		__builtin_ia32_pause();
}

static void unlock(struct jit_windows *w)
{
	atomic_store_explicit(&w->lock, 0, memory_order_release);
}

static unsigned head_of(u64 page)
{
	return (unsigned)((page >> GPA_PAGE_SHIFT) * 0x9e3779b97f4a7c15ULL >> 40) & (HEADS - 1);
}

static void forget_pages(struct jit_windows *w)
{
	for (unsigned i = 0; i < HEADS; i++)
		w->lin_head[i] = w->host_head[i] = NONE;
	for (unsigned i = 0; i < PAGES; i++)
		w->page[i].lin_next = (u16)(i + 1 < PAGES ? i + 1 : NONE);
	w->free = 0;
	w->npages = 0;
}

static struct shown *find(struct jit_windows *w, u64 lin)
{
	for (u16 i = w->lin_head[head_of(lin)]; i != NONE; i = w->page[i].lin_next)
		if (w->page[i].lin == lin)
			return &w->page[i];
	return NULL;
}

static struct shown *add(struct jit_windows *w, u64 lin, u64 host)
{
	u16 i = w->free, *l = &w->lin_head[head_of(lin)], *h = &w->host_head[head_of(host)];
	struct shown *p = &w->page[i];

	w->free = p->lin_next;
	w->npages++;
	*p = (struct shown){.lin = lin, .host = host, .lin_next = *l, .host_next = *h};
	*l = *h = i;
	return p;
}

static void take_out(struct jit_windows *w, struct shown *p)
{
	u16 me = (u16)(p - w->page), *l = &w->lin_head[head_of(p->lin)],
	    *h = &w->host_head[head_of(p->host)];

	while (*l != me)
		l = &w->page[*l].lin_next;
	*l = p->lin_next;
	while (*h != me)
		h = &w->page[*h].host_next;
	*h = p->host_next;
	p->lin_next = w->free;
	w->free = me;
	w->npages--;
}

static void earn(struct jit_windows *w, const struct x86_vcpu *c)
{
	u64 now = __builtin_ia32_rdtsc(), each = c->vm->tsc_khz / 10 + 1,
	    n = (now - w->stamp) / each;

	if (!n)
		return;
	w->stamp = now;
	w->budget += (s64)min_u64(n, BUDGET);
	if (w->budget > BUDGET)
		w->budget = BUDGET;
}

/* Sites look into the soft TLB from now on. */
static void shut(struct x86_vcpu *c, s32 credit)
{
	struct jit_cpu *x = jit_cpu(c);

	for (unsigned i = 0; i < JIT_SLOTS; i++)
		x->wide[i] = JIT_SLOT_EMPTY;
	x->low_limit = 0;
	x->wide_credit = credit;
}

static u8 *shown_at(u64 lin)
{
	return (u8 *)(uintptr_t)(lin + JIT_WINDOW_BIAS);
}

static void hide(u64 lin, u64 bytes)
{
	/* Nothing there but address space: MAP_FIXED over it cannot fail for want of memory. */
	if (mmap(shown_at(lin), bytes, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		__builtin_trap(); /* pages of another address space must not stay */
}

static void drop(struct jit_windows *w, struct x86_vcpu *c)
{
	shut(c, 0);
	w->owned = false;
	for (unsigned i = 0; i < REGIONS; i++) {
		if (w->region[i].used && w->npages)
			hide(w->region[i].lin, JIT_WINDOW);
		w->region[i].used = false;
	}
	w->budget -= DROPPED + w->npages / HIDDEN;
	if (w->npages)
		forget_pages(w);
}

static struct region *region_of(struct jit_windows *w, u64 lin)
{
	for (unsigned i = 0; i < REGIONS; i++)
		if (w->region[i].used && w->region[i].lin == align_down(lin, JIT_WINDOW))
			return &w->region[i];
	return NULL;
}

static void give_back(struct region *r)
{
	if (r->reserved)
		munmap(shown_at(r->lin), JIT_WINDOW);
	r->reserved = false;
}

static bool reserve(struct region *r, u64 lin)
{
	u8 *at = shown_at(lin), *p;

	p = mmap(at, JIT_WINDOW, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	if (p != at) { /* a host kernel that does not know MAP_FIXED_NOREPLACE */
		munmap(p, JIT_WINDOW);
		return false;
	}
	r->lin = lin;
	r->reserved = true;
	return true;
}

/* One that is reserved for lin already, else any that is not in use. */
static struct region *region_free(struct jit_windows *w, u64 lin)
{
	struct region *res = NULL;

	for (unsigned i = 0; i < REGIONS; i++) {
		struct region *r = &w->region[i];

		if (!r->used && r->reserved && r->lin == lin)
			return r;
		if (!r->used && (!res || !r->reserved))
			res = r;
	}
	return res;
}

static struct region *region_new(struct jit_windows *w, u64 lin)
{
	struct region *r = region_free(w, lin);

	if (!r)
		return NULL;
	if (!r->reserved || r->lin != lin) {
		give_back(r);
		if (!reserve(r, lin))
			return NULL;
	}
	r->used = true;
	return r;
}

static unsigned pcid_now(const struct x86_vcpu *c)
{
	return c->cr4 & X86_CR4_PCIDE ? c->cr3 & 0xfff : 0;
}

enum jit_window_answer jit_window_at(struct x86_vcpu *c, u64 lin)
{
	struct jit_windows *w = jit_cpu(c)->windows;
	enum jit_window_answer res = JIT_WINDOW_LATER;

	if (!w || w->broken || lin >> 47)
		return JIT_WINDOW_NEVER;
	lock(w);
	earn(w, c);
	if (w->budget >= MIN_TO_OPEN) {
		if (w->owned && w->pcid != pcid_now(c))
			drop(w, c);
		w->owned = true;
		w->pcid = pcid_now(c);
		res = region_of(w, lin) || region_new(w, align_down(lin, JIT_WINDOW))
			      ? JIT_WINDOW_OPEN
			      : JIT_WINDOW_NEVER;
	}
	unlock(w);
	return res;
}

static const struct gpa_slot *ram_at(const struct x86_vcpu *c, u64 host)
{
	const struct gpa_map *m = c->vm->map;

	for (unsigned i = 0; i < m->nslots; i++)
		if (host - (u64)(uintptr_t)m->slot[i].host < m->slot[i].size)
			return m->slot[i].fd >= 0 ? &m->slot[i] : NULL;
	return NULL;
}

/* Show what the soft TLB has of the page. False: it has nothing, or that is shown already. */
static bool show(struct jit_windows *w, struct x86_vcpu *c, u64 lin)
{
	u64 index = lin >> 8 & c->tlb_mask[X86_MMU_USER];
	const struct x86_tlb *t = &c->tlb[X86_MMU_USER];
	const struct x86_tlb_entry *rd = (const void *)((const u8 *)t->rd + index);
	const struct x86_tlb_entry *wr = (const void *)((const u8 *)t->wr + index);
	bool write = __atomic_load_n(&wr->page, __ATOMIC_ACQUIRE) == lin;
	struct shown *p = find(w, lin);
	const struct gpa_slot *s;
	u64 host = lin + rd->add;

	if (rd->page != lin || (p && p->host == host && p->write == write) || w->npages == PAGES)
		return false;
	s = ram_at(c, host);
	if (!s)
		return false;
	if (mmap(shown_at(lin), GPA_PAGE_SIZE, PROT_READ | (write ? PROT_WRITE : 0),
		 MAP_SHARED | MAP_FIXED | MAP_POPULATE, s->fd,
		 (off_t)(s->fd_offset + (host - (u64)(uintptr_t)s->host))) == MAP_FAILED) {
		w->broken = true;
		return false;
	}
	if (p)
		take_out(w, p);
	add(w, lin, host)->write = write;
	w->budget--;
	return true;
}

void jit_window_show(struct x86_vcpu *c, u64 lin)
{
	struct jit_windows *w = jit_cpu(c)->windows;
	struct region *r;

	lin = align_down(lin, GPA_PAGE_SIZE);
	lock(w);
	earn(w, c);
	w->budget -= FAULT;
	r = region_of(w, lin);
	if (w->owned && w->pcid == pcid_now(c) && r) {
		if (!show(w, c, lin))
			w->budget -= REFUSED;
		for (unsigned i = 1; i < AHEAD; i++)
			if (lin + i * GPA_PAGE_SIZE - r->lin < JIT_WINDOW &&
			    !find(w, lin + i * GPA_PAGE_SIZE))
				show(w, c, lin + i * GPA_PAGE_SIZE);
	}
	if (w->npages == PAGES || w->broken)
		drop(w, c);
	if (w->budget <= 0 || w->broken)
		shut(c, JIT_WIDE_PAUSE);
	unlock(w);
}

bool jit_window_linear(const struct x86_vcpu *c, u64 host, u64 *lin)
{
	const struct jit_windows *w = jit_cpu((struct x86_vcpu *)c)->windows;

	for (unsigned i = 0; w && i < REGIONS; i++) {
		const struct region *r = &w->region[i];

		if (r->used && host - JIT_WINDOW_BIAS - r->lin < JIT_WINDOW) {
			*lin = host - JIT_WINDOW_BIAS;
			return true;
		}
	}
	return false;
}

/* ---- what empties the soft TLB ---- */

void jit_windows_flush(struct x86_vcpu *c, bool all, unsigned pcid)
{
	struct jit_windows *w = jit_cpu(c)->windows;

	if (!w || !w->owned || !(all || w->pcid == pcid))
		return;
	lock(w);
	drop(w, c);
	unlock(w);
}

void jit_windows_switch(struct x86_vcpu *c, unsigned pcid, bool noflush)
{
	struct jit_windows *w = jit_cpu(c)->windows;

	if (!w || !w->owned)
		return;
	if (w->pcid == pcid && !noflush)
		jit_windows_flush(c, false, pcid);
	else
		shut(c, 0);
}

static void hide_page(struct jit_windows *w, struct shown *p)
{
	if (region_of(w, p->lin))
		hide(p->lin, GPA_PAGE_SIZE);
	take_out(w, p);
	w->budget--;
}

void jit_windows_flush_page(struct x86_vcpu *c, u64 lin)
{
	struct jit_windows *w = jit_cpu(c)->windows;
	struct shown *p;

	if (!w || !w->owned)
		return;
	lock(w);
	p = find(w, lin);
	if (p) {
		hide_page(w, p);
		w->budget -= CHURN;
	}
	unlock(w);
}

void jit_windows_protect(struct x86_vcpu *c, u64 host)
{
	struct jit_windows *w = jit_cpu(c)->windows;

	if (!w)
		return;
	lock(w);
	for (u16 i = w->host_head[head_of(host)], next; i != NONE; i = next) {
		next = w->page[i].host_next;
		if (w->page[i].host == host && w->page[i].write)
			hide_page(w, &w->page[i]);
	}
	unlock(w);
}

/* ---- life ---- */

void jit_windows_create(struct x86_vcpu *c)
{
	void *p = mmap(NULL, sizeof(struct jit_windows), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct jit_windows *w = p;

	if (p == MAP_FAILED)
		return;
	forget_pages(w);
	w->budget = BUDGET;
	w->stamp = __builtin_ia32_rdtsc();
	jit_cpu(c)->windows = w;
}

void jit_windows_destroy(struct x86_vcpu *c)
{
	struct jit_windows *w = jit_cpu(c)->windows;

	jit_cpu(c)->windows = NULL;
	if (!w)
		return;
	for (unsigned i = 0; i < REGIONS; i++)
		give_back(&w->region[i]);
	munmap(w, sizeof(*w));
}
