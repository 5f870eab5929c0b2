/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Processor instructions; contract in hw.h.
 */
#include "core/cpu/hw.h"
#include "core/x86_bits.h"

u64 hw_tsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

void hw_cpuid(u32 leaf, u32 sub, u32 out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}

bool hw_cpu_is_intel(void)
{
	u32 r[4];

	hw_cpuid(0, 0, r);
	return r[1] == 0x756e6547; /* "Genu" */
}

u64 hw_rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

void hw_wrmsr(u32 msr, u64 val)
{
	__asm__ volatile("wrmsr" ::"a"((u32)val), "d"((u32)(val >> 32)), "c"(msr) : "memory");
}

u64 hw_cr_read(unsigned cr)
{
	u64 val;

	if (cr == 0)
		__asm__ volatile("mov %%cr0, %0" : "=r"(val));
	else if (cr == 2)
		__asm__ volatile("mov %%cr2, %0" : "=r"(val));
	else if (cr == 3)
		__asm__ volatile("mov %%cr3, %0" : "=r"(val));
	else
		__asm__ volatile("mov %%cr4, %0" : "=r"(val));
	return val;
}

void hw_cr4_write(u64 val)
{
	__asm__ volatile("mov %0, %%cr4" ::"r"(val) : "memory");
}

void hw_cr2_write(u64 val)
{
	__asm__ volatile("mov %0, %%cr2" ::"r"(val));
}

u64 hw_dr6_read(void)
{
	u64 val;

	__asm__ volatile("mov %%dr6, %0" : "=r"(val));
	return val;
}

void hw_dr6_write(u64 val)
{
	__asm__ volatile("mov %0, %%dr6" ::"r"(val));
}

void hw_dr_load(const u64 dr[4])
{
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(dr[0]),
			 "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
}

void hw_dr_save(u64 dr[4])
{
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
			 : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
}

/* ---- vector state ------------------------------------------------------------- */

static bool has_xsave(void)
{
	u32 r[4];

	hw_cpuid(1, 0, r);
	return r[2] & BIT(26);
}

static u64 xgetbv(void)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (u64)hi << 32;
}

static void xsetbv(u64 val)
{
	__asm__ volatile("xsetbv" ::"a"((u32)val), "d"((u32)(val >> 32)), "c"(0));
}

void hw_fpu_enable(struct hv_cpu *c)
{
	c->host_xcr0 = 0;
	if (!has_xsave())
		return;
	hw_cr4_write(hw_cr_read(4) | CR4_OSXSAVE | CR4_OSFXSR);
	c->host_xcr0 = xgetbv();
}

/* Where the host runs with fewer components than the guest may have, all are saved. */
static u64 all_components(void)
{
	u32 r[4];

	hw_cpuid(0xd, 0, r);
	return r[0] & HW_XCR0_MASK;
}

void hw_fpu_load(struct hv_vcpu *v, struct hv_cpu *c)
{
	u64 mask;

	if (!v->fpu_live && !c->host_xcr0) {
		__asm__ volatile("fxrstor64 (%0)" ::"r"(v->xsave) : "memory");
	} else if (!v->fpu_live) {
		mask = v->xsave_mask ? v->xsave_mask : (v->xsave_mask = all_components());
		xsetbv(mask);
		v->hw_xcr0 = mask;
		__asm__ volatile("xrstor64 (%0)" ::"r"(v->xsave), "a"((u32)mask), "d"(0)
				 : "memory");
	}
	v->fpu_live = true;
	if (c->host_xcr0 && v->hw_xcr0 != v->xcr0) {
		xsetbv(v->xcr0);
		v->hw_xcr0 = v->xcr0;
	}
}

void hw_fpu_save(struct hv_vcpu *v, struct hv_cpu *c)
{
	u64 mask = v->xsave_mask;

	v->fpu_live = false;
	if (!c->host_xcr0) {
		__asm__ volatile("fxsave64 (%0)" ::"r"(v->xsave) : "memory");
		return;
	}
	if (v->hw_xcr0 != mask)
		xsetbv(mask);
	__asm__ volatile("xsave64 (%0)" ::"r"(v->xsave), "a"((u32)mask), "d"(0) : "memory");
	xsetbv(c->host_xcr0);
}

void hw_fpu_sync(struct hv_vcpu *v, struct hv_cpu *c)
{
	if (c->host_xcr0)
		v->xcr0 = v->hw_xcr0 = xgetbv();
}
