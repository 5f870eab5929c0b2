/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of ir_optimise; private to pass_*.c and passes.c. */
#ifndef HULL_ENGINE_JIT_IR_PASSES_H
#define HULL_ENGINE_JIT_IR_PASSES_H

#include "engine/jit/ir/ir.h"

enum { IR_KNOWN = 4096 }; /* offsets below it are followed */

/* What is known about the bytes of the state, by the offset where a value starts. */
struct ir_known {
	u32 stamp;
	ir_val val;
	u8 size, type;
};

struct ir_pass {
	struct ir_unit *u;
	u32 stamp;		 /* entries with another one are void; goes on from unit to unit */
	ir_val same[IR_MAX_OPS]; /* what stands for a value from now on */
	struct ir_known known[IR_KNOWN];
	u64 live_in[IR_MAX_LABELS];
};

/* pass_fold.c: simplify operation i, whose operands are final; the value that stands for it. */
ir_val ir_fold(struct ir_unit *u, u32 i);
/* Is the value surely below 2^(8 * size)? */
bool ir_is_small(const struct ir_unit *u, ir_val v, unsigned size);

void ir_pass_forward(struct ir_pass *p); /* pass_state.c: state and values */
void ir_pass_dead(struct ir_pass *p);	 /* pass_dead.c: PUTs and values nobody wants */

#endif
