/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the passes.
 */
#include "engine/jit/ir/passes.h"

size_t ir_optimise_bytes(void)
{
	return sizeof(struct ir_pass);
}

void ir_optimise(struct ir_unit *u, void *work)
{
	struct ir_pass *p = work;

	p->u = u;
	ir_pass_forward(p);
	ir_pass_dead(p);
}
