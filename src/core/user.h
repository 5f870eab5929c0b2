/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a host needs besides hv.h when the machine around its vCPUs is elsewhere, in
 * user space behind KVM's API: answers that come later, memory it does not own,
 * events and debugging from outside, processors it gives back.
 *
 * A bus call that cannot be answered at once calls hv_vcpu_defer(v) and returns
 * anything. hv_vcpu_run then returns HV_EXIT_DEFER; the instruction has not
 * happened. When the host has the answer it calls hv_vcpu_answer(v, value) (the
 * value is ignored for a write) and hv_vcpu_run again: the instruction starts
 * anew, and its accesses answered so far are replayed without asking the bus.
 *
 * Threads: as hv.h says; kick from any context, never waiting; the others on the
 * vCPU's own thread or while it is known not to run.
 */
#ifndef HULL_CORE_USER_H
#define HULL_CORE_USER_H

#include "core/engine.h"
#include "core/hv.h"

/* Switch virtualization off on this CPU (pinned). */
void hv_cpu_disable(void);

/* Bits of `dirty` since the last call go to out (as many u64 as the slot has); cleared and
 * write-protected again. */
int hv_slot_dirty(struct hv_vm *vm, u32 id, u64 *out);
/* Around changes of what `frame` answers: between them nothing of the range is mapped anew. */
void hv_mmu_begin(struct hv_vm *vm, u64 gpa, u64 size); /* unmaps, too */
void hv_mmu_end(struct hv_vm *vm);
/* Linear to guest-physical by the vCPU's page tables as supervisor; ~0 if unmapped. Thread. */
u64 hv_vcpu_translate(struct hv_vcpu *v, u64 linear);

/* The default CPUID of a VM is made by hv_vm_init; the host may replace it before vCPUs run. */
int hv_cpuid_set(struct hv_vm *vm, const struct hv_cpuid *e, unsigned n);
/* KVM's clock tells the guest's watchdogs that it was stopped; -E_INVAL: it has none. Thread. */
int hv_pv_clock_stopped(struct hv_vcpu *v);

void hv_vcpu_kick(struct hv_vcpu *v);
void hv_vcpu_defer(struct hv_vcpu *v);
void hv_vcpu_answer(struct hv_vcpu *v, u64 val);
/* For hosts without irq_ack (interrupt controllers elsewhere). */
int hv_vcpu_queue_irq(struct hv_vcpu *v, u8 vector); /* -E_BUSY if it cannot */
void hv_vcpu_want_window(struct hv_vcpu *v, bool want);
/* An exception at the next entry. */
void hv_vcpu_queue_exc(struct hv_vcpu *v, u8 vector, bool has_error, u32 error);

/*
 * NULL: off. Steps, and #BP and #DB to the host instead of the guest; breakpoints in debug
 * registers are not there: -E_NOTSUP.
 */
int hv_vcpu_debug(struct hv_vcpu *v, const struct vcpu_debug *d);

#endif
