/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Far control transfers: jmp, call, ret, iret and call gates, in all modes
 * (SDM vol. 2 CALL, JMP, RET, IRET; vol. 3A section 5.8). Checks and pushes come
 * first, the commit last.
 */
#include "engine/jit/x86/sys.h"

/* ---- stacks ---- */

void x86_stack_of(struct x86_vcpu *c, const struct x86_seg *ss, u64 sp, unsigned cpl,
		  struct x86_stack *s)
{
	s->sp = sp;
	s->big = ss->attr & SEG_DB;
	s->mask = s->big ? 0xffffffff : 0xffff;
	s->base = ss->base;
	s->limit = ss->limit;
	s->down = (ss->attr & (SEG_CODE | SEG_EC)) == SEG_EC;
	s->long_mode = false;
	s->err = (u16)c->sys->ext;
	s->mmu = x86_mmu_of(c, cpl);
}

void x86_stack_current(struct x86_vcpu *c, struct x86_stack *s)
{
	x86_stack_of(c, &c->seg[X86_SS], c->gpr[X86_RSP], c->cpl, s);
	s->mmu = c->mmu;
	if (c->code_mode == X86_MODE_64) {
		s->long_mode = true;
		s->mask = ~0ULL;
		s->base = 0;
	}
}

/* Linear address of n bytes at stack offset off. */
static int stack_linear(struct x86_vcpu *c, const struct x86_stack *s, u64 off, unsigned n,
			u64 *lin)
{
	u64 last = off + n - 1;

	if (s->long_mode) {
		*lin = off;
		return x86_canonical(off) && x86_canonical(last)
			       ? 0
			       : x86_raise_err(c, X86_SS_EXC, s->err);
	}
	if (s->down ? off <= s->limit || last > (s->big ? 0xffffffff : 0xffff) : last > s->limit)
		return x86_raise_err(c, X86_SS_EXC, s->err);
	*lin = (s->base + off) & 0xffffffff;
	return 0;
}

int x86_stack_push(struct x86_vcpu *c, struct x86_stack *s, unsigned n, u64 v)
{
	u64 off = (s->sp - n) & s->mask, lin = 0;

	if (stack_linear(c, s, off, n, &lin) || x86_access(c, lin, &v, n, X86_WRITE, s->mmu))
		return -1;
	s->sp = (s->sp & ~s->mask) | off;
	return 0;
}

int x86_stack_pop(struct x86_vcpu *c, struct x86_stack *s, unsigned n, u64 *v)
{
	u64 lin = 0;

	*v = 0;
	if (stack_linear(c, s, s->sp & s->mask, n, &lin) ||
	    x86_access(c, lin, v, n, X86_READ, s->mmu))
		return -1;
	s->sp = (s->sp & ~s->mask) | ((s->sp + n) & s->mask);
	return 0;
}

void x86_stack_commit(struct x86_vcpu *c, const struct x86_stack *s)
{
	u64 *rsp = &c->gpr[X86_RSP];

	if (s->mask == 0xffff)
		*rsp = (*rsp & ~0xffffULL) | (s->sp & 0xffff);
	else
		*rsp = s->sp & s->mask;
}

static void stack_skip(struct x86_stack *s, unsigned n)
{
	s->sp = (s->sp & ~s->mask) | ((s->sp + n) & s->mask);
}

/* ---- code segments ---- */

/* A code descriptor usable at the present mode: L and D not both set in long mode. */
static bool code_ok(const struct x86_vcpu *c, u32 attr)
{
	if ((attr & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE))
		return false;
	return !(x86_long_mode(c) && (attr & SEG_L) && (attr & SEG_DB));
}

/* Does the offset lie in the segment (or is it canonical)? */
static int offset_ok(struct x86_vcpu *c, const struct x86_desc *d, u64 off)
{
	struct x86_seg s;

	x86_desc_seg(d, &s);
	if (x86_long_mode(c) && (s.attr & SEG_L))
		return x86_canonical(off) ? 0 : x86_raise_err(c, X86_GP, 0);
	return off <= s.limit ? 0 : x86_raise_err(c, X86_GP, 0);
}

/* Direct far jmp or call to a code segment: same level always. */
static int check_direct(struct x86_vcpu *c, u16 sel, const struct x86_desc *d)
{
	u32 attr = desc_attr(d);

	if (!code_ok(c, attr))
		return x86_sel_fault(c, X86_GP, sel);
	if (attr & SEG_EC ? seg_dpl(attr) > c->cpl : (sel & 3u) > c->cpl || seg_dpl(attr) != c->cpl)
		return x86_sel_fault(c, X86_GP, sel);
	return attr & SEG_P ? 0 : x86_sel_fault(c, X86_NP, sel);
}

static int jump_to(struct x86_vcpu *c, struct x86_desc *d, u16 sel, unsigned cpl, u64 off)
{
	if (offset_ok(c, d, off) || x86_desc_accessed(c, d))
		return -1;
	x86_commit_cs(c, d, (u16)((sel & ~3) | cpl), cpl);
	c->rip = off;
	return 0;
}

/* ---- gates ---- */

struct call_gate {
	u16 sel;
	u64 off;
	unsigned size, params; /* of pushes: 2, 4, 8 */
};

static int gate_load(struct x86_vcpu *c, u16 sel, struct x86_desc *g, struct call_gate *out)
{
	u32 attr = desc_attr(g);

	if (c->cpl > seg_dpl(attr) || (sel & 3u) > seg_dpl(attr))
		return x86_sel_fault(c, X86_GP, sel);
	if (!(attr & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	out->sel = (u16)(g->lo >> 16);
	out->off = (g->lo & 0xffff) | (g->lo >> 32 & 0xffff0000);
	out->size = (attr & 15) == DESC_CALL32 ? 4 : 2;
	out->params = g->lo >> 32 & 31;
	if (x86_long_mode(c)) {
		if (x86_desc_read_hi(c, g, X86_GP))
			return -1;
		out->off |= g->hi << 32;
		out->size = 8;
	} else if (out->size == 2) {
		out->off &= 0xffff;
	}
	return 0;
}

/* The code segment behind a gate. */
static int gate_target(struct x86_vcpu *c, const struct call_gate *g, struct x86_desc *d)
{
	u32 attr;

	if (sel_null(g->sel))
		return x86_raise_err(c, X86_GP, 0);
	if (x86_desc_read(c, g->sel, X86_GP, d))
		return -1;
	attr = desc_attr(d);
	if (!code_ok(c, attr) || seg_dpl(attr) > c->cpl ||
	    (g->size == 8 && (attr & (SEG_L | SEG_DB)) != SEG_L))
		return x86_sel_fault(c, X86_GP, g->sel);
	return attr & SEG_P ? 0 : x86_sel_fault(c, X86_NP, g->sel);
}

static int gate_jmp(struct x86_vcpu *c, u16 sel, struct x86_desc *gd)
{
	struct call_gate g = {0};
	struct x86_desc d;
	u32 attr;

	if (gate_load(c, sel, gd, &g) || gate_target(c, &g, &d))
		return -1;
	attr = desc_attr(&d);
	if (!(attr & SEG_EC) && seg_dpl(attr) != c->cpl)
		return x86_sel_fault(c, X86_GP, g.sel);
	return jump_to(c, &d, g.sel, c->cpl, g.off);
}

/* The inner stack of a call gate, with the old SS:SP and the parameters on it. */
static int gate_inner_stack(struct x86_vcpu *c, const struct call_gate *g, unsigned cpl,
			    struct x86_desc *ss, u16 *sel, struct x86_stack *s)
{
	struct x86_stack old;
	struct x86_seg seg;
	u64 rsp, param[31];
	u32 esp;

	x86_stack_current(c, &old);
	if (g->size == 8) {
		if (x86_tss_rsp(c, 8 * cpl + 4, &rsp))
			return -1;
		*s = (struct x86_stack){.sp = rsp, .mask = ~0ULL, .long_mode = true};
		s->mmu = x86_mmu_of(c, cpl);
		*sel = (u16)cpl;
		return x86_stack_push(c, s, 8, c->seg[X86_SS].sel) ||
				       x86_stack_push(c, s, 8, c->gpr[X86_RSP])
			       ? -1
			       : 0;
	}
	if (x86_tss_stack(c, cpl, sel, &esp) || x86_check_ss(c, *sel, cpl, X86_TS, ss))
		return -1;
	x86_desc_seg(ss, &seg);
	x86_stack_of(c, &seg, esp, cpl, s);
	s->err = *sel & 0xfffc;
	for (unsigned i = 0; i < g->params; i++)
		if (x86_stack_pop(c, &old, g->size, &param[i]))
			return -1;
	if (x86_stack_push(c, s, g->size, c->seg[X86_SS].sel) ||
	    x86_stack_push(c, s, g->size, c->gpr[X86_RSP]))
		return -1;
	for (unsigned i = g->params; i-- > 0;)
		if (x86_stack_push(c, s, g->size, param[i]))
			return -1;
	return 0;
}

static int gate_call(struct x86_vcpu *c, u16 sel, struct x86_desc *gd, u64 next)
{
	struct call_gate g = {0};
	struct x86_desc d = {0}, ss = {0};
	struct x86_stack s = {0};
	u16 ss_sel = 0;
	unsigned cpl;
	bool inner;

	if (gate_load(c, sel, gd, &g) || gate_target(c, &g, &d))
		return -1;
	cpl = desc_attr(&d) & SEG_EC ? c->cpl : seg_dpl(desc_attr(&d));
	inner = cpl < c->cpl;
	if (inner) {
		if (gate_inner_stack(c, &g, cpl, &ss, &ss_sel, &s))
			return -1;
	} else {
		x86_stack_current(c, &s);
		if (g.size == 8) {
			s.long_mode = true;
			s.mask = ~0ULL;
		}
	}
	if (x86_stack_push(c, &s, g.size, c->seg[X86_CS].sel) ||
	    x86_stack_push(c, &s, g.size, next) || offset_ok(c, &d, g.off) ||
	    x86_desc_accessed(c, &d))
		return -1;
	if (inner && g.size == 8) {
		c->seg[X86_SS] =
			(struct x86_seg){.sel = (u16)cpl, .attr = X86_SEG_UNUSABLE | cpl << 5};
	} else if (inner) {
		if (x86_desc_accessed(c, &ss))
			return -1;
		x86_commit_ss(c, &ss, ss_sel);
	}
	x86_commit_cs(c, &d, (u16)((g.sel & ~3) | cpl), cpl);
	x86_stack_commit(c, &s);
	c->rip = g.off;
	return 0;
}

/* ---- jmp, call ---- */

static int far_system(struct x86_vcpu *c, u16 sel, struct x86_desc *d, bool call, u64 next)
{
	unsigned type = desc_attr(d) & 15;
	u32 attr = desc_attr(d);

	if (type == DESC_CALL32 || (type == DESC_CALL16 && !x86_long_mode(c)))
		return call ? gate_call(c, sel, d, next) : gate_jmp(c, sel, d);
	if (x86_long_mode(c))
		return x86_sel_fault(c, X86_GP, sel);
	if (type == DESC_TASK) {
		if (c->cpl > seg_dpl(attr) || (sel & 3u) > seg_dpl(attr))
			return x86_sel_fault(c, X86_GP, sel);
		if (!(attr & SEG_P))
			return x86_sel_fault(c, X86_NP, sel);
		return x86_task_switch(c, (u16)(d->lo >> 16), call ? TASK_CALL : TASK_JMP, next,
				       false, 0);
	}
	if (type == DESC_TSS16 || type == DESC_TSS32) {
		if (c->cpl > seg_dpl(attr) || (sel & 3u) > seg_dpl(attr))
			return x86_sel_fault(c, X86_GP, sel);
		return x86_task_switch(c, sel, call ? TASK_CALL : TASK_JMP, next, false, 0);
	}
	return x86_sel_fault(c, X86_GP, sel);
}

static int far_real(struct x86_vcpu *c, u16 sel, u64 off, unsigned opsize, u64 next, bool call)
{
	struct x86_stack s = {0};

	if (off > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	if (call) {
		x86_stack_current(c, &s);
		if (x86_stack_push(c, &s, opsize, c->seg[X86_CS].sel) ||
		    x86_stack_push(c, &s, opsize, next))
			return -1;
		x86_stack_commit(c, &s);
	}
	x86_load_seg_real(c, X86_CS, sel);
	c->rip = off;
	return 0;
}

/*
 * The descriptor of a far jump or call in protected mode: 1 if it is code to go to, else what
 * came of it (a gate or task was taken, or an exception).
 */
static int far_target(struct x86_vcpu *c, u16 sel, struct x86_desc *d, bool call, u64 next)
{
	if (sel_null(sel))
		return x86_raise_err(c, X86_GP, 0);
	if (x86_desc_read(c, sel, X86_GP, d))
		return -1;
	if (!(desc_attr(d) & SEG_S))
		return far_system(c, sel, d, call, next);
	return check_direct(c, sel, d) ? -1 : 1;
}

int x86_far_jmp(struct x86_vcpu *c, u16 sel, u64 off, unsigned opsize, u64 next)
{
	struct x86_desc d;
	int r;

	if (!x86_protected(c))
		return far_real(c, sel, off, opsize, next, false);
	r = far_target(c, sel, &d, false, next);
	if (r <= 0)
		return r;
	return jump_to(c, &d, sel, c->cpl, off);
}

int x86_far_call(struct x86_vcpu *c, u16 sel, u64 off, unsigned opsize, u64 next)
{
	struct x86_stack s = {0};
	struct x86_desc d;
	int r;

	if (!x86_protected(c))
		return far_real(c, sel, off, opsize, next, true);
	r = far_target(c, sel, &d, true, next);
	if (r <= 0)
		return r;
	x86_stack_current(c, &s);
	if (x86_stack_push(c, &s, opsize, c->seg[X86_CS].sel) ||
	    x86_stack_push(c, &s, opsize, next))
		return -1;
	if (jump_to(c, &d, sel, c->cpl, off))
		return -1;
	x86_stack_commit(c, &s);
	return 0;
}

/* ---- returns ---- */

/* The code segment a return leads to. */
static int return_cs(struct x86_vcpu *c, u16 sel, struct x86_desc *d)
{
	unsigned rpl = sel & 3;
	u32 attr;

	if (sel_null(sel))
		return x86_raise_err(c, X86_GP, 0);
	if (x86_desc_read(c, sel, X86_GP, d))
		return -1;
	attr = desc_attr(d);
	if (!code_ok(c, attr) || rpl < c->cpl ||
	    (attr & SEG_EC ? seg_dpl(attr) > rpl : seg_dpl(attr) != rpl))
		return x86_sel_fault(c, X86_GP, sel);
	return attr & SEG_P ? 0 : x86_sel_fault(c, X86_NP, sel);
}

/* SS of the outer level; *null when 64-bit code returns to a null one. */
static int return_ss(struct x86_vcpu *c, u16 sel, unsigned rpl, const struct x86_desc *cs,
		     struct x86_desc *d, bool *null)
{
	*null = false;
	if (sel_null(sel)) {
		bool to64 = x86_long_mode(c) && (desc_attr(cs) & SEG_L);

		if (!to64 || rpl == 3 || (sel & 3u) != rpl)
			return x86_raise_err(c, X86_GP, 0);
		*null = true;
		return 0;
	}
	return x86_check_ss(c, sel, rpl, X86_GP, d);
}

struct outer {
	u16 cs, ss;
	u64 rip, rsp;
	bool stack; /* SS:RSP are switched */
	bool null_ss;
	struct x86_desc csd, ssd;
};

/* Switch to what a far ret or iret found. `s` is the stack after the pops. */
static int return_commit(struct x86_vcpu *c, struct outer *o, const struct x86_stack *s,
			 unsigned extra)
{
	unsigned old = c->cpl, rpl = o->cs & 3;

	if (offset_ok(c, &o->csd, o->rip) || x86_desc_accessed(c, &o->csd) ||
	    (o->stack && !o->null_ss && x86_desc_accessed(c, &o->ssd)))
		return -1;
	if (o->stack && o->null_ss)
		c->seg[X86_SS] =
			(struct x86_seg){.sel = o->ss, .attr = X86_SEG_UNUSABLE | rpl << 5};
	else if (o->stack)
		x86_commit_ss(c, &o->ssd, o->ss);
	x86_commit_cs(c, &o->csd, o->cs, rpl);
	if (o->stack) {
		struct x86_stack n;

		x86_stack_current(c, &n);
		n.sp = o->rsp + extra;
		x86_stack_commit(c, &n);
	} else {
		x86_stack_commit(c, s);
	}
	if (rpl > old)
		x86_drop_inner_segs(c);
	c->rip = o->rip;
	x86_mode_update(c);
	return 0;
}

static int far_ret_real(struct x86_vcpu *c, unsigned opsize, unsigned extra)
{
	struct x86_stack s = {0};
	u64 ip, cs;

	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, opsize, &ip) || x86_stack_pop(c, &s, opsize, &cs))
		return -1;
	if (ip > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	stack_skip(&s, extra);
	x86_stack_commit(c, &s);
	x86_load_seg_real(c, X86_CS, (u16)cs);
	c->rip = ip;
	return 0;
}

int x86_far_ret(struct x86_vcpu *c, unsigned opsize, unsigned extra)
{
	struct x86_stack s = {0};
	struct outer o = {.stack = false};
	u64 v;

	if (!x86_protected(c))
		return far_ret_real(c, opsize, extra);
	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, opsize, &o.rip) || x86_stack_pop(c, &s, opsize, &v))
		return -1;
	o.cs = (u16)v;
	if (return_cs(c, o.cs, &o.csd))
		return -1;
	stack_skip(&s, extra);
	if ((o.cs & 3u) > c->cpl) {
		o.stack = true;
		if (x86_stack_pop(c, &s, opsize, &o.rsp) || x86_stack_pop(c, &s, opsize, &v))
			return -1;
		o.ss = (u16)v;
		if (return_ss(c, o.ss, o.cs & 3, &o.csd, &o.ssd, &o.null_ss))
			return -1;
	}
	return return_commit(c, &o, &s, extra);
}

/* ---- iret ---- */

/* Flags an iret or popf at this level may change. */
static u64 iret_flags_mask(const struct x86_vcpu *c, unsigned opsize)
{
	u64 m = X86_F_STATUS | RF_TF | RF_DF | RF_NT;

	if (opsize > 2)
		m |= RF_RF | RF_AC | RF_ID;
	if (c->cpl <= x86_iopl(c))
		m |= RF_IF;
	if (!c->cpl) {
		m |= RF_IOPL;
		if (opsize > 2)
			m |= RF_VIF | RF_VIP;
	}
	return m;
}

static void iret_set_flags(struct x86_vcpu *c, u64 v, u64 mask)
{
	c->rflags = (c->rflags & ~mask) | (v & mask) | RF_FIXED;
	c->nmi_masked = false;
	x86_mode_update(c);
}

static int iret_real(struct x86_vcpu *c, unsigned opsize)
{
	u64 ip, cs, fl, mask = X86_F_STATUS | RF_TF | RF_DF | RF_NT | RF_IF;
	struct x86_stack s = {0};

	if (x86_vm86(c) && x86_iopl(c) < 3)
		return x86_raise_err(c, X86_GP, 0);
	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, opsize, &ip) || x86_stack_pop(c, &s, opsize, &cs) ||
	    x86_stack_pop(c, &s, opsize, &fl))
		return -1;
	if (ip > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_vm86(c))
		mask |= RF_IOPL;
	if (opsize > 2)
		mask |= RF_RF | RF_AC | RF_ID;
	x86_stack_commit(c, &s);
	x86_load_seg_real(c, X86_CS, (u16)cs);
	c->rip = ip;
	iret_set_flags(c, fl, mask);
	return 0;
}

/* Return from CPL 0 to virtual-8086 mode: ESP, SS, ES, DS, FS, GS follow. */
static int iret_to_vm86(struct x86_vcpu *c, struct x86_stack *s, u64 ip, u64 cs, u64 fl)
{
	static const u8 order[] = {X86_SS, X86_ES, X86_DS, X86_FS, X86_GS};
	u64 esp, sel[5];

	if (x86_stack_pop(c, s, 4, &esp))
		return -1;
	for (unsigned i = 0; i < 5; i++)
		if (x86_stack_pop(c, s, 4, &sel[i]))
			return -1;
	iret_set_flags(c, fl, 0xffffffff & ~(u64)RF_FIXED & 0x3f7fd5);
	x86_load_seg_real(c, X86_CS, (u16)cs);
	for (unsigned i = 0; i < 5; i++)
		x86_load_seg_real(c, order[i], (u16)sel[i]);
	c->gpr[X86_RSP] = esp;
	c->rip = ip & 0xffff;
	x86_mode_update(c);
	return 0;
}

static int iret_task(struct x86_vcpu *c, u64 next)
{
	u16 link;

	if (x86_long_mode(c))
		return x86_raise_err(c, X86_GP, 0);
	if (x86_read_sys(c, c->tr.base, &link, 2))
		return -1;
	return x86_task_switch(c, link, TASK_IRET, next, false, 0);
}

static int iret_protected(struct x86_vcpu *c, unsigned opsize)
{
	struct outer o = {.stack = false};
	struct x86_stack s = {0};
	u64 cs, fl, v, mask;

	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, opsize, &o.rip) || x86_stack_pop(c, &s, opsize, &cs) ||
	    x86_stack_pop(c, &s, opsize, &fl))
		return -1;
	if (opsize == 4 && (fl & RF_VM) && !c->cpl && !x86_long_mode(c))
		return iret_to_vm86(c, &s, o.rip, cs, fl);
	o.cs = (u16)cs;
	if (return_cs(c, o.cs, &o.csd))
		return -1;
	/* 64-bit mode pops SS:RSP even when the level stays. */
	if ((o.cs & 3u) > c->cpl || c->code_mode == X86_MODE_64) {
		o.stack = true;
		if (x86_stack_pop(c, &s, opsize, &o.rsp) || x86_stack_pop(c, &s, opsize, &v))
			return -1;
		o.ss = (u16)v;
		if (return_ss(c, o.ss, o.cs & 3, &o.csd, &o.ssd, &o.null_ss))
			return -1;
	}
	mask = iret_flags_mask(c, opsize);
	if (return_commit(c, &o, &s, 0))
		return -1;
	iret_set_flags(c, fl, mask);
	return 0;
}

int x86_iret(struct x86_vcpu *c, unsigned opsize, u64 next)
{
	if (!x86_protected(c))
		return iret_real(c, opsize);
	if (c->rflags & RF_NT)
		return iret_task(c, next);
	return iret_protected(c, opsize);
}
