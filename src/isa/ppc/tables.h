/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The generated table of instructions (gen_tables.py). Private to isa/ppc and
 * its tests.
 */
#ifndef HULL_ISA_PPC_TABLES_H
#define HULL_ISA_PPC_TABLES_H

#include "isa/ppc/insn.h"

#define PPC_POOL_END 0xffffu

/* Where in ppc_pool the rows to try for a primary opcode begin. */
struct ppc_primary {
	u16 one;
	const u16 *ext; /* by the low 11 bits of the word; NULL: always `one` */
};

extern const struct ppc_row ppc_rows[];
extern const unsigned ppc_nrows;
extern const u16 ppc_pool[];
extern const struct ppc_primary ppc_primaries[64];

#endif
