/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the virtualization core needs from below. Whoever links core/ supplies
 * these functions: hull-metal (metal/), the Linux module (kmod/), the unit tests
 * (tests/unit/core/port_test.c). Nothing else of the host is used.
 *
 * Contexts. "thread": may be preempted and, on Linux, sleep. "pinned": between
 * port_guest_enter and port_guest_leave, or inside port_cpu_call: interrupts
 * off, on one CPU, never sleeping.
 */
#ifndef HULL_CORE_PORT_H
#define HULL_CORE_PORT_H

#include "base/types.h"

struct hv_cpu;
struct hv_vcpu;

/* ---- pages (thread) ------------------------------------------------------- */

/* 2^order pages, physically contiguous, naturally aligned, zeroed; NULL if there are none. */
void *port_page_alloc(unsigned order);
void port_page_free(void *va, unsigned order); /* NULL ok */
/* Between the addresses of such pages. Any context. */
u64 port_pa(const void *va);
void *port_va(u64 pa);

/* ---- physical CPUs ---------------------------------------------------------- */

/* This CPU's record, zeroed before its first hv_cpu_enable and owned by the host. Pinned. */
struct hv_cpu *port_cpu(void);
/* Run fn on CPU `cpu` (hv_cpu.id), pinned, and wait for it. Thread; may be this CPU. */
void port_cpu_call(unsigned cpu, void (*fn)(void *arg), void *arg);

/*
 * Around every entry into the guest. enter pins the thread: interrupts off (on
 * Linux also preemption off and kernel_fpu_begin). It returns false, unpinned,
 * if hv_vcpu_run has to return to its caller first (a signal, the time slice is
 * over). leave undoes it and lets the host take the interrupt that may have
 * ended the guest's run. On Linux leave calls hv_vcpu_fpu_put first, because the
 * vector registers are the kernel's afterwards; hull-metal does so only when it
 * switches vCPUs (by hv_vcpu_put).
 */
bool port_guest_enter(struct hv_vcpu *v);
void port_guest_leave(struct hv_vcpu *v);

/*
 * Make the vCPU look at its flags soon: end its hv_vcpu_run's stay in the guest
 * (an IPI to v->cpu if v->in_guest) and wake its thread if the host let it sleep
 * because of HV_EXIT_HALT. Any context, does not wait.
 */
void port_kick(struct hv_vcpu *v);

/* ---- time (any context) ------------------------------------------------------- */

u64 port_wall_ns(void); /* since 1970, UTC */
u32 port_tsc_khz(void); /* of this machine's invariant TSC */
/* Time this vCPU's thread was ready to run but did not, in ns since it exists; for steal time. */
u64 port_steal_ns(struct hv_vcpu *v);

/* ---- the rest ------------------------------------------------------------------ */

/* A spin lock that is also taken with interrupts off; zeroed is unlocked. */
struct port_lock {
	u64 word[2];
};
void port_lock(struct port_lock *l);
void port_unlock(struct port_lock *l);

#endif
