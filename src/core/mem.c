/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VM's guest-physical memory: slots, what of them is in the nested page table,
 * dirty logging by write protection, and reading and writing guest bytes. Public
 * functions in hv.h; hv_fault is the run loop's.
 *
 * vm->lock guards slots and page table and is never held across a call to the
 * host: what was asked outside is checked against mmu_seq before it is mapped.
 */
#include "base/bits.h"
#include "core/hv_internal.h"

#define PAGE 4096u
#define NO_SLOT (-1)

/* ---- flushing ------------------------------------------------------------------ */

/* Every vCPU that is in the guest now leaves it; all flush before they enter again. */
static void flush_all(struct hv_vm *vm)
{
	u64 gen = atomic_fetch_add(&vm->tlb_gen, 1) + 1;
	struct hv_vcpu *v;

	for (unsigned i = 0; i < HV_MAX_VCPUS; i++) {
		v = vm->vcpu[i];
		if (!v || !atomic_load(&v->in_guest) || atomic_load(&v->tlb_gen) >= gen)
			continue;
		port_kick(v);
		while (atomic_load(&v->in_guest) && atomic_load(&v->tlb_gen) < gen)
			__builtin_ia32_pause();
	}
}

/* After a change that took something away. What becomes garbage during the flush is left to its
 * own: a vCPU may have come back with it. */
void hv_flush_and_reap(struct hv_vm *vm, bool changed)
{
	u64 *garbage;

	port_lock(&vm->lock);
	garbage = vm->npt.garbage;
	vm->npt.garbage = NULL;
	port_unlock(&vm->lock);
	if (changed || garbage)
		flush_all(vm);
	if (!garbage)
		return;
	port_lock(&vm->lock);
	npt_reap(&vm->npt, garbage);
	port_unlock(&vm->lock);
}

/* ---- slots ---------------------------------------------------------------------- */

static int slot_index(const struct hv_vm *vm, u64 gpa)
{
	for (unsigned i = 0; i < HV_MAX_SLOTS; i++)
		if (gpa - vm->slot[i].gpa < vm->slot[i].size)
			return (int)i;
	return NO_SLOT;
}

bool hv_slot_find(struct hv_vm *vm, u64 gpa, struct hv_slot *s)
{
	int i;

	port_lock(&vm->lock);
	i = slot_index(vm, gpa);
	if (i >= 0)
		*s = vm->slot[i];
	port_unlock(&vm->lock);
	return i >= 0;
}

static bool slot_valid(const struct hv_slot *s)
{
	u64 end;

	return !((s->gpa | s->size) & (PAGE - 1)) && !add_overflow(s->gpa, s->size, &end) &&
	       end <= BIT(52) && (s->pa == HV_PA_ASK || !(s->pa & (PAGE - 1))) &&
	       (!(s->flags & HV_SLOT_LOG) || s->dirty);
}

static bool overlaps(const struct hv_slot *a, const struct hv_slot *b)
{
	return a->gpa < b->gpa + b->size && b->gpa < a->gpa + a->size;
}

/* Where a slot with this id is or can go; -E_EXIST if it overlaps another. Locked. */
static int slot_place(struct hv_vm *vm, const struct hv_slot *s)
{
	int at = -E_NOSPC;

	for (unsigned i = 0; i < HV_MAX_SLOTS; i++) {
		if (vm->slot[i].size && vm->slot[i].id == s->id)
			at = (int)i;
		else if (vm->slot[i].size && s->size && overlaps(&vm->slot[i], s))
			return -E_EXIST;
		else if (!vm->slot[i].size && at == -E_NOSPC && s->size)
			at = (int)i;
	}
	return at;
}

static u32 slot_prot(const struct hv_slot *s, bool writable)
{
	if (!writable || (s->flags & HV_SLOT_READONLY))
		return NPT_READ | NPT_EXEC;
	return NPT_RWX;
}

/* Only logging is switched: keep the mapping. */
static bool only_flags(const struct hv_slot *a, const struct hv_slot *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->pa == b->pa && a->va == b->va &&
	       !((a->flags ^ b->flags) & HV_SLOT_READONLY);
}

int hv_slot_set(struct hv_vm *vm, const struct hv_slot *s)
{
	struct hv_slot old;
	bool changed;
	int at, err = 0;

	if (!slot_valid(s))
		return -E_INVAL;
	port_lock(&vm->lock);
	at = slot_place(vm, s);
	if (at < 0) {
		port_unlock(&vm->lock);
		return !s->size && at == -E_NOSPC ? 0 : at;
	}
	old = vm->slot[at];
	vm->mmu_seq++;
	vm->slot[at] = *s;
	if (old.size && only_flags(&old, s)) {
		changed = (s->flags & HV_SLOT_LOG) && npt_write_protect(&vm->npt, s->gpa, s->size);
	} else {
		changed = old.size && npt_unmap(&vm->npt, old.gpa, old.size);
		if (s->size && (s->flags & HV_SLOT_PREMAP) && s->pa != HV_PA_ASK)
			err = npt_map(&vm->npt, s->gpa, s->pa, s->size,
				      slot_prot(s, !(s->flags & HV_SLOT_LOG)));
	}
	port_unlock(&vm->lock);
	hv_flush_and_reap(vm, changed);
	return err;
}

/* ---- mappings ----------------------------------------------------------------------- */

int hv_map(struct hv_vm *vm, u64 gpa, u64 pa, u64 size, u32 prot)
{
	int err;

	port_lock(&vm->lock);
	err = npt_map(&vm->npt, gpa, pa, size, prot);
	port_unlock(&vm->lock);
	hv_flush_and_reap(vm, true);
	return err;
}

void hv_unmap(struct hv_vm *vm, u64 gpa, u64 size)
{
	bool changed;

	port_lock(&vm->lock);
	changed = npt_unmap(&vm->npt, gpa, size);
	port_unlock(&vm->lock);
	hv_flush_and_reap(vm, changed);
}

static void mark_dirty(struct hv_slot *s, u64 gpa)
{
	u64 n = (gpa - s->gpa) / PAGE;

	if (s->flags & HV_SLOT_LOG)
		s->dirty[n / 64] |= BIT(n % 64);
}

/* The largest page around gpa that lies in the slot and is contiguous at f. */
static void frame_of_slot(const struct hv_slot *s, u64 gpa, struct hv_frame *f)
{
	u64 start, delta = s->pa - s->gpa;

	f->size = PAGE;
	f->writable = true;
	for (u64 size = GIB(1); size > PAGE; size >>= 9) {
		start = align_down(gpa, size);
		if (start < s->gpa || !range_inside(start - s->gpa, size, s->size) ||
		    (delta & (size - 1)))
			continue;
		f->size = size;
		break;
	}
	f->pa = align_down(gpa, f->size) + delta;
}

static int frame_get(struct hv_vm *vm, const struct hv_slot *s, u64 gpa, bool write,
		     struct hv_frame *f)
{
	if (s->pa == HV_PA_ASK)
		return vm->cfg.ops->frame(vm->cfg.opaque, s, gpa, write, f);
	frame_of_slot(s, gpa, f);
	return 0;
}

/* Map what was found, if it is still true. Locked. 1: ask again. */
static int frame_map(struct hv_vm *vm, u64 gpa, bool write, u64 seq, const struct hv_frame *f)
{
	int i = slot_index(vm, gpa);
	bool log, writable = f->writable;
	struct hv_slot *s;
	u64 pa, size;

	if (vm->mmu_seq != seq || vm->mmu_busy || i < 0)
		return 1;
	s = &vm->slot[i];
	log = s->flags & HV_SLOT_LOG;
	size = log ? PAGE : f->size;
	pa = f->pa + (align_down(gpa, size) & (f->size - 1));
	if (log && write)
		mark_dirty(s, gpa);
	if (log && !write)
		writable = false;
	return npt_map(&vm->npt, align_down(gpa, size), pa, size, slot_prot(s, writable));
}

int hv_fault(struct hv_vcpu *v, u64 gpa, bool write)
{
	struct hv_vm *vm = v->vm;
	struct hv_frame f;
	struct hv_slot s;
	int i, err;
	u64 seq;

	port_lock(&vm->lock);
	seq = vm->mmu_seq;
	i = slot_index(vm, gpa);
	if (i >= 0)
		s = vm->slot[i];
	port_unlock(&vm->lock);
	if (i < 0 || (write && (s.flags & HV_SLOT_READONLY)))
		return 1;
	err = frame_get(vm, &s, align_down(gpa, PAGE), write, &f);
	if (err)
		return err;
	port_lock(&vm->lock);
	err = frame_map(vm, gpa, write, seq, &f);
	port_unlock(&vm->lock);
	hv_flush_and_reap(vm, false);
	if (s.pa == HV_PA_ASK && vm->cfg.ops->frame_done)
		vm->cfg.ops->frame_done(vm->cfg.opaque, &f);
	v->stats.pages_mapped++;
	return err < 0 ? err : 0; /* asking again: the guest faults again */
}

/* ---- guest bytes ----------------------------------------------------------------------- */

static int slot_copy(struct hv_vm *vm, struct hv_slot *s, u64 off, void *buf, size_t len,
		     bool write)
{
	const struct hv_vm_ops *ops = vm->cfg.ops;

	if (s->va) {
		if (write)
			__builtin_memcpy(s->va + off, buf, len);
		else
			__builtin_memcpy(buf, s->va + off, len);
		return 0;
	}
	if (write)
		return ops->write(vm->cfg.opaque, s, off, buf, len);
	return ops->read(vm->cfg.opaque, s, off, buf, len);
}

static void log_written(struct hv_vm *vm, u64 gpa, size_t len)
{
	int i;

	port_lock(&vm->lock);
	i = slot_index(vm, gpa);
	for (u64 p = align_down(gpa, PAGE); i >= 0 && p < gpa + len; p += PAGE)
		if (p - vm->slot[i].gpa < vm->slot[i].size)
			mark_dirty(&vm->slot[i], p);
	port_unlock(&vm->lock);
}

static int copy(struct hv_vm *vm, u64 gpa, u8 *buf, size_t len, bool write)
{
	struct hv_slot s;
	size_t n;

	while (len) {
		if (!hv_slot_find(vm, gpa, &s))
			return -E_FAULT;
		n = min_u64(len, s.size - (gpa - s.gpa));
		if (slot_copy(vm, &s, gpa - s.gpa, buf, n, write))
			return -E_FAULT;
		if (write && (s.flags & HV_SLOT_LOG))
			log_written(vm, gpa, n);
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int hv_read(struct hv_vm *vm, u64 gpa, void *buf, size_t len)
{
	return copy(vm, gpa, buf, len, false);
}

int hv_write(struct hv_vm *vm, u64 gpa, const void *buf, size_t len)
{
	return copy(vm, gpa, (u8 *)(uintptr_t)buf, len, true);
}
