/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run time of lifted code: what a guest ISA's engine sees of it. It finds, makes, chains and
 * drops translated units, looks after soft TLBs and code pages; it does not know the guest ISA.
 *
 * A guest ISA provides struct irrun_ops and puts a struct irrun_cpu into its vCPU structure at
 * ir_target.rt_off. One host thread runs a vCPU; functions with a cpu are called on that thread
 * unless they say otherwise.
 *
 * KEY: 31 bits of the guest's that say how code is to be read and which memory it sees (mode,
 * translation on, byte order, facilities enabled). A unit belongs to one key. Whoever changes
 * what the key stands for stores irrun_cpu.key and leaves the unit (a helper that sets `leave`, or
 * EXITRT). Keys are few: IRRUN_KEYS at a time are served well.
 *
 * MMU INDEX: which soft TLB an access uses, a function of the key (irrun_ops.mmu).
 */
#ifndef HULL_ENGINE_JIT_IRRUN_IRRUN_H
#define HULL_ENGINE_JIT_IRRUN_IRRUN_H

#include <stdatomic.h>

#include "engine/jit/ir/interp.h"

enum {
	IRRUN_MMUS = 4,	      /* soft TLBs of a vCPU */
	IRRUN_TLB = 512,      /* entries of one, a power of two */
	IRRUN_TLB_SHIFT = 16, /* an entry is found by the address's bits from here */
	IRRUN_TLB_GRANULE = 1 << IRRUN_TLB_SHIFT,
	IRRUN_JOINED = 1 << 24,	 /* bytes of an entry made of several, see join in mem.c */
	IRRUN_SLOTS = 64,	 /* see struct irrun_slot */
	IRRUN_WANDER = 64,	 /* misses of a slot that are looked at together */
	IRRUN_WANDERERS = 16384, /* bits, by guest pc: sites that look into the table first */
	IRRUN_KEYS = 16,	 /* banks of xtlb */
	IRRUN_XTLB = 256,	 /* entries of a bank */
	IRRUN_JC = 16384,	 /* jump cache: by pc bits 2..15 */
	IRRUN_FAR = 16384,	 /* what did not stay there, see struct irrun_far */
	IRRUN_KONSTS = 16,
	IRRUN_PAGE = 4096, /* granule of code pages; an access on one is on one page */
	IRRUN_BREAKS = 32,
};

/*
 * The contiguous range an access site went to last: guest - start < limit means inside (limit
 * leaves room for 16 bytes); host = guest + add. Empty: limit 0.
 */
struct irrun_slot {
	u64 start, limit, add;
	u32 left;  /* misses until IRRUN_WANDER of them have been counted */
	u32 since; /* low half of the host's time stamp then */
};

/*
 * In a table: the last range filled among those that share the entry, with ranges beside it that
 * were in the table then and are contiguous in host memory too. Empty: bytes 0.
 */
struct irrun_tlb_entry {
	u64 start, limit, add; /* as in a slot */
	u64 bytes;
};

/* Of indirect jumps whose jump cache entry another took: where a guest address is. */
struct irrun_far {
	u64 pc, to; /* empty: pc 1 */
};

/* First member: generated code compares key and kick as one number. */
struct irrun_cpu {
	u32 key;
	_Atomic u32 kick; /* not 0: leave generated code soon; any thread may set bits */
	u32 leave;	  /* set by helpers with IR_CALL_RAISES: the unit is left after them */
	u32 reason;	  /* of EXITRT */
	u32 site;	  /* of a call-out */
	u32 mmu_used;	  /* bit n: soft TLB n is perhaps not empty */
	u64 host_sp;
	u64 to;	    /* where generated code goes on; scratch of the seam */
	void *self; /* the guest's vCPU structure */
	struct irrun *run;
	u64 flat_base;
	u32 mxcsr,
		host_mxcsr; /* the guest's rounding and sticky flags, in the form of x86's MXCSR */
	u64 save[18];	    /* host registers and operands at a call-out */
	struct ir_v128 vsave[17];
	struct ir_v128 konst[IRRUN_KONSTS];		    /* constants of generated code */
	struct irrun_slot slot[IRRUN_MMUS][2][IRRUN_SLOTS]; /* [mmu][write] */
	struct irrun_tlb_entry tlb[IRRUN_MMUS][2][IRRUN_TLB];
	u32 xtlb[IRRUN_KEYS][IRRUN_XTLB];
	/* Entries that were filled since they were last all looked at for a flush; beyond the
	 * table's length: more of them than it can tell. */
	struct {
		u32 n;
		u16 at[IRRUN_TLB];
	} tlb_used[IRRUN_MMUS][2];
	u32 xtlb_nused;
	u16 xtlb_used[IRRUN_KEYS * IRRUN_XTLB];
	u64 jc[IRRUN_JC]; /* host address by guest pc, checked by the code there */
	struct irrun_far far[IRRUN_FAR];
	struct irrun_map *map[IRRUN_KEYS][IRRUN_XTLB];
	_Atomic u32 inside;
	union ir_cell *cell; /* of the interpreter */
};

/* What irrun_ops.fill found. */
struct irrun_fill {
	u8 *host;  /* of the address asked for; NULL: not memory, use irrun_ops.access */
	u64 start; /* the contiguous stretch around it that is valid the same way: guest address..
		    */
	u64 bytes; /* ..and length; at least the page of IRRUN_PAGE it is on */
};

struct irrun_ops {
	const struct ir_target *target;
	bool flat; /* guest addresses are host addresses - flat_base, never checked; no fill
		    */
	/*
	 * Lift the code at pc: at most `bytes` bytes are left on its page, at `code`. Must end the
	 * unit properly whatever the bytes are; must lift at least one instruction. Under the lock:
	 * looks at nothing but its arguments and constant things. (flat: pc's page may be unmapped
	 * only if fetch says so.)
	 */
	void (*lift)(struct ir_unit *u, const u8 *code, u32 bytes, u64 pc, u32 key);
	/* The byte at pc for fetching: 0; *host NULL: no RAM; < 0: a fault was raised. NULL in a
	 * flat guest: everything can be fetched. */
	int (*fetch)(void *cpu, u64 pc, u64 *gpa, const u8 **host);
	/* Translate for an access of size bytes on one page: 0, or < 0: raised. Under the lock:
	 * must not call what takes it (irrun_page_written); a code page has host NULL for writing.
	 */
	int (*fill)(void *cpu, u64 addr, u32 size, bool write, struct irrun_fill *out);
	/* Any access: devices, code pages, page crossing. Data are bytes in guest order. 0, or < 0:
	 * raised. pc_off of the state is right. */
	int (*access)(void *cpu, u64 addr, u32 size, bool write, void *data);
	/* EXITRT, or a unit that cannot be had (IRRUN_NO_CODE). 0: go on, else irrun_run returns
	 * it. */
	int (*exit)(void *cpu, u32 reason);
	/* As ir_env.cas; atomic. */
	int (*cas)(void *cpu, u64 addr, u32 size, const void *old, const void *new);
	unsigned (*mmu)(u32 key);
	u32 no_break; /* code of a key with one of these bits has no breakpoints */
	/* Mark the page as holding code: stores to it must not be filled for writing any more, in
	 * any vCPU, until irrun_page_written. Under the lock. */
	void (*protect)(void *vm, u64 gpa);
};
/* Reasons of the run time's own for ops.exit. */
enum {
	IRRUN_LEFT = 0x7ffffffc,    /* a helper set leave, or fill, access, cas or fetch said < 0 */
	IRRUN_NO_CODE = 0x7ffffff0, /* pc is not in RAM and no fault was raised */
	IRRUN_BAD_UNIT = 0x7ffffffd, /* what was lifted at pc is no valid unit */
	IRRUN_BREAK = 0x7ffffffe,    /* pc is a breakpoint */
};
enum { IRRUN_KICK_FLUSH = 1U << 31 }; /* in irrun_cpu.kick, the run time's own */

struct irrun_config {
	const struct irrun_ops *ops;
	void *vm;
	u64 cache_bytes; /* 0: default */
	bool one_cpu;	 /* there is never more than one vCPU */
	u64 flat_base;	 /* flat guests: host = guest + it; 0 is fastest */
	bool interpret;	 /* no generated code: the IR interpreter */
	/* IRRUN_WANDER misses within so many ticks of the host's time stamp are many; 0: default.
	 */
	u32 wander_ticks;
};

/* Once per VM. 0 or -errno. */
int irrun_create(struct irrun **out, const struct irrun_config *cfg);
void irrun_destroy(struct irrun *r);
/* cpu: the guest's vCPU structure. Before it runs; not while another is added. */
int irrun_cpu_add(struct irrun *r, void *cpu);
void irrun_cpu_remove(struct irrun *r, void *cpu);

/*
 * Run until kick is set (0 is returned, kick is the caller's to clear) or ops.exit says so.
 * State is in memory before and after.
 */
int irrun_run(struct irrun_cpu *c);

/*
 * ops.exit is called with IRRUN_BREAK before the instruction at one of the n guest addresses runs
 * (at most IRRUN_BREAKS). While no vCPU runs.
 */
void irrun_breaks(struct irrun *r, const u64 *pc, u32 n);

/* A signal handler jumped out of irrun_run, from a helper or from ops.lift no less. */
void irrun_abandon(struct irrun_cpu *c);

/* The guest changed translations: forget all, or what lies in [addr, addr + bytes). */
void irrun_tlb_flush(struct irrun_cpu *c);
void irrun_tlb_flush_range(struct irrun_cpu *c, u64 addr, u64 bytes);
/* Any thread: RAM at gpa (one page) is about to be or was written; its translations go. */
void irrun_page_written(struct irrun *r, u64 gpa);
/* Any thread, under the lock: no write permission for this host page in a vCPU's soft TLBs. */
void irrun_tlb_protect(struct irrun_cpu *c, const u8 *host);

/*
 * For a signal handler on the vCPU's thread: is host_pc generated code? Then the guest's pc of that
 * instruction. irrun_signal_state brings the state in memory up to it (pc too), given the host's
 * registers in the order of their numbers (rax rcx rdx rbx rsp rbp rsi rdi r8..); after that the
 * handler may continue at irrun_leave_at: irrun_run looks at the state anew.
 */
bool irrun_fault_pc(const struct irrun *r, u64 host_pc, u64 *pc);
void irrun_signal_state(struct irrun_cpu *c, u64 pc, const u64 *regs);
void irrun_leave_at(const struct irrun_cpu *c, u64 *host_pc, u64 *host_sp);

#endif
