/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which status flags matter where: liveness inside a unit, a look at the code
 * behind its exits, and how to find flags again that an indirect jump dropped.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

enum { ALL = X86_F_STATUS };

static unsigned modrm_reg(const struct x86_insn *in)
{
	return in->modrm >> 3 & 7;
}

static bool is_1b(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_1B;
}

static bool is_0f(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_0F;
}

/* Shifts and rotates with a count that may be 0 leave the flags alone then. */
static bool count_may_be_zero(const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (is_1b(in) && (op == 0xd2 || op == 0xd3))
		return true;
	if (is_1b(in) && (op == 0xc0 || op == 0xc1))
		return !(in->imm & 31);
	if (is_0f(in) && (op == 0xa5 || op == 0xad))
		return true;
	if (is_0f(in) && (op == 0xa4 || op == 0xac))
		return !(in->imm & 31);
	return in->row->cls == X86_C_STRING && (in->rep || in->repne);
}

u32 xl_flags_killed(const struct x86_insn *in)
{
	return count_may_be_zero(in) ? 0 : in->row->f_written & ALL;
}

/* The table says of a shift that may leave the flags alone that it reads them all. */
static u32 flags_looked_at(const struct x86_insn *in)
{
	bool through_cf = in->map == X86_MAP_1B && (modrm_reg(in) & 6) == 2; /* rcl, rcr */

	if (in->row->cls == X86_C_ORDINARY && count_may_be_zero(in))
		return through_cf ? X86_F_CF : 0;
	return in->row->f_read & ALL;
}

/* SYSRET and IRET bring flags of their own. */
static bool loads_flags(const struct x86_insn *in)
{
	return in->row->cls == X86_C_SYSTEM &&
	       ((is_0f(in) && in->opcode == 0x07) || (is_1b(in) && in->opcode == 0xcf));
}

/* What C executes looks at all of them where it leaves for another place, which may keep them. */
static u32 flags_read(const struct xl_insn *t)
{
	if (loads_flags(&t->in))
		return 0;
	return (t->kind == XL_EXEC && t->ends) || t->save_flags ? ALL : flags_looked_at(&t->in);
}

enum { PEEK_INSNS = 10 };

/* Code that is looked at without being translated. */
struct peek {
	const struct jit_map *m;
	const u8 *next; /* the page after, or NULL */
	u32 unknown;	/* flags that an end which tells nothing looks at */
	u32 ret;	/* those that whoever called looks at */
	u32 system;	/* those that an instruction looks at which leaves for another place */
	u32 pushf;	/* those that pushf looks at */
};

static u32 peek_looked_at(const struct peek *p, const struct x86_insn *in)
{
	if (in->row->cls == X86_C_SYSTEM && is_1b(in) && in->opcode == 0x9c)
		return p->pushf;
	return flags_looked_at(in);
}

static bool peek_decode(const struct peek *p, u64 rip, struct x86_insn *in)
{
	enum x86_mode mode = (p->m->key & 3) == X86_MODE_64 ? X86_MODE_64 : X86_MODE_32;
	unsigned off = rip & (GPA_PAGE_SIZE - 1), n = GPA_PAGE_SIZE - off;
	u64 page = align_down(rip, GPA_PAGE_SIZE);
	u8 bytes[2 * X86_INSN_MAX];

	if (page == p->m->lin + GPA_PAGE_SIZE && p->next)
		return x86_decode(in, mode, p->next + off, n) == X86_DECODE_OK;
	if (page != p->m->lin)
		return false;
	if (n >= X86_INSN_MAX || !p->next)
		return x86_decode(in, mode, p->m->host + off, n) == X86_DECODE_OK;
	for (unsigned i = 0; i < n; i++)
		bytes[i] = p->m->host[off + i];
	for (unsigned i = 0; i < X86_INSN_MAX; i++)
		bytes[n + i] = p->next[i];
	return x86_decode(in, mode, bytes, n + X86_INSN_MAX) == X86_DECODE_OK;
}

/* The flags that code at rip may look at before it sets them, of those in `need`. */
static u32 peek(const struct peek *p, u64 rip, u32 need, unsigned budget)
{
	u32 res = 0;
	struct x86_insn in;

	while (budget-- && need) {
		if (!peek_decode(p, rip, &in))
			break;
		if (in.row->cls == X86_C_UD)
			return res | (need & p->system);
		if (in.row->cls == X86_C_SYSTEM && xl_system_ends(&in))
			return res | (need & p->system);
		res |= peek_looked_at(p, &in) & need;
		need &= ~(peek_looked_at(p, &in) | xl_flags_killed(&in));
		rip += in.len;
		if (in.row->cls != X86_C_BRANCH)
			continue;
		if (is_1b(&in) && (in.opcode == 0xc3 || in.opcode == 0xc2))
			return res | (need & p->ret);
		if (is_1b(&in) && (in.opcode == 0xe8)) {
			struct peek callee = *p;

			callee.unknown = 0;
			return res | peek(&callee, rip + (u64)in.imm, need, budget / 2);
		}
		if (is_1b(&in) && in.opcode == 0xff)
			break;
		if (is_1b(&in) && (in.opcode == 0xeb || in.opcode == 0xe9)) {
			rip += (u64)in.imm;
			continue;
		}
		res |= peek(p, rip + (u64)in.imm, need, budget / 2);
	}
	return res | (need & p->unknown);
}

/* ---- flags that a callee returns ---- */

/* The host address of the page after m's, or NULL; guest state is as before. */
static const u8 *page_after(struct x86_vcpu *c, const struct jit_map *m)
{
	struct x86_exc exc = c->exc;
	u64 gpa, cr2 = c->cr2;
	const u8 *host;
	int ret = x86_fetch_page(c, m->lin + GPA_PAGE_SIZE, &gpa, &host);

	c->exc = exc;
	c->cr2 = cr2;
	return ret < 0 || !host ? NULL
				: (const u8 *)align_down((u64)(uintptr_t)host, GPA_PAGE_SIZE);
}

/* For what a callee returns: what pushf is for then is IF. */
static struct peek peek_from(struct x86_vcpu *c, const struct jit_map *m, u64 rip)
{
	bool far = rip + PEEK_INSNS * X86_INSN_MAX > m->lin + GPA_PAGE_SIZE;

	return (struct peek){.m = m, .next = far ? page_after(c, m) : NULL};
}

void jit_branch_seen(struct x86_vcpu *c, const struct jit_map *m, u64 at)
{
	struct peek p = peek_from(c, m, at);
	struct x86_insn in;

	if (peek_decode(&p, at, &in) && in.row->cls == X86_C_BRANCH)
		jit_call_seen(c, m, at + in.len);
}

void jit_call_seen(struct x86_vcpu *c, const struct jit_map *m, u64 back)
{
	struct jit *j = c->vm->jit;
	struct peek p;

	if (jit_ret_keeps_flags(j, m->key))
		return;
	p = peek_from(c, m, back);
	if (!peek(&p, back, ALL, PEEK_INSNS))
		return;
	j->strict_ret[!!(m->key & X86_KEY_CPL3)] = true;
	jit_flush_want(&j->flush_wanted);
}

/* Does a branch of the unit come to where the call returns to? Then it may never return. */
static bool returns_to_label(const struct xl *x, unsigned i)
{
	const struct xl_insn *t = &x->insn[i];

	return i + 1 < x->n && t[1].rip == t->rip + t->in.len && t[1].label;
}

bool xl_check_calls(struct xl *x)
{
	if (jit_ret_keeps_flags(x->j, x->map->key))
		return false;
	for (unsigned i = 0; i < x->n; i++) {
		struct xl_insn *t = &x->insn[i];

		if (t->kind != XL_CALL && t->kind != XL_CALL_IND)
			continue;
		if (t->kind == XL_CALL && returns_to_label(x, i))
			t->unsure = true;
		else
			jit_call_seen(x->c, x->map, t->rip + t->in.len);
	}
	return jit_ret_keeps_flags(x->j, x->map->key);
}

/* The map of another page, if this vCPU has run code there lately. */
struct jit_map *xl_map_of(const struct xl *x, u64 rip)
{
	struct jit_cpu *cpu = jit_cpu(x->c);
	unsigned i = jit_xtlb_index(rip, x->map->key);
	struct jit_map *m = cpu->xmap[i];

	if (align_down(rip, GPA_PAGE_SIZE) == x->map->lin)
		return x->map;
	return m && cpu->xtlb[i] == m->id && m->lin == align_down(rip, GPA_PAGE_SIZE) ? m : NULL;
}

static u32 live_at(const struct xl *x, u64 rip)
{
	const struct jit_map *m = xl_map_of(x, rip);

	struct peek p = {.m = m, .unknown = ALL, .system = ALL, .pushf = ALL};

	if (!m)
		return ALL;
	p.ret = jit_ret_keeps_flags(x->j, m->key) ? ALL : 0;
	return peek(&p, rip, ALL, PEEK_INSNS);
}

/* ---- recipes: flags that can be found again from registers ---- */

u32 xl_gpr_written(const struct x86_insn *in)
{
	u32 w = in->row->gpr_write;

	if (in->row->flags & X86_R_IMPLICIT_RSP)
		w |= 1u << RSP;
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR && in->opnd[i].write)
			w |= 1u << in->opnd[i].reg;
	return w;
}

/* The recipe of the flags `in` leaves, and in *regs what must stay unchanged after it. */
static bool recipe_of(const struct x86_insn *in, struct jit_recipe *r, u32 *regs)
{
	static const u8 group1[8] = {
		JIT_RECIPE_UNDO_ADD, JIT_RECIPE_AND,	  0xff,		  0xff,
		JIT_RECIPE_AND,	     JIT_RECIPE_UNDO_SUB, JIT_RECIPE_AND, JIT_RECIPE_CMP};
	const struct x86_opnd *a = &in->opnd[0], *b = &in->opnd[1];
	unsigned op = in->opcode, n;

	if (!is_1b(in) || in->has_mem || in->nopnds < 2 || a->kind != X86_OPND_GPR || a->high)
		return false;
	if (op < 0x40 && (op & 7) < 6)
		n = op >> 3;
	else if (op >= 0x80 && op <= 0x83)
		n = modrm_reg(in);
	else if (op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9)
		n = 8;
	else
		return false;
	r->op = n == 8 ? (u8)JIT_RECIPE_AND : group1[n];
	r->size = in->opsize;
	r->a = r->b = a->reg;
	*regs = 1u << a->reg;
	if (r->op == 0xff)
		return false;
	if (n == 1 || n == 4 || n == 6) /* of the result alone */
		return true;
	if (b->kind == X86_OPND_IMM && in->imm == (s32)in->imm) {
		r->b = EMIT_NONE;
		r->imm = (s32)in->imm;
		return true;
	}
	r->b = b->reg;
	*regs |= 1u << b->reg;
	return b->kind == X86_OPND_GPR && !b->high && (b->reg != a->reg || n >= 7);
}

/*
 * Is instruction k the start of the straight piece of code that ends before i?
 * Then flags have to be saved there at the latest.
 */
static bool piece_starts(const struct xl *x, unsigned k)
{
	const struct xl_insn *prev = &x->insn[k ? k - 1 : 0];

	return !k || x->insn[k].label || prev->ends || prev->kind == XL_EXEC ||
	       prev->rip + prev->in.len != x->insn[k].rip;
}

/*
 * An indirect jump or a return takes the status flags along in a recipe, so that the memory
 * accesses before it may use the flags: computed from the registers of the
 * instruction that set them, or saved behind it.
 */
static void find_recipe(struct xl *x, unsigned i)
{
	struct jit_recipe r = {.op = JIT_RECIPE_SAVED, .size = 1};
	struct jit_recipe found = r;
	u32 changed = x->insn[i].kind == XL_RET ? 1u << RSP : 0, regs;
	unsigned k = i;

	while (!piece_starts(x, k)) {
		const struct x86_insn *in = &x->insn[k - 1].in;

		if (in->row->f_written & ALL) {
			if (recipe_of(in, &found, &regs) && !(regs & changed))
				r = found;
			break;
		}
		changed |= xl_gpr_written(in);
		k--;
	}
	x->insn[k].save_flags = r.op == JIT_RECIPE_SAVED;
	for (; k <= i; k++)
		x->insn[k].recipe = r;
}

static void find_recipes(struct xl *x)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->insn[i].kind == XL_JMP_IND ||
		    (x->insn[i].kind == XL_RET && jit_ret_keeps_flags(x->j, x->map->key)))
			find_recipe(x, i);
}

/* Status flags that matter after the instruction, from what is known of its successors. */
static u32 live_after(const struct xl *x, unsigned i, bool first)
{
	const struct xl_insn *t = &x->insn[i];
	u32 live = 0;

	switch (t->kind) {
	case XL_RET: /* see find_recipe */
	case XL_JMP_IND:
	case XL_CALL_IND: /* no calling convention passes flags */
		return 0;
	case XL_JMP:
	case XL_JCC:
	case XL_LOOP:
	case XL_CALL:
	case XL_MODE:
		if (t->target >= 0)
			live = x->insn[t->target].live_in;
		else if (first)
			live = live_at(x, t->to);
		else
			live = t->live_out;
		if (t->unsure)
			live |= t[1].live_in;
		break;
	}
	if (t->ends)
		return live;
	if (i + 1 < x->n && x->insn[i + 1].rip == t->rip + t->in.len)
		return live | x->insn[i + 1].live_in;
	return live | (first ? live_at(x, t->rip + t->in.len) : t->live_out);
}

void xl_liveness(struct xl *x)
{
	bool again = true, first = true;

	find_recipes(x);

	while (again) {
		again = false;
		for (unsigned i = x->n; i-- > 0;) {
			struct xl_insn *t = &x->insn[i];
			u32 out = live_after(x, i, first);
			u32 in = (out & ~xl_flags_killed(&t->in)) | flags_read(t);

			again |= in != t->live_in;
			t->live_out = out;
			t->live_in = in;
		}
		first = false;
	}
}
