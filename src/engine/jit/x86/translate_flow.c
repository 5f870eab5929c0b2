/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what moves data to and from the stack, and what jumps.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

/* ---- the stack ---- */

static struct xl_ea ea_stack(const struct xl *x, unsigned base, s64 disp)
{
	return (struct xl_ea){.base = (u8)base,
			      .index = X86_REG_NONE,
			      .scale = 1,
			      .adsize = x->m64 ? 8 : 4,
			      .seg = X86_SS,
			      .disp = disp};
}

static unsigned width(const struct xl *x)
{
	return x->m64 ? 8 : 4;
}

static void move_rsp(struct xl *x, unsigned from, s32 by)
{
	struct emit_mem m = emit_at(from, by);

	emit_lea(x->e, x->m64, RSP, &m);
}

/* The slot below rsp; uses S1. */
struct emit_mem xl_push_access(struct xl *x, unsigned i)
{
	struct xl_ea ea = ea_stack(x, RSP, -(s64)width(x));

	if (xl_grouped(x, i, 1))
		return xl_group_access(x, i, 1, ea.disp, S1);
	return xl_access(x, i, &ea, width(x), X86_WRITE, S1);
}

/* The same for the slot at rsp. */
static struct emit_mem pop_access(struct xl *x, unsigned i)
{
	struct xl_ea ea = ea_stack(x, RSP, 0);

	if (xl_grouped(x, i, 1))
		return xl_group_access(x, i, 1, 0, S1);
	return xl_access(x, i, &ea, width(x), X86_READ, S1);
}

static void push_reg(struct xl *x, const struct emit_mem *m, unsigned reg)
{
	emit_rm(x->e, OP_MOV_MR, x->m64, reg, m);
	move_rsp(x, RSP, -(s32)width(x));
}

void xl_push_imm(struct xl *x, const struct emit_mem *m, u64 v)
{
	if ((s64)v == (s32)v || !x->m64) {
		emit_mov_mi(x->e, x->m64, m, (s32)v);
		move_rsp(x, RSP, -(s32)width(x));
	} else {
		emit_mov_ri(x->e, S2, v);
		push_reg(x, m, S2);
	}
}

void xl_emit_push_reg(struct xl *x, unsigned i)
{
	unsigned reg = x->insn[i].in.opnd[0].reg;
	struct emit_mem m = xl_push_access(x, i);

	if (xl_victim(reg)) {
		emit_gs(x->e, OP_MOV_RM, true, S2, GS_GPR(reg));
		reg = S2;
	}
	push_reg(x, &m, reg);
}

/* The memory operand's value into register dst. */
static void load_operand(struct xl *x, unsigned i)
{
	const struct x86_insn *in = &x->insn[i].in;
	struct xl_ea ea = xl_ea_of(in);
	struct emit_mem m;

	xl_ea_settle(&ea, &x->insn[i]);
	m = xl_access(x, i, &ea, width(x), X86_READ, S1);
	emit_rm(x->e, OP_MOV_RM, x->m64, S1, &m);
}

void xl_emit_push_mem(struct xl *x, unsigned i)
{
	struct emit_mem m;

	load_operand(x, i);
	emit_gs(x->e, OP_MOV_MR, true, S1, GS_RT(temp[2]));
	m = xl_push_access(x, i);
	emit_gs(x->e, OP_MOV_RM, true, S2, GS_RT(temp[2]));
	push_reg(x, &m, S2);
}

static void pop_to(struct xl *x, const struct emit_mem *m, unsigned reg)
{
	emit_rm(x->e, OP_MOV_RM, x->m64, xl_victim(reg) ? (unsigned)S2 : reg, m);
	if (xl_victim(reg))
		emit_gs(x->e, OP_MOV_MR, true, S2, GS_GPR(reg));
}

void xl_emit_pop(struct xl *x, unsigned i)
{
	unsigned reg = x->insn[i].in.opnd[0].reg;
	struct emit_mem m = pop_access(x, i);

	pop_to(x, &m, reg);
	if (reg != RSP)
		move_rsp(x, RSP, (s32)width(x));
}

void xl_emit_leave(struct xl *x, unsigned i)
{
	struct xl_ea ea = ea_stack(x, RBP, 0);
	struct emit_mem m = xl_access(x, i, &ea, width(x), X86_READ, S1);

	emit_rm(x->e, OP_MOV_RM, x->m64, S2, &m);
	move_rsp(x, RBP, (s32)width(x));
	emit_rr(x->e, OP_MOV_RM, x->m64, RBP, S2);
}

/* ---- control flow ---- */

static void fix_to(struct xl *x, u32 at, s16 insn)
{
	x->fix[x->nfix++] = (struct xl_fix){at, insn};
}

void xl_link(struct xl *x, unsigned cc, u64 to, bool plain)
{
	u32 site = jit_site_new(x->j, x->u, to);
	struct emit *e = x->e;

	x->j->site[site].plain = plain;
	x->j->site[site].retry = cc == CC_JMP
					 ? emit_jmp_patchable(e, x->cold->pos)
					 : emit_jcc_patchable(e, (enum emit_cc)cc, x->cold->pos);
	emit_mov_ri(x->cold, S2, site);
	emit_jmp(x->cold, x->j->thunk.link);
}

static void emit_poll_exit(struct xl *x, u64 to, u32 resume, bool live)
{
	u32 site = jit_site_new(x->j, x->u, to);

	x->j->site[site].next = resume;
	if (live)
		xl_flags_restore(x->cold);
	emit_mov_ri(x->cold, S2, site);
	emit_jmp(x->cold, x->j->thunk.poll);
}

/* Look at the kick word before going back to `to`. */
static void emit_poll(struct xl *x, u64 to, bool live)
{
	if (live)
		xl_flags_save(x->e);
	emit_grp1_gsi(x->e, 7, false, GS_OFF(kick), 0);
	emit_jcc(x->e, CC_NE, x->cold->pos);
	emit_poll_exit(x, to, 0, live);
	if (live)
		xl_flags_restore(x->e);
}

bool xl_backward(const struct xl_insn *t)
{
	return t->to <= t->rip;
}

/* Unconditionally to t->to. */
void xl_emit_goto(struct xl *x, const struct xl_insn *t)
{
	u32 live = t->live_out;

	if (t->target >= 0)
		live = x->insn[t->target].live_in;
	if (xl_backward(t))
		emit_poll(x, t->to, live != 0);
	if (t->target < 0) {
		xl_link(x, CC_JMP, t->to, false);
		if (t->unsure)
			x->j->site[x->j->nsites - 1].ret = (s32)(t->rip + t->in.len - x->u->rip);
	} else if (xl_backward(t)) {
		emit_jmp(x->e, x->insn[t->target].off);
	} else {
		fix_to(x, emit_jmp(x->e, 0), t->target);
	}
}

void xl_emit_jcc(struct xl *x, const struct xl_insn *t)
{
	unsigned cc = t->in.opcode & 15;
	u32 skip;

	if (!xl_backward(t)) {
		if (t->target < 0)
			xl_link(x, cc, t->to, false);
		else
			fix_to(x, emit_jcc(x->e, (enum emit_cc)cc, 0), t->target);
		return;
	}
	skip = emit_jcc(x->e, (enum emit_cc)(cc ^ 1), 0);
	if (t->target >= 0 && !x->insn[t->target].live_in) {
		emit_grp1_gsi(x->e, 7, false, GS_OFF(kick), 0);
		emit_jcc(x->e, CC_E, x->insn[t->target].off);
		emit_jmp(x->e, x->cold->pos);
		emit_poll_exit(x, t->to, 0, false);
	} else {
		xl_emit_goto(x, t);
	}
	emit_patch(x->e->base, skip, x->e->pos);
}

/* loop, loope, loopne, jrcxz: the counter is tested by the host's own jrcxz. */
void xl_emit_loop(struct xl *x, const struct xl_insn *t)
{
	unsigned op = t->in.opcode;
	struct emit_mem dec = emit_at(RCX, -1);
	u32 skip[2], nskip = 0;

	if (op != 0xe3)
		emit_lea(x->e, t->in.adsize == 8, RCX, &dec);
	if (t->in.adsize == 4)
		emit_u8(x->e, 0x67);
	emit_u8(x->e, 0xe3);
	emit_u8(x->e, op == 0xe3 ? 5 : 2);
	if (op == 0xe3) {
		skip[nskip++] = emit_jmp(x->e, 0);
	} else {
		emit_u8(x->e, 0xeb); /* count is not 0: over the jump out */
		emit_u8(x->e, 5);
		skip[nskip++] = emit_jmp(x->e, 0);
		if (op != 0xe2)
			skip[nskip++] = emit_jcc(x->e, op == 0xe1 ? CC_NE : CC_E, 0);
	}
	xl_emit_goto(x, t);
	while (nskip)
		emit_patch(x->e->base, skip[--nskip], x->e->pos);
}

/* Note where the target finds the status flags. */
static void emit_recipe(struct xl *x, unsigned i)
{
	struct emit_mem slot = {EMIT_NONE, EMIT_NONE, 1, true, (s32)GS_RT(recipe)};
	u32 site = jit_site_new(x->j, x->u, x->insn[i].rip);

	x->j->site[site].recipe = x->insn[i].recipe;
	emit_mov_mi(x->e, false, &slot, (s32)site);
}

/* To the guest address in S1. */
static void emit_indirect(struct xl *x)
{
	emit_rr(x->e, OP_MOVZX16, false, S2, S1);
	emit_jmp_gs(x->e, S2, GS_RT(jc));
}

void xl_emit_ret(struct xl *x, unsigned i)
{
	struct emit_mem m = pop_access(x, i);
	s32 extra = x->insn[i].in.opcode == 0xc2 ? (s32)(x->insn[i].in.imm & 0xffff) : 0;

	emit_rm(x->e, OP_MOV_RM, x->m64, S1, &m);
	move_rsp(x, RSP, (s32)width(x) + extra);
	if (x->insn[i].recipe.size)
		emit_recipe(x, i);
	emit_indirect(x);
}

static void load_target_reg(struct xl *x, unsigned reg)
{
	if (xl_victim(reg))
		emit_gs(x->e, OP_MOV_RM, x->m64, S1, GS_GPR(reg));
	else
		emit_rr(x->e, OP_MOV_RM, x->m64, S1, reg);
}

void xl_emit_jmp_ind(struct xl *x, unsigned i)
{
	const struct x86_insn *in = &x->insn[i].in;

	if (in->has_mem)
		load_operand(x, i);
	else
		load_target_reg(x, in->opnd[0].reg);
	emit_recipe(x, i);
	emit_indirect(x);
}

void xl_emit_call_ind(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	struct emit_mem m;

	if (t->in.has_mem) {
		load_operand(x, i);
		emit_gs(x->e, OP_MOV_MR, true, S1, GS_RT(temp[2]));
	}
	m = xl_push_access(x, i);
	xl_push_imm(x, &m, t->rip + t->in.len);
	if (t->in.has_mem)
		emit_gs(x->e, OP_MOV_RM, true, S1, GS_RT(temp[2]));
	else
		load_target_reg(x, t->in.opnd[0].reg);
	emit_indirect(x);
}
