/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier: a unit that passes can be interpreted and emitted without looking again. Trusts
 * nothing in the unit but its arrays' sizes and its target.
 */
#include "engine/jit/ir/ir.h"

#include "base/bits.h"

struct check {
	const struct ir_unit *u;
	u32 i;
	u32 piece; /* first operation of the straight piece */
	bool defined[IR_MAX_LABELS];
};

static const char *check_type(const struct ir_op *op, const struct ir_info *info)
{
	const char *s = info->sig;

	if (s[0] != 't' && s[1] != 't' && s[2] != 't' && s[3] != 't')
		return NULL;
	if (op->type != IR_I64 && op->type != IR_F64 && op->type != IR_F32 && op->type != IR_V128)
		return "no such type";
	/* Scalar arithmetic and comparison is for F64 and F32; SEL, GET, PUT, LOAD, STORE for all.
	 */
	if (info->flags & IR_F_FP || op->op == IR_FABS || op->op == IR_FNEG || op->op == IR_FBITS ||
	    op->op == IR_BITSF)
		return op->type == IR_F64 || op->type == IR_F32 ? NULL
								: "a floating type is wanted";
	return NULL;
}

static const char *check_size(const struct ir_op *op, const struct ir_info *info)
{
	static const u8 wide[] = {[IR_F64] = 8, [IR_F32] = 4, [IR_V128] = 16};

	if (!info->sizes)
		return NULL;
	if (!op->size || !is_pow2(op->size) || !(op->size & info->sizes))
		return "no such size";
	if (info->flags & (IR_F_OFF | IR_F_MEM) && op->op != IR_CAS) {
		if (op->type == IR_I64 ? op->size > 8 : op->size != wide[op->type])
			return "size and type do not fit";
	}
	return NULL;
}

static const char *check_operand(const struct check *c, const struct ir_op *op, unsigned n)
{
	const ir_val v[3] = {op->a, op->b, op->c};
	enum ir_type want = ir_operand(op, n);
	const struct ir_info *info = ir_info(op->op);

	if (want == IR_VOID)
		return v[n] ? "operand too many" : NULL;
	if (!v[n])
		return info->flags & IR_F_OPTARGS ? NULL : "operand missing";
	if (v[n] >= c->i)
		return "operand is not defined yet";
	if (v[n] < c->piece)
		return "operand is from before a label";
	if (ir_result(&c->u->op[v[n]]) != want)
		return "operand has another type";
	return NULL;
}

static const char *check_condition(const struct ir_op *op)
{
	bool fp = op->op != IR_SET;

	if (op->sub > IR_UNO || (fp ? op->sub >= IR_LTU && op->sub != IR_UNO : op->sub == IR_UNO))
		return "no such condition";
	return NULL;
}

static unsigned lanes_limit(const struct ir_op *op)
{
	switch (op->op) {
	case IR_VEXT:
	case IR_VINS:
		return 16u / op->size;
	case IR_VALIGN:
		return 17;
	}
	return op->size == 16 ? 16 : op->size * 8u;
}

static const char *check_imm(const struct check *c, const struct ir_op *op, u16 flags)
{
	const struct ir_target *t = c->u->target;

	if (flags & IR_F_OFF && !range_inside(op->imm, op->size, t->state_bytes))
		return "outside the state";
	if (flags & IR_F_POOL && op->imm >= c->u->npool)
		return "outside the pool";
	if (flags & IR_F_HELPER && (u32)op->imm >= t->nhelpers)
		return "no such helper";
	if (op->op == IR_CALL && op->imm >> 32)
		return "no such helper";
	if (flags & IR_F_LABEL && op->imm >= c->u->nlabels)
		return "no such label";
	if (flags & IR_F_LANE && op->imm >= lanes_limit(op))
		return "no such lane or count";
	if (flags & IR_F_ROUND && op->imm > IR_CURRENT)
		return "no such rounding";
	return NULL;
}

static const char *check_sub(const struct ir_op *op, u16 flags)
{
	if (flags & IR_F_CC)
		return check_condition(op);
	if (flags & IR_F_KIND)
		return op->sub > IR_RETURN ? "no such kind" : NULL;
	if (flags & IR_F_MEM)
		return op->sub & ~(IR_SIGNED | IR_SWAP) ? "no such flags" : NULL;
	if (op->op == IR_GET)
		return op->sub & ~IR_SIGNED ? "no such flags" : NULL;
	return NULL;
}

static const char *check_op(const struct check *c)
{
	const struct ir_op *op = &c->u->op[c->i];
	const struct ir_info *info = ir_info(op->op);
	const char *why;

	if (op->op == IR_NONE || op->op >= IR_OPCODES)
		return "no such operation";
	why = check_type(op, info);
	if (!why)
		why = check_size(op, info);
	for (unsigned n = 0; n < 3 && !why; n++)
		why = check_operand(c, op, n);
	if (!why)
		why = check_sub(op, info->flags);
	if (!why)
		why = check_imm(c, op, info->flags);
	return why;
}

static const char *check_labels(struct check *c)
{
	const struct ir_unit *u = c->u;

	if (!u->nlabels) /* check_imm finds whoever wants one */
		return NULL;
	for (u32 i = 1; i < u->n; i++) {
		const struct ir_op *op = &u->op[i];

		c->i = i;
		if (op->op != IR_LABEL || op->imm >= u->nlabels)
			continue;
		if (c->defined[op->imm])
			return "label is there twice";
		c->defined[op->imm] = true;
	}
	for (u32 i = 1; i < u->n; i++) {
		const struct ir_op *op = &u->op[i];

		c->i = i;
		if (ir_info(op->op)->flags & IR_F_LABEL && op->imm < u->nlabels &&
		    !c->defined[op->imm])
			return "label is nowhere";
	}
	return NULL;
}

static const char *check_all(struct check *c)
{
	const struct ir_unit *u = c->u;
	const char *why;

	if (u->full)
		return "the unit is full";
	if (u->n < 2 || u->n > IR_MAX_OPS || u->nlabels > IR_MAX_LABELS || u->npool > IR_MAX_POOL)
		return "the unit has no size";
	if (!(ir_info(u->op[u->n - 1].op)->flags & IR_F_ENDS))
		return "the unit has no end";
	why = check_labels(c);
	for (c->i = 1; c->i < u->n && !why;) {
		why = check_op(c);
		if (why)
			break;
		if (u->op[c->i].op == IR_LABEL)
			c->piece = c->i;
		c->i++;
	}
	return why;
}

const char *ir_verify(const struct ir_unit *u, u32 *at)
{
	struct check c = {.u = u};
	const char *why = check_all(&c);

	*at = why ? c.i : 0;
	return why;
}
