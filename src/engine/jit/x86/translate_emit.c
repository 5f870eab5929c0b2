/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the code of a unit: its entry, each instruction, its exits.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

/* ---- instructions as themselves ---- */

static void load_victims(struct xl *x, u32 set)
{
	if (set & BIT(S2))
		emit_gs(x->e, OP_MOV_RM, true, S2, GS_GPR(S2));
	if (set & BIT(S1))
		emit_gs(x->e, OP_MOV_RM, true, S1, GS_GPR(S1));
}

static u32 victims_written(const struct x86_insn *in)
{
	u32 v = 0;

	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR && in->opnd[i].write)
			v |= 1u << in->opnd[i].reg;
	return v & (BIT(S1) | BIT(S2));
}

static void store_victims(struct xl *x, u32 set)
{
	if (set & BIT(S2))
		emit_gs(x->e, OP_MOV_MR, true, S2, GS_GPR(S2));
	if (set & BIT(S1))
		emit_gs(x->e, OP_MOV_MR, true, S1, GS_GPR(S1));
}

/* Forms that overwrite a whole register operand without reading it. */
static bool is_full_move(const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (in->enc != X86_ENC_LEGACY || in->opsize < 4)
		return false;
	if (in->map == X86_MAP_1B)
		return op == 0x8b || op == 0x89 || op == 0x8d || op == 0x63 || op == 0xc7 ||
		       (op & 0xf8) == 0xb8;
	return in->map == X86_MAP_0F && (op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf);
}

static u32 victims_to_load(const struct x86_insn *in, bool mem)
{
	u32 v = xl_victims(in), dest = is_full_move(in) ? victims_written(in) : 0;

	for (unsigned i = 0; dest && i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR && in->opnd[i].read)
			dest &= ~(1u << in->opnd[i].reg);
	v &= ~dest;
	return mem ? v | xl_victims_of_address(in) : v;
}

static void emit_copy(struct xl *x, const struct xl_insn *t)
{
	load_victims(x, victims_to_load(&t->in, false));
	emit_bytes(x->e, t->in.bytes, t->in.len);
	store_victims(x, victims_written(&t->in));
}

static void emit_incdec(struct xl *x, const struct xl_insn *t)
{
	if (t->in.p66)
		emit_u8(x->e, 0x66);
	emit_u8(x->e, 0xff);
	emit_u8(x->e, (u8)(0xc0 | (t->in.opcode & 8) | (t->in.opcode & 7)));
}

/* The REX bits of the host's operand: base and index. */
static u8 rex_of(const struct emit_mem *m)
{
	return (u8)((m->base != EMIT_NONE && m->base & 8 ? 1 : 0) |
		    (m->index != EMIT_NONE && m->index & 8 ? 2 : 0));
}

/*
 * Who else could look on? With one vCPU only devices, and what orders a program's accesses before
 * theirs is a locked access to its own stack, mfence or xchg, never an update of shared data.
 */
static bool lock_matters(const struct xl *x, const struct x86_insn *in)
{
	return x->j->vm->ncpus != 1 || !(x->map->key & X86_KEY_CPL3) || in->mem_base == RSP;
}

static void emit_legacy_head(struct xl *x, const struct x86_insn *in, const struct emit_mem *m)
{
	struct emit *e = x->e;

	/* Without ModRM in the guest's form (mov moffs), REX.R meant nothing. */
	u8 kept = in->has_modrm ? 0xcc : 0xc8;
	u8 rex = (u8)((in->rex & kept) | rex_of(m));

	if (in->lock && lock_matters(x, in))
		emit_u8(e, 0xf0);
	if (in->p66)
		emit_u8(e, 0x66);
	if (in->rep)
		emit_u8(e, 0xf3);
	if (in->repne)
		emit_u8(e, 0xf2);
	if (in->rex || rex)
		emit_u8(e, rex | 0x40);
	for (unsigned i = in->pfx_len + (in->rex ? 1u : 0u); i < in->op_off; i++)
		emit_u8(e, in->bytes[i]);
}

static void emit_vex_head(struct emit *e, const struct x86_insn *in, const struct emit_mem *m,
			  bool m64)
{
	const u8 *p = in->bytes + in->pfx_len;
	u8 xb = (u8)(0x60 & ~(rex_of(m) << 5)), last = p[0] == 0xc5 ? p[1] & 0x7f : p[2];

	emit_u8(e, 0xc4);
	emit_u8(e, (u8)((p[1] & 0x80) | xb | (in->map & 0x1f)));
	emit_u8(e, m64 ? last : last | 0x40);
}

static void emit_evex_head(struct emit *e, const struct x86_insn *in, const struct emit_mem *m)
{
	const u8 *p = in->bytes + in->pfx_len;

	emit_u8(e, 0x62);
	emit_u8(e, (u8)((p[1] & 0x9f) | (0x60 & ~(rex_of(m) << 5))));
	emit_u8(e, p[2]);
	emit_u8(e, p[3]);
}

/* mov between rAX and an absolute address has no ModRM. */
static void emit_moffs(struct emit *e, const struct x86_insn *in, const struct emit_mem *m)
{
	static const u8 op[4] = {0x8a, 0x8b, 0x88, 0x89};

	emit_u8(e, op[in->opcode & 3]);
	emit_modrm_mem(e, RAX, m);
}

static bool is_moffs(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_1B && (in->opcode & 0xfc) == 0xa0;
}

/* The instruction with its memory operand replaced. */
static void emit_with(struct xl *x, const struct x86_insn *in, const struct emit_mem *m)
{
	struct emit *e = x->e;

	if (in->enc == X86_ENC_VEX)
		emit_vex_head(e, in, m, x->m64);
	else if (in->enc == X86_ENC_EVEX)
		emit_evex_head(e, in, m);
	else
		emit_legacy_head(x, in, m);
	if (is_moffs(in)) {
		emit_moffs(e, in, m);
		return;
	}
	emit_u8(e, in->opcode);
	if (in->enc == X86_ENC_EVEX && m->disp) /* an 8-bit displacement would be scaled */
		emit_modrm_disp32(e, in->modrm >> 3 & 7, m);
	else
		emit_modrm_mem(e, in->modrm >> 3 & 7, m);
	emit_bytes(e, in->bytes + in->imm_off, in->imm_size);
}

static const struct x86_opnd *mem_operand(const struct x86_insn *in)
{
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_MEM)
			return &in->opnd[i];
	return NULL;
}

/* RIP-relative: the address itself. */
static void ea_settle(struct xl_ea *ea, const struct xl_insn *t)
{
	if (ea->base != X86_REG_RIP)
		return;
	ea->disp += (s64)(t->rip + t->in.len);
	if (ea->adsize == 4)
		ea->disp = (u32)ea->disp;
}

static void emit_mem(struct xl *x, unsigned i)
{
	const struct x86_insn *in = &x->insn[i].in;
	const struct x86_opnd *m = mem_operand(in);
	struct xl_ea ea = xl_ea_of(in);
	unsigned dst = xl_victims(in) & BIT(S1) ? S2 : S1;
	struct emit_mem op;

	ea_settle(&ea, &x->insn[i]);
	if (xl_grouped(x, i, 0))
		op = xl_group_access(x, i, 0, in->disp, dst);
	else
		op = xl_access(x, i, &ea, m->size, m->write ? X86_WRITE : X86_READ, dst);
	load_victims(x, victims_to_load(in, false));
	if (xl_has_high(in)) { /* ah..bh cannot be had together with r14 or r15 */
		emit_gs(x->e, OP_MOV_MR, true, RSI, GS_RT(temp[2]));
		emit_lea(x->e, true, RSI, &op);
		op = emit_at(RSI, 0);
		emit_with(x, in, &op);
		emit_gs(x->e, OP_MOV_RM, true, RSI, GS_RT(temp[2]));
	} else {
		emit_with(x, in, &op);
	}
	store_victims(x, victims_written(in));
}

static void emit_lea_insn(struct xl *x, const struct xl_insn *t)
{
	const struct x86_insn *in = &t->in;
	unsigned reg = in->opnd[0].reg;
	u64 v = (u64)in->disp;

	if (in->mem_base == X86_REG_RIP)
		v += t->rip + in->len;
	else if (in->mem_base != X86_REG_NONE || in->mem_index != X86_REG_NONE) {
		load_victims(x, victims_to_load(in, true));
		emit_bytes(x->e, in->bytes, in->len);
		store_victims(x, victims_written(in));
		return;
	}
	if (in->adsize == 4)
		v = (u32)v;
	if (in->opsize == 2) { /* keeps the upper bits: mov r16, imm16 */
		load_victims(x, BIT(reg) & (BIT(S1) | BIT(S2)));
		emit_u8(x->e, 0x66);
		if (reg & 8)
			emit_u8(x->e, 0x41);
		emit_u8(x->e, (u8)(0xb8 | (reg & 7)));
		emit_u8(x->e, (u8)v);
		emit_u8(x->e, (u8)(v >> 8));
	} else {
		emit_mov_ri(x->e, reg, in->opsize == 4 ? (u32)v : v);
	}
	store_victims(x, victims_written(in));
}

/* The decoded form of an instruction that C executes, where looking it up again is not dearer. */
static u32 keep_insn(struct xl *x, const struct xl_insn *t)
{
	struct jit *j = x->j;
	u8 cls = t->in.row->cls;

	if ((cls != X86_C_SYSTEM && cls != X86_C_STRING) || j->ninsns == j->max_insns)
		return 0;
	j->insn[j->ninsns] = t->in;
	return j->ninsns++;
}

static void emit_exec(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	u32 site = jit_site_new(x->j, x->u, t->rip);

	x->j->site[site].len = t->in.len;
	x->j->site[site].next = t->ends ? 0 : ~0u;
	x->j->site[site].insn = keep_insn(x, t);
	emit_mov_ri(x->e, S2, site);
	emit_jmp(x->e, x->j->thunk.exec);
}

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
static struct emit_mem push_access(struct xl *x, unsigned i)
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

static void push_imm(struct xl *x, const struct emit_mem *m, u64 v)
{
	if ((s64)v == (s32)v || !x->m64) {
		emit_mov_mi(x->e, x->m64, m, (s32)v);
		move_rsp(x, RSP, -(s32)width(x));
	} else {
		emit_mov_ri(x->e, S2, v);
		push_reg(x, m, S2);
	}
}

static void emit_push_reg(struct xl *x, unsigned i)
{
	unsigned reg = x->insn[i].in.opnd[0].reg;
	struct emit_mem m = push_access(x, i);

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

	ea_settle(&ea, &x->insn[i]);
	m = xl_access(x, i, &ea, width(x), X86_READ, S1);
	emit_rm(x->e, OP_MOV_RM, x->m64, S1, &m);
}

static void emit_push_mem(struct xl *x, unsigned i)
{
	struct emit_mem m;

	load_operand(x, i);
	emit_gs(x->e, OP_MOV_MR, true, S1, GS_RT(temp[2]));
	m = push_access(x, i);
	emit_gs(x->e, OP_MOV_RM, true, S2, GS_RT(temp[2]));
	push_reg(x, &m, S2);
}

static void pop_to(struct xl *x, const struct emit_mem *m, unsigned reg)
{
	emit_rm(x->e, OP_MOV_RM, x->m64, xl_victim(reg) ? (unsigned)S2 : reg, m);
	if (xl_victim(reg))
		emit_gs(x->e, OP_MOV_MR, true, S2, GS_GPR(reg));
}

static void emit_pop(struct xl *x, unsigned i)
{
	unsigned reg = x->insn[i].in.opnd[0].reg;
	struct emit_mem m = pop_access(x, i);

	pop_to(x, &m, reg);
	if (reg != RSP)
		move_rsp(x, RSP, (s32)width(x));
}

static void emit_leave(struct xl *x, unsigned i)
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

static bool backward(const struct xl_insn *t)
{
	return t->to <= t->rip;
}

/* Unconditionally to t->to. */
static void emit_goto(struct xl *x, const struct xl_insn *t)
{
	u32 live = t->live_out;

	if (t->target >= 0)
		live = x->insn[t->target].live_in;
	if (backward(t))
		emit_poll(x, t->to, live != 0);
	if (t->target < 0) {
		xl_link(x, CC_JMP, t->to, false);
		if (t->unsure)
			x->j->site[x->j->nsites - 1].ret = (s32)(t->rip + t->in.len - x->u->rip);
	} else if (backward(t)) {
		emit_jmp(x->e, x->insn[t->target].off);
	} else {
		fix_to(x, emit_jmp(x->e, 0), t->target);
	}
}

static void emit_jcc_insn(struct xl *x, const struct xl_insn *t)
{
	unsigned cc = t->in.opcode & 15;
	u32 skip;

	if (!backward(t)) {
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
		emit_goto(x, t);
	}
	emit_patch(x->e->base, skip, x->e->pos);
}

/* loop, loope, loopne, jrcxz: the counter is tested by the host's own jrcxz. */
static void emit_loop_insn(struct xl *x, const struct xl_insn *t)
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
	emit_goto(x, t);
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

static void emit_ret(struct xl *x, unsigned i)
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

static void emit_jmp_ind(struct xl *x, unsigned i)
{
	const struct x86_insn *in = &x->insn[i].in;

	if (in->has_mem)
		load_operand(x, i);
	else
		load_target_reg(x, in->opnd[0].reg);
	emit_recipe(x, i);
	emit_indirect(x);
}

static void emit_call_ind(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	struct emit_mem m;

	if (t->in.has_mem) {
		load_operand(x, i);
		emit_gs(x->e, OP_MOV_MR, true, S1, GS_RT(temp[2]));
	}
	m = push_access(x, i);
	push_imm(x, &m, t->rip + t->in.len);
	if (t->in.has_mem)
		emit_gs(x->e, OP_MOV_RM, true, S1, GS_RT(temp[2]));
	else
		load_target_reg(x, t->in.opnd[0].reg);
	emit_indirect(x);
}

static void emit_insn(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	struct emit_mem m;

	switch ((enum xl_kind)t->kind) {
	case XL_COPY:
		return emit_copy(x, t);
	case XL_MEM:
		return emit_mem(x, i);
	case XL_LEA:
		return emit_lea_insn(x, t);
	case XL_INCDEC:
		return emit_incdec(x, t);
	case XL_SKIP:
		return;
	case XL_EXEC:
		return emit_exec(x, i);
	case XL_PUSH_REG:
		return emit_push_reg(x, i);
	case XL_PUSH_IMM:
		m = push_access(x, i);
		return push_imm(x, &m, (u64)t->in.imm);
	case XL_PUSH_MEM:
		return emit_push_mem(x, i);
	case XL_POP:
		return emit_pop(x, i);
	case XL_LEAVE:
		return emit_leave(x, i);
	case XL_JMP:
		return emit_goto(x, t);
	case XL_JCC:
		return emit_jcc_insn(x, t);
	case XL_LOOP:
		return emit_loop_insn(x, t);
	case XL_CALL:
		m = push_access(x, i);
		push_imm(x, &m, t->rip + t->in.len);
		return emit_goto(x, t);
	case XL_RET:
		return emit_ret(x, i);
	case XL_JMP_IND:
		return emit_jmp_ind(x, i);
	case XL_CALL_IND:
		return emit_call_ind(x, i);
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
		return !backward(t);
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
