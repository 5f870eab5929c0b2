/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What instructions do, in C, on the vCPU's state: for those that are not worth lifting, and as the
 * exact form of those that are. One function an instruction, found by its enum ppc_op; they look
 * at registers only, never at storage.
 */
#ifndef HULL_ENGINE_JIT_PPC_OP_H
#define HULL_ENGINE_JIT_PPC_OP_H

#include "engine/jit/ppc/cpu.h"
#include "isa/ppc/insn.h"

/* 0, or -1: an interrupt was raised (ppc_raise) and nothing changed. */
typedef int (*ppc_op_fn)(struct ppc_vcpu *c, u32 w, u32 arg);

struct ppc_op_row {
	ppc_op_fn fn;
	u32 arg;
};

/* fn NULL: no such helper. */
struct ppc_op_row ppc_op_row(unsigned op);
/* By families. */
struct ppc_op_row ppc_op_fp(unsigned op);

#endif
