/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operations and the builder's core.
 */
#include "engine/jit/ir/ir.h"

static const struct ir_info ir_table[IR_OPCODES] = {
#define IR_ROW(name, text, sig, sizes, flags) {text, sig, sizes, flags},
	IR_OPS(IR_ROW)
#undef IR_ROW
};

const struct ir_info *ir_info(unsigned opcode)
{
	return &ir_table[opcode < IR_OPCODES ? opcode : IR_NONE];
}

static enum ir_type type_of(char c, const struct ir_op *op)
{
	switch (c) {
	case 'i':
		return IR_I64;
	case 'd':
		return IR_F64;
	case 's':
		return IR_F32;
	case 'v':
		return IR_V128;
	case 't':
		return (enum ir_type)op->type;
	}
	return IR_VOID;
}

enum ir_type ir_result(const struct ir_op *op)
{
	return type_of(ir_info(op->op)->sig[0], op);
}

enum ir_type ir_operand(const struct ir_op *op, unsigned n)
{
	const char *sig = ir_info(op->op)->sig;

	for (unsigned i = 0; i <= n; i++)
		if (!sig[i])
			return IR_VOID;
	return type_of(sig[n + 1], op);
}

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
	for (u32 i = 1; i < u->n; i++) {
		u->op[u->op[i].a].uses++;
		u->op[u->op[i].b].uses++;
		u->op[u->op[i].c].uses++;
	}
}
