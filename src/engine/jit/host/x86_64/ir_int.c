/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer operations of lifted units.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

#define OP_IMUL 0x0faf
#define OP_BIT_SCAN_PREFIX 0xf3 /* lzcnt, tzcnt, popcnt */

static bool is_w(const struct ir_op *op)
{
	return op->size == 8;
}

static void mov(struct xe *x, bool w, unsigned dst, unsigned src)
{
	if (dst != src)
		emit_rr(x->e, OP_MOV_RM, w, dst, src);
}

/* The host's flags are those of operation i, an ADD to XOR. */
static void flags_are(struct xe *x, const struct ir_op *op)
{
	x->flags_of = (ir_val)x->i;
	x->flags_sign = op->op == IR_AND || op->op == IR_OR || op->op == IR_XOR;
}

/* An immediate that a group 1 instruction of this size can have. */
bool xe_imm(struct xe *x, const struct ir_op *op, ir_val v, s32 *imm)
{
	u64 c;

	if (!xe_is_const(x, v))
		return false;
	c = xe_const(x, v);
	*imm = (s32)c;
	return op->size == 4 || fits_s32(c);
}

struct alu {
	u8 rm, group1;
	bool commutes;
};

static const struct alu *alu_of(unsigned op)
{
	static const struct alu add = {0x03, 0, true}, or = {0x0b, 1, true}, and = {0x23, 4, true},
				sub = {0x2b, 5, false},
				xor = {
					0x33, 6, true};

	switch (op) {
	case IR_ADD:
		return &add;
	case IR_OR:
		return & or ;
	case IR_AND:
		return &and;
	case IR_SUB:
		return &sub;
	case IR_XOR:
		return &xor;
	}
	return NULL;
}

/* dst = a + b without touching a, when lea does it. */
static bool try_lea(struct xe *x, const struct ir_op *op, unsigned dst, unsigned a, bool is_imm,
		    s32 imm, unsigned b)
{
	struct emit_mem m = {(u8)a, (u8)b, 1, false, 0};

	if (op->op == IR_SUB && is_imm && imm != INT32_MIN)
		imm = -imm;
	else if (op->op != IR_ADD)
		return false;
	if (is_imm)
		m = emit_at(a, imm);
	else if (dst == a || dst == b)
		return false;
	if (is_imm && dst == a)
		return false;
	emit_lea(x->e, is_w(op), dst, &m);
	return true;
}

static void alu_regs(struct xe *x, const struct ir_op *op, const struct alu *t, unsigned dst,
		     unsigned a, unsigned b)
{
	if (try_lea(x, op, dst, a, false, 0, b))
		return;
	xe_flags_gone(x);
	if (dst == b && dst != a) {
		if (!t->commutes) { /* a - b */
			x86_grp3(x->e, 3, is_w(op), dst);
			emit_rr(x->e, OP_ADD_RM, is_w(op), dst, a);
			flags_are(x, op);
			return;
		}
		b = a;
	} else {
		mov(x, is_w(op), dst, a);
	}
	emit_rr(x->e, t->rm, is_w(op), dst, b);
	flags_are(x, op);
}

/* Masks that are a zero-extension. */
static bool and_mask(struct xe *x, const struct ir_op *op)
{
	u64 c;
	unsigned a, dst;

	if (op->op != IR_AND || !xe_is_const(x, op->b))
		return false;
	c = xe_const(x, op->b);
	if (op->size == 4)
		c = (u32)c;
	if (c != 0xff && c != 0xffff && c != 0xffffffff)
		return false;
	a = xe_use(x, op->a);
	dst = xe_def(x);
	if (c == 0xffffffff)
		emit_rr(x->e, OP_MOV_RM, false, dst, a);
	else
		x86_rr(x->e, 0, c == 0xff ? 0x0fb6 : 0x0fb7, false, dst, a);
	return true;
}

static void alu(struct xe *x, const struct ir_op *op, const struct alu *t)
{
	ir_val va = op->a, vb = op->b;
	struct emit_mem m;
	unsigned a, b, dst;
	s32 imm;

	if (t->commutes &&
	    (xe_is_const(x, va) || (x->v[va].loc == XE_STATE && x->v[vb].loc == XE_GPR))) {
		va = op->b;
		vb = op->a;
	}
	a = xe_use(x, va);
	if (xe_imm(x, op, vb, &imm)) {
		dst = xe_def(x);
		if (try_lea(x, op, dst, a, true, imm, 0))
			return;
		xe_flags_gone(x);
		mov(x, is_w(op), dst, a);
		emit_grp1_ri(x->e, t->group1, is_w(op), dst, imm);
		flags_are(x, op);
	} else if (xe_in_memory(x, vb, op->size, &m)) {
		dst = xe_def(x);
		xe_flags_gone(x);
		mov(x, is_w(op), dst, a);
		emit_rm(x->e, t->rm, is_w(op), dst, &m);
		flags_are(x, op);
	} else {
		b = xe_use(x, vb);
		dst = xe_def(x);
		alu_regs(x, op, t, dst, a, b);
	}
}

static void mul(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), b, dst;
	struct emit_mem m;
	s32 imm;

	if (xe_imm(x, op, op->b, &imm)) {
		dst = xe_def(x);
		xe_flags_gone(x);
		emit_rr(x->e, 0x69, is_w(op), dst, a);
		emit_u32(x->e, (u32)imm);
		return;
	}
	if (xe_in_memory(x, op->b, op->size, &m)) {
		dst = xe_def(x);
		xe_flags_gone(x);
		mov(x, is_w(op), dst, a);
		x86_rm(x->e, 0, OP_IMUL, is_w(op), dst, &m);
		return;
	}
	b = xe_use(x, op->b);
	dst = xe_def(x);
	xe_flags_gone(x);
	if (dst == b) {
		emit_rr(x->e, OP_IMUL, is_w(op), dst, a);
		return;
	}
	mov(x, is_w(op), dst, a);
	emit_rr(x->e, OP_IMUL, is_w(op), dst, b);
}

static void andn(struct xe *x, const struct ir_op *op)
{
	static const struct vex v = {PP_NONE, MAP_0F38, 0xf2, false};
	struct vex form = v;
	unsigned a = xe_use(x, op->a), b = xe_use(x, op->b), dst = xe_def(x);

	form.w = is_w(op);
	xe_flags_gone(x);
	vex_rr(x->e, form, dst, b, a);
}

/* ---- shifts ---- */

/* For this operation the register is free. */
void xe_take(struct xe *x, unsigned reg)
{
	xe_evacuate(x, reg);
	x->locked |= 1u << reg;
	x->used |= 1u << reg;
	x->anon |= 1u << reg;
	x->owner[reg] = 0;
}

static void shift_imm(struct xe *x, const struct ir_op *op, unsigned n)
{
	static const u8 group2[] = {4, 5, 7};
	static const struct vex rorx = {PP_F2, MAP_0F3A, 0xf0, false};
	struct vex form = rorx;
	unsigned a = xe_use(x, op->a), dst = xe_def(x);

	if (op->op == IR_ROTL) {
		form.w = is_w(op);
		vex_rri(x->e, form, dst, 0, a, (u8)((op->size * 8u - n) & (op->size * 8u - 1)));
		return;
	}
	if (op->op == IR_SHL && n <= 3 && dst != a) {
		struct emit_mem m = {EMIT_NONE, (u8)a, (u8)(1 << n), false, 0};

		if (n == 0) {
			mov(x, is_w(op), dst, a);
			return;
		}
		emit_lea(x->e, is_w(op), dst, &m);
		return;
	}
	if (dst != a || (op->size == 4 && !n))
		emit_rr(x->e, OP_MOV_RM, is_w(op), dst, a);
	if (!n)
		return;
	xe_flags_gone(x);
	emit_shift_ri(x->e, group2[op->op - IR_SHL], is_w(op), dst, (u8)n);
}

static void shift(struct xe *x, const struct ir_op *op)
{
	static const struct vex shx[] = {{PP_66, MAP_0F38, 0xf7, false},
					 {PP_F2, MAP_0F38, 0xf7, false},
					 {PP_F3, MAP_0F38, 0xf7, false}};
	struct vex form;
	unsigned a, b, dst;

	if (xe_is_const(x, op->b)) {
		shift_imm(x, op, (unsigned)xe_const(x, op->b) & (op->size * 8u - 1));
		return;
	}
	if (op->op != IR_ROTL) {
		a = xe_use(x, op->a);
		b = xe_use(x, op->b);
		dst = xe_def(x);
		form = shx[op->op - IR_SHL];
		form.w = is_w(op);
		vex_rr(x->e, form, dst, b, a);
		return;
	}
	xe_take(x, RCX);
	xe_load_to(x, RCX, op->b);
	a = xe_use(x, op->a);
	dst = xe_def_apart(x);
	xe_flags_gone(x);
	mov(x, is_w(op), dst, a);
	emit_rr(x->e, 0xd3, is_w(op), 0, dst); /* rol dst, cl */
}

/* ---- one operand ---- */

static void unary(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), dst = xe_def(x);

	xe_flags_gone(x);
	switch (op->op) {
	case IR_NEG:
	case IR_NOT:
		mov(x, is_w(op), dst, a);
		x86_grp3(x->e, op->op == IR_NEG ? 3 : 2, is_w(op), dst);
		break;
	case IR_CLZ:
		x86_rr(x->e, OP_BIT_SCAN_PREFIX, 0x0fbd, is_w(op), dst, a);
		break;
	case IR_CTZ:
		x86_rr(x->e, OP_BIT_SCAN_PREFIX, 0x0fbc, is_w(op), dst, a);
		break;
	default:
		x86_rr(x->e, OP_BIT_SCAN_PREFIX, 0x0fb8, is_w(op), dst, a);
	}
}

static void extend(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), dst = xe_def(x);
	bool sign = op->op == IR_SEXT;

	if (op->size == 4)
		emit_rr(x->e, sign ? OP_MOVSXD : OP_MOV_RM, sign, dst, a);
	else
		x86_rr(x->e, 0, (op->size == 1 ? 0x0fb6u : 0x0fb7u) + (sign ? 8 : 0), sign, dst, a);
}

static void bswap(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), dst = xe_def(x);

	mov(x, is_w(op), dst, a);
	x86_bswap(x->e, is_w(op), dst);
	if (op->size == 2) {
		xe_flags_gone(x);
		emit_shift_ri(x->e, 5, false, dst, 16);
	}
}

/* ---- carry and overflow ---- */

static void add_flag(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), b = xe_use(x, op->b), c = 0, dst;
	bool known = xe_is_const(x, op->c);

	if (!known)
		c = xe_use(x, op->c);
	dst = xe_def_apart(x);
	xe_flags_gone(x);
	if (!known) {
		emit_rr(x->e, OP_MOV_RM, false, dst, c);
		emit_grp1_ri(x->e, 0, false, dst, -1); /* carry if it was not 0 */
	}
	emit_mov_rr(x->e, dst, a);
	if (known && xe_const(x, op->c))
		emit_u8(x->e, 0xf9); /* stc */
	emit_rr(x->e, known && !xe_const(x, op->c) ? OP_ADD_RM : OP_ADC_RM, is_w(op), dst, b);
	x86_setcc(x->e, op->op == IR_ADDCO ? CC_B : CC_O, dst);
	x86_rr(x->e, 0, 0x0fb6, false, dst, dst);
}

static void mul_flag(struct xe *x, const struct ir_op *op)
{
	unsigned a = xe_use(x, op->a), b = xe_use(x, op->b), dst = xe_def_apart(x);

	xe_flags_gone(x);
	emit_mov_rr(x->e, dst, a);
	emit_rr(x->e, OP_IMUL, is_w(op), dst, b);
	x86_setcc(x->e, CC_O, dst);
	x86_rr(x->e, 0, 0x0fb6, false, dst, dst);
}

/* ---- multiply high, divide: rax and rdx ---- */

static void mul_high(struct xe *x, const struct ir_op *op)
{
	unsigned b;

	xe_take(x, RAX);
	xe_take(x, RDX);
	b = xe_use(x, op->b);
	xe_load_to(x, RAX, op->a);
	xe_flags_gone(x);
	x86_grp3(x->e, op->op == IR_MULHU ? 4 : 5, is_w(op), b);
	xe_def_taken(x, RDX);
}

/* Signed, rax by b: jumps where the quotient does not fit; else divides. */
static u32 divide_signed(struct xe *x, bool w, unsigned b)
{
	u32 fits, over;

	emit_grp1_ri(x->e, 7, w, b, -1);
	fits = emit_jcc(x->e, CC_NE, 0);
	emit_rr(x->e, OP_MOV_RM, w, RDX, RAX);
	x86_grp3(x->e, 3, w, RDX); /* neg: overflows for the one dividend only */
	over = emit_jcc(x->e, CC_O, 0);
	emit_patch(x->e->base, fits, x->e->pos);
	if (w)
		emit_u8(x->e, 0x48);
	emit_u8(x->e, 0x99); /* cqo, cdq */
	x86_grp3(x->e, 7, w, b);
	return over;
}

static void divide(struct xe *x, const struct ir_op *op)
{
	bool sign = op->op == IR_DIVS || op->op == IR_REMS;
	bool rem = op->op == IR_REMU || op->op == IR_REMS;
	u32 zero, done, over = 0;
	unsigned b;

	xe_take(x, RAX);
	xe_take(x, RDX);
	b = xe_use(x, op->b);
	xe_load_to(x, RAX, op->a);
	xe_flags_gone(x);
	emit_rr(x->e, OP_TEST, is_w(op), b, b);
	zero = emit_jcc(x->e, CC_E, 0);
	if (sign) {
		over = divide_signed(x, is_w(op), b);
	} else {
		emit_rr(x->e, OP_XOR_RM, false, RDX, RDX);
		x86_grp3(x->e, 6, is_w(op), b);
	}
	done = emit_jmp(x->e, 0);
	emit_patch(x->e->base, zero, x->e->pos);
	if (sign)
		emit_patch(x->e->base, over, x->e->pos);
	emit_rr(x->e, OP_XOR_RM, false, RAX, RAX);
	emit_rr(x->e, OP_XOR_RM, false, RDX, RDX);
	emit_patch(x->e->base, done, x->e->pos);
	xe_def_taken(x, rem ? RDX : RAX);
}

bool xe_int(struct xe *x, const struct ir_op *op)
{
	const struct alu *t = alu_of(op->op);

	switch (op->op) {
	case IR_ADD:
	case IR_SUB:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
		if (!and_mask(x, op))
			alu(x, op, t);
		return true;
	case IR_MUL:
		mul(x, op);
		return true;
	case IR_MULHU:
	case IR_MULHS:
		mul_high(x, op);
		return true;
	case IR_DIVU:
	case IR_DIVS:
	case IR_REMU:
	case IR_REMS:
		divide(x, op);
		return true;
	case IR_ANDN:
		andn(x, op);
		return true;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROTL:
		shift(x, op);
		return true;
	case IR_NEG:
	case IR_NOT:
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT:
		unary(x, op);
		return true;
	case IR_BSWAP:
		bswap(x, op);
		return true;
	case IR_SEXT:
	case IR_ZEXT:
		extend(x, op);
		return true;
	case IR_ADDCO:
	case IR_ADDOV:
		add_flag(x, op);
		return true;
	case IR_MULOV:
		mul_flag(x, op);
		return true;
	}
	return false;
}
