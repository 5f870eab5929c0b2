/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's paravirtual clock for engines that do not bring it: one per vCPU.
 * Linux Documentation/virt/kvm/x86/msr.rst (MSR_KVM_SYSTEM_TIME_NEW and
 * MSR_KVM_WALL_CLOCK_NEW) and arch/x86/include/asm/pvclock-abi.h.
 *
 * The TSC ticks at one rate and is common to all vCPUs, so the guest's page is
 * written once and again only when virtual time stood still (pause). Everything
 * runs with the machine lock held.
 */
#ifndef HULL_MACHINE_PVCLOCK_H
#define HULL_MACHINE_PVCLOCK_H

#include "core/gpa.h"
#include "io/clock.h"

enum {
	MSR_KVM_WALL_CLOCK = 0x11,  /* as 0x4b564d00, older number */
	MSR_KVM_SYSTEM_TIME = 0x12, /* as 0x4b564d01 */
	MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00,
	MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01,
};

struct pvclock {
	struct gpa_map *map;
	const struct io_clock *clock;
	u64 system_msr, wall_msr; /* as the guest wrote them */
};

/* A moment: the vCPU's TSC and its rate. */
struct pvclock_tsc {
	u64 tsc, khz;
};

/* True if msr is one of ours. */
bool pvclock_is_msr(u32 msr);
u64 pvclock_read(const struct pvclock *p, u32 msr);
/* Addresses that are not RAM are remembered and otherwise ignored. */
void pvclock_write(struct pvclock *p, u32 msr, u64 val, const struct pvclock_tsc *now);

/* Virtual time went on after a stop: fix the page and tell the guest it was stopped. */
void pvclock_resumed(struct pvclock *p, const struct pvclock_tsc *now);

#endif
