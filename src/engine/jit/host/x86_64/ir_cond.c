/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparisons of lifted units: the host's flags, and what is made of them.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

static const u8 cc_host[] = {
	[IR_EQ] = CC_E,	  [IR_NE] = CC_NE, [IR_LTS] = CC_L,  [IR_LES] = CC_LE, [IR_GTS] = CC_G,
	[IR_GES] = CC_GE, [IR_LTU] = CC_B, [IR_LEU] = CC_BE, [IR_GTU] = CC_A,  [IR_GEU] = CC_AE,
};
static const u8 cc_swapped[] = {
	[IR_EQ] = IR_EQ,   [IR_NE] = IR_NE,   [IR_LTS] = IR_GTS, [IR_LES] = IR_GES,
	[IR_GTS] = IR_LTS, [IR_GES] = IR_LES, [IR_LTU] = IR_GTU, [IR_LEU] = IR_GEU,
	[IR_GTU] = IR_LTU, [IR_GEU] = IR_LEU,
};

static void compare(struct xe *x, const struct ir_op *op, ir_val a, ir_val b)
{
	struct emit_mem m;
	bool w = op->size == 8;
	unsigned ra, rb;
	s32 imm;

	if (xe_imm(x, op, b, &imm)) {
		if (x->v[a].loc == XE_STATE && xe_op(x, a)->size == op->size) {
			m = xe_state((u32)xe_op(x, a)->imm);
			x86_grp1_mi(x->e, 7, op->size, &m, imm);
			return;
		}
		ra = xe_use(x, a);
		if (imm == 0)
			emit_rr(x->e, OP_TEST, w, ra, ra);
		else
			emit_grp1_ri(x->e, 7, w, ra, imm);
	} else if (xe_in_memory(x, b, op->size, &m)) {
		emit_rm(x->e, OP_CMP_RM, w, xe_use(x, a), &m);
	} else {
		ra = xe_use(x, a);
		rb = xe_use(x, b);
		emit_rr(x->e, OP_CMP_RM, w, ra, rb);
	}
}

/* A byte of the state that is (not) equal to a small number. */
static bool compare_byte(struct xe *x, const struct ir_op *op)
{
	const struct ir_op *get = xe_op(x, op->a);
	struct emit_mem m;

	if (op->sub > IR_NE || x->v[op->a].loc != XE_STATE || get->size != 1 ||
	    (get->sub & IR_SIGNED) || !xe_is_const(x, op->b) || xe_const(x, op->b) > 127)
		return false;
	m = xe_state((u32)get->imm);
	xe_flags_gone(x);
	x86_grp1_mi(x->e, 7, 1, &m, (s32)xe_const(x, op->b));
	return true;
}

/* Are the flags as a comparison of a with b, which is 0, would leave them? */
static bool of_result(const struct xe *x, ir_val a, ir_val b, unsigned size, u8 cc)
{
	return x->flags_of && x->flags_of == a && xe_op(x, a)->size == size && xe_is_const(x, b) &&
	       xe_const(x, b) == 0 && (x->flags_sign || cc <= IR_NE);
}

static enum emit_cc set_flags(struct xe *x, const struct ir_op *op)
{
	ir_val a = op->a, b = op->b;
	u8 cc = op->sub;

	if (compare_byte(x, op))
		return (enum emit_cc)cc_host[cc];
	if (xe_is_const(x, a) && !xe_is_const(x, b)) {
		a = op->b;
		b = op->a;
		cc = cc_swapped[cc];
	}
	if (of_result(x, a, b, op->size, cc))
		return (enum emit_cc)cc_host[cc];
	if (!x->flags_valid || x->flags_a != a || x->flags_b != b || x->flags_size != op->size) {
		compare(x, op, a, b);
		x->flags_of = 0;
		x->flags_valid = true;
		x->flags_a = a;
		x->flags_b = b;
		x->flags_size = op->size;
	}
	return (enum emit_cc)cc_host[cc];
}

enum emit_cc xe_condition(struct xe *x, ir_val v)
{
	const struct ir_op *op = xe_op(x, v);
	struct emit_mem m;

	if (x->v[v].loc == XE_CMP)
		return set_flags(x, op);
	xe_flags_gone(x);
	if (x->v[v].loc == XE_STATE) {
		m = xe_state((u32)op->imm);
		x86_grp1_mi(x->e, 7, op->size, &m, 0);
	} else {
		unsigned r = xe_use(x, v);

		emit_rr(x->e, OP_TEST, true, r, r);
	}
	return CC_NE;
}

void xe_set_make(struct xe *x, ir_val v, unsigned reg)
{
	enum emit_cc cc = set_flags(x, xe_op(x, v));

	x86_setcc(x->e, cc, reg);
	x86_rr(x->e, 0, 0x0fb6, false, reg, reg);
}

static void set(struct xe *x, const struct ir_op *op)
{
	enum emit_cc cc = set_flags(x, op);
	unsigned dst = xe_def(x);

	x86_setcc(x->e, cc, dst);
	x86_rr(x->e, 0, 0x0fb6, false, dst, dst);
}

/* xe_condition, giving back the registers it took. */
enum emit_cc xe_condition_only(struct xe *x, ir_val v)
{
	u32 locked = x->locked, anon = x->anon;
	enum emit_cc cc = xe_condition(x, v);

	x->locked = locked;
	x->used &= ~(x->anon & ~anon);
	x->anon = anon;
	return cc;
}

static void sel(struct xe *x, const struct ir_op *op)
{
	enum emit_cc cc = xe_condition_only(x, op->a);
	unsigned b = xe_use(x, op->b), dst = xe_def_apart(x);

	xe_load_to(x, dst, op->c);
	emit_rr(x->e, 0x0f40u | cc, true, dst, b);
}

/* A PUT of one byte to off, of the SET before it, which compares as `like` does. */
static bool puts_set(const struct xe *x, u32 i, unsigned cc, u64 off, const struct ir_op *like)
{
	const struct ir_op *put = &x->ir->op[i], *set = put - 1;

	return put->op == IR_PUT && put->size == 1 && put->imm == off && put->a == i - 1 &&
	       set->op == IR_SET && set->sub == cc && set->size == like->size &&
	       set->a == like->a && set->b == like->b && xe_put_off(x, i - 1);
}

/*
 * PUTs of a < b, a > b, a == b to bytes in a row, and of what does not matter here to the fourth
 * behind them:
 *
 *	mov	t, 1 << 8
 *	cmovl	t, [1]
 *	cmove	t, [1 << 16]
 *	mov	[state], t
 */
bool xe_put_order(struct xe *x, const struct ir_op *op)
{
	const struct ir_op *set = xe_op(x, op->a), *so = op + 5;
	struct emit_mem m = xe_state((u32)op->imm), less = XE_RT(x, konst[XE_K_ORDER].lo);
	struct emit_mem equal = XE_RT(x, konst[XE_K_ORDER].hi);
	enum emit_cc cc;
	unsigned t;

	if (op->size != 1 || x->v[op->a].loc != XE_CMP || x->i + 7 > x->ir->n ||
	    xe_pin(x, (u32)op->imm & ~7u) || xe_pin(x, (u32)(op->imm + 3) & ~7u) ||
	    (set->sub != IR_LTS && set->sub != IR_LTU) ||
	    !puts_set(x, x->i + 2, set->sub == IR_LTS ? IR_GTS : IR_GTU, op->imm + 1, set) ||
	    !puts_set(x, x->i + 4, IR_EQ, op->imm + 2, set))
		return false;
	if (so->op == IR_GET && (so->imm + so->size <= op->imm || so->imm >= op->imm + 4))
		so++;
	if (so->op != IR_PUT || so->size != 1 || so->imm != op->imm + 3)
		return false;
	xe_state_changes(x, (u32)op->imm, 4);
	cc = xe_condition(x, op->a);
	t = xe_gpr_temp(x);
	emit_mov_ri(x->e, t, 1 << 8);
	x86_rm(x->e, 0, 0x0f40u | cc, false, t, &less);
	x86_rm(x->e, 0, 0x0f40u | CC_E, false, t, &equal);
	emit_rm(x->e, OP_MOV_MR, false, t, &m);
	x->v[x->i + 2].loc = x->v[x->i + 4].loc = XE_DONE;
	return true;
}

bool xe_cond(struct xe *x, const struct ir_op *op)
{
	if (op->op == IR_SET)
		set(x, op);
	else if (op->op == IR_SEL && op->type == IR_I64)
		sel(x, op);
	else
		return false;
	return true;
}
