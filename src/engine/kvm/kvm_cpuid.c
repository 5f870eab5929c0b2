/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID of a KVM guest: what KVM supports here, with the topology of this
 * machine (one thread a core, one package; APIC id = vCPU index). References:
 * Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; Linux
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bits.h"

enum {
	F1_ECX_X2APIC = 1 << 21,
	F1_ECX_DEADLINE = 1 << 24,
	F1_ECX_OSXSAVE = 1 << 27,
	F1_ECX_HYPERVISOR = 1u << 31,
	F1_EDX_HTT = 1 << 28,
	PV_CLOCK = 1 << 0, /* old MSRs */
	PV_NO_IO_DELAY = 1 << 1,
	PV_CLOCK2 = 1 << 3,
	PV_CLOCK_STABLE = 1 << 24,
};
#define PV_FIRST 0x40000000u
#define PV_FEATURES 0x40000001u
#define PV_TIMING 0x40000010u /* TSC and local APIC timer kHz, VMware's leaf that guests read */

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, u32 leaf, u32 sub)
{
	for (u32 i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == leaf &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == sub))
			return e;
	}
	return NULL;
}

static struct kvm_cpuid_entry2 *find_or_add(struct kvm_cpuid2 *c, u32 leaf, u32 sub, u32 flags)
{
	struct kvm_cpuid_entry2 *e = find(c, leaf, sub);

	if (!e && c->nent < KVM_CPUID_MAX) {
		e = &c->entries[c->nent++];
		*e = (struct kvm_cpuid_entry2){.function = leaf, .index = sub, .flags = flags};
	}
	return e;
}

/* Bits of an APIC id that number the cores. */
static u32 core_bits(u32 ncpus)
{
	u32 bits = 0;

	while (1u << bits < ncpus)
		bits++;
	return bits;
}

static void pv_leaves(struct engine_vm *vm, struct kvm_cpuid2 *c)
{
	struct kvm_cpuid_entry2 *first = find(c, PV_FIRST, 0), *f = find(c, PV_FEATURES, 0);
	struct kvm_cpuid_entry2 *t;

	if (!first || !f)
		return;
	/* With our own controllers, only what the machine itself offers with every engine. */
	if (vm->user_irqchip)
		f->eax = PV_CLOCK | PV_NO_IO_DELAY | PV_CLOCK2 | PV_CLOCK_STABLE;
	if (vm->other_date) /* KVM's clock knows the host's only */
		f->eax &= ~(u32)(PV_CLOCK | PV_CLOCK2 | PV_CLOCK_STABLE);
	t = find_or_add(c, PV_TIMING, 0, 0);
	if (!t || !vm->tsc_khz)
		return;
	first->eax = PV_TIMING;
	t->eax = (u32)vm->tsc_khz;
	t->ebx = 1000000;
}

static void xsave_limits(struct engine_vm *vm, struct kvm_cpuid2 *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0xd, 0);

	vm->xcr0 = 1;
	vm->xsave_size = 576; /* legacy region and header */
	if (!e || !e->eax)
		return;
	vm->xcr0 = e->eax | (u64)e->edx << 32;
	vm->xsave_size = e->ecx;
	if (vm->xsave_size > X86_XSAVE_MAX) { /* tile data (AMX): not in struct x86_state */
		vm->xcr0 &= BITS(0, 9);
		e->eax = (u32)vm->xcr0;
		e->edx = 0;
		vm->xsave_size = e->ecx = 2696;
	}
}

int kvm_cpuid_init(struct engine_vm *vm)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + KVM_CPUID_MAX * sizeof(c->entries[0]));
	struct kvm_cpuid_entry2 *e;

	if (!c)
		return -E_NOMEM;
	vm->cpuid = c;
	c->nent = KVM_CPUID_MAX;
	if (ioctl(vm->sys, KVM_GET_SUPPORTED_CPUID, c))
		return -errno;
	e = find(c, 1, 0);
	if (!e)
		return -E_NOTSUP;
	e->ecx |= F1_ECX_HYPERVISOR | F1_ECX_X2APIC;
	if (vm->user_irqchip || ioctl(vm->sys, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		e->ecx |= F1_ECX_DEADLINE;
	e->ecx &= ~F1_ECX_OSXSAVE;
	xsave_limits(vm, c);
	return 0;
}

static void leaf_1(struct kvm_cpuid2 *c, u32 id, u32 ncpus)
{
	struct kvm_cpuid_entry2 *e = find(c, 1, 0);

	e->ebx = (e->ebx & 0xffff) | ncpus << 16 | id << 24;
	if (ncpus > 1)
		e->edx |= F1_EDX_HTT;
	else
		e->edx &= ~(u32)F1_EDX_HTT;
}

/* Intel's cache leaf: cores in the package, and no cache but the last shared. */
static void leaf_4(struct kvm_cpuid2 *c, u32 ncpus)
{
	u32 cores = (1u << core_bits(ncpus)) - 1;

	for (u32 i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		u32 shared;

		if (e->function != 4 || !(e->eax & 0x1f))
			continue;
		shared = (e->eax >> 5 & 7) >= 3 ? cores : 0;
		e->eax = (e->eax & 0x3fff) | shared << 14 | (cores & 0x3f) << 26;
	}
}

static void leaf_b(struct kvm_cpuid2 *c, u32 leaf, u32 id, u32 ncpus)
{
	for (u32 level = 0; level < 3; level++) {
		struct kvm_cpuid_entry2 *e =
			find_or_add(c, leaf, level, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		if (!e)
			return;
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->eax = level == 1 ? core_bits(ncpus) : 0;
		e->ebx = level == 0 ? 1 : level == 1 ? ncpus : 0;
		e->ecx = level | (level < 2 ? level + 1 : 0) << 8;
		e->edx = id;
	}
}

static void leaves_amd(struct kvm_cpuid2 *c, u32 id, u32 ncpus)
{
	struct kvm_cpuid_entry2 *size = find(c, 0x80000008, 0), *ext = find(c, 0x8000001e, 0);

	if (size)
		size->ecx = (size->ecx & ~0xf0ffu) | (ncpus - 1) | core_bits(ncpus) << 12;
	if (ext) {
		ext->eax = id;
		ext->ebx = id & 0xff;
		ext->ecx = 0;
	}
}

int kvm_cpuid_vcpu(struct engine_vcpu *v)
{
	size_t size = sizeof(*v->cpuid) + KVM_CPUID_MAX * sizeof(v->cpuid->entries[0]);
	u32 max, ncpus = v->vm->ncpus;

	v->cpuid = malloc(size);
	if (!v->cpuid)
		return -E_NOMEM;
	memcpy(v->cpuid, v->vm->cpuid, size);
	pv_leaves(v->vm, v->cpuid);
	max = find(v->cpuid, 0, 0) ? find(v->cpuid, 0, 0)->eax : 0;
	leaf_1(v->cpuid, v->index, ncpus);
	leaf_4(v->cpuid, ncpus);
	if (max >= 0xb)
		leaf_b(v->cpuid, 0xb, v->index, ncpus);
	if (max >= 0x1f)
		leaf_b(v->cpuid, 0x1f, v->index, ncpus);
	leaves_amd(v->cpuid, v->index, ncpus);
	return ioctl(v->fd, KVM_SET_CPUID2, v->cpuid) ? -errno : 0;
}

void kvm_cpuid_get(struct engine_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	const struct kvm_cpuid_entry2 *e = find(v->cpuid, leaf, sub);

	out[0] = e ? e->eax : 0;
	out[1] = e ? e->ebx : 0;
	out[2] = e ? e->ecx : 0;
	out[3] = e ? e->edx : 0;
}
