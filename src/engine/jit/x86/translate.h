/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The translator's inside: translate.c reads guest code and decides what each
 * instruction is, translate_mem.c writes memory accesses, translate_emit.c and
 * translate_flow.c the instructions, translate_unit.c what is around them. Works
 * under the lock of struct jit, one unit at a time.
 *
 * Every guest register but r14 and r15 is in the host register of its name,
 * those two are in memory and generated code uses the host's as scratch (S1,
 * S2). The guest's status flags and DF are the host's. At the first byte of
 * each guest instruction's code this holds exactly, so an instruction can be
 * left to C and the unit re-entered at the next one.
 *
 * Flags that are dead (set again before anything reads them) may hold garbage
 * at an instruction that faults; see docs/decisions/jit-translator.md.
 */
#ifndef HULL_ENGINE_JIT_X86_TRANSLATE_H
#define HULL_ENGINE_JIT_X86_TRANSLATE_H

#include "engine/jit/rt/jit.h"

enum xl_kind {
	XL_COPY, /* as itself; no memory */
	XL_MEM,	 /* as itself on a checked host pointer */
	XL_LEA,
	XL_INCDEC, /* 40..4f of 32-bit code */
	XL_SKIP,   /* no effect: nop, prefetch */
	XL_EXEC,   /* by the interpreter */
	XL_PUSH_REG,
	XL_PUSH_IMM,
	XL_PUSH_MEM,
	XL_POP,
	XL_LEAVE,
	XL_JMP,
	XL_JCC,
	XL_LOOP,
	XL_CALL,
	XL_RET,
	XL_JMP_IND,
	XL_CALL_IND,
	XL_SYS,	 /* translate_sys.c */
	XL_MODE, /* the same; what follows runs with another mode key */
};

/* See translate_group.c. Offsets are from the base register's value at the leader. */
struct xl_group {
	s32 min, max;
	u8 base;
	bool write;
	u16 count, leader;
	bool window; /* its accesses go by one: no host pointer is kept */
};

struct xl_ref {
	u8 group; /* 0 = none */
	s32 offset;
};

struct xl_insn {
	struct x86_insn in;
	u64 rip, to;	       /* to: target of a direct branch */
	u32 live_in, live_out; /* status flags */
	struct xl_ref ref[2];  /* groups of the operand and of the stack access */
	u32 off;	       /* where its code starts */
	s16 target;	       /* index of the instruction at `to`, or -1 */
	u8 kind;
	bool label;		  /* some branch of the unit comes here */
	bool save_flags;	  /* before it, for an indirect jump ahead */
	struct jit_recipe recipe; /* size not 0: flags an indirect jump ahead takes along */
	bool unsure;		  /* call: it may never return, see xl_check_calls */
	bool ends;		  /* control never goes on to the next one */
};

/* An effective address, before segmentation. */
struct xl_ea {
	u8 base, index, scale, adsize; /* base may be X86_REG_RIP: disp is then the address */
	u8 seg;			       /* X86_FS, X86_GS, or anything else for base 0 */
	s64 disp;
};

/* Accesses of a unit that are likely to go to one page: they share a slot. */
struct xl_slot {
	u64 key;
	u32 number;
};

struct xl_fix {
	u32 at; /* rel32 to an instruction not emitted yet */
	s16 insn;
};

struct xl {
	struct jit *j;
	struct x86_vcpu *c;
	struct jit_map *map, *next; /* next: of the page after, if the last instruction crosses */
	struct jit_unit *u;
	struct emit *e, *cold;
	bool m64;
	u8 mmu;
	bool plain;
	u8 s1_group; /* group whose pointer is in S1 now */
	unsigned n, nfix, ngroups, nslots;
	u8 version[16]; /* of each register: counts its values in this unit */
	struct xl_slot slot[32];
	struct xl_group group[64];
	struct xl_insn insn[JIT_MAX_INSN];
	struct xl_fix fix[2 * JIT_MAX_INSN];
};

enum { RAX = X86_RAX, RCX = X86_RCX, RSP = X86_RSP, RBP = X86_RBP, RSI = X86_RSI };
enum { S1 = JIT_S1, S2 = JIT_S2 };

static inline bool xl_victim(unsigned reg)
{
	return reg == S1 || reg == S2;
}

/* translate.c */
/* Victims among the explicit register operands, and in the address; bit n = gpr n. */
u32 xl_victims(const struct x86_insn *in);
u32 xl_victims_of_address(const struct x86_insn *in);
bool xl_has_high(const struct x86_insn *in);
/* A SYSTEM instruction that never comes to the next one by itself. */
bool xl_system_ends(const struct x86_insn *in);
u32 xl_flags_killed(const struct x86_insn *in);

/* translate_flags.c */
/* Fill in live_in and live_out, and the recipes of indirect jumps. */
void xl_liveness(struct xl *x);
/* General registers written, the implicit ones too. */
u32 xl_gpr_written(const struct x86_insn *in);
/*
 * A caller whose return point looks at flags makes every `ret` of 64-bit user code keep them
 * (others always do): true if there is one and that is news. What follows a call that never returns
 * is no return point: where a branch comes there too, it is left to jit_on_link to ask, when the
 * call is first made.
 */
bool xl_check_calls(struct xl *x);
/* The map of another page, if this vCPU has run code there lately. */
struct jit_map *xl_map_of(const struct xl *x, u64 rip);

/* translate_mem.c */
/* Save status flags in rax (whose value goes to temp[1]), and back; neither touches S1, S2. */
void xl_flags_save(struct emit *e);
void xl_flags_restore(struct emit *e);
/* Save status flags in jit_cpu.flags (JIT_RECIPE_SAVED); clobbers S1. */
void xl_flags_put_aside(struct emit *e);
/* The instruction's memory operand. */
struct xl_ea xl_ea_of(const struct x86_insn *in);
/*
 * Check an access of n bytes at ea; returns the operand to make it with, which uses
 * dst (S1 or S2) and the address's own registers. The other scratch register is
 * clobbered. Faults and whatever has no host address are dealt with out of line.
 */
struct emit_mem xl_access(struct xl *x, unsigned i, const struct xl_ea *ea, unsigned n,
			  enum x86_access a, unsigned dst);
/*
 * The same for access `which` (0 operand, 1 stack), at [base + disp], of instruction i
 * when it is in a group.
 */
struct emit_mem xl_group_access(struct xl *x, unsigned i, unsigned which, s64 disp, unsigned dst);
bool xl_grouped(const struct xl *x, unsigned i, unsigned which);

/* translate_slot.c */
/* Give the site of an access to ea its slot. */
void xl_slot(struct xl *x, const struct xl_ea *ea, struct jit_site *s);
/* Instruction i has been emitted: what it wrote points elsewhere from here on. */
void xl_slot_step(struct xl *x, const struct xl_insn *t);
/* Is the access to ea by the instruction at rip best looked up in the soft TLB at once? */
bool xl_by_lookup(const struct xl *x, const struct xl_ea *ea, u64 rip);
/* Which window the site's access to ea goes by; if a wide slot is needed it is given to the site.
 */
enum jit_window_kind xl_window(struct xl *x, const struct xl_ea *ea, struct jit_site *s);
/* gs offset of the soft TLB's table for an access. */
u32 xl_tlb_offset(unsigned mmu, enum x86_access a);
/*
 * From the address in s->dst to what s->form says, by the soft TLB. Returns the
 * position of the rel32 of its jump out of line.
 */
u32 xl_lookup(struct emit *e, const struct jit_site *s, const struct jit *j, unsigned mmu);

/* translate_group.c */
/* add, sub reg, imm; inc, dec; lea reg, [reg + disp]: how far the register moves. */
bool xl_constant_move(const struct x86_insn *in, s64 *by);
/* Find groups of accesses that need one check. After liveness. */
void xl_groups(struct xl *x);

/* translate_sys.c */
/* XL_SYS or XL_MODE for a SYSTEM instruction that can be had in line, else XL_EXEC. */
enum xl_kind xl_sys_kind(const struct xl *x, const struct x86_insn *in);
void xl_emit_sys(struct xl *x, unsigned i);
void xl_emit_mode(struct xl *x, unsigned i);

/* translate_emit.c: instruction i, or t, as itself */
void xl_emit_copy(struct xl *x, const struct xl_insn *t);
void xl_emit_incdec(struct xl *x, const struct xl_insn *t);
void xl_emit_mem(struct xl *x, unsigned i);
void xl_emit_lea_insn(struct xl *x, const struct xl_insn *t);
/* By the interpreter. */
void xl_emit_exec(struct xl *x, unsigned i);
/* RIP-relative: the address itself. */
void xl_ea_settle(struct xl_ea *ea, const struct xl_insn *t);

/* translate_flow.c */
void xl_emit_push_reg(struct xl *x, unsigned i);
void xl_emit_push_mem(struct xl *x, unsigned i);
void xl_emit_pop(struct xl *x, unsigned i);
void xl_emit_leave(struct xl *x, unsigned i);
/* The place below rsp, for instruction i to write to; uses S1. */
struct emit_mem xl_push_access(struct xl *x, unsigned i);
void xl_push_imm(struct xl *x, const struct emit_mem *m, u64 v);
enum { CC_JMP = 16 };
/* A branch to code outside the unit: cc, or CC_JMP for always. Linked when first taken. */
void xl_link(struct xl *x, unsigned cc, u64 to, bool plain);
/* Unconditionally to t->to. */
void xl_emit_goto(struct xl *x, const struct xl_insn *t);
void xl_emit_jcc(struct xl *x, const struct xl_insn *t);
void xl_emit_loop(struct xl *x, const struct xl_insn *t);
void xl_emit_ret(struct xl *x, unsigned i);
void xl_emit_jmp_ind(struct xl *x, unsigned i);
void xl_emit_call_ind(struct xl *x, unsigned i);
bool xl_backward(const struct xl_insn *t);

/* translate_unit.c */
void xl_emit_unit(struct xl *x);

#endif
