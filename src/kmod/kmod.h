/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Between the Linux files of the module. It is the core (core/hv.h) under KVM's
 * ioctls (Linux Documentation/virt/kvm/api.rst): Linux schedules and owns the
 * memory, the core virtualizes, dev/ has the interrupt controllers.
 *
 *	main.c   load, unload, CPUs, /dev/hull and its ioctls
 *	port.c   core/port.h on Linux
 *	vm.c     a VM: ioctls, memory slots, MMU notifier
 *	vcpu.c   a vCPU: KVM_RUN, ioctls
 *	regs.c   registers in KVM's structures
 *	bus.c    accesses of the guest: chip, eventfds, coalesced, user space
 *	stats.c  exits by kind
 *	event.c  irqfd, ioeventfd, interrupt routing
 *	chip.c   the interrupt controllers (no Linux in it)
 *
 * Locks, outer to inner: kmod_vcpu.lock (KVM_RUN and state), kmod_vm.lock (ioctls of
 * the VM), chip_spin (any context). The core's own are inside all of them.
 */
#ifndef HULL_KMOD_KMOD_H
#define HULL_KMOD_KMOD_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/kvm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#undef BIT /* base/bits.h has its own, for 64 bits */
#include "core/user.h"
#include "kmod/chip.h"

#define KMOD_SLOTS HV_MAX_SLOTS
#define KMOD_CPUID HV_MAX_CPUID
#define KMOD_ROUTES 1024u
#define KMOD_EVENTS 256u /* irqfds, and ioeventfds, of a VM at most */
#define KMOD_ZONES 32u
#define KMOD_QUIRKS (KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)

struct kmod_slot {
	u32 id;
	u64 size, hva; /* size 0: free */
	u64 gpa;
	u32 flags;
	u64 *dirty;
};

struct kmod_vm {
	struct hv_vm hv;
	struct kref ref;
	struct mm_struct *mm;
	struct mmu_notifier mn;
	struct mutex lock;
	struct kmod_slot slot[KMOD_SLOTS];
	struct kmod_vcpu *vcpu[HV_MAX_VCPUS];
	struct chip *chip; /* set once, before any vCPU */
	spinlock_t chip_spin;
	struct hrtimer timer;
	bool pit_speaker;
	unsigned boot_cpu, max_id; /* max_id 0: not said */
	bool no_platform_info;
	/* event.c */
	spinlock_t event_spin;
	struct list_head irqfds, ioeventfds;
	unsigned nirqfds, nioeventfds;
	struct kvm_coalesced_mmio_zone zone[KMOD_ZONES];
	unsigned nzones;
	struct kvm_coalesced_mmio_ring *ring; /* one page, mapped by every vCPU */
};

/* What user space has to do before the vCPU can go on. */
enum kmod_wait { KMOD_WAIT_NOTHING, KMOD_WAIT_PIO, KMOD_WAIT_MMIO, KMOD_POSTED };

struct kmod_vcpu {
	struct hv_vcpu hv;
	struct kmod_vm *vm;
	struct mutex lock;
	wait_queue_head_t wq;
	struct preempt_notifier notifier;
	struct kvm_run *run; /* two pages: run, PIO data */
	struct x86_state st; /* scratch, under lock */
	enum kmod_wait wait;
	bool was_write, ran;
	u8 wait_size;
	u8 cr8; /* without chip */
	u64 apic_base;
	unsigned ncpuid;
	struct hv_cpuid cpuid[KMOD_CPUID];
	struct kvm_sync_regs sync; /* scratch, under lock */
};

static inline struct kmod_vcpu *kmod_vcpu_of(struct hv_vcpu *v)
{
	return container_of(v, struct kmod_vcpu, hv);
}

/* main.c */
extern const struct vt_ops *kmod_vt;
long kmod_extension(unsigned long cap);

/* vm.c */
int kmod_vm_create(void);
void kmod_vm_put(struct kmod_vm *vm);
u64 kmod_vm_clock(struct kmod_vm *vm);

/* vcpu.c */
int kmod_vcpu_create(struct kmod_vm *vm, unsigned long id);
void kmod_vcpu_free(struct kmod_vcpu *v);
void kmod_finish(struct kmod_vcpu *v);

/* regs.c: the ioctls of a vCPU that move state. -ENOTTY: not one of them. */
long kmod_regs_ioctl(struct kmod_vcpu *v, unsigned cmd, unsigned long arg);
int kmod_cpuid_supported(struct kvm_cpuid2 __user *u);
int kmod_msr_list(struct kvm_msr_list __user *u);
void kmod_cpuid(void *opaque, struct hv_vcpu *hv, u32 leaf, u32 sub, u32 out[4]);
bool kmod_cr4_bad(struct kmod_vcpu *v, u64 cr4);
void kmod_sync_to_run(struct kmod_vcpu *v);
int kmod_sync_from_run(struct kmod_vcpu *v);

/* bus.c */
extern const struct vcpu_bus kmod_bus;
int kmod_msr(void *opaque, struct hv_vcpu *hv, u32 msr, bool write, u64 *val);
void kmod_answer(struct kmod_vcpu *v);

/* stats.c */
int kmod_stats_fd(struct kmod_vm *vm, struct kmod_vcpu *v); /* v NULL: the VM's */
void kmod_stats_add(const struct kmod_vcpu *v);
void kmod_stats_init(void);
void kmod_stats_exit(void);

/* event.c */
int kmod_irqfd(struct kmod_vm *vm, const struct kvm_irqfd *k);
int kmod_ioeventfd(struct kmod_vm *vm, const struct kvm_ioeventfd *k);
bool kmod_ioeventfd_write(struct kmod_vm *vm, bool pio, u64 addr, unsigned size, u64 val);
int kmod_routing(struct kmod_vm *vm, const struct kvm_irq_routing __user *u);
int kmod_routing_default(struct kmod_vm *vm);
void kmod_events_free(struct kmod_vm *vm);
int kmod_zone(struct kmod_vm *vm, const struct kvm_coalesced_mmio_zone *z, bool add);
bool kmod_coalesce(struct kmod_vm *vm, bool pio, u64 addr, unsigned size, u64 val);

#endif
