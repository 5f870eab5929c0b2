/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter's scalar floating point: the host's own, in its current rounding mode and with
 * its sticky exception flags.
 */
#include "engine/jit/ir/fp_host.h"
#include "engine/jit/ir/interp.h"

bool ir_fcompare(unsigned cc, double a, double b)
{
	bool uno = __builtin_isunordered(a, b);

	switch (cc) {
	case IR_EQ:
		return !uno && a == b;
	case IR_NE:
		return uno || a != b;
	case IR_LTS:
		return __builtin_isless(a, b);
	case IR_LES:
		return __builtin_islessequal(a, b);
	case IR_GTS:
		return __builtin_isgreater(a, b);
	case IR_GES:
		return __builtin_isgreaterequal(a, b);
	}
	return uno;
}

static double arith64(unsigned op, double a, double b, double c)
{
	switch (op) {
	case IR_FADD:
		return fp_add(a, b);
	case IR_FSUB:
		return fp_sub(a, b);
	case IR_FMUL:
		return fp_mul(a, b);
	case IR_FDIV:
		return fp_div(a, b);
	case IR_FSQRT:
		return fp_sqrt(a);
	}
	return fp_fma(a, b, c);
}

static float arith32(unsigned op, float a, float b, float c)
{
	switch (op) {
	case IR_FADD:
		return fp_addf(a, b);
	case IR_FSUB:
		return fp_subf(a, b);
	case IR_FMUL:
		return fp_mulf(a, b);
	case IR_FDIV:
		return fp_divf(a, b);
	case IR_FSQRT:
		return fp_sqrtf(a);
	}
	return fp_fmaf(a, b, c);
}

static void convert(const struct ir_op *op, union ir_cell *r, const union ir_cell *a)
{
	bool wide = op->type == IR_F64;

	switch (op->op) {
	case IR_F2S:
		r->f32[0] = fp_narrow(a->f64[0]);
		break;
	case IR_S2F:
		r->f64[0] = fp_widen(a->f32[0]);
		break;
	case IR_I2F:
		if (wide)
			r->f64[0] = fp_from_int(op->size == 4 ? (s32)a->d[0] : (s64)a->q[0]);
		else
			r->f32[0] = fp_from_intf(op->size == 4 ? (s32)a->d[0] : (s64)a->q[0]);
		break;
	case IR_U2F:
		if (wide)
			r->f64[0] = fp_from_unsigned(a->q[0]);
		else
			r->f32[0] = fp_from_unsignedf(a->q[0]);
		break;
	default:
		r->q[0] = fp_to_int(wide ? a->f64[0] : fp_widen(a->f32[0]), op->size,
				    op->op == IR_F2IZ);
	}
}

bool ir_interp_fp(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		  const union ir_cell *b, const union ir_cell *c)
{
	bool wide = op->type == IR_F64;
	union ir_cell v = {.q = {0, 0}};

	switch (op->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
	case IR_FMA:
		if (wide)
			v.f64[0] = arith64(op->op, a->f64[0], b->f64[0], c->f64[0]);
		else
			v.f32[0] = arith32(op->op, a->f32[0], b->f32[0], c->f32[0]);
		break;
	case IR_FABS:
		v.q[0] = wide ? a->q[0] & ~(1ULL << 63) : a->d[0] & ~(1U << 31);
		break;
	case IR_FNEG:
		v.q[0] = wide ? a->q[0] ^ 1ULL << 63 : a->d[0] ^ 1U << 31;
		break;
	case IR_FSET:
		v.q[0] = wide ? ir_fcompare(op->sub, a->f64[0], b->f64[0])
			      : ir_fcompare(op->sub, (double)a->f32[0], (double)b->f32[0]);
		break;
	case IR_F2S:
	case IR_S2F:
	case IR_I2F:
	case IR_U2F:
	case IR_F2I:
	case IR_F2IZ:
		convert(op, &v, a);
		break;
	case IR_FROUND:
		if (wide)
			v.f64[0] = fp_round(a->f64[0], (unsigned)op->imm);
		else
			v.f32[0] = fp_roundf(a->f32[0], (unsigned)op->imm);
		break;
	case IR_FBITS:
	case IR_BITSF:
		v.q[0] = wide ? a->q[0] : a->d[0];
		break;
	default:
		return false;
	}
	*r = v;
	return true;
}
