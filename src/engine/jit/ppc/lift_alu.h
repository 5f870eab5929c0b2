/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arguments of the rows for lift_alu.c and lift_rot.c.
 */
#ifndef HULL_ENGINE_JIT_PPC_LIFT_ALU_H
#define HULL_ENGINE_JIT_PPC_LIFT_ALU_H

#include "engine/jit/ppc/lift.h"

/* lift_addsub */
enum {
	A_B_RB = 0,
	A_B_SI = 1,
	A_B_MINUS1 = 2,
	A_B_ZERO = 3,
	A_B = 3,
	A_NOT = 4, /* not RA, and 1 as carry in unless A_CIN */
	A_CIN = 8,
	A_CA = 16,
	A_RECORD = 32,
};
enum { MUL_LI, MUL_LW, MUL_LD, MUL_HW, MUL_HWU, MUL_HD, MUL_HDU };
enum { MADD_LD, MADD_HD, MADD_HDU };
enum {
	DIV_W = 0,
	DIV_U = 1,
	DIV_D = 2,
	DIV_E = 4,
	DIV_WE = DIV_E,
	DIV_WEU = DIV_E | DIV_U,
	DIV_DE = DIV_E | DIV_D,
	DIV_DEU = DIV_E | DIV_D | DIV_U
};
enum { CMP_U = 1, CMP_IMM = 2 };
enum { LOGIC_NOTB = 256, LOGIC_NOT = 512, LOGIC_SHIFTED = 1024 };
enum { PURE_RT = 256 };
/* lift_rlw, lift_rld */
enum { RL_IMM, RL_REG, RL_INSERT };
enum { RLD_CL, RLD_CR, RLD_C, RLD_INSERT, RLD_REG_CL, RLD_REG_CR };
enum { SH_L = 0, SH_R = 1, SH_RA = 2, SH_D = 4 };

#endif
