/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Between the files of the virtualization core; hosts include hv.h.
 */
#ifndef HULL_CORE_HV_INTERNAL_H
#define HULL_CORE_HV_INTERNAL_H

#include <stdatomic.h>

#include "core/hv.h"
#include "core/x86_bits.h"

/* Bits of hv_vcpu.request. */
enum hv_request {
	HV_REQ_KICK = 1,
	HV_REQ_NMI = 2,
	HV_REQ_INIT = 4,
	HV_REQ_SIPI = 8,
	HV_REQ_EVENT = 16,  /* something for vcpu_events to look at came */
	HV_REQ_UNHALT = 32, /* KVM_HC_KICK_CPU */
	HV_REQ_FLUSH = 64,  /* of this vCPU's own translations */
	/* Those the run loop has to look at before the guest goes on. */
	HV_REQ_NEWS = HV_REQ_KICK | HV_REQ_INIT | HV_REQ_SIPI | HV_REQ_EVENT,
};

/* Exceptions that always exit: #DB and #AC (they could loop in microcode), #UD (the other
 * vendor's hypercall), #MC. */
#define HV_EXCEPTIONS (1u << 1 | 1u << 6 | 1u << 17 | 1u << 18)

/* What an exit handler says. */
enum hv_next {
	HV_RESUME, /* enter again */
	HV_TO_HOST /* hv_exit is filled in */
};

/* ---- mem.c: nested page fault. 0: mapped, 1: no memory there, else -E_x of the host. */
int hv_fault(struct hv_vcpu *v, u64 gpa, bool write);
/* After a change of the nested page table; changed: it took something away. Thread. */
void hv_flush_and_reap(struct hv_vm *vm, bool changed);

/* ---- walk.c: the guest's own page tables. access: enum x86_pf bits W, U, I. */
int hv_walk(struct hv_vcpu *v, u64 linear, u32 access, u64 *gpa, u32 *error);

/* PAE paging's four entries, as loading CR3 reads them. Thread. */
void hv_pdpte_load(struct hv_vcpu *v);

/* ---- emul.c ---- */
enum emul_result {
	EMUL_DONE,  /* registers are those after it */
	EMUL_FAULT, /* an exception is queued */
	EMUL_DEFER, /* the bus deferred; nothing happened */
	EMUL_CANNOT /* v->fail says what it is */
};
enum emul_result hv_emulate(struct hv_vcpu *v);
/* One port or memory access by way of the log of answered ones. False: deferred. */
bool hv_bus_access(struct hv_vcpu *v, enum hv_access_kind kind, u64 addr, unsigned size, u64 *val);
/* The instruction is over, or never was: forget the log. */
void hv_replay_reset(struct hv_vcpu *v);
/* Length of the instruction at RIP, 0 with an exception queued. */
unsigned hv_insn_len(struct hv_vcpu *v);

/* The same if that instruction has been met before, else 0. */
unsigned hv_len_known(const struct hv_vcpu *v, u64 rip, u64 cr3, enum vt_exit_kind kind);

/* ---- vcpu.c ---- */
/* Past an instruction of len bytes: RIP, shadows, single step. */
void hv_advance(struct hv_vcpu *v, unsigned len);
void hv_raise(struct hv_vcpu *v, u8 vector, bool has_error, u32 error);
static inline void hv_gp(struct hv_vcpu *v)
{
	hv_raise(v, X86_EXC_GP, true, 0);
}
/* Groups of v->st were changed. */
static inline void hv_touch(struct hv_vcpu *v, u32 groups)
{
	v->dirty |= groups;
}
/* Make groups of v->st valid. Thread. */
void hv_want(struct hv_vcpu *v, u32 groups);
/* Everything into memory, off whatever CPU it is on. */
void hv_vcpu_to_memory(struct hv_vcpu *v);
void hv_request(struct hv_vcpu *v, u32 bits);
void hv_power_on(struct hv_vcpu *v, bool init);

/* An event in the word that SVM and VMX inject, but for the error code. */
static inline u64 hv_event_word(const struct hv_event *e)
{
	if (!e->valid)
		return 0;
	return e->vector | (u64)e->kind << 8 | VT_EVENT_VALID | (e->has_error ? VT_EVENT_ERROR : 0);
}

/* ---- exit.c ---- */
enum hv_next hv_exit_handle(struct hv_vcpu *v, struct hv_exit *e);
/* Groups of state the handler of this exit will look at. */
u32 hv_exit_needs(const struct vt_exit *x);
/* MOV to a control register, with all effects but the next RIP. False: #GP queued. */
bool hv_cr_write(struct hv_vcpu *v, unsigned cr, u64 val);
u64 hv_cr_read(struct hv_vcpu *v, unsigned cr);

/* ---- cpuid.c ---- */
void hv_cpuid_init(struct hv_vm *vm);
bool hv_cpuid_has(struct hv_vm *vm, u32 leaf, u32 sub, unsigned reg, unsigned bit);
u64 hv_xcr0_allowed(struct hv_vm *vm);
/* Bits of CR4 that a guest may set: those of 1993 to 1999 and what its CPUID shows. */
u64 hv_cr4_allowed(struct hv_vm *vm);

/* ---- msr.c ---- */
void hv_msr_reset(struct hv_vcpu *v, bool init);

/* ---- pv.c ---- */
/* 0, -E_NOENT (#GP) or 1: not one of these. */
/* An MSR of a feature that CPUID does not show the guest. */
bool hv_pv_msr_hidden(struct hv_vcpu *v, u32 msr);
int hv_pv_msr_read(struct hv_vcpu *v, u32 msr, u64 *val);
int hv_pv_msr_write(struct hv_vcpu *v, u32 msr, u64 val, bool by_host);
void hv_pv_hypercall(struct hv_vcpu *v);
/* hv_vcpu_run begins and ends: steal time, "preempted", TLB flushes asked for meanwhile. */
void hv_pv_resume(struct hv_vcpu *v);
void hv_pv_pause(struct hv_vcpu *v);
void hv_pv_clock_update(struct hv_vcpu *v);
/* An interrupt was acknowledged; and, first thing after an exit, was its EOI skipped? */
void hv_pv_eoi_arm(struct hv_vcpu *v);
void hv_pv_eoi_collect(struct hv_vcpu *v);

#endif
