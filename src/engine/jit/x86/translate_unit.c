/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the code of a unit: its entry, each instruction, its exits.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

static void emit_insn(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	struct emit_mem m;

	switch ((enum xl_kind)t->kind) {
	case XL_COPY:
		return xl_emit_copy(x, t);
	case XL_MEM:
		return xl_emit_mem(x, i);
	case XL_LEA:
		return xl_emit_lea_insn(x, t);
	case XL_INCDEC:
		return xl_emit_incdec(x, t);
	case XL_SKIP:
		return;
	case XL_EXEC:
		return xl_emit_exec(x, i);
	case XL_PUSH_REG:
		return xl_emit_push_reg(x, i);
	case XL_PUSH_IMM:
		m = xl_push_access(x, i);
		return xl_push_imm(x, &m, (u64)t->in.imm);
	case XL_PUSH_MEM:
		return xl_emit_push_mem(x, i);
	case XL_POP:
		return xl_emit_pop(x, i);
	case XL_LEAVE:
		return xl_emit_leave(x, i);
	case XL_JMP:
		return xl_emit_goto(x, t);
	case XL_JCC:
		return xl_emit_jcc(x, t);
	case XL_LOOP:
		return xl_emit_loop(x, t);
	case XL_CALL:
		m = xl_push_access(x, i);
		xl_push_imm(x, &m, t->rip + t->in.len);
		return xl_emit_goto(x, t);
	case XL_RET:
		return xl_emit_ret(x, i);
	case XL_JMP_IND:
		return xl_emit_jmp_ind(x, i);
	case XL_CALL_IND:
		return xl_emit_call_ind(x, i);
	case XL_SYS:
		return xl_emit_sys(x, i);
	case XL_MODE:
		return xl_emit_mode(x, i);
	}
}

/* ---- a unit ---- */

enum { E1_ALIGN = 16 };

/* Compare the xtlb's idea of this page with ours. */
static u32 emit_map_check(struct xl *x)
{
	emit_grp1_gsi(x->e, 7, false, GS_RT(xtlb) + 4u * jit_xtlb_index(x->map->lin, x->map->key),
		      (s32)x->map->id);
	return emit_jcc(x->e, CC_NE, 0);
}

static void emit_stale(struct xl *x, u32 from, u32 thunk, bool load_rip, bool live)
{
	struct emit *e = x->cold;

	emit_patch(x->e->base, from, e->pos);
	if (live)
		xl_flags_restore(e);
	if (load_rip)
		emit_mov_ri(e, S1, x->u->rip);
	emit_mov_ri(e, S2, (u32)(x->u - x->j->unit));
	emit_jmp(e, thunk);
}

/* e0 up to where e1 starts. */
static void emit_entry0(struct xl *x, bool live, u32 *skip)
{
	u32 wrong;

	x->u->e0 = x->e->pos;
	if (live)
		xl_flags_save(x->e);
	emit_mov_ri(x->e, S2, x->u->rip);
	emit_rr(x->e, OP_CMP_RM, true, S1, S2);
	wrong = emit_jcc(x->e, CC_NE, 0);
	emit_stale(x, wrong, x->j->thunk.miss, false, live);
	emit_grp1_gsi(x->e, 7, true, GS_OFF(mode_key), (s32)x->map->key);
	wrong = emit_jcc(x->e, CC_NE, 0);
	emit_stale(x, wrong, x->j->thunk.miss, false, live);
	if (live) {
		emit_grp1_gsi(x->e, 7, false, GS_RT(recipe), 0);
		wrong = emit_jcc(x->e, CC_NE, 0);
		emit_stale(x, wrong, x->j->thunk.flags, false, true);
	}
	*skip = live ? emit_jmp(x->e, 0) : 0; /* flags are saved already */
}

static void emit_entry(struct xl *x)
{
	bool live = x->insn[0].live_in != 0;
	struct emit probe = *x->e;
	u32 skip, stale;

	/* e1 must be aligned so that jit_on_stale can replace its first bytes at once. */
	struct emit cold = *x->cold;

	emit_entry0(x, live, &skip);
	skip = x->e->pos - probe.pos;
	*x->e = probe;
	*x->cold = cold;
	emit_align(x->e, E1_ALIGN, skip);
	emit_entry0(x, live, &skip);
	x->u->e1 = x->e->pos;
	if (live)
		xl_flags_save(x->e);
	if (live)
		emit_patch(x->e->base, skip, x->e->pos);
	stale = emit_map_check(x);
	emit_stale(x, stale, x->j->thunk.stale, true, live);
	if (live)
		xl_flags_restore(x->e);
}

static void emit_fpu_check(struct xl *x)
{
	bool live = x->insn[0].live_in != 0;
	u32 site = jit_site_new(x->j, x->u, x->u->rip), parked;

	if (live)
		xl_flags_save(x->e);
	emit_grp1_gsi8(x->e, 7, GS_OFF(fpu_live), 0);
	parked = emit_jcc(x->e, CC_E, x->cold->pos);
	if (live)
		xl_flags_restore(x->e);
	(void)parked;
	x->j->site[site].retry = x->e->pos;
	if (live)
		xl_flags_restore(x->cold);
	emit_mov_ri(x->cold, S2, site);
	emit_jmp(x->cold, x->j->thunk.fpu);
}

/* Before an instruction whose last bytes are on the next page: is that page still the one read? */
static void emit_next_check(struct xl *x, const struct xl_insn *t)
{
	u32 site = jit_site_new(x->j, x->u, t->rip);

	x->j->site[site].len = t->in.len;
	x->j->site[site].next = t->ends ? 0 : ~0u;
	x->j->site[site].recipe = t->recipe;
	if (t->live_in)
		xl_flags_save(x->e);
	emit_grp1_gsi(x->e, 7, false, GS_RT(xtlb) + 4u * jit_xtlb_index(x->next->lin, x->next->key),
		      (s32)x->next->id);
	emit_jcc(x->e, CC_NE, x->cold->pos);
	if (t->live_in)
		xl_flags_restore(x->e);
	if (t->live_in)
		xl_flags_restore(x->cold);
	emit_mov_ri(x->cold, S2, site);
	emit_jmp(x->cold, x->j->thunk.exec);
}

/* Sites of instruction i learn where the next one starts. */
static void sites_next(struct xl *x, u32 from)
{
	for (u32 s = from; s < x->j->nsites; s++)
		if (x->j->site[s].next == ~0u)
			x->j->site[s].next = x->e->pos;
}

/* Does the code of this instruction leave S1 as it was, or as xl_group_access notes? */
static bool keeps_s1(const struct xl_insn *t)
{
	u32 used = xl_victims(&t->in) | xl_victims_of_address(&t->in);

	switch (t->kind) {
	case XL_COPY:
	case XL_MEM:
	case XL_LEA:
		return !(used & BIT(S1));
	case XL_SKIP:
	case XL_PUSH_REG:
	case XL_PUSH_IMM:
	case XL_POP:
		return true;
	case XL_JCC:
		return !xl_backward(t);
	}
	return false;
}

static void note_pc(struct xl *x, const struct xl_insn *t)
{
	struct jit *j = x->j;
	u32 site = 0;

	if (t->recipe.size) {
		site = jit_site_new(j, x->u, t->rip);
		j->site[site].recipe = t->recipe;
	}
	j->pc[j->npcs++] =
		(struct jit_pc){(u16)(t->rip - x->u->rip), (u16)(t->off - x->u->e2), site};
}

static void emit_body(struct xl *x)
{
	struct jit *j = x->j;

	for (unsigned i = 0; i < x->n; i++) {
		struct xl_insn *t = &x->insn[i];
		u32 sites = j->nsites;
		bool last = i + 1 == x->n || x->insn[i + 1].rip != t->rip + t->in.len;

		if (t->label)
			x->s1_group = 0;
		t->off = x->e->pos;
		note_pc(x, t);
		if ((t->rip & (GPA_PAGE_SIZE - 1)) + t->in.len > GPA_PAGE_SIZE)
			emit_next_check(x, t);
		if (t->save_flags) {
			xl_flags_put_aside(x->e);
			x->s1_group = 0;
		}
		emit_insn(x, i);
		if (!keeps_s1(t))
			x->s1_group = 0;
		xl_slot_step(x, t);
		sites_next(x, sites);
		if (last && !t->ends)
			xl_link(x, CC_JMP, t->rip + t->in.len, false);
	}
}

void xl_emit_unit(struct xl *x)
{
	static const u8 patchable[] = {0x0f, 0x1f, 0x44, 0, 0}; /* nop, for a jump to a new unit */
	struct jit_unit *u = x->u;

	x->s1_group = 0;
	x->nslots = 0;
	emit_entry(x);
	emit_align(x->e, 8, 0);
	u->e2 = x->e->pos;
	emit_bytes(x->e, patchable, sizeof(patchable));
	u->pcs = x->j->npcs;
	u->ninsns = (u16)x->n;
	if (u->fpu)
		emit_fpu_check(x);
	emit_body(x);
	for (unsigned i = 0; i < x->nfix; i++)
		emit_patch(x->e->base, x->fix[i].at, x->insn[x->fix[i].insn].off);
	u->end = x->e->pos;
}
