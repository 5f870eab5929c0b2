/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AMD SVM: the VMCB (AMD APM vol. 2 appendix B) and what the files of this folder
 * share. Exit codes: appendix C.
 */
#ifndef HULL_CORE_CPU_SVM_H
#define HULL_CORE_CPU_SVM_H

#include "core/hv_internal.h"
#include "core/cpu/hw.h"

struct svm_seg {
	u16 sel, attr; /* attr: descriptor bits 40-47 and 52-55 in 12 bits */
	u32 limit;
	u64 base;
};

enum { SVM_SEG_L = 1 << 9 }; /* of svm_seg.attr: 64-bit code */

struct vmcb {
	/* control area */
	u16 cr_read, cr_write, dr_read, dr_write;
	u32 exceptions, misc1, misc2, misc3;
	u8 pad0[0x3c - 0x18];
	u16 pause_threshold, pause_count;
	u64 iopm, msrpm, tsc_offset;
	u32 asid;
	u8 tlb_control, pad1[3];
	u64 vintr, shadow, exit_code, info1, info2, exit_event, nested, avic, ghcb, event;
	u64 ncr3, lbr, clean, next_rip;
	u8 pad2[0x400 - 0xd0];
	/* state save area */
	struct svm_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 pad3[0x4cb - 0x4a0];
	u8 cpl, pad4[4];
	u64 efer;
	u8 pad5[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 pad6[0x5d8 - 0x580];
	u64 rsp;
	u8 pad7[0x5f8 - 0x5e0];
	u64 rax;
	struct hv_syscalls sys;
	u64 cr2;
	u8 pad8[0x668 - 0x648];
	u64 pat;
	u8 pad9[0x1000 - 0x670];
};
static_assert(offsetof(struct vmcb, iopm) == 0x40, "VMCB");
static_assert(offsetof(struct vmcb, vintr) == 0x60, "VMCB");
static_assert(offsetof(struct vmcb, ncr3) == 0xb0, "VMCB");
static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB");
static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB");
static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB");
static_assert(offsetof(struct vmcb, cr4) == 0x548, "VMCB");
static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB");
static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB");
static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB");
static_assert(sizeof(struct vmcb) == 4096, "VMCB");

/* misc1: bit n is exit code 60h + n; misc2: 80h + n (appendix B, table B-1). */
enum {
	SVM_1_INTR = 1 << 0,
	SVM_1_NMI = 1 << 1,
	SVM_1_INIT = 1 << 3,
	SVM_1_VINTR = 1 << 4,
	SVM_1_RDPMC = 1 << 15,
	SVM_1_CPUID = 1 << 18,
	SVM_1_IRET = 1 << 20,
	SVM_1_INVD = 1 << 22,
	SVM_1_HLT = 1 << 24,
	SVM_1_INVLPGA = 1 << 26,
	SVM_1_IOIO = 1 << 27,
	SVM_1_MSR = 1 << 28,
	SVM_1_TASK = 1 << 29,
};
#define SVM_1_SHUTDOWN BIT(31)
enum {
	SVM_2_VMRUN = 1 << 0,
	SVM_2_VMMCALL = 1 << 1,
	SVM_2_VMLOAD = 1 << 2,
	SVM_2_VMSAVE = 1 << 3,
	SVM_2_STGI = 1 << 4,
	SVM_2_CLGI = 1 << 5,
	SVM_2_SKINIT = 1 << 6,
	SVM_2_WBINVD = 1 << 9,
	SVM_2_MONITOR = 1 << 10,
	SVM_2_MWAIT = 1 << 11,
	SVM_2_XSETBV = 1 << 13,
};

enum svm_exit_code {
	SVM_EXIT_DR_READ = 0x20,
	SVM_EXIT_EXC = 0x40,
	SVM_EXIT_INTR = 0x60,
	SVM_EXIT_CPUID = 0x72,
	SVM_EXIT_IOIO = 0x7b,
	SVM_EXIT_MSR = 0x7c,
	SVM_EXIT_VMMCALL = 0x81,
	SVM_EXIT_NPF = 0x400,
};

/* vintr, offset 60h. */
enum {
	SVM_V_IRQ = 1 << 8,
	SVM_V_PRIO = 0xf << 16,
	SVM_V_IGN_TPR = 1 << 20,
	SVM_V_MASKING = 1 << 24
};

enum { SVM_TLB_NOTHING = 0, SVM_TLB_FLUSH_ALL = 1 };

/* One allocation a VM: I/O permission map of 12 KiB, then the MSR map of 8. */
#define SVM_MAPS_ORDER 3
#define SVM_IOPM_SIZE 0x3000u

static inline struct vmcb *svm_vmcb(const struct hv_vcpu *v)
{
	return v->vt_data;
}

/* svm_enter.S: run the guest. v->gpr in enum x86_gpr order, but rax and rsp are in the VMCB. */
void svm_enter_asm(struct hv_vcpu *v, u64 vmcb_pa, u64 host_pa);
static_assert(offsetof(struct hv_vcpu, gpr) == 0, "svm_enter.S");

/* svm_exit.c: for svm_enter_asm; false: nothing has happened, the exit goes the long way. */
bool svm_again(struct hv_vcpu *v);

/* svm_exit.c: VMCB to v->exit and v->event. */
void svm_exit_decode(struct hv_vcpu *v);

/* svm_check.c, in debug builds: the rule that the VMCB breaks, or NULL. */
#ifdef HULL_CORE_CHECK
const char *svm_check(struct hv_vcpu *v);
#else
static inline const char *svm_check(struct hv_vcpu *v)
{
	return NULL;
}
#endif

/* svm_cpu.c */
int svm_probe(const char **why);
void svm_npt_shape(unsigned *levels, u32 *sizes);
int svm_cpu_enable(struct hv_cpu *c);
void svm_cpu_disable(struct hv_cpu *c);

#endif
