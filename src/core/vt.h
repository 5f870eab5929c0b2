/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What differs between AMD's SVM and Intel's VMX, as one const table. The run
 * loop (core/vcpu.c) knows no VMCB and no VMCS; the two implementations
 * (core/cpu/svm, core/cpu/vmx) know no devices and no policy.
 */
#ifndef HULL_CORE_VT_H
#define HULL_CORE_VT_H

#include "base/bits.h"
#include "core/npt.h"
#include "core/x86_state.h"

struct hv_vm;
struct hv_vcpu;
struct hv_event;

/* A physical CPU, one each, the host's memory (port_cpu). The host fills in id. */
struct hv_cpu {
	unsigned id;
	const struct vt_ops *vt;
	bool enabled;
	struct hv_vcpu *loaded; /* whose registers are here */
	u32 asid_next, asid_max;
	u64 asid_gen;
	void *vt_page; /* SVM: host save area; VMX: VMXON region */
	void *vt_host; /* SVM: host's own VMLOAD state */
	u64 saved[8];  /* MSRs and control registers to restore on disable */
	u64 host_xcr0;
};

/* Register groups that are fetched and written when needed. */
enum hv_group {
	HV_G_SEG = 1,	     /* segments, ldtr, tr, gdtr, idtr */
	HV_G_CR = 2,	     /* cr0 cr2 cr3 cr4 efer */
	HV_G_DR = 4,	     /* dr6 dr7 and, when live, dr0-3 */
	HV_G_SYSCALL = 8,    /* the MSRs below */
	HV_G_INTSHADOW = 16, /* sti_shadow, movss_shadow, nmi_masked of struct hv_vcpu */
	HV_G_GPR = 32,	     /* rsp, rip, rflags (always fetched) */
	HV_G_ALL = 63,
};

struct hv_syscalls { /* in the VMCB's order, APM vol. 2 appendix B */
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
};

struct hv_regs { /* begins as struct x86_state from seg to cr4: state.c */
	struct x86_seg seg[X86_NSEGS], ldtr, tr;
	struct x86_dtr gdtr, idtr;
	u64 cr0, cr2, cr3, cr4, efer;
	u64 pdpte[4]; /* PAE paging, VMX only: what CR3 pointed to when it was loaded */
	u64 dr[4], dr6, dr7;
	struct hv_syscalls sys;
	u64 pat, tsc_aux;
	u8 cpl;
};

enum vt_exit_kind {
	VT_EXIT_INTR, /* the host's interrupt or NMI */
	VT_EXIT_NMI,
	VT_EXIT_WINDOW, /* an interrupt or NMI could be delivered now */
	VT_EXIT_IO,
	VT_EXIT_NPF, /* nested page fault: npf */
	VT_EXIT_CPUID,
	VT_EXIT_MSR,
	VT_EXIT_CR,
	VT_EXIT_DR,
	VT_EXIT_HLT,
	VT_EXIT_PAUSE,
	VT_EXIT_VMCALL,
	VT_EXIT_EXC,
	VT_EXIT_CACHE, /* INVD, WBINVD, CLFLUSH-like: nothing to do */
	VT_EXIT_XSETBV,
	VT_EXIT_TSC,   /* RDTSC, RDTSCP, RDPMC */
	VT_EXIT_MWAIT, /* MONITOR, MWAIT */
	VT_EXIT_TASK,
	VT_EXIT_SHUTDOWN,
	VT_EXIT_UD,    /* an instruction this guest does not have: #UD */
	VT_EXIT_INIT,  /* INIT, SMI and their kind: the host's */
	VT_EXIT_ERROR, /* entry failed, or nobody knows */
	VT_EXIT_KINDS
};

/* What came out of the guest, in one form. */
struct vt_exit {
	enum vt_exit_kind kind;
	u64 hw_code;
	u8 len; /* of the instruction; 0: unknown, decode it */
	union {
		struct {
			u16 port;
			u8 size;
			bool in, string;
		} io;
		struct {
			u64 gpa;
			bool write, exec, present; /* present: a protection fault */
			bool walk;		   /* by the guest's page-table walk */
		} npf;
		struct {
			bool write;
		} msr;
		struct {
			u8 cr;
			bool write;
			u8 gpr; /* 0xff: unknown, decode (CLTS, LMSW...) */
		} cr;
		struct {
			u8 vector;
			bool has_error;
			u32 error;
			u64 qual; /* #PF: address; #DB: DR6 bits */
		} exc;
	};
};

/* Numbered as both have it: AMD APM vol. 2, 15.20 (EVENTINJ) and SDM vol. 3C, 25.8.3. */
enum vt_event_kind { VT_EVENT_IRQ = 0, VT_EVENT_NMI = 2, VT_EVENT_EXC = 3, VT_EVENT_SOFT = 4 };
/* Bits of that word besides vector (0-7) and kind (8-10). */
enum { VT_EVENT_ERROR = 1 << 11 };
#define VT_EVENT_VALID BIT(31)

struct vt_ops {
	const char *name; /* "svm", "vmx" */
	const struct npt_format *npt;
	bool lazy; /* fetch works in any context, the state is plain memory */
	/* Usable here? 0 or -E_NODEV with *why. No side effects. */
	int (*probe)(const char **why);
	int (*cpu_enable)(struct hv_cpu *c);
	void (*cpu_disable)(struct hv_cpu *c);
	/* Levels and page sizes of nested page tables here. */
	void (*npt_shape)(unsigned *levels, u32 *sizes);
	/* The pages of vm->vt_data (an order): the bitmaps of what exits, all ones at first. */
	unsigned maps_order;
	void (*msr_pass)(struct hv_vm *vm, u32 msr); /* the guest has this MSR for itself */
	int (*vcpu_init)(struct hv_vcpu *v);
	void (*vcpu_fini)(struct hv_vcpu *v);
	/* This vCPU's state onto / off this CPU. Pinned. */
	void (*load)(struct hv_vcpu *v, struct hv_cpu *c);
	void (*put)(struct hv_vcpu *v, struct hv_cpu *c);
	/* Hardware to v->st and back, by enum hv_group. Loaded and pinned (VMX). */
	void (*fetch)(struct hv_vcpu *v, u32 groups);
	void (*store)(struct hv_vcpu *v, u32 groups);
	/* Enter; comes back with v->exit and v->event (what was being delivered). Pinned. */
	void (*enter)(struct hv_vcpu *v, struct hv_cpu *c);
	/* At the entry to come: deliver this; exit as soon as such could be delivered. */
	void (*inject)(struct hv_vcpu *v, const struct hv_event *e);
	void (*window)(struct hv_vcpu *v, bool irq, bool nmi);
	/* New address-space tag, or forget what is cached under the old one. */
	void (*flush)(struct hv_vcpu *v, struct hv_cpu *c);
	/* Which exceptions exit, whether DR accesses do. */
	void (*intercept)(struct hv_vcpu *v, u32 exceptions, bool dr);
};

extern const struct vt_ops svm_ops; /* core/cpu/svm */
extern const struct vt_ops vmx_ops; /* core/cpu/vmx */

#endif
