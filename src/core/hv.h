/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The virtualization core's objects, as its hosts (metal/, kmod/) use them:
 *
 *	hv_cpu_enable on every CPU
 *	hv_vm_init -> hv_slot_set... -> hv_vcpu_init xN -> hv_vcpu_run in a loop,
 *	one thread (or scheduler entity) a vCPU
 *	hv_vcpu_fini xN -> hv_vm_fini -> hv_cpu_disable (core/user.h) on every CPU
 *
 * The host embeds the structures; fields under "host may read" are its to look
 * at, the rest are the core's. Devices and interrupt controllers are the host's:
 * the core asks through struct vcpu_bus (core/engine_ops.h, docs/decisions/0001) on
 * the vCPU's thread, unpinned (core/port.h), with no lock of the core held.
 *
 * What only hosts need whose machine is elsewhere (user space, behind KVM's API) is
 * in core/user.h: answers that come later, events from outside, debugging.
 *
 * Interrupts: as engine.h says. hv_vcpu_irq(v, true) while the local APIC (or
 * whoever) has a deliverable interrupt; bus->irq_ack gives the vector.
 *
 * Threads: run/get/set/reset/put on the vCPU's own thread or while it
 * is known not to run; irq, nmi, init, sipi from any context, never waiting.
 * All functions: 0 or -E_x.
 */
#ifndef HULL_CORE_HV_H
#define HULL_CORE_HV_H

#include "core/engine_ops.h"
#include "core/npt.h"
#include "core/port.h"
#include "core/vt.h"

#define HV_MAX_SLOTS 64u
#define HV_MAX_VCPUS 64u
#define HV_MAX_MSRS 64u
#define HV_MAX_CPUID 96u
#define HV_REPLAY 8u

/* ---- exits to the host --------------------------------------------------------- */

enum hv_exit_kind {
	HV_EXIT_KICK,  /* hv_vcpu_kick (core/user.h), or port_guest_enter said no; nothing happened
			*/
	HV_EXIT_HALT,  /* halted or waiting for SIPI: run again when hv_vcpu_ready(v) */
	HV_EXIT_DEFER, /* a bus call deferred; answer and run again */
	HV_EXIT_SHUTDOWN, /* triple fault */
	HV_EXIT_DEBUG,	  /* breakpoint or step asked for by hv_vcpu_debug */
	HV_EXIT_YIELD,	  /* the guest spins; run someone else for a while, if there is anyone */
	HV_EXIT_WINDOW,	  /* hv_vcpu_want_window: an interrupt could be taken now */
	HV_EXIT_MEMORY,	  /* the host's frame callback failed for `addr` with -err */
	HV_EXIT_ERROR,	  /* cannot go on: `reason`; the VM is lost, the host is not */
};

struct hv_exit {
	enum hv_exit_kind kind;
	int err;
	u64 addr;    /* MEMORY: guest-physical; DEBUG: rip */
	u64 dr6;     /* DEBUG */
	u8 vector;   /* DEBUG: 1 or 3 */
	u64 hw_code; /* ERROR: the hardware's exit code */
	char reason[120];
};

/* ---- memory ---------------------------------------------------------------------- */

enum hv_slot_flags {
	HV_SLOT_READONLY = 1, /* writes go to bus->mmio_write */
	HV_SLOT_LOG = 2,      /* collect written pages in `dirty` */
	HV_SLOT_PREMAP = 4,   /* fill the nested page table now; `pa` must be known */
};

#define HV_PA_ASK (~0ULL)

/*
 * Guest memory. With `va` the core reaches the bytes directly, with `pa` it maps
 * them without asking: physically contiguous memory that stays. Otherwise
 * (va NULL, pa HV_PA_ASK) it asks hv_vm_ops.
 */
struct hv_slot {
	u32 id, flags;
	u64 gpa, size; /* page aligned; size 0: none */
	u64 pa;
	u8 *va;
	void *opaque; /* the host's */
	u64 *dirty;   /* HV_SLOT_LOG: one bit a page, the host's */
};

/* A page for the nested page table: `size` bytes (4K, 2M, 1G) at pa hold `gpa`. */
struct hv_frame {
	u64 pa, size;
	bool writable;
};

/* ---- the VM ------------------------------------------------------------------------ */

struct hv_vm_ops {
	/*
	 * The page behind gpa of a slot with pa HV_PA_ASK. Thread, may sleep. What it says
	 * may be outdated by the time it is mapped; hv_mmu_begin/end tell (as Linux' MMU
	 * notifiers do), and the core asks again. done, if not NULL, follows every frame
	 * that succeeded, mapped or not: the host drops its reference.
	 */
	int (*frame)(void *opaque, const struct hv_slot *s, u64 gpa, bool write,
		     struct hv_frame *f);
	void (*frame_done)(void *opaque, const struct hv_frame *f);
	/* Bytes of a slot without va. 0 or -E_FAULT. Thread. */
	int (*read)(void *opaque, const struct hv_slot *s, u64 off, void *buf, size_t len);
	int (*write)(void *opaque, const struct hv_slot *s, u64 off, const void *buf, size_t len);
	/*
	 * May be NULL, each: a hypercall (VMCALL or VMMCALL), registers in v->gpr; true if
	 * it was one of the host's (result written), false for the core's own (KVM's).
	 */
	bool (*hypercall)(void *opaque, struct hv_vcpu *v);
	/*
	 * First word on an MSR the guest reads or writes and that exits: 0 done, -E_NOENT
	 * #GP, 1 the core's. It may defer; then it is asked again and answers itself.
	 */
	int (*msr)(void *opaque, struct hv_vcpu *v, u32 msr, bool write, u64 *val);
	/* Last word on a CPUID leaf; out holds the core's answer. */
	void (*cpuid)(void *opaque, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4]);
	/*
	 * Paravirtual EOI: the interrupt just acknowledged may be ended without telling
	 * the APIC (edge triggered, nothing else waits); and: it was.
	 */
	bool (*eoi_skippable)(void *opaque, struct hv_vcpu *v);
	void (*eoi)(void *opaque, struct hv_vcpu *v);
	/* Paravirtual IPI: a fixed interrupt to the vCPU with this APIC id. False: none such. */
	bool (*ipi)(void *opaque, u32 apic_id, u32 icr);
};

enum hv_pv { HV_PV_NONE, HV_PV_KVM };

struct hv_vm_config {
	const struct hv_vm_ops *ops; /* outlives the VM, as opaque does */
	void *opaque;
	enum hv_pv pv;	   /* which paravirtual leaves CPUID shows at 40000000h */
	u32 pv_features;   /* HV_PV_KVM: bits of leaf 40000001h; 0 = all the core has */
	unsigned ncpus;	   /* for the topology leaves */
	bool x2apic;	   /* show X2APIC (the host's local APIC has it) */
	bool mwait_nop;	   /* MONITOR and MWAIT pass where CPUID shows none, instead of #UD */
	bool tsc_deadline; /* show the APIC timer's deadline mode */
	bool quick;	   /* ops->cpuid and hv_cpuid do without the current CPU: see svm_again */
};

struct hv_cpuid {
	u32 leaf, sub;
	bool indexed; /* sub counts */
	u32 out[4];
};

struct hv_vm {
	/* host may read */
	struct hv_vm_config cfg;
	unsigned ncpuid;
	struct hv_cpuid cpuid[HV_MAX_CPUID];
	struct hv_vcpu *vcpu[HV_MAX_VCPUS]; /* by index */
	unsigned nvcpus;
	/* core's */
	const struct vt_ops *vt;
	struct port_lock lock; /* slots, npt, mmu_* */
	struct hv_slot slot[HV_MAX_SLOTS];
	struct npt npt;
	u64 mmu_seq;
	unsigned mmu_busy;
	_Atomic u64 tlb_gen; /* vCPUs flush when theirs is behind */
	u64 tsc_offset;	     /* guest TSC = host TSC + this */
	u64 boot_wall_ns;
	s64 clock_offset; /* ns: paravirtual clock = guest TSC's time + this */
	void *vt_data;	  /* the bitmaps */
};

/* ---- the vCPU ---------------------------------------------------------------------- */

struct hv_event { /* to be delivered at the next entry, or whose delivery was cut short */
	u8 kind;  /* enum vt_event_kind */
	u8 vector, len;
	bool has_error, valid;
	u32 error;
};

enum hv_access_kind { HV_PIO_IN, HV_PIO_OUT, HV_MMIO_READ, HV_MMIO_WRITE };

struct hv_replay {
	u64 addr, val;
	u8 kind, size;
	bool answered;
};

struct hv_len_line { /* how long an instruction that exits was */
	u64 rip, cr3;
	u8 kind, len;
};

struct hv_stats {
	u64 exits[VT_EXIT_KINDS];
	u64 entries, injected, emulated, hypercalls, deferred, flushes, pages_mapped;
};

struct hv_pv_state { /* KVM's paravirtual MSRs */
	u64 wall, clock, steal, eoi, poll, async;
	u64 steal_seen;
	bool eoi_armed;
};

struct hv_vcpu {
	/* host may read and, between runs, write */
	u64 gpr[16], rip, rflags;
	void *host; /* the host's own, set before hv_vcpu_init */
	/* host may read */
	struct hv_vm *vm;
	unsigned index;
	struct hv_stats stats;
	_Atomic int cpu; /* where it last ran */
	_Atomic bool in_guest;
	enum x86_mp_state mp;

	/* core's */
	struct vcpu_bus bus;
	struct hv_regs st; /* groups valid by `have`, to be written by `dirty` */
	u32 have, dirty;
	u64 msr[HV_MAX_MSRS]; /* by row of core/msr.c */
	u64 xcr0, hw_xcr0, xsave_mask;
	u8 *xsave; /* one page */
	bool fpu_live, dr_live;
	bool sti_shadow, movss_shadow, nmi_masked, nmi_unmask;
	struct hv_event event;
	bool irq_window, nmi_window, want_window;
	struct vt_exit exit;
	struct hv_replay replay[HV_REPLAY];
	unsigned nreplay, replay_at;
	bool deferred, redo; /* the bus said later; the host has answered */
	struct hv_len_line len_cache[32];
	bool debugging, step, stepped, intercepts_stale;
	struct hv_pv_state pv;
	_Atomic u64 tlb_gen; /* of the VM's, when it last flushed */
	u64 tsc_base;	     /* the host's part of the TSC's offset */
	u64 tsc_adjust, asid_gen;
	u32 asid;
	int asid_cpu;
	_Atomic u32 request; /* enum hv_request */
	_Atomic bool irq_level;
	_Atomic u8 sipi_vector;
	const char *fail; /* why the core gave up */
	void *vt_data;	  /* struct svm_vcpu or struct vmx_vcpu */
};

/* ---- physical CPUs ------------------------------------------------------------------ */

/*
 * Probe: which of the two this CPU has. 0, or -E_NODEV and *why says in one line what
 * is missing. Touches nothing, any context.
 */
int hv_probe(const struct vt_ops **vt, const char **why);
/*
 * Switch virtualization on, on this CPU (pinned; by port_cpu_call). The CPU's id must be in
 * port_cpu()->id. 0, -E_NODEV, -E_BUSY (someone else uses it), -E_NOMEM. hv_cpu_prepare
 * gets the memory for it before (thread), hv_cpu_release gives it back after.
 */
int hv_cpu_prepare(struct hv_cpu *cpu, const struct vt_ops *vt);
int hv_cpu_enable(void);
void hv_cpu_release(struct hv_cpu *cpu);

/* ---- VM ------------------------------------------------------------------------------ */

int hv_vm_init(struct hv_vm *vm, const struct vt_ops *vt, const struct hv_vm_config *cfg);
void hv_vm_fini(struct hv_vm *vm); /* after all vCPUs; half-built is fine */

/* Add, replace (same id) or, with size 0, remove. -E_EXIST on overlap, -E_NOSPC. Thread. */
int hv_slot_set(struct hv_vm *vm, const struct hv_slot *s);
/* Copy of the slot holding gpa; false if there is none. */
bool hv_slot_find(struct hv_vm *vm, u64 gpa, struct hv_slot *s);

/* A mapping besides the slots: prot is enum npt_prot. Later wins. Thread. */
int hv_map(struct hv_vm *vm, u64 gpa, u64 pa, u64 size, u32 prot);
/* No vCPU can reach the range's pages when it returns. May wait for vCPUs to leave the guest. */
void hv_unmap(struct hv_vm *vm, u64 gpa, u64 size);

/* Guest-physical bytes, through the slots, marked dirty. 0 or -E_FAULT. Thread. */
int hv_read(struct hv_vm *vm, u64 gpa, void *buf, size_t len);
int hv_write(struct hv_vm *vm, u64 gpa, const void *buf, size_t len);

/* What this machine can show at most. Returns the number of entries. */
unsigned hv_cpuid_supported(const struct hv_vm_config *cfg, struct hv_cpuid *e, unsigned max);
void hv_cpuid(struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4]);

/* ---- vCPU ------------------------------------------------------------------------------ */

/* bus is copied. Index 0 starts running, others wait for SIPI. */
int hv_vcpu_init(struct hv_vcpu *v, struct hv_vm *vm, unsigned index, const struct vcpu_bus *bus);
void hv_vcpu_fini(struct hv_vcpu *v); /* half-built is fine */
void hv_vcpu_reset(struct hv_vcpu *v);
int hv_vcpu_run(struct hv_vcpu *v, struct hv_exit *e);
/* Take its registers off this CPU, before another vCPU runs here or this one elsewhere. Pinned. */
void hv_vcpu_put(struct hv_vcpu *v);
/* Only the vector registers. Pinned. */
void hv_vcpu_fpu_put(struct hv_vcpu *v);
/* Could an interrupt's vector be queued for the next entry? */
bool hv_vcpu_can_inject(struct hv_vcpu *v);

void hv_vcpu_irq(struct hv_vcpu *v, bool level);
void hv_vcpu_nmi(struct hv_vcpu *v);
void hv_vcpu_init_signal(struct hv_vcpu *v);
void hv_vcpu_sipi(struct hv_vcpu *v, u8 vector);
/* Has it something to do: not halted, or an event that ends the halt? Any context. */
bool hv_vcpu_ready(struct hv_vcpu *v);

/* Whole state; st->msr gets and sets what core/msr.h lists. */
int hv_vcpu_get(struct hv_vcpu *v, struct x86_state *s);
int hv_vcpu_set(struct hv_vcpu *v, const struct x86_state *s);
/* As RDMSR/WRMSR at CPL 0, including the host's through the bus. -E_NOENT: #GP. */
int hv_msr_read(struct hv_vcpu *v, u32 msr, u64 *val);
int hv_msr_write(struct hv_vcpu *v, u32 msr, u64 val, bool by_host);
/* The MSRs the core keeps, for lists and state. Returns how many; index n or 0. */
unsigned hv_msr_count(void);
u32 hv_msr_index(unsigned n);

/* Bytes at a linear address, for hypercall arguments. 0 or -E_FAULT. */
int hv_vcpu_read(struct hv_vcpu *v, u64 linear, void *buf, size_t len);
int hv_vcpu_write(struct hv_vcpu *v, u64 linear, const void *buf, size_t len);
/* 0..3 as the guest runs now. */
unsigned hv_vcpu_cpl(struct hv_vcpu *v);
/* 8, 4 or 2: the code segment's default operand size (8: 64-bit mode). */
unsigned hv_vcpu_code_size(struct hv_vcpu *v);
/* Guest TSC now and its frequency. Any context. */
u64 hv_vcpu_tsc(struct hv_vcpu *v, u64 *khz);

/* "npf", "cpuid"...: names of stats.exits. */
const char *hv_exit_name(enum vt_exit_kind k);

#endif
