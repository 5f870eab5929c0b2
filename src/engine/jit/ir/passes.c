/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes over a unit.
 */
#include "engine/jit/ir/ir.h"

void ir_optimise(struct ir_unit *u)
{
	ir_count_uses(u);
}
