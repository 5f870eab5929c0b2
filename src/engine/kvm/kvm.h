/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the KVM engine. Reference: Linux
 * Documentation/virt/kvm/api.rst, named by section where it matters.
 *
 *	kvm.c        the VM: creation, memory slots, dirty log, the ops table
 *	kvm_irq.c    in-kernel interrupt controllers: lines, MSI, irqfd, ioeventfd
 *	kvm_cpuid.c  what CPUID shows
 *	kvm_vcpu.c   a vCPU: creation, events from other threads, debugging
 *	kvm_run.c    the run loop and its exits
 *	kvm_state.c  struct x86_state in and out
 *	kvm_probe.c  is it there, is it fast
 *
 * Two interrupt models (engine_vm_config.user_irqchip): KVM's own controllers,
 * or none in the kernel: then vectors are injected by KVM_INTERRUPT, HLT sleeps
 * here, INIT and SIPI are carried out here, and the local APIC's MSRs go to the
 * machine. The paravirtual clock is KVM's in both.
 */
#ifndef HULL_ENGINE_KVM_KVM_H
#define HULL_ENGINE_KVM_KVM_H

#include "core/engine.h"
#include "core/engine_trace.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#define KVM_DEVICE "/dev/kvm"
#define KVM_VCPUS_MAX 64u
#define KVM_CPUID_MAX 256u
#define KVM_ROUTES_MAX 1024u
/* Three pages below the local APICs that KVM needs on old Intel CPUs (api.rst 4.11 and 4.60),
 * where PC firmware has always left room for them. */
#define KVM_IDENTITY_MAP 0xfeffc000ull
#define KVM_TSS 0xfeffd000u

struct kvm_msi_route {
	int fd; /* irqfd it serves, -1 = free */
	u64 addr;
	u32 data;
};

struct engine_vm {
	int sys, fd; /* /dev/kvm and the VM */
	struct gpa_map *map;
	unsigned ncpus;
	bool user_irqchip;
	bool other_date; /* engine_vm_config.wall_offset is not 0 */
	u64 tsc_khz;
	const struct engine_trace *trace; /* NULL: nothing is traced */
	size_t run_size;		  /* bytes of struct kvm_run's mapping */
	u32 xsave_size;			  /* bytes of the standard-format area the guest can have */
	u64 xcr0;			  /* XCR0 bits it can set */
	pthread_mutex_t lock;		  /* slots and routes */
	unsigned nslots;		  /* slots KVM knows of */
	bool dirty[GPA_MAX_SLOTS];
	struct kvm_cpuid2 *cpuid; /* the same for all vCPUs but topology */
	u32 msr[X86_STATE_MSRS];  /* MSRs of struct x86_state that exist here */
	unsigned nmsrs;
	struct kvm_msi_route route[KVM_ROUTES_MAX];
	struct kvm_irqchip chip[3]; /* as after power-on: 8259 master, slave, I/O APIC */
	struct kvm_pit_state2 pit;
	struct engine_vcpu *vcpu[KVM_VCPUS_MAX];
	_Atomic bool frozen;
	struct kvm_clock_data clock; /* while frozen */
};

enum { /* engine_vcpu.pending */
       KVM_PENDING_NMI = 1,
       KVM_PENDING_INIT = 2,
       KVM_PENDING_SIPI = 4,
};

struct engine_vcpu {
	struct engine_vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	struct vcpu_bus bus;
	_Atomic int tid;    /* thread inside vcpu_run, 0 = none */
	_Atomic u32 kick;   /* vcpu_kick was called */
	_Atomic u32 asleep; /* futex: waiting for an event in user space */
	struct kvm_cpuid2 *cpuid;
	struct x86_state *power_on;
	struct kvm_lapic_state lapic; /* as after power-on, in-kernel irqchip only */
	struct vcpu_debug dbg;
	bool dbg_on, dbg_by_step; /* more breakpoints than registers: step and compare */
	_Atomic u64 exits;
	_Atomic u64 tsc_offset; /* guest TSC minus host TSC */
	u64 tsc_frozen;		/* guest TSC while the VM is frozen */

	/* User irqchip only. */
	_Atomic bool irq_pin;
	_Atomic u32 pending;
	_Atomic u8 sipi_vector;
	bool halted, wait_sipi;
};

/* kvm_irq.c */
int kvm_irqchip_create(struct engine_vm *vm);
int kvm_irqchip_reset(struct engine_vm *vm);
int kvm_gsi_set(struct engine_vm *vm, unsigned gsi, bool level);
int kvm_msi_send(struct engine_vm *vm, u64 addr, u32 data);
int kvm_irqfd(struct engine_vm *vm, int fd, u64 addr, u32 data, bool add);
int kvm_ioeventfd(struct engine_vm *vm, int fd, u64 gpa, unsigned len, u64 match, bool add);

/* kvm.c */
int kvm_slots_sync(struct engine_vm *vm);

/* kvm_cpuid.c */
int kvm_cpuid_init(struct engine_vm *vm);
int kvm_cpuid_vcpu(struct engine_vcpu *v); /* sets KVM_SET_CPUID2 and v->cpuid */
void kvm_cpuid_get(struct engine_vcpu *v, u32 leaf, u32 sub, u32 out[4]);

/* kvm_vcpu.c */
int kvm_vcpu_create(struct engine_vm *vm, unsigned index, const struct vcpu_bus *bus,
		    struct engine_vcpu **out);
void kvm_vcpu_destroy(struct engine_vcpu *v);
void kvm_vcpu_reset(struct engine_vcpu *v);
void kvm_vcpu_kick(struct engine_vcpu *v);
void kvm_vcpu_irq(struct engine_vcpu *v, bool level);
void kvm_vcpu_nmi(struct engine_vcpu *v);
void kvm_vcpu_init_ipi(struct engine_vcpu *v);
void kvm_vcpu_sipi(struct engine_vcpu *v, u8 vector);
int kvm_vcpu_debug(struct engine_vcpu *v, const struct vcpu_debug *dbg);
u64 kvm_vcpu_translate(struct engine_vcpu *v, u64 linear);
u64 kvm_vcpu_tsc(struct engine_vcpu *v, u64 *khz);
void kvm_vcpu_counters(struct engine_vcpu *v, struct engine_counters *c);
int kvm_signal_install(void);
int kvm_signal_number(void);

/* kvm_run.c */
int kvm_vcpu_run(struct engine_vcpu *v, struct vcpu_exit *exit);

/* kvm_state.c */
int kvm_msrs_init(struct engine_vm *vm, int vcpu_fd);
int kvm_get_state(struct engine_vcpu *v, struct x86_state *s);
int kvm_set_state(struct engine_vcpu *v, const struct x86_state *s);
void kvm_tsc_update(struct engine_vcpu *v);
void kvm_vm_freeze(struct engine_vm *vm, bool frozen);

/* kvm_probe.c */
void kvm_probe(struct engine_info *info, const char *device);

#endif
