/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to native*.c: running one vector or x87 instruction on the host.
 */
#ifndef HULL_ENGINE_JIT_X86_NATIVE_H
#define HULL_ENGINE_JIT_X86_NATIVE_H

#include "engine/jit/x86/interp.h"

/* What a stub came back with. */
struct native_result {
	u64 trap; /* 0, or the number of the exception it raised on the host */
	u64 addr; /* of trap 14: the host address */
};

enum {
	NATIVE_TRAP_UD = 6,
	NATIVE_TRAP_GP = 13,
	NATIVE_TRAP_PF = 14,
	NATIVE_TRAP_MF = 16,
	NATIVE_TRAP_AC = 17,
	NATIVE_TRAP_XM = 19
};

/*
 * The memory operand of the instruction being run. Either ptr is guest RAM, or
 * a bounce buffer of two parts (the guest's two pages). A part whose page
 * faults is a page of ours without access: the host then tells whether the
 * instruction, masked as it may be, touches it.
 */
struct native_mem {
	u64 linear;
	unsigned n, first; /* bytes; those in the first page */
	bool read, write, masked, buffered, x87_image;
	u8 *ptr;
	u8 old[64];	       /* masked writes: what the buffer held before */
	bool bad[2];	       /* this part faults with ... */
	struct x86_exc exc[2]; /* ... this, */
	u64 cr2[2];	       /* ... and this CR2 */
};

/* The implicit [rDI] of MASKMOVQ and MASKMOVDQU. */
static inline bool native_is_maskmov(const struct x86_insn *in)
{
	return in->map == X86_MAP_0F && in->opcode == 0xf7;
}

/* Find the operand. -1: it faults whatever the mask. native_mem.c */
int native_mem_open(struct x86_vcpu *c, const struct x86_insn *in, struct native_mem *m);
/* Write a bounce buffer back. */
int native_mem_close(struct x86_vcpu *c, struct native_mem *m);
/* The stub touched host address addr: the guest's fault. Always -1. */
int native_mem_fault(struct x86_vcpu *c, struct native_mem *m, u64 addr);

/* Gathers and scatters, element by element. native_vsib.c */
int native_vsib(struct x86_vcpu *c, const struct x86_insn *in);

/*
 * Write the stub's instruction at out (at most 24 bytes): `in` with its memory
 * operand [rsi], its general register operand r8. Returns the length. native_encode.c
 */
unsigned native_encode(const struct x86_insn *in, u8 *out);
/* The explicit general register operand, or NULL. */
const struct x86_opnd *native_gpr(const struct x86_insn *in);

/* fpu.c: vzeroupper, or vzeroall, as 16- and 32-bit code knows it. */
void x86_fpu_vzero(struct x86_vcpu *c, bool all);

#endif
