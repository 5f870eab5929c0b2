/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arguments of the rows for lift_vec.c and lift_vfp.c.
 */
#ifndef HULL_ENGINE_JIT_PPC_LIFT_VEC_H
#define HULL_ENGINE_JIT_PPC_LIFT_VEC_H

#include "engine/jit/ppc/lift.h"

/* An IR operation with the size of its lanes. */
#define V(op, size) ((op) | (size) << 8)
#define V_OP(arg) ((arg)&0xff)
#define V_SIZE(arg) ((arg) >> 8 & 31)
#define V_NOT (1u << 13)  /* complement the result, or the other half */
#define V_NOTB (1u << 14) /* complement the second operand */
#define V_VSX (1u << 15)

enum { MTV_D, MTV_WA, MTV_WZ, MTV_WS, MTV_DD };
/* lift_vfarith: enum fp_op, and */
#define VF_DP (1u << 8)
#define VF_MA (1u << 9)
#define VF_MM (1u << 10)

#endif
