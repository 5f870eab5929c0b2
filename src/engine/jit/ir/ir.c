/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operations and the builder's core.
 */
#include "engine/jit/ir/ir.h"

const struct ir_info ir_table[IR_OPCODES] = {
#define IR_ROW(name, text, sig, sizes, flags) {text, sig, sizes, flags},
	IR_OPS(IR_ROW)
#undef IR_ROW
};

void ir_begin(struct ir_unit *u, const struct ir_target *t, u64 pc)
{
	u->target = t;
	u->pc = pc;
	u->n = 1;
	u->nlabels = u->npool = 0;
	u->full = false;
	u->op[0] = (struct ir_op){.op = IR_NONE};
}

ir_val ir_add_op(struct ir_unit *u, struct ir_op op)
{
	if (u->n >= IR_MAX_OPS) {
		u->full = true;
		return 0;
	}
	u->op[u->n] = op;
	return (ir_val)u->n++;
}

u32 ir_new_label(struct ir_unit *u)
{
	if (u->nlabels >= IR_MAX_LABELS) {
		u->full = true;
		return 0;
	}
	return u->nlabels++;
}

ir_val ir_vconst(struct ir_unit *u, u64 lo, u64 hi)
{
	u32 i = 0;

	while (i < u->npool && (u->pool[i].lo != lo || u->pool[i].hi != hi))
		i++;
	if (i == IR_MAX_POOL) {
		u->full = true;
		return 0;
	}
	if (i == u->npool)
		u->pool[u->npool++] = (struct ir_v128){lo, hi};
	return ir_add_op(u, (struct ir_op){.op = IR_VCONST, .imm = i});
}

void ir_count_uses(struct ir_unit *u)
{
	for (u32 i = 0; i < u->n; i++)
		u->op[i].uses = 0;
	for (u32 i = 1; i < u->n; i++) { /* the tests: else op[0]'s counter is waited for */
		const struct ir_op *op = &u->op[i];

		if (op->a)
			u->op[op->a].uses++;
		if (op->b)
			u->op[op->b].uses++;
		if (op->c)
			u->op[op->c].uses++;
	}
}
