/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Between softfp.c and softfp_conv.c.
 */
#ifndef HULL_ENGINE_JIT_PPC_SOFTFP_INTERNAL_H
#define HULL_ENGINE_JIT_PPC_SOFTFP_INTERNAL_H

#include "engine/jit/ppc/cpu.h"
#include "engine/jit/ppc/softfp.h"

/* The result of an operation with a NaN: the first of the operands that is one; VXSNAN. */
u128 sfp_propagate(struct sfp_env *e, enum sfp_format f, const struct sfp *const *n,
		   unsigned count);
/* sig / 2^127 * 2^exp, bit 127 set, and a bit for what is below, rounded. */
u128 sfp_round(struct sfp_env *e, enum sfp_format f, bool sign, s32 exp, u128 sig, bool sticky);

#endif
