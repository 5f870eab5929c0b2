/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalar floating point of lifted units: the host's, by AVX forms.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

static const struct vex mov_aps = {PP_NONE, MAP_0F, 0x28, false};

static u8 pp_of(enum ir_type t)
{
	return t == IR_F32 ? PP_F3 : PP_F2;
}

static void arith(struct xe *x, const struct ir_op *op)
{
	static const u8 code[] = {0x58, 0x5c, 0x59, 0x5e};
	struct vex v = {pp_of((enum ir_type)op->type), MAP_0F, code[op->op - IR_FADD], false};
	unsigned size = op->type == IR_F32 ? 4 : 8, a = xe_use_xmm(x, op->a), b, dst;
	struct emit_mem m;

	if (xe_in_memory(x, op->b, size, &m)) {
		dst = xe_def_xmm(x);
		vex_rm(x->e, v, dst, a, &m);
		return;
	}
	b = xe_use_xmm(x, op->b);
	dst = xe_def_xmm(x);
	vex_rr(x->e, v, dst, a, b);
}

static void fma(struct xe *x, const struct ir_op *op)
{
	struct vex v = {PP_66, MAP_0F38, 0xb9, op->type == IR_F64}; /* 231: dst = b * c + dst */
	unsigned a = xe_use_xmm(x, op->a), b = xe_use_xmm(x, op->b), c = xe_use_xmm(x, op->c);
	unsigned dst = xe_def_xmm(x);

	vex_rr(x->e, mov_aps, dst, 0, c);
	vex_rr(x->e, v, dst, a, b);
}

static void root(struct xe *x, const struct ir_op *op)
{
	struct vex v = {pp_of((enum ir_type)op->type), MAP_0F, 0x51, false};
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, v, dst, a, a);
}

static void sign_bits(struct xe *x, const struct ir_op *op)
{
	static const struct vex and = {PP_NONE, MAP_0F, 0x54, false},
				xor = {
					PP_NONE, MAP_0F, 0x57, false};
	bool wide = op->type == IR_F64, neg = op->op == IR_FNEG;
	unsigned k = neg ? (wide ? XE_K_SIGN8 : XE_K_SIGN4) : (wide ? XE_K_ABS8 : XE_K_ABS4);
	struct emit_mem m = xe_rt(x, offsetof(struct irrun_cpu, konst) + 16 * k);
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rm(x->e, neg ? xor : and, dst, a, &m);
}

/* ---- comparisons ---- */

static void fset(struct xe *x, const struct ir_op *op)
{
	static const struct vex move = {PP_66, MAP_0F, 0x7e, false};
	bool wide = op->type == IR_F64, swap = op->sub == IR_LTS || op->sub == IR_LES;
	struct vex ucomi = {wide ? PP_66 : PP_NONE, MAP_0F, 0x2e, false};
	struct vex cmp = {pp_of((enum ir_type)op->type), MAP_0F, 0xc2, false};
	unsigned a = xe_use_xmm(x, swap ? op->b : op->a), b = xe_use_xmm(x, swap ? op->a : op->b);
	unsigned dst = xe_def(x), t;

	xe_flags_gone(x);
	if (op->sub == IR_EQ || op->sub == IR_NE) {
		t = xe_xmm_temp(x);
		vex_rri(x->e, cmp, t, a, b, op->sub == IR_EQ ? 0 : 4);
		vex_rr(x->e, move, t, 0, dst);
		emit_grp1_ri(x->e, 4, false, dst, 1);
		return;
	}
	vex_rr(x->e, ucomi, a, 0, b);
	x86_setcc(x->e,
		  op->sub == IR_UNO			   ? CC_P
		  : op->sub == IR_LTS || op->sub == IR_GTS ? CC_A
							   : CC_AE,
		  dst);
	x86_rr(x->e, 0, 0x0fb6, false, dst, dst);
}

/* ---- conversions ---- */

static void int_to_fp(struct xe *x, const struct ir_op *op)
{
	struct vex v = {pp_of((enum ir_type)op->type), MAP_0F, 0x2a, op->size == 8};
	static const struct vex zero = {PP_NONE, MAP_0F, 0x57, false};
	unsigned a = xe_use(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, zero, dst, dst, dst);
	vex_rr(x->e, v, dst, dst, a);
}

/* From 64 unsigned bits: half of it, with the lost bit kept sticky, twice. */
static void unsigned_to_fp(struct xe *x, const struct ir_op *op)
{
	struct vex cvt = {pp_of((enum ir_type)op->type), MAP_0F, 0x2a, true};
	struct vex add = {pp_of((enum ir_type)op->type), MAP_0F, 0x58, false};
	unsigned a = xe_use(x, op->a), t = xe_gpr_temp(x), u = xe_gpr_temp(x);
	unsigned dst = xe_def_xmm(x);
	u32 big, done;

	xe_flags_gone(x);
	vex_rr(x->e, (struct vex){PP_NONE, MAP_0F, 0x57, false}, dst, dst, dst);
	emit_rr(x->e, OP_TEST, true, a, a);
	big = emit_jcc(x->e, CC_S, 0);
	vex_rr(x->e, cvt, dst, dst, a);
	done = emit_jmp(x->e, 0);
	emit_patch(x->e->base, big, x->e->pos);
	emit_mov_rr(x->e, t, a);
	emit_shift_ri(x->e, 5, true, t, 1);
	emit_mov_rr(x->e, u, a);
	emit_grp1_ri(x->e, 4, false, u, 1);
	emit_rr(x->e, OP_OR_RM, true, t, u);
	vex_rr(x->e, cvt, dst, dst, t);
	vex_rr(x->e, add, dst, dst, dst);
	emit_patch(x->e->base, done, x->e->pos);
}

static void fp_to_int(struct xe *x, const struct ir_op *op)
{
	struct vex v = {pp_of((enum ir_type)op->type), MAP_0F, op->op == IR_F2I ? 0x2d : 0x2c,
			op->size == 8};
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def(x);

	vex_rr(x->e, v, dst, 0, a);
}

static void fround(struct xe *x, const struct ir_op *op)
{
	struct vex v = {PP_66, MAP_0F3A, op->type == IR_F32 ? 0x0a : 0x0b, false};
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	/* Bit 3: no inexact exception, unless the current mode is asked for. */
	vex_rri(x->e, v, dst, a, a, (u8)(op->imm == IR_CURRENT ? 4 : op->imm | 8));
}

static void single(struct xe *x, const struct ir_op *op)
{
	struct vex v = {op->op == IR_F2S ? PP_F2 : PP_F3, MAP_0F, 0x5a, false};
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x);

	vex_rr(x->e, v, dst, a, a);
}

static void bits(struct xe *x, const struct ir_op *op)
{
	bool wide = op->type == IR_F64;
	struct vex to = {PP_66, MAP_0F, 0x6e, wide}, from = {PP_66, MAP_0F, 0x7e, wide};
	unsigned a, dst;

	if (op->op == IR_FBITS) {
		a = xe_use_xmm(x, op->a);
		dst = xe_def(x);
		vex_rr(x->e, from, a, 0, dst);
	} else {
		a = xe_use(x, op->a);
		dst = xe_def_xmm(x);
		vex_rr(x->e, to, dst, 0, a);
	}
}

/* ---- NaN results, selection ---- */

/* Unordered or equal to the smallest normal number, without its sign. */
static enum emit_cc fix_check(struct xe *x, unsigned a, unsigned t, bool vector, bool wide)
{
	static const struct vex and = {PP_NONE, MAP_0F, 0x54, false};
	static const struct vex ptest = {PP_66, MAP_0F38, 0x17, false};
	struct vex ucomi = {wide ? PP_66 : PP_NONE, MAP_0F, 0x2e, false};
	struct vex cmp = {wide ? PP_66 : PP_NONE, MAP_0F, 0xc2, false};
	size_t k = offsetof(struct irrun_cpu, konst);
	struct emit_mem abs = xe_rt(x, k + 16 * (wide ? XE_K_ABS8 : XE_K_ABS4));
	struct emit_mem min = xe_rt(x, k + 16 * (wide ? XE_K_MIN8 : XE_K_MIN4));

	xe_flags_gone(x);
	vex_rm(x->e, and, t, a, &abs);
	if (!vector) {
		vex_rm(x->e, ucomi, t, 0, &min);
		return CC_E;
	}
	vex_emit(x->e, cmp, t, t, 0, &min, 1);
	emit_u8(x->e, 8); /* EQ_UQ */
	vex_rr(x->e, ptest, t, 0, t);
	return CC_NE;
}

static void fix(struct xe *x, const struct ir_op *op)
{
	bool vector = op->op == IR_VFIX, wide = vector ? op->size == 8 : op->type == IR_F64;
	unsigned a = xe_use_xmm(x, op->a), dst = xe_def_xmm(x), t = xe_xmm_temp(x);
	struct irrun_site *s;
	struct xe_stub *stub;
	enum emit_cc cc;
	u32 site;

	cc = fix_check(x, a, t, vector, wide);
	vex_rr(x->e, mov_aps, dst, 0, a);
	s = xe_site(x, &site);
	s->kind = IRRUN_FIX;
	s->op = op->op;
	s->type = vector ? IR_V128 : op->type;
	s->imm = op->imm;
	stub = xe_stub(x, XE_STUB_FIX);
	stub->from = emit_jcc(x->e, cc, 0);
	stub->site = site;
	stub->value = dst;
	stub->type = s->type;
	stub->back = x->e->pos;
}

static void fsel(struct xe *x, const struct ir_op *op)
{
	enum emit_cc cc;
	unsigned b, c, dst;
	u32 skip;

	b = xe_use_xmm(x, op->b);
	c = xe_use_xmm(x, op->c);
	cc = xe_condition_only(x, op->a);
	dst = xe_def_xmm(x);
	vex_rr(x->e, mov_aps, dst, 0, b);
	skip = emit_jcc(x->e, cc, 0);
	vex_rr(x->e, mov_aps, dst, 0, c);
	emit_patch(x->e->base, skip, x->e->pos);
}

bool xe_fp(struct xe *x, const struct ir_op *op)
{
	switch (op->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
		arith(x, op);
		return true;
	case IR_FMA:
		fma(x, op);
		return true;
	case IR_FSQRT:
		root(x, op);
		return true;
	case IR_FABS:
	case IR_FNEG:
		sign_bits(x, op);
		return true;
	case IR_FSET:
		fset(x, op);
		return true;
	case IR_F2S:
	case IR_S2F:
		single(x, op);
		return true;
	case IR_I2F:
		int_to_fp(x, op);
		return true;
	case IR_U2F:
		unsigned_to_fp(x, op);
		return true;
	case IR_F2I:
	case IR_F2IZ:
		fp_to_int(x, op);
		return true;
	case IR_FROUND:
		fround(x, op);
		return true;
	case IR_FBITS:
	case IR_BITSF:
		bits(x, op);
		return true;
	case IR_FFIX:
	case IR_VFIX:
		fix(x, op);
		return true;
	case IR_SEL:
		fsel(x, op);
		return true;
	}
	return false;
}
