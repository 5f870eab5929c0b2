/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of ppc_diff: what is tried (ppc_diff_gen.c), hull's side
 * (ppc_diff_here.c), and what the two sides may differ in (ppc_diff_undefined.c).
 */
#ifndef HULL_TESTS_UNIT_JIT_PPC_DIFF_H
#define HULL_TESTS_UNIT_JIT_PPC_DIFF_H

#include <string.h>

#include "engine/jit/ppc/fp.h"
#include "isa/ppc/tables.h"
#include "tests/guest/ppc/insn_state.h"

struct here_code {
	u32 word[16];
	unsigned n;
};

void diff_seed(u64 seed);
/* Cannot be judged this way. */
bool diff_skipped(const struct ppc_row *r, bool big_endian);
/* How many forms the row has by Rc, OE and the like, a power of two. */
unsigned diff_forms(const struct ppc_row *r);
/* A random word (s->insn) of the form (modulo the row's) and a state for it. */
void diff_case(const struct ppc_row *r, unsigned form, struct state *s);
/* A sequence of words and a state for it. */
void diff_sequence(struct here_code *c, bool big_endian, struct state *s);
/* Take out of both results what the ISA leaves undefined and where QEMU 7.2 is known to be wrong.
 */
void diff_undefined(const struct ppc_row *r, bool big_endian, const struct state *before,
		    struct state *a, struct state *b);
/* Between hull in 32-bit mode (a) and QEMU, which has 64-bit mode only (b): the rest is the same.
 */
void diff_mode32(const struct ppc_row *r, const struct state *before, struct state *a,
		 struct state *b);

/* ppc_diff_here.c: code on a state; it ends at INSN_ADDR. */
enum here_mode {
	HERE_BE = 1,	 /* big-endian, else little */
	HERE_32 = 2,	 /* 32-bit mode, else 64 */
	HERE_NO_RAM = 4, /* of generated code: storage is a device's */
	HERE_ONE = 8,	 /* of the interpreter: units of one instruction */
};
/* Before the two below; false: no memory, or no emitter for this CPU. */
bool here_start(void);
void here_stop(void);
/* In the IR's interpreter; false: what was lifted is no valid unit (printed). */
bool here_interpret(struct state *s, const struct here_code *c, enum here_mode mode);
/* As generated code. */
void here_emitted(struct state *s, const struct here_code *c, enum here_mode mode);

static inline bool has_operand(const struct ppc_row *r, unsigned kind)
{
	for (unsigned i = 0; i < ARRAY_LEN(r->opnd); i++)
		if (r->opnd[i] == kind)
			return true;
	return false;
}

static inline bool one_of(unsigned op, const u16 *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ops[i] == op)
			return true;
	return false;
}
#define ONE_OF(op, ...)                                                                            \
	one_of(op, (const u16[]){__VA_ARGS__}, sizeof((const u16[]){__VA_ARGS__}) / 2)

#endif
