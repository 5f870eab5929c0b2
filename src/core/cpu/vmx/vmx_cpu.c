/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VMX on a physical CPU: is it there, on, off. SDM vol. 3C 24.6 to 24.8, vol. 3D
 * appendix A.
 */
#include "core/cpu/vmx/vmx.h"

enum { FEATURE_LOCKED = 1, FEATURE_VMX = 4 };
enum {
	EPT_WALK_4 = 1 << 6,
	EPT_WRITE_BACK = 1 << 14,
	EPT_2M = 1 << 16,
	EPT_1G = 1 << 17,
	EPT_INVEPT_SINGLE = 1 << 25,
};

u32 vmx_control(u32 msr, u32 want)
{
	u64 cap = hw_rdmsr(msr);

	return (want | (u32)cap) & (u32)(cap >> 32);
}

int vmx_probe(const char **why)
{
	const u32 need = PROC2_EPT | PROC2_UNRESTRICTED | PROC2_VPID;
	const u64 ept_need = EPT_WALK_4 | EPT_WRITE_BACK | EPT_INVEPT_SINGLE;
	u32 r[4];
	u64 feature;

	hw_cpuid(1, 0, r);
	*why = "this processor has no VMX";
	if (!(r[2] & BIT(5)))
		return -E_NODEV;
	feature = hw_rdmsr(MSR_FEATURE_CONTROL);
	*why = "VMX is switched off by the firmware";
	if ((feature & FEATURE_LOCKED) && !(feature & FEATURE_VMX))
		return -E_NODEV;
	*why = "this processor's VMX lacks EPT, VPID or unrestricted guests";
	if (!(hw_rdmsr(0x482) >> 63) || (vmx_control(MSR_VMX_PROC2, need) & need) != need)
		return -E_NODEV;
	if ((hw_rdmsr(MSR_VMX_EPT_CAP) & ept_need) != ept_need)
		return -E_NODEV;
	*why = NULL;
	return 0;
}

void vmx_npt_shape(unsigned *levels, u32 *sizes)
{
	u64 cap = hw_rdmsr(MSR_VMX_EPT_CAP);

	*levels = 4;
	*sizes = (cap & EPT_2M ? NPT_2M : 0) | (cap & EPT_1G ? NPT_1G : 0);
}

int vmx_cpu_enable(struct hv_cpu *c)
{
	u64 cr4 = hw_cr_read(4), feature = hw_rdmsr(MSR_FEATURE_CONTROL);

	if (cr4 & CR4_VMXE)
		return -E_BUSY;
	if (!(feature & FEATURE_LOCKED))
		hw_wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_LOCKED | FEATURE_VMX);
	*(u32 *)c->vt_page = (u32)hw_rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	hw_cr4_write(cr4 | CR4_VMXE);
	if (vmx_on(port_pa(c->vt_page))) {
		hw_cr4_write(cr4);
		return -E_NODEV;
	}
	c->asid_max = 0x10000;
	c->asid_next = 1;
	c->asid_gen = 1;
	return 0;
}

void vmx_cpu_disable(struct hv_cpu *c)
{
	vmx_off();
	hw_cr4_write(hw_cr_read(4) & ~(u64)CR4_VMXE);
}
