/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter's integer operations.
 */
#include "engine/jit/ir/interp.h"

static u64 cut(unsigned size, u64 v)
{
	return size == 4 ? (u32)v : v;
}

static s64 sext(unsigned size, u64 v)
{
	unsigned n = 64 - 8 * size;

	return (s64)(v << n) >> n;
}

bool ir_compare(unsigned cc, unsigned size, u64 a, u64 b)
{
	s64 sa = sext(size, a), sb = sext(size, b);

	a = cut(size, a);
	b = cut(size, b);
	switch (cc) {
	case IR_EQ:
		return a == b;
	case IR_NE:
		return a != b;
	case IR_LTS:
		return sa < sb;
	case IR_LES:
		return sa <= sb;
	case IR_GTS:
		return sa > sb;
	case IR_GES:
		return sa >= sb;
	case IR_LTU:
		return a < b;
	case IR_LEU:
		return a <= b;
	case IR_GTU:
		return a > b;
	}
	return a >= b;
}

static u64 mul_high(bool sign, unsigned size, u64 a, u64 b)
{
	if (size == 4)
		return sign ? (u32)((s64)(s32)a * (s32)b >> 32) : ((u64)(u32)a * (u32)b) >> 32;
	return sign ? (u64)((__int128)(s64)a * (s64)b >> 64)
		    : (u64)((unsigned __int128)a * b >> 64);
}

static u64 divide(unsigned op, unsigned size, u64 a, u64 b)
{
	s64 sa = sext(size, a), sb = sext(size, b);
	s64 low = size == 4 ? INT32_MIN : INT64_MIN;

	a = cut(size, a);
	b = cut(size, b);
	if (!b)
		return 0;
	if (op == IR_DIVU)
		return a / b;
	if (op == IR_REMU)
		return a % b;
	if (sa == low && sb == -1)
		return 0;
	return cut(size, (u64)(op == IR_DIVS ? sa / sb : sa % sb));
}

static u64 shift(unsigned op, unsigned size, u64 a, u64 count)
{
	unsigned bits = size * 8, n = (unsigned)count & (bits - 1);

	a = cut(size, a);
	switch (op) {
	case IR_SHL:
		return cut(size, a << n);
	case IR_SHR:
		return a >> n;
	case IR_SAR:
		return cut(size, (u64)(sext(size, a) >> n));
	}
	return n ? cut(size, a << n | a >> (bits - n)) : a;
}

static u64 count_bits(unsigned op, unsigned size, u64 a)
{
	a = cut(size, a);
	if (op == IR_POPCNT) {
		u64 n = 0;

		for (; a; a &= a - 1)
			n++;
		return n;
	}
	if (!a)
		return size * 8;
	if (op == IR_CTZ)
		return (u64)__builtin_ctzll(a);
	return (u64)__builtin_clzll(a) - (64 - size * 8);
}

static u64 flag_of(const struct ir_op *op, u64 a, u64 b, u64 c)
{
	u64 sum;
	s64 product;
	u32 sum4;
	bool carry;

	if (op->op == IR_MULOV) {
		if (op->size == 8)
			return __builtin_mul_overflow((s64)a, (s64)b, &product);
		product = (s64)(s32)a * (s32)b;
		return product != (s32)product;
	}
	c = c != 0;
	if (op->size == 4) {
		u64 wide = (u64)(u32)a + (u32)b + c;

		sum4 = (u32)wide;
		sum = sum4;
		carry = wide >> 32;
	} else {
		carry = __builtin_add_overflow(a, b, &sum);
		carry |= __builtin_add_overflow(sum, c, &sum);
	}
	if (op->op == IR_ADDCO)
		return carry;
	return ((a ^ sum) & (b ^ sum)) >> (op->size * 8 - 1) & 1;
}

static bool two_operands(const struct ir_op *op, u64 a, u64 b, u64 *v)
{
	switch (op->op) {
	case IR_ADD:
		*v = a + b;
		break;
	case IR_SUB:
		*v = a - b;
		break;
	case IR_MUL:
		*v = a * b;
		break;
	case IR_AND:
		*v = a & b;
		break;
	case IR_OR:
		*v = a | b;
		break;
	case IR_XOR:
		*v = a ^ b;
		break;
	case IR_ANDN:
		*v = a & ~b;
		break;
	case IR_NEG:
		*v = -a;
		break;
	case IR_NOT:
		*v = ~a;
		break;
	default:
		return false;
	}
	*v = cut(op->size, *v);
	return true;
}

bool ir_interp_int(const struct ir_op *op, union ir_cell *r, const union ir_cell *ca,
		   const union ir_cell *cb, const union ir_cell *cc)
{
	u64 a = ca->q[0], b = cb->q[0], v;

	if (two_operands(op, a, b, &v))
		goto done;
	switch (op->op) {
	case IR_MULHU:
	case IR_MULHS:
		v = mul_high(op->op == IR_MULHS, op->size, a, b);
		break;
	case IR_DIVU:
	case IR_DIVS:
	case IR_REMU:
	case IR_REMS:
		v = divide(op->op, op->size, a, b);
		break;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROTL:
		v = shift(op->op, op->size, a, b);
		break;
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT:
		v = count_bits(op->op, op->size, a);
		break;
	case IR_BSWAP:
		v = __builtin_bswap64(a) >> (64 - 8 * op->size);
		break;
	case IR_SEXT:
		v = (u64)sext(op->size, a);
		break;
	case IR_ZEXT:
		v = (u64)sext(op->size, a) & (~0ULL >> (64 - 8 * op->size));
		break;
	case IR_ADDCO:
	case IR_ADDOV:
	case IR_MULOV:
		v = flag_of(op, a, b, cc->q[0]);
		break;
	case IR_SET:
		v = ir_compare(op->sub, op->size, a, b);
		break;
	default:
		return false;
	}
done:
	r->q[0] = v;
	r->q[1] = 0;
	return true;
}
