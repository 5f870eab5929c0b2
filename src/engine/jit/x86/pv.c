/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's paravirtual clock (kernel doc virt/kvm/x86/msr): the wall clock and, per
 * vCPU, a page with TSC stamp, time and scale. The TSC is one for all vCPUs and
 * stops only with the whole machine, so the page is written once per MSR write or
 * TSC change, counts from TSC 0 and carries the "stable" flag.
 */
#include "engine/jit/x86/sys.h"
#include "core/pv_kvm.h"

void x86_pv_clock_update(struct x86_vcpu *c)
{
	struct pvclock_time p = {.flags = 1};
	u64 gpa = c->sys->kvm_clock & ~3ULL;
	u32 version = 0;

	if (!(c->sys->kvm_clock & 1) || gpa_read(c->vm->map, gpa, &version, 4))
		return;
	pvclock_scale(c->vm->tsc_khz, &p.mul, &p.shift);
	/* The same stamp on every vCPU, or rounding would make their clocks differ. */
	p.tsc = c->tsc_offset;
	p.version = (version | 1) + 2; /* odd while it changes */
	if (gpa_write(c->vm->map, gpa, &p, sizeof(p)))
		return;
	version = p.version + 1;
	gpa_write(c->vm->map, gpa, &version, 4);
}

static void wall_write(struct x86_vcpu *c, u64 gpa)
{
	struct pvclock_wall w = {.version = 2};

	if (!gpa) /* a reset or a restored state, not a guest that asks */
		return;
	w.sec = (u32)(c->vm->wall_ns / 1000000000);
	w.nsec = (u32)(c->vm->wall_ns % 1000000000);
	gpa_write(c->vm->map, gpa, &w, sizeof(w));
}

int x86_pv_wrmsr(struct x86_vcpu *c, u32 msr, u64 val)
{
	switch (msr) {
	case PV_KVM_MSR_WALL_OLD:
	case PV_KVM_MSR_WALL:
		c->sys->kvm_wall = val;
		wall_write(c, val & ~3ULL);
		return 0;
	case PV_KVM_MSR_TIME_OLD:
	case PV_KVM_MSR_TIME:
		c->sys->kvm_clock = val;
		x86_pv_clock_update(c);
		return 0;
	}
	return 1;
}

int x86_pv_rdmsr(struct x86_vcpu *c, u32 msr, u64 *val)
{
	switch (msr) {
	case PV_KVM_MSR_WALL_OLD:
	case PV_KVM_MSR_WALL:
		*val = c->sys->kvm_wall;
		return 0;
	case PV_KVM_MSR_TIME_OLD:
	case PV_KVM_MSR_TIME:
		*val = c->sys->kvm_clock;
		return 0;
	}
	return 1;
}
