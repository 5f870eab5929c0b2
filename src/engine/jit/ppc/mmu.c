/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between guest addresses and guest memory: what the run time asks when its soft
 * TLBs do not know (struct irrun_ops), and flushes. A soft TLB holds what the
 * current SLB or process tables, PIDR and translation bits say; whoever changes
 * one of them flushes. The MMU index keeps real mode, privileged and problem
 * state apart.
 *
 * tlbie and hash table changes count for all vCPUs: the others are told by a
 * kick and the caller waits until each has flushed or is not running.
 */
#include "engine/jit/ppc/swap.h"
#include "engine/jit/ppc/system.h"

enum { MMU_REAL, MMU_PRIVILEGED, MMU_PROBLEM };

#define REAL_MASK 0x0fffffffffffffffull /* ISA III 5.7.3: bits 0 to 3 are ignored */

int ppc_storage_fault(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, u32 why)
{
	if (kind == PPC_FETCH)
		return ppc_raise(c, PPC_ISI, why);
	ppc_raise(c, PPC_DSI, 0);
	c->exc.dar = ea;
	c->exc.dsisr = why | (kind == PPC_WRITE ? PPC_DSISR_STORE : 0);
	return -1;
}

int ppc_segment_fault(struct ppc_vcpu *c, u64 ea, enum ppc_access kind)
{
	ppc_raise(c, kind == PPC_FETCH ? PPC_ISEG : PPC_DSEG, 0);
	c->exc.dar = ea;
	return -1;
}

int ppc_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet, struct ppc_xlate *x)
{
	if (!(c->msr & (kind == PPC_FETCH ? PPC_MSR_IR : PPC_MSR_DR))) {
		*x = (struct ppc_xlate){.gpa = ea & REAL_MASK, .shift = 30, .writable = true};
		return 0;
	}
	if (!(c->msr & PPC_MSR_SF))
		ea = (u32)ea;
	if (c->vm->radix)
		return ppc_radix_translate(c, ea, kind, quiet, x);
	return ppc_hash_translate(c, ea, kind, quiet, x);
}

unsigned ppc_mmu_index(u32 key)
{
	if (!(key & PPC_KEY_DR))
		return MMU_REAL;
	return key & PPC_KEY_PR ? MMU_PROBLEM : MMU_PRIVILEGED;
}

int ppc_fetch(void *cpu, u64 pc, u64 *gpa, const u8 **host)
{
	struct ppc_vcpu *c = cpu;
	struct ppc_xlate x;

	if (ppc_translate(c, pc, PPC_FETCH, false, &x))
		return -1;
	*gpa = x.gpa;
	*host = gpa_ptr(c->vm->map, x.gpa, 4, false);
	return 0;
}

/* [*lo, *hi) around gpa within its slot where writes need nobody's attention. */
static void writable_stretch(const struct gpa_slot *s, u64 gpa, u64 *lo, u64 *hi)
{
	u64 page = align_down(gpa, GPA_PAGE_SIZE), a = page, b = page + GPA_PAGE_SIZE;

	while (a > *lo && page - a < KIB(64) && !s->page_flags[(a - 1 - s->gpa) >> GPA_PAGE_SHIFT])
		a -= GPA_PAGE_SIZE;
	while (b < *hi && b - page < KIB(64) && !s->page_flags[(b - s->gpa) >> GPA_PAGE_SHIFT])
		b += GPA_PAGE_SIZE;
	*lo = max_u64(*lo, a);
	*hi = min_u64(*hi, b);
}

int ppc_fill(void *cpu, u64 ea, u32 size, bool write, struct irrun_fill *out)
{
	struct ppc_vcpu *c = cpu;
	struct gpa_slot *s;
	struct ppc_xlate x;
	u64 lo, hi;
	int err;

	out->host = NULL;
	c->sys->filling = true;
	c->sys->defer = false;
	err = ppc_translate(c, ea, write ? PPC_WRITE : PPC_READ, false, &x);
	c->sys->filling = false;
	if (err)
		return -1;
	s = gpa_slot_find(c->vm->map, x.gpa);
	if (!s || c->sys->defer || ppc_debug_watched(c, ea) ||
	    (write && (s->readonly || s->page_flags[(x.gpa - s->gpa) >> GPA_PAGE_SHIFT])))
		return 0;
	lo = max_u64(align_down(x.gpa, BIT(x.shift)), s->gpa);
	hi = min_u64(align_down(x.gpa, BIT(x.shift)) + BIT(x.shift), s->gpa + s->size);
	if (c->sys->dbg.nwatch) { /* the next page may be watched */
		lo = max_u64(lo, align_down(x.gpa, GPA_PAGE_SIZE));
		hi = min_u64(hi, align_down(x.gpa, GPA_PAGE_SIZE) + GPA_PAGE_SIZE);
	}
	if (write)
		writable_stretch(s, x.gpa, &lo, &hi);
	out->host = s->host + (x.gpa - s->gpa);
	out->start = ea - (x.gpa - lo);
	out->bytes = hi - lo;
	return 0;
}

/* ---- accesses that the soft TLB cannot do ---- */

static void device_access(struct ppc_vcpu *c, u64 gpa, u32 size, bool write, u8 *data)
{
	const struct vcpu_bus *bus = &c->sys->bus;

	while (size) {
		u32 n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;

		if (write)
			bus->mmio_write(bus->opaque, gpa, n, load_le(data, n));
		else
			store_le(data, n, bus->mmio_read(bus->opaque, gpa, n));
		ppc_trace(c, (struct vcpu_trace_event){.kind = VCPU_TRACE_MMIO,
						       .where = gpa,
						       .value = load_le(data, n),
						       .size = n,
						       .write = write});
		gpa += n;
		data += n;
		size -= n;
	}
}

/* Naturally aligned accesses of up to 8 bytes are single ones, as other vCPUs see them. */
static void ram_access(u8 *host, u32 size, bool write, void *data)
{
	bool aligned = !((uintptr_t)host & (size - 1));

	if (size == 8 && aligned && write)
		__atomic_store((u64 *)(void *)host, (u64 *)data, __ATOMIC_RELAXED);
	else if (size == 4 && aligned && write)
		__atomic_store((u32 *)(void *)host, (u32 *)data, __ATOMIC_RELAXED);
	else if (size == 8 && aligned)
		__atomic_load((u64 *)(void *)host, (u64 *)data, __ATOMIC_RELAXED);
	else if (size == 4 && aligned)
		__atomic_load((u32 *)(void *)host, (u32 *)data, __ATOMIC_RELAXED);
	else if (write)
		__builtin_memcpy(host, data, size);
	else
		__builtin_memcpy(data, host, size);
}

static void page_access(struct ppc_vcpu *c, u64 gpa, u32 size, bool write, void *data)
{
	struct gpa_slot *s = gpa_slot_find(c->vm->map, gpa);

	if (!s) {
		device_access(c, gpa, size, write, data);
		return;
	}
	if (write && s->readonly)
		return;
	ram_access(s->host + (gpa - s->gpa), size, write, data);
	if (write)
		gpa_written(c->vm->map, gpa, size);
}

int ppc_access_any(void *cpu, u64 ea, u32 size, bool write, void *data)
{
	struct ppc_vcpu *c = cpu;
	enum ppc_access kind = write ? PPC_WRITE : PPC_READ;
	u32 first = (u32)min_u64(size, GPA_PAGE_SIZE - ea % GPA_PAGE_SIZE);
	struct ppc_xlate a, b;

	if (ppc_debug_access(c, ea, size, write) || ppc_translate(c, ea, kind, false, &a) ||
	    (first < size && ppc_translate(c, ea + first, kind, false, &b)))
		return -1;
	page_access(c, a.gpa, first, write, data);
	if (first < size)
		page_access(c, b.gpa, size - first, write, (u8 *)data + first);
	return 0;
}

int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	return ppc_access_any(c, ea, n, false, buf);
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	return ppc_access_any(c, ea, n, true, (void *)(uintptr_t)buf);
}

/* ---- compare and swap ---- */

/* Aligned, as the lifter has checked; what is no RAM never holds a reservation. */
int ppc_cas(void *cpu, u64 ea, u32 size, const void *old, const void *new)
{
	struct ppc_vcpu *c = cpu;
	struct ppc_xlate x;
	u8 *p;

	if (ppc_debug_access(c, ea, size, true) || ppc_translate(c, ea, PPC_WRITE, false, &x))
		return -1;
	p = gpa_ptr(c->vm->map, x.gpa, size, true);
	if (!p || x.gpa & (size - 1) || !ppc_swap(p, size, old, new))
		return 0;
	gpa_written(c->vm->map, x.gpa, size);
	return 1;
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	return ppc_cas(c, ea, n, old, new);
}

/* ---- code pages ---- */

void ppc_protect(void *vm, u64 gpa)
{
	struct ppc_vm *v = vm;
	struct gpa_slot *s = gpa_slot_find(v->map, gpa);

	if (!s)
		return;
	gpa = align_down(gpa, GPA_PAGE_SIZE);
	if (atomic_fetch_or(&s->page_flags[(gpa - s->gpa) >> GPA_PAGE_SHIFT], GPA_PAGE_CODE) &
	    GPA_PAGE_CODE)
		return; /* since then nobody got it for writing */
	for (unsigned i = 0; i < v->ncpus; i++) {
		struct ppc_vcpu *c = __atomic_load_n(&v->vcpu[i], __ATOMIC_ACQUIRE);

		if (c)
			irrun_tlb_protect(&c->rt, s->host + (gpa - s->gpa));
	}
}

void ppc_page_written(void *opaque, struct gpa_slot *s, u64 gpa)
{
	struct ppc_vm *v = opaque;
	u64 page = align_down(gpa, GPA_PAGE_SIZE);
	u8 was = atomic_fetch_and(&s->page_flags[(page - s->gpa) >> GPA_PAGE_SHIFT],
				  (u8) ~(GPA_PAGE_CODE | GPA_PAGE_CLEAN));

	if (was & GPA_PAGE_CODE)
		irrun_page_written(v->run, page);
}

/* ---- flushes ---- */

void ppc_flush(struct ppc_vcpu *c)
{
	irrun_tlb_flush(&c->rt);
}

void ppc_flush_serve(struct ppc_vcpu *c)
{
	u32 want = atomic_load(&c->sys->flush_want);

	if (want == atomic_load(&c->sys->flush_done))
		return;
	irrun_tlb_flush(&c->rt);
	atomic_store(&c->sys->flush_done, want);
}

/* A vCPU that is not in generated code serves its flushes before it is again. */
static bool flushed(struct ppc_vcpu *o, u32 want)
{
	return (s32)(atomic_load(&o->sys->flush_done) - want) >= 0 || !atomic_load(&o->rt.inside);
}

/* Asks a vCPU to flush; what to wait for. */
static u32 flush_ask(struct ppc_vcpu *o)
{
	u32 want = atomic_fetch_add(&o->sys->flush_want, 1) + 1;

	ppc_kick_set(o, PPC_KICK_FLUSH);
	return want;
}

/*
 * Soft TLBs hold nothing of a process that is not the current one: PIDR's writer
 * flushes. Whoever becomes the process later sees the tables as they are now.
 */
static bool concerned(const struct ppc_vcpu *o, u64 pid)
{
	return !pid || __atomic_load_n(&o->pidr, __ATOMIC_SEQ_CST) == pid;
}

void ppc_flush_all(struct ppc_vcpu *c, u64 pid)
{
	struct ppc_vm *v = c->vm;
	u32 want[PPC_MAX_VCPUS];
	u64 wait = 0;

	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < v->ncpus; i++) {
		struct ppc_vcpu *o = __atomic_load_n(&v->vcpu[i], __ATOMIC_ACQUIRE);

		want[i] = 0;
		if (!o || o == c || !concerned(o, pid))
			continue;
		want[i] = flush_ask(o);
		wait |= BIT(i);
	}
	for (unsigned i = 0; i < v->ncpus; i++) {
		while (wait >> i & 1 && !flushed(v->vcpu[i], want[i])) {
			ppc_flush_serve(c); /* it may be waiting for this one */
			v->host.yield();
		}
	}
}
static_assert(PPC_MAX_VCPUS <= 64, "one bit each");
