/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses to linear memory by C code: soft TLB hit, page walk, ordinary RAM,
 * ROM, MMIO, page crossings, pages that somebody watches. The translator inlines
 * the hit and calls here for the rest.
 *
 * A write that crosses pages is checked on both before the first byte lands.
 */
#include "engine/jit/x86/sys.h"

/* Where the bytes of one access (one page) are. */
struct place {
	u8 *host;	       /* RAM, or NULL: MMIO at gpa, or ROM being written */
	struct gpa_slot *slot; /* set when page flags must be looked at after a write */
	u64 gpa;
	bool drop; /* a write to ROM */
};

static bool tlb_hit(struct x86_vcpu *c, u64 linear, enum x86_access a, enum x86_mmu mmu, u8 **host)
{
	struct x86_tlb_entry *t = a == X86_WRITE ? c->tlb[mmu].wr : c->tlb[mmu].rd;
	struct x86_tlb_entry *e = (void *)((char *)t + (linear >> 8 & c->tlb_mask[mmu]));

	if (e->page != (linear & ~0xfffULL))
		return false;
	*host = (u8 *)(uintptr_t)(linear + e->add);
	return true;
}

static int place_find(struct x86_vcpu *c, u64 linear, enum x86_access a, enum x86_mmu mmu,
		      struct place *p)
{
	struct x86_walk w;

	p->slot = NULL;
	p->drop = false;
	if (tlb_hit(c, linear, a, mmu, &p->host))
		return 0;
	if (x86_walk(c, linear, a, mmu, &w))
		return -1;
	p->gpa = w.gpa;
	p->slot = gpa_slot_find(c->vm->map, w.gpa);
	p->host = NULL;
	if (!p->slot)
		return 0;
	p->drop = a == X86_WRITE && p->slot->readonly;
	if (!p->drop)
		p->host = p->slot->host + (w.gpa - p->slot->gpa);
	if (!c->sys->nwatch || !x86_debug_watched(c, linear & ~0xfffULL))
		x86_tlb_install(c, mmu, linear, &w, p->slot);
	return 0;
}

static void copy_bytes(u8 *dst, const u8 *src, unsigned n)
{
	/* Aligned scalars must be single accesses: other vCPUs and devices look on. */
	switch (n) {
	case 8:
		*(u64 *)dst = *(const u64 *)src;
		return;
	case 4:
		*(u32 *)dst = *(const u32 *)src;
		return;
	case 2:
		*(u16 *)dst = *(const u16 *)src;
		return;
	}
	for (; n >= 8; n -= 8, dst += 8, src += 8)
		*(u64 *)dst = *(const u64 *)src;
	while (n--)
		*dst++ = *src++;
}

/* The largest piece of an n-byte MMIO access a bus call can take. */
static unsigned mmio_piece(unsigned n)
{
	return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

static void trace_mmio(struct x86_vcpu *c, u64 gpa, const u8 *buf, unsigned n, bool write)
{
	x86_trace(c, (struct vcpu_trace_event){.kind = VCPU_TRACE_MMIO,
					       .where = gpa,
					       .size = n,
					       .value = load_le(buf, n),
					       .write = write});
}

static void mmio(struct x86_vcpu *c, u64 gpa, u8 *buf, unsigned n, bool write)
{
	x86_fpu_park(c);
	for (unsigned k; n; n -= k, gpa += k, buf += k) {
		k = mmio_piece(n);
		if (write) {
			trace_mmio(c, gpa, buf, k, true);
			c->bus.mmio_write(c->bus.opaque, gpa, k, load_le(buf, k));
		} else {
			store_le(buf, k, c->bus.mmio_read(c->bus.opaque, gpa, k));
			trace_mmio(c, gpa, buf, k, false);
		}
	}
}

static void place_read(struct x86_vcpu *c, const struct place *p, u8 *buf, unsigned n)
{
	if (p->host)
		copy_bytes(buf, p->host, n);
	else
		mmio(c, p->gpa, buf, n, false);
}

static void place_write(struct x86_vcpu *c, const struct place *p, const u8 *buf, unsigned n)
{
	if (p->drop)
		return;
	if (!p->host) {
		mmio(c, p->gpa, (u8 *)buf, n, true);
		return;
	}
	copy_bytes(p->host, buf, n);
	if (p->slot)
		gpa_written(c->vm->map, p->gpa, n);
}

int x86_access(struct x86_vcpu *c, u64 linear, void *buf, unsigned n, enum x86_access a,
	       enum x86_mmu mmu)
{
	unsigned first = 4096 - (linear & 0xfff);
	u64 second = (linear | 0xfff) + 1;
	struct place p = {0}, q = {0};

	if (!x86_long_mode(c))
		second &= 0xffffffff;
	if (place_find(c, linear, a, mmu, &p))
		return -1;
	if (first < n && place_find(c, second, a, mmu, &q))
		return -1;
	if (first >= n)
		first = n;
	if (a == X86_WRITE) {
		place_write(c, &p, buf, first);
		if (first < n)
			place_write(c, &q, (u8 *)buf + first, n - first);
	} else {
		place_read(c, &p, buf, first);
		if (first < n)
			place_read(c, &q, (u8 *)buf + first, n - first);
	}
	if (c->sys->nwatch)
		x86_debug_access(c, linear, n, a);
	return 0;
}

int x86_read(struct x86_vcpu *c, u64 linear, void *buf, unsigned n)
{
	return x86_access(c, linear, buf, n, X86_READ, c->mmu);
}

int x86_write(struct x86_vcpu *c, u64 linear, const void *buf, unsigned n)
{
	return x86_access(c, linear, (void *)buf, n, X86_WRITE, c->mmu);
}

int x86_read_sys(struct x86_vcpu *c, u64 linear, void *buf, unsigned n)
{
	return x86_access(c, linear, buf, n, X86_READ, x86_mmu_implicit(c));
}

int x86_write_sys(struct x86_vcpu *c, u64 linear, const void *buf, unsigned n)
{
	return x86_access(c, linear, (void *)buf, n, X86_WRITE, x86_mmu_implicit(c));
}

int x86_tlb_fill(struct x86_vcpu *c, u64 linear, enum x86_access a, void **host)
{
	struct place p = {0};
	u8 *h;

	if (place_find(c, linear, a, c->mmu, &p))
		return -1;
	*host = tlb_hit(c, linear, a, c->mmu, &h) ? h : NULL;
	return 0;
}

int x86_rmw_ptr(struct x86_vcpu *c, u64 linear, unsigned n, void **host)
{
	struct place p = {0};

	*host = NULL;
	if ((linear & 0xfff) + n > 4096) {
		/* The caller reads first: a fault on either page must already be a write's. */
		struct place q = {0};
		u64 second = (linear | 0xfff) + 1;

		return place_find(c, linear, X86_WRITE, c->mmu, &p) ||
				       place_find(c, second, X86_WRITE, c->mmu, &q)
			       ? -1
			       : 0;
	}
	if (place_find(c, linear, X86_WRITE, c->mmu, &p))
		return -1;
	if (!p.host || (c->sys->nwatch && x86_debug_watched(c, linear & ~0xfffULL)))
		return 0;
	if (p.slot && atomic_load(&p.slot->page_flags[(p.gpa - p.slot->gpa) >> GPA_PAGE_SHIFT])) {
		/* Now, so that this vCPU forgets the code; and again after the write. */
		gpa_written(c->vm->map, p.gpa, n);
		c->sys->rmw_gpa = align_down(p.gpa, GPA_PAGE_SIZE) | 1;
		x86_look(c);
	}
	*host = p.host;
	return 0;
}

void x86_rmw_finish(struct x86_vcpu *c)
{
	u64 gpa = c->sys->rmw_gpa;

	c->sys->rmw_gpa = 0;
	if (gpa)
		gpa_written(c->vm->map, gpa & ~1ULL, 1);
}

int x86_fetch_page(struct x86_vcpu *c, u64 linear, u64 *gpa, const u8 **host)
{
	u64 page = linear & ~0xfffULL, tag = page | (c->cpl == 3);
	struct x86_fetch_entry *f = &c->sys->fetch[linear >> 12 & (X86_FETCH_CACHE - 1)];
	const struct gpa_slot *s;
	struct x86_walk w;

	if (f->page != tag) {
		if (c->code_mode == X86_MODE_64 && !x86_canonical(linear))
			return x86_raise_err(c, X86_GP, 0);
		if (x86_walk(c, linear, X86_FETCH, x86_mmu_of(c, c->cpl), &w))
			return -1;
		s = gpa_slot_find(c->vm->map, w.gpa);
		f->gpa = w.gpa & ~0xfffULL;
		f->host = s ? s->host + (f->gpa - s->gpa) : NULL;
		f->page = tag;
		f->global = w.global;
		if (w.shift > 12) /* so that INVLPG finds it */
			x86_tlb_note_large(c, linear, w.shift);
	}
	*gpa = f->gpa;
	*host = f->host;
	c->fetch_global = f->global;
	return 0;
}

void x86_page_written(void *opaque, struct gpa_slot *s, u64 gpa)
{
	struct x86_vm *vm = opaque;
	u64 page = align_down(gpa, GPA_PAGE_SIZE);
	_Atomic u8 *f = &s->page_flags[(page - s->gpa) >> GPA_PAGE_SHIFT];
	u8 was = atomic_load(f);

	if (was & GPA_PAGE_CLEAN)
		atomic_fetch_and(f, (u8)~GPA_PAGE_CLEAN);
	if (!(was & GPA_PAGE_CODE))
		return;
	if (vm->jit)
		jit_page_written(vm, page);
	else
		atomic_fetch_and(f, (u8)~GPA_PAGE_CODE);
}
