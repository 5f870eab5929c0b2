/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * KVM's paravirtual interface as guests see it: kernel doc virt/kvm/x86/{cpuid,
 * msr,hypercalls}, asm/kvm_para.h and asm/pvclock-abi.h of a guest.
 */
#ifndef HULL_CORE_PV_KVM_H
#define HULL_CORE_PV_KVM_H

#include "base/types.h"

/* Leaf 40000001h EAX. */
enum pv_kvm_feature {
	PV_KVM_CLOCKSOURCE = 1 << 0,
	PV_KVM_NOP_IO_DELAY = 1 << 1,
	PV_KVM_CLOCKSOURCE2 = 1 << 3,
	PV_KVM_ASYNC_PF = 1 << 4,
	PV_KVM_STEAL_TIME = 1 << 5,
	PV_KVM_EOI = 1 << 6,
	PV_KVM_UNHALT = 1 << 7,
	PV_KVM_TLB_FLUSH = 1 << 9,
	PV_KVM_SEND_IPI = 1 << 11,
	PV_KVM_POLL_CONTROL = 1 << 12,
	PV_KVM_SCHED_YIELD = 1 << 13,
	PV_KVM_CLOCK_STABLE = 1 << 24,
};
#define PV_KVM_FEATURES                                                                            \
	(PV_KVM_CLOCKSOURCE | PV_KVM_NOP_IO_DELAY | PV_KVM_CLOCKSOURCE2 | PV_KVM_STEAL_TIME |      \
	 PV_KVM_EOI | PV_KVM_UNHALT | PV_KVM_TLB_FLUSH | PV_KVM_SEND_IPI | PV_KVM_SCHED_YIELD |    \
	 PV_KVM_CLOCK_STABLE)

enum pv_kvm_msr {
	PV_KVM_MSR_WALL_OLD = 0x11,
	PV_KVM_MSR_TIME_OLD = 0x12,
	PV_KVM_MSR_WALL = 0x4b564d00,
	PV_KVM_MSR_TIME = 0x4b564d01,
	PV_KVM_MSR_ASYNC = 0x4b564d02,
	PV_KVM_MSR_STEAL = 0x4b564d03,
	PV_KVM_MSR_EOI = 0x4b564d04,
	PV_KVM_MSR_POLL = 0x4b564d05,
};

enum pv_kvm_hypercall {
	PV_KVM_HC_VAPIC_POLL_IRQ = 1,
	PV_KVM_HC_KICK_CPU = 5,
	PV_KVM_HC_SEND_IPI = 10,
	PV_KVM_HC_SCHED_YIELD = 11,
};
enum { PV_KVM_ENOSYS = 1000, PV_KVM_EPERM = 1 };

struct pvclock_time {
	u32 version, pad0;
	u64 tsc, system_ns;
	u32 mul;
	s8 shift;
	u8 flags, pad[2];
};
enum { PVCLOCK_STABLE = 1, PVCLOCK_STOPPED = 2 }; /* flags */
static_assert(sizeof(struct pvclock_time) == 32, "guest ABI");

/* ns = (tsc << shift) * mul >> 32 for a TSC of khz, mul normalized to use its upper bits. */
static inline void pvclock_scale(u64 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000, ns = 1000000000;
	s8 sh = 0;

	for (; hz > ns * 2; hz >>= 1)
		sh--;
	for (; hz && hz <= ns; hz <<= 1)
		sh++;
	*mul = hz ? (u32)((ns << 32) / hz) : 0;
	*shift = sh;
}

struct pvclock_wall {
	u32 version, sec, nsec;
};
static_assert(sizeof(struct pvclock_wall) == 12, "guest ABI");

struct pv_kvm_steal {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
};
static_assert(sizeof(struct pv_kvm_steal) == 64, "guest ABI");
enum { PV_KVM_PREEMPTED = 1, PV_KVM_FLUSH_TLB = 2 };

#endif
