/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy guest for tests of the IR: a state with 32 integer registers, flags and vectors, helpers,
 * and random units on it. Used by unit tests and by the fuzz target.
 */
#ifndef HULL_TESTS_IR_TOY_H
#define HULL_TESTS_IR_TOY_H

#include <string.h>

#include "engine/jit/irrun/irrun.h"

struct toy_cpu {
	u64 gpr[32];
	u64 lr, ctr;
	u8 flag[40];
	u64 pc;
	struct ir_v128 vtmp;
	struct ir_v128 vr[16];
	u64 loops;
	struct irrun_cpu rt;
};

enum { TOY_PURE, TOY_READS, TOY_WRITES, TOY_VECTOR, TOY_LEAVES, TOY_NAN, TOY_VNAN, TOY_HELPERS };

static u64 toy_pure(void *cpu, u64 a, u64 b, u64 c)
{
	(void)cpu;
	return a * 3 + b * 5 + c * 7 + 1;
}

static u64 toy_reads(void *cpu, u64 a, u64 b, u64 c)
{
	struct toy_cpu *t = cpu;

	(void)c;
	return t->gpr[a & 31] ^ t->gpr[b & 31] ^ t->lr;
}

static u64 toy_writes(void *cpu, u64 a, u64 b, u64 c)
{
	struct toy_cpu *t = cpu;

	t->gpr[a & 31] += b;
	t->gpr[(a >> 8) & 31] ^= c;
	t->flag[a & 31] = b & 1;
	return t->gpr[3];
}

static u64 toy_vector(void *cpu, u64 a, u64 b, u64 c)
{
	struct toy_cpu *t = cpu;

	t->vr[a & 15].lo ^= b;
	t->vr[a & 15].hi += c;
	return t->vr[b & 15].lo;
}

static u64 toy_leaves(void *cpu, u64 a, u64 b, u64 c)
{
	struct toy_cpu *t = cpu;

	(void)c;
	t->gpr[5] += a;
	if (b & 1) {
		t->rt.leave = 1;
		atomic_store(&t->rt.kick, 1);
	}
	return 7;
}

static u64 toy_nan(void *cpu, u64 a, u64 b, u64 c)
{
	(void)cpu;
	(void)b;
	(void)c;
	return 0x7ff8000000000000ULL + a;
}

static u64 toy_vnan(void *cpu, u64 a, u64 b, u64 c)
{
	struct toy_cpu *t = cpu;

	(void)b;
	(void)c;
	t->vtmp.lo = a;
	t->vtmp.hi = ~a;
	return 0;
}

static const struct ir_helper toy_helper[TOY_HELPERS] = {
	[TOY_PURE] = {"pure", toy_pure, 0},
	[TOY_READS] = {"reads", toy_reads, IR_CALL_READS},
	[TOY_WRITES] = {"writes", toy_writes, IR_CALL_READS | IR_CALL_WRITES},
	[TOY_VECTOR] = {"vector", toy_vector, IR_CALL_VECTOR},
	[TOY_LEAVES] = {"leaves", toy_leaves, IR_CALL_READS | IR_CALL_WRITES | IR_CALL_RAISES},
	[TOY_NAN] = {"nan", toy_nan, 0},
	[TOY_VNAN] = {"vnan", toy_vnan, IR_CALL_VECTOR},
};

#define TOY_GPR(n) (8u * (n))
static const struct ir_target toy_target = {
	.name = "toy",
	.state_bytes = offsetof(struct toy_cpu, rt),
	.helper = toy_helper,
	.nhelpers = TOY_HELPERS,
	.relaxed_off = offsetof(struct toy_cpu, flag),
	.relaxed_bytes = 40,
	.flags_off = offsetof(struct toy_cpu, flag),
	.flags_bytes = 40,
	.sp_off = TOY_GPR(1),
	.pc_off = offsetof(struct toy_cpu, pc),
	.vtmp_off = offsetof(struct toy_cpu, vtmp),
	.rt_off = offsetof(struct toy_cpu, rt),
	.pin = {TOY_GPR(1), TOY_GPR(3), TOY_GPR(4), TOY_GPR(5), TOY_GPR(6), TOY_GPR(7), TOY_GPR(8),
		TOY_GPR(9), TOY_GPR(10), TOY_GPR(31)},
	.npins = 10,
};

/* ---- random units ---- */

/* Random numbers, or the bytes of a fuzzer while there are any. */
struct toy_rng {
	u64 s;
	const u8 *bytes;
	size_t n;
};

static inline u32 toy_rand(struct toy_rng *r, u32 below)
{
	if (r->bytes) {
		u32 v = 0;

		for (unsigned i = 0; i < 2 && r->n; i++, r->n--)
			v = v << 8 | *r->bytes++;
		return v % below;
	}
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return (u32)(r->s >> 24) % below;
}

static inline u64 toy_number(struct toy_rng *r)
{
	static const u64 some[] = {0,
				   1,
				   2,
				   31,
				   32,
				   63,
				   64,
				   127,
				   128,
				   255,
				   0x7fff,
				   0x8000,
				   0xffff,
				   0x7fffffff,
				   0x80000000,
				   0xffffffff,
				   0x100000000,
				   0x7fffffffffffffff,
				   0x8000000000000000,
				   0xffffffffffffffff,
				   0xffffffff80000000,
				   0x3ff0000000000000,
				   0xbff8000000000000,
				   0x7ff0000000000000,
				   0x7ff8000000000001,
				   0x4340000000000000};
	u64 v = 0;

	switch (toy_rand(r, 3)) {
	case 0:
		return some[toy_rand(r, ARRAY_LEN(some))];
	case 1:
		return toy_rand(r, 65536);
	}
	for (unsigned i = 0; i < 4; i++)
		v = v << 16 | toy_rand(r, 65536);
	return v;
}

/* What the next operation may use: values of each type since the last label. */
struct toy_gen {
	struct ir_unit *u;
	struct toy_rng *r;
	ir_val val[5][64]; /* by enum ir_type */
	u32 n[5];
	u64 memory; /* guest address */
	u32 bytes;
	u64 pc;
	u32 loop; /* label of the loop being made + 1 */
};

static inline void toy_keep(struct toy_gen *g, ir_val v)
{
	enum ir_type t = ir_result(&g->u->op[v]);

	if (v && t != IR_VOID)
		g->val[t][g->n[t]++ % 64] = v;
}

static inline ir_val toy_get(struct toy_gen *g, enum ir_type t)
{
	static const u8 size[] = {1, 2, 4, 8, 8, 8, 8};
	u32 off = (u32)offsetof(struct toy_cpu, vr) + 16 * toy_rand(g->r, 16);

	if (toy_rand(g->r, 10) == 0) /* across registers */
		return ir_get(g->u, t,
			      t == IR_V128  ? 16
			      : t == IR_F32 ? 4
					    : 8,
			      toy_rand(g->r, 250));
	if (t == IR_V128)
		return ir_get(g->u, t, 16, off);
	if (t == IR_F64)
		return ir_get(g->u, t, 8, off + 8 * toy_rand(g->r, 2));
	if (t == IR_F32)
		return ir_get(g->u, t, 4, off + 4 * toy_rand(g->r, 4));
	if (toy_rand(g->r, 4) == 0)
		return ir_get(g->u, t, 1, (u32)offsetof(struct toy_cpu, flag) + toy_rand(g->r, 40));
	return ir_get(g->u, t, size[toy_rand(g->r, 7)], TOY_GPR(toy_rand(g->r, 34)));
}

static inline ir_val toy_val(struct toy_gen *g, enum ir_type t)
{
	ir_val v;

	if (g->n[t] && toy_rand(g->r, 4)) {
		u32 n = g->n[t] < 64 ? g->n[t] : 64;

		return g->val[t][toy_rand(g->r, n)];
	}
	if (t == IR_I64 && toy_rand(g->r, 3) == 0)
		v = ir_const(g->u, toy_number(g->r));
	else if (t == IR_V128 && toy_rand(g->r, 4) == 0)
		v = ir_vconst(g->u, toy_number(g->r), toy_number(g->r));
	else
		v = toy_get(g, t);
	toy_keep(g, v);
	return v;
}

static inline void toy_put(struct toy_gen *g)
{
	static const u8 size[] = {8, 8, 8, 8, 4, 2, 1};
	enum ir_type t = (enum ir_type)(IR_I64 + toy_rand(g->r, 6));
	u32 off = (u32)offsetof(struct toy_cpu, vr) + 16 * toy_rand(g->r, 16);
	unsigned n;

	if (toy_rand(g->r, 16) == 0 && t <= IR_V128) {
		ir_put(g->u, t,
		       t == IR_V128  ? 16
		       : t == IR_F32 ? 4
				     : 8,
		       toy_rand(g->r, 248), toy_val(g, t));
		return;
	}
	switch (t) {
	case IR_V128:
		ir_put(g->u, t, 16, off, toy_val(g, t));
		return;
	case IR_F64:
		ir_put(g->u, t, 8, off + 8 * toy_rand(g->r, 2), toy_val(g, t));
		return;
	case IR_F32:
		ir_put(g->u, t, 4, off + 4 * toy_rand(g->r, 4), toy_val(g, t));
		return;
	default:
		break;
	}
	n = toy_rand(g->r, 4) ? size[toy_rand(g->r, 7)] : 0;
	if (n)
		ir_put(g->u, IR_I64, n, TOY_GPR(toy_rand(g->r, 33)), toy_val(g, IR_I64));
	else
		ir_put(g->u, IR_I64, 1, (u32)offsetof(struct toy_cpu, flag) + toy_rand(g->r, 40),
		       ir_make(g->u, IR_AND, 8, toy_val(g, IR_I64), ir_const(g->u, 1), 0));
}

/* A comparison as guests record it, often of what was computed with 0: less, greater, equal and a
 * fourth flag, which may be one of the three bytes before or the one that is overwritten. */
static inline void toy_order(struct toy_gen *g)
{
	static const u8 alu[] = {IR_ADD, IR_SUB, IR_AND, IR_OR, IR_XOR};
	u32 off = (u32)offsetof(struct toy_cpu, flag) + toy_rand(g->r, 36);
	unsigned size = 4u << toy_rand(g->r, 2), is_signed = toy_rand(g->r, 2);
	ir_val a = toy_val(g, IR_I64), b = toy_val(g, IR_I64), so;

	if (toy_rand(g->r, 2)) {
		a = ir_make(g->u, alu[toy_rand(g->r, ARRAY_LEN(alu))], 4u << toy_rand(g->r, 2), a,
			    b, 0);
		toy_keep(g, a);
		b = ir_const(g->u, 0);
	}
	ir_put(g->u, IR_I64, 1, off, ir_set(g->u, is_signed ? IR_LTS : IR_LTU, size, a, b));
	ir_put(g->u, IR_I64, 1, off + 1, ir_set(g->u, is_signed ? IR_GTS : IR_GTU, size, a, b));
	b = ir_set(g->u, IR_EQ, size, a, b);
	ir_put(g->u, IR_I64, 1, off + 2, b);
	toy_keep(g, b);
	so = ir_get(g->u, IR_I64, 1, (u32)offsetof(struct toy_cpu, flag) + toy_rand(g->r, 40));
	ir_put(g->u, IR_I64, 1, off + 3, so);
}

/* An address inside the memory, often made like a guest makes them. */
static inline ir_val toy_address(struct toy_gen *g)
{
	ir_val v =
		ir_make(g->u, IR_AND, 8, toy_val(g, IR_I64), ir_const(g->u, g->bytes / 2 - 1), 0);

	return ir_make(g->u, IR_ADD, 8, v,
		       toy_rand(g->r, 2) ? ir_const(g->u, g->memory)
					 : ir_get(g->u, IR_I64, 8, TOY_GPR(33)),
		       0);
}

static inline void toy_memory(struct toy_gen *g)
{
	enum ir_type t = (enum ir_type)(IR_I64 + (toy_rand(g->r, 3) ? 0 : toy_rand(g->r, 4)));
	unsigned size = t == IR_V128 ? 16 : t == IR_F32 ? 4 : 8, flags = toy_rand(g->r, 4);
	ir_val a = toy_address(g), old;
	s64 disp = toy_rand(g->r, g->bytes / 2 - 16);

	if (t == IR_I64)
		size = 1u << toy_rand(g->r, 4);
	else
		flags &= IR_SWAP;
	switch (toy_rand(g->r, 5)) {
	case 0:
	case 1:
		toy_keep(g, ir_load(g->u, t, size, flags, a, disp));
		break;
	case 2:
	case 3:
		ir_store(g->u, t, size, flags & IR_SWAP, a, disp, toy_val(g, t));
		break;
	default: /* aligned, as a lifter sees to; of what is there, or of anything */
		size = 1u << toy_rand(g->r, 4);
		a = ir_make(g->u, IR_AND, 8, a, ir_const(g->u, ~7ULL), 0);
		old = toy_rand(g->r, 4) ? ir_load(g->u, IR_I64, size, flags & IR_SWAP, a, 0)
					: toy_val(g, IR_I64);
		toy_keep(g, ir_cas(g->u, size, flags & IR_SWAP, a, old, toy_val(g, IR_I64)));
	}
}

static inline void toy_call(struct toy_gen *g)
{
	unsigned h = toy_rand(g->r, TOY_NAN);

	ir_insn(g->u, g->pc += 4);
	toy_keep(g, ir_call(g->u, h, toy_val(g, IR_I64), toy_val(g, IR_I64), toy_val(g, IR_I64)));
}

static inline void toy_set_imm(struct toy_gen *g, struct ir_op *op, const struct ir_info *info)
{
	if (info->flags & IR_F_CC)
		op->sub = (u8)(op->op == IR_SET		? toy_rand(g->r, 10)
			       : toy_rand(g->r, 7) == 6 ? IR_UNO
							: toy_rand(g->r, 6));
	if (info->flags & IR_F_ROUND)
		op->imm = toy_rand(g->r, 5);
	if (op->op == IR_VEXT || op->op == IR_VINS)
		op->imm = toy_rand(g->r, 16u / op->size);
	else if (info->flags & IR_F_LANE)
		op->imm = toy_rand(g->r, op->size == 16 || !op->size ? 16 : op->size * 8u);
	if (op->op == IR_FFIX)
		op->imm = TOY_NAN | (u64)toy_rand(g->r, 100) << 32;
	if (op->op == IR_VFIX)
		op->imm = TOY_VNAN | (u64)toy_rand(g->r, 100) << 32;
}

/* Any operation that makes a value of others. */
static inline void toy_value(struct toy_gen *g)
{
	static const u8 sizes[] = {1, 2, 4, 8, 16};
	struct ir_op op = {.op = (u8)toy_rand(g->r, IR_OPCODES)};
	const struct ir_info *info = ir_info(op.op);
	bool fp = info->flags & IR_F_FP || op.op == IR_FABS || op.op == IR_FNEG ||
		  op.op == IR_FBITS || op.op == IR_BITSF;

	if (info->flags & (IR_F_EFFECT | IR_F_OFF | IR_F_IMM | IR_F_POOL) || op.op == IR_NONE)
		return;
	if (strchr(info->sig, 't'))
		op.type = (u8)(fp ? (toy_rand(g->r, 2) ? IR_F64 : IR_F32)
				  : IR_I64 + toy_rand(g->r, 4));
	if (info->sizes)
		do
			op.size = sizes[toy_rand(g->r, 5)];
		while (!(op.size & info->sizes) && (!g->r->bytes || g->r->n));
	if (info->sizes && !(op.size & info->sizes))
		return;
	toy_set_imm(g, &op, info);
	if (ir_operand(&op, 0) != IR_VOID)
		op.a = toy_val(g, ir_operand(&op, 0));
	if (ir_operand(&op, 1) != IR_VOID)
		op.b = toy_val(g, ir_operand(&op, 1));
	if (ir_operand(&op, 2) != IR_VOID)
		op.c = toy_val(g, ir_operand(&op, 2));
	toy_keep(g, ir_add_op(g->u, op));
}

static inline ir_val toy_condition(struct toy_gen *g)
{
	if (toy_rand(g->r, 2))
		return ir_set(g->u, (enum ir_cc)toy_rand(g->r, 10), toy_rand(g->r, 2) ? 4 : 8,
			      toy_val(g, IR_I64), toy_val(g, IR_I64));
	return toy_val(g, IR_I64);
}

static inline void toy_forget(struct toy_gen *g)
{
	for (unsigned t = 0; t < 5; t++)
		g->n[t] = 0;
}

static inline void toy_flow(struct toy_gen *g)
{
	u32 l;

	switch (toy_rand(g->r, 4)) {
	case 0:
		ir_exitif(g->u, toy_condition(g), g->pc + 0x1000);
		break;
	case 1: /* forwards over a few */
		l = ir_new_label(g->u);
		ir_brif(g->u, toy_condition(g), l);
		for (u32 n = toy_rand(g->r, 6); n > 0; n--)
			toy_value(g);
		toy_put(g);
		ir_label(g->u, l);
		toy_forget(g);
		break;
	case 2: /* a loop that ends */
		if (g->loop)
			break;
		g->loop = ir_new_label(g->u) + 1;
		ir_put(g->u, IR_I64, 8, offsetof(struct toy_cpu, loops), ir_const(g->u, 3));
		ir_label(g->u, g->loop - 1);
		toy_forget(g);
		ir_insn(g->u, g->pc += 4);
		break;
	default:
		if (g->loop) {
			u32 off = offsetof(struct toy_cpu, loops);
			ir_val n = ir_make(g->u, IR_SUB, 8, ir_get(g->u, IR_I64, 8, off),
					   ir_const(g->u, 1), 0);

			ir_put(g->u, IR_I64, 8, off, n);
			ir_brif(g->u, ir_set(g->u, IR_GTS, 8, n, ir_const(g->u, 0)), g->loop - 1);
			g->loop = 0;
		}
	}
}

/* A random unit of about n operations at pc; memory: guest address of 2^k bytes to play with. */
static inline void toy_unit(struct ir_unit *u, struct toy_rng *r, u32 n, u64 pc, u64 memory,
			    u32 bytes)
{
	struct toy_gen g = {.u = u, .r = r, .memory = memory, .bytes = bytes, .pc = pc};

	ir_begin(u, &toy_target, pc);
	ir_insn(u, pc);
	while (u->n < n && (!r->bytes || r->n)) {
		u32 what = toy_rand(r, 20);

		if (what < 11)
			toy_value(&g);
		else if (what < 14)
			toy_put(&g);
		else if (what < 15)
			toy_order(&g);
		else if (what < 17) {
			ir_insn(u, g.pc += 4);
			toy_memory(&g);
		} else if (what < 18)
			toy_call(&g);
		else
			toy_flow(&g);
	}
	for (unsigned i = 0; i < 3; i++)
		toy_put(&g);
	switch (toy_rand(r, 3)) {
	case 0:
		ir_exit(u, IR_PLAIN, pc + 0x2000);
		break;
	case 1:
		ir_exitind(
			u, IR_PLAIN,
			ir_make(u, IR_AND, 8, toy_val(&g, IR_I64), ir_const(u, 0x7ffffffffffc), 0));
		break;
	default:
		ir_put(u, IR_I64, 8, offsetof(struct toy_cpu, pc), ir_const(u, pc + 0x3000));
		ir_exitrt(u, 5);
	}
}

#endif
