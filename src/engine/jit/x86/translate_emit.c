/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes instructions as themselves: with their registers, and with a memory operand replaced.
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

void xl_emit_copy(struct xl *x, const struct xl_insn *t)
{
	load_victims(x, victims_to_load(&t->in, false));
	emit_bytes(x->e, t->in.bytes, t->in.len);
	store_victims(x, victims_written(&t->in));
}

void xl_emit_incdec(struct xl *x, const struct xl_insn *t)
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
void xl_ea_settle(struct xl_ea *ea, const struct xl_insn *t)
{
	if (ea->base != X86_REG_RIP)
		return;
	ea->disp += (s64)(t->rip + t->in.len);
	if (ea->adsize == 4)
		ea->disp = (u32)ea->disp;
}

void xl_emit_mem(struct xl *x, unsigned i)
{
	const struct x86_insn *in = &x->insn[i].in;
	const struct x86_opnd *m = mem_operand(in);
	struct xl_ea ea = xl_ea_of(in);
	unsigned dst = xl_victims(in) & BIT(S1) ? S2 : S1;
	struct emit_mem op;

	xl_ea_settle(&ea, &x->insn[i]);
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

void xl_emit_lea_insn(struct xl *x, const struct xl_insn *t)
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

void xl_emit_exec(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	u32 site = jit_site_new(x->j, x->u, t->rip);

	x->j->site[site].len = t->in.len;
	x->j->site[site].next = t->ends ? 0 : ~0u;
	x->j->site[site].insn = keep_insn(x, t);
	emit_mov_ri(x->e, S2, site);
	emit_jmp(x->e, x->j->thunk.exec);
}
