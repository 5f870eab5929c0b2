/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backward over the unit: PUTs that are overwritten before anyone can look, and values without
 * users, go; but not floating point whose exceptions software may ask for. State in
 * ir_target.relaxed is followed through the whole unit and over faults, other state in straight
 * pieces between what may fault.
 */
#include "engine/jit/ir/passes.h"

#include "base/bits.h"

static void drop(struct ir_op *op)
{
	*op = (struct ir_op){.op = IR_CONST};
}

/* Bits of relaxed state that [off, off + size) covers. */
static u64 relaxed_bits(const struct ir_target *t, u64 off, unsigned size)
{
	u64 bits = 0;

	for (unsigned i = 0; i < size; i++)
		if (off + i - t->relaxed_off < t->relaxed_bytes && off + i - t->relaxed_off < 64)
			bits |= BIT(off + i - t->relaxed_off);
	return bits;
}

static bool all_relaxed(const struct ir_target *t, const struct ir_op *op)
{
	return op->imm - t->relaxed_off < t->relaxed_bytes &&
	       op->imm + op->size - t->relaxed_off <= t->relaxed_bytes && t->relaxed_bytes <= 64;
}

/* Relaxed state that is wanted before the operation, given what is wanted after it. */
static u64 wanted_before(const struct ir_pass *p, const struct ir_op *op, u64 after)
{
	const struct ir_target *t = p->u->target;

	switch (op->op) {
	case IR_GET:
		return after | relaxed_bits(t, op->imm, op->size);
	case IR_PUT:
		return after & ~relaxed_bits(t, op->imm, op->size);
	case IR_CALL:
		return t->helper[(u32)op->imm].flags ? ~0ULL : after;
	case IR_BR:
		return p->live_in[op->imm];
	case IR_BRIF:
		return after | p->live_in[op->imm];
	case IR_EXIT:
	case IR_EXITIF:
	case IR_EXITIND:
	case IR_EXITRT:
		return ~0ULL;
	}
	return after;
}

static bool labels_settle(struct ir_pass *p)
{
	u64 live = ~0ULL;
	bool changed = false;

	for (u32 i = p->u->n - 1; i > 0; i--) {
		const struct ir_op *op = &p->u->op[i];

		live = wanted_before(p, op, live);
		if (op->op == IR_LABEL && p->live_in[op->imm] != live) {
			p->live_in[op->imm] = live;
			changed = true;
		}
	}
	return changed;
}

static void relaxed_puts(struct ir_pass *p)
{
	struct ir_unit *u = p->u;
	u64 live = ~0ULL;

	for (u32 i = 0; i < u->nlabels; i++)
		p->live_in[i] = 0;
	while (u->nlabels && labels_settle(p))
		;
	for (u32 i = u->n - 1; i > 0; i--) {
		struct ir_op *op = &u->op[i];
		u64 before = wanted_before(p, op, live);

		if (op->op == IR_PUT && all_relaxed(u->target, op) &&
		    !(relaxed_bits(u->target, op->imm, op->size) & live))
			drop(op);
		live = before;
	}
}

/* ---- other state: what a later PUT of the same straight piece overwrites ---- */

static bool looks(const struct ir_pass *p, const struct ir_op *op)
{
	u16 flags = ir_info(op->op)->flags;

	if (op->op == IR_CALL)
		return p->u->target->helper[(u32)op->imm].flags;
	return flags & (IR_F_MEM | IR_F_LABEL | IR_F_ENDS | IR_F_HELPER) || op->op == IR_EXITIF;
}

static void see(struct ir_pass *p, const struct ir_op *op)
{
	u64 from = op->imm > 15 ? op->imm - 15 : 0;

	for (u64 o = from; o < op->imm + op->size && o < IR_KNOWN; o++)
		if (p->known[o].stamp == p->stamp && o + p->known[o].size > op->imm)
			p->known[o].stamp = 0;
}

static void other_puts(struct ir_pass *p)
{
	struct ir_unit *u = p->u;

	for (u32 i = u->n - 1; i > 0; i--) {
		struct ir_op *op = &u->op[i];
		struct ir_known *k = &p->known[op->imm < IR_KNOWN ? op->imm : 0];

		if (looks(p, op)) {
			p->stamp++;
		} else if (op->op == IR_GET) {
			see(p, op);
		} else if (op->op == IR_PUT && op->imm < IR_KNOWN) {
			if (k->stamp == p->stamp && k->size >= op->size)
				drop(op);
			else
				*k = (struct ir_known){p->stamp, 0, op->size, 0};
		}
	}
}

static void values(struct ir_unit *u)
{
	ir_count_uses(u);
	for (u32 i = u->n - 1; i > 0; i--) {
		struct ir_op *op = &u->op[i];

		if (op->uses || ir_info(op->op)->flags & IR_F_STAYS)
			continue;
		u->op[op->a].uses--;
		u->op[op->b].uses--;
		u->op[op->c].uses--;
		drop(op);
	}
}

void ir_pass_dead(struct ir_pass *p)
{
	values(p->u);
	relaxed_puts(p);
	p->stamp++;
	other_puts(p);
	values(p->u);
}
