/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control flow of lifted units: entries, branches, exits, calls into C, what stands out of line.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

struct irrun_site *xe_site(struct xe *x, u32 *index)
{
	struct irrun *r = x->r;
	struct irrun_site *s;

	*index = r->nsites < r->max_sites ? r->nsites++ : 0;
	if (!*index)
		x->failed = true;
	s = &r->site[*index];
	*s = (struct irrun_site){.unit = (u32)(x->u - r->unit), .pc = (s32)(x->pc - x->u->pc)};
	return s;
}

struct xe_stub *xe_stub(struct xe *x, enum xe_stub_kind kind)
{
	struct xe_stub *s;

	if (x->nstubs == XE_STUBS) {
		x->failed = true;
		x->nstubs--;
	}
	s = &x->stub[x->nstubs++];
	*s = (struct xe_stub){.kind = (u8)kind, .addr = EMIT_NONE, .index = EMIT_NONE};
	return s;
}

/* ---- entries ---- */

static void pc_stub(struct xe *x, u64 pc, u32 from)
{
	struct xe_stub *s = xe_stub(x, XE_STUB_PC);

	s->pc = pc;
	s->from = from;
}

static void check_map(struct xe *x)
{
	const struct irrun_map *m = x->u->map;
	struct emit_mem key = XE_RT(x, key), kick = XE_RT(x, kick), id;
	size_t at = offsetof(struct irrun_cpu, xtlb);

	if (x->r->ops->flat) {
		x86_grp1_mi(x->e, 7, 4, &kick, 0);
		pc_stub(x, x->u->pc, emit_jcc(x->e, CC_NE, 0));
		return;
	}
	x86_grp1_mi(x->e, 7, 8, &key, (s32)m->key);
	pc_stub(x, x->u->pc, emit_jcc(x->e, CC_NE, 0));
	at += (m->bank * IRRUN_XTLB + irrun_xtlb_index(m->lin)) * sizeof(u32);
	id = xe_rt(x, at);
	x86_grp1_mi(x->e, 7, 4, &id, (s32)m->id);
	pc_stub(x, x->u->pc, emit_jcc(x->e, CC_NE, 0));
}

void xe_entries(struct xe *x)
{
	struct emit *e = x->e;
	u64 pc = x->u->pc;
	u32 literal = 0;

	emit_align(e, 16, 0);
	for (u32 i = 0; i < x->ir->npool; i++) {
		x->pool_at[i] = e->pos;
		emit_u64(e, x->ir->pool[i].lo);
		emit_u64(e, x->ir->pool[i].hi);
	}
	if (!fits_s32(pc)) {
		literal = e->pos;
		emit_u64(e, pc);
	}
	x->u->e0 = e->pos;
	if (literal) {
		struct emit_mem m = {XE_RIP, EMIT_NONE, 1, false, (s32)literal};

		x86_rm(e, 0, OP_CMP_RM, true, RAX, &m);
	} else {
		emit_grp1_ri(e, 7, true, RAX, (s32)pc);
	}
	emit_jcc(e, CC_NE, x->r->thunk.miss);
	x->u->e1 = e->pos;
	check_map(x);
	x->u->e2 = e->pos;
}

/* ---- branches inside the unit ---- */

static void label(struct xe *x, const struct ir_op *op)
{
	struct emit_mem kick = XE_RT(x, kick);
	const struct ir_op *next = op + 1;

	xe_flags_gone(x);
	x->label[op->imm] = x->e->pos;
	if (!x->label_back[op->imm] || next->op != IR_INSN)
		return;
	x86_grp1_mi(x->e, 7, 4, &kick, 0);
	pc_stub(x, next->imm, emit_jcc(x->e, CC_NE, 0));
}

static void to_label(struct xe *x, u32 at, u32 l)
{
	if (x->label[l]) {
		emit_patch(x->e->base, at, x->label[l]);
		return;
	}
	x->fix[x->nfix].at = at;
	x->fix[x->nfix++].label = l;
}

static void br(struct xe *x, const struct ir_op *op)
{
	if (x->i + 1 < x->ir->n && op[1].op == IR_LABEL && op[1].imm == op->imm)
		return;
	to_label(x, emit_jmp(x->e, 0), (u32)op->imm);
}

static void brif(struct xe *x, const struct ir_op *op)
{
	enum emit_cc cc = xe_condition(x, op->a);

	to_label(x, emit_jcc(x->e, cc, 0), (u32)op->imm);
}

/* ---- exits ---- */

static void link_stub(struct xe *x, u32 from, u64 pc)
{
	struct xe_stub *stub = xe_stub(x, XE_STUB_LINK);
	struct irrun_site *s = xe_site(x, &stub->site);

	s->kind = IRRUN_LINK;
	s->imm = pc;
	s->at = from;
	stub->from = from;
}

static void exit_jump(struct xe *x, const struct ir_op *op)
{
	link_stub(x, emit_jmp_patchable(x->e, 0), op->imm);
}

static void exit_if(struct xe *x, const struct ir_op *op)
{
	enum emit_cc cc = xe_condition(x, op->a);

	link_stub(x, emit_jcc_patchable(x->e, cc, 0), op->imm);
}

/* jmp [jc + 8 * (pc >> 2 & (IRRUN_JC - 1))] */
static void exit_indirect(struct xe *x, const struct ir_op *op)
{
	struct emit_mem m = XE_RT(x, jc);
	const struct ir_op *mask = xe_op(x, op->a);

	static_assert(IRRUN_JC == 16384, "the mask below");
	xe_load_to(x, RAX, op->a);
	x86_rr(x->e, 0, 0x0fb7, false, RCX, RAX);
	if (mask->op != IR_AND || !xe_is_const(x, mask->b) || xe_const(x, mask->b) & 3)
		emit_grp1_ri(x->e, 4, false, RCX, 0xfffc);
	m.index = RCX;
	m.scale = 2;
	x86_rm(x->e, 0, 0xff, false, 4, &m);
}

static void exit_runtime(struct xe *x, const struct ir_op *op)
{
	emit_mov_ri(x->e, RAX, (u32)op->imm);
	emit_jmp(x->e, x->r->thunk.leave_rt);
}

/* ---- calls ---- */

static bool callee_keeps(unsigned reg)
{
	return reg == RBX || reg >= 12;
}

static void pins_store(struct xe *x, bool all)
{
	for (u32 i = 0; i < x->r->pins.n; i++) {
		struct emit_mem m = xe_state(x->r->target->pin[i]);

		if (all || !callee_keeps(x->r->pins.host[i]))
			emit_rm(x->e, OP_MOV_MR, true, x->r->pins.host[i], &m);
	}
}

static void pins_load(struct xe *x, bool all)
{
	for (u32 i = 0; i < x->r->pins.n; i++) {
		struct emit_mem m = xe_state(x->r->target->pin[i]);

		if (all || !callee_keeps(x->r->pins.host[i]))
			emit_rm(x->e, OP_MOV_RM, true, x->r->pins.host[i], &m);
	}
}

static void pc_store(struct xe *x)
{
	struct emit_mem m = xe_state(x->r->target->pc_off);

	if (fits_s32(x->pc)) {
		emit_mov_mi(x->e, true, &m, (s32)x->pc);
	} else {
		emit_mov_ri(x->e, RAX, x->pc);
		emit_rm(x->e, OP_MOV_MR, true, RAX, &m);
	}
}

/* Operands are in slots, constants or pinned registers: nowhere near the argument registers. */
static void arguments(struct xe *x, const struct ir_op *op)
{
	static const u8 reg[3] = {RSI, RDX, RCX};
	const ir_val v[3] = {op->a, op->b, op->c};
	struct emit_mem self = xe_state(0);

	for (unsigned n = 0; n < 3; n++)
		if (v[n])
			xe_load_to(x, reg[n], v[n]);
	emit_lea(x->e, true, RDI, &self);
}

static void call(struct xe *x, const struct ir_op *op)
{
	const struct ir_helper *h = &x->r->target->helper[(u32)op->imm];
	bool writes = h->flags & IR_CALL_WRITES;
	bool all = h->flags & (IR_CALL_READS | IR_CALL_WRITES | IR_CALL_RAISES);
	struct emit_mem leave = XE_RT(x, leave);

	xe_flags_gone(x);
	if (h->flags & (IR_CALL_WRITES | IR_CALL_VECTOR))
		xe_state_changes(x, 0, ~0u);
	xe_spill_all(x, writes);
	pins_store(x, all);
	if (h->flags & IR_CALL_RAISES)
		pc_store(x);
	arguments(x, op);
	emit_mov_ri(x->e, RAX, (u64)(uintptr_t)h->fn);
	emit_bytes(x->e, (const u8[]){0xff, 0xd0}, 2); /* call rax */
	if (h->flags & IR_CALL_RAISES) {
		x86_grp1_mi(x->e, 7, 4, &leave, 0);
		emit_jcc(x->e, CC_NE, x->r->thunk.leave);
	}
	pins_load(x, writes);
	if (op->uses) {
		xe_take(x, RAX);
		xe_def_taken(x, RAX);
	}
}

bool xe_flow(struct xe *x, const struct ir_op *op)
{
	struct irrun *r = x->r;

	switch (op->op) {
	case IR_INSN:
		x->pc = op->imm;
		if (r->npcs < r->max_pcs)
			r->pc[r->npcs++] = (struct irrun_pc){x->e->pos, (s32)(op->imm - x->u->pc)};
		else
			x->failed = true;
		return true;
	case IR_LABEL:
		label(x, op);
		return true;
	case IR_BR:
		br(x, op);
		return true;
	case IR_BRIF:
		brif(x, op);
		return true;
	case IR_EXIT:
		exit_jump(x, op);
		return true;
	case IR_EXITIF:
		exit_if(x, op);
		return true;
	case IR_EXITIND:
		exit_indirect(x, op);
		return true;
	case IR_EXITRT:
		exit_runtime(x, op);
		return true;
	case IR_CALL:
		call(x, op);
		return true;
	}
	return false;
}

/* ---- out of line ---- */

static void stub_result(struct xe *x, const struct xe_stub *s)
{
	static const struct vex load = {PP_NONE, MAP_0F, 0x10, false};
	struct emit_mem m = XE_RT(x, save[17]), v = XE_RT(x, vsave[16]);

	if (s->type == IR_I64)
		emit_rm(x->e, OP_MOV_RM, true, s->value, &m);
	else
		vex_rm(x->e, load, s->value, 0, &v);
}

static void stub_out(struct xe *x, const struct xe_stub *s)
{
	struct emit_mem m = XE_RT(x, site);

	emit_mov_mi(x->e, false, &m, (s32)s->site);
	x86_call(x->e, x->r->thunk.out);
}

/* A register that the access does not use; is what is in it wanted? */
static unsigned stub_spare(const struct xe_stub *s, bool *keep)
{
	static const u8 reg[] = {RAX, RCX, RDX, RSI, RDI};
	unsigned i = 0;

	*keep = !s->free_temps;
	if (s->free_temps)
		return (unsigned)__builtin_ctz(s->free_temps);
	while (reg[i] == s->reg || reg[i] == s->addr || reg[i] == s->index ||
	       (s->value_loc == XE_GPR && reg[i] == s->value))
		i++;
	return reg[i];
}

/* A field of the soft TLB's entry whose offset in the table is in a register. */
static struct emit_mem entry_field(struct xe *x, const struct xe_stub *s, unsigned offset,
				   size_t field)
{
	struct emit_mem m = xe_rt(x, s->tlb + field);

	m.index = (u8)offset;
	return m;
}
#define ENTRY(field) entry_field(x, s, offset, offsetof(struct irrun_tlb_entry, field))

/*
 * The entry into the slot, add into s->reg too. With more vCPUs the entry may be emptied meanwhile:
 * irrun_tlb_protect empties it, then looks for slots, so one of us notices; the jump if it is we.
 */
static u32 slot_refill(struct xe *x, const struct xe_stub *s, unsigned offset)
{
	struct emit_mem start = xe_rt(x, s->slot + offsetof(struct irrun_slot, start));
	struct emit_mem limit = xe_rt(x, s->slot + offsetof(struct irrun_slot, limit));
	struct emit_mem slot_add = xe_rt(x, s->slot + offsetof(struct irrun_slot, add));
	struct emit_mem from = ENTRY(start), bytes = ENTRY(bytes), add = ENTRY(add);
	bool atomic = s->op != IR_LOAD && !x->r->cfg.one_cpu;
	u32 gone = 0;

	emit_rm(x->e, OP_MOV_RM, true, s->reg, &from);
	emit_rm(x->e, OP_MOV_MR, true, s->reg, &start);
	emit_rm(x->e, OP_MOV_RM, true, s->reg, &bytes);
	emit_grp1_ri(x->e, 5, true, s->reg, 15);
	emit_rm(x->e, atomic ? OP_XCHG : OP_MOV_MR, true, s->reg, &limit);
	if (atomic) {
		x86_grp1_mi(x->e, 7, 8, &bytes, 0);
		gone = emit_jcc(x->e, CC_E, 0);
	}
	emit_rm(x->e, OP_MOV_RM, true, s->reg, &add);
	emit_rm(x->e, OP_MOV_MR, true, s->reg, &slot_add);
	return gone;
}

/* Counts what the slot misses; is it enough, the run time is told. */
static void slot_count(struct xe *x, const struct xe_stub *s)
{
	struct emit_mem left = xe_rt(x, s->slot + offsetof(struct irrun_slot, left));
	struct emit_mem site = XE_RT(x, site);
	u32 few;

	x86_grp1_mi(x->e, 5, 4, &left, 1);
	few = emit_jcc(x->e, CC_NS, 0);
	emit_mov_mi(x->e, false, &site, (s32)(s->site | IRRUN_SITE_WANDERS));
	x86_call(x->e, x->r->thunk.out);
	emit_patch(x->e->base, few, x->e->pos);
}

/* If the soft TLB has the address: its range into the slot, and back to the access. */
static void stub_lookup(struct xe *x, const struct xe_stub *s)
{
	struct emit_mem a = {s->addr, s->index, 1, false, (s32)s->disp}, kept = XE_RT(x, save[8]);
	struct emit_mem limit = xe_rt(x, s->slot + offsetof(struct irrun_slot, limit)), field, end;
	bool keep;
	unsigned offset = stub_spare(s, &keep);
	u32 miss[2], gone;

	static_assert(sizeof(struct irrun_tlb_entry) == 32, "the shift");
	if (keep)
		emit_rm(x->e, OP_MOV_MR, true, offset, &kept);
	emit_lea(x->e, true, s->reg, &a);
	emit_mov_rr(x->e, offset, s->reg);
	emit_shift_ri(x->e, 5, true, offset, IRRUN_TLB_SHIFT - 5);
	emit_grp1_ri(x->e, 4, false, offset, (IRRUN_TLB - 1) * 32);
	field = ENTRY(start);
	emit_rm(x->e, OP_SUB_RM, true, s->reg, &field);
	field = ENTRY(bytes);
	emit_rm(x->e, OP_CMP_RM, true, s->reg, &field);
	miss[0] = emit_jcc(x->e, CC_AE, 0);
	end = emit_at(s->reg, s->size);
	emit_lea(x->e, true, s->reg, &end);
	emit_rm(x->e, OP_CMP_RM, true, s->reg, &field);
	miss[1] = emit_jcc(x->e, CC_A, 0);
	gone = slot_refill(x, s, offset);
	if (keep)
		emit_rm(x->e, OP_MOV_RM, true, offset, &kept);
	slot_count(x, s);
	emit_jmp(x->e, s->hit);
	if (gone) {
		emit_patch(x->e->base, gone, x->e->pos);
		emit_mov_mi(x->e, true, &limit, 0);
	}
	emit_patch(x->e->base, miss[0], x->e->pos);
	emit_patch(x->e->base, miss[1], x->e->pos);
	if (keep)
		emit_rm(x->e, OP_MOV_RM, true, offset, &kept);
}

static void stub_mem(struct xe *x, const struct xe_stub *s)
{
	static const struct vex store = {PP_NONE, MAP_0F, 0x11, false};
	struct emit_mem a = {s->addr, s->index, 1, false, (s32)s->disp};
	struct emit_mem to = XE_RT(x, save[16]), value = XE_RT(x, save[17]),
			v = XE_RT(x, vsave[16]);

	stub_lookup(x, s);
	emit_lea(x->e, true, s->reg, &a);
	emit_rm(x->e, OP_MOV_MR, true, s->reg, &to);
	if (s->value_loc == XE_GPR) {
		emit_rm(x->e, OP_MOV_MR, true, s->value, &value);
	} else if (s->value_loc == XE_XMM) {
		vex_rm(x->e, store, s->value, 0, &v);
	} else if (s->value_loc == XE_CONST) {
		emit_mov_ri(x->e, s->reg, s->pc);
		emit_rm(x->e, OP_MOV_MR, true, s->reg, &value);
	}
	if (s->op == IR_CAS)
		emit_rm(x->e, OP_MOV_MR, true, s->other, &v);
	stub_out(x, s);
	if (s->op != IR_STORE)
		stub_result(x, s);
	emit_jmp(x->e, s->back);
}

static void stub_write(struct xe *x, const struct xe_stub *s)
{
	switch (s->kind) {
	case XE_STUB_LINK:
		x->r->site[s->site].stub = x->e->pos;
		emit_mov_ri(x->e, RAX, s->site);
		emit_jmp(x->e, x->r->thunk.link);
		break;
	case XE_STUB_PC:
		emit_mov_ri(x->e, RAX, s->pc);
		emit_jmp(x->e, x->r->thunk.look);
		break;
	case XE_STUB_MEM:
		stub_mem(x, s);
		break;
	case XE_STUB_FIX:
		stub_out(x, s);
		stub_result(x, s);
		emit_jmp(x->e, s->back);
		break;
	}
}

void xe_stubs(struct xe *x)
{
	x->e = &x->r->cold;
	for (u32 i = 0; i < x->nstubs; i++) {
		if (x->stub[i].from)
			emit_patch(x->e->base, x->stub[i].from, x->e->pos);
		stub_write(x, &x->stub[i]);
	}
}
