/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the system half of the POWER CPU and its host glue (../ppc_engine.c):
 *
 *	exc.c		interrupts: delivery, return from them, MSR; the run loop
 *	spr.c		special purpose registers; time base and decrementer
 *	mmu.c		soft TLB fills, storage accesses, flushes on all vCPUs
 *	mmu_radix.c	radix tree walk		mmu_hash.c	SLB and hash table walk
 *	mmu_insn.c	tlb*, slb* and other rare privileged instructions
 *	hcall.c		hypercalls of the processor	hcall_hpt.c	of the hash table
 *	reset.c		starting states
 *	debug.c		breakpoints, watchpoints, steps, traces
 *
 * The guest is a partition: MSR.HV is always 0, there is no nested hypervisor and
 * no partition table; a real address is a guest-physical one. Fault convention as
 * in sys.h: 0, or -1 with c->exc filled in and no register changed.
 */
#ifndef HULL_ENGINE_JIT_PPC_SYSTEM_H
#define HULL_ENGINE_JIT_PPC_SYSTEM_H

#include "base/endian.h"
#include "core/engine.h"
#include "core/engine_trace.h"
#include "engine/jit/irrun/irrun.h"
#include "engine/jit/ppc/cpu.h"
#include "engine/jit/ppc/sys.h"

#define PPC_MAX_VCPUS 64u
#define PPC_TB_HZ 512000000u /* time base, what the pseries board tells */
#define PPC_PVR 0x004e1203u  /* POWER9 DD2.3 */
#define PPC_SLB_SIZE 32u

/* LPCR, ISA III 2.2. */
#define PPC_LPCR_AIL_SHIFT 23
#define PPC_LPCR_AIL (3ull << 23)
#define PPC_LPCR_ILE BIT(25)
#define PPC_LPCR_LD BIT(17)

/* DSISR and, in an instruction storage interrupt, SRR1: ISA III 6.5.3 and 6.5.5. */
#define PPC_DSISR_NOTFOUND 0x40000000u
#define PPC_DSISR_NOEXEC 0x10000000u /* ISI only */
#define PPC_DSISR_PROTECTED 0x08000000u
#define PPC_DSISR_STORE 0x02000000u
#define PPC_DSISR_KEY 0x00200000u
#define PPC_DSISR_CONFIG 0x00080000u
#define PPC_DSISR_PROCTABLE 0x00020000u

/* Facility codes of the facility unavailable interrupt, ISA III 6.2.10. */
enum { PPC_FAC_DSCR = 2, PPC_FAC_PMU = 3, PPC_FAC_TM = 5, PPC_FAC_EBB = 7, PPC_FAC_TAR = 8 };

struct ppc_slbe {
	u64 esid; /* effective segment ID in place, V = BIT(27) */
	u64 vsid; /* as slbmte's RS: B, VSID, Ks, Kp, N, L, C, LP */
};

struct ppc_sys {
	struct vcpu_bus bus;
	struct ppc_slbe slb[PPC_SLB_SIZE];
	_Atomic u32 flush_want, flush_done; /* TLB flushes other vCPUs asked for */
	_Atomic bool prodded;		    /* H_PROD came while not ceded */
	_Atomic bool stopped;		    /* until vcpu_start */
	_Atomic bool reset_wanted;	    /* a system reset interrupt is due */
	_Atomic u64 start_nip, start_arg;
	/* A soft TLB is being filled, under the run time's lock: pages with code cannot be
	 * written now (defer: one would have been; the slow way does it). */
	bool filling, defer;
	u64 vpa, slb_shadow, dtl; /* guest-physical, 0 = not registered */
	_Atomic u64 timer_armed;  /* time base value the machine's timer is armed for, 0 = none */
	/* The debugger's; changed while the vCPU does not run. */
	struct vcpu_debug dbg;
	bool dbg_hit; /* it asked for a stop: dbg_addr is the instruction or the watchpoint */
	u64 dbg_addr;
};

/* What the engine's host glue provides. */
struct ppc_host {
	u64 (*timebase)(void *opaque);	  /* ticks of PPC_TB_HZ since the VM was made */
	void (*wake)(struct ppc_vcpu *c); /* it may sleep in H_CEDE */
	void (*yield)(void);
	void *opaque;
};

struct ppc_vm {
	struct gpa_map *map;
	struct irrun *run;
	unsigned ncpus;
	struct ppc_vcpu *vcpu[PPC_MAX_VCPUS]; /* NULL: not made yet */
	struct ppc_host host;
	/* H_REGISTER_PROC_TBL. Changed only while no other vCPU runs translated. */
	bool radix;
	u64 proc_table, proc_entries;
	/* Hash page table: 1 << hpt_shift bytes, pairs of doublewords in the host's order. */
	_Atomic u64 *hpt;
	unsigned hpt_shift;
	atomic_flag hpt_lock;
	const struct engine_trace *trace; /* NULL: nobody traces */
};

/* ---- modes ---- */

/* After msr, fscr or fpscr changed: the key, and the unit is left. */
void ppc_mode_changed(struct ppc_vcpu *c);
/* Any thread. */
void ppc_kick_set(struct ppc_vcpu *c, u32 bits);

/* ---- exc.c ---- */

enum ppc_run_end { PPC_RUN_KICK, PPC_RUN_HALT, PPC_RUN_STOPPED, PPC_RUN_DEBUG, PPC_RUN_ERROR };

/* Runs until the vCPU has to stop (KICK: PPC_KICK_EXIT was set and is cleared). */
enum ppc_run_end ppc_run(struct ppc_vcpu *c);
/* Does a start that was asked for. On the vCPU's thread or while it does not run. */
void ppc_start_serve(struct ppc_vcpu *c);
/* irrun_ops.exit */
int ppc_unit_exit(void *cpu, u32 reason);
/* Delivers c->exc. */
void ppc_deliver(struct ppc_vcpu *c);
/* An interrupt that would end H_CEDE or be delivered with MSR.EE is there. */
bool ppc_irq_pending(struct ppc_vcpu *c);

/* ---- debug.c ---- */

/* Cheap unless somebody traces this kind of event; cpu and rip are filled in here. */
void ppc_trace(struct ppc_vcpu *c, struct vcpu_trace_event ev);

/* What the debugger wants, NULL: nothing. While the vCPU does not run. */
void ppc_debug_set(struct ppc_vcpu *c, const struct vcpu_debug *dbg);
/* A watchpoint is on the page of ea. */
bool ppc_debug_watched(const struct ppc_vcpu *c, u64 ea);
/* -1: an access that a watchpoint waits for; the unit is to be left without it. */
int ppc_debug_access(struct ppc_vcpu *c, u64 ea, u32 size, bool write);
/* The unit was left for `reason`, its interrupt is delivered: does the debugger want a stop? */
bool ppc_debug_exit(struct ppc_vcpu *c, u32 reason);

/* ---- spr.c ---- */
u64 ppc_timebase(struct ppc_vcpu *c);
/* The decrementer has passed zero and nobody took its interrupt. */
bool ppc_dec_pending(struct ppc_vcpu *c);
/* Asks the machine for a call of vcpu_timer when the decrementer passes zero. */
void ppc_dec_arm(struct ppc_vcpu *c);

/* ---- mmu ---- */

enum ppc_access { PPC_READ, PPC_WRITE, PPC_FETCH };

struct ppc_xlate {
	u64 gpa;
	unsigned shift; /* of the page that maps it */
	bool writable;	/* a write would be allowed too and needs no table update */
};

/* Translates in the current mode. quiet: nothing is raised or changed (debugger). */
int ppc_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet,
		  struct ppc_xlate *x);
int ppc_radix_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet,
			struct ppc_xlate *x);
int ppc_hash_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet,
		       struct ppc_xlate *x);
/* Raise a data or instruction storage, or segment, interrupt for an access; -1. */
int ppc_storage_fault(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, u32 why);
int ppc_segment_fault(struct ppc_vcpu *c, u64 ea, enum ppc_access kind);

/* struct irrun_ops. */
int ppc_fetch(void *cpu, u64 pc, u64 *gpa, const u8 **host);
int ppc_fill(void *cpu, u64 ea, u32 size, bool write, struct irrun_fill *out);
int ppc_access_any(void *cpu, u64 ea, u32 size, bool write, void *data);
int ppc_cas(void *cpu, u64 ea, u32 size, const void *old, const void *new);
unsigned ppc_mmu_index(u32 key);
void ppc_protect(void *vm, u64 gpa);
/* struct gpa_map.page_written. */
void ppc_page_written(void *opaque, struct gpa_slot *s, u64 gpa);

/* Flush this vCPU's soft TLBs. */
void ppc_flush(struct ppc_vcpu *c);
/*
 * Flush those of all other vCPUs and wait until none uses an old entry. pid: a
 * radix process whose pages alone are meant, 0 = anybody's.
 */
void ppc_flush_all(struct ppc_vcpu *c, u64 pid);
/* Serves what others asked of this one. */
void ppc_flush_serve(struct ppc_vcpu *c);

/* ---- hash table, mmu_hash.c ---- */

#define PPC_HPTE_V BIT(0)
#define PPC_HPTE_H BIT(1)
#define PPC_HPTE_L BIT(2)
#define PPC_HPTE_AVPN 0xffffffffffffff80ull /* with B */
#define PPC_HPTE_R BIT(8)
#define PPC_HPTE_C BIT(7)
#define PPC_HPTE_N BIT(2)
#define PPC_HPTE_G BIT(3)
#define PPC_HPTE_KEY_HI (3ull << 60)
#define PPC_HPTE_KEY_LO 0xe00ull
#define PPC_HPTE_PP0 BIT(63)
#define PPC_HPTE_PP 3ull
#define PPC_HPTE_RPN 0x0ffffffffffff000ull

/* Page size of an entry by its L and LP: 12, 16, 24, or 0 if that is none of ours. */
unsigned ppc_hpte_shift(u64 v, u64 r);
/* The entry of SLB that holds ea, or NULL. */
struct ppc_slbe *ppc_slb_find(struct ppc_vcpu *c, u64 ea);

/* ---- hypercalls ---- */

/* sc 1 of a privileged program: arguments and results in the registers; nip is past it. */
void ppc_hcall(struct ppc_vcpu *c);
/* The VPA's dispatch counter: even while the vCPU runs, odd while it waits (LoPAR, VPA). */
void ppc_dispatch_count(struct ppc_vcpu *c, bool runs);
/* Those of the hash table: false if r[0] is none; r[] = r3.. in and out. */
bool ppc_hcall_hpt(struct ppc_vcpu *c, u64 r[PPC_HCALL_REGS]);

/* Return codes, PAPR table "Hypervisor Call Return Code Values". */
enum {
	H_SUCCESS = 0,
	H_BUSY = 1,
	H_CLOSED = 2,
	H_NOT_AVAILABLE = 3,
	H_HARDWARE = -1,
	H_FUNCTION = -2,
	H_PRIVILEGE = -3,
	H_PARAMETER = -4,
	H_PTEG_FULL = -6,
	H_NOT_FOUND = -7,
	H_NO_MEM = -9,
	H_AUTHORITY = -10,
	H_RESOURCE = -16,
	H_P2 = -55,
	H_P3 = -56,
	H_P4 = -57,
	H_UNSUPPORTED_FLAG = -256,
};

/* ---- reset.c ---- */
/* Power on; vCPU 0 too waits to be started. */
void ppc_reset(struct ppc_vcpu *c);
/* A stopped vCPU that was started: its state. */
void ppc_start_state(struct ppc_vcpu *c, u64 nip, u64 arg);

#endif
