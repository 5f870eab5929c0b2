/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter of the IR: what a unit means. Oracle of the emitters' tests, and what runs lifted
 * code where there is no emitter. Wants a verified unit.
 */
#ifndef HULL_ENGINE_JIT_IR_INTERP_H
#define HULL_ENGINE_JIT_IR_INTERP_H

#include <stdatomic.h>

#include "engine/jit/ir/ir.h"

union ir_cell {
	u64 q[2];
	u32 d[4];
	u16 w[8];
	u8 b[16];
	double f64[2];
	float f32[4];
};

enum ir_end {
	IR_END_EXIT,  /* to pc; kind */
	IR_END_RT,    /* EXITRT, reason */
	IR_END_FAULT, /* access said so, at the instruction pc */
	IR_END_LEAVE, /* a helper set *leave */
	IR_END_KICK,  /* *kick was seen on the way back; pc is where to go on */
};

struct ir_env {
	void *cpu; /* state */
	void *ctx; /* of the functions below */
	/* Guest memory, bytes in guest order: 0, or < 0 for a fault. */
	int (*access)(void *ctx, u64 addr, u32 size, bool write, void *data);
	/* 1 if it was done, 0 if not, < 0: fault. Bytes in guest order. */
	int (*cas)(void *ctx, u64 addr, u32 size, const void *old, const void *new);
	const u32 *leave;
	const _Atomic u32 *kick;
	union ir_cell *cell; /* IR_MAX_OPS */
	u64 pc;		     /* out */
	u32 reason;	     /* out */
	u8 kind;	     /* out */
	u32 fuel;	     /* branches backwards before it gives up as if kicked; 0 = no limit */
};

enum ir_end ir_interp(const struct ir_unit *u, struct ir_env *env);

/* The value operations (interp_*.c): true if it was one. */
bool ir_interp_int(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		   const union ir_cell *b, const union ir_cell *c);
bool ir_interp_fp(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		  const union ir_cell *b, const union ir_cell *c);
bool ir_interp_vec(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		   const union ir_cell *b, const union ir_cell *c);
bool ir_compare(unsigned cc, unsigned size, u64 a, u64 b);

#endif
