/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of ppc_diff: what is tried (ppc_diff_gen.c), and what the two sides may differ
 * in (ppc_diff_undefined.c).
 */
#ifndef HULL_TESTS_UNIT_JIT_PPC_DIFF_H
#define HULL_TESTS_UNIT_JIT_PPC_DIFF_H

#include <string.h>

#include "engine/jit/ppc/fp.h"
#include "isa/ppc/tables.h"
#include "tests/guest/ppc/insn_state.h"

void diff_seed(u64 seed);
/* Cannot be judged this way. */
bool diff_skipped(const struct ppc_row *r, bool big_endian);
/* A random word of the row (s->insn) and a state for it. */
void diff_case(const struct ppc_row *r, struct state *s);
/* Take out of both results what the ISA leaves undefined and where QEMU 7.2 is known to be wrong.
 */
void diff_undefined(const struct ppc_row *r, bool big_endian, const struct state *before,
		    struct state *a, struct state *b);

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
