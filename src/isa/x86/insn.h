/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pure knowledge of the x86 instruction set: one table, one decoder, one
 * disassembler. Knows no CPU state. Used by the interpreter, the translator,
 * the bare-metal emulator and the debugger. Freestanding, no mutable state.
 *
 * Sources: Intel SDM vol. 2 (opcode maps, appendix A), AMD APM vol. 3.
 */
#ifndef HULL_ISA_X86_INSN_H
#define HULL_ISA_X86_INSN_H

#include "base/types.h"

#define X86_INSN_MAX 15

enum x86_mode { X86_MODE_16, X86_MODE_32, X86_MODE_64 }; /* code segment's default size */

enum x86_enc { X86_ENC_LEGACY, X86_ENC_VEX, X86_ENC_EVEX };

/* Opcode maps, numbered as VEX/EVEX mmmmm does. */
enum x86_map {
	X86_MAP_1B = 0,
	X86_MAP_0F = 1,
	X86_MAP_0F38 = 2,
	X86_MAP_0F3A = 3,
	X86_MAP_5 = 5,
	X86_MAP_6 = 6,
	X86_MAP_3DNOW = 7
};

/*
 * How an engine must treat an instruction.
 * ORDINARY   same effect in ring 3 of the host as in the guest, given the same
 *            registers and translated memory operands: may be executed as itself.
 * BRANCH     near control transfer (jmp, jcc, call, ret, loop, jrcxz).
 * STRING     movs, cmps, stos, lods, scas, with or without REP (not ins/outs).
 * SYSTEM     everything else: privileged, sensitive, far transfers, segment
 *            loads, I/O, pushf/popf, cpuid, rdtsc, syscall, sti, hlt, xsave*...
 * UD         decodes to #UD (ud0, ud1, ud2, undefined opcodes).
 */
enum x86_class { X86_C_ORDINARY, X86_C_BRANCH, X86_C_STRING, X86_C_SYSTEM, X86_C_UD };

/* Status flags, same bit positions as RFLAGS. */
enum {
	X86_F_CF = 1 << 0,
	X86_F_PF = 1 << 2,
	X86_F_AF = 1 << 4,
	X86_F_ZF = 1 << 6,
	X86_F_SF = 1 << 7,
	X86_F_DF = 1 << 10,
	X86_F_OF = 1 << 11,
	X86_F_STATUS = 0x8d5
};

enum x86_opnd_kind {
	X86_OPND_NONE,
	X86_OPND_GPR, /* reg 0..15; `high` for AH CH DH BH */
	X86_OPND_SEG,
	X86_OPND_CR,
	X86_OPND_DR,
	X86_OPND_ST,
	X86_OPND_MMX,
	X86_OPND_VEC,  /* xmm/ymm/zmm 0..31 by size 16/32/64 (or scalar size) */
	X86_OPND_MASK, /* k0..k7 */
	X86_OPND_MEM,  /* see x86_insn.mem_*; size 0: not an access of a fixed size (lea, nop,
			  invlpg, fxsave, xsave) */
	X86_OPND_IMM,  /* value in x86_insn.imm, already sign- or zero-extended */
	X86_OPND_IMM2, /* value in x86_insn.imm2 (enter, far pointer selector, extrq) */
	X86_OPND_REL,  /* target = rip_next + imm, then truncated to the operand size */
};

struct x86_opnd {
	u8 kind; /* enum x86_opnd_kind */
	u8 reg;
	u8 size; /* bytes; for VEC/MEM the bytes actually accessed */
	bool read : 1, write : 1, high : 1, implicit : 1;
};

enum { X86_REG_NONE = 0xff, X86_REG_RIP = 0xfe };

enum x86_row_flags {
	X86_R_LOCKABLE = 1 << 0,  /* LOCK is allowed with a memory destination */
	X86_R_MEM_ALIGN = 1 << 1, /* memory operand must be aligned to its size (#GP) */
	X86_R_VSIB = 1 << 2,	  /* gather/scatter */
	X86_R_FPU = 1 << 3,	  /* x87: needs CR0.EM/TS check (#NM) and pending-#MF check */
	X86_R_MMX = 1 << 4,
	X86_R_SSE = 1 << 5,    /* needs CR4.OSFXSR, CR0.EM=0, CR0.TS check */
	X86_R_AVX = 1 << 6,    /* needs CR4.OSXSAVE, XCR0[2:1] */
	X86_R_AVX512 = 1 << 7, /* needs XCR0[7:5] too */
	X86_R_NO64 = 1 << 8,   /* #UD in 64-bit mode */
	X86_R_ONLY64 = 1 << 9,
	X86_R_PRIV = 1 << 10, /* #GP unless CPL 0 */
	X86_R_IMPLICIT_MEM =
		1 << 11, /* memory operand not in ModRM: push, pop, movs, xlat, maskmovdqu... */
	X86_R_IMPLICIT_RSP =
		1 << 12,	  /* changes RSP by itself: push, pop, call, ret, enter, leave... */
	X86_R_UNDOC = 1 << 13,	  /* valid but undocumented encoding */
	X86_R_NOT_PROT = 1 << 14, /* #UD in real and virtual-8086 mode (VEX, lldt...) */
	X86_R_REPZ_IGNORED = 1 << 15,
	X86_R_MASKED = 1 << 16,	    /* may access less than the operand's size, faults suppressed
				       elsewhere (vmaskmov, gather, compress; EVEX: also if aaa != 0) */
	X86_R_BIT_STRING = 1 << 17, /* bt family, register bit offset: it moves the address */
	X86_R_FPU_NOWAIT = 1 << 18, /* x87 without the pending-#MF check (fnstcw, fninit...) */
};

/* One instruction form. All rows: x86_rows[0 .. x86_nrows). */
struct x86_row {
	const char *name;		/* Intel syntax mnemonic, lower case, e.g. "add" */
	u16 op;				/* enum x86_op, from the generated isa/x86/ops.h */
	u8 cls;				/* enum x86_class */
	u32 flags;			/* enum x86_row_flags */
	u16 f_read, f_written, f_undef; /* status flags; undef is a subset of written */
	u32 gpr_read, gpr_write;	/* IMPLICIT general registers, bit n = gpr n */
	u8 feature; /* enum x86_feature: the CPUID bit that must be set, 0 = base */
};

struct x86_insn {
	const struct x86_row *row; /* never NULL after a decode of 0 */
	u8 bytes[X86_INSN_MAX];
	u8 len;
	u8 mode; /* enum x86_mode it was decoded in */
	u8 enc, map, opcode;
	u8 opsize;  /* effective operand size: 1 (byte forms), 2, 4, 8 */
	u8 adsize;  /* effective address size: 2, 4, 8 */
	u8 pfx_len; /* offset of the REX/VEX/EVEX prefix, or of the opcode escape if none */
	u8 op_off;  /* offset of the opcode byte itself */
	bool lock : 1, rep : 1, repne : 1, p66 : 1, p67 : 1; /* legacy prefixes seen */
	bool has_modrm : 1, has_sib : 1, has_mem : 1;	     /* has_mem: ModRM names memory */
	u8 seg; /* enum x86_segreg of the memory operand, default or override */
	bool seg_override;
	u8 rex;		     /* 0, or 0x40..0x4f as found */
	u8 modrm, modrm_off; /* offset in bytes[] */
	u8 sib;
	/* Memory operand of ModRM (or moffs): base + index*scale + disp */
	u8 mem_base,
		mem_index; /* GPR number (VEC number for VSIB index), X86_REG_NONE, X86_REG_RIP */
	u8 mem_scale;	   /* 1, 2, 4, 8 */
	u8 disp_off, disp_size; /* in bytes[]; size 0 if none */
	s64 disp;		/* EVEX disp8*N already applied */
	u8 imm_off, imm_size;
	s64 imm, imm2;
	/* VEX/EVEX fields, un-inverted */
	u8 vvvv, vl; /* vl: 16, 32, 64 bytes */
	bool w : 1;  /* as it takes effect: 0 outside 64-bit mode where W sizes general registers */
	bool evex_b : 1, evex_z : 1;
	u8 evex_aaa;
	u8 nopnds;
	struct x86_opnd opnd[5]; /* explicit operands in Intel order, then implicit memory if any */
};

enum x86_decode_error {
	X86_DECODE_OK = 0,
	X86_DECODE_SHORT = -1, /* more bytes needed than n gives (n < 15) */
	X86_DECODE_LONG = -2,  /* over 15 bytes: #GP(0) */
	X86_DECODE_UD = -3,    /* no such instruction: #UD; in->len counts the bytes looked at */
};

/*
 * Decode one instruction from n bytes. Accepts what the newest supported CPU
 * accepts; feature gating is the caller's (row->feature). Also rejects as UD a
 * LOCK prefix where it is not allowed, and encodings invalid in `mode`.
 */
int x86_decode(struct x86_insn *in, enum x86_mode mode, const u8 *bytes, size_t n);

extern const struct x86_row x86_rows[];
extern const unsigned x86_nrows;

/* Intel syntax, as objdump -M intel prints it as nearly as is useful. Returns the length. */
size_t x86_disasm(const struct x86_insn *in, u64 rip, char *buf, size_t size);

/* Features the decoder knows; x86_feature_cpuid says which CPUID bit each one is. */
struct x86_cpuid_bit {
	u32 leaf, sub;
	u8 reg /* 0 eax..3 edx */, bit;
};
struct x86_cpuid_bit x86_feature_cpuid(unsigned feature);

#endif
