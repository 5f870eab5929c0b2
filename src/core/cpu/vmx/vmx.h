/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Intel VMX: VMCS fields (SDM vol. 3D appendix B), controls (vol. 3C chapter 25),
 * exit reasons (appendix C), and what the files of this folder share.
 */
#ifndef HULL_CORE_CPU_VMX_H
#define HULL_CORE_CPU_VMX_H

#include "core/hv_internal.h"
#include "core/cpu/hw.h"

enum vmcs_field {
	VMCS_VPID = 0x0000,
	VMCS_GUEST_SEL = 0x0800, /* ES CS SS DS FS GS LDTR TR, 2 apart */
	VMCS_HOST_SEL = 0x0c00,	 /* ES CS SS DS FS GS TR */
	VMCS_MSR_BITMAP = 0x2004,
	VMCS_TSC_OFFSET = 0x2010,
	VMCS_EPTP = 0x201a,
	VMCS_GPA = 0x2400,
	VMCS_LINK = 0x2800,
	VMCS_GUEST_DEBUGCTL = 0x2802,
	VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806,
	VMCS_GUEST_PDPTE = 0x280a, /* 4, 2 apart */
	VMCS_HOST_PAT = 0x2c00,
	VMCS_HOST_EFER = 0x2c02,
	VMCS_PIN = 0x4000,
	VMCS_PROC = 0x4002,
	VMCS_EXCEPTIONS = 0x4004,
	VMCS_CR3_TARGETS = 0x400a,
	VMCS_EXIT = 0x400c,
	VMCS_ENTRY = 0x4012,
	VMCS_ENTRY_EVENT = 0x4016,
	VMCS_ENTRY_ERROR = 0x4018,
	VMCS_PROC2 = 0x401e,
	VMCS_PLE_GAP = 0x4020,
	VMCS_PLE_WINDOW = 0x4022,
	VMCS_INSN_ERROR = 0x4400,
	VMCS_REASON = 0x4402,
	VMCS_EXIT_EVENT = 0x4404,
	VMCS_EXIT_EVENT_ERROR = 0x4406,
	VMCS_IDT_EVENT = 0x4408,
	VMCS_IDT_ERROR = 0x440a,
	VMCS_INSN_LEN = 0x440c,
	VMCS_GUEST_LIMIT = 0x4800, /* ES CS SS DS FS GS LDTR TR, 2 apart */
	VMCS_GUEST_GDTR_LIMIT = 0x4810,
	VMCS_GUEST_IDTR_LIMIT = 0x4812,
	VMCS_GUEST_AR = 0x4814,
	VMCS_GUEST_SHADOW = 0x4824,
	VMCS_GUEST_ACTIVITY = 0x4826,
	VMCS_GUEST_SYSENTER_CS = 0x482a,
	VMCS_HOST_SYSENTER_CS = 0x4c00,
	VMCS_CR0_MASK = 0x6000,
	VMCS_CR4_MASK = 0x6002,
	VMCS_CR0_SHADOW = 0x6004,
	VMCS_CR4_SHADOW = 0x6006,
	VMCS_QUAL = 0x6400,
	VMCS_GUEST_CR0 = 0x6800,
	VMCS_GUEST_CR3 = 0x6802,
	VMCS_GUEST_CR4 = 0x6804,
	VMCS_GUEST_BASE = 0x6806, /* ES CS SS DS FS GS LDTR TR, 2 apart */
	VMCS_GUEST_GDTR_BASE = 0x6816,
	VMCS_GUEST_IDTR_BASE = 0x6818,
	VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c,
	VMCS_GUEST_RIP = 0x681e,
	VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING = 0x6822,
	VMCS_GUEST_SYSENTER_ESP = 0x6824,
	VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_HOST_CR0 = 0x6c00,
	VMCS_HOST_CR3 = 0x6c02,
	VMCS_HOST_CR4 = 0x6c04,
	VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08,
	VMCS_HOST_TR_BASE = 0x6c0a,
	VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP = 0x6c10,
	VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RIP = 0x6c16,
};

/* Controls, SDM tables 25-5 to 25-15. */
enum { PIN_INTR = 1 << 0, PIN_NMI = 1 << 3, PIN_VNMI = 1 << 5 };
enum {
	PROC_IRQ_WINDOW = 1 << 2,
	PROC_TSC_OFFSET = 1 << 3,
	PROC_HLT = 1 << 7,
	PROC_MWAIT = 1 << 10,
	PROC_RDPMC = 1 << 11,
	PROC_CR8_LOAD = 1 << 19,
	PROC_CR8_STORE = 1 << 20,
	PROC_NMI_WINDOW = 1 << 22,
	PROC_MOV_DR = 1 << 23,
	PROC_IO = 1 << 24,
	PROC_MSR_BITMAP = 1 << 28,
	PROC_MONITOR = 1 << 29,
};
#define PROC_SECONDARY BIT(31)
enum {
	PROC2_EPT = 1 << 1,
	PROC2_RDTSCP = 1 << 3,
	PROC2_VPID = 1 << 5,
	PROC2_WBINVD = 1 << 6,
	PROC2_UNRESTRICTED = 1 << 7,
	PROC2_PLE = 1 << 10,
	PROC2_INVPCID = 1 << 12,
};
enum {
	EXIT_DEBUG = 1 << 2,
	EXIT_HOST64 = 1 << 9,
	EXIT_SAVE_PAT = 1 << 18,
	EXIT_LOAD_PAT = 1 << 19,
	EXIT_SAVE_EFER = 1 << 20,
	EXIT_LOAD_EFER = 1 << 21,
};
enum {
	ENTRY_DEBUG = 1 << 2,
	ENTRY_LONG = 1 << 9,
	ENTRY_PAT = 1 << 14,
	ENTRY_EFER = 1 << 15,
};

enum vmx_reason {
	VMX_REASON_EXC = 0,
	VMX_REASON_CR = 28,
	VMX_REASON_IO = 30,
	VMX_REASON_RDMSR = 31,
	VMX_REASON_WRMSR = 32,
	VMX_REASON_EPT = 48,
};
#define VMX_REASON_FAILED BIT(31)

/* Interruptibility, 25.4.2. */
enum { SHADOW_STI = 1, SHADOW_MOVSS = 2, SHADOW_NMI = 8 };

/* CR0 bits the guest has only in its own eyes: NE must be 1, caching is the host's. */
#define VMX_CR0_MASK (u64)(CR0_NE | CR0_NW | CR0_CD)
#define VMX_CR4_MASK (u64) CR4_VMXE

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_PROC2 0x48bu
#define MSR_VMX_EPT_CAP 0x48cu

struct vmx_vcpu {
	void *vmcs;
	bool launched, written;
	u32 proc, entry; /* as in the VMCS */
};

static inline struct vmx_vcpu *vmx_of(const struct hv_vcpu *v)
{
	return v->vt_data;
}

static inline u64 vmx_eptp(const struct hv_vm *vm)
{
	return port_pa(vm->npt.root) | 6 | (u64)(vm->npt.levels - 1) << 3; /* write-back */
}

/* vmx_hw.c: the instructions; unit tests have their own. 0 or -E_IO. */
u64 vmx_read(u32 field);
void vmx_write(u32 field, u64 val);
int vmx_on(u64 pa);
void vmx_off(void);
int vmx_clear(u64 pa);
int vmx_ptrld(u64 pa);
void vmx_invept(u64 eptp);
/*
 * The host's registers that an exit restores, into the current VMCS: those that
 * stay while a vCPU is loaded, and those that may change between two entries.
 */
void vmx_host_save(void);
void vmx_host_refresh(void);
/* Descriptor table limits, which an exit makes 0xffff, and data selectors back. */
struct vmx_host_tables {
	u16 gdt_limit;
	u64 gdt_base;
	u16 idt_limit;
	u64 idt_base;
	u16 ds, es;
};
void vmx_host_tables_save(struct vmx_host_tables *t);
void vmx_host_tables_restore(const struct vmx_host_tables *t);
void vmx_host_nmi(void);

/* vmx_enter.S: 0: the guest ran; else VMLAUNCH or VMRESUME failed. */
int vmx_enter_asm(u64 *gpr, bool launched);

/* vmx_exit.c */
void vmx_exit_decode(struct hv_vcpu *v);

/* vmx_state.c */
void vmx_fetch(struct hv_vcpu *v, u32 groups);
void vmx_store(struct hv_vcpu *v, u32 groups);

/* vmx_check.c, in debug builds: the rule that the VMCS breaks, or NULL. */
#ifdef HULL_CORE_CHECK
const char *vmx_check(struct hv_vcpu *v);
#else
static inline const char *vmx_check(struct hv_vcpu *v)
{
	return NULL;
}
#endif

/* vmx_cpu.c */
int vmx_probe(const char **why);
void vmx_npt_shape(unsigned *levels, u32 *sizes);
int vmx_cpu_enable(struct hv_cpu *c);
void vmx_cpu_disable(struct hv_cpu *c);
/* `want` with the bits MSR `msr` says must be 1 and without those that must be 0 (A.2). */
u32 vmx_control(u32 msr, u32 want);

#endif
