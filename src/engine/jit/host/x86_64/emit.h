/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 machine code, written byte by byte into a buffer: the few forms the
 * translator inserts around guest instructions. Pure encoders: they know no
 * guest and no vCPU; they never look at what they wrote.
 *
 * Running out of room is sticky: `full` is set, nothing more is written, and
 * the caller checks once at the end. Encodings: Intel SDM vol. 2, chapter 2.
 */
#ifndef HULL_ENGINE_JIT_HOST_X86_64_EMIT_H
#define HULL_ENGINE_JIT_HOST_X86_64_EMIT_H

#include "base/types.h"

struct emit {
	u8 *base; /* writable address of offset 0 of the code area */
	u32 pos;  /* next byte's offset in the code area */
	u32 end;
	bool full;
};

/* A memory operand. base/index are register numbers or EMIT_NONE; gs: absolute if no base. */
struct emit_mem {
	u8 base, index, scale;
	bool gs;
	s32 disp;
};
enum { EMIT_NONE = 0xff };

/* Condition codes as in Jcc/SETcc opcodes. */
enum emit_cc {
	CC_O,
	CC_NO,
	CC_B,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_S,
	CC_NS,
	CC_P,
	CC_NP,
	CC_L,
	CC_GE,
	CC_LE,
	CC_G
};

/* Opcodes of the two-operand forms used here (0x0fxx = two-byte map). */
enum emit_op {
	OP_ADD_RM = 0x03,
	OP_OR_RM = 0x0b,
	OP_ADC_RM = 0x13,
	OP_AND_RM = 0x23,
	OP_SUB_RM = 0x2b,
	OP_XOR_RM = 0x33,
	OP_CMP_RM = 0x3b,
	OP_XCHG = 0x87,
	OP_MOV_MR = 0x89,
	OP_MOV_RM = 0x8b,
	OP_MOV_MR8 = 0x88,
	OP_LEA = 0x8d,
	OP_MOVZX16 = 0x0fb7,
	OP_MOVSXD = 0x63,
	OP_TEST = 0x85,
};

void emit_u8(struct emit *e, u8 v);
void emit_u32(struct emit *e, u32 v);
void emit_u64(struct emit *e, u64 v);
void emit_bytes(struct emit *e, const u8 *p, unsigned n);
/* Pad with long NOPs so that (pos + ahead) is a multiple of align (a power of two, <= 64). */
void emit_align(struct emit *e, unsigned align, unsigned ahead);

/* ModRM, SIB and displacement for a register field and a memory operand. */
/* The first always with a 32-bit displacement. */
void emit_modrm_disp32(struct emit *e, unsigned reg, const struct emit_mem *m);
void emit_modrm_mem(struct emit *e, unsigned reg, const struct emit_mem *m);
/* op reg, mem (or mem, reg): w = 64-bit. */
void emit_rm(struct emit *e, unsigned op, bool w, unsigned reg, const struct emit_mem *m);
/* op reg, rm register. */
void emit_rr(struct emit *e, unsigned op, bool w, unsigned reg, unsigned rm);
/* The same with gs:[off]. */
void emit_gs(struct emit *e, unsigned op, bool w, unsigned reg, u32 off);
/* Group 1 (/n add or adc sbb and sub xor cmp) with an immediate. */
void emit_grp1_ri(struct emit *e, unsigned n, bool w, unsigned reg, s32 imm);
void emit_grp1_gsi(struct emit *e, unsigned n, bool w, u32 off, s32 imm);
void emit_grp1_gsi8(struct emit *e, unsigned n, u32 off, s8 imm);
/* mov reg, imm in the shortest form; never touches flags. */
void emit_mov_ri(struct emit *e, unsigned reg, u64 imm);
void emit_mov_rr(struct emit *e, unsigned dst, unsigned src);
/* mov dword/qword [m], imm32 (sign-extended when w). */
void emit_mov_mi(struct emit *e, bool w, const struct emit_mem *m, s32 imm);
void emit_lea(struct emit *e, bool w, unsigned reg, const struct emit_mem *m);
/* rorx reg32, src, n (BMI2, no flags) */
void emit_rorx32(struct emit *e, unsigned reg, unsigned src, unsigned n);
/* shift group C1 /n: 4 shl, 5 shr */
void emit_shift_ri(struct emit *e, unsigned n, bool w, unsigned reg, u8 count);

/* Branches; `to` is an offset in the code area. They return the position of the rel32. */
u32 emit_jmp(struct emit *e, u32 to);
u32 emit_jcc(struct emit *e, enum emit_cc cc, u32 to);
/* The same with the rel32 placed so that it can be replaced atomically. */
u32 emit_jmp_patchable(struct emit *e, u32 to);
u32 emit_jcc_patchable(struct emit *e, enum emit_cc cc, u32 to);
/* jmp gs:[index*8 + off]; index EMIT_NONE for none */
void emit_jmp_gs(struct emit *e, unsigned index, u32 off);
/* Point the rel32 at `at` to `to`; one aligned store when it was emitted patchable. */
void emit_patch(u8 *base, u32 at, u32 to);

static inline struct emit_mem emit_at(unsigned base, s32 disp)
{
	return (struct emit_mem){(u8)base, EMIT_NONE, 1, false, disp};
}

#endif
