/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the values of a unit are: registers, spill slots, the guest's state, or not made yet.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

static const struct vex vmov_load = {PP_NONE, MAP_0F, 0x10, false}; /* vmovups */
static const struct vex vmov_store = {PP_NONE, MAP_0F, 0x11, false};
static const struct vex vmovsd_load = {PP_F2, MAP_0F, 0x10, false};
static const struct vex vmovss_load = {PP_F3, MAP_0F, 0x10, false};

unsigned xe_pin(const struct xe *x, u32 off)
{
	return off < 8 * ARRAY_LEN(x->pin_of) && !(off & 7) ? x->pin_of[off / 8] : 0;
}

void xe_flags_gone(struct xe *x)
{
	x->flags_valid = false;
	x->flags_of = 0;
}

void xe_live(struct xe *x, ir_val v)
{
	if (x->nlive < ARRAY_LEN(x->live))
		x->live[x->nlive++] = v;
}

static bool is_temp(unsigned reg)
{
	return (XE_TEMPS >> reg) & 1;
}

/* ---- spilling ---- */

static unsigned slot_alloc(struct xe *x)
{
	for (unsigned w = 0; w < ARRAY_LEN(x->slots); w++) {
		if (~x->slots[w]) {
			unsigned b = (unsigned)__builtin_ctzll(~x->slots[w]);

			x->slots[w] |= 1ULL << b;
			return w * 64 + b;
		}
	}
	x->failed = true;
	return 0;
}

static void slot_free(struct xe *x, unsigned slot)
{
	x->slots[slot / 64] &= ~(1ULL << (slot & 63));
}

static void spill(struct xe *x, ir_val v)
{
	struct xe_val *xv = &x->v[v];
	unsigned slot = slot_alloc(x);
	struct emit_mem m = xe_slot(slot);

	if (xv->loc == XE_GPR) {
		emit_rm(x->e, OP_MOV_MR, true, xv->reg, &m);
		if (is_temp(xv->reg) && x->owner[xv->reg] == v) {
			x->owner[xv->reg] = 0;
			x->used &= ~(1u << xv->reg);
		}
	} else {
		vex_rm(x->e, vmov_store, xv->reg, 0, &m);
		x->vowner[xv->reg] = 0;
		x->vused &= ~(1u << xv->reg);
	}
	xv->loc = XE_SPILL;
	xv->slot = (u16)slot;
}

/* The register among `set` whose value is wanted last. */
static int victim(struct xe *x, u32 set, const u16 *owner)
{
	int best = -1;

	for (u32 s = set; s; s &= s - 1) {
		int r = __builtin_ctz(s);

		if (owner[r] && (best < 0 || x->v[owner[r]].last > x->v[owner[best]].last))
			best = r;
	}
	return best;
}

static unsigned gpr_alloc(struct xe *x, ir_val owner)
{
	u32 set = XE_TEMPS & ~x->used & ~x->locked;
	int r;

	if (set) {
		r = __builtin_ctz(set);
	} else {
		r = victim(x, XE_TEMPS & ~x->locked & ~x->anon, x->owner);
		if (r < 0) {
			x->failed = true;
			return RAX;
		}
		spill(x, x->owner[r]);
	}
	x->used |= 1u << r;
	x->locked |= 1u << r;
	x->owner[r] = owner;
	if (!owner)
		x->anon |= 1u << r;
	return (unsigned)r;
}

static unsigned xmm_alloc(struct xe *x, ir_val owner)
{
	u32 set = XE_VALID & ~x->vused & ~x->vlocked;
	int r;

	if (set) {
		r = __builtin_ctz(set);
	} else {
		r = victim(x, XE_VALID & ~x->vlocked & ~x->vanon, x->vowner);
		if (r < 0) {
			x->failed = true;
			return 0;
		}
		spill(x, x->vowner[r]);
	}
	x->vused |= 1u << r;
	x->vlocked |= 1u << r;
	x->vowner[r] = owner;
	if (!owner)
		x->vanon |= 1u << r;
	return (unsigned)r;
}

unsigned xe_gpr_temp(struct xe *x)
{
	return gpr_alloc(x, 0);
}

unsigned xe_xmm_temp(struct xe *x)
{
	return xmm_alloc(x, 0);
}

/* ---- reading ---- */

void xe_state_load(struct xe *x, unsigned reg, const struct ir_op *get)
{
	struct emit_mem m = xe_state((u32)get->imm);
	bool sign = get->sub & IR_SIGNED;

	switch (get->size) {
	case 1:
		x86_rm(x->e, 0, sign ? 0x0fbe : 0x0fb6, sign, reg, &m);
		break;
	case 2:
		x86_rm(x->e, 0, sign ? 0x0fbf : 0x0fb7, sign, reg, &m);
		break;
	case 4:
		x86_rm(x->e, 0, sign ? 0x63 : 0x8b, sign, reg, &m);
		break;
	default:
		emit_rm(x->e, OP_MOV_RM, true, reg, &m);
	}
}

static void sum_make(struct xe *x, unsigned reg, ir_val v)
{
	const struct ir_op *op = xe_op(x, v);
	unsigned a = xe_use(x, op->a), b = xe_use(x, op->b);
	struct emit_mem m = {(u8)a, (u8)b, 1, false, 0};

	emit_lea(x->e, true, reg, &m);
}

void xe_load_to(struct xe *x, unsigned reg, ir_val v)
{
	struct xe_val *xv = &x->v[v];
	struct emit_mem m;

	switch (xv->loc) {
	case XE_GPR:
		if (xv->reg != reg)
			emit_mov_rr(x->e, reg, xv->reg);
		break;
	case XE_SPILL:
		m = xe_slot(xv->slot);
		emit_rm(x->e, OP_MOV_RM, true, reg, &m);
		break;
	case XE_CONST:
		emit_mov_ri(x->e, reg, xe_const(x, v));
		break;
	case XE_STATE:
		xe_state_load(x, reg, xe_op(x, v));
		break;
	case XE_CMP:
		xe_set_make(x, v, reg);
		break;
	case XE_SUM:
		sum_make(x, reg, v);
		break;
	default:
		x->failed = true;
	}
}

/* v, which is elsewhere, into a register of its own. */
static unsigned bring(struct xe *x, ir_val v)
{
	struct xe_val *xv = &x->v[v];
	unsigned r = gpr_alloc(x, v);

	xe_load_to(x, r, v);
	if (xv->loc == XE_SPILL)
		slot_free(x, xv->slot);
	xv->loc = XE_GPR;
	xv->reg = (u8)r;
	return r;
}

unsigned xe_use(struct xe *x, ir_val v)
{
	struct xe_val *xv = &x->v[v];
	unsigned r;

	if (xv->loc == XE_GPR) {
		x->locked |= 1u << xv->reg;
		return xv->reg;
	}
	if (xv->loc == XE_CONST) {
		r = gpr_alloc(x, 0);
		emit_mov_ri(x->e, r, xe_const(x, v));
		return r;
	}
	return bring(x, v);
}

static void xmm_load(struct xe *x, unsigned reg, ir_val v)
{
	const struct ir_op *op = xe_op(x, v);
	enum ir_type t = ir_result(op);
	struct xe_val *xv = &x->v[v];
	struct emit_mem m = xv->loc == XE_SPILL ? xe_slot(xv->slot) : xe_state((u32)op->imm);

	if (xv->loc == XE_POOL) {
		m = (struct emit_mem){XE_RIP, EMIT_NONE, 1, false, (s32)x->pool_at[op->imm]};
		vex_rm(x->e, vmov_load, reg, 0, &m);
	} else if (xv->loc != XE_SPILL && xv->loc != XE_STATE) {
		x->failed = true;
	} else if (xv->loc == XE_SPILL || t == IR_V128) {
		vex_rm(x->e, vmov_load, reg, 0, &m);
	} else {
		vex_rm(x->e, t == IR_F32 ? vmovss_load : vmovsd_load, reg, 0, &m);
	}
}

unsigned xe_use_xmm(struct xe *x, ir_val v)
{
	struct xe_val *xv = &x->v[v];
	unsigned r;

	if (xv->loc == XE_XMM) {
		x->vlocked |= 1u << xv->reg;
		return xv->reg;
	}
	r = xmm_alloc(x, v);
	xmm_load(x, r, v);
	if (xv->loc == XE_SPILL)
		slot_free(x, xv->slot);
	xv->loc = XE_XMM;
	xv->reg = (u8)r;
	return r;
}

bool xe_in_memory(struct xe *x, ir_val v, unsigned size, struct emit_mem *m)
{
	const struct ir_op *op = xe_op(x, v);

	if (x->v[v].loc == XE_SPILL) {
		*m = xe_slot(x->v[v].slot);
		return true;
	}
	if (x->v[v].loc == XE_STATE && op->size == size && x->v[v].last <= x->i) {
		*m = xe_state((u32)op->imm);
		return true;
	}
	if (x->v[v].loc == XE_POOL) {
		*m = (struct emit_mem){XE_RIP, EMIT_NONE, 1, false, (s32)x->pool_at[op->imm]};
		return true;
	}
	return false;
}

/* ---- writing ---- */

/* Values that live in the pinned register and are wanted later move out. */
void xe_free_pin(struct xe *x, unsigned reg, ir_val but)
{
	for (u32 n = 0; n < x->nlive; n++) {
		ir_val v = x->live[n];
		struct xe_val *xv = &x->v[v];

		if (v != but && xv->loc == XE_GPR && xv->reg == reg && xv->last > x->i) {
			unsigned r = gpr_alloc(x, v);

			emit_mov_rr(x->e, r, reg);
			xv->reg = (u8)r;
		}
	}
}

static bool operand_in(const struct xe *x, unsigned reg)
{
	const struct ir_op *op = xe_op(x, (ir_val)x->i);
	const ir_val o[3] = {op->a, op->b, op->c};

	for (unsigned n = 0; n < 3; n++) {
		const struct xe_val *xv = &x->v[o[n]];

		if (!o[n])
			continue;
		if (xv->loc == XE_GPR && xv->reg == reg)
			return true;
		if (xv->loc == XE_CMP || xv->loc == XE_SUM) {
			const struct ir_op *in = xe_op(x, o[n]);

			if ((x->v[in->a].loc == XE_GPR && x->v[in->a].reg == reg) ||
			    (x->v[in->b].loc == XE_GPR && x->v[in->b].reg == reg))
				return true;
		}
	}
	return false;
}

static unsigned def_in(struct xe *x, unsigned reg)
{
	ir_val i = (ir_val)x->i;

	x->v[i].loc = XE_GPR;
	x->v[i].reg = (u8)reg;
	xe_live(x, i);
	return reg;
}

unsigned xe_def(struct xe *x)
{
	const struct ir_op *op = xe_op(x, (ir_val)x->i);
	struct xe_val *xv = &x->v[x->i];
	const ir_val o[2] = {op->a, op->b};

	if (xv->hint >= 0) {
		xe_free_pin(x, (unsigned)xv->hint, 0);
		return def_in(x, (unsigned)xv->hint);
	}
	for (unsigned n = 0; n < 2; n++) {
		struct xe_val *ov = &x->v[o[n]];

		if (o[n] && ov->loc == XE_GPR && is_temp(ov->reg) && x->owner[ov->reg] == o[n] &&
		    ov->last <= x->i) {
			x->owner[ov->reg] = (u16)x->i;
			return def_in(x, ov->reg);
		}
	}
	return def_in(x, gpr_alloc(x, (ir_val)x->i));
}

unsigned xe_def_apart(struct xe *x)
{
	struct xe_val *xv = &x->v[x->i];

	if (xv->hint >= 0 && !operand_in(x, (unsigned)xv->hint)) {
		xe_free_pin(x, (unsigned)xv->hint, 0);
		return def_in(x, (unsigned)xv->hint);
	}
	return def_in(x, gpr_alloc(x, (ir_val)x->i));
}

unsigned xe_def_taken(struct xe *x, unsigned reg)
{
	struct xe_val *xv = &x->v[x->i];

	if (xv->hint >= 0) {
		xe_free_pin(x, (unsigned)xv->hint, 0);
		emit_mov_rr(x->e, (unsigned)xv->hint, reg);
		return def_in(x, (unsigned)xv->hint);
	}
	x->anon &= ~(1u << reg);
	x->owner[reg] = (u16)x->i;
	return def_in(x, reg);
}

unsigned xe_def_xmm(struct xe *x)
{
	ir_val i = (ir_val)x->i;
	unsigned r = xmm_alloc(x, i);

	x->v[i].loc = XE_XMM;
	x->v[i].reg = (u8)r;
	xe_live(x, i);
	return r;
}

/* v is in reg, a pinned register, from now on. */
void xe_at_gpr(struct xe *x, ir_val v, unsigned reg)
{
	struct xe_val *xv = &x->v[v];

	if (xv->loc == XE_GPR && is_temp(xv->reg) && x->owner[xv->reg] == v) {
		x->owner[xv->reg] = 0;
		x->used &= ~(1u << xv->reg);
	} else if (xv->loc == XE_SPILL) {
		slot_free(x, xv->slot);
	}
	xv->loc = XE_GPR;
	xv->reg = (u8)reg;
}

/* Nothing is in this temporary register any more, and nothing gets there in this operation. */
void xe_evacuate(struct xe *x, unsigned reg)
{
	ir_val v = x->owner[reg];

	if (!((x->used >> reg) & 1))
		return;
	if (!v) {
		x->failed = true;
		return;
	}
	x->locked |= 1u << reg;
	if (XE_TEMPS & ~x->used & ~x->locked) {
		unsigned r = gpr_alloc(x, v);

		emit_mov_rr(x->e, r, reg);
		x->v[v].reg = (u8)r;
		x->owner[reg] = 0;
		x->used &= ~(1u << reg);
	} else {
		spill(x, v);
	}
}

/* The state's bytes are about to change: values still there are read first. */
void xe_state_changes(struct xe *x, u32 off, u32 bytes)
{
	for (u32 n = 0; n < x->nlive; n++) {
		ir_val v = x->live[n];
		const struct ir_op *op = xe_op(x, v);
		u32 locked = x->locked, vlocked = x->vlocked;

		if (x->v[v].loc != XE_STATE || x->v[v].last <= x->i || op->imm >= off + bytes ||
		    op->imm + op->size <= off)
			continue;
		if (ir_result(op) == IR_I64)
			bring(x, v);
		else
			xe_use_xmm(x, v);
		x->locked = locked;
		x->vlocked = vlocked;
	}
}

/* Before a call into C: all that is in registers of ours goes to slots, operands too; what is in
 * pinned registers only if the call changes those. */
void xe_spill_all(struct xe *x, bool pins)
{
	for (u32 n = 0; n < x->nlive; n++) {
		ir_val v = x->live[n];
		struct xe_val *xv = &x->v[v];

		if (xv->last < x->i)
			continue;
		if (xv->loc == XE_XMM ||
		    (xv->loc == XE_GPR && (is_temp(xv->reg) || (pins && xv->last > x->i))))
			spill(x, v);
	}
}

static void forget(struct xe *x, ir_val v)
{
	struct xe_val *xv = &x->v[v];

	if (xv->loc == XE_GPR && is_temp(xv->reg) && x->owner[xv->reg] == v) {
		x->owner[xv->reg] = 0;
		x->used &= ~(1u << xv->reg);
	} else if (xv->loc == XE_XMM && x->vowner[xv->reg] == v) {
		x->vowner[xv->reg] = 0;
		x->vused &= ~(1u << xv->reg);
	} else if (xv->loc == XE_SPILL) {
		slot_free(x, xv->slot);
	}
	xv->loc = XE_NOWHERE;
}

void xe_end_op(struct xe *x)
{
	u32 kept = 0;

	x->used &= ~x->anon;
	x->vused &= ~x->vanon;
	x->anon = x->vanon = x->locked = x->vlocked = 0;
	for (u32 n = 0; n < x->nlive; n++) {
		ir_val v = x->live[n];

		if (x->v[v].last <= x->i)
			forget(x, v);
		else
			x->live[kept++] = v;
	}
	x->nlive = kept;
}

/* ---- what a look ahead can tell ---- */

/* Can user u take the value v as a condition that was not made into a number? */
static bool takes_condition(const struct ir_op *u, ir_val v)
{
	if (u->op == IR_BRIF || u->op == IR_EXITIF || (u->op == IR_PUT && u->size == 1))
		return true;
	return u->op == IR_SEL && u->a == v && u->b != v && u->c != v;
}

static void note_user(struct xe *x, ir_val v, u32 user)
{
	const struct ir_op *op = &x->ir->op[v], *u = &x->ir->op[user];

	if (!v)
		return;
	if (op->op == IR_SET && !takes_condition(u, v))
		x->v[v].odd = true;
	if (op->op == IR_ADD &&
	    !((u->op == IR_LOAD || u->op == IR_STORE) && u->a == v && u->b != v))
		x->v[v].odd = true;
}

bool xe_put_off(const struct xe *x, u32 i)
{
	const struct ir_op *op = &x->ir->op[i];

	if (x->v[i].odd || x->v[i].last > i + 24)
		return false;
	if (op->op == IR_SET)
		return true;
	return op->op == IR_ADD && op->size == 8 && x->ir->op[op->a].op != IR_CONST &&
	       x->ir->op[op->b].op != IR_CONST && op->uses == 1;
}

static void used_at(struct xe *x, ir_val v, u32 at)
{
	if (v && x->v[v].last < at)
		x->v[v].last = (u16)at;
}

/* Nothing from the making of v to its PUT at `put` looks at the register it is put to. */
static bool hint_holds(const struct xe *x, ir_val v, u32 put)
{
	u64 off = x->ir->op[put].imm;

	for (u32 i = put - 1; i > v; i--) {
		const struct ir_op *op = &x->ir->op[i];

		if (ir_info(op->op)->flags & (IR_F_MEM | IR_F_LABEL | IR_F_ENDS) ||
		    op->op == IR_CALL || op->op == IR_EXITIF)
			return false;
		if ((op->op == IR_GET || op->op == IR_PUT) && op->imm < off + 8 &&
		    op->imm + op->size > off)
			return false;
	}
	return true;
}

static void hint_find(struct xe *x, u32 i)
{
	const struct ir_op *op = &x->ir->op[i];
	unsigned pin;

	if (op->op != IR_PUT || op->size != 8 || op->type != IR_I64)
		return;
	pin = xe_pin(x, (u32)op->imm);
	if (pin && x->v[op->a].hint < 0 && hint_holds(x, op->a, i))
		x->v[op->a].hint = (s8)(pin - 1);
}

void xe_prepare(struct xe *x)
{
	struct ir_unit *u = x->ir;
	bool seen[IR_MAX_LABELS] = {false};

	for (u32 i = 0; i < u->n; i++)
		x->v[i] = (struct xe_val){.hint = -1};
	ir_count_uses(u);
	for (u32 i = 1; i < u->n; i++) {
		note_user(x, u->op[i].a, i);
		note_user(x, u->op[i].b, i);
		note_user(x, u->op[i].c, i);
		hint_find(x, i);
		if (u->op[i].op == IR_LABEL)
			seen[u->op[i].imm] = true;
		else if (ir_info(u->op[i].op)->flags & IR_F_LABEL && seen[u->op[i].imm])
			x->label_back[u->op[i].imm] = true;
	}
	for (u32 i = u->n - 1; i > 0; i--) {
		u32 at = xe_put_off(x, i) ? x->v[i].last : i;

		used_at(x, u->op[i].a, at);
		used_at(x, u->op[i].b, at);
		used_at(x, u->op[i].c, at);
	}
}
