/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory and guest state in lifted units.
 *
 * With a soft TLB every access site looks at the range it went to last (struct irrun_slot):
 *
 *	lea	t, [address]
 *	sub	t, [slot.start]
 *	cmp	t, [slot.limit]
 *	jae	stub
 *	mov	t, [slot.add]
 *	op	[address + t]
 *
 * The stub, out of line, looks into the table of pages and refills the slot from it (ir_flow.c).
 */
#include "engine/jit/host/x86_64/ir_x86.h"

struct addr {
	u8 base, index;
	s32 disp;
};

/* Registers of the operation's address. */
static struct addr address(struct xe *x, const struct ir_op *op)
{
	struct addr a = {EMIT_NONE, EMIT_NONE, (s32)op->imm};
	const struct ir_op *sum = xe_op(x, op->a);
	unsigned t;

	if (xe_is_const(x, op->a)) {
		u64 c = xe_const(x, op->a) + op->imm;

		if (fits_s32(c)) {
			a.disp = (s32)c;
			return a;
		}
		a.base = (u8)xe_gpr_temp(x);
		a.disp = 0;
		emit_mov_ri(x->e, a.base, c);
		return a;
	}
	if (x->v[op->a].loc == XE_SUM) {
		a.base = (u8)xe_use(x, sum->a);
		a.index = (u8)xe_use(x, sum->b);
	} else {
		a.base = (u8)xe_use(x, op->a);
	}
	if (fits_s32(op->imm))
		return a;
	t = xe_gpr_temp(x);
	emit_mov_ri(x->e, t, op->imm);
	xe_flags_gone(x);
	emit_rr(x->e, OP_ADD_RM, true, t, a.base);
	return (struct addr){(u8)t, a.index, 0};
}

static struct emit_mem plain(const struct xe *x, struct addr a)
{
	return (struct emit_mem){a.base, a.index, 1, x->r->cfg.flat_base != 0 && x->r->ops->flat,
				 a.disp};
}

static void lea(struct xe *x, unsigned reg, struct addr a)
{
	struct emit_mem m = {a.base, a.index, 1, false, a.disp};

	if (a.index == EMIT_NONE && !a.disp && a.base != EMIT_NONE)
		emit_mov_rr(x->e, reg, a.base);
	else
		emit_lea(x->e, true, reg, &m);
}

/* Sites off the guest's stack pointer share a slot. */
static unsigned slot_of(const struct xe *x, struct addr a)
{
	if (a.base == xe_pin(x, x->r->target->sp_off) - 1u && a.index == EMIT_NONE)
		return 0;
	return 1 + (unsigned)((x->pc >> 2) ^ (x->pc >> 9)) % (IRRUN_SLOTS - 1);
}

/*
 * The range to look at: the site's slot, or the table's entry for the address in t; *index: the
 * register that holds the entry's offset.
 */
static struct emit_mem range(struct xe *x, const struct xe_stub *s, unsigned t, u8 *index)
{
	static const struct vex rorx = {PP_F2, MAP_0F3A, 0xf0, true};
	struct emit_mem m;

	static_assert(
		offsetof(struct irrun_slot, start) == offsetof(struct irrun_tlb_entry, start) &&
			offsetof(struct irrun_slot, limit) ==
				offsetof(struct irrun_tlb_entry, limit) &&
			offsetof(struct irrun_slot, add) == offsetof(struct irrun_tlb_entry, add),
		"looked at the same way");
	if (!irrun_wanders(x->r, x->pc) || !(XE_TEMPS & ~x->used & ~x->locked))
		return xe_rt(x, s->slot);
	*index = (u8)xe_gpr_temp(x);
	vex_rri(x->e, rorx, *index, 0, s->index == EMIT_NONE && !s->disp ? s->addr : t,
		IRRUN_TLB_SHIFT - 5);
	emit_grp1_ri(x->e, 4, false, *index, (IRRUN_TLB - 1) * (s32)sizeof(struct irrun_tlb_entry));
	m = xe_rt(x, s->tlb);
	m.index = *index;
	return m;
}

static struct emit_mem at(struct emit_mem m, size_t field)
{
	m.disp += (s32)field;
	return m;
}

/* Where the access is made; checks it, with a stub to patch, in the modes that check. */
static struct emit_mem access(struct xe *x, const struct ir_op *op, struct addr a, bool write,
			      struct xe_stub **stub)
{
	struct emit_mem m, sum, way;
	struct irrun_site *s;
	u8 index = EMIT_NONE;
	unsigned t, mmu;
	u32 site;

	*stub = NULL;
	if (x->r->ops->flat)
		return plain(x, a);
	s = xe_site(x, &site);
	mmu = x->u->map ? x->r->ops->mmu(x->u->map->key) : 0;
	*s = (struct irrun_site){.kind = IRRUN_MEM,
				 .size = op->size,
				 .flags = op->sub,
				 .op = op->op,
				 .type = op->type,
				 .slot = (u8)slot_of(x, a),
				 .mmu = (u8)mmu,
				 .unit = s->unit,
				 .pc = s->pc};
	*stub = xe_stub(x, XE_STUB_MEM);
	(*stub)->site = site;
	(*stub)->addr = a.base;
	(*stub)->index = a.index;
	(*stub)->disp = a.disp;
	(*stub)->op = op->op;
	(*stub)->type = op->type;
	(*stub)->size = op->size;
	(*stub)->slot =
		(u32)(offsetof(struct irrun_cpu, slot) +
		      ((mmu * 2 + write) * IRRUN_SLOTS + s->slot) * sizeof(struct irrun_slot));
	(*stub)->tlb = (u32)(offsetof(struct irrun_cpu, tlb) +
			     (mmu * 2 + write) * IRRUN_TLB * sizeof(struct irrun_tlb_entry));
	t = xe_gpr_temp(x);
	(*stub)->reg = (u8)t;
	(*stub)->free_temps = (u8)(XE_TEMPS & ~x->used & ~x->locked);
	xe_flags_gone(x);
	lea(x, t, a);
	way = range(x, *stub, t, &index);
	m = at(way, offsetof(struct irrun_slot, start));
	emit_rm(x->e, OP_SUB_RM, true, t, &m);
	m = at(way, offsetof(struct irrun_slot, limit));
	emit_rm(x->e, OP_CMP_RM, true, t, &m);
	(*stub)->from = emit_jcc(x->e, CC_AE, 0);
	m = at(way, offsetof(struct irrun_slot, add));
	emit_rm(x->e, OP_MOV_RM, true, t, &m);
	(*stub)->hit = x->e->pos;
	if (a.base == EMIT_NONE)
		return emit_at(t, a.disp);
	if (a.index != EMIT_NONE) {
		sum = (struct emit_mem){(u8)t, a.index, 1, false, 0};
		emit_lea(x->e, true, t, &sum);
	}
	return (struct emit_mem){a.base, (u8)t, 1, false, a.disp};
}

/* ---- loads ---- */

static void load_int(struct xe *x, const struct ir_op *op, unsigned dst, const struct emit_mem *m)
{
	bool sign = op->sub & IR_SIGNED, swap = op->sub & IR_SWAP;

	switch (op->size) {
	case 1:
		x86_rm(x->e, 0, sign ? 0x0fbe : 0x0fb6, sign, dst, m);
		break;
	case 2:
		if (!swap) {
			x86_rm(x->e, 0, sign ? 0x0fbf : 0x0fb7, sign, dst, m);
			break;
		}
		x86_rm38(x->e, 0x66, 0xf0, false, dst, m); /* movbe */
		x86_rr(x->e, 0, sign ? 0x0fbf : 0x0fb7, sign, dst, dst);
		break;
	case 4:
		if (swap) {
			x86_rm38(x->e, 0, 0xf0, false, dst, m);
			if (sign)
				emit_rr(x->e, OP_MOVSXD, true, dst, dst);
		} else {
			x86_rm(x->e, 0, sign ? OP_MOVSXD : OP_MOV_RM, sign, dst, m);
		}
		break;
	default:
		if (swap)
			x86_rm38(x->e, 0, 0xf0, true, dst, m);
		else
			x86_rm(x->e, 0, OP_MOV_RM, true, dst, m);
	}
}

static const struct vex movups_load = {PP_NONE, MAP_0F, 0x10, false};
static const struct vex movups_store = {PP_NONE, MAP_0F, 0x11, false};
static const struct vex movsd_load = {PP_F2, MAP_0F, 0x10, false};
static const struct vex movss_load = {PP_F3, MAP_0F, 0x10, false};
static const struct vex movsd_store = {PP_F2, MAP_0F, 0x11, false};
static const struct vex movss_store = {PP_F3, MAP_0F, 0x11, false};
static const struct vex to_xmm4 = {PP_66, MAP_0F, 0x6e, false},
			to_xmm8 = {PP_66, MAP_0F, 0x6e, true};
static const struct vex from_xmm4 = {PP_66, MAP_0F, 0x7e, false},
			from_xmm8 = {PP_66, MAP_0F, 0x7e, true};
static const struct vex pshufb = {PP_66, MAP_0F38, 0x00, false};

/* t: a general register that may be one of m's. */
static void load_xmm(struct xe *x, const struct ir_op *op, unsigned dst, const struct emit_mem *m,
		     unsigned t)
{
	bool swap = op->sub & IR_SWAP, wide = op->type == IR_F64;
	struct emit_mem k;

	if (op->type == IR_V128) {
		vex_rm(x->e, movups_load, dst, 0, m);
		if (swap) {
			k = xe_rt(x, offsetof(struct irrun_cpu, konst[XE_K_SWAP16]));
			vex_rm(x->e, pshufb, dst, dst, &k);
		}
	} else if (swap) {
		x86_rm38(x->e, 0, 0xf0, wide, t, m);
		vex_rr(x->e, wide ? to_xmm8 : to_xmm4, dst, 0, t);
	} else {
		vex_rm(x->e, wide ? movsd_load : movss_load, dst, 0, m);
	}
}

/*
 * Every register is found before the check: the stub comes back after the access, past whatever
 * else the way there might do.
 */
static void load(struct xe *x, const struct ir_op *op)
{
	struct addr a = address(x, op);
	bool is_int = op->type == IR_I64;
	/* It may be one of the address's: the access reads before it writes. */
	unsigned dst = is_int ? xe_def(x) : xe_def_xmm(x), t = 0;
	struct xe_stub *stub;
	struct emit_mem m;

	if (!is_int && x->r->ops->flat)
		t = xe_gpr_temp(x);
	m = access(x, op, a, false, &stub);
	if (is_int)
		load_int(x, op, dst, &m);
	else
		load_xmm(x, op, dst, &m, stub ? stub->reg : t);
	if (stub) {
		stub->value = dst;
		stub->back = x->e->pos;
	}
}

/* ---- stores ---- */

static u64 swapped(u64 v, unsigned size)
{
	return size == 1 ? v : __builtin_bswap64(v) >> (64 - 8 * size);
}

static void store_imm(struct xe *x, unsigned size, u64 v, const struct emit_mem *m)
{
	if (size == 2)
		emit_u8(x->e, 0x66);
	x86_rm(x->e, 0, size == 1 ? 0xc6 : 0xc7, size == 8, 0, m);
	emit_u8(x->e, (u8)v);
	if (size > 1)
		emit_u8(x->e, (u8)(v >> 8));
	if (size > 2) {
		emit_u8(x->e, (u8)(v >> 16));
		emit_u8(x->e, (u8)(v >> 24));
	}
}

static void store_int(struct xe *x, const struct ir_op *op, unsigned r, const struct emit_mem *m)
{
	bool swap = op->sub & IR_SWAP && op->size > 1;

	if (op->size == 1)
		x86_rm8(x->e, OP_MOV_MR8, r, m);
	else if (swap)
		x86_rm38(x->e, op->size == 2 ? 0x66 : 0, 0xf1, op->size == 8, r, m);
	else
		x86_rm(x->e, op->size == 2 ? 0x66 : 0, OP_MOV_MR, op->size == 8, r, m);
}

/* The value with its bytes in the guest's order: the register, a temporary or r itself. */
static unsigned swapped_xmm(struct xe *x, const struct ir_op *op, unsigned r)
{
	struct emit_mem k = xe_rt(x, offsetof(struct irrun_cpu, konst[XE_K_SWAP16]));
	unsigned t;

	if (!(op->sub & IR_SWAP))
		return r;
	if (op->type == IR_V128) {
		t = xe_xmm_temp(x);
		vex_rm(x->e, pshufb, t, r, &k);
	} else {
		t = xe_gpr_temp(x);
		vex_rr(x->e, op->type == IR_F64 ? from_xmm8 : from_xmm4, r, 0, t);
	}
	return t;
}

static void store_xmm(struct xe *x, const struct ir_op *op, unsigned r, const struct emit_mem *m)
{
	bool wide = op->type == IR_F64;

	if (op->type == IR_V128)
		vex_rm(x->e, movups_store, r, 0, m);
	else if (op->sub & IR_SWAP)
		x86_rm38(x->e, 0, 0xf1, wide, r, m);
	else
		vex_rm(x->e, wide ? movsd_store : movss_store, r, 0, m);
}

/* A constant that an instruction can hold. */
static bool imm_store(struct xe *x, const struct ir_op *op, u64 *v)
{
	if (op->type != IR_I64 || !xe_is_const(x, op->b))
		return false;
	*v = xe_const(x, op->b);
	if (op->sub & IR_SWAP)
		*v = swapped(*v, op->size);
	return op->size < 8 || fits_s32(*v);
}

static void store(struct xe *x, const struct ir_op *op)
{
	struct addr a = address(x, op);
	struct xe_stub *stub;
	struct emit_mem m;
	unsigned r = 0, w = 0;
	u64 imm;
	bool is_imm = imm_store(x, op, &imm);

	if (!is_imm)
		r = op->type == IR_I64 ? xe_use(x, op->b) : xe_use_xmm(x, op->b);
	if (op->type != IR_I64)
		w = swapped_xmm(x, op, r);
	m = access(x, op, a, true, &stub);
	if (is_imm)
		store_imm(x, op->size, imm, &m);
	else if (op->type == IR_I64)
		store_int(x, op, r, &m);
	else
		store_xmm(x, op, w, &m);
	if (stub) {
		stub->value_loc = is_imm ? XE_CONST : op->type == IR_I64 ? XE_GPR : XE_XMM;
		stub->value = r;
		stub->pc = is_imm ? xe_const(x, op->b) : 0;
		stub->back = x->e->pos;
	}
}

/* ---- compare and swap ---- */

static void swap_in(struct xe *x, unsigned reg, unsigned size)
{
	if (size == 1)
		return;
	x86_bswap(x->e, size == 8, reg);
	if (size == 2)
		emit_shift_ri(x->e, 5, false, reg, 16);
}

/* RAX is the old value, c the new one, both with their bytes in memory's order. */
static void swap_memory(struct xe *x, const struct ir_op *op, unsigned c, struct emit_mem m)
{
	if (m.gs)
		emit_u8(x->e, 0x65);
	m.gs = false;
	if (x->r->ops->flat || !x->r->cfg.one_cpu)
		emit_u8(x->e, 0xf0);
	if (op->size == 1)
		x86_cmpxchg8(x->e, c, &m);
	else
		x86_rm(x->e, op->size == 2 ? 0x66 : 0, 0x0fb1, op->size == 8, c, &m);
	x86_setcc(x->e, CC_E, RAX);
	x86_rr(x->e, 0, 0x0fb6, false, RAX, RAX);
}

/* What the stub of a checked one is to know beyond a store's. */
static void cas_stub(struct xe *x, struct xe_stub *stub, unsigned c)
{
	struct irrun_site *s = &x->r->site[stub->site];

	s->type = stub->type = IR_I64;
	s->flags = 0; /* swapped already */
	stub->value_loc = XE_GPR;
	stub->value = RAX;
	stub->other = (u8)c;
	stub->back = x->e->pos;
}

static void cas(struct xe *x, const struct ir_op *op)
{
	struct xe_stub *stub;
	struct addr a;
	struct emit_mem m;
	unsigned c;

	xe_take(x, RAX);
	a = address(x, op);
	xe_load_to(x, RAX, op->b);
	if (op->sub & IR_SWAP) {
		c = xe_gpr_temp(x);
		xe_load_to(x, c, op->c);
		xe_flags_gone(x);
		swap_in(x, RAX, op->size);
		swap_in(x, c, op->size);
	} else {
		c = xe_use(x, op->c);
	}
	xe_flags_gone(x);
	m = access(x, op, a, true, &stub);
	swap_memory(x, op, c, m);
	if (stub)
		cas_stub(x, stub, c);
	xe_def_taken(x, RAX);
}

/* Do the temporaries suffice for a checked one? */
static bool cas_fits(const struct xe *x, const struct ir_op *op)
{
	return x->v[op->a].loc != XE_SUM && fits_s32(op->imm);
}

/* The same by a call-out. */
static void cas_out(struct xe *x, const struct ir_op *op)
{
	struct emit_mem m = XE_RT(x, save[16]);
	struct irrun_site *s;
	unsigned t, dst;
	struct addr a;
	u32 site;

	s = xe_site(x, &site);
	*s = (struct irrun_site){.kind = IRRUN_MEM,
				 .size = op->size,
				 .flags = op->sub,
				 .op = op->op,
				 .type = IR_I64,
				 .mmu = (u8)x->r->ops->mmu(x->u->map->key),
				 .unit = s->unit,
				 .pc = s->pc};
	a = address(x, op);
	t = xe_gpr_temp(x);
	lea(x, t, a);
	emit_rm(x->e, OP_MOV_MR, true, t, &m);
	xe_load_to(x, t, op->b);
	m = XE_RT(x, save[17]);
	emit_rm(x->e, OP_MOV_MR, true, t, &m);
	xe_load_to(x, t, op->c);
	m = XE_RT(x, vsave[16]);
	emit_rm(x->e, OP_MOV_MR, true, t, &m);
	m = XE_RT(x, site);
	emit_mov_mi(x->e, false, &m, (s32)site);
	xe_flags_gone(x);
	x86_call(x->e, x->r->thunk.out);
	dst = xe_def(x);
	m = XE_RT(x, save[17]);
	emit_rm(x->e, OP_MOV_RM, true, dst, &m);
}

/* ---- guest state ---- */

/* Moves the pinned registers that the bytes belong to, to or from their homes; are there any? */
static bool pins_move(struct xe *x, const struct ir_op *op, unsigned mov)
{
	bool any = false;

	for (u64 off = op->imm & ~7ULL; off < op->imm + op->size; off += 8) {
		unsigned pin = xe_pin(x, (u32)off);
		struct emit_mem home = xe_state((u32)off);

		if (!pin)
			continue;
		any = true;
		if (mov == OP_MOV_MR)
			xe_free_pin(x, pin - 1, 0);
		emit_rm(x->e, mov, true, pin - 1, &home);
	}
	return any;
}

static bool is_pin(const struct xe *x, const struct ir_op *op)
{
	return op->size == 8 && op->type == IR_I64 && xe_pin(x, (u32)op->imm);
}

static void get(struct xe *x, const struct ir_op *op)
{
	struct xe_val *xv = &x->v[x->i];

	xe_live(x, (ir_val)x->i);
	if (is_pin(x, op)) {
		xv->loc = XE_GPR;
		xv->reg = (u8)(xe_pin(x, (u32)op->imm) - 1);
		return;
	}
	xv->loc = XE_STATE;
	if (!pins_move(x, op, OP_MOV_MR))
		return;
	if (op->type == IR_I64)
		xe_use(x, (ir_val)x->i);
	else
		xe_use_xmm(x, (ir_val)x->i);
}

static void put_int(struct xe *x, const struct ir_op *op, const struct emit_mem *m)
{
	u64 c;

	if (xe_is_const(x, op->a)) {
		c = xe_const(x, op->a);
		if (op->size < 8 || fits_s32(c)) {
			store_imm(x, op->size, c, m);
			return;
		}
	}
	if (x->v[op->a].loc == XE_CMP) { /* size 1 */
		enum emit_cc cc = xe_condition(x, op->a);

		x86_setcc_mem(x->e, cc, m);
		return;
	}
	store_int(x, &(struct ir_op){.size = op->size}, xe_use(x, op->a), m);
}

static void put(struct xe *x, const struct ir_op *op)
{
	struct emit_mem m = xe_state((u32)op->imm);
	unsigned pin, r = 0;
	bool pinned;

	if (x->v[x->i].loc == XE_DONE)
		return;
	if (is_pin(x, op)) {
		pin = xe_pin(x, (u32)op->imm) - 1;
		xe_free_pin(x, pin, op->a);
		xe_load_to(x, pin, op->a);
		if (!xe_is_const(x, op->a) && x->v[op->a].last > x->i)
			xe_at_gpr(x, op->a, pin);
		return;
	}
	if (op->type != IR_I64)
		r = xe_use_xmm(x, op->a);
	else if (xe_put_order(x, op))
		return;
	xe_state_changes(x, (u32)op->imm, op->size);
	pinned = pins_move(x, op, OP_MOV_MR);
	if (op->type == IR_I64)
		put_int(x, op, &m);
	else
		store_xmm(x, &(struct ir_op){.type = op->type}, r, &m);
	if (pinned)
		pins_move(x, op, OP_MOV_RM);
}

bool xe_mem(struct xe *x, const struct ir_op *op)
{
	switch (op->op) {
	case IR_GET:
		get(x, op);
		return true;
	case IR_PUT:
		put(x, op);
		return true;
	case IR_LOAD:
		load(x, op);
		return true;
	case IR_STORE:
		store(x, op);
		return true;
	case IR_CAS:
		if (x->r->ops->flat || cas_fits(x, op))
			cas(x, op);
		else
			cas_out(x, op);
		return true;
	case IR_FENCE: /* lock or dword [rsp - 4], 0: what mfence does, cheaper */
		xe_flags_gone(x);
		emit_bytes(x->e, (const u8[]){0xf0, 0x83, 0x4c, 0x24, 0xfc, 0x00}, 6);
		return true;
	}
	return false;
}
