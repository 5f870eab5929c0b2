/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arguments of scalar floating-point instructions: of their helpers (op_fp.c) and their lifters
 * (lift_fp.c).
 */
#ifndef HULL_ENGINE_JIT_PPC_OP_FP_H
#define HULL_ENGINE_JIT_PPC_OP_FP_H

#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/op.h"

/* Where an instruction has its operands; bits 8 up of the table's argument. */
enum fp_form {
	F_AB = 1 << 8,	/* FRA, FRB */
	F_AC = 2 << 8,	/* FRA, FRC */
	F_ACB = 3 << 8, /* FRA * FRC + FRB */
	F_B = 4 << 8,
	X_AB = 5 << 8,
	X_B = 6 << 8,
	X_MA = 7 << 8, /* XA * XB + XT */
	X_MM = 8 << 8, /* XA * XT + XB */
	F_FORM = 15 << 8,
	F_WORD = 16 << 8, /* the result is a word, in both halves of the doubleword */
};

/* Moves: low byte of the argument. */
enum fp_move { MV_MR, MV_NEG, MV_ABS, MV_NABS, MV_CPSGN, MV_SEL, MV_MRGEW, MV_MRGOW };

#endif
