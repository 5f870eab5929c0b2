/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's paravirtual clock (kernel doc virt/kvm/x86/msr): the wall clock and, per
 * vCPU, a page with TSC stamp, time and scale. The TSC is one for all vCPUs and
 * stops only with the whole machine, so the page is written once per MSR write or
 * TSC change, counts from TSC 0 and carries the "stable" flag.
 */
#include "engine/jit/x86/sys.h"

enum {
	MSR_KVM_WALL_OLD = 0x11,
	MSR_KVM_TIME_OLD = 0x12,
	MSR_KVM_WALL = 0x4b564d00,
	MSR_KVM_TIME = 0x4b564d01,
};

/* struct pvclock_vcpu_time_info and pvclock_wall_clock (asm/pvclock-abi.h). */
struct pvclock {
	u32 version, pad0;
	u64 tsc, system_ns;
	u32 mul;
	s8 shift;
	u8 flags, pad[2];
};
static_assert(sizeof(struct pvclock) == 32, "guest ABI");

struct wallclock {
	u32 version, sec, nsec;
};
static_assert(sizeof(struct wallclock) == 12, "guest ABI");

/* ns = (tsc << shift) * mul >> 32, mul normalized to use its upper bits. */
static void scale(u64 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000, ns = 1000000000;
	s8 sh = 0;

	while (hz > ns * 2) {
		hz >>= 1;
		sh--;
	}
	while (hz <= ns) {
		hz <<= 1;
		sh++;
	}
	*mul = (u32)(((u64)ns << 32) / hz);
	*shift = sh;
}

void x86_pv_clock_update(struct x86_vcpu *c)
{
	struct pvclock p = {.flags = 1};
	u64 gpa = c->sys->kvm_clock & ~3ULL;
	u32 version = 0;

	if (!(c->sys->kvm_clock & 1) || gpa_read(c->vm->map, gpa, &version, 4))
		return;
	scale(c->vm->tsc_khz, &p.mul, &p.shift);
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
	struct wallclock w = {.version = 2};

	if (!gpa) /* a reset or a restored state, not a guest that asks */
		return;
	w.sec = (u32)(c->vm->wall_ns / 1000000000);
	w.nsec = (u32)(c->vm->wall_ns % 1000000000);
	gpa_write(c->vm->map, gpa, &w, sizeof(w));
}

int x86_pv_wrmsr(struct x86_vcpu *c, u32 msr, u64 val)
{
	switch (msr) {
	case MSR_KVM_WALL_OLD:
	case MSR_KVM_WALL:
		c->sys->kvm_wall = val;
		wall_write(c, val & ~3ULL);
		return 0;
	case MSR_KVM_TIME_OLD:
	case MSR_KVM_TIME:
		c->sys->kvm_clock = val;
		x86_pv_clock_update(c);
		return 0;
	}
	return 1;
}

int x86_pv_rdmsr(struct x86_vcpu *c, u32 msr, u64 *val)
{
	switch (msr) {
	case MSR_KVM_WALL_OLD:
	case MSR_KVM_WALL:
		*val = c->sys->kvm_wall;
		return 0;
	case MSR_KVM_TIME_OLD:
	case MSR_KVM_TIME:
		*val = c->sys->kvm_clock;
		return 0;
	}
	return 1;
}
