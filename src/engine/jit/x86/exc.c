/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions, interrupts and INT n: through the real-mode vector table, 16/32-bit
 * and 64-bit IDT gates, with stack switches, error codes, #DF and triple fault
 * (SDM vol. 3A chapter 6; APM vol. 2 chapter 8).
 *
 * Everything is checked and pushed first and committed last, so a fault in the
 * middle leaves the state of before the event.
 */
#include "engine/jit/x86/sys.h"

/* One event on its way in. */
struct event {
	u8 vector;
	enum x86_event kind;
	bool has_err;
	u32 err;
	u64 ret;
	u64 flags; /* image to push */
};

/* A gate's fields, whatever its width. */
struct gate {
	unsigned type, dpl, ist;
	bool present;
	u16 sel;
	u64 off;
};

static int gate_fault(struct x86_vcpu *c, enum x86_vector v, const struct event *e)
{
	return x86_raise_err(c, v, (u32)e->vector * 8 + 2 + c->sys->ext);
}

static int event_real(struct x86_vcpu *c, const struct event *e)
{
	struct x86_stack s = {0};
	u16 ivt[2];

	if ((u32)e->vector * 4 + 3 > c->idtr.limit)
		return x86_raise(c, X86_GP);
	if (x86_read_sys(c, c->idtr.base + e->vector * 4ULL, ivt, 4))
		return -1;
	x86_stack_current(c, &s);
	if (x86_stack_push(c, &s, 2, e->flags) || x86_stack_push(c, &s, 2, c->seg[X86_CS].sel) ||
	    x86_stack_push(c, &s, 2, e->ret))
		return -1;
	x86_stack_commit(c, &s);
	c->rflags &= ~(u64)(RF_IF | RF_TF | RF_AC | RF_RF);
	x86_load_seg_real(c, X86_CS, ivt[1]);
	c->rip = ivt[0];
	return 0;
}

static int gate_read(struct x86_vcpu *c, const struct event *e, struct gate *g)
{
	bool lm = x86_long_mode(c);
	unsigned size = lm ? 16 : 8;
	u64 d[2] = {0, 0};

	if ((u32)e->vector * size + size - 1 > c->idtr.limit)
		return gate_fault(c, X86_GP, e);
	if (x86_read_sys(c, c->idtr.base + (u64)e->vector * size, d, size))
		return -1;
	g->type = d[0] >> 40 & 31; /* S included: a gate has 0 there */
	g->dpl = d[0] >> 45 & 3;
	g->present = d[0] >> 47 & 1;
	g->sel = (u16)(d[0] >> 16);
	g->ist = lm ? d[0] >> 32 & 7 : 0;
	g->off = (d[0] & 0xffff) | (d[0] >> 32 & 0xffff0000);
	if (lm)
		g->off |= d[1] << 32;
	else if (g->type == DESC_INT16 || g->type == DESC_TRAP16)
		g->off &= 0xffff;
	return 0;
}

static bool gate_type_ok(const struct x86_vcpu *c, unsigned type)
{
	if (type == DESC_INT32 || type == DESC_TRAP32)
		return true;
	return !x86_long_mode(c) &&
	       (type == DESC_TASK || type == DESC_INT16 || type == DESC_TRAP16);
}

static int gate_check(struct x86_vcpu *c, const struct event *e, const struct gate *g)
{
	if (!gate_type_ok(c, g->type))
		return gate_fault(c, X86_GP, e);
	if (e->kind == EVENT_SOFT && g->dpl < c->cpl)
		return gate_fault(c, X86_GP, e);
	return g->present ? 0 : gate_fault(c, X86_NP, e);
}

/* The handler's code segment; *cpl becomes its level. */
static int handler_cs(struct x86_vcpu *c, const struct gate *g, struct x86_desc *d, unsigned *cpl)
{
	u32 attr;

	if (sel_null(g->sel))
		return x86_sel_fault(c, X86_GP, 0);
	if (x86_desc_read(c, g->sel, X86_GP, d))
		return -1;
	attr = desc_attr(d);
	if (!(attr & SEG_S) || !(attr & SEG_CODE) || seg_dpl(attr) > c->cpl)
		return x86_sel_fault(c, X86_GP, g->sel);
	if (x86_long_mode(c) && (attr & (SEG_L | SEG_DB)) != SEG_L)
		return x86_sel_fault(c, X86_GP, g->sel);
	if (!(attr & SEG_P))
		return x86_sel_fault(c, X86_NP, g->sel);
	*cpl = attr & SEG_EC ? c->cpl : seg_dpl(attr);
	if (x86_vm86(c) && *cpl)
		return x86_sel_fault(c, X86_GP, g->sel);
	return 0;
}

static void enter_flags(struct x86_vcpu *c, const struct gate *g)
{
	u64 clear = RF_TF | RF_NT | RF_VM | RF_RF;

	if (g->type == DESC_INT32 || g->type == DESC_INT16)
		clear |= RF_IF;
	c->rflags &= ~clear;
}

static int event_long(struct x86_vcpu *c, const struct event *e, const struct gate *g)
{
	struct x86_stack s = {.mask = ~0ULL, .limit = ~0ULL, .long_mode = true};
	u16 old_ss = c->seg[X86_SS].sel, old_cs = c->seg[X86_CS].sel;
	struct x86_desc d;
	unsigned cpl;
	u64 rsp = c->gpr[X86_RSP];

	if (handler_cs(c, g, &d, &cpl))
		return -1;
	if (g->ist) {
		if (x86_tss_rsp(c, 8 * (g->ist + 3u) + 4, &rsp))
			return -1;
	} else if (cpl < c->cpl && x86_tss_rsp(c, 8 * cpl + 4, &rsp)) {
		return -1;
	}
	s.sp = rsp & ~0xfULL;
	s.mmu = x86_mmu_of(c, cpl);
	s.err = (u16)c->sys->ext;
	if (x86_stack_push(c, &s, 8, old_ss) || x86_stack_push(c, &s, 8, c->gpr[X86_RSP]) ||
	    x86_stack_push(c, &s, 8, e->flags) || x86_stack_push(c, &s, 8, old_cs) ||
	    x86_stack_push(c, &s, 8, e->ret) || (e->has_err && x86_stack_push(c, &s, 8, e->err)))
		return -1;
	if (!x86_canonical(g->off))
		return x86_raise_err(c, X86_GP, c->sys->ext);
	if (x86_desc_accessed(c, &d))
		return -1;
	if (cpl < c->cpl) {
		c->seg[X86_SS] = (struct x86_seg){
			.sel = (u16)cpl, .attr = X86_SEG_UNUSABLE | cpl << 5, .limit = 0};
	}
	c->gpr[X86_RSP] = s.sp;
	enter_flags(c, g);
	x86_commit_cs(c, &d, (u16)((g->sel & ~3) | cpl), cpl);
	c->rip = g->off;
	return 0;
}

/* Leaving virtual-8086 mode saves and clears the data segments. */
static int push_vm86_segs(struct x86_vcpu *c, struct x86_stack *s, unsigned n)
{
	static const u8 order[] = {X86_GS, X86_FS, X86_DS, X86_ES};

	for (unsigned i = 0; i < 4; i++)
		if (x86_stack_push(c, s, n, c->seg[order[i]].sel))
			return -1;
	return 0;
}

static void clear_vm86_segs(struct x86_vcpu *c)
{
	static const u8 all[] = {X86_GS, X86_FS, X86_DS, X86_ES};

	for (unsigned i = 0; i < 4; i++)
		c->seg[all[i]] = (struct x86_seg){.attr = X86_SEG_UNUSABLE};
}

/* The inner stack of a 32-bit event: from the TSS, checked with #TS. */
static int inner_stack(struct x86_vcpu *c, unsigned cpl, struct x86_desc *ss, u16 *sel,
		       struct x86_stack *s)
{
	struct x86_seg seg;
	u32 esp;

	if (x86_tss_stack(c, cpl, sel, &esp) || x86_check_ss(c, *sel, cpl, X86_TS, ss))
		return -1;
	x86_desc_seg(ss, &seg);
	seg.sel = *sel;
	x86_stack_of(c, &seg, esp, cpl, s);
	s->err = (u16)((*sel & 0xfffc) | c->sys->ext);
	return 0;
}

static int event_legacy(struct x86_vcpu *c, const struct event *e, const struct gate *g)
{
	unsigned n = g->type & 8 ? 4 : 2, cpl;
	u16 old_cs = c->seg[X86_CS].sel, ss_sel = 0;
	bool vm = x86_vm86(c), inner;
	struct x86_desc d = {0}, ss = {0};
	struct x86_stack s = {0};
	u64 limit;

	if (handler_cs(c, g, &d, &cpl))
		return -1;
	inner = cpl < c->cpl;
	if (inner) {
		if (inner_stack(c, cpl, &ss, &ss_sel, &s))
			return -1;
		if ((vm && push_vm86_segs(c, &s, n)) ||
		    x86_stack_push(c, &s, n, c->seg[X86_SS].sel) ||
		    x86_stack_push(c, &s, n, c->gpr[X86_RSP]))
			return -1;
	} else {
		x86_stack_current(c, &s);
		s.err = (u16)c->sys->ext;
	}
	if (x86_stack_push(c, &s, n, e->flags) || x86_stack_push(c, &s, n, old_cs) ||
	    x86_stack_push(c, &s, n, e->ret) || (e->has_err && x86_stack_push(c, &s, n, e->err)))
		return -1;
	limit = (d.lo & 0xffff) | (d.lo >> 32 & 0xf0000);
	if (d.lo >> 55 & 1)
		limit = limit << 12 | 0xfff;
	if (g->off > limit)
		return x86_raise_err(c, X86_GP, c->sys->ext);
	if (x86_desc_accessed(c, &d) || (inner && x86_desc_accessed(c, &ss)))
		return -1;
	enter_flags(c, g);
	if (vm)
		clear_vm86_segs(c);
	if (inner)
		x86_commit_ss(c, &ss, ss_sel);
	x86_commit_cs(c, &d, (u16)((g->sel & ~3) | cpl), cpl);
	x86_stack_commit(c, &s);
	c->rip = g->off;
	return 0;
}

static int event_protected(struct x86_vcpu *c, const struct event *e)
{
	struct gate g = {0};

	if (e->kind == EVENT_SOFT && x86_vm86(c) && x86_iopl(c) < 3 && e->vector != X86_BP &&
	    e->vector != X86_OF)
		return x86_raise_err(c, X86_GP, 0);
	if (gate_read(c, e, &g) || gate_check(c, e, &g))
		return -1;
	if (g.type == DESC_TASK)
		return x86_task_switch(c, g.sel, TASK_EVENT, e->ret, e->has_err, e->err);
	return x86_long_mode(c) ? event_long(c, e, &g) : event_legacy(c, e, &g);
}

int x86_event(struct x86_vcpu *c, u8 vector, enum x86_event kind, bool has_err, u32 err, u64 ret)
{
	struct event e = {.vector = vector,
			  .kind = kind,
			  .has_err = has_err && !x86_real_mode(c),
			  .err = err,
			  .ret = ret,
			  .flags = c->rflags | RF_FIXED};
	int r;

	/* Faults push RF set (SDM vol. 3B section 18.3.1.1); #DB and traps as it is. */
	if (kind == EVENT_HW &&
	    (has_err || vector == X86_DE || vector == X86_UD || vector == X86_NM ||
	     vector == X86_MF || vector == X86_XM || vector == X86_BR))
		if (vector < 32)
			e.flags |= RF_RF;
	c->sys->ext = kind != EVENT_SOFT;
	r = x86_real_mode(c) ? event_real(c, &e) : event_protected(c, &e);
	c->sys->ext = 0;
	if (!r) {
		c->sys->event = true;
		c->sti_shadow = c->movss_shadow = false;
		x86_mode_update(c);
	}
	return r;
}

/* Exception classes of SDM vol. 3A table 6-4. */
static bool contributory(u8 v)
{
	return v == X86_DE || (v >= X86_TS && v <= X86_GP);
}

static bool makes_double(u8 first, u8 second)
{
	if (contributory(first))
		return contributory(second);
	return first == X86_PF && (contributory(second) || second == X86_PF);
}

void x86_deliver_exception(struct x86_vcpu *c)
{
	for (;;) {
		struct x86_exc e = c->exc;
		u8 first = e.vector, second;

		c->exc.pending = false;
		c->halted = false; /* a debug trap after HLT */
		c->count.interrupts++;
		x86_trace(c, (struct vcpu_trace_event){.kind = VCPU_TRACE_EXC,
						       .where = e.vector,
						       .value = e.error,
						       .aux = e.vector == X86_PF ? c->cr2 : 0});
		if (!x86_event(c, e.vector, e.soft ? EVENT_SOFT : EVENT_HW, e.has_error, e.error,
			       c->rip))
			return;
		second = c->exc.vector;
		if (first == X86_DF && (contributory(second) || second == X86_PF)) {
			c->exc.pending = false;
			c->shutdown = true;
			x86_look(c);
			return;
		}
		if (makes_double(first, second))
			x86_raise_err(c, X86_DF, 0);
	}
}

int x86_deliver_interrupt(struct x86_vcpu *c, u8 vector)
{
	c->count.interrupts++;
	c->halted = false;
	x86_trace(c, (struct vcpu_trace_event){.kind = VCPU_TRACE_INT, .where = vector});
	if (!x86_event(c, vector, EVENT_HW, false, 0, c->rip))
		return 0;
	x86_deliver_exception(c);
	return 0;
}
