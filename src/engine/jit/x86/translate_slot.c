/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which slot (struct jit_slot) an access uses, and sites that fare better without.
 *
 * Accesses of a unit by the same base register value share one; units take theirs
 * in turn, so pieces of code that run together seldom meet in a slot.
 *
 * A site that goes from page to page pays more for its slot than it gains. Where
 * jit_on_sample finds one, it looks into the soft TLB out of line at once, and the
 * unit is translated again with a window (rt/hosted_window.c) or the look in line
 * (xl_lookup).
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

enum { KEY_DISP_SHIFT = 11 }; /* displacements this far apart: other arrays, other slots */

static u64 key_of(const struct xl *x, const struct xl_ea *ea, enum x86_access a)
{
	u64 k = (u64)a | (u64)ea->base << 8 | (u64)ea->index << 16;

	if (ea->base < 16)
		k |= (u64)(x->version[ea->base] & 15) << 24;
	else if (ea->index < 16)
		k |= (u64)(x->version[ea->index] & 15) << 24;
	return k | (u64)ea->disp >> KEY_DISP_SHIFT << 32;
}

static_assert(!(JIT_SLOT_FIRST & 1) && !(JIT_SLOTS & 1), "slots come in pairs");

static u32 number_of(struct xl *x, const struct xl_ea *ea, enum x86_access a)
{
	u64 key = key_of(x, ea, a);
	u32 page = (u32)((u64)ea->disp >> GPA_PAGE_SHIFT) * 2 + a, n;

	if (ea->base == RSP && ea->index == X86_REG_NONE)
		return JIT_SLOT_STACK + a;
	if (ea->seg == X86_FS || ea->seg == X86_GS)
		return JIT_SLOT_SEGMENT + (page & 7);
	if (ea->base == X86_REG_RIP || (ea->base == X86_REG_NONE && ea->index == X86_REG_NONE))
		return JIT_SLOT_CONST + (page & 15);
	for (unsigned i = 0; i < x->nslots; i++)
		if (x->slot[i].key == key)
			return x->slot[i].number;
	/* Even ones to read: a page that may be read must not look as if it might be written. */
	n = x->j->slot_next | a;
	x->j->slot_next = n + 2 < JIT_SLOTS ? (n & ~1u) + 2 : JIT_SLOT_FIRST;
	if (x->nslots < ARRAY_LEN(x->slot))
		x->slot[x->nslots++] = (struct xl_slot){key, n};
	return n;
}

void xl_slot(struct xl *x, const struct xl_ea *ea, struct jit_site *s)
{
	s->slot_no = number_of(x, ea, (enum x86_access)s->access);
	s->slot = GS_RT(slot) + (x->mmu * JIT_SLOTS + s->slot_no) * (u32)sizeof(struct jit_slot);
}

void xl_slot_step(struct xl *x, const struct xl_insn *t)
{
	u32 written = xl_gpr_written(&t->in);
	s64 by;

	if ((t->kind == XL_COPY || t->kind == XL_LEA) && xl_constant_move(&t->in, &by))
		return;
	for (unsigned r = 0; r < 16; r++)
		x->version[r] = (u8)(x->version[r] + (written >> r & 1));
}

static u8 *noslot(struct jit *j, const struct jit_map *m, u64 rip)
{
	u64 at = m->gpa | (rip & (GPA_PAGE_SIZE - 1));

	return &j->noslot[at * 0x9e3779b97f4a7c15ULL >> 40 & (JIT_NOSLOT - 1)];
}

static bool fits_biased(const struct xl_ea *ea)
{
	s64 disp = ea->disp + (s64)JIT_WINDOW_BIAS;

	return disp == (s32)disp;
}

enum jit_window_kind xl_window(struct xl *x, const struct xl_ea *ea, struct jit_site *s)
{
	u8 mark = *noslot(x->j, x->map, x->u->rip + (u64)(s64)s->rip);
	bool low = x->map->lin < JIT_WINDOW && ea->base != RSP && !(mark & JIT_WAY_HIGH);

	if (x->plain || !x->m64 || !(x->map->key & X86_KEY_CPL3) || !jit_cpu(x->c)->windows ||
	    mark & JIT_WAY_NEVER || !(x->u->hot || mark & JIT_WAY_WIDE))
		return JIT_NO_WINDOW;
	if (!s->may_wide || ea->adsize != 8 || ea->seg == X86_FS || ea->seg == X86_GS ||
	    (s->form != JIT_FORM_PTR && !fits_biased(ea)))
		return JIT_NO_WINDOW;
	if (s->form == JIT_FORM_CONST && (!low || (u64)ea->disp >= JIT_LOW_LIMIT))
		return JIT_NO_WINDOW;
	if (low)
		return JIT_WINDOW_LOW;
	s->slot_no = number_of(x, ea, (enum x86_access)s->access);
	s->slot = GS_RT(wide) + s->slot_no * 8u;
	return JIT_WINDOW_WIDE;
}

bool xl_by_lookup(const struct xl *x, const struct xl_ea *ea, u64 rip)
{
	bool own = ea->base == RSP || ea->seg == X86_FS || ea->seg == X86_GS;

	/*
	 * A kernel goes from object to object, on other pages each time. Where other vCPUs run the
	 * same code it cannot be changed under them, so no site could lose its slot again.
	 */
	if (!own && (!(x->map->key & X86_KEY_CPL3) || x->j->vm->ncpus > 1))
		return true;
	return *noslot(x->j, x->map, rip) & JIT_WAY_LOOKUP;
}

u32 xl_tlb_offset(unsigned mmu, enum x86_access a)
{
	size_t off = offsetof(struct x86_vcpu, tlb) + mmu * sizeof(struct x86_tlb);

	return (u32)(off + (a == X86_WRITE ? offsetof(struct x86_tlb, wr) : 0));
}

static void index_emit(struct emit *e, const struct jit *j, unsigned mmu, unsigned dst,
		       unsigned tmp)
{
	if (j->have_bmi2) {
		emit_rorx32(e, tmp, dst, 8);
	} else {
		emit_rr(e, OP_MOV_RM, false, tmp, dst);
		emit_shift_ri(e, 5, false, tmp, 8);
	}
	emit_gs(e, OP_AND_RM, false, tmp, GS_OFF(tlb_mask) + 4u * mmu);
}

u32 xl_lookup(struct emit *e, const struct jit_site *s, const struct jit *j, unsigned mmu)
{
	unsigned dst = s->dst, tmp = dst == S1 ? S2 : S1;
	u32 tlb = xl_tlb_offset(mmu, (enum x86_access)s->access), ja;
	struct emit_mem page = {(u8)tmp, EMIT_NONE, 1, true, (s32)tlb};
	struct emit_mem add = {(u8)tmp, EMIT_NONE, 1, true, (s32)tlb + 8};

	index_emit(e, j, mmu, dst, tmp);
	emit_rm(e, OP_XOR_RM, true, dst, &page);
	emit_grp1_ri(e, 7, true, dst, (s32)(GPA_PAGE_SIZE - s->size));
	ja = emit_jcc(e, CC_A, 0);
	if (s->form == JIT_FORM_ADD) {
		emit_rm(e, OP_MOV_RM, true, dst, &add);
	} else {
		emit_rm(e, OP_ADD_RM, true, dst, &page);
		emit_rm(e, OP_ADD_RM, true, dst, &add);
	}
	return ja;
}

/* A jump to `to` over the first bytes at `at`, which lie in one aligned quadword. */
static void put_jump(struct jit *j, u32 at, u32 to)
{
	u64 *q = (u64 *)(j->rw + (at & ~7u));
	unsigned sh = (at & 7) * 8;
	u64 jump = 0xe9 | (u64)(u32)(to - (at + 5)) << 8;

	__atomic_store_n(q, (*q & ~(BITS(0, 39) << sh)) | jump << sh, __ATOMIC_RELEASE);
}

/* Jumps to u go to the unit that replaced it. */
static void links_move(struct jit *j, struct jit_unit *u, struct jit_unit *again)
{
	u32 next;

	for (u32 i = u->links; i; i = next) {
		struct jit_site *s = &j->site[i];

		next = s->next_link;
		emit_patch(j->rw, s->retry, j->unit[s->unit].map == u->map ? again->e2 : again->e1);
		s->next_link = again->links;
		again->links = i;
	}
	u->links = 0;
}

void jit_unit_again(struct jit *j, struct x86_vcpu *c, struct jit_unit *u, bool hot)
{
	struct jit_cpu *cpu = jit_cpu(c);
	u64 *entry = &cpu->jc[u->rip & (JIT_JC - 1)];
	struct jit_unit *again, **quick = &cpu->quick[jit_quick_index(u->rip)];

	if (u->map->dead || u->forwarded || jit_full(j))
		return;
	again = jit_translate(j, c, u->map, u->rip,
			      u->plain ? JIT_UNIT_PLAIN
			      : hot    ? JIT_UNIT_HOT
				       : JIT_UNIT_NORMAL);
	if (!again)
		return;
	put_jump(j, u->e1, again->e1);
	put_jump(j, u->e2, again->e2);
	links_move(j, u, again);
	u->forwarded = true;
	if (*entry == (u64)(uintptr_t)jit_host(j, u->e0))
		*entry = (u64)(uintptr_t)jit_host(j, again->e0);
	if (*quick == u)
		*quick = again;
	/* Out of a loop that never leaves the unit. */
	atomic_fetch_or(&c->kick, X86_KICK_FLUSH);
}

static u8 *mark_of(struct jit *j, const struct jit_site *s)
{
	struct jit_unit *u = &j->unit[s->unit];

	return noslot(j, u->map, u->rip + (u64)(s64)s->rip);
}

void jit_site_unslot(struct jit *j, struct x86_vcpu *c, struct jit_site *s)
{
	struct jit_unit *u = &j->unit[s->unit];
	struct emit *e = &j->cold;
	u32 begin = e->pos, ja;

	if (s->form == JIT_FORM_CONST || j->vm->ncpus > 1 || jit_full(j))
		return;
	ja = xl_lookup(e, s, j, u->map->key >> 2 & 3);
	emit_jmp(e, s->check + s->check_len);
	emit_patch(e->base, ja, s->stub);
	put_jump(j, s->check, begin);
	*mark_of(j, s) |= JIT_WAY_LOOKUP | JIT_WAY_WIDE;
	jit_unit_again(j, c, u, u->hot);
}

void jit_site_no_window(struct jit *j, struct x86_vcpu *c, struct jit_site *s, u64 linear)
{
	struct jit_unit *u = &j->unit[s->unit];
	bool high = s->window == JIT_WINDOW_LOW && linear >= JIT_LOW_LIMIT && !(linear >> 47);

	*mark_of(j, s) |= high ? JIT_WAY_HIGH : JIT_WAY_NEVER;
	jit_unit_again(j, c, u, u->hot);
}
