/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Units: which instructions of a page belong together, in which order, and
 * where control leaves them.
 *
 * A unit begins at the address asked for and follows fall-through and direct
 * branches on the rest of the page, so that loops are inside. First all
 * instructions are found (scan), then emitted, each once; an instruction that
 * is reached from elsewhere too gets a label.
 */
#include "engine/jit/ppc/lift.h"

static u32 word_at(const struct lx *x, u32 i)
{
	const u8 *p = x->code + 4 * i;

	if (x->key & PPC_KEY_LE)
		return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
	return p[3] | p[2] << 8 | p[1] << 16 | (u32)p[0] << 24;
}

static u64 pc_at(const struct lx *x, u32 i)
{
	return x->pc0 + 4 * (u64)i;
}

/* Index of an address in this unit's reach, or ~0. */
static u32 index_of(const struct lx *x, u64 pc)
{
	u64 i = (pc - x->pc0) / 4;

	return pc >= x->pc0 && i < x->nwords ? (u32)i : ~0u;
}

/* ---- scan ------------------------------------------------------------------------------- */

static void want(struct lx *x, u64 pc)
{
	u32 i = index_of(x, pc);

	if (i == ~0u)
		return;
	x->mark[i] |= LX_LEADER;
	x->top = i >= x->top ? i + 1 : x->top;
	if (!(x->mark[i] & LX_IN) && x->tail < ARRAY_LEN(x->queue))
		x->queue[x->tail++] = (u16)i;
}

static u64 branch_target(const struct lx *x, u32 w, u64 pc)
{
	s64 d = w >> 26 == 18 ? (s64)((u64)(w & 0x3fffffc) << 38) >> 38 : (s16)(w & 0xfffc);
	u64 t = (w & 2 ? 0 : pc) + (u64)d;

	return x->sf ? t : (u32)t;
}

#define BO_ALWAYS(w) ((ppc_rt(w) & 0x14) == 0x14)
/* bcl 20,31,$+4: how code learns its address; not a call. */
#define GET_PC(w) ((w) == 0x429f0005)

/* Note where an END instruction goes inside the unit; true: the next instruction belongs to it. */
static bool scan_end(struct lx *x, const struct ppc_row *r, u32 w, u64 pc)
{
	switch (r->op) {
	case PPC_OP_B:
		if (!(w & 1))
			want(x, branch_target(x, w, pc));
		return false;
	case PPC_OP_BC:
		if (GET_PC(w))
			return true;
		if (!(w & 1))
			want(x, branch_target(x, w, pc));
		return !BO_ALWAYS(w);
	case PPC_OP_BCLR:
	case PPC_OP_BCCTR:
	case PPC_OP_BCTAR:
		return !BO_ALWAYS(w);
	case PPC_OP_MTSPR: /* XER, LR, CTR, VRSAVE */
		return ppc_spr(w) == 1 || ppc_spr(w) == 8 || ppc_spr(w) == 9 || ppc_spr(w) == 256;
	default:
		return false;
	}
}

static void scan(struct lx *x)
{
	x->queue[x->tail++] = 0;
	while (x->head < x->tail) {
		u32 i = x->queue[x->head++];

		for (; i < x->nwords; i++) {
			const struct ppc_row *r;

			if (x->mark[i] & LX_IN) {
				x->mark[i] |= LX_LEADER;
				break;
			}
			if (!x->budget)
				break;
			x->mark[i] |= LX_IN;
			x->budget--;
			r = ppc_decode(word_at(x, i));
			if (!r ||
			    ((r->flags & PPC_F_END) && !scan_end(x, r, word_at(x, i), pc_at(x, i))))
				break;
		}
	}
}

/* ---- leaving ------------------------------------------------------------------------------ */

static bool stepping(const struct lx *x)
{
	return x->key & PPC_KEY_STEP;
}

static void step_exit(struct lx *x, ir_val pc)
{
	ir_call(x->u, H_TRACE, pc, 0, 0);
	ir_exitrt(x->u, 0);
}

static u32 label_of(struct lx *x, u32 i)
{
	if (!x->label[i])
		x->label[i] = (u16)(ir_new_label(x->u) + 1);
	return x->label[i] - 1u;
}

void lx_label(struct lx *x, u32 label)
{
	ir_label(x->u, label);
	for (unsigned i = 0; i < ARRAY_LEN(x->single); i++)
		x->single[i] = 0;
}

void lx_goto(struct lx *x, enum ir_kind kind, u64 pc)
{
	u32 i = index_of(x, pc);

	x->ended = true;
	if (stepping(x))
		step_exit(x, lx_k(x, pc));
	else if (kind == IR_PLAIN && i != ~0u && (x->mark[i] & LX_IN) && (x->mark[i] & LX_LEADER))
		ir_br(x->u, label_of(x, i));
	else
		ir_exit(x->u, kind, pc);
}

void lx_goto_if(struct lx *x, ir_val cond, u64 pc)
{
	u32 i = index_of(x, pc), skip;

	if (stepping(x)) {
		skip = ir_new_label(x->u);
		ir_brif(x->u, lx_op(x, IR_XOR, cond, lx_k(x, 1)), skip);
		step_exit(x, lx_k(x, pc));
		lx_label(x, skip);
	} else if (i != ~0u && (x->mark[i] & LX_IN) && (x->mark[i] & LX_LEADER)) {
		ir_brif(x->u, cond, label_of(x, i));
	} else {
		ir_exitif(x->u, cond, pc);
	}
}

void lx_goto_ind(struct lx *x, enum ir_kind kind, ir_val pc)
{
	x->ended = true;
	if (stepping(x))
		step_exit(x, pc);
	else
		ir_exitind(x->u, kind, pc);
}

void lx_raise(struct lx *x, enum ppc_vector vec, u64 srr1, u32 cause)
{
	x->ended = true;
	ir_call(x->u, H_RAISE, lx_k(x, vec), lx_k(x, srr1), lx_k(x, cause));
	ir_exit(x->u, IR_PLAIN, x->pc);
}

void lx_illegal(struct lx *x)
{
	lx_raise(x, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL, 0);
}

/* ---- one instruction ---------------------------------------------------------------------- */

/* The interrupt of an unavailable facility (ISA III 6.5.10, 6.5.23, 6.5.24), if it is one. */
static bool unavailable(struct lx *x)
{
	enum ppc_facility f = (enum ppc_facility)x->row->facility;

	if (f == PPC_FAC_SX)
		f = x->w & 1 ? PPC_FAC_VEC : PPC_FAC_VSX;
	else if (f == PPC_FAC_SXQ)
		f = x->w & 8 ? PPC_FAC_VEC : PPC_FAC_VSX;
	else if (f == PPC_FAC_FX)
		f = x->w & 1 ? PPC_FAC_VEC : PPC_FAC_FP;
	if (f == PPC_FAC_FP && !(x->key & PPC_KEY_FP))
		lx_raise(x, PPC_FPU, 0, 0);
	else if (f == PPC_FAC_VEC && !(x->key & PPC_KEY_VEC))
		lx_raise(x, PPC_VPU, 0, 0);
	else if (f == PPC_FAC_VSX && !(x->key & PPC_KEY_VSX))
		lx_raise(x, PPC_VSXU, 0, 0);
	return x->ended;
}

/* Facility status IC of transactional memory, ISA III 6.2.10. */
#define IC_TM 5

static void lift_one(struct lx *x)
{
	const struct ppc_row *r = ppc_decode(x->w);
	const struct lift_row *l;

	x->row = r;
	if (!r || ((r->flags & PPC_F_V3) && !x->v3)) {
		lx_illegal(x);
		return;
	}
	if ((r->flags & (PPC_F_PRIV | PPC_F_HV)) && (x->key & PPC_KEY_PR)) {
		lx_raise(x, PPC_PROGRAM, PPC_PROGRAM_PRIV, 0);
		return;
	}
	if ((r->flags & PPC_F_HV) && !(x->key & PPC_KEY_HV)) {
		lx_illegal(x);
		return;
	}
	if (r->flags & PPC_F_TM) {
		lx_raise(x, PPC_FACILITY, 0, IC_TM);
		return;
	}
	if (unavailable(x))
		return;
	x->w = ppc_canonical(r, x->w);
	l = lift_row(r->op);
	l->fn(x, l->arg);
}

/* One straight run from index i; stops where control cannot fall through or was emitted already. */
static void emit_run(struct lx *x, u32 i)
{
	x->ended = false;
	for (;; i++) {
		if (i >= x->nwords || !(x->mark[i] & LX_IN)) {
			u64 pc = pc_at(x, i);

			lx_goto(x, IR_PLAIN, x->sf ? pc : (u32)pc);
			return;
		}
		if (x->mark[i] & LX_DONE) {
			ir_br(x->u, label_of(x, i));
			return;
		}
		if (x->mark[i] & LX_LEADER)
			lx_label(x, label_of(x, i));
		x->mark[i] |= LX_DONE;
		x->at = i;
		x->pc = pc_at(x, i);
		x->w = word_at(x, i);
		ir_insn(x->u, x->pc);
		lift_one(x);
		if (x->ended)
			return;
		if (stepping(x)) {
			lx_goto(x, IR_PLAIN, lx_next(x));
			return;
		}
	}
}

static void lift_unit(struct ir_unit *u, const u8 *code, u32 bytes, u64 pc, u32 key, u32 budget)
{
	struct lx x = {.u = u,
		       .code = code,
		       .nwords = bytes / 4 < PPC_PAGE_WORDS ? bytes / 4 : PPC_PAGE_WORDS,
		       .pc0 = pc,
		       .key = key,
		       .sf = key & PPC_KEY_SF,
		       .v3 = key & PPC_KEY_ISA3,
		       .budget = budget};

	ir_begin(u, &ppc_target, pc);
	scan(&x);
	for (u32 i = 0; i < x.tail; i++)
		if ((x.mark[x.queue[i]] & (LX_IN | LX_DONE)) == LX_IN)
			emit_run(&x, x.queue[i]);
	/* Behind what only emission knew to be an end (an unconditional trap) a target is left. */
	for (u32 i = 0; i < x.top; i++) {
		if (x.label[i] && (x.mark[i] & (LX_IN | LX_DONE)) == LX_IN) {
			emit_run(&x, i);
			i = ~0u; /* it may want earlier ones */
		}
	}
}

void ppc_lift(struct ir_unit *u, const u8 *code, u32 bytes, u64 pc, u32 key)
{
	u32 budget = key & PPC_KEY_STEP ? 1 : PPC_UNIT_INSNS;

	/* Few instructions become so many operations that a unit is too small for the most. */
	for (;;) {
		lift_unit(u, code, bytes, pc, key, budget);
		if (!u->full || budget == 1)
			return;
		budget = budget > 8 ? budget / 4 : 1;
	}
}
