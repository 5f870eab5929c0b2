/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory accesses of translated code, S-mode: look the page up in the soft TLB
 * inline, leave the host pointer in a scratch register. The shape, for n bytes:
 *
 *	lea	dst, [ea]
 *	rorx	tmp, dst, 8
 *	and	tmp, gs:[tlb_mask]
 *	xor	dst, gs:[tmp + tlb.page]
 *	cmp	dst, 4096 - n
 *	ja	slow
 *	add	dst, gs:[tmp + tlb.host]
 */
#include "engine/jit/x86/translate.h"

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

static u32 tlb_offset(const struct xl *x, enum x86_access a)
{
	size_t off = offsetof(struct x86_vcpu, tlb) + x->mmu * sizeof(struct x86_tlb);

	return (u32)(off + (a == X86_WRITE ? offsetof(struct x86_tlb, wr) : 0));
}

static void index_emit(struct xl *x, unsigned dst, unsigned tmp)
{
	if (x->j->have_bmi2) {
		emit_rorx32(x->e, tmp, dst, 8);
	} else {
		emit_rr(x->e, OP_MOV_RM, false, tmp, dst);
		emit_shift_ri(x->e, 5, false, tmp, 8);
	}
	emit_gs(x->e, OP_AND_RM, false, tmp, GS_OFF(tlb_mask) + 4u * x->mmu);
}

/* Out of line: linear address into S1, site into S2, to the thunk. */
static void slow_emit(struct xl *x, const struct xl_ea *ea, u32 site, u32 from, bool live)
{
	struct emit *e = x->cold;

	emit_patch(x->e->base, from, e->pos);
	if (live)
		xl_flags_restore(e);
	ea_emit(e, ea, S1, S2);
	emit_mov_ri(e, S2, site);
	emit_jmp(e, x->j->thunk.mem);
}

void xl_access(struct xl *x, unsigned i, const struct xl_ea *ea, unsigned n, enum x86_access a,
	       unsigned dst)
{
	const struct xl_insn *t = &x->insn[i];
	unsigned tmp = dst == S1 ? S2 : S1;
	struct emit_mem page = {(u8)tmp, EMIT_NONE, 1, true, (s32)tlb_offset(x, a)};
	struct emit_mem host = page;
	u32 site = jit_site_new(x->j, x->u, t->rip), ja;
	struct jit_site *s = &x->j->site[site];
	u32 past = t->live_out | (t->in.row->f_read & X86_F_STATUS);
	bool live = t->save_flags ? past != 0 : t->live_in != 0;

	x->s1_group = 0;
	host.disp += 8;
	s->len = t->in.len;
	s->size = (u8)n;
	s->recipe = t->recipe;
	s->access = (u8)a;
	s->masked =
		t->in.evex_aaa || t->in.row->flags & (X86_R_MASKED | X86_R_MEM_ALIGN | X86_R_FPU);
	s->retry = x->e->pos;
	s->next = t->ends ? 0 : ~0u;
	ea_emit(x->e, ea, dst, tmp);
	if (live)
		xl_flags_save(x->e);
	index_emit(x, dst, tmp);
	emit_rm(x->e, OP_XOR_RM, true, dst, &page);
	emit_grp1_ri(x->e, 7, true, dst, (s32)(GPA_PAGE_SIZE - n));
	ja = emit_jcc(x->e, CC_A, 0);
	emit_rm(x->e, OP_ADD_RM, true, dst, &host);
	if (live)
		xl_flags_restore(x->e);
	slow_emit(x, ea, site, ja, live);
}

bool xl_grouped(const struct xl *x, unsigned i, unsigned which)
{
	u8 g = x->insn[i].ref[which].group;

	return g && x->group[g].count > 1;
}

/* One check for the whole span; where it fails the plain unit goes on. */
static void group_lead(struct xl *x, unsigned i, const struct xl_group *g, unsigned dst)
{
	unsigned tmp = dst == S1 ? S2 : S1;
	enum x86_access a = g->write ? X86_WRITE : X86_READ;
	struct emit_mem page = {(u8)tmp, EMIT_NONE, 1, true, (s32)tlb_offset(x, a)};
	struct emit_mem host = page;
	struct xl_ea ea = {.base = g->base,
			   .index = X86_REG_NONE,
			   .scale = 1,
			   .adsize = 8,
			   .seg = X86_DS,
			   .disp = g->min};

	host.disp += 8;
	ea_emit(x->e, &ea, dst, tmp);
	index_emit(x, dst, tmp);
	emit_rm(x->e, OP_XOR_RM, true, dst, &page);
	emit_grp1_ri(x->e, 7, true, dst, (s32)GPA_PAGE_SIZE - (g->max - g->min));
	xl_link(x, CC_A, x->insn[i].rip, true);
	x->j->site[x->j->nsites - 1].recipe = x->insn[i].recipe;
	emit_rm(x->e, OP_ADD_RM, true, dst, &host);
	emit_gs(x->e, OP_MOV_MR, true, dst, GS_RT(ptr) + 8u * g->base);
}

s32 xl_group_access(struct xl *x, unsigned i, unsigned which, unsigned dst)
{
	const struct xl_ref *r = &x->insn[i].ref[which];
	const struct xl_group *g = &x->group[r->group];

	if (g->leader == i)
		group_lead(x, i, g, dst);
	else if (dst != S1 || x->s1_group != r->group)
		emit_gs(x->e, OP_MOV_RM, true, dst, GS_RT(ptr) + 8u * g->base);
	x->s1_group = dst == S1 ? r->group : 0;
	return r->offset - g->min;
}
