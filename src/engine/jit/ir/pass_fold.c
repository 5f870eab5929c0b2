/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants and identities: one operation at a time, looking only at how its operands were made.
 */
#include "engine/jit/ir/interp.h"
#include "engine/jit/ir/passes.h"

#include "base/bits.h"

static bool is_const(const struct ir_unit *u, ir_val v)
{
	return v && u->op[v].op == IR_CONST;
}

static bool is_number(const struct ir_unit *u, ir_val v, u64 c)
{
	return is_const(u, v) && u->op[v].imm == c;
}

bool ir_is_small(const struct ir_unit *u, ir_val v, unsigned size)
{
	const struct ir_op *op = &u->op[v];
	u64 max = mask_bytes(size);

	switch (op->op) {
	case IR_CONST:
		return op->imm <= max;
	case IR_SET:
	case IR_FSET:
	case IR_ADDCO:
	case IR_ADDOV:
	case IR_MULOV:
	case IR_CAS:
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT:
		return true;
	case IR_GET:
	case IR_LOAD:
		return op->type == IR_I64 && !(op->sub & IR_SIGNED) && op->size <= size;
	case IR_ZEXT:
	case IR_VEXT:
		return op->size <= size;
	case IR_AND:
		return (is_const(u, op->b) && u->op[op->b].imm <= max) ||
		       (size == 4 && op->size == 4);
	case IR_SHR:
		return size == 4 &&
		       (op->size == 4 || (is_const(u, op->b) && (u->op[op->b].imm & 63) >= 32));
	case IR_ADD:
	case IR_SUB:
	case IR_MUL:
	case IR_MULHU:
	case IR_MULHS:
	case IR_DIVU:
	case IR_DIVS:
	case IR_REMU:
	case IR_REMS:
	case IR_OR:
	case IR_XOR:
	case IR_ANDN:
	case IR_SHL:
	case IR_SAR:
	case IR_ROTL:
	case IR_NEG:
	case IR_NOT:
		return size == 4 && op->size == 4;
	}
	return false;
}

static bool commutes(unsigned op)
{
	return op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
}

/* A number instead of the operation, if all its operands are numbers. */
static bool evaluate(struct ir_unit *u, struct ir_op *op)
{
	union ir_cell v[3], r;
	const ir_val o[3] = {op->a, op->b, op->c};

	for (unsigned n = 0; n < 3; n++) {
		if (o[n] && !is_const(u, o[n]))
			return false;
		v[n].q[0] = o[n] ? u->op[o[n]].imm : 0;
		v[n].q[1] = 0;
	}
	if (!o[0] || !ir_interp_int(op, &r, &v[0], &v[1], &v[2]))
		return false;
	*op = (struct ir_op){.op = IR_CONST, .uses = op->uses, .imm = r.q[0]};
	return true;
}

/* Makes c of the constant operand b, if operation i is its only user; the operand, or 0. */
static ir_val renumber(struct ir_unit *u, u32 i, u64 c)
{
	struct ir_op *k = &u->op[u->op[i].b];

	if (k->uses != 1)
		return 0;
	k->imm = c;
	return u->op[i].b;
}

static void merge(struct ir_unit *u, u32 i)
{
	struct ir_op *op = &u->op[i];
	const struct ir_op *in = &u->op[op->a];
	u64 c;

	if (in->op != op->op || in->size != op->size || !is_const(u, in->b) || !is_const(u, op->b))
		return;
	if (op->op == IR_ADD)
		c = u->op[in->b].imm + u->op[op->b].imm;
	else if (op->op == IR_AND)
		c = u->op[in->b].imm & u->op[op->b].imm;
	else
		return;
	if (renumber(u, i, c)) {
		op->a = in->a;
		u->op[op->a].uses++;
	}
}

/* Size 4 looks at the low half only: extensions to it are not needed. */
static ir_val narrow(const struct ir_unit *u, ir_val v)
{
	const struct ir_op *op = &u->op[v];

	if ((op->op == IR_SEXT || op->op == IR_ZEXT) && op->size == 4)
		return op->a;
	if (op->op == IR_AND && op->size == 8 && is_number(u, op->b, 0xffffffff))
		return op->a;
	return v;
}

static bool looks_low(const struct ir_op *op)
{
	switch (op->op) {
	case IR_SEXT:
	case IR_ZEXT:
		return op->size <= 4;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROTL:
	case IR_ADD:
	case IR_SUB:
	case IR_MUL:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_ANDN:
	case IR_NEG:
	case IR_NOT:
	case IR_SET:
	case IR_CLZ:
	case IR_CTZ:
	case IR_DIVS:
	case IR_DIVU:
		return op->size == 4;
	}
	return false;
}

static u8 inverse(u8 cc)
{
	static const u8 of[] = {
		[IR_EQ] = IR_NE,   [IR_NE] = IR_EQ,   [IR_LTS] = IR_GES, [IR_LES] = IR_GTS,
		[IR_GTS] = IR_LES, [IR_GES] = IR_LTS, [IR_LTU] = IR_GEU, [IR_LEU] = IR_GTU,
		[IR_GTU] = IR_LEU, [IR_GEU] = IR_LTU};

	return of[cc];
}

static bool is_truth(const struct ir_unit *u, ir_val v)
{
	const struct ir_target *t = u->target;
	u8 op = u->op[v].op;

	if (op == IR_GET && u->op[v].size == 1) /* a flag of the guest's */
		return u->op[v].imm - t->flags_off < t->flags_bytes;
	if (op == IR_AND)
		return is_number(u, u->op[v].b, 1);
	return op == IR_SET || op == IR_FSET || op == IR_ADDCO || op == IR_ADDOV ||
	       op == IR_MULOV || op == IR_CAS;
}

/* set.ne v 0 and set.eq v 0 of something that is 0 or 1. */
static ir_val fold_set(struct ir_unit *u, u32 i)
{
	struct ir_op *op = &u->op[i];
	const struct ir_op *in = &u->op[op->a];

	if (!is_number(u, op->b, 0) || !is_truth(u, op->a))
		return (ir_val)i;
	if (op->sub == IR_NE)
		return op->a;
	if (op->sub == IR_EQ && in->op == IR_SET) {
		*op = (struct ir_op){.op = IR_SET,
				     .size = in->size,
				     .sub = inverse(in->sub),
				     .uses = op->uses,
				     .a = in->a,
				     .b = in->b};
		u->op[op->a].uses++;
		u->op[op->b].uses++;
	}
	return (ir_val)i;
}

/* xor v 1 of something that is 0 or 1: the other one. */
static void fold_inverse(struct ir_unit *u, u32 i)
{
	struct ir_op *op = &u->op[i];
	const struct ir_op *in = &u->op[op->a];

	if (op->op != IR_XOR || !is_number(u, op->b, 1) || !is_truth(u, op->a))
		return;
	if (in->op == IR_SET) {
		*op = (struct ir_op){.op = IR_SET,
				     .size = in->size,
				     .sub = inverse(in->sub),
				     .uses = op->uses,
				     .a = in->a,
				     .b = in->b};
		u->op[op->a].uses++;
		u->op[op->b].uses++;
	} else if (renumber(u, i, 0))
		*op = (struct ir_op){.op = IR_SET,
				     .size = 8,
				     .sub = IR_EQ,
				     .uses = op->uses,
				     .a = op->a,
				     .b = op->b};
}

/* Carries of a subtraction (b + ~x + 1), as a comparison. */
static void fold_carry(struct ir_unit *u, struct ir_op *op)
{
	const struct ir_op *a = &u->op[op->a];

	if (!is_number(u, op->c, 1) || a->op != IR_NOT || (a->size != op->size && a->size != 8))
		return;
	*op = (struct ir_op){.op = IR_SET, .size = op->size, .sub = IR_GEU, .a = op->b, .b = a->a};
}

/* x op c where the result is x. */
static bool is_identity(const struct ir_unit *u, const struct ir_op *op)
{
	u64 c;

	if (!is_const(u, op->b))
		return false;
	c = u->op[op->b].imm;
	switch (op->op) {
	case IR_ADD:
	case IR_SUB:
	case IR_OR:
	case IR_XOR:
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROTL:
		return c == 0 && (op->size == 8 || ir_is_small(u, op->a, 4));
	case IR_AND:
		if (op->size == 4 && !ir_is_small(u, op->a, 4))
			return false;
		return c == ~0ULL || (c == 1 && is_truth(u, op->a)) ||
		       (c == 0xff && ir_is_small(u, op->a, 1)) ||
		       (c == 0xffff && ir_is_small(u, op->a, 2)) ||
		       (c == 0xffffffff && ir_is_small(u, op->a, 4));
	}
	return false;
}

static void fold_address(struct ir_unit *u, struct ir_op *op)
{
	const struct ir_op *sum = &u->op[op->a];
	u64 disp;

	if (sum->op != IR_ADD || sum->size != 8 || !is_const(u, sum->b))
		return;
	disp = op->imm + u->op[sum->b].imm;
	if ((s64)disp != (s32)disp)
		return;
	op->imm = disp;
	op->a = sum->a;
}

static bool is_extended(const struct ir_unit *u, const struct ir_op *op)
{
	const struct ir_op *in = &u->op[op->a];

	if (op->op == IR_ZEXT)
		return ir_is_small(u, op->a, op->size);
	return (in->op == IR_SEXT && in->size <= op->size) ||
	       ((in->op == IR_LOAD || in->op == IR_GET) && in->sub & IR_SIGNED &&
		in->size <= op->size) ||
	       (op->size > 1 && ir_is_small(u, op->a, op->size / 2u));
}

/* Both halves the other way round: twice is as it was. */
static bool swaps_halves(const struct ir_op *op)
{
	return op->op == IR_VALIGN && op->a == op->b && op->imm == 8;
}

ir_val ir_fold(struct ir_unit *u, u32 i)
{
	struct ir_op *op = &u->op[i];

	if (swaps_halves(op) && swaps_halves(&u->op[op->a]))
		return u->op[op->a].a;
	if (ir_result(op) != IR_I64 && op->op != IR_STORE)
		return (ir_val)i;
	if (op->op == IR_LOAD || op->op == IR_STORE || op->op == IR_CAS) {
		fold_address(u, op);
		return (ir_val)i;
	}
	if (evaluate(u, op))
		return (ir_val)i;
	if (commutes(op->op) && is_const(u, op->a)) {
		ir_val t = op->a;

		op->a = op->b;
		op->b = t;
	}
	if (looks_low(op)) {
		op->a = narrow(u, op->a);
		op->b = narrow(u, op->b);
	}
	merge(u, i);
	if (is_identity(u, op))
		return op->a;
	if ((op->op == IR_ZEXT || op->op == IR_SEXT) && is_extended(u, op))
		return op->a;
	if (op->op == IR_ADDCO)
		fold_carry(u, op);
	fold_inverse(u, i);
	return op->op == IR_SET ? fold_set(u, i) : (ir_val)i;
}
