/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segmentation: offset to linear address with every check, descriptor tables,
 * and loads of segment registers (SDM vol. 3A chapters 3 and 5; vol. 2 MOV, LAR,
 * LSL, VERR, LLDT, LTR).
 */
#include "engine/jit/x86/sys.h"

/* ---- offset to linear ---- */

static int linear_fault(struct x86_vcpu *c, enum x86_segreg seg)
{
	enum x86_vector v = seg == X86_SS ? X86_SS_EXC : X86_GP;

	/* Real mode pushes no error code; event_real drops it. */
	return x86_raise_err(c, v, c->sys->ext);
}

static bool limit_ok(const struct x86_seg *s, u64 off, unsigned n)
{
	u64 last = off + (n ? n - 1 : 0);

	if ((s->attr & (SEG_CODE | SEG_EC)) == SEG_EC) { /* expand-down: valid is above the limit */
		u64 top = s->attr & SEG_DB ? 0xffffffff : 0xffff;

		return off > s->limit && last <= top;
	}
	return last <= s->limit;
}

static bool type_ok(const struct x86_seg *s, enum x86_access a)
{
	if (s->attr & X86_SEG_UNUSABLE || !(s->attr & SEG_P))
		return false;
	if (a == X86_WRITE)
		return (s->attr & (SEG_CODE | SEG_RW)) == SEG_RW;
	if (a == X86_READ)
		return (s->attr & (SEG_CODE | SEG_RW)) != SEG_CODE;
	return true;
}

static int alignment(struct x86_vcpu *c, u64 linear, unsigned n, enum x86_access a)
{
	if (!(c->mode_key & X86_KEY_ALIGN) || a == X86_FETCH || n > 8 || !is_pow2(n) ||
	    !(linear & (n - 1)))
		return 0;
	return x86_raise_err(c, X86_AC, 0);
}

int x86_linear(struct x86_vcpu *c, enum x86_segreg seg, u64 off, unsigned n, enum x86_access a,
	       u64 *linear)
{
	const struct x86_seg *s = &c->seg[seg];

	if (c->code_mode == X86_MODE_64) {
		u64 l = off + c->seg_base[seg];

		if (!x86_canonical(l) || !x86_canonical(l + (n ? n - 1 : 0)))
			return linear_fault(c, seg);
		*linear = l;
		return alignment(c, l, n, a);
	}
	/* Real and virtual-8086 mode check limits, not types. */
	if ((!(c->mode_key & X86_KEY_REAL) && !type_ok(s, a)) || !limit_ok(s, off, n))
		return linear_fault(c, seg);
	*linear = (s->base + off) & 0xffffffff;
	return alignment(c, *linear, n, a);
}

/* ---- descriptors ---- */

int x86_desc_read(struct x86_vcpu *c, u16 sel, enum x86_vector vec, struct x86_desc *d)
{
	u64 base = c->gdtr.base;
	u32 limit = c->gdtr.limit;

	*d = (struct x86_desc){0};
	if (sel & 4) {
		if (c->ldtr.attr & X86_SEG_UNUSABLE)
			return x86_sel_fault(c, vec, sel);
		base = c->ldtr.base;
		limit = c->ldtr.limit;
	}
	if ((u32)(sel | 7) > limit)
		return x86_sel_fault(c, vec, sel);
	d->linear = base + (sel & ~7u);
	if (!x86_long_mode(c))
		d->linear &= 0xffffffff;
	d->sel = sel;
	d->hi = 0;
	return x86_read_sys(c, d->linear, &d->lo, 8);
}

int x86_desc_read_hi(struct x86_vcpu *c, struct x86_desc *d, enum x86_vector vec)
{
	u32 limit = d->sel & 4 ? c->ldtr.limit : c->gdtr.limit;

	if ((u32)(d->sel | 7) + 8 > limit)
		return x86_sel_fault(c, vec, d->sel);
	if (x86_read_sys(c, d->linear + 8, &d->hi, 8))
		return -1;
	/* The type field of the upper half must be 0. */
	return d->hi >> 40 & 31 ? x86_sel_fault(c, vec, d->sel) : 0;
}

int x86_desc_accessed(struct x86_vcpu *c, struct x86_desc *d)
{
	u8 b;

	if (d->lo >> 40 & SEG_A)
		return 0;
	d->lo |= (u64)SEG_A << 40;
	b = (u8)(d->lo >> 40);
	return x86_write_sys(c, d->linear + 5, &b, 1);
}

void x86_desc_seg(const struct x86_desc *d, struct x86_seg *s)
{
	u32 limit = (u32)((d->lo & 0xffff) | (d->lo >> 32 & 0xf0000));

	s->attr = desc_attr(d);
	s->base = (d->lo >> 16 & 0xffffff) | (d->lo >> 32 & 0xff000000) | d->hi << 32;
	s->limit = s->attr & SEG_G ? limit << 12 | 0xfff : limit;
	s->sel = d->sel;
}

/* ---- loads ---- */

void x86_load_seg_real(struct x86_vcpu *c, enum x86_segreg r, u16 sel)
{
	struct x86_seg *s = &c->seg[r];

	s->sel = sel;
	s->base = (u64)sel << 4;
	if (x86_vm86(c)) {
		s->limit = 0xffff;
		s->attr = SEG_P | SEG_S | SEG_RW | SEG_A | 3 << 5;
	} else {
		/* The limit and D/B stay what protected mode left ("unreal" mode). */
		if (s->attr & X86_SEG_UNUSABLE)
			s->limit = 0xffff;
		s->attr = (s->attr & (SEG_DB | SEG_G)) | SEG_P | SEG_S | SEG_RW | SEG_A;
	}
	x86_mode_update(c);
}

int x86_check_ss(struct x86_vcpu *c, u16 sel, unsigned cpl, enum x86_vector vec, struct x86_desc *d)
{
	u32 attr;

	if (sel_null(sel))
		return x86_sel_fault(c, vec, 0);
	if (x86_desc_read(c, sel, vec, d))
		return -1;
	attr = desc_attr(d);
	if ((sel & 3) != cpl || seg_dpl(attr) != cpl ||
	    (attr & (SEG_S | SEG_CODE | SEG_RW)) != (SEG_S | SEG_RW))
		return x86_sel_fault(c, vec, sel);
	return attr & SEG_P ? 0 : x86_sel_fault(c, X86_SS_EXC, sel);
}

void x86_commit_ss(struct x86_vcpu *c, const struct x86_desc *d, u16 sel)
{
	x86_desc_seg(d, &c->seg[X86_SS]);
	c->seg[X86_SS].sel = sel;
}

void x86_commit_cs(struct x86_vcpu *c, const struct x86_desc *d, u16 sel, unsigned cpl)
{
	x86_desc_seg(d, &c->seg[X86_CS]);
	c->seg[X86_CS].sel = sel;
	c->cpl = (u8)cpl;
	x86_mode_update(c);
}

static int load_null(struct x86_vcpu *c, enum x86_segreg r, u16 sel)
{
	/* 64-bit mode below CPL 3 may run with a null SS of its own level. */
	if (r == X86_SS && (c->code_mode != X86_MODE_64 || c->cpl == 3 || (sel & 3) != c->cpl))
		return x86_raise_err(c, X86_GP, 0);
	c->seg[r] = (struct x86_seg){
		.sel = sel, .attr = X86_SEG_UNUSABLE | (r == X86_SS ? (u32)c->cpl << 5 : 0)};
	return 0;
}

static int check_data(struct x86_vcpu *c, u16 sel, const struct x86_desc *d)
{
	u32 attr = desc_attr(d);
	bool conforming = (attr & (SEG_CODE | SEG_EC)) == (SEG_CODE | SEG_EC);

	if (!(attr & SEG_S) || (attr & (SEG_CODE | SEG_RW)) == SEG_CODE)
		return x86_sel_fault(c, X86_GP, sel);
	if (!conforming && ((sel & 3u) > seg_dpl(attr) || c->cpl > seg_dpl(attr)))
		return x86_sel_fault(c, X86_GP, sel);
	return attr & SEG_P ? 0 : x86_sel_fault(c, X86_NP, sel);
}

int x86_load_seg(struct x86_vcpu *c, enum x86_segreg r, u16 sel)
{
	struct x86_desc d;

	if (!x86_protected(c)) {
		x86_load_seg_real(c, r, sel);
		return 0;
	}
	if (sel_null(sel)) {
		if (load_null(c, r, sel))
			return -1;
		x86_mode_update(c);
		return 0;
	}
	if (r == X86_SS) {
		if (x86_check_ss(c, sel, c->cpl, X86_GP, &d))
			return -1;
	} else if (x86_desc_read(c, sel, X86_GP, &d) || check_data(c, sel, &d)) {
		return -1;
	}
	if (x86_desc_accessed(c, &d))
		return -1;
	x86_desc_seg(&d, &c->seg[r]);
	x86_mode_update(c);
	return 0;
}

void x86_set_flat_cs_ss(struct x86_vcpu *c, u16 cs, u16 ss, unsigned cpl, bool code64)
{
	u32 dpl = cpl << 5, common = SEG_P | SEG_S | SEG_RW | SEG_A | SEG_G | dpl;

	c->seg[X86_CS] = (struct x86_seg){
		.sel = cs, .limit = ~0U, .attr = common | SEG_CODE | (code64 ? SEG_L : SEG_DB)};
	c->seg[X86_SS] = (struct x86_seg){.sel = ss, .limit = ~0U, .attr = common | SEG_DB};
	c->cpl = (u8)cpl;
	x86_mode_update(c);
}

void x86_drop_inner_segs(struct x86_vcpu *c)
{
	static const u8 data[] = {X86_ES, X86_DS, X86_FS, X86_GS};

	for (unsigned i = 0; i < 4; i++) {
		struct x86_seg *s = &c->seg[data[i]];
		bool conforming = (s->attr & (SEG_CODE | SEG_EC)) == (SEG_CODE | SEG_EC);

		if (s->attr & X86_SEG_UNUSABLE || conforming || seg_dpl(s->attr) >= c->cpl)
			continue;
		*s = (struct x86_seg){.attr = X86_SEG_UNUSABLE, .base = s->base};
	}
}

/* ---- LDTR, TR ---- */

/* The 64-bit base of an LDT or TSS must be canonical. */
static int desc_read_long(struct x86_vcpu *c, struct x86_desc *d)
{
	struct x86_seg s;

	if (x86_desc_read_hi(c, d, X86_GP))
		return -1;
	x86_desc_seg(d, &s);
	return x86_canonical(s.base) ? 0 : x86_sel_fault(c, X86_GP, d->sel);
}

int x86_lldt(struct x86_vcpu *c, u16 sel)
{
	struct x86_desc d;

	if (sel_null(sel)) {
		c->ldtr = (struct x86_seg){.sel = sel, .attr = X86_SEG_UNUSABLE};
		return 0;
	}
	if (sel & 4)
		return x86_sel_fault(c, X86_GP, sel);
	if (x86_desc_read(c, sel, X86_GP, &d))
		return -1;
	if ((desc_attr(&d) & 31) != DESC_LDT)
		return x86_sel_fault(c, X86_GP, sel);
	if (!(desc_attr(&d) & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	if (x86_long_mode(c) && desc_read_long(c, &d))
		return -1;
	x86_desc_seg(&d, &c->ldtr);
	return 0;
}

int x86_ltr(struct x86_vcpu *c, u16 sel)
{
	struct x86_desc d;
	unsigned type;
	u8 b;

	if (sel_null(sel))
		return x86_raise_err(c, X86_GP, 0);
	if (sel & 4)
		return x86_sel_fault(c, X86_GP, sel);
	if (x86_desc_read(c, sel, X86_GP, &d))
		return -1;
	type = desc_attr(&d) & 31;
	if (type != DESC_TSS32 && (type != DESC_TSS16 || x86_long_mode(c)))
		return x86_sel_fault(c, X86_GP, sel);
	if (!(desc_attr(&d) & SEG_P))
		return x86_sel_fault(c, X86_NP, sel);
	if (x86_long_mode(c) && desc_read_long(c, &d))
		return -1;
	d.lo |= 2ULL << 40; /* busy */
	b = (u8)(d.lo >> 40);
	if (x86_write_sys(c, d.linear + 5, &b, 1))
		return -1;
	x86_desc_seg(&d, &c->tr);
	return 0;
}

/* ---- LAR, LSL, VERR, VERW ---- */

static bool lar_lsl_type(const struct x86_vcpu *c, u32 attr, bool lsl)
{
	bool lm = x86_long_mode(c);

	if (attr & SEG_S)
		return true;
	switch (attr & 15) {
	case DESC_LDT:
	case DESC_TSS32:
	case DESC_TSS32_BUSY:
		return true;
	case DESC_TSS16:
	case DESC_TSS16_BUSY:
		return !lm;
	case DESC_CALL16:
	case DESC_TASK:
		return !lm && !lsl;
	case DESC_CALL32:
		return !lsl;
	}
	return false;
}

/* Read without #GP: *ok false if the selector leads nowhere. -1 only for #PF. */
static int desc_peek(struct x86_vcpu *c, u16 sel, struct x86_desc *d, bool *ok)
{
	*ok = false;
	if (sel_null(sel))
		return 0;
	if (x86_desc_read(c, sel, X86_GP, d)) {
		if (c->exc.vector == X86_PF)
			return -1;
		c->exc.pending = false;
		return 0;
	}
	*ok = true;
	return 0;
}

static bool level_ok(const struct x86_vcpu *c, u16 sel, u32 attr)
{
	bool conforming = (attr & (SEG_S | SEG_CODE | SEG_EC)) == (SEG_S | SEG_CODE | SEG_EC);

	return conforming || (c->cpl <= seg_dpl(attr) && (sel & 3u) <= seg_dpl(attr));
}

int x86_lar_lsl(struct x86_vcpu *c, u16 sel, bool lsl, u32 *out, bool *ok)
{
	struct x86_desc d;
	struct x86_seg s;

	if (desc_peek(c, sel, &d, ok))
		return -1;
	if (!*ok)
		return 0;
	*ok = lar_lsl_type(c, desc_attr(&d), lsl) && level_ok(c, sel, desc_attr(&d));
	x86_desc_seg(&d, &s);
	*out = lsl ? s.limit : (u32)(d.lo >> 32) & 0x00ffff00;
	return 0;
}

int x86_verr_verw(struct x86_vcpu *c, u16 sel, bool write, bool *ok)
{
	struct x86_desc d;
	u32 attr;

	if (desc_peek(c, sel, &d, ok))
		return -1;
	if (!*ok)
		return 0;
	attr = desc_attr(&d);
	*ok = (attr & SEG_S) && level_ok(c, sel, attr);
	if (write)
		*ok = *ok && (attr & (SEG_CODE | SEG_RW)) == SEG_RW;
	else
		*ok = *ok && (attr & (SEG_CODE | SEG_RW)) != SEG_CODE;
	return 0;
}
