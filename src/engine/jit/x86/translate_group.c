/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check elimination: several accesses off one base register in a straight piece
 * of code get one check. The first access (the leader) checks the whole span of
 * the group and leaves the host pointer of its lowest byte in jit_cpu.ptr[base],
 * the others just use it. Where the register only moves by constants (push, pop,
 * sub rsp) the group goes on.
 *
 * If the check fails, for whatever reason, control goes on in the PLAIN unit of
 * the leader's address: the same guest code without groups, where every access
 * is checked and faults on its own. Nothing has been done by then, so faults
 * stay exact and no access is demanded that the guest would not make.
 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

enum { SPAN_MAX = 512, STACK_SPAN_MAX = 1536 };

struct track {
	u8 group;   /* open group of the register, 0 = none */
	bool known; /* offset is exact */
	s32 offset; /* of the register from its value at the leader */
};

struct grouping {
	struct xl *x;
	struct track reg[16];
};

static void forget_all(struct grouping *g)
{
	for (unsigned r = 0; r < 16; r++)
		g->reg[r] = (struct track){0};
}

static bool fits(const struct xl_group *p, s64 lo, s64 hi, unsigned base)
{
	s64 min = lo < p->min ? lo : p->min, max = hi > p->max ? hi : p->max;

	return max - min <= (base == RSP ? STACK_SPAN_MAX : SPAN_MAX);
}

/* An access of n bytes at [base + disp] by instruction i; which: 0 operand, 1 stack. */
static void add_access(struct grouping *g, unsigned i, unsigned which, unsigned base, s64 disp,
		       unsigned n, bool write)
{
	struct xl *x = g->x;
	struct track *t = &g->reg[base];
	struct xl_group *p = &x->group[t->group];
	s64 at = t->offset + disp;

	if (disp < -4096 || disp > 4096)
		return;
	if (!t->group || !fits(p, at, at + n, base)) {
		if (x->ngroups == ARRAY_LEN(x->group) || x->insn[i].live_in)
			return;
		t->group = (u8)x->ngroups++;
		t->offset = 0;
		p = &x->group[t->group];
		at = disp;
		*p = (struct xl_group){
			.min = (s32)at, .max = (s32)at, .base = (u8)base, .leader = (u16)i};
	}
	p->min = (s32)(at < p->min ? at : p->min);
	p->max = (s32)(at + n > p->max ? at + n : p->max);
	p->write |= write;
	p->count++;
	x->insn[i].ref[which] = (struct xl_ref){.group = t->group, .offset = (s32)at};
}

static void add_operand(struct grouping *g, unsigned i)
{
	const struct x86_insn *in = &g->x->insn[i].in;

	if (in->mem_base >= 16 || xl_victim(in->mem_base) || in->mem_index != X86_REG_NONE ||
	    in->adsize != 8 || in->seg == X86_FS || in->seg == X86_GS ||
	    (in->enc == X86_ENC_EVEX && in->evex_aaa))
		return;
	for (unsigned k = 0; k < in->nopnds; k++)
		if (in->opnd[k].kind == X86_OPND_MEM && !in->opnd[k].implicit)
			add_access(g, i, 0, in->mem_base, in->disp, in->opnd[k].size,
				   in->opnd[k].write);
}

static void add_accesses(struct grouping *g, unsigned i)
{
	switch (g->x->insn[i].kind) {
	case XL_MEM:
		add_operand(g, i);
		break;
	case XL_PUSH_REG:
	case XL_PUSH_IMM:
	case XL_CALL:
		add_access(g, i, 1, RSP, -8, 8, true);
		break;
	case XL_POP:
	case XL_RET:
		add_access(g, i, 1, RSP, 0, 8, false);
		break;
	}
}

static void move(struct grouping *g, unsigned reg, s64 by)
{
	s64 to = g->reg[reg].offset + by;

	if (to < -8192 || to > 8192)
		g->reg[reg] = (struct track){0};
	else
		g->reg[reg].offset = (s32)to;
}

bool xl_constant_move(const struct x86_insn *in, s64 *by)
{
	unsigned op = in->opcode, n = in->modrm >> 3 & 7;

	if (in->enc != X86_ENC_LEGACY || in->map != X86_MAP_1B || in->opsize != 8)
		return false;
	if (op == 0x8d) {
		*by = in->disp;
		return in->mem_base == in->opnd[0].reg && in->mem_index == X86_REG_NONE &&
		       in->adsize == 8;
	}
	if (in->has_mem)
		return false;
	if (op == 0x81 || op == 0x83) {
		*by = n == 0 ? in->imm : -in->imm;
		return n == 0 || n == 5;
	}
	*by = n == 0 ? 1 : -1;
	return op == 0xff && n <= 1;
}

static void track_registers(struct grouping *g, const struct xl_insn *t)
{
	const struct x86_insn *in = &t->in;
	u32 written = xl_gpr_written(in);
	s64 by;

	if (t->kind == XL_PUSH_REG || t->kind == XL_PUSH_IMM || t->kind == XL_PUSH_MEM) {
		move(g, RSP, -8);
		return;
	}
	if (t->kind == XL_POP) {
		move(g, RSP, 8);
		written &= ~(1u << RSP);
		written |= 1u << in->opnd[0].reg;
	} else if ((t->kind == XL_COPY || t->kind == XL_LEA) && xl_constant_move(in, &by)) {
		move(g, in->opnd[0].reg, by);
		return;
	}
	for (unsigned r = 0; r < 16; r++)
		if (written >> r & 1)
			g->reg[r] = (struct track){0};
}

void xl_groups(struct xl *x)
{
	struct grouping g = {.x = x};

	x->ngroups = 1;
	if (x->plain || !x->m64 || x->j->no_groups)
		return;
	for (unsigned i = 0; i < x->n; i++) {
		const struct xl_insn *t = &x->insn[i];

		if (t->label || t->kind == XL_EXEC ||
		    (i && (t[-1].ends || t[-1].rip + t[-1].in.len != t->rip)))
			forget_all(&g);
		add_accesses(&g, i);
		track_registers(&g, t);
	}
}
