/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System instructions that a kernel executes on every way in and out and that
 * need no C: CLI, STI, SWAPGS, STAC, CLAC. The mode key says CPL 0 or 3 (code of
 * rings 1 and 2 is not translated), so what they may do is known beforehand.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

enum { OP_CLI = 0xfa, OP_STI = 0xfb, OP_0F_GROUP7 = 0x01 };
enum { MODRM_CLAC = 0xca, MODRM_STAC = 0xcb, MODRM_SWAPGS = 0xf8 };
enum { GRP_OR = 1, GRP_AND = 4, GRP_CMP = 7, GRP_ADD = 0 };

static bool is_group7(const struct x86_insn *in)
{
	return in->map == X86_MAP_0F && in->opcode == OP_0F_GROUP7 && !in->has_mem;
}

enum xl_kind xl_sys_kind(const struct xl *x, const struct x86_insn *in)
{
	unsigned mmu = x->map->key >> 2 & 3;

	if (in->enc != X86_ENC_LEGACY || in->lock || in->rep || in->repne || in->p66 ||
	    x->map->key & X86_KEY_CPL3)
		return XL_EXEC;
	if (in->map == X86_MAP_1B && (in->opcode == OP_CLI || in->opcode == OP_STI))
		return XL_SYS;
	if (!x->m64 || !is_group7(in))
		return XL_EXEC;
	if (in->modrm == MODRM_SWAPGS)
		return XL_SYS;
	if ((in->modrm == MODRM_STAC && mmu == X86_MMU_KERNEL) ||
	    (in->modrm == MODRM_CLAC && mmu == X86_MMU_KERNEL_OPEN))
		return XL_MODE;
	return XL_EXEC;
}

static void emit_swapgs(struct emit *e)
{
	u32 base = GS_OFF(seg[X86_GS]) + (u32)offsetof(struct x86_seg, base);

	emit_gs(e, OP_MOV_RM, true, S1, GS_OFF(kernel_gs_base));
	emit_gs(e, OP_MOV_RM, true, S2, base);
	emit_gs(e, OP_MOV_MR, true, S2, GS_OFF(kernel_gs_base));
	emit_gs(e, OP_MOV_MR, true, S1, base);
	emit_gs(e, OP_MOV_MR, true, S1, GS_OFF(seg_base) + 8u * X86_GS);
}

/* Out of line: by the interpreter. */
static void emit_leave_if(struct xl *x, const struct xl_insn *t, enum emit_cc cc, bool live)
{
	u32 site = jit_site_new(x->j, x->u, t->rip);

	x->j->site[site].len = t->in.len;
	x->j->site[site].next = t->ends ? 0 : ~0u;
	emit_jcc(x->e, cc, x->cold->pos);
	if (live)
		xl_flags_restore(x->cold);
	emit_mov_ri(x->cold, S2, site);
	emit_jmp(x->cold, x->j->thunk.exec);
}

/* An interrupt that waits is the interpreter's business; else nothing more than the shadow. */
static void emit_sti(struct xl *x, const struct xl_insn *t, bool live)
{
	emit_grp1_gsi8(x->e, GRP_CMP, GS_OFF(irq_pin), 0);
	emit_leave_if(x, t, CC_NE, live);
	emit_grp1_gsi8(x->e, GRP_OR, GS_OFF(sti_shadow), 1);
	emit_grp1_gsi(x->e, GRP_OR, false, GS_OFF(rflags), RF_IF);
}

static bool flags_live(const struct xl_insn *t)
{
	return t->live_out || t->save_flags;
}

void xl_emit_sys(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	bool live = flags_live(t) && t->in.map == X86_MAP_1B;

	if (live)
		xl_flags_save(x->e);
	if (is_group7(&t->in))
		emit_swapgs(x->e);
	else if (t->in.opcode == OP_STI)
		emit_sti(x, t, live);
	else
		emit_grp1_gsi(x->e, GRP_AND, false, GS_OFF(rflags), ~RF_IF);
	if (live)
		xl_flags_restore(x->e);
}

/* mov byte gs:[off], v */
static void emit_store8(struct emit *e, u32 off, u8 v)
{
	static const u8 op[] = {0x65, 0xc6, 0x04, 0x25};

	emit_bytes(e, op, sizeof(op));
	emit_u32(e, off);
	emit_u8(e, v);
}

/* What x86_mode_update() would do for the other value of RFLAGS.AC; then on in the other mode. */
void xl_emit_mode(struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];
	bool open = t->in.modrm == MODRM_STAC, live = flags_live(t);
	enum x86_mmu mmu = open ? X86_MMU_KERNEL_OPEN : X86_MMU_KERNEL;
	u32 key = (x->map->key & ~(3u << 2)) | (u32)mmu << 2;
	struct emit_mem mode_key = {EMIT_NONE, EMIT_NONE, 1, true, (s32)GS_OFF(mode_key)};

	if (live)
		xl_flags_save(x->e);
	if (!open) { /* with CR4.SMAP clear the mode is the same whatever AC is */
		emit_gs(x->e, OP_MOV_RM, false, S1, GS_OFF(cr4));
		emit_bytes(x->e, (const u8[]){0x41, 0x0f, 0xba, 0xe7, X86_CR4_SMAP_BIT},
			   5); /* bt r15d, SMAP */
		emit_leave_if(x, t, CC_AE, live);
	}
	if (open)
		emit_grp1_gsi(x->e, GRP_OR, false, GS_OFF(rflags), RF_AC);
	else
		emit_grp1_gsi(x->e, GRP_AND, false, GS_OFF(rflags), ~RF_AC);
	emit_store8(x->e, GS_OFF(mmu), (u8)mmu);
	emit_mov_mi(x->e, false, &mode_key, (s32)key);
	emit_grp1_gsi(x->e, GRP_ADD, false, GS_OFF(tlb_gen), 1);
	if (live)
		xl_flags_restore(x->e);
	xl_link(x, CC_JMP, t->to, false);
	x->j->site[x->j->nsites - 1].to_key = key;
}
