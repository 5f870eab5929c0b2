/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What hosts need that answer for a user-space machine; contract in user.h. The
 * module and the unit tests link it, hull-metal does not.
 */
#include "core/user.h"
#include "core/cpu/hw.h"
#include "core/hv_internal.h"
#include "core/pv_kvm.h"

#define PAGE 4096u

/* ---- physical CPUs --------------------------------------------------------------- */

void hv_cpu_disable(void)
{
	struct hv_cpu *c = port_cpu();

	if (!c->enabled)
		return;
	if (c->loaded)
		hv_vcpu_put(c->loaded);
	c->vt->cpu_disable(c);
	c->enabled = false;
}

/* ---- memory ------------------------------------------------------------------------ */

int hv_slot_dirty(struct hv_vm *vm, u32 id, u64 *out)
{
	struct hv_slot *s = NULL;
	bool changed = false;
	u64 words;

	port_lock(&vm->lock);
	for (unsigned i = 0; i < HV_MAX_SLOTS; i++)
		if (vm->slot[i].size && vm->slot[i].id == id)
			s = &vm->slot[i];
	if (!s || !(s->flags & HV_SLOT_LOG)) {
		port_unlock(&vm->lock);
		return -E_NOENT;
	}
	words = (s->size / PAGE + 63) / 64;
	for (u64 i = 0; i < words; i++) {
		out[i] = s->dirty[i];
		s->dirty[i] = 0;
		for (u64 bits = out[i]; bits; bits &= bits - 1)
			changed |= npt_write_protect(
				&vm->npt,
				s->gpa + (i * 64 + (unsigned)__builtin_ctzll(bits)) * PAGE, PAGE);
	}
	port_unlock(&vm->lock);
	hv_flush_and_reap(vm, changed);
	return 0;
}

void hv_mmu_begin(struct hv_vm *vm, u64 gpa, u64 size)
{
	port_lock(&vm->lock);
	vm->mmu_busy++;
	port_unlock(&vm->lock);
	hv_unmap(vm, gpa, size);
}

void hv_mmu_end(struct hv_vm *vm)
{
	port_lock(&vm->lock);
	vm->mmu_seq++;
	vm->mmu_busy--;
	port_unlock(&vm->lock);
}

u64 hv_vcpu_translate(struct hv_vcpu *v, u64 linear)
{
	u64 gpa;
	u32 error;

	return hv_walk(v, linear, 0, &gpa, &error) ? ~0ULL : gpa;
}

/* ---- CPUID, clock ---------------------------------------------------------------------- */

int hv_cpuid_set(struct hv_vm *vm, const struct hv_cpuid *e, unsigned n)
{
	if (n > HV_MAX_CPUID)
		return -E_2BIG;
	for (unsigned i = 0; i < n; i++)
		vm->cpuid[i] = e[i];
	vm->ncpuid = n;
	return 0;
}

int hv_pv_clock_stopped(struct hv_vcpu *v)
{
	u64 gpa = (v->pv.clock & ~1ULL) + offsetof(struct pvclock_time, flags);
	u8 flags;

	if (!(v->pv.clock & 1) || hv_read(v->vm, gpa, &flags, 1))
		return -E_INVAL;
	flags |= PVCLOCK_STOPPED;
	return hv_write(v->vm, gpa, &flags, 1) ? -E_INVAL : 0;
}

/* ---- the vCPU from outside ---------------------------------------------------------------- */

void hv_vcpu_kick(struct hv_vcpu *v)
{
	hv_request(v, HV_REQ_KICK);
}

void hv_vcpu_defer(struct hv_vcpu *v)
{
	v->deferred = true;
	v->stats.deferred++;
}

void hv_vcpu_answer(struct hv_vcpu *v, u64 val)
{
	if (!v->nreplay)
		return;
	v->replay[v->nreplay - 1].val = val & mask_bytes(v->replay[v->nreplay - 1].size);
	v->replay[v->nreplay - 1].answered = true;
	v->redo = true;
}

int hv_vcpu_queue_irq(struct hv_vcpu *v, u8 vector)
{
	if (!hv_vcpu_can_inject(v))
		return -E_BUSY;
	v->event = (struct hv_event){.kind = VT_EVENT_IRQ, .vector = vector, .valid = true};
	return 0;
}

void hv_vcpu_want_window(struct hv_vcpu *v, bool want)
{
	v->want_window = want;
}

void hv_vcpu_queue_exc(struct hv_vcpu *v, u8 vector, bool has_error, u32 error)
{
	hv_raise(v, vector, has_error, error);
}

int hv_vcpu_debug(struct hv_vcpu *v, const struct vcpu_debug *d)
{
	if (d && (d->nbreaks || d->nwatch))
		return -E_NOTSUP;
	v->debugging = d != NULL;
	v->step = d && d->step;
	v->intercepts_stale = true;
	return 0;
}
