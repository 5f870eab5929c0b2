/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The task state segment: inner stack pointers, and hardware task switches by
 * jmp, call, iret and events through task gates, 16- and 32-bit (SDM vol. 3A
 * chapter 8, section 8.3 for the order of checks).
 */
#include "engine/jit/x86/sys.h"

int x86_tss_stack(struct x86_vcpu *c, unsigned cpl, u16 *ss, u32 *esp)
{
	bool big = c->tr.attr & 8;
	u32 off = big ? cpl * 8 + 4 : cpl * 4 + 2, n = big ? 8 : 4;
	u8 b[8];

	if (off + (big ? 5 : 3) > c->tr.limit)
		return x86_sel_fault(c, X86_TS, c->tr.sel);
	if (x86_read_sys(c, c->tr.base + off, b, n))
		return -1;
	*esp = big ? load_le32(b) : load_le16(b);
	*ss = load_le16(b + (big ? 4 : 2));
	return 0;
}

int x86_tss_rsp(struct x86_vcpu *c, unsigned off, u64 *rsp)
{
	if (off + 7 > c->tr.limit)
		return x86_sel_fault(c, X86_TS, c->tr.sel);
	if (x86_read_sys(c, c->tr.base + off, rsp, 8))
		return -1;
	return x86_canonical(*rsp) ? 0 : x86_raise_err(c, X86_SS_EXC, c->sys->ext);
}

/* The registers a TSS holds, widened. */
struct task {
	u32 cr3, eip, eflags, gpr[8];
	u16 seg[6], ldt; /* in enum x86_segreg order, as both layouts have them */
	bool trap;
};

enum { TSS32_SIZE = 104, TSS16_SIZE = 44, TSS32_DYN = 0x20, TSS16_DYN = 0x0e };

static void parse32(const u8 *b, struct task *t)
{
	t->cr3 = load_le32(b + 0x1c);
	t->eip = load_le32(b + 0x20);
	t->eflags = load_le32(b + 0x24);
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = load_le32(b + 0x28 + 4 * i);
	for (unsigned i = 0; i < 6; i++)
		t->seg[i] = load_le16(b + 0x48 + 4 * i);
	t->ldt = load_le16(b + 0x60);
	t->trap = b[0x64] & 1;
}

static void parse16(const u8 *b, struct task *t)
{
	t->eip = load_le16(b + 0x0e);
	t->eflags = load_le16(b + 0x10);
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = load_le16(b + 0x12 + 2 * i) | 0xffff0000;
	for (unsigned i = 0; i < 6; i++)
		t->seg[i] = i < 4 ? load_le16(b + 0x22 + 2 * i) : 0;
	t->ldt = load_le16(b + 0x2a);
	t->trap = false;
}

static int task_read(struct x86_vcpu *c, u64 base, bool big, struct task *t)
{
	unsigned n = big ? TSS32_SIZE : TSS16_SIZE;
	u8 b[TSS32_SIZE];

	for (unsigned i = 0; i < n; i += 4)
		if (x86_read_sys(c, base + i, b + i, 4))
			return -1;
	if (big)
		parse32(b, t);
	else
		parse16(b, t);
	return 0;
}

/* Save the running task into its TSS. */
static int task_save(struct x86_vcpu *c, u64 eflags, u64 eip)
{
	bool big = c->tr.attr & 8;
	unsigned at = big ? TSS32_DYN : TSS16_DYN, w = big ? 4 : 2;
	u64 v[16] = {eip, eflags};
	unsigned n = 2, nsegs = big ? 6 : 4;

	for (unsigned i = 0; i < 8; i++)
		v[n++] = c->gpr[i];
	for (unsigned i = 0; i < nsegs; i++)
		v[n++] = c->seg[i].sel;
	for (unsigned i = 0; i < n; i++) {
		/* Selector fields of the 32-bit TSS are two bytes; the upper half is left. */
		unsigned bytes = i >= 10 ? 2 : w;

		if (x86_write_sys(c, c->tr.base + at + i * w, &v[i], bytes))
			return -1;
	}
	return 0;
}

static int set_busy(struct x86_vcpu *c, u16 sel, bool busy)
{
	u64 at = c->gdtr.base + (sel & 0xfff8) + 5;
	u8 b;

	if (x86_read_sys(c, at, &b, 1))
		return -1;
	b = busy ? b | 2 : b & ~2;
	return x86_write_sys(c, at, &b, 1);
}

/* The new TSS's descriptor. IRET faults with #TS, the others with #GP or #NP. */
static int task_desc(struct x86_vcpu *c, u16 sel, enum x86_task_why why, struct x86_desc *d)
{
	enum x86_vector v = why == TASK_IRET ? X86_TS : X86_GP;
	struct x86_seg s;
	unsigned type;

	if (sel_null(sel) || sel & 4)
		return x86_sel_fault(c, v, sel);
	if (x86_desc_read(c, sel, v, d))
		return -1;
	type = desc_attr(d) & 31;
	if ((type & ~10u) != DESC_TSS16 || !!(type & 2) != (why == TASK_IRET))
		return x86_sel_fault(c, v, sel);
	if (!(desc_attr(d) & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	x86_desc_seg(d, &s);
	if (s.limit < (type & 8 ? 0x67u : 0x2bu))
		return x86_sel_fault(c, X86_TS, sel);
	return 0;
}

/* Segment checks of the new task; all faults are #TS but not-present. */
static int task_data_seg(struct x86_vcpu *c, enum x86_segreg r, u16 sel)
{
	struct x86_desc d;
	u32 attr;
	bool conforming;

	if (sel_null(sel)) {
		c->seg[r] = (struct x86_seg){.sel = sel, .attr = X86_SEG_UNUSABLE};
		return 0;
	}
	if (x86_desc_read(c, sel, X86_TS, &d))
		return -1;
	attr = desc_attr(&d);
	conforming = (attr & (SEG_CODE | SEG_EC)) == (SEG_CODE | SEG_EC);
	if (!(attr & SEG_S) || (attr & (SEG_CODE | SEG_RW)) == SEG_CODE ||
	    (!conforming && ((sel & 3u) > seg_dpl(attr) || c->cpl > seg_dpl(attr))))
		return x86_sel_fault(c, X86_TS, sel);
	if (!(attr & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	if (x86_desc_accessed(c, &d))
		return -1;
	x86_desc_seg(&d, &c->seg[r]);
	return 0;
}

static int task_cs(struct x86_vcpu *c, u16 sel)
{
	unsigned rpl = sel & 3;
	struct x86_desc d;
	u32 attr;

	if (sel_null(sel))
		return x86_sel_fault(c, X86_TS, sel);
	if (x86_desc_read(c, sel, X86_TS, &d))
		return -1;
	attr = desc_attr(&d);
	if ((attr & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE) ||
	    (attr & SEG_EC ? seg_dpl(attr) > rpl : seg_dpl(attr) != rpl))
		return x86_sel_fault(c, X86_TS, sel);
	if (!(attr & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	if (x86_desc_accessed(c, &d))
		return -1;
	x86_commit_cs(c, &d, sel, rpl);
	return 0;
}

static int task_ldt(struct x86_vcpu *c, u16 sel)
{
	struct x86_desc d;

	c->ldtr = (struct x86_seg){.sel = sel, .attr = X86_SEG_UNUSABLE};
	if (sel_null(sel))
		return 0;
	if (sel & 4 || x86_desc_read(c, sel, X86_TS, &d)) {
		if (c->exc.pending && c->exc.vector == X86_PF)
			return -1;
		return x86_sel_fault(c, X86_TS, sel);
	}
	if ((desc_attr(&d) & 31) != DESC_LDT || !(desc_attr(&d) & SEG_P))
		return x86_sel_fault(c, X86_TS, sel);
	x86_desc_seg(&d, &c->ldtr);
	return 0;
}

static int task_segments(struct x86_vcpu *c, const struct task *t)
{
	static const u8 data[] = {X86_ES, X86_DS, X86_FS, X86_GS};
	struct x86_desc d;

	if (task_ldt(c, t->ldt))
		return -1;
	if (c->rflags & RF_VM) {
		for (unsigned i = 0; i < X86_NSEGS; i++)
			x86_load_seg_real(c, i, t->seg[i]);
		return 0;
	}
	if (task_cs(c, t->seg[X86_CS]) || x86_check_ss(c, t->seg[X86_SS], c->cpl, X86_TS, &d) ||
	    x86_desc_accessed(c, &d))
		return -1;
	x86_commit_ss(c, &d, t->seg[X86_SS]);
	for (unsigned i = 0; i < 4; i++)
		if (task_data_seg(c, data[i], t->seg[data[i]]))
			return -1;
	return 0;
}

/* From here on faults happen in the context of the new task. */
static int task_enter(struct x86_vcpu *c, const struct task *t, bool big)
{
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = t->gpr[i];
	for (unsigned i = 0; i < X86_NSEGS; i++)
		c->seg[i] = (struct x86_seg){.sel = t->seg[i], .attr = X86_SEG_UNUSABLE};
	c->rip = t->eip;
	c->rflags = (t->eflags & 0x3f7fd5) | RF_FIXED;
	c->dr7 &= ~0x155ULL; /* local breakpoints end with the task */
	x86_debug_update(c);
	c->cr0 |= CR0_TS;
	if (big && (c->cr0 & CR0_PG) && t->cr3 != c->cr3 && x86_set_cr3(c, t->cr3))
		return -1;
	c->cpl = t->seg[X86_CS] & 3;
	if (task_segments(c, t))
		return -1;
	x86_mode_update(c);
	if (c->rip > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	if (t->trap) {
		c->sys->db_bits |= DR6_BT;
		x86_look(c);
	}
	return 0;
}

static int push_error(struct x86_vcpu *c, bool big, u32 err)
{
	struct x86_stack s = {0};

	x86_stack_current(c, &s);
	if (x86_stack_push(c, &s, big ? 4 : 2, err))
		return -1;
	x86_stack_commit(c, &s);
	return 0;
}

int x86_task_switch(struct x86_vcpu *c, u16 sel, enum x86_task_why why, u64 next, bool has_err,
		    u32 err)
{
	bool nested = why == TASK_CALL || why == TASK_EVENT, big;
	u64 eflags = c->rflags;
	u16 old = c->tr.sel;
	struct x86_desc d;
	struct x86_seg tss;
	struct task t = {.cr3 = (u32)c->cr3};

	if (task_desc(c, sel, why, &d))
		return -1;
	x86_desc_seg(&d, &tss);
	big = tss.attr & 8;
	if (task_read(c, tss.base, big, &t))
		return -1;
	if (why == TASK_IRET)
		eflags &= ~(u64)RF_NT;
	if (task_save(c, eflags, next))
		return -1;
	if (!nested && set_busy(c, old, false))
		return -1;
	if (nested) {
		if (x86_write_sys(c, tss.base, &old, 2))
			return -1;
		t.eflags |= RF_NT;
	}
	if (why != TASK_IRET && set_busy(c, sel, true))
		return -1;
	tss.attr |= 2;
	tss.sel = sel;
	c->tr = tss;
	if (task_enter(c, &t, big))
		return -1;
	if (why == TASK_IRET)
		c->nmi_masked = false;
	return has_err ? push_error(c, big, err) : 0;
}
