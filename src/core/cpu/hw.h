/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The few processor instructions both SVM and VMX need, behind functions so that
 * unit tests can put their own in place (tests/unit/core). Pinned unless said.
 */
#ifndef HULL_CORE_CPU_HW_H
#define HULL_CORE_CPU_HW_H

#include "core/hv.h"

/* Any context. */
u64 hw_tsc(void);
void hw_cpuid(u32 leaf, u32 sub, u32 out[4]);
bool hw_cpu_is_intel(void);

u64 hw_rdmsr(u32 msr);
void hw_wrmsr(u32 msr, u64 val);
u64 hw_cr_read(unsigned cr); /* 0, 2, 3, 4 */
void hw_cr2_write(u64 val);
void hw_cr4_write(u64 val);
void hw_dr_load(const u64 dr[4]);
void hw_dr_save(u64 dr[4]);
u64 hw_dr6_read(void);
void hw_dr6_write(u64 val);

/* XSAVE components guests may have: x87, SSE, AVX, AVX-512. */
#define HW_XCR0_MASK 0xe7ULL

/* Have CR4.OSXSAVE on and remember the host's XCR0. */
void hw_fpu_enable(struct hv_cpu *c);
/* The guest's vector registers and XCR0 in; the other out, with the host's XCR0 again. */
void hw_fpu_load(struct hv_vcpu *v, struct hv_cpu *c);
void hw_fpu_save(struct hv_vcpu *v, struct hv_cpu *c);
/* After a run: XCR0 as the guest may have written it where XSETBV does not exit (QEMU's SVM). */
void hw_fpu_sync(struct hv_vcpu *v, struct hv_cpu *c);

#endif
