/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lifted units to x86-64 machine code. Private to the ir_*.c files here. Wants what x86-64-v3
 * hosts have (AVX2, FMA, BMI1/2, MOVBE, LZCNT); other hosts interpret.
 *
 * Registers: rbp is the guest's vCPU structure + XE_BIAS, rsp the host's stack with a frame for
 * spilled values; rax rcx rdx rsi and all xmm hold values of the unit; the others hold the guest
 * registers that ir_target.pin names, in every unit, from link to link.
 *
 * One pass over the operations. A value is where its `loc` says; reading guest state and
 * comparing is put off until somebody needs the result, so that it can become a memory operand or
 * a condition.
 */
#ifndef HULL_ENGINE_JIT_HOST_X86_64_IR_X86_H
#define HULL_ENGINE_JIT_HOST_X86_64_IR_X86_H

#include "engine/jit/irrun/private.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum {
	XE_BIAS = 128,
	XE_SLOTS = 128, /* spilled values */
	XE_FRAME = 16 * XE_SLOTS + 8,
	XE_STUBS = 1024,
	XE_RIP = 0xfd, /* emit_mem.base: disp is an offset in the code area */
};
#define XE_TEMPS (1u << RAX | 1u << RCX | 1u << RDX | 1u << RSI)
#define XE_VALID 0xffffu /* xmm registers */

enum xe_loc {
	XE_NOWHERE,
	XE_GPR,
	XE_XMM,
	XE_SPILL,
	XE_CONST,
	XE_POOL,
	XE_STATE, /* still in the guest's state, op.imm */
	XE_CMP,	  /* SET not made yet */
	XE_SUM,	  /* ADD not made yet, part of an address */
	XE_DONE,  /* of a PUT: made together with another */
};

struct xe_val {
	u8 loc, reg;
	u16 slot;
	u16 last; /* operation that uses it last */
	s8 hint;  /* host register of the pinned register it is put to, -1 = none */
	bool odd; /* has a user that wants it in a register */
};

/* Code out of line, written at the end. */
struct xe_stub {
	u8 kind; /* enum xe_stub_kind */
	u8 reg, addr, index;
	u8 type;
	u32 from; /* rel32 to patch, 0 = none */
	u32 back; /* where to go on */
	u32 site;
	u32 value; /* host register of the value to store, or an immediate */
	s64 disp;
	u64 pc;
	u8 value_loc;
	u8 other; /* CAS: host register of the new value; value is the old one's */
	u8 op;
	u8 size;
	u8 free_temps; /* MEM: registers with nothing in them */
	u32 hit;       /* MEM: the slot's addend is in reg from here on */
	u32 slot, tlb; /* MEM: offsets in struct irrun_cpu */
};
enum xe_stub_kind { XE_STUB_LINK, XE_STUB_PC, XE_STUB_MEM, XE_STUB_FIX };

struct xe {
	struct irrun *r;
	struct irrun_unit *u;
	struct ir_unit *ir;
	struct emit *e;
	u32 i;	   /* operation being written */
	u64 pc;	   /* guest pc of the instruction */
	u32 used;  /* general registers with values, anonymous ones too */
	u32 vused; /* xmm registers */
	u32 locked, vlocked;
	u32 anon, vanon; /* to be freed after the operation */
	u16 owner[16], vowner[16];
	u16 live[IR_MAX_OPS];
	u32 nlive;
	u64 slots[XE_SLOTS / 64];
	ir_val flags_a, flags_b; /* the host's flags are those of cmp a, b */
	u8 flags_size;
	bool flags_valid;
	/* They are those of the operation that made this value (0 = none): of its sign too, with no
	 * carry and no overflow, or only whether it is 0. */
	ir_val flags_of;
	bool flags_sign;
	u16 pin_of[64]; /* host register + 1 by offset / 8 */
	struct xe_val v[IR_MAX_OPS];
	u32 label[IR_MAX_LABELS]; /* code offset, 0 = not yet */
	bool label_back[IR_MAX_LABELS];
	struct {
		u32 at, label;
	} fix[IR_MAX_OPS];
	u32 nfix;
	struct xe_stub stub[XE_STUBS];
	u32 nstubs;
	u32 pool_at[IR_MAX_POOL];
	bool failed;
};

enum {
	XE_K_0F,
	XE_K_SWAP2,
	XE_K_SWAP4,
	XE_K_SWAP8,
	XE_K_SWAP16,
	XE_K_SIGN4,
	XE_K_SIGN8,
	XE_K_ABS4,
	XE_K_ABS8,
	XE_K_31,
	XE_K_63,
	XE_K_MIN4,
	XE_K_MIN8,
	XE_K_ORDER, /* bytes less, greater, equal: 1 in the first, in the third */
	XE_K_COUNT
};

/* ---- operands ---- */
static inline struct emit_mem xe_state(u32 off)
{
	return emit_at(RBP, (s32)off - XE_BIAS);
}

static inline struct emit_mem xe_rt(const struct xe *x, size_t off)
{
	return xe_state((u32)(x->r->target->rt_off + off));
}
#define XE_RT(x, field) xe_rt(x, offsetof(struct irrun_cpu, field))

static inline struct emit_mem xe_slot(unsigned slot)
{
	return emit_at(RSP, (s32)(16 * slot));
}

static inline const struct ir_op *xe_op(const struct xe *x, ir_val v)
{
	return &x->ir->op[v];
}

static inline bool xe_is_const(const struct xe *x, ir_val v)
{
	return x->ir->op[v].op == IR_CONST;
}

static inline u64 xe_const(const struct xe *x, ir_val v)
{
	return x->ir->op[v].imm;
}

static inline bool fits_s32(u64 v)
{
	return (s64)v == (s32)v;
}

/* ---- ir_vex.c: encoders beyond emit.h ---- */
enum { PP_NONE, PP_66, PP_F3, PP_F2 };
enum { MAP_0F = 1, MAP_0F38, MAP_0F3A };
struct vex {
	u8 pp, map, op;
	bool w;
};
/* rm: register, or the memory operand m if it is not NULL; tail: bytes of immediate that follow */
void vex_emit(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm,
	      const struct emit_mem *m, unsigned tail);
void vex_rr(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm);
void vex_rri(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm, u8 imm);
void vex_rm(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, const struct emit_mem *m);
/* A legacy two-byte (0f) or one-byte opcode with a mandatory prefix (0 = none). */
void x86_rr(struct emit *e, unsigned prefix, unsigned op, bool w, unsigned reg, unsigned rm);
void x86_rm(struct emit *e, unsigned prefix, unsigned op, bool w, unsigned reg,
	    const struct emit_mem *m);
void x86_rm38(struct emit *e, unsigned prefix, u8 op, bool w, unsigned reg,
	      const struct emit_mem *m);
void x86_setcc(struct emit *e, enum emit_cc cc, unsigned reg);
void x86_setcc_mem(struct emit *e, enum emit_cc cc, const struct emit_mem *m);
/* An 8-bit store or compare: any register. */
void x86_rm8(struct emit *e, u8 op, unsigned reg, const struct emit_mem *m);
void x86_cmpxchg8(struct emit *e, unsigned reg, const struct emit_mem *m);
void x86_grp1_mi(struct emit *e, unsigned n, unsigned size, const struct emit_mem *m, s32 imm);
void x86_grp3(struct emit *e, unsigned n, bool w, unsigned reg);
void x86_push(struct emit *e, unsigned reg);
void x86_pop(struct emit *e, unsigned reg);
u32 x86_call(struct emit *e, u32 to);
void x86_bswap(struct emit *e, bool w, unsigned reg);

/* ---- ir_regs.c: where values are ---- */
void xe_prepare(struct xe *x);
unsigned xe_gpr_temp(struct xe *x); /* for the rest of the operation */
unsigned xe_xmm_temp(struct xe *x);
unsigned xe_use(struct xe *x, ir_val v); /* in a general register, not to be changed */
unsigned xe_use_xmm(struct xe *x, ir_val v);
/* As a memory operand of size bytes if it is in memory now: true. */
bool xe_in_memory(struct xe *x, ir_val v, unsigned size, struct emit_mem *m);
unsigned xe_def(struct xe *x);			   /* the register for the result of operation i */
unsigned xe_def_apart(struct xe *x);		   /* the same, none of the operands' */
unsigned xe_def_taken(struct xe *x, unsigned reg); /* the result is in reg, which was taken */
unsigned xe_def_xmm(struct xe *x);
bool xe_put_off(const struct xe *x, u32 i); /* a SET or ADD that is made when it is wanted */
void xe_at_gpr(struct xe *x, ir_val v, unsigned reg);
void xe_free_pin(struct xe *x, unsigned reg, ir_val but);
void xe_evacuate(struct xe *x, unsigned reg);
void xe_spill_all(struct xe *x, bool pins);
void xe_state_changes(struct xe *x, u32 off, u32 bytes);
void xe_end_op(struct xe *x);
void xe_live(struct xe *x, ir_val v);
void xe_load_const(struct xe *x, unsigned reg, u64 v);
unsigned xe_pin(const struct xe *x, u32 off); /* host register + 1, 0 = none */
/* The register holds the value now, whatever its loc; used to give it away. */
void xe_flags_gone(struct xe *x);
void xe_load_to(struct xe *x, unsigned reg, ir_val v); /* copy of v in reg; flags stay */
void xe_state_load(struct xe *x, unsigned reg, const struct ir_op *get);

/* ---- ir_int.c ---- */
bool xe_int(struct xe *x, const struct ir_op *op);
/* Is v a constant that an instruction of op's size can hold? */
bool xe_imm(struct xe *x, const struct ir_op *op, ir_val v, s32 *imm);
void xe_take(struct xe *x, unsigned reg); /* free for this operation */
/* ---- ir_cond.c ---- */
bool xe_cond(struct xe *x, const struct ir_op *op);
/* A PUT of a comparison's three results in a row, all done here: true. */
bool xe_put_order(struct xe *x, const struct ir_op *op);
/* Flags for the SET s (or for v != 0); the host's condition. */
enum emit_cc xe_condition(struct xe *x, ir_val v);
enum emit_cc xe_condition_only(struct xe *x, ir_val v);
void xe_set_make(struct xe *x, ir_val v, unsigned reg);
/* ---- ir_mem.c ---- */
bool xe_mem(struct xe *x, const struct ir_op *op);
/* ---- ir_fp.c, ir_vec.c ---- */
bool xe_fp(struct xe *x, const struct ir_op *op);
bool xe_vec(struct xe *x, const struct ir_op *op);
/* ---- ir_flow.c ---- */
bool xe_flow(struct xe *x, const struct ir_op *op);
struct xe_stub *xe_stub(struct xe *x, enum xe_stub_kind kind);
void xe_stubs(struct xe *x);
struct irrun_site *xe_site(struct xe *x, u32 *index);
void xe_entries(struct xe *x);

#endif
