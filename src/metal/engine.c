/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * struct engine_ops over the core, for the board; and the few things the core
 * leaves to its host: paravirtual EOI and IPIs, Xen's leaves and hypercalls.
 */
#include "metal/engine.h"

#include "core/cpu/hw.h"
#include "machine/pc_internal.h"
#include "metal/domain.h"
#include "metal/sched.h"
#include "metal/smp.h"
#include "metal/xen.h"

#include <stdlib.h>

static struct lapic *lapic_of(struct hv_vcpu *v)
{
	struct engine_vcpu *e = container_of(v, struct engine_vcpu, hv);
	struct pc *pc = container_of(e->domain->board, struct pc, board);

	return &pc->cpu[v->index].lapic;
}

static unsigned highest(const u32 *bits)
{
	for (unsigned i = 8; i-- > 0;)
		if (bits[i])
			return i * 32 + 31 - (unsigned)__builtin_clz(bits[i]);
	return 0;
}

/* KVM's PV EOI (Documentation/virt/kvm/x86/msr.rst): edge, and nothing else waits. */
static bool on_eoi_skippable(void *opaque, struct hv_vcpu *v)
{
	struct domain *d = opaque;
	struct lapic *l = lapic_of(v);
	unsigned vector;
	bool ok;

	loop_lock(&d->loop);
	vector = highest(l->isr);
	ok = vector && !(l->tmr[vector / 32] >> vector % 32 & 1) && !highest(l->irr);
	loop_unlock(&d->loop);
	return ok;
}

static void on_eoi(void *opaque, struct hv_vcpu *v)
{
	struct domain *d = opaque;

	loop_lock(&d->loop);
	lapic_eoi(lapic_of(v));
	loop_unlock(&d->loop);
}

static bool on_ipi(void *opaque, u32 apic_id, u32 icr)
{
	struct domain *d = opaque;
	struct pc *pc = container_of(d->board, struct pc, board);
	const struct apic_msg msg = {
		.dest = apic_id, .wide = true, .mode = icr >> 8 & 7, .vector = (u8)icr};
	bool ok;

	loop_lock(&d->loop);
	ok = apic_bus_send(&pc->apic_bus, &msg);
	loop_unlock(&d->loop);
	return ok;
}

static bool on_hypercall(void *opaque, struct hv_vcpu *v)
{
	struct domain *d = opaque;

	return d->xen && xen_hypercall(d->xen, v);
}

static void on_cpuid(void *opaque, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	struct domain *d = opaque;

	if (d->xen)
		xen_cpuid(d->xen, v, leaf, sub, out);
}

/* ---- engine_ops --------------------------------------------------------------------- */

static int add_slots(struct engine_vm *vm, const struct gpa_map *map)
{
	int err = 0;

	for (unsigned i = 0; !err && i < map->nslots; i++) {
		const struct gpa_slot *g = &map->slot[i];
		const struct hv_slot s = {.id = i,
					  .flags = HV_SLOT_PREMAP |
						   (g->readonly ? HV_SLOT_READONLY : 0),
					  .gpa = g->gpa,
					  .size = g->size,
					  .pa = (u64)g->host,
					  .va = g->host};

		err = hv_slot_set(&vm->hv, &s);
	}
	return err;
}

static int vm_create(const struct engine_vm_config *cfg, struct engine_vm **out)
{
	static const struct hv_vm_ops ops = {
		.hypercall = on_hypercall,
		.cpuid = on_cpuid,
		.eoi_skippable = on_eoi_skippable,
		.eoi = on_eoi,
		.ipi = on_ipi,
	};
	struct domain *d = domains.building;
	struct engine_vm *vm = calloc(1, sizeof(*vm));
	const struct hv_vm_config hc = {
		.ops = &ops,
		.opaque = d,
		.pv = d->cfg->pv == CONFIG_PV_KVM ? HV_PV_KVM : HV_PV_NONE,
		.ncpus = cfg->ncpus,
		.x2apic = true,
		.tsc_deadline = true,
		.quick = true,
	};
	int err;

	if (!vm)
		return -E_NOMEM;
	vm->domain = d;
	err = hv_vm_init(&vm->hv, metal.vt, &hc);
	if (!err)
		err = add_slots(vm, cfg->map);
	if (err) {
		hv_vm_fini(&vm->hv);
		free(vm);
		return err;
	}
	d->vm = *out = vm;
	return 0;
}

static void vm_destroy(struct engine_vm *vm)
{
	if (!vm)
		return;
	hv_vm_fini(&vm->hv);
	vm->domain->vm = NULL;
	free(vm);
}

/* While frozen the offset is the guest's TSC as it was: its clocks go on from there. */
static void vm_freeze(struct engine_vm *vm, bool frozen)
{
	if (frozen == vm->frozen)
		return;
	vm->frozen = frozen;
	vm->hv.tsc_offset += frozen ? hw_tsc() : 0 - hw_tsc();
}

/* The board's calls, with Xen's in between; their opaque is the board's. */
static int on_msr_write(void *opaque, u32 msr, u64 val)
{
	struct pc_cpu *c = opaque;
	struct domain *d = c->pc->cfg.opaque;
	int err = d->bus.msr_write(opaque, msr, val);

	if (!err || !d->xen)
		return err;
	loop_lock(&d->loop);
	err = xen_msr_write(d->xen, msr, val);
	loop_unlock(&d->loop);
	return err;
}

static int on_irq_ack(void *opaque)
{
	struct pc_cpu *c = opaque;
	struct domain *d = c->pc->cfg.opaque;
	int vector = d->bus.irq_ack(opaque);

	loop_lock(&d->loop);
	xen_acked(d->xen, c->index, vector);
	loop_unlock(&d->loop);
	return vector;
}

static int vcpu_create(struct engine_vm *vm, unsigned index, const struct vcpu_bus *bus,
		       struct engine_vcpu **out)
{
	struct engine_vcpu *v = calloc(1, sizeof(*v));
	struct vcpu_bus mine = *bus;
	int err;

	if (!v)
		return -E_NOMEM;
	v->domain = vm->domain;
	v->domain->bus = *bus;
	if (v->domain->xen) {
		mine.msr_write = on_msr_write;
		mine.irq_ack = on_irq_ack;
	}
	v->hv.host = v;
	err = hv_vcpu_init(&v->hv, &vm->hv, index, &mine);
	if (err) {
		hv_vcpu_fini(&v->hv);
		free(v);
		return err;
	}
	vm->domain->vcpu[index] = *out = v;
	return 0;
}

/* Takes a vCPU's registers off the CPU it ran on last. */
static void put_here(void *opaque)
{
	struct engine_vcpu *v = opaque;

	if (port_cpu()->loaded == &v->hv)
		hv_vcpu_put(&v->hv);
}

static void vcpu_unload(struct engine_vcpu *v)
{
	for (unsigned i = 0; i < metal.ncpus; i++)
		if (metal.hv_cpu[i].loaded == &v->hv)
			smp_call(i, put_here, v);
}

static void vcpu_destroy(struct engine_vcpu *v)
{
	if (!v)
		return;
	sched_remove(v);
	vcpu_unload(v);
	v->domain->vcpu[v->hv.index] = NULL;
	hv_vcpu_fini(&v->hv);
	free(v);
}

static void vcpu_reset(struct engine_vcpu *v)
{
	vcpu_unload(v);
	hv_vcpu_reset(&v->hv);
	v->state = VCPU_RUNNABLE;
}

static int vcpu_get_state(struct engine_vcpu *v, struct x86_state *s)
{
	return hv_vcpu_get(&v->hv, s);
}

static int vcpu_set_state(struct engine_vcpu *v, const struct x86_state *s)
{
	return hv_vcpu_set(&v->hv, s);
}

static void vcpu_irq(struct engine_vcpu *v, bool level)
{
	hv_vcpu_irq(&v->hv, level);
}

static void vcpu_nmi(struct engine_vcpu *v)
{
	hv_vcpu_nmi(&v->hv);
}

static void vcpu_init(struct engine_vcpu *v)
{
	hv_vcpu_init_signal(&v->hv);
}

static void vcpu_sipi(struct engine_vcpu *v, u8 vector)
{
	hv_vcpu_sipi(&v->hv, vector);
}

static u64 vcpu_tsc(struct engine_vcpu *v, u64 *khz)
{
	return hv_vcpu_tsc(&v->hv, khz);
}

const struct engine_ops engine_metal_ops = {
	.name = "metal",
	.arch = ENGINE_ARCH_X86,
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.vm_freeze = vm_freeze,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.vcpu_reset = vcpu_reset,
	.vcpu_get_state = vcpu_get_state,
	.vcpu_set_state = vcpu_set_state,
	.vcpu_irq = vcpu_irq,
	.vcpu_nmi = vcpu_nmi,
	.vcpu_init = vcpu_init,
	.vcpu_sipi = vcpu_sipi,
	.vcpu_tsc = vcpu_tsc,
};
