/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter: state, memory, control flow.
 */
#include "engine/jit/ir/interp.h"

#include "base/bits.h"

static void copy(void *to, const void *from, unsigned n)
{
	u8 *t = to;
	const u8 *f = from;

	for (unsigned i = 0; i < n; i++)
		t[i] = f[i];
}

static void reverse(u8 *b, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		u8 t = b[i];

		b[i] = b[n - 1 - i];
		b[n - 1 - i] = t;
	}
}

static void sign_extend(const struct ir_op *op, union ir_cell *r)
{
	unsigned n = 64 - 8 * op->size;

	if (op->sub & IR_SIGNED && op->type == IR_I64 && op->size < 8)
		r->q[0] = (u64)((s64)(r->q[0] << n) >> n);
}

static u8 *state(const struct ir_env *env, const struct ir_op *op)
{
	return (u8 *)env->cpu + op->imm;
}

static int load(struct ir_env *env, const struct ir_op *op, union ir_cell *r, u64 addr)
{
	*r = (union ir_cell){.q = {0, 0}};
	if (env->access(env->ctx, addr + op->imm, op->size, false, r->b) < 0)
		return -1;
	if (op->sub & IR_SWAP)
		reverse(r->b, op->size);
	sign_extend(op, r);
	return 0;
}

static int store(struct ir_env *env, const struct ir_op *op, const union ir_cell *v, u64 addr)
{
	union ir_cell t = *v;

	if (op->sub & IR_SWAP)
		reverse(t.b, op->size);
	return env->access(env->ctx, addr + op->imm, op->size, true, t.b);
}

static int cas(struct ir_env *env, const struct ir_op *op, union ir_cell *r, u64 addr,
	       union ir_cell old, union ir_cell new)
{
	int ret;

	if (op->sub & IR_SWAP) {
		reverse(old.b, op->size);
		reverse(new.b, op->size);
	}
	ret = env->cas(env->ctx, addr + op->imm, op->size, old.b, new.b);
	r->q[0] = ret > 0;
	r->q[1] = 0;
	return ret;
}

static u64 *pc_slot(const struct ir_unit *u, const struct ir_env *env)
{
	return (u64 *)(void *)((u8 *)env->cpu + u->target->pc_off);
}

static void call(const struct ir_unit *u, struct ir_env *env, const struct ir_op *op,
		 union ir_cell *r, const union ir_cell *cell)
{
	const struct ir_helper *h = &u->target->helper[(u32)op->imm];

	if (h->flags & IR_CALL_RAISES)
		*pc_slot(u, env) = env->pc;
	r->q[0] = h->fn(env->cpu, op->a ? cell[op->a].q[0] : 0, op->b ? cell[op->b].q[0] : 0,
			op->c ? cell[op->c].q[0] : 0);
	r->q[1] = 0;
}

/* A NaN, or plus or minus the smallest normal number? */
static bool wants_fix(u64 v, u64 sign, u64 infinity, u64 smallest)
{
	v &= ~sign;
	return v > infinity || v == smallest;
}

static void fix(const struct ir_unit *u, struct ir_env *env, const struct ir_op *op,
		union ir_cell *r, const union ir_cell *a)
{
	const struct ir_helper *h = &u->target->helper[(u32)op->imm];
	unsigned n = op->op == IR_VFIX ? 16u / op->size : 1;
	bool wide = op->op == IR_VFIX ? op->size == 8 : op->type == IR_F64, odd = false;

	for (unsigned i = 0; i < n; i++)
		odd |= wide ? wants_fix(a->q[i], 1ULL << 63, 0x7ffULL << 52, 1ULL << 52)
			    : wants_fix(a->d[i], 1ULL << 31, 0xffULL << 23, 1ULL << 23);
	*r = *a;
	if (!odd)
		return;
	r->q[0] = h->fn(env->cpu, op->imm >> 32, 0, 0);
	r->q[1] = 0;
	if (op->op == IR_VFIX)
		copy(r->b, (u8 *)env->cpu + u->target->vtmp_off, 16);
}

static u32 label_find(const struct ir_unit *u, u64 label)
{
	u32 i = 1;

	while (i < u->n && !(u->op[i].op == IR_LABEL && u->op[i].imm == label))
		i++;
	return i;
}

/* To a label; 0: kicked. */
static u32 branch(const struct ir_unit *u, struct ir_env *env, u32 from, u64 label)
{
	u32 to = label_find(u, label);

	if (to > from || to + 1 >= u->n || u->op[to + 1].op != IR_INSN)
		return to;
	if ((env->kick && atomic_load_explicit(env->kick, memory_order_relaxed)) ||
	    (env->fuel && !--env->fuel)) {
		env->pc = u->op[to + 1].imm;
		return 0;
	}
	return to;
}

static enum ir_end leave(struct ir_env *env, const struct ir_op *op, u64 pc)
{
	env->pc = pc;
	env->kind = op->sub;
	return IR_END_EXIT;
}

/* One operation with an effect on memory or state; < 0: it faulted. */
static int effect(const struct ir_unit *u, struct ir_env *env, const struct ir_op *op,
		  union ir_cell *r, const union ir_cell *a, const union ir_cell *b)
{
	switch (op->op) {
	case IR_PUT:
		copy(state(env, op), a->b, op->size);
		return 0;
	case IR_LOAD:
		return load(env, op, r, a->q[0]);
	case IR_STORE:
		return store(env, op, b, a->q[0]);
	case IR_CAS:
		return cas(env, op, r, a->q[0], *b, env->cell[op->c]);
	case IR_FENCE:
		atomic_thread_fence(memory_order_seq_cst);
		return 0;
	case IR_INSN:
		env->pc = op->imm;
		return 0;
	case IR_CALL:
		call(u, env, op, r, env->cell);
		return 0;
	}
	return 0;
}

static void value(const struct ir_unit *u, struct ir_env *env, const struct ir_op *op,
		  union ir_cell *r, const union ir_cell *a, const union ir_cell *b)
{
	const union ir_cell *c = &env->cell[op->c];

	switch (op->op) {
	case IR_CONST:
		r->q[0] = op->imm;
		r->q[1] = 0;
		return;
	case IR_VCONST:
		r->q[0] = u->pool[op->imm].lo;
		r->q[1] = u->pool[op->imm].hi;
		return;
	case IR_GET:
		*r = (union ir_cell){.q = {0, 0}};
		copy(r->b, state(env, op), op->size);
		sign_extend(op, r);
		return;
	case IR_SEL:
		*r = a->q[0] ? *b : *c;
		return;
	case IR_FFIX:
	case IR_VFIX:
		fix(u, env, op, r, a);
		return;
	}
	if (!ir_interp_int(op, r, a, b, c) && !ir_interp_fp(op, r, a, b, c))
		ir_interp_vec(op, r, a, b, c);
}

enum ir_end ir_interp(const struct ir_unit *u, struct ir_env *env)
{
	u32 i = 1;

	env->pc = u->pc;
	while (i < u->n) {
		const struct ir_op *op = &u->op[i];
		union ir_cell *r = &env->cell[i];
		const union ir_cell *a = &env->cell[op->a], *b = &env->cell[op->b];

		switch (op->op) {
		case IR_BR:
		case IR_BRIF:
			if (op->op == IR_BRIF && !a->q[0])
				break;
			i = branch(u, env, i, op->imm);
			if (!i)
				return IR_END_KICK;
			continue;
		case IR_EXIT:
			return leave(env, op, op->imm);
		case IR_EXITIF:
			if (a->q[0])
				return leave(env, &(struct ir_op){.sub = IR_PLAIN}, op->imm);
			break;
		case IR_EXITIND:
			return leave(env, op, a->q[0]);
		case IR_EXITRT:
			env->reason = (u32)op->imm;
			return IR_END_RT;
		default:
			if (!(ir_info(op->op)->flags & IR_F_EFFECT))
				value(u, env, op, r, a, b);
			else if (effect(u, env, op, r, a, b) < 0)
				return IR_END_FAULT;
			else if (op->op == IR_CALL && env->leave && *env->leave)
				return IR_END_LEAVE;
		}
		i++;
	}
	return IR_END_LEAVE; /* not reached by a verified unit */
}
