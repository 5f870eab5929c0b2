/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The vCPU engine interface: all that a machine knows of whoever runs its CPUs.
 *
 *   open -> vm_create -> (map is filled in) -> vcpu_create xN
 *        -> each vCPU's own thread: vcpu_run in a loop
 *
 * An engine runs guest instructions and nothing else. What it cannot do itself
 * (MMIO, ports, MSRs of devices, interrupt acknowledge) it asks of the machine
 * through the const calls of struct vcpu_bus, on the vCPU's thread, without any
 * engine lock held. vcpu_run returns only when the machine has to decide.
 *
 * Interrupt model. With the machine's own interrupt controllers ("user
 * irqchip", always for jit): the local APIC calls vcpu_irq(v, true) while it has
 * a deliverable interrupt; when the guest can take it the engine calls
 * bus->irq_ack to get the vector. With an in-kernel irqchip (ENGINE_CAP_IRQCHIP)
 * the machine builds no LAPIC/IOAPIC/PIC/PIT and uses gsi_set and msi_send.
 *
 * Threads: run/get_state/set_state/reset on the vCPU's own thread (or while it
 * is known not to run); kick, irq, nmi, init_sipi, gsi_set, msi_send from any
 * thread, without blocking. All functions: 0 or -E_x.
 */
#ifndef HULL_CORE_ENGINE_OPS_H
#define HULL_CORE_ENGINE_OPS_H

#include "core/gpa.h"
#include "core/x86_state.h"

#define PPC_HCALL_REGS 10u /* r3..r12 */

struct engine_vm;    /* opaque, the engine's */
struct engine_vcpu;  /* opaque, the engine's */
struct engine_trace; /* core/engine_trace.h */
struct ppc_state;    /* core/ppc_state.h */
struct vcpu_exit;    /* core/engine.h, as the next */
struct vcpu_debug;
struct engine_info;
struct engine_counters;

/*
 * The machine as the CPU sees it. size is 1, 2, 4 or 8 (ports 1, 2, 4); values
 * are little-endian numbers in the low bytes. Unclaimed reads give all ones.
 * Every call may take the machine lock.
 */
struct vcpu_bus {
	u64 (*mmio_read)(void *opaque, u64 gpa, unsigned size);
	void (*mmio_write)(void *opaque, u64 gpa, unsigned size, u64 val);
	u32 (*pio_read)(void *opaque, u16 port, unsigned size);
	void (*pio_write)(void *opaque, u16 port, unsigned size, u32 val);
	/* MSRs of the local APIC, its TSC deadline and paravirtual clocks; -E_NOENT makes #GP. */
	int (*msr_read)(void *opaque, u32 msr, u64 *val);
	int (*msr_write)(void *opaque, u32 msr, u64 val);
	/* Acknowledge the highest pending interrupt: its vector, or -1 if it went away. */
	int (*irq_ack)(void *opaque);
	/* CR8 is the APIC's TPR[7:4]. */
	u8 (*cr8_read)(void *opaque);
	void (*cr8_write)(void *opaque, u8 val);
	/* VMCALL/VMMCALL: arguments in r[] = rax rbx rcx rdx rsi rdi; result in r[0]. */
	void (*hypercall)(void *opaque, u64 r[6]);
	void *opaque;
	/*
	 * POWER: a PAPR hypercall that is not the engine's own (those of the MMU and of
	 * the processor): r[] = r3..r12, in and out.
	 */
	void (*papr)(void *opaque, u64 r[PPC_HCALL_REGS]);
	/* POWER: calls vcpu_timer of this vCPU in `ns` nanoseconds of virtual time. */
	void (*timer_arm)(void *opaque, u64 ns);
};

enum engine_caps {
	ENGINE_CAP_IRQCHIP = 1, /* LAPIC, IOAPIC, PIC, PIT live in the engine */
	ENGINE_CAP_DIRTY_LOG = 2,
	ENGINE_CAP_KVMCLOCK = 4, /* engine implements KVM's paravirtual MSRs itself */
};

struct engine_vm_config {
	struct gpa_map *map; /* outlives the VM */
	unsigned ncpus;
	u64 code_cache;	    /* bytes, 0 = default (jit) */
	bool interpret;	    /* jit: never translate (reference runs) */
	const char *device; /* kvm: device node, NULL = /dev/kvm */
	/* kvm: the machine has its own interrupt controllers, as with
	 * jit, so that it can move between engines. Default: ENGINE_CAP_IRQCHIP's. */
	bool user_irqchip;
	/* x86: guest's UTC minus the host's, seconds; kvm: no paravirtual clock if not 0. */
	s64 wall_offset;
	u64 tsc_khz;	    /* 0 = host's */
	unsigned hpt_shift; /* POWER: log2 of the hash page table's bytes, 18 to 46; 0 = none */
	const struct engine_trace *trace; /* NULL = none; outlives the VM */
};

enum engine_arch { ENGINE_ARCH_X86, ENGINE_ARCH_PPC64 }; /* of the guest's CPUs */

struct engine_ops {
	const char *name;
	enum engine_arch arch;
	/* Can this host run it, and how well? May take up to 50 ms. Never fails. */
	void (*probe)(struct engine_info *info, const char *device);
	int (*vm_create)(const struct engine_vm_config *cfg, struct engine_vm **vm);
	void (*vm_destroy)(struct engine_vm *vm); /* NULL ok; after all vCPUs */
	/*
	 * Guest time (TSC, paravirtual clock) stands still, or goes on. No vCPU runs
	 * meanwhile. Idempotent.
	 */
	void (*vm_freeze)(struct engine_vm *vm, bool frozen);
	/* bus is copied. index 0 is the boot processor; others start in WAIT_SIPI. */
	int (*vcpu_create)(struct engine_vm *vm, unsigned index, const struct vcpu_bus *bus,
			   struct engine_vcpu **v);
	void (*vcpu_destroy)(struct engine_vcpu *v);
	void (*vcpu_reset)(struct engine_vcpu *v); /* power-on state, SDM vol. 3A table 10-1 */
	int (*vcpu_get_state)(struct engine_vcpu *v, struct x86_state *s);
	int (*vcpu_set_state)(struct engine_vcpu *v, const struct x86_state *s);
	/*
	 * POWER's, NULL in x86 engines, as the two above and init, sipi, tsc and cpuid
	 * below are NULL in POWER's. start: a stopped CPU runs from nip in real mode with
	 * r3 = arg, from any thread; -E_BUSY if it runs already. stop: this CPU stands
	 * still until the next start; on its own thread. timer: what timer_arm asked for,
	 * any thread.
	 */
	int (*vcpu_get_ppc)(struct engine_vcpu *v, struct ppc_state *s);
	/* nip, MSR and the registers of programs; the rest of the state is not looked at. */
	int (*vcpu_set_ppc)(struct engine_vcpu *v, const struct ppc_state *s);
	int (*vcpu_start)(struct engine_vcpu *v, u64 nip, u64 arg);
	void (*vcpu_stop)(struct engine_vcpu *v);
	bool (*vcpu_stopped)(const struct engine_vcpu *v);
	void (*vcpu_timer)(struct engine_vcpu *v);
	/* Sleeps inside while the guest halts. */
	int (*vcpu_run)(struct engine_vcpu *v, struct vcpu_exit *exit);
	void (*vcpu_kick)(struct engine_vcpu *v); /* makes the current or next run return KICK */
	void (*vcpu_irq)(struct engine_vcpu *v, bool level);
	void (*vcpu_nmi)(struct engine_vcpu *v);
	void (*vcpu_init)(struct engine_vcpu *v);
	void (*vcpu_sipi)(struct engine_vcpu *v, u8 vector);
	int (*vcpu_debug)(struct engine_vcpu *v, const struct vcpu_debug *dbg); /* NULL = off */
	/* Linear to guest-physical through the vCPU's page tables; ~0 if unmapped. */
	u64 (*vcpu_translate)(struct engine_vcpu *v, u64 linear);
	/*
	 * The guest's time-stamp counter now and its frequency, without the cost of
	 * a whole state: for TSC deadlines and paravirtual clocks. Any thread.
	 * NULL with an in-kernel irqchip.
	 */
	u64 (*vcpu_tsc)(struct engine_vcpu *v, u64 *khz);
	void (*vcpu_counters)(struct engine_vcpu *v, struct engine_counters *c);
	/* The CPUID the guest sees. */
	void (*vcpu_cpuid)(struct engine_vcpu *v, u32 leaf, u32 sub, u32 out[4]);
	/* In-kernel irqchip only; NULL otherwise. */
	int (*gsi_set)(struct engine_vm *vm, unsigned gsi, bool level);
	int (*msi_send)(struct engine_vm *vm, u64 addr, u32 data);
	/* eventfd wiring for KVM; NULL otherwise. len 0 = any length. */
	int (*irqfd)(struct engine_vm *vm, int fd, u64 addr, u32 data, bool add);
	int (*ioeventfd)(struct engine_vm *vm, int fd, u64 gpa, unsigned len, u64 match, bool add);
	/* Dirty pages of a slot since the last call, one bit a page; clears them. */
	int (*dirty_log)(struct engine_vm *vm, unsigned slot, u64 *bitmap, bool enable);
};

#endif
