/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emitter's driver, and the seam between C and generated code.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

u32 ir_x86_bytes(void)
{
	return sizeof(struct xe);
}

u32 ir_x86_ticks(void)
{
	return (u32)__builtin_ia32_rdtsc();
}

/* Registers that C keeps over calls first: they cost nothing there. */
void ir_x86_pins(const struct ir_target *t, struct irrun_pins *p)
{
	static const u8 reg[] = {RBX, 12, 13, 14, 15, 8, 9, 10, 11, RDI};

	p->n = 0;
	while (p->n < ARRAY_LEN(reg) && p->n < t->npins) {
		p->host[p->n] = reg[p->n];
		p->n++;
	}
}

/* ---- one unit ---- */

static void emit_one(struct xe *x, const struct ir_op *op)
{
	if (!op->uses && !(ir_info(op->op)->flags & IR_F_STAYS))
		return;
	if (op->op == IR_CONST || op->op == IR_VCONST) {
		x->v[x->i].loc = op->op == IR_CONST ? XE_CONST : XE_POOL;
		if (op->op == IR_VCONST)
			xe_live(x, (ir_val)x->i);
		return;
	}
	if ((op->op == IR_SET || op->op == IR_ADD) && xe_put_off(x, x->i)) {
		x->v[x->i].loc = op->op == IR_SET ? XE_CMP : XE_SUM;
		xe_live(x, (ir_val)x->i);
		return;
	}
	if (!xe_mem(x, op) && !xe_flow(x, op) && !xe_int(x, op) && !xe_cond(x, op) &&
	    !xe_fp(x, op) && !xe_vec(x, op))
		x->failed = true;
}

static void labels_fix(struct xe *x)
{
	for (u32 n = 0; n < x->nfix; n++)
		emit_patch(x->r->hot.base, x->fix[n].at, x->label[x->fix[n].label]);
}

static void xe_reset(struct xe *x, struct irrun *r, struct irrun_unit *u, struct ir_unit *ir)
{
	x->r = r;
	x->u = u;
	x->ir = ir;
	x->e = &r->hot;
	x->pc = u->pc;
	x->used = x->vused = x->locked = x->vlocked = x->anon = x->vanon = 0;
	x->nlive = x->nfix = x->nstubs = 0;
	x->flags_valid = x->failed = false;
	x->flags_of = 0;
	for (unsigned i = 0; i < ARRAY_LEN(x->slots); i++)
		x->slots[i] = 0;
	for (unsigned i = 0; i < 16; i++)
		x->owner[i] = x->vowner[i] = 0;
	for (unsigned i = 0; i < ir->nlabels; i++) {
		x->label[i] = 0;
		x->label_back[i] = false;
	}
	for (unsigned i = 0; i < ARRAY_LEN(x->pin_of); i++)
		x->pin_of[i] = 0;
	for (u32 i = 0; i < r->pins.n; i++)
		if (r->target->pin[i] / 8u < ARRAY_LEN(x->pin_of))
			x->pin_of[r->target->pin[i] / 8u] = (u16)(r->pins.host[i] + 1);
}

bool ir_x86_emit(struct irrun *r, struct irrun_unit *u, struct ir_unit *ir)
{
	struct xe *x = r->emitter;
	u32 hot = r->hot.pos, cold = r->cold.pos, nsites = r->nsites;

	xe_reset(x, r, u, ir);
	xe_prepare(x);
	u->pcs = r->npcs;
	xe_entries(x);
	for (x->i = 1; x->i < ir->n && !x->failed; x->i++) {
		emit_one(x, &ir->op[x->i]);
		xe_end_op(x);
	}
	u->end = r->hot.pos;
	u->npcs = r->npcs - u->pcs;
	if (!x->failed) {
		labels_fix(x);
		xe_stubs(x);
	}
	if (!x->failed && !r->hot.full && !r->cold.full)
		return true;
	r->hot.pos = hot;
	r->cold.pos = cold;
	r->nsites = nsites;
	r->npcs = u->pcs;
	return false;
}

/* ---- the seam ---- */

static struct emit_mem rt_at(const struct irrun *r, size_t off)
{
	return xe_state((u32)(r->target->rt_off + off));
}
#define RT(r, field) rt_at(r, offsetof(struct irrun_cpu, field))

static void pins(struct irrun *r, unsigned op)
{
	for (u32 i = 0; i < r->pins.n; i++) {
		struct emit_mem m = xe_state(r->target->pin[i]);

		emit_rm(&r->hot, op, true, r->pins.host[i], &m);
	}
}

/* stmxcsr /3 to one field, ldmxcsr /2 from the other: 0f ae */
static void mxcsr(struct irrun *r, struct emit_mem store, struct emit_mem load)
{
	x86_rm(&r->hot, 0, 0x0fae, false, 3, &store);
	x86_rm(&r->hot, 0, 0x0fae, false, 2, &load);
}

static const u8 kept[] = {RBX, RBP, 12, 13, 14, 15};

static void seam_enter(struct irrun *r)
{
	struct emit *e = &r->hot;
	struct emit_mem state = emit_at(RDI, XE_BIAS), sp = RT(r, host_sp);
	unsigned n = ARRAY_LEN(kept);

	r->thunk.enter = e->pos;
	for (unsigned i = 0; i < n; i++)
		x86_push(e, kept[i]);
	emit_grp1_ri(e, 5, true, RSP, XE_FRAME);
	emit_lea(e, true, RBP, &state);
	emit_rm(e, OP_MOV_MR, true, RSP, &sp);
	mxcsr(r, RT(r, host_mxcsr), RT(r, mxcsr));
	if (r->cfg.flat_base) {
		emit_mov_ri(e, RAX, r->cfg.flat_base);
		emit_bytes(e, (const u8[]){0xf3, 0x48, 0x0f, 0xae, 0xd8}, 5); /* wrgsbase rax */
	}
	pins(r, OP_MOV_RM);
	emit_bytes(e, (const u8[]){0xff, 0xe6}, 2); /* jmp rsi */
	r->thunk.quit = r->thunk.leave = e->pos;
	emit_rm(e, OP_MOV_RM, true, RSP, &sp);
	mxcsr(r, RT(r, mxcsr), RT(r, host_mxcsr));
	emit_grp1_ri(e, 0, true, RSP, XE_FRAME);
	for (unsigned i = n; i-- > 0;)
		x86_pop(e, kept[i]);
	emit_u8(e, 0xc3);
}

/* Jumped to with a number in rax: fn(cpu, rax) says where to go on. */
static u32 seam_go(struct irrun *r, const void *(*fn)(struct irrun_cpu *, u64))
{
	struct emit *e = &r->hot;
	struct emit_mem self = RT(r, key), to = RT(r, to);
	u32 at = e->pos;

	pins(r, OP_MOV_MR);
	emit_lea(e, true, RDI, &self);
	emit_mov_rr(e, RSI, RAX);
	emit_mov_ri(e, RAX, (u64)(uintptr_t)fn);
	emit_bytes(e, (const u8[]){0xff, 0xd0}, 2);
	emit_rr(e, OP_TEST, true, RAX, RAX);
	emit_jcc(e, CC_E, r->thunk.quit);
	emit_rm(e, OP_MOV_MR, true, RAX, &to);
	pins(r, OP_MOV_RM);
	x86_rm(e, 0, 0xff, false, 4, &to);
	return at;
}

/*
 * The jump cache has another address than rax: irrun_cpu.far, else C. What is found goes into the
 * jump cache, and that may be a unit dropped this moment: its entry looks, as always.
 */
static void seam_miss(struct irrun *r)
{
	struct emit_mem pc = RT(r, far[0].pc), to = RT(r, far[0].to), jc = RT(r, jc);
	struct emit *e = &r->hot;

	static_assert(IRRUN_FAR == 16384 && sizeof(struct irrun_far) == 16, "the hash below");
	pc.index = to.index = jc.index = RCX;
	pc.scale = to.scale = 4;
	jc.scale = 2;
	r->thunk.miss = e->pos;
	emit_mov_rr(e, RCX, RAX);
	emit_shift_ri(e, 5, true, RCX, 14);
	emit_rr(e, OP_XOR_RM, true, RCX, RAX);
	emit_grp1_ri(e, 4, false, RCX, (IRRUN_FAR - 1) * 4);
	emit_rm(e, OP_CMP_RM, true, RAX, &pc);
	emit_jcc(e, CC_NE, r->thunk.look);
	emit_rm(e, OP_MOV_RM, true, RDX, &to);
	x86_rr(e, 0, 0x0fb7, false, RCX, RAX);
	emit_grp1_ri(e, 4, false, RCX, 0xfffc);
	emit_rm(e, OP_MOV_MR, true, RDX, &jc);
	emit_bytes(e, (const u8[]){0xff, 0xe2}, 2); /* jmp rdx */
}

static void seam_leave_rt(struct irrun *r)
{
	struct emit_mem m = RT(r, reason);

	r->thunk.leave_rt = r->hot.pos;
	emit_grp1_ri(&r->hot, 0, false, RAX, 1);
	emit_rm(&r->hot, OP_MOV_MR, false, RAX, &m);
	pins(r, OP_MOV_MR);
	emit_jmp(&r->hot, r->thunk.quit);
}

static void xmms(struct irrun *r, u8 op)
{
	for (unsigned i = 0; i < 16; i++) {
		struct emit_mem m = rt_at(r, offsetof(struct irrun_cpu, vsave) + 16 * i);

		vex_rm(&r->hot, (struct vex){PP_NONE, MAP_0F, op, false}, i, 0, &m);
	}
}

/* Called: every register comes back as it was. */
static void seam_out(struct irrun *r)
{
	static const u8 temps[] = {RAX, RCX, RDX, RSI};
	struct emit_mem self = RT(r, key), site = RT(r, site), m;
	struct emit *e = &r->hot;

	r->thunk.out = e->pos;
	for (unsigned i = 0; i < ARRAY_LEN(temps); i++) {
		m = rt_at(r, offsetof(struct irrun_cpu, save) + 8u * temps[i]);
		emit_rm(e, OP_MOV_MR, true, temps[i], &m);
	}
	pins(r, OP_MOV_MR);
	xmms(r, 0x11);
	emit_grp1_ri(e, 5, true, RSP, 8);
	emit_lea(e, true, RDI, &self);
	emit_rm(e, OP_MOV_RM, false, RSI, &site);
	emit_mov_ri(e, RAX, (u64)(uintptr_t)irrun_on_out);
	emit_bytes(e, (const u8[]){0xff, 0xd0}, 2);
	emit_grp1_ri(e, 0, true, RSP, 8);
	emit_rr(e, OP_TEST, true, RAX, RAX);
	emit_jcc(e, CC_NE, r->thunk.quit);
	pins(r, OP_MOV_RM);
	xmms(r, 0x10);
	for (unsigned i = 0; i < ARRAY_LEN(temps); i++) {
		m = rt_at(r, offsetof(struct irrun_cpu, save) + 8u * temps[i]);
		emit_rm(e, OP_MOV_RM, true, temps[i], &m);
	}
	emit_u8(e, 0xc3);
}

void ir_x86_thunks(struct irrun *r)
{
	emit_align(&r->hot, 64, 0);
	seam_enter(r);
	r->thunk.look = seam_go(r, irrun_on_miss);
	seam_miss(r);
	r->thunk.link = seam_go(r, irrun_on_link);
	r->thunk.interp = seam_go(r, irrun_on_interp);
	seam_leave_rt(r);
	seam_out(r);
	emit_align(&r->hot, 64, 0);
	r->code_begin = r->hot.pos;
}

/* For a unit that cannot be emitted: its code asks for the interpreter. */
void ir_x86_emit_interp(struct irrun *r, struct irrun_unit *u, struct ir_unit *ir)
{
	struct xe *x = r->emitter;

	xe_reset(x, r, u, ir);
	ir->npool = 0;
	u->pcs = r->npcs;
	u->npcs = 0;
	xe_entries(x);
	emit_mov_ri(x->e, RAX, (u64)(u - r->unit));
	emit_jmp(x->e, r->thunk.interp);
	u->end = r->hot.pos;
	xe_stubs(x);
}

/* Constants that generated code finds in its vCPU. */
void ir_x86_konst(struct irrun_cpu *c)
{
	static const struct ir_v128 k[XE_K_COUNT] = {
		[XE_K_0F] = {0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f},
		[XE_K_SWAP2] = {0x0607040502030001, 0x0e0f0c0d0a0b0809},
		[XE_K_SWAP4] = {0x0405060700010203, 0x0c0d0e0f08090a0b},
		[XE_K_SWAP8] = {0x0001020304050607, 0x08090a0b0c0d0e0f},
		[XE_K_SWAP16] = {0x08090a0b0c0d0e0f, 0x0001020304050607},
		[XE_K_SIGN4] = {0x8000000080000000, 0x8000000080000000},
		[XE_K_SIGN8] = {0x8000000000000000, 0x8000000000000000},
		[XE_K_ABS4] = {0x7fffffff7fffffff, 0x7fffffff7fffffff},
		[XE_K_ABS8] = {0x7fffffffffffffff, 0x7fffffffffffffff},
		[XE_K_31] = {0x0000001f0000001f, 0x0000001f0000001f},
		[XE_K_63] = {63, 63},
		[XE_K_MIN4] = {0x0080000000800000, 0x0080000000800000},
		[XE_K_MIN8] = {0x0010000000000000, 0x0010000000000000},
		[XE_K_ORDER] = {0x000001, 0x010000},
	};

	static_assert((int)XE_K_COUNT <= (int)IRRUN_KONSTS, "room");
	for (unsigned i = 0; i < XE_K_COUNT; i++)
		c->konst[i] = k[i];
}
