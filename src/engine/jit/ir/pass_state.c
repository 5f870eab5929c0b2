/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward over the unit: a GET of what is known is no GET, and every operation is folded once its
 * operands are final.
 */
#include "engine/jit/ir/passes.h"

static void forget_all(struct ir_pass *p)
{
	p->stamp++;
}

static void forget(struct ir_pass *p, u64 off, unsigned size)
{
	u64 from = off > 15 ? off - 15 : 0;

	for (u64 o = from; o < off + size && o < IR_KNOWN; o++) {
		struct ir_known *k = &p->known[o];

		if (k->stamp == p->stamp && o + k->size > off)
			k->stamp = 0;
	}
}

static void learn(struct ir_pass *p, const struct ir_op *op, ir_val v)
{
	if (op->imm < IR_KNOWN)
		p->known[op->imm] = (struct ir_known){p->stamp, v, op->size, op->type};
}

/*
 * Behind what may fault a GET of relaxed state stays: the unit may be entered anew there, and
 * without that GET the PUT before the fault would look as if nobody read it.
 */
static void may_fault(struct ir_pass *p)
{
	const struct ir_target *t = p->u->target;

	if (t->relaxed_bytes)
		forget(p, t->relaxed_off, t->relaxed_bytes);
}

/* The value that stands for a GET, or 0. */
static ir_val look_up(struct ir_pass *p, struct ir_op *op)
{
	const struct ir_known *k = &p->known[op->imm < IR_KNOWN ? op->imm : 0];

	if (op->imm >= IR_KNOWN || k->stamp != p->stamp || k->size != op->size ||
	    k->type != op->type)
		return 0;
	if (op->type != IR_I64 || op->size == 8)
		return k->val;
	if (!(op->sub & IR_SIGNED) && ir_is_small(p->u, k->val, op->size))
		return k->val;
	*op = (struct ir_op){
		.op = op->sub & IR_SIGNED ? IR_SEXT : IR_ZEXT, .size = op->size, .a = k->val};
	return 0;
}

/* A PUT of what is there already: a move of a register to itself, as compilers pad with. */
static bool holds(const struct ir_pass *p, const struct ir_op *op)
{
	const struct ir_known *k = &p->known[op->imm < IR_KNOWN ? op->imm : 0];

	return op->imm < IR_KNOWN && k->stamp == p->stamp && k->size == op->size &&
	       k->type == op->type && k->val == op->a;
}

static void call(struct ir_pass *p, const struct ir_op *op)
{
	u8 flags = p->u->target->helper[(u32)op->imm].flags;

	if (flags & (IR_CALL_WRITES | IR_CALL_VECTOR))
		forget_all(p);
	if (flags & IR_CALL_RAISES)
		may_fault(p);
}

static ir_val one(struct ir_pass *p, u32 i)
{
	struct ir_op *op = &p->u->op[i];
	ir_val v;

	switch (op->op) {
	case IR_GET:
		v = look_up(p, op);
		if (v)
			return v;
		if (op->op != IR_GET)
			return ir_fold(p->u, i);
		if (!(op->sub & IR_SIGNED))
			learn(p, op, (ir_val)i);
		return (ir_val)i;
	case IR_PUT:
		if (holds(p, op)) {
			p->u->op[op->a].uses--;
			*op = (struct ir_op){.op = IR_CONST};
			return (ir_val)i;
		}
		forget(p, op->imm, op->size);
		learn(p, op, op->a);
		return (ir_val)i;
	case IR_CALL:
		call(p, op);
		return (ir_val)i;
	case IR_LOAD:
	case IR_STORE:
	case IR_CAS:
		may_fault(p);
		break;
	case IR_LABEL:
		forget_all(p);
		return (ir_val)i;
	case IR_CONST:
	case IR_INSN:
		return (ir_val)i;
	}
	return ir_fold(p->u, i);
}

/* What stands for operand v now; uses stay counted, as folding changes constants of one user. */
static ir_val now(struct ir_pass *p, ir_val v)
{
	ir_val to = p->same[v];

	if (to != v) {
		p->u->op[v].uses--;
		p->u->op[to].uses++;
	}
	return to;
}

/* A stamp that no entry has; the table is only looked at again when the numbers run out. */
static void stamps_begin(struct ir_pass *p)
{
	if (p->stamp > 1u << 31) {
		for (u32 i = 0; i < IR_KNOWN; i++)
			p->known[i].stamp = 0;
		p->stamp = 0;
	}
	p->stamp++;
}

void ir_pass_forward(struct ir_pass *p)
{
	struct ir_unit *u = p->u;

	stamps_begin(p);
	ir_count_uses(u);
	p->same[0] = 0;
	for (u32 i = 1; i < u->n; i++) {
		struct ir_op *op = &u->op[i];

		op->a = now(p, op->a);
		op->b = now(p, op->b);
		op->c = now(p, op->c);
		p->same[i] = one(p, i);
	}
}
