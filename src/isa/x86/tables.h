/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the generated tables and the decoder share; private to isa/x86. The
 * tables are made by gen_tables.py from insns.txt at build time.
 */
#ifndef HULL_ISA_X86_TABLES_H
#define HULL_ISA_X86_TABLES_H

#include "isa/x86/insn.h"
#include "isa/x86/ops.h"

/* Segment registers as ModRM.reg encodes them (core's enum x86_segreg, which isa must not know). */
enum { X86_SEG_CS = 1, X86_SEG_SS, X86_SEG_DS, X86_SEG_FS, X86_SEG_GS };

/* Operand sizes: 0..64 are bytes, the rest depend on the instruction. */
enum x86_size {
	X86_SZ_V = 128, /* effective operand size */
	X86_SZ_Z,	/* the same, at most 4 */
	X86_SZ_Y,	/* 8 with W in 64-bit mode, else 4 */
	X86_SZ_F,	/* 8 in 64-bit mode, else 4 */
	X86_SZ_P,	/* far pointer in memory: offset and selector */
	X86_SZ_S,	/* descriptor table register image */
	X86_SZ_A,	/* pair of bounds */
	X86_SZ_ENV,	/* fnstenv image */
	X86_SZ_SAVE,	/* fnsave image */
	X86_SZ_V2,	/* two of the operand size */
	X86_SZ_V8,	/* eight of the operand size */
	X86_SZ_N,	/* address-sized register */
	X86_SZ_X,	/* whole vector */
	X86_SZ_H,	/* half of it */
	X86_SZ_Q,	/* a quarter */
	X86_SZ_E,	/* an eighth */
};

/* Where an operand comes from. */
enum x86_src {
	X86_SRC_E,     /* ModRM.rm: general register or memory */
	X86_SRC_G,     /* ModRM.reg: general register */
	X86_SRC_R,     /* ModRM.rm: general register only */
	X86_SRC_M,     /* ModRM.rm: memory only */
	X86_SRC_Z,     /* low bits of the opcode */
	X86_SRC_B,     /* VEX.vvvv: general register */
	X86_SRC_FIXED, /* the general register `reg` */
	X86_SRC_O,     /* moffs */
	X86_SRC_STR,   /* memory at rSI or rDI (`reg`) */
	X86_SRC_STACK, /* implicit memory, mostly the stack */
	X86_SRC_SREG,
	X86_SRC_SEG, /* ModRM.reg; fixed */
	X86_SRC_CREG,
	X86_SRC_DREG,
	X86_SRC_ST0,
	X86_SRC_STI,
	X86_SRC_P,
	X86_SRC_Q,
	X86_SRC_N, /* MMX: reg, rm or memory, rm */
	X86_SRC_V,
	X86_SRC_W,
	X86_SRC_U,
	X86_SRC_H, /* vector: reg, rm or memory, rm, vvvv */
	X86_SRC_L, /* vector: imm8[7:4] */
	X86_SRC_XMM0,
	X86_SRC_VM, /* memory by VSIB */
	X86_SRC_KR,
	X86_SRC_KM,
	X86_SRC_KV, /* mask: reg, rm or memory, vvvv */
	X86_SRC_IMM,
	X86_SRC_IMM2,
	X86_SRC_ONE,
	X86_SRC_REL,
};

struct x86_opdesc {
	u8 src;	  /* enum x86_src */
	u8 rsize; /* size as a register */
	u8 msize; /* size as memory */
	u8 reg;
	bool read, write;
};

enum x86_imm_kind {
	X86_IMM_NONE,
	X86_IMM_B,  /* 8 bits, zero-extended */
	X86_IMM_BS, /* 8 bits, sign-extended */
	X86_IMM_W,
	X86_IMM_Z,  /* 2 or 4 bytes by operand size, sign-extended */
	X86_IMM_V,  /* 2, 4 or 8 bytes */
	X86_IMM_WB, /* enter */
	X86_IMM_BB, /* extrq, insertq */
	X86_IMM_FAR,
	X86_IMM_MOFFS,
};

enum x86_opsize_rule { X86_OSZ_STD, X86_OSZ_BYTE, X86_OSZ_D64, X86_OSZ_F64 };

enum x86_form_flags {
	X86_FORM_MAND66 = 1 << 0,   /* 66 is part of the opcode */
	X86_FORM_ANYMOD = 1 << 1,   /* ModRM.mod ignored, always a register */
	X86_FORM_SHIFTIMM = 1 << 2, /* the next row is the one for a count of 0 */
	X86_FORM_VVVV = 1 << 3,	    /* uses vvvv */
	X86_FORM_K = 1 << 4,	    /* EVEX.aaa allowed */
	X86_FORM_Z = 1 << 5,	    /* EVEX.z allowed */
	X86_FORM_KREQ = 1 << 6,	    /* EVEX.aaa must not be 0 */
	X86_FORM_ER = 1 << 7,	    /* EVEX.b with registers: rounding */
	X86_FORM_SAE = 1 << 8,	    /* EVEX.b with registers: no exceptions */
	X86_FORM_ERIG = 1 << 9,	    /* EVEX.b with registers: ignored */
	X86_FORM_LIG = 1 << 10,
	X86_FORM_VIHALF = 1 << 11, /* VSIB index vector is half as long */
	X86_FORM_WGPR = 1 << 12,   /* W sizes general registers: no effect outside 64-bit mode */
};

struct x86_form {
	u16 flags;
	u8 osz;	  /* enum x86_opsize_rule */
	u8 imm;	  /* enum x86_imm_kind */
	u8 bcast; /* EVEX broadcast element bytes, 0: none */
	u8 scale; /* EVEX disp8 scale when it is not the memory operand's size */
	u8 nops;
	u8 ops[5]; /* into x86_opdescs */
};

/*
 * Selection. x86_index[table][opcode] is 0 (undefined), a row number + 1, or
 * X86_NODE + an index into x86_nodes, where one word says which field of the
 * instruction selects among the entries that follow.
 */
enum { X86_NODE = 0x8000 };
enum x86_dim {
	X86_DIM_PP,
	X86_DIM_MOD,
	X86_DIM_REG,
	X86_DIM_RM,
	X86_DIM_W,
	X86_DIM_WM,
	X86_DIM_L,
	X86_DIM_MODE,
	X86_DIM_REXB,
	X86_NDIMS
};
enum x86_table {
	X86_T_1B,
	X86_T_0F,
	X86_T_0F38,
	X86_T_0F3A,
	X86_T_VEX,
	X86_T_EVEX = X86_T_VEX + 3,
	X86_NTABLES = X86_T_EVEX + 3
};

extern const u16 x86_index[X86_NTABLES][256];
extern const u16 x86_nodes[];
extern const u32 x86_has_modrm[X86_NTABLES][8];
extern const struct x86_form x86_forms[]; /* parallel to x86_rows */
extern const struct x86_opdesc x86_opdescs[];

/* Bytes of the index vector of a VSIB operand. */
unsigned x86_vsib_bytes(const struct x86_insn *in);
/* Bytes that a size code means for this instruction. */
unsigned x86_size_bytes(const struct x86_insn *in, u8 code);

#endif
