/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter's vectors, lane by lane.
 */
#include "engine/jit/ir/fp_host.h"
#include "engine/jit/ir/interp.h"

static u64 lane(const union ir_cell *v, unsigned size, unsigned i)
{
	switch (size) {
	case 1:
		return v->b[i];
	case 2:
		return v->w[i];
	case 4:
		return v->d[i];
	}
	return v->q[i];
}

static s64 lane_signed(const union ir_cell *v, unsigned size, unsigned i)
{
	unsigned n = 64 - 8 * size;

	return (s64)(lane(v, size, i) << n) >> n;
}

static void lane_put(union ir_cell *v, unsigned size, unsigned i, u64 x)
{
	switch (size) {
	case 1:
		v->b[i] = (u8)x;
		break;
	case 2:
		v->w[i] = (u16)x;
		break;
	case 4:
		v->d[i] = (u32)x;
		break;
	default:
		v->q[i] = x;
	}
}

static u64 saturate(s64 v, unsigned size, bool sign)
{
	unsigned bits = size == 1 ? 8 : size == 2 ? 16 : 32;
	s64 lo = sign ? -(1LL << (bits - 1)) : 0;
	s64 hi = sign ? (1LL << (bits - 1)) - 1 : (1LL << bits) - 1;

	return (u64)(v < lo ? lo : v > hi ? hi : v);
}

static u64 mask_if(bool yes)
{
	return yes ? ~0ULL : 0;
}

/* One lane of the operations that are the same for all lanes. */
static bool lane_op(const struct ir_op *op, u64 a, u64 b, s64 sa, s64 sb, u64 *v)
{
	unsigned bits = op->size * 8;

	switch (op->op) {
	case IR_VADD:
		*v = a + b;
		return true;
	case IR_VSUB:
		*v = a - b;
		return true;
	case IR_VADDSS:
		*v = saturate(sa + sb, op->size, true);
		return true;
	case IR_VADDUS:
		*v = saturate((s64)(a + b), op->size, false);
		return true;
	case IR_VSUBSS:
		*v = saturate(sa - sb, op->size, true);
		return true;
	case IR_VSUBUS:
		*v = saturate((s64)a - (s64)b, op->size, false);
		return true;
	case IR_VMUL:
		*v = a * b;
		return true;
	case IR_VMINS:
		*v = sa < sb ? a : b;
		return true;
	case IR_VMAXS:
		*v = sa > sb ? a : b;
		return true;
	case IR_VMINU:
		*v = a < b ? a : b;
		return true;
	case IR_VMAXU:
		*v = a > b ? a : b;
		return true;
	case IR_VAVGU:
		*v = (a + b + 1) >> 1;
		return true;
	case IR_VCMPEQ:
		*v = mask_if(a == b);
		return true;
	case IR_VCMPGTS:
		*v = mask_if(sa > sb);
		return true;
	case IR_VCMPGTU:
		*v = mask_if(a > b);
		return true;
	case IR_VSHL:
		*v = a << (b & (bits - 1));
		return true;
	case IR_VSHR:
		*v = a >> (b & (bits - 1));
		return true;
	case IR_VSAR:
		*v = (u64)(sa >> (b & (bits - 1)));
		return true;
	case IR_VSHLI:
		*v = op->imm < bits ? a << op->imm : 0;
		return op->size != 16;
	case IR_VSHRI:
		*v = op->imm < bits ? a >> op->imm : 0;
		return op->size != 16;
	case IR_VSARI:
		*v = (u64)(sa >> (op->imm < bits ? op->imm : bits - 1));
		return true;
	}
	return false;
}

static bool by_lanes(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		     const union ir_cell *b)
{
	unsigned n = op->size && op->size <= 8 ? 16u / op->size : 1;
	u64 v;

	for (unsigned i = 0; i < n; i++) {
		unsigned size = op->size > 8 ? 8 : op->size ? op->size : 8;

		if (!lane_op(op, lane(a, size, i), lane(b, size, i), lane_signed(a, size, i),
			     lane_signed(b, size, i), &v))
			return false;
		lane_put(r, size, i, v);
	}
	return true;
}

static bool bitwise(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		    const union ir_cell *b, const union ir_cell *c)
{
	for (unsigned i = 0; i < 2; i++) {
		u64 x = a->q[i], y = b->q[i], z = c->q[i];

		switch (op->op) {
		case IR_VAND:
			r->q[i] = x & y;
			break;
		case IR_VOR:
			r->q[i] = x | y;
			break;
		case IR_VXOR:
			r->q[i] = x ^ y;
			break;
		case IR_VANDN:
			r->q[i] = x & ~y;
			break;
		case IR_VNOT:
			r->q[i] = ~x;
			break;
		case IR_VSEL:
			r->q[i] = (x & ~z) | (y & z);
			break;
		default:
			return false;
		}
	}
	return true;
}

/* ---- bytes that move ---- */

static void unpack(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		   const union ir_cell *b)
{
	unsigned n = 8u / op->size, from = op->op == IR_VUNPKH ? n : 0;

	for (unsigned i = 0; i < n; i++) {
		lane_put(r, op->size, 2 * i, lane(a, op->size, from + i));
		lane_put(r, op->size, 2 * i + 1, lane(b, op->size, from + i));
	}
}

static void pack(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		 const union ir_cell *b)
{
	unsigned n = op->size == 4 ? 4 : 8, half = 8 / n;

	for (unsigned i = 0; i < 2 * n; i++) {
		s64 v = lane_signed(i < n ? a : b, op->size, i % n);

		lane_put(r, half, i, saturate(v, half, op->op == IR_VPACKSS));
	}
}

static void byte_of(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		    const union ir_cell *b, const union ir_cell *c)
{
	unsigned n = (unsigned)op->imm;

	for (unsigned i = 0; i < 16; i++) {
		switch (op->op) {
		case IR_VSHLI:
			r->b[i] = i >= n ? a->b[i - n] : 0;
			break;
		case IR_VSHRI:
			r->b[i] = i + n < 16 ? a->b[i + n] : 0;
			break;
		case IR_VALIGN:
			r->b[i] = i + n < 16 ? a->b[i + n] : i + n < 32 ? b->b[i + n - 16] : 0;
			break;
		case IR_VSHUF:
			r->b[i] = b->b[i] & 0x80 ? 0 : a->b[b->b[i] & 15];
			break;
		case IR_VPERM:
			r->b[i] = (c->b[i] & 16 ? b : a)->b[c->b[i] & 15];
			break;
		default: /* VBSWAP */
			r->b[i] = a->b[i ^ (op->size - 1u)];
		}
	}
}

static void widen(const struct ir_op *op, union ir_cell *r, const union ir_cell *a)
{
	for (unsigned i = 0; i < 8u / op->size; i++)
		lane_put(r, op->size * 2u, i, (u64)lane_signed(a, op->size, i));
}

static void even_products(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
			  const union ir_cell *b)
{
	for (unsigned i = 0; i < 2; i++)
		r->q[i] = op->op == IR_VMULEU ? (u64)a->d[2 * i] * b->d[2 * i]
					      : (u64)((s64)(s32)a->d[2 * i] * (s32)b->d[2 * i]);
}

static u64 top_bits(const struct ir_op *op, const union ir_cell *a)
{
	u64 v = 0;

	for (unsigned i = 0; i < 16u / op->size; i++)
		v |= (u64)(lane_signed(a, op->size, i) < 0) << i;
	return v;
}

/* ---- floating point ---- */

static bool fp_wide(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
		    const union ir_cell *b, const union ir_cell *c)
{
	for (unsigned i = 0; i < 2; i++) {
		double x = a->f64[i], y = b->f64[i];

		switch (op->op) {
		case IR_VFADD:
			r->f64[i] = fp_add(x, y);
			break;
		case IR_VFSUB:
			r->f64[i] = fp_sub(x, y);
			break;
		case IR_VFMUL:
			r->f64[i] = fp_mul(x, y);
			break;
		case IR_VFDIV:
			r->f64[i] = fp_div(x, y);
			break;
		case IR_VFSQRT:
			r->f64[i] = fp_sqrt(x);
			break;
		case IR_VFMA:
			r->f64[i] = fp_fma(x, y, c->f64[i]);
			break;
		case IR_VFSET:
			r->q[i] = mask_if(ir_fcompare(op->sub, x, y));
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool fp_narrow_lanes(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
			    const union ir_cell *b, const union ir_cell *c)
{
	for (unsigned i = 0; i < 4; i++) {
		float x = a->f32[i], y = b->f32[i];

		switch (op->op) {
		case IR_VFADD:
			r->f32[i] = fp_addf(x, y);
			break;
		case IR_VFSUB:
			r->f32[i] = fp_subf(x, y);
			break;
		case IR_VFMUL:
			r->f32[i] = fp_mulf(x, y);
			break;
		case IR_VFDIV:
			r->f32[i] = fp_divf(x, y);
			break;
		case IR_VFSQRT:
			r->f32[i] = fp_sqrtf(x);
			break;
		case IR_VFMA:
			r->f32[i] = fp_fmaf(x, y, c->f32[i]);
			break;
		case IR_VFSET:
			r->d[i] = (u32)mask_if(ir_fcompare(op->sub, (double)x, (double)y));
			break;
		default:
			return false;
		}
	}
	return true;
}

/* ---- lanes and integers ---- */

static bool with_integers(const struct ir_op *op, union ir_cell *r, const union ir_cell *a,
			  const union ir_cell *b)
{
	switch (op->op) {
	case IR_VSPLAT:
		for (unsigned i = 0; i < 16u / op->size; i++)
			lane_put(r, op->size, i, a->q[0]);
		return true;
	case IR_VEXT:
		r->q[0] = lane(a, op->size, (unsigned)op->imm);
		return true;
	case IR_VINS:
		*r = *a;
		lane_put(r, op->size, (unsigned)op->imm, b->q[0]);
		return true;
	case IR_VCAT:
		r->q[0] = a->q[0];
		r->q[1] = b->q[0];
		return true;
	case IR_VMASK:
		r->q[0] = top_bits(op, a);
		return true;
	}
	return false;
}

bool ir_interp_vec(const struct ir_op *op, union ir_cell *out, const union ir_cell *a,
		   const union ir_cell *b, const union ir_cell *c)
{
	union ir_cell v = {.q = {0, 0}}, *r = &v;

	switch (op->op) {
	case IR_VUNPKL:
	case IR_VUNPKH:
		unpack(op, r, a, b);
		break;
	case IR_VPACKSS:
	case IR_VPACKSU:
		pack(op, r, a, b);
		break;
	case IR_VALIGN:
	case IR_VSHUF:
	case IR_VPERM:
	case IR_VBSWAP:
		byte_of(op, r, a, b, c);
		break;
	case IR_VSXTL:
		widen(op, r, a);
		break;
	case IR_VMULEU:
	case IR_VMULES:
		even_products(op, r, a, b);
		break;
	default:
		if (op->size == 16)
			byte_of(op, r, a, b, c);
		else if (!bitwise(op, r, a, b, c) && !with_integers(op, r, a, b) &&
			 !(op->size == 8 ? fp_wide(op, r, a, b, c)
					 : fp_narrow_lanes(op, r, a, b, c)) &&
			 !by_lanes(op, r, a, b))
			return false;
	}
	*out = v;
	return true;
}
