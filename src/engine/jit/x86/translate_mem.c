/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory accesses of translated code, S-mode: is it the page of the access's slot
 * (struct jit_slot)? Then the access is made at what the slot says to add. The shape,
 * for n bytes at [base + disp]:
 *
 *	lea	scratch, [base + disp]
 *	xor	scratch, gs:[slot.page]
 *	cmp	scratch, 4096 - n
 *	ja	stub
 *	mov	scratch, gs:[slot.add]
 *	op	[base + scratch + disp]
 *
 * The slot is at a constant place, so from the base register to the access nothing
 * waits: where the next address comes from memory that is what counts.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

void xl_flags_save(struct emit *e)
{
	static const u8 code[] = {0x9f, 0x0f, 0x90, 0xc0}; /* lahf; seto al */

	emit_gs(e, OP_MOV_MR, true, RAX, GS_RT(temp[1]));
	emit_bytes(e, code, sizeof(code));
}

void xl_flags_restore(struct emit *e)
{
	static const u8 code[] = {0x04, 0x7f, 0x9e}; /* add al, 0x7f; sahf */

	emit_bytes(e, code, sizeof(code));
	emit_gs(e, OP_MOV_RM, true, RAX, GS_RT(temp[1]));
}

void xl_flags_put_aside(struct emit *e)
{
	static const u8 code[] = {0x9f, 0x0f, 0x90, 0xc0}; /* lahf; seto al */

	emit_mov_rr(e, S1, RAX);
	emit_bytes(e, code, sizeof(code));
	emit_u8(e, 0x66);
	emit_gs(e, OP_MOV_MR, false, RAX, GS_RT(flags));
	emit_mov_rr(e, RAX, S1);
}

struct xl_ea xl_ea_of(const struct x86_insn *in)
{
	return (struct xl_ea){.base = in->mem_base,
			      .index = in->mem_index,
			      .scale = in->mem_scale,
			      .adsize = in->adsize,
			      .seg = in->seg,
			      .disp = in->disp};
}

static void ea_constant(struct emit *e, const struct xl_ea *ea, unsigned dst)
{
	emit_mov_ri(e, dst, ea->adsize == 8 ? (u64)ea->disp : (u32)ea->disp);
}

/* Linear address into dst; tmp may be clobbered; no flags change. */
static void ea_emit(struct emit *e, const struct xl_ea *ea, unsigned dst, unsigned tmp)
{
	struct emit_mem m = {ea->base, ea->index, ea->scale, false, (s32)ea->disp};

	if (ea->base == X86_REG_RIP || (ea->base == X86_REG_NONE && ea->index == X86_REG_NONE)) {
		ea_constant(e, ea, dst);
	} else {
		if (ea->base < 16 && xl_victim(ea->base)) {
			emit_gs(e, OP_MOV_RM, true, dst, GS_GPR(ea->base));
			m.base = (u8)dst;
		}
		if (ea->index < 16 && xl_victim(ea->index)) {
			m.index = m.base == dst ? (u8)tmp : (u8)dst;
			emit_gs(e, OP_MOV_RM, true, m.index, GS_GPR(ea->index));
		}
		if (m.base < 16 && m.index == EMIT_NONE && !m.disp && ea->adsize == 8) {
			if (m.base != dst)
				emit_mov_rr(e, dst, m.base);
		} else {
			emit_lea(e, ea->adsize == 8, dst, &m);
		}
	}
	if (ea->seg == X86_FS || ea->seg == X86_GS) {
		struct emit_mem sum = {(u8)dst, (u8)tmp, 1, false, 0};

		emit_gs(e, OP_MOV_RM, true, tmp, GS_OFF(seg_base) + 8u * ea->seg);
		emit_lea(e, true, dst, &sum);
	}
}

/* Out of line: linear address into S1, site into S2. */
static void leave_emit(struct emit *e, const struct xl_ea *ea, u32 site, u32 to, bool live)
{
	if (live)
		xl_flags_restore(e);
	ea_emit(e, ea, S1, S2);
	emit_mov_ri(e, S2, site);
	emit_jmp(e, to);
}

/* Out of line: linear address into S1, site into S2, to the thunk. */
static void stub_emit(struct xl *x, const struct xl_ea *ea, u32 site, u32 from, bool live)
{
	struct emit *e = x->cold;
	struct jit_site *s = &x->j->site[site];

	s->stub = e->pos;
	emit_patch(x->e->base, from, e->pos);
	leave_emit(e, ea, site, s->slot ? x->j->thunk.refill[x->mmu][s->access] : s->fail, live);
}

enum { PATCH_MAX = 3 }; /* five bytes from here on can be replaced by one store: offset mod 8 */

static bool plain_reg(unsigned reg)
{
	return reg < 16 && !xl_victim(reg);
}

static bool is_const(const struct xl *x, const struct xl_ea *ea)
{
	return (ea->base == X86_REG_RIP ||
		(ea->base == X86_REG_NONE && ea->index == X86_REG_NONE)) &&
	       ea->adsize == 8 && x->m64 && ea->seg != X86_FS && ea->seg != X86_GS;
}

/* Which form the access can have; fewest additions to the address come after the look at memory. */
static enum jit_form form_of(const struct xl *x, const struct xl_ea *ea, unsigned n)
{
	if (is_const(x, ea))
		return ea->disp == (s32)ea->disp &&
				       (ea->disp & (GPA_PAGE_SIZE - 1)) + n <= GPA_PAGE_SIZE
			       ? JIT_FORM_CONST
			       : JIT_FORM_PTR;
	if (!x->m64 || ea->adsize != 8 || ea->seg == X86_FS || ea->seg == X86_GS ||
	    (ea->base != X86_REG_NONE && !plain_reg(ea->base)) ||
	    (ea->index != X86_REG_NONE && !plain_reg(ea->index)))
		return JIT_FORM_PTR;
	return JIT_FORM_ADD;
}

/* By the slot: what xl_lookup is without. */
static u32 slot_emit(struct emit *e, struct jit_site *s)
{
	unsigned tmp = s->dst == S1 ? S2 : S1, x = s->form == JIT_FORM_PTR ? tmp : s->dst;
	u32 ja;

	if (s->form == JIT_FORM_PTR)
		emit_mov_rr(e, tmp, s->dst);
	if ((e->pos & 7) > PATCH_MAX)
		emit_align(e, 8, 0);
	s->check = e->pos;
	emit_gs(e, OP_XOR_RM, true, x, s->slot);
	emit_grp1_ri(e, 7, true, x, (s32)(GPA_PAGE_SIZE - s->size));
	ja = emit_jcc(e, CC_A, 0);
	emit_gs(e, s->form == JIT_FORM_PTR ? OP_ADD_RM : OP_MOV_RM, true, s->dst, s->slot + 8);
	s->check_len = (u8)(e->pos - s->check);
	return ja;
}

/* A known address: by its slot, or without one by the soft TLB's entry for it. */
static u32 const_emit(struct xl *x, struct jit_site *s, s64 linear)
{
	struct emit_mem page = {EMIT_NONE, EMIT_NONE, 1, true, (s32)s->slot}, add;
	struct emit *e = x->e;
	u32 jne;

	if (!s->slot) {
		page.base = s->dst;
		page.disp = (s32)xl_tlb_offset(x->mmu, (enum x86_access)s->access);
		emit_mov_ri(e, s->dst, (u32)((u64)linear >> 8));
		emit_gs(e, OP_AND_RM, false, s->dst, GS_OFF(tlb_mask) + 4u * x->mmu);
	}
	add = page;
	add.disp += 8;
	emit_rm(e, 0x81, true, 7, &page); /* cmp [page], imm32 */
	emit_u32(e, (u32)align_down((u64)linear, GPA_PAGE_SIZE));
	jne = emit_jcc(e, CC_NE, 0);
	emit_rm(e, OP_MOV_RM, true, s->dst, &add);
	return jne;
}

/* After the check: what the access is to be made with. */
static struct emit_mem operand_emit(struct xl *x, const struct xl_ea *ea, const struct jit_site *s)
{
	struct emit_mem m = {ea->base, s->dst, 1, false, (s32)ea->disp};
	struct emit_mem sum = {s->dst, ea->index, ea->scale, false, 0};

	if (s->form == JIT_FORM_PTR)
		return emit_at(s->dst, 0);
	if (s->form == JIT_FORM_CONST)
		return emit_at(s->dst, (s32)ea->disp);
	if (ea->base == X86_REG_NONE)
		return (struct emit_mem){s->dst, ea->index, ea->scale, false, (s32)ea->disp};
	if (ea->index != X86_REG_NONE)
		emit_lea(x->e, true, s->dst, &sum);
	return m;
}

/* Are its flags found again in a few instructions? See recipe_undo_emit. */
static bool simple_recipe(const struct jit_recipe *r)
{
	return r->op == JIT_RECIPE_SAVED ||
	       (r->op == JIT_RECIPE_AND && r->a == r->b && plain_reg(r->a) && r->size >= 4);
}

/* Put the flags of a recipe back; clobbers S1. False: that is for C to do. */
static bool recipe_undo_emit(struct emit *e, const struct jit_recipe *r)
{
	static const u8 load[] = {0x04, 0x7f, 0x9e}; /* add al, 0x7f; sahf */

	if (r->op == JIT_RECIPE_SAVED) {
		emit_mov_rr(e, S1, RAX);
		emit_gs(e, OP_MOVZX16, false, RAX, GS_RT(flags));
		emit_bytes(e, load, sizeof(load));
		emit_mov_rr(e, RAX, S1);
		return true;
	}
	if (!simple_recipe(r))
		return false;
	emit_rr(e, OP_TEST, r->size == 8, r->a, r->a);
	return true;
}

/* Out of line: go on in the plain unit, at the instruction of `site`. */
static u32 plain_emit(struct xl *x, u32 site)
{
	struct emit *e = x->cold;
	u64 rip = x->u->rip + (u64)(s64)x->j->site[site].rip;
	u32 link = jit_site_new(x->j, x->u, rip), from = e->pos;
	struct jit_site *s = &x->j->site[link];
	const struct jit_recipe *r = &x->j->site[site].recipe;

	if (r->size && !recipe_undo_emit(e, r))
		s->recipe = *r;
	s->plain = true;
	s->retry = emit_jmp_patchable(e, 0);
	emit_patch(e->base, s->retry, e->pos);
	emit_mov_ri(e, S2, link);
	emit_jmp(e, x->j->thunk.link);
	return from;
}

/* Where a window does not help the plain unit goes on; now and then the window is asked for. */
static void window_stub_emit(struct xl *x, const struct xl_ea *ea, u32 site, u32 from, bool live)
{
	struct emit *e = x->cold;
	u32 ask;

	emit_patch(x->e->base, from, e->pos);
	emit_grp1_gsi(e, 5, false, GS_RT(wide_credit), 1);
	ask = emit_jcc(e, CC_S, 0);
	if (live)
		xl_flags_restore(e);
	plain_emit(x, site);
	emit_patch(e->base, ask, e->pos);
	leave_emit(e, ea, site, x->j->thunk.wide, live);
}

/* The register that holds the linear address, or none does yet. */
static unsigned address_in(const struct xl *x, const struct xl_ea *ea)
{
	bool alone = ea->index == X86_REG_NONE && !ea->disp;

	return alone && x->m64 && plain_reg(ea->base) ? ea->base : EMIT_NONE;
}

/*
 * By a window, at the guest's own address and JIT_WINDOW_BIAS: nothing on the way to the access
 * waits for the check.
 */
static struct emit_mem window_emit(struct xl *x, const struct xl_ea *ea, u32 site, bool live)
{
	struct jit_site *s = &x->j->site[site];
	unsigned dst = s->dst, tmp = dst == S1 ? S2 : S1, at = address_in(x, ea);
	struct emit *e = x->e;
	u32 over;

	if (s->form == JIT_FORM_CONST)
		at = EMIT_NONE;
	else if (at == EMIT_NONE || (live && at == RAX) || s->window == JIT_WINDOW_WIDE) {
		ea_emit(e, ea, dst, tmp);
		at = dst;
	}
	if (live)
		xl_flags_save(e);
	if (s->form == JIT_FORM_CONST) {
		emit_grp1_gsi(e, 7, true, GS_RT(low_limit), 0);
		over = emit_jcc(e, CC_E, 0);
	} else if (s->window == JIT_WINDOW_LOW) {
		emit_gs(e, OP_CMP_RM, true, at, GS_RT(low_limit));
		over = emit_jcc(e, CC_AE, 0);
	} else {
		if (s->form == JIT_FORM_PTR) {
			emit_mov_rr(e, tmp, dst);
			at = tmp;
		}
		emit_gs(e, OP_XOR_RM, true, at, s->slot);
		emit_grp1_ri(e, 7, true, at, (s32)(JIT_WINDOW - s->size));
		over = emit_jcc(e, CC_A, 0);
	}
	if (live)
		xl_flags_restore(e);
	window_stub_emit(x, ea, site, over, live);
	if (s->form == JIT_FORM_PTR)
		return emit_at(dst, (s32)JIT_WINDOW_BIAS);
	if (s->form == JIT_FORM_CONST) /* the base may be X86_REG_RIP */
		return emit_at(EMIT_NONE, (s32)(ea->disp + (s64)JIT_WINDOW_BIAS));
	return (struct emit_mem){ea->base, ea->index, ea->scale, false,
				 (s32)(ea->disp + (s64)JIT_WINDOW_BIAS)};
}

/* Access of site->size bytes at ea: to site->fail where it cannot be made inline. */
static struct emit_mem check_emit(struct xl *x, const struct xl_ea *ea, u32 site, unsigned dst,
				  bool live)
{
	struct jit_site *s = &x->j->site[site];
	bool lookup = xl_by_lookup(x, ea, x->u->rip + (u64)(s64)s->rip);
	u32 ja;

	s->dst = (u8)dst;
	s->form = (u8)form_of(x, ea, s->size);
	s->retry = x->e->pos;
	s->window = (u8)xl_window(x, ea, s);
	if (s->window)
		return window_emit(x, ea, site, live);
	if (!lookup)
		xl_slot(x, ea, s);
	if (s->form != JIT_FORM_CONST)
		ea_emit(x->e, ea, dst, dst == S1 ? S2 : S1);
	if (live)
		xl_flags_save(x->e);
	if (s->form == JIT_FORM_CONST)
		ja = const_emit(x, s, ea->disp);
	else if (lookup)
		ja = xl_lookup(x->e, s, x->j, x->mmu);
	else
		ja = slot_emit(x->e, s);
	if (live)
		xl_flags_restore(x->e);
	stub_emit(x, ea, site, ja, live);
	return operand_emit(x, ea, s);
}

/* Does a fault of the host at the access find the guest's state as before the instruction? */
static bool exact(const struct xl *x, const struct xl_insn *t)
{
	if (!x->m64 || (t->recipe.size && !simple_recipe(&t->recipe)))
		return false;
	switch (t->kind) {
	case XL_MEM:
		return !xl_has_high(&t->in);
	case XL_PUSH_REG:
	case XL_PUSH_IMM:
	case XL_POP:
	case XL_PUSH_MEM:
	case XL_LEAVE:
	case XL_CALL:
	case XL_CALL_IND:
	case XL_JMP_IND:
	case XL_RET:
		return true;
	}
	return false;
}

static bool group_exact(const struct xl *x, u8 group)
{
	for (unsigned i = 0; i < x->n; i++) {
		const struct xl_insn *t = &x->insn[i];

		if ((t->ref[0].group == group || t->ref[1].group == group) && !exact(x, t))
			return false;
	}
	return true;
}

struct emit_mem xl_access(struct xl *x, unsigned i, const struct xl_ea *ea, unsigned n,
			  enum x86_access a, unsigned dst)
{
	const struct xl_insn *t = &x->insn[i];
	u32 site = jit_site_new(x->j, x->u, t->rip);
	struct jit_site *s = &x->j->site[site];
	u32 past = t->live_out | (t->in.row->f_read & X86_F_STATUS);
	bool live = t->save_flags ? past != 0 : t->live_in != 0;

	x->s1_group = 0;
	s->len = t->in.len;
	s->size = (u16)n;
	s->recipe = t->recipe;
	s->access = (u8)a;
	s->may_wide = exact(x, t);
	s->masked =
		t->in.evex_aaa || t->in.row->flags & (X86_R_MASKED | X86_R_MEM_ALIGN | X86_R_FPU);
	s->next = t->ends ? 0 : ~0u;
	s->fail = x->j->thunk.mem;
	return check_emit(x, ea, site, dst, live);
}

bool xl_grouped(const struct xl *x, unsigned i, unsigned which)
{
	u8 g = x->insn[i].ref[which].group;

	return g && x->group[g].count > 1;
}

/* One check for the whole span; where it fails the plain unit goes on. */
static void group_lead(struct xl *x, unsigned i, struct xl_group *g, unsigned dst)
{
	u32 site = jit_site_new(x->j, x->u, x->insn[i].rip);
	struct jit_site *s = &x->j->site[site];
	struct xl_ea ea = {.base = g->base,
			   .index = X86_REG_NONE,
			   .scale = 1,
			   .adsize = 8,
			   .seg = X86_DS,
			   .disp = g->min};

	s->size = (u16)(g->max - g->min);
	s->access = g->write ? X86_WRITE : X86_READ;
	s->may_wide = group_exact(x, (u8)(g - x->group));
	s->recipe = x->insn[i].recipe;
	s->fail = plain_emit(x, site);
	check_emit(x, &ea, site, dst, false);
	g->window = s->window;
	if (!g->window)
		emit_gs(x->e, OP_MOV_MR, true, dst, GS_RT(add) + 8u * g->base);
}

struct emit_mem xl_group_access(struct xl *x, unsigned i, unsigned which, s64 disp, unsigned dst)
{
	const struct xl_ref *r = &x->insn[i].ref[which];
	struct xl_group *g = &x->group[r->group];

	if (g->leader == i)
		group_lead(x, i, g, dst);
	if (g->window) {
		x->s1_group = 0;
		return emit_at(g->base, (s32)(disp + (s64)JIT_WINDOW_BIAS));
	}
	if (g->leader != i && (dst != S1 || x->s1_group != r->group))
		emit_gs(x->e, OP_MOV_RM, true, dst, GS_RT(add) + 8u * g->base);
	x->s1_group = dst == S1 ? r->group : 0;
	return (struct emit_mem){g->base, (u8)dst, 1, false, (s32)disp};
}
