/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * SVM on a physical CPU: is it there, on, off. AMD APM vol. 2, 15.4 and 15.30.
 */
#include "core/cpu/svm/svm.h"

#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
enum { VM_CR_SVMDIS = 1 << 4 };

int svm_probe(const char **why)
{
	u32 r[4];

	hw_cpuid(0x80000000, 0, r);
	if (r[0] < 0x8000000a || hw_cpu_is_intel()) {
		*why = "this processor has no SVM";
		return -E_NODEV;
	}
	hw_cpuid(0x80000001, 0, r);
	*why = "this processor has no SVM";
	if (!(r[2] & 4))
		return -E_NODEV;
	*why = "SVM is switched off by the firmware";
	if (hw_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return -E_NODEV;
	hw_cpuid(0x8000000a, 0, r);
	*why = "this processor has SVM without nested paging";
	if (!(r[3] & 1))
		return -E_NODEV;
	*why = NULL;
	return 0;
}

/* Nested tables have the host's own depth (15.25.3). */
void svm_npt_shape(unsigned *levels, u32 *sizes)
{
	u32 r[4];

	hw_cpuid(0x80000001, 0, r);
	*levels = hw_cr_read(4) & CR4_LA57 ? 5 : 4;
	*sizes = NPT_2M | (r[3] & BIT(26) ? NPT_1G : 0);
}

int svm_cpu_enable(struct hv_cpu *c)
{
	u64 efer = hw_rdmsr(MSR_EFER);
	u32 r[4];

	if (efer & EFER_SVME)
		return -E_BUSY;
	hw_cpuid(0x8000000a, 0, r);
	c->saved[0] = efer;
	hw_wrmsr(MSR_EFER, efer | EFER_SVME);
	hw_wrmsr(MSR_VM_HSAVE_PA, port_pa(c->vt_page));
	c->asid_max = r[1] ? r[1] : 2;
	c->asid_next = c->asid_max; /* the first entry flushes */
	c->asid_gen = 1;
	return 0;
}

void svm_cpu_disable(struct hv_cpu *c)
{
	hw_wrmsr(MSR_VM_HSAVE_PA, 0);
	hw_wrmsr(MSR_EFER, c->saved[0]);
}
