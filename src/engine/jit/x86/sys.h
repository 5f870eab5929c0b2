/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the system half of the software CPU (mmu*.c, seg*.c, exc.c, sys*.c,
 * msr.c, cpuid.c, reset.c, mode.c, debug.c, pv.c) and its host glue engine.c.
 * The interpreter and the translator see cpu.h only.
 *
 * Fault convention: int functions return 0, or -1 with c->exc filled in and no
 * register changed.
 */
#ifndef HULL_ENGINE_JIT_X86_SYS_H
#define HULL_ENGINE_JIT_X86_SYS_H

#include "base/bits.h"
#include "base/endian.h"
#include "engine/jit/x86/cpu.h"

/* Control registers, SDM vol. 3A section 2.5. */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR3_NOFLUSH BIT(63)
#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE ((u64)X86_CR4_PCIDE)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(X86_CR4_SMAP_BIT)
#define CR4_PKE BIT(22)
#define CR4_PKS BIT(24)

/* IA32_EFER, SDM vol. 4; FFXSR and TCE are AMD's. */
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_FFXSR BIT(14)
#define EFER_AUTOIBRS BIT(21)

/* #PF error code, SDM vol. 3A section 4.7. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_ID = 16, PF_PK = 32 };

/* Segment attributes as struct x86_seg has them: descriptor bits 40..55. */
enum {
	SEG_A = 1 << 0,
	SEG_RW = 1 << 1, /* data: writable; code: readable */
	SEG_EC = 1 << 2, /* data: expand down; code: conforming */
	SEG_CODE = 1 << 3,
	SEG_S = 1 << 4,
	SEG_P = 1 << 7,
	SEG_L = 1 << 13,
	SEG_DB = 1 << 14,
	SEG_G = 1 << 15,
};

/* System descriptor types, SDM vol. 3A table 3-2. */
enum {
	DESC_TSS16 = 1,
	DESC_LDT = 2,
	DESC_TSS16_BUSY = 3,
	DESC_CALL16 = 4,
	DESC_TASK = 5,
	DESC_INT16 = 6,
	DESC_TRAP16 = 7,
	DESC_TSS32 = 9,
	DESC_TSS32_BUSY = 11,
	DESC_CALL32 = 12,
	DESC_INT32 = 14,
	DESC_TRAP32 = 15,
};

static inline unsigned seg_dpl(u32 attr)
{
	return attr >> 5 & 3;
}

/* DR6 and DR7, SDM vol. 3B section 18.2. */
#define DR6_INIT 0xffff0ff0u
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR6_BT BIT(15)
#define DR7_INIT 0x400u
#define DR7_GD BIT(13)

/* Physical address width the guest is told (CPUID 0x80000008) and that page tables are checked for.
 */
#define X86_PHYS_BITS 46
#define X86_PHYS_MASK (BIT(X86_PHYS_BITS) - 1)

/* The TLB of one PCID while another one runs. */
#define X86_IMAGES 6u
struct x86_image {
	bool valid;
	u16 pcid;
	u32 mask;
	u64 stamp;     /* last use, for replacement */
	u64 write_gen; /* sys->protect_gen when it was saved */
	struct x86_tlb_entry rd[X86_TLB_MAX], wr[X86_TLB_MAX];
};

#define X86_FETCH_CACHE 64u
struct x86_fetch_entry {
	u64 page; /* linear page | cpl==3, or X86_TLB_EMPTY */
	u64 gpa;
	const u8 *host;
	bool global;
};

#define X86_NONGLOBAL_MAX 48u

struct x86_sys {
	u64 pdpte[4];
	u64 kvm_clock, kvm_wall; /* MSRs as written */
	u64 bios_sign, mcg_status, mcg_ctl, debugctl;
	u64 amd_hwcr, amd_de_cfg, amd_nb_cfg, amd_syscfg;
	u64 mc[2][4]; /* banks: CTL, STATUS, ADDR, MISC */
	u32 ext;      /* EXT bit of error codes while an event is delivered */
	u32 db_bits;  /* DR6 bits of data, I/O and task breakpoints of this instruction */
	bool dbg_hit; /* vcpu_debug wants an exit */
	u64 dbg_addr;
	unsigned nwatch; /* data breakpoints of DR7 and vcpu_debug together */
	u64 rmw_gpa;	 /* page given out by x86_rmw_ptr while flagged: notify, | 1 */
	/* NMIs not delivered yet: at most one beyond the one that is about to be. Any thread. */
	_Atomic u32 nmi_queued;
	bool no_bus;  /* MSR accesses on behalf of the host: the engine's own only */
	bool event;   /* an event was delivered inside this instruction: no single-step trap */
	bool stopped; /* the last run ended at the debugger's stop */

	_Atomic u64 protect_gen; /* x86_tlb_protect calls seen */
	u64 image_clock;
	u32 fills[X86_MMU_COUNT];
	/* Which entries of the supervisor tables are of non-global pages; > MAX: unknown. */
	unsigned nonglobal_n[X86_MMU_COUNT];
	u16 nonglobal[X86_MMU_COUNT][X86_NONGLOBAL_MAX];
	/* 2 MiB and 1 GiB pages seen in the TLB, as small filters: [user half, kernel half]. */
	u64 large_2m[2], large_1g[2];
	bool user_global; /* a global page is in the user table */
	/* Protection keys of entries made since the last full flush: [PKRS's, PKRU's]. */
	u16 keys[2];
	struct x86_fetch_entry fetch[X86_FETCH_CACHE];
	struct x86_image image[X86_IMAGES];
};

/* Copy and fill multiples of 8 bytes without touching vector registers. */
static inline void x86_copy(void *dst, const void *src, size_t bytes)
{
	bytes /= 8;
	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}
static inline void x86_fill(void *dst, u64 v, size_t bytes)
{
	bytes /= 8;
	__asm__ volatile("rep stosq" : "+D"(dst), "+c"(bytes) : "a"(v) : "memory");
}

/* ---- trace.c ---- */
void x86_trace_event(struct x86_vcpu *c, struct vcpu_trace_event ev);
/* Cheap unless somebody traces this kind of event. */
static inline void x86_trace(struct x86_vcpu *c, struct vcpu_trace_event ev)
{
	if (unlikely(c->vm->trace != NULL))
		x86_trace_event(c, ev);
}

/* ---- mode.c ---- */
static inline bool x86_long_mode(const struct x86_vcpu *c)
{
	return c->efer & EFER_LMA;
}
static inline bool x86_real_mode(const struct x86_vcpu *c)
{
	return !(c->cr0 & CR0_PE);
}
static inline bool x86_vm86(const struct x86_vcpu *c)
{
	return (c->rflags & RF_VM) && (c->cr0 & CR0_PE);
}
static inline bool x86_protected(const struct x86_vcpu *c)
{
	return (c->cr0 & CR0_PE) && !(c->rflags & RF_VM);
}
static inline unsigned x86_iopl(const struct x86_vcpu *c)
{
	return c->rflags >> 12 & 3;
}
static inline bool x86_canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}
/* The run loop must look before the next instruction. */
static inline void x86_look(struct x86_vcpu *c)
{
	atomic_fetch_or_explicit(&c->kick, X86_KICK_LOOK, memory_order_relaxed);
}
int x86_set_cr0(struct x86_vcpu *c, u64 v);
int x86_set_cr3(struct x86_vcpu *c, u64 v);
int x86_set_cr4(struct x86_vcpu *c, u64 v);
int x86_set_efer(struct x86_vcpu *c, u64 v);
/* CR4 bits the guest may set. */
u64 x86_cr4_allowed(const struct x86_vcpu *c);

/* ---- mmu_walk.c ---- */
struct x86_walk {
	u64 gpa;	/* of the very byte */
	unsigned shift; /* page size: 12, 21, 22, 30; 0 with paging off */
	bool write_ok;	/* a write in the same mmu mode would pass and D is set */
	bool global;
	u8 pkey;	  /* protection key, and whether PKRU or PKRS says what it allows; */
	bool keyed, pkru; /* keyed false: keys are off */
};
/*
 * Translate for an access; sets accessed and dirty bits, raises #PF. `mmu` says
 * user, supervisor under SMAP, or supervisor open.
 */
int x86_walk(struct x86_vcpu *c, u64 linear, enum x86_access a, enum x86_mmu mmu,
	     struct x86_walk *w);
/* Same tables without side effects, for debuggers: guest-physical or ~0. */
u64 x86_walk_probe(struct x86_vcpu *c, u64 linear);
/* Load the PDPTEs from CR3 (PAE paging). Raises #GP(0) on reserved bits. */
int x86_load_pdptes(struct x86_vcpu *c, u64 cr0, u64 cr3, u64 cr4);
static inline bool x86_pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* ---- mmu.c ---- */
void x86_tlb_init(struct x86_vcpu *c);
/* MOV to CR3 in effect: keep, save or drop translations. c->cr3 is still the old one. */
void x86_tlb_switch(struct x86_vcpu *c, u64 cr3, bool noflush);
void x86_tlb_flush_pcid(struct x86_vcpu *c, unsigned pcid);
void x86_tlb_flush_images(struct x86_vcpu *c);
struct gpa_slot;
/* Enter a finished walk that led to this slot. */
void x86_tlb_install(struct x86_vcpu *c, enum x86_mmu mmu, u64 linear, const struct x86_walk *w,
		     const struct gpa_slot *s);
int x86_access(struct x86_vcpu *c, u64 linear, void *buf, unsigned n, enum x86_access a,
	       enum x86_mmu mmu);
/* The mmu mode of explicit accesses at this CPL now, and of implicit supervisor ones. */
enum x86_mmu x86_mmu_of(const struct x86_vcpu *c, unsigned cpl);
enum x86_mmu x86_mmu_implicit(const struct x86_vcpu *c);
/* A write hit a page whose flags are not 0: gpa_map.page_written of this engine. */
void x86_page_written(void *vm, struct gpa_slot *s, u64 gpa);
void x86_tlb_note_large(struct x86_vcpu *c, u64 linear, unsigned shift);
/* Finish what x86_rmw_ptr started on a flagged page. */
void x86_rmw_finish(struct x86_vcpu *c);

/* ---- seg.c ---- */
struct x86_desc {
	u64 lo, hi; /* hi only of 16-byte system descriptors */
	u64 linear; /* where it is */
	u16 sel;
};
static inline int x86_sel_fault(struct x86_vcpu *c, enum x86_vector vec, u16 sel)
{
	return x86_raise_err(c, vec, (sel & 0xfffcu) | c->sys->ext);
}
/* Read the descriptor of a non-null selector; `vec`(sel) if it is outside its table. */
int x86_desc_read(struct x86_vcpu *c, u16 sel, enum x86_vector vec, struct x86_desc *d);
/* Upper half of a 16-byte descriptor. */
int x86_desc_read_hi(struct x86_vcpu *c, struct x86_desc *d, enum x86_vector vec);
int x86_desc_accessed(struct x86_vcpu *c, struct x86_desc *d);
void x86_desc_seg(const struct x86_desc *d, struct x86_seg *s);
static inline u32 desc_attr(const struct x86_desc *d)
{
	return (u32)(d->lo >> 40) & 0xf0ff;
}
static inline bool sel_null(u16 sel)
{
	return !(sel & 0xfffc);
}
int x86_load_seg(struct x86_vcpu *c, enum x86_segreg r, u16 sel);
/* Real and virtual-8086 mode form. */
void x86_load_seg_real(struct x86_vcpu *c, enum x86_segreg r, u16 sel);
/* SS for a given CPL: checks raise `vec` (#TS in stack switches, #GP in far returns). */
int x86_check_ss(struct x86_vcpu *c, u16 sel, unsigned cpl, enum x86_vector vec,
		 struct x86_desc *d);
/* Flat 64-bit style CS and SS of syscall and sysenter. */
void x86_set_flat_cs_ss(struct x86_vcpu *c, u16 cs, u16 ss, unsigned cpl, bool code64);
void x86_commit_cs(struct x86_vcpu *c, const struct x86_desc *d, u16 sel, unsigned cpl);
void x86_commit_ss(struct x86_vcpu *c, const struct x86_desc *d, u16 sel);
/* Make segments of ES DS FS GS unusable that the outer level may not keep. */
void x86_drop_inner_segs(struct x86_vcpu *c);
/* LDTR and TR. */
int x86_lldt(struct x86_vcpu *c, u16 sel);
int x86_ltr(struct x86_vcpu *c, u16 sel);
/* LAR, LSL, VERR, VERW: true = ZF. */
int x86_lar_lsl(struct x86_vcpu *c, u16 sel, bool lsl, u32 *out, bool *ok);
int x86_verr_verw(struct x86_vcpu *c, u16 sel, bool write, bool *ok);

/* ---- seg_far.c ---- */
int x86_far_jmp(struct x86_vcpu *c, u16 sel, u64 off, unsigned opsize, u64 next);
int x86_far_call(struct x86_vcpu *c, u16 sel, u64 off, unsigned opsize, u64 next);
int x86_far_ret(struct x86_vcpu *c, unsigned opsize, unsigned extra);
int x86_iret(struct x86_vcpu *c, unsigned opsize, u64 next);
/*
 * A stack being pushed to or popped from before anything is committed. `mask`
 * truncates offsets, base is the segment's.
 */
struct x86_stack {
	u64 sp, mask, base;
	u64 limit; /* ~0: no check */
	bool down; /* expand-down: limit is the bottom */
	bool big;
	bool long_mode; /* canonical instead of limits */
	u16 err;	/* selector part of #SS */
	enum x86_mmu mmu;
};
void x86_stack_current(struct x86_vcpu *c, struct x86_stack *s);
void x86_stack_of(struct x86_vcpu *c, const struct x86_seg *ss, u64 sp, unsigned cpl,
		  struct x86_stack *s);
int x86_stack_push(struct x86_vcpu *c, struct x86_stack *s, unsigned n, u64 v);
int x86_stack_pop(struct x86_vcpu *c, struct x86_stack *s, unsigned n, u64 *v);
/* RSP := s->sp under the stack's width. */
void x86_stack_commit(struct x86_vcpu *c, const struct x86_stack *s);

/* ---- seg_task.c ---- */
enum x86_task_why { TASK_JMP, TASK_CALL, TASK_IRET, TASK_EVENT };
int x86_task_switch(struct x86_vcpu *c, u16 sel, enum x86_task_why why, u64 next, bool has_err,
		    u32 err);
/* SSn:ESPn or RSPn / ISTn of the current TSS. */
int x86_tss_stack(struct x86_vcpu *c, unsigned cpl, u16 *ss, u32 *esp);
int x86_tss_rsp(struct x86_vcpu *c, unsigned slot, u64 *rsp); /* 0-2 RSP, 4-10 IST1-7: 8*slot+4 */

/* ---- exc.c ---- */
enum x86_event { EVENT_HW, EVENT_SOFT, EVENT_ICEBP };
int x86_event(struct x86_vcpu *c, u8 vector, enum x86_event kind, bool has_err, u32 err, u64 ret);

/* ---- sys.c and its parts ---- */
struct x86_insn;
u64 sys_ea(struct x86_vcpu *c, const struct x86_insn *in);
int sys_linear(struct x86_vcpu *c, const struct x86_insn *in, u64 add, unsigned n,
	       enum x86_access a, u64 *lin);
int sys_read_rm(struct x86_vcpu *c, const struct x86_insn *in, unsigned n, u64 *v);
int sys_write_rm(struct x86_vcpu *c, const struct x86_insn *in, unsigned n, u64 v);
u64 sys_reg(const struct x86_vcpu *c, const struct x86_insn *in); /* ModRM.reg with REX.R */
u64 sys_rm(const struct x86_vcpu *c, const struct x86_insn *in);
void sys_set_gpr(struct x86_vcpu *c, unsigned r, unsigned size, u64 v);
u64 sys_next(const struct x86_vcpu *c, const struct x86_insn *in);
/* rip := next and 0. */
int sys_done(struct x86_vcpu *c, const struct x86_insn *in);
static inline unsigned sys_regno(const struct x86_insn *in)
{
	return (in->modrm >> 3 & 7) | (in->rex & 4) << 1;
}
static inline unsigned sys_rmno(const struct x86_insn *in)
{
	return (in->modrm & 7) | (in->rex & 1) << 3;
}
static inline bool sys_is_mem(const struct x86_insn *in)
{
	return (in->modrm >> 6) != 3;
}
int sys_io(struct x86_vcpu *c, const struct x86_insn *in);
int sys_ins_outs(struct x86_vcpu *c, const struct x86_insn *in);
int sys_pushf(struct x86_vcpu *c, const struct x86_insn *in);
int sys_popf(struct x86_vcpu *c, const struct x86_insn *in);
int sys_cli_sti(struct x86_vcpu *c, const struct x86_insn *in, bool set);
int sys_int(struct x86_vcpu *c, const struct x86_insn *in, u8 vector);
int sys_table_group(struct x86_vcpu *c, const struct x86_insn *in); /* 0F 00 */
int sys_group7(struct x86_vcpu *c, const struct x86_insn *in);	    /* 0F 01 */
int sys_mov_cr(struct x86_vcpu *c, const struct x86_insn *in, bool to);
int sys_mov_dr(struct x86_vcpu *c, const struct x86_insn *in, bool to);
int sys_lmsw(struct x86_vcpu *c, const struct x86_insn *in);
int sys_invpcid(struct x86_vcpu *c, const struct x86_insn *in);
int sys_syscall(struct x86_vcpu *c, const struct x86_insn *in);
int sys_sysret(struct x86_vcpu *c, const struct x86_insn *in);
int sys_sysenter(struct x86_vcpu *c, const struct x86_insn *in);
int sys_sysexit(struct x86_vcpu *c, const struct x86_insn *in);
int sys_swapgs(struct x86_vcpu *c, const struct x86_insn *in);
int sys_mov_seg(struct x86_vcpu *c, const struct x86_insn *in, bool to);
int sys_push_seg(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg);
int sys_pop_seg(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg);
int sys_load_far_ptr(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg);
int sys_far(struct x86_vcpu *c, const struct x86_insn *in, bool call);
int sys_rdmsr(struct x86_vcpu *c, const struct x86_insn *in);
int sys_wrmsr(struct x86_vcpu *c, const struct x86_insn *in);
int sys_rdtsc(struct x86_vcpu *c, const struct x86_insn *in, bool p);
int sys_cpuid(struct x86_vcpu *c, const struct x86_insn *in);
int sys_xsetbv(struct x86_vcpu *c, const struct x86_insn *in);
int sys_xgetbv(struct x86_vcpu *c, const struct x86_insn *in);
int sys_lar_lsl(struct x86_vcpu *c, const struct x86_insn *in);
int sys_pkru(struct x86_vcpu *c, const struct x86_insn *in, bool write); /* rdpkru, wrpkru */
int sys_group9(struct x86_vcpu *c, const struct x86_insn *in);		 /* 0F C7: rdpid */
int sys_group15(struct x86_vcpu *c, const struct x86_insn *in);		 /* 0F AE system part */

/* ---- cpuid.c ---- */
struct x86_cpuid_leaf {
	u32 leaf, sub, out[4];
};
#define X86_HOST_LEAVES 64u
struct x86_host {
	bool amd;
	u32 max, xmax;
	unsigned n;
	struct x86_cpuid_leaf leaf[X86_HOST_LEAVES];
};
/* Build the guest's CPUID from this host's; fills vm->xcr0_host and xsave_size too. */
void x86_cpuid_init(struct x86_vm *vm, struct x86_host *h);
/* One bit of the guest's CPUID. */
bool x86_has(const struct x86_vcpu *c, u32 leaf, u32 sub, unsigned reg, unsigned bit);

/* ---- debug.c ---- */
/* #DB with these DR6 bits; always -1. */
int x86_raise_db(struct x86_vcpu *c, u64 dr6_bits);
/* Any breakpoint enabled: the interpreter must check each instruction. */
bool x86_debug_active(const struct x86_vcpu *c);
void x86_debug_update(struct x86_vcpu *c); /* after DR7 or vcpu_debug changed */
bool x86_debug_watched(const struct x86_vcpu *c, u64 page);
void x86_debug_access(struct x86_vcpu *c, u64 linear, unsigned n, enum x86_access a);
void x86_debug_io(struct x86_vcpu *c, u16 port, unsigned n);
/* Bits of the execution breakpoints at this linear address. */
u32 x86_debug_exec(const struct x86_vcpu *c, u64 linear);

/* ---- pv.c ---- */
void x86_pv_clock_update(struct x86_vcpu *c);
int x86_pv_wrmsr(struct x86_vcpu *c, u32 msr, u64 val); /* 1: not one of ours */
int x86_pv_rdmsr(struct x86_vcpu *c, u32 msr, u64 *val);

/* ---- sys_run.c: what it tells engine.c; the FPU is parked in all cases ---- */
enum x86_run {
	X86_RUN_KICK, /* X86_KICK_EXIT was consumed */
	X86_RUN_HALT, /* sleep until c->kick is not 0 */
	X86_RUN_SHUTDOWN,
	X86_RUN_DEBUG,
};
enum x86_run x86_run(struct x86_vcpu *c);
/* Which MSRs x86_state carries, and their number. */
unsigned x86_state_msrs(const u32 **list);

#endif
