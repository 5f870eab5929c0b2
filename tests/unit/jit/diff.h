/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random instructions and machine states for the differential tests: made from
 * the decoder's own rows, so a row added to the table is tested the same day.
 */
#ifndef HULL_TESTS_UNIT_JIT_DIFF_H
#define HULL_TESTS_UNIT_JIT_DIFF_H

#include "isa/x86/insn.h"

struct diff_rng {
	u64 s;
};

static inline u64 diff_rand(struct diff_rng *r)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return r->s;
}

#define DIFF_XSAVE 4096

struct diff_state {
	u64 gpr[16];
	u64 rflags;
	u8 xsave[DIFF_XSAVE] __attribute__((aligned(64)));
};

struct diff_gen;

/* Find encodings of every row for this mode. NULL if memory is short. */
struct diff_gen *diff_gen_create(enum x86_mode mode, u64 seed);
void diff_gen_destroy(struct diff_gen *g);
/*
 * A random encoding of the row, decoded into *in, and a state in which its
 * memory operands mostly fall into HOST_DATA. False if the row has no encoding
 * in this mode.
 */
bool diff_gen_make(struct diff_gen *g, unsigned row, struct x86_insn *in, struct diff_state *st);
/*
 * An instruction to stand behind `first` in the same state: without memory
 * operand, or with one on the same base register. False if none came up.
 */
bool diff_gen_next(struct diff_gen *g, unsigned row, const struct x86_insn *first,
		   const struct diff_state *st, struct x86_insn *in);
/* Where the ModRM (or moffs) operand lies, the instruction standing at HOST_CODE_AT. */
u64 diff_address(const struct x86_insn *in, const struct diff_state *st);
struct diff_rng *diff_gen_rng(struct diff_gen *g);

/* Offset of a component in the host's standard XSAVE area, and its size (CPUID leaf 13). */
u32 diff_xsave_offset(unsigned component);
u32 diff_xsave_length(unsigned component);
/* A register of a state: n bytes of vector register `reg` starting at byte `from`. */
void diff_vec_set(struct diff_state *st, unsigned reg, unsigned from, const void *bytes,
		  unsigned n);

#endif
