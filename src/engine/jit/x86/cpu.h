/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One software x86 vCPU: the state that the interpreter (interp*.c), the system
 * half (sys*.c, mmu.c, seg.c, exc.c, msr.c, cpuid.c), the translator
 * (translate*.c) and generated code share.
 *
 * While generated code runs, GS.base of the host thread points at this struct
 * and most guest registers are in the host's own registers; whenever C code of
 * ours looks at it, all integer state is here in memory.
 *
 * Guest vector/x87 state is the exception: it may be LIVE IN THE HOST'S OWN
 * registers (fpu_live). All C code under engine/jit/x86 and engine/jit/rt is
 * therefore compiled -mgeneral-regs-only and calls no libc; before calling out
 * to anything else (bus, host, libc) it calls x86_fpu_park().
 */
#ifndef HULL_ENGINE_JIT_X86_CPU_H
#define HULL_ENGINE_JIT_X86_CPU_H

#include <stdatomic.h>

#include "base/bits.h"
#include "core/engine.h"
#include "core/engine_trace.h"
#include "isa/x86/insn.h"

/* ---- soft TLB ------------------------------------------------------------ */

/*
 * Which of the tables an access uses. SMAP "open" is supervisor access with
 * CR4.SMAP=0 or RFLAGS.AC=1; closed makes user pages miss.
 */
enum x86_mmu { X86_MMU_KERNEL, X86_MMU_USER, X86_MMU_KERNEL_OPEN, X86_MMU_COUNT };

#define X86_TLB_MAX 4096u /* entries a table can grow to, a power of two */
#define X86_TLB_MIN 256u

/*
 * One entry maps one 4 KiB linear page. `page` is the linear page address or
 * x86_tlb_empty(index); index is the page number modulo the entries in use. `add` is the host
 * address of that page less the linear one. A check is (linear ^ page) <= 4096 - size -> linear +
 * add Pages that need a slow path (MMIO, ROM writes, pages with translated code on write, not-dirty
 * PTEs on write, watchpoints) are never entered.
 */
struct x86_tlb_entry {
	u64 page;
	u64 add;
};
#define X86_TLB_EMPTY (~0ULL)
/*
 * What `page` of entry `index` holds when empty. No single value will do: an
 * access may be to any 64-bit number, the last page and non-canonical ones
 * included, so it is a page that belongs at another index. (A zeroed table is
 * empty but for entry 0.)
 */
static inline u64 x86_tlb_empty(unsigned index)
{
	return index ? 0 : X86_TLB_EMPTY;
}
static_assert(sizeof(struct x86_tlb_entry) == 16, "translator scales by 16");

struct x86_tlb {
	struct x86_tlb_entry rd[X86_TLB_MAX];
	struct x86_tlb_entry wr[X86_TLB_MAX];
};

enum x86_access { X86_READ = 0, X86_WRITE = 1, X86_FETCH = 2 };

/* ---- exceptions ------------------------------------------------------------ */

enum x86_vector {
	X86_DE = 0,
	X86_DB = 1,
	X86_NMI = 2,
	X86_BP = 3,
	X86_OF = 4,
	X86_BR = 5,
	X86_UD = 6,
	X86_NM = 7,
	X86_DF = 8,
	X86_TS = 10,
	X86_NP = 11,
	X86_SS_EXC = 12,
	X86_GP = 13,
	X86_PF = 14,
	X86_MF = 16,
	X86_AC = 17,
	X86_MC = 18,
	X86_XM = 19
};

struct x86_exc {
	bool pending;
	u8 vector;
	bool has_error;
	bool soft; /* INT n, INT3, INTO: return address is the next instruction */
	u32 error;
};

/* Why the vCPU must look up from running code; bits of x86_vcpu.kick. */
enum x86_kick {
	X86_KICK_EXIT = 1, /* vcpu_kick */
	/*
	 * The INTR pin (irq_pin) is up and may be deliverable. The run loop clears
	 * the bit when it finds RFLAGS.IF=0; whoever sets IF (sti, popf, iret...)
	 * sets it again if irq_pin is up: x86_irq_recheck().
	 */
	X86_KICK_IRQ = 2,
	X86_KICK_NMI = 4,
	X86_KICK_INIT = 8,
	X86_KICK_SIPI = 16,
	X86_KICK_FLUSH = 32, /* another vCPU asks for something at a safe point */
	/* This vCPU itself: hlt, interrupt shadow, debug trap, ... wants the run loop. */
	X86_KICK_LOOK = 64,
};

enum {
	RF_CF = 1 << 0,
	RF_FIXED = 1 << 1,
	RF_PF = 1 << 2,
	RF_AF = 1 << 4,
	RF_ZF = 1 << 6,
	RF_SF = 1 << 7,
	RF_TF = 1 << 8,
	RF_IF = 1 << 9,
	RF_DF = 1 << 10,
	RF_OF = 1 << 11,
	RF_IOPL = 3 << 12,
	RF_NT = 1 << 14,
	RF_RF = 1 << 16,
	RF_VM = 1 << 17,
	RF_AC = 1 << 18,
	RF_VIF = 1 << 19,
	RF_VIP = 1 << 20,
	RF_ID = 1 << 21,
};

enum { X86_CR4_PCIDE = 1 << 17, X86_CR4_SMAP_BIT = 21 }; /* SDM vol. 3A section 2.5 */

#define X86_NATIVE_AREA 131072u
#define X86_NATIVE_GUARD (3 * 4096u)
#define X86_PAUSES 64u /* from one yield to the next */
#define X86_INTERP_BYTES (1024u * 1024)

struct x86_vm;
struct x86_sys;	 /* sys.h: private to the system half */
struct x86_host; /* sys.h: the host's CPUID, filtered */
struct jit;	 /* engine/jit/rt: code cache of a VM */

struct x86_vcpu {
	/* -- hot, first 128 bytes so that generated code reaches it with disp8 -- */
	u64 gpr[16]; /* 0x000 */
	u64 rip;     /* 0x080 */
	u64 rflags;  /* 0x088 all bits, always materialized here in C code */
	/* One 8-byte compare with a mode key checks both: no kick, same mode. */
	u32 mode_key;		 /* 0x090 x86_mode_key(): what translated code depends on */
	_Atomic u32 kick;	 /* 0x094 enum x86_kick */
	u64 scratch[5];		 /* 0x098 spill space of generated code */
	u64 host_rsp;		 /* 0x0c0 host stack while in generated code */
	struct x86_vcpu *self;	 /* 0x0c8 so that gs:[self] gives the flat address */
	u64 seg_base[X86_NSEGS]; /* 0x0d0 mirrors seg[].base for generated code */
	u8 mmu;			 /* enum x86_mmu for ordinary accesses now */
	u8 cpl;
	u8 code_mode;		     /* enum x86_mode of CS */
	bool fpu_live;		     /* guest vector state is in host registers */
	u32 tlb_mask[X86_MMU_COUNT]; /* (entries - 1) * 16 of each table in use */

	/* -- architectural state -- */
	struct x86_seg seg[X86_NSEGS], ldtr, tr;
	struct x86_dtr gdtr, idtr;
	u64 cr0, cr2, cr3, cr4, xcr0, efer, apic_base;
	u64 dr[4], dr6, dr7;
	u64 star, lstar, cstar, fmask, kernel_gs_base, tsc_aux, tsc_offset, tsc_adjust, xss;
	u64 sysenter_cs, sysenter_esp, sysenter_eip, pat, misc_enable, spec_ctrl;
	u64 mtrr_def, mtrr_fix[11], mtrr_var[16];
	u64 pkrs; /* IA32_PKRS */
	u32 pkru; /* never in the host's; in c->xsave only by x86_fpu_settle */
	struct x86_exc exc;
	bool fetch_global; /* of the last x86_fetch_page */
	bool sti_shadow, movss_shadow, nmi_masked, halted, wait_sipi, shutdown;
	u8 sipi_vector;
	u64 insn_count;
	u32 pauses; /* PAUSE instructions, see exec_pause */

	struct x86_vm *vm;
	struct x86_sys *sys;
	_Atomic bool irq_pin; /* level of vcpu_irq */
	unsigned index;
	struct vcpu_bus bus;
	struct vcpu_debug dbg;
	bool dbg_on;
	struct engine_counters count;
	void *wait; /* run loop's sleep object, engine.c's */

	/*
	 * Bumped whenever a linear-to-host translation for fetches may have died or
	 * the mode changed (x86_tlb_flush, x86_tlb_flush_page, x86_mode_update):
	 * whoever caches one outside the TLB compares it.
	 */
	u32 tlb_gen;
	/*
	 * Scratch code of native.c: X86_NATIVE_AREA bytes of one memory mapped
	 * twice, and X86_NATIVE_GUARD bytes: a page to use, one without any access,
	 * one to use. Handed in at vCPU creation (engine/jit/native_area.h). While
	 * NULL every vector or x87 instruction raises #UD.
	 */
	u8 *native_rw, *native_rx, *native_guard;

	/* Guest XSAVE area (standard format, host's XCR0 layout) when !fpu_live;
	 * host's own saved state while fpu_live is not needed: callee code is
	 * general-regs-only and the host ABI has no callee-saved vector registers
	 * (MXCSR/x87 CW are restored by x86_fpu_park). */
	u8 xsave[X86_XSAVE_MAX] __attribute__((aligned(64)));

	/* Interpreter's own per-vCPU data (decoded instructions, stub index). */
	u8 interp[X86_INTERP_BYTES] __attribute__((aligned(4096)));

	/* Translator's own per-vCPU data (jump caches, exec TLB): engine/jit/rt. */
	u8 rt[1024 * 1024] __attribute__((aligned(4096)));

	struct x86_tlb tlb[X86_MMU_COUNT] __attribute__((aligned(4096)));
};

struct x86_vm {
	struct gpa_map *map;
	unsigned ncpus;
	struct x86_vcpu *vcpu[64]; /* filled as they are created; release-stored */
	struct jit *jit;	   /* NULL: interpret only */
	u64 xcr0_host;		   /* XCR0 bits whose state the host's registers hold */
	u32 xsave_size;		   /* size of the standard area for x86_xcr0_allowed */
	u64 tsc_khz;
	u64 tsc_base; /* host TSC when the VM was made, and time it was frozen: guest TSC 0 */
	_Atomic u64 tsc_frozen; /* host TSC since when guest time stands still, 0 = it runs */
	u64 wall_ns;		/* UTC nanoseconds since 1970 at tsc_base */
	struct x86_host *host;
	/* Give the host CPU to another thread; NULL: not with a single vCPU. */
	void (*yield)(void);
	const struct engine_trace *trace; /* NULL: nothing is traced */
	_Atomic u32 split_lock; /* held for locked accesses that cross a page or are not RAM */
};

#define X86_XCR0_PKRU BIT(9)
/* XCR0 bits the guest may set; PKRU is modelled whatever the host has. */
static inline u64 x86_xcr0_allowed(const struct x86_vm *vm)
{
	return vm->xcr0_host ? vm->xcr0_host | X86_XCR0_PKRU : 0;
}

/* ---- mode key ----------------------------------------------------------------
 * Everything outside registers that the meaning or translation of an
 * instruction depends on. Recomputed by x86_mode_update() after any change.
 * bits: 0-1 code_mode, 2-3 mmu, 4 SS.B (32-bit stack), 5 CPL==3, 6 segments
 * ES/CS/SS/DS flat with base 0 and limit 4G (always set in 64-bit mode), 7
 * CR0.TS|EM (FPU traps), 8 CR4.OSFXSR off, 9 OSXSAVE/XCR0 AVX usable, 10
 * AVX-512 usable, 11 alignment checks on (CPL 3, CR0.AM, AC), 12 RF_TF or debug
 * (interpret only), 13 real or vm86 mode, 14 CR0.PG, 15 IOPL<CPL, 16 CPL 1 or 2.
 */
enum {
	X86_KEY_SS32 = 1 << 4,
	X86_KEY_CPL3 = 1 << 5,
	X86_KEY_FLAT = 1 << 6,
	X86_KEY_NOFPU = 1 << 7,
	X86_KEY_NOSSE = 1 << 8,
	X86_KEY_AVX = 1 << 9,
	X86_KEY_AVX512 = 1 << 10,
	X86_KEY_ALIGN = 1 << 11,
	X86_KEY_STEP = 1 << 12,
	X86_KEY_REAL = 1 << 13,
	X86_KEY_PAGING = 1 << 14,
	X86_KEY_RING12 = 1 << 16
};
void x86_mode_update(struct x86_vcpu *c);

/* ---- system half: mmu.c, seg.c, exc.c, sys*.c, msr.c, cpuid.c ----------------
 * Functions that can raise return 0, or -1 with c->exc filled in; the caller
 * then unwinds to the run loop with rip and registers still those of the start
 * of the instruction.
 */
static inline int x86_raise_err(struct x86_vcpu *c, enum x86_vector vec, u32 err)
{
	c->exc = (struct x86_exc){.pending = true, .vector = vec, .has_error = true, .error = err};
	return -1;
}

static inline int x86_raise(struct x86_vcpu *c, enum x86_vector vec)
{
	c->exc = (struct x86_exc){.pending = true, .vector = vec};
	return -1;
}

/*
 * Segmentation: offset (already truncated to the address size) to linear, with
 * limit, type and canonical checks for n bytes.
 */
int x86_linear(struct x86_vcpu *c, enum x86_segreg seg, u64 off, unsigned n, enum x86_access a,
	       u64 *linear);

/* Linear accesses of 1..64 bytes in the current mmu mode, split over pages, MMIO included. */
int x86_read(struct x86_vcpu *c, u64 linear, void *buf, unsigned n);
int x86_write(struct x86_vcpu *c, u64 linear, const void *buf, unsigned n);
/* Same as a supervisor access whatever the CPL (descriptor tables, TSS). */
int x86_read_sys(struct x86_vcpu *c, u64 linear, void *buf, unsigned n);
int x86_write_sys(struct x86_vcpu *c, u64 linear, const void *buf, unsigned n);
/*
 * For read-modify-write and locked instructions: a host pointer to n bytes that
 * may be written, if they lie in one page of ordinary RAM; else *host = NULL
 * (MMIO, page crossing): then do a plain read and write. -1 if it faults.
 */
int x86_rmw_ptr(struct x86_vcpu *c, u64 linear, unsigned n, void **host);
/*
 * Fill the soft TLB for one access. 0 and *host set (NULL when it may not be
 * entered in the TLB: use x86_read/x86_write); -1 if it faults.
 */
int x86_tlb_fill(struct x86_vcpu *c, u64 linear, enum x86_access a, void **host);
/* For fetch: guest-physical page and host pointer of the code page; -1 = fault. host NULL = not
 * RAM. */
/* c->fetch_global says whether the mapping is one that only a global flush drops. */
int x86_fetch_page(struct x86_vcpu *c, u64 linear, u64 *gpa, const u8 **host);
void x86_tlb_flush(struct x86_vcpu *c, bool global_too);
void x86_tlb_flush_page(struct x86_vcpu *c, u64 linear);
/* New rights of protection keys (SDM vol. 3A section 4.6.2): translations they change go. */
void x86_set_pkru(struct x86_vcpu *c, u32 v);
void x86_set_pkrs(struct x86_vcpu *c, u32 v);
/* Drop every write entry for a guest-physical page from all vCPUs' tables (any thread). */
void x86_tlb_protect(struct x86_vm *vm, u64 gpa);

/* Execute a decoded instruction of class SYSTEM; advances rip itself. */
int x86_exec_system(struct x86_vcpu *c, const struct x86_insn *in);
/* Deliver c->exc (with #DF and triple fault rules) or an interrupt/NMI: loads the handler. */
void x86_deliver_exception(struct x86_vcpu *c);
int x86_deliver_interrupt(struct x86_vcpu *c, u8 vector);
void x86_reset(struct x86_vcpu *c, bool init); /* power-on or INIT */
void x86_cpuid(const struct x86_vcpu *c, u32 leaf, u32 sub, u32 out[4]);
int x86_rdmsr(struct x86_vcpu *c, u32 msr, u64 *val); /* -1 and #GP raised if none */
int x86_wrmsr(struct x86_vcpu *c, u32 msr, u64 val);
u64 x86_tsc(const struct x86_vcpu *c);
/* After RFLAGS.IF may have become 1: raise X86_KICK_IRQ again if the INTR pin is up. */
static inline void x86_irq_recheck(struct x86_vcpu *c)
{
	if ((c->rflags & RF_IF) && atomic_load_explicit(&c->irq_pin, memory_order_relaxed))
		atomic_fetch_or(&c->kick, X86_KICK_IRQ);
}

/* ---- FPU residency (fpu.c) ---------------------------------------------------- */
void x86_fpu_load(struct x86_vcpu *c); /* guest state into host registers, if not there */
/* XINUSE (SDM vol. 1, 13.6): state components that are not in their initial state. */
u64 x86_fpu_xinuse(struct x86_vcpu *c);
/* c->xsave complete: parked, initial components written out, PKRU too. */
void x86_fpu_settle(struct x86_vcpu *c);
/* c->xsave was replaced by an image: take PKRU from it. */
void x86_fpu_replaced(struct x86_vcpu *c);
void x86_fpu_park(struct x86_vcpu *c); /* guest state into c->xsave, host control words restored */

/*
 * fxsave, fxrstor, xsave*, xrstor*, ldmxcsr, stmxcsr and their like, whichever
 * class the decoder gives them: x86_exec_system hands them here. Checks
 * everything, advances rip. 0 or -1 (c->exc).
 */
int x86_exec_fpu_state(struct x86_vcpu *c, const struct x86_insn *in);
/*
 * For the handler of synchronous signals on a vCPU thread: if host_rip is inside
 * a native stub, where to resume, with RAX = the trap number and RDX = CR2; else 0.
 */
u64 x86_native_fixup(u64 host_rip);

/* ---- interpreter: interp.c ------------------------------------------------------ */
/* Fetch, decode and execute one instruction at rip. 0 or -1 (c->exc). */
int x86_interp_step(struct x86_vcpu *c);
/* Execute a decoded instruction (any class; SYSTEM goes to x86_exec_system). */
int x86_exec(struct x86_vcpu *c, const struct x86_insn *in);
/* Does the guest's CPUID show what this instruction needs? Else it must raise #UD. */
bool x86_insn_shown(struct x86_vcpu *c, const struct x86_insn *in);

/* fxsave, fxrstor, xsave*, xrstor*: the SYSTEM instructions that belong to fpu.c; as x86_exec. */
int x86_exec_fpu_state(struct x86_vcpu *c, const struct x86_insn *in);

/* ---- translator: engine/jit/rt, translate*.c ------------------------------------ */
struct jit *jit_create(struct x86_vm *vm, u64 cache_bytes);
void jit_destroy(struct jit *j);
int jit_vcpu_init(struct x86_vcpu *c);
void jit_vcpu_fini(struct x86_vcpu *c);
/*
 * Run until something needs the run loop: kick bits set, an exception raised
 * (c->exc), a mode the translator leaves to the interpreter, or one system
 * instruction that changed what x86_vcpu_run must look at. State is in memory.
 */
void jit_run(struct x86_vcpu *c);
/* Translations of this guest-physical page are stale (a write landed). Any thread. */
void jit_page_written(struct x86_vm *vm, u64 gpa);
/* The soft TLB (and so cross-page links) of this vCPU was flushed: whole, or one page. */
void jit_tlb_flushed(struct x86_vcpu *c, bool global_too);
void jit_tlb_flushed_page(struct x86_vcpu *c, u64 linear);
/* The slots (rt/jit.h) of a mode, those of one page in every mode. On the vCPU's thread. */
void jit_slots_clear(struct x86_vcpu *c, enum x86_mmu mmu);
void jit_slots_clear_page(struct x86_vcpu *c, u64 linear);
/* What windows (rt/hosted_window.c) show of the address space `pcid`, or of all, of one page. */
void jit_windows_flush(struct x86_vcpu *c, bool all, unsigned pcid);
void jit_windows_flush_page(struct x86_vcpu *c, u64 linear);
/* Another address space becomes current; noflush: what is known of it still holds. */
void jit_windows_switch(struct x86_vcpu *c, unsigned pcid, bool noflush);
/* No window may show the page at `host` writable; any thread, as the next. */
void jit_windows_protect(struct x86_vcpu *c, u64 host);
/* Those that show the page at `host`, from any thread, after the TLB's entries. */
void jit_slots_protect(struct x86_vcpu *c, u64 host);

#endif
