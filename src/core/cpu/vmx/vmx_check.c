/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What VM entry refuses of the guest state (SDM vol. 3C 27.3.1), a row each, to
 * give a reason where the processor only says "invalid guest state".
 */
#include "core/cpu/vmx/vmx.h"

struct guest {
	u64 cr0, cr4, efer, rflags, dr7, rip, shadow, event;
	struct x86_seg seg[8];
	u32 entry;
	bool v86, real;
};

typedef bool (*check_fn)(const struct guest *g);

struct check {
	const char *rule;
	check_fn broken;
};

static bool pg_without_pe(const struct guest *g)
{
	return (g->cr0 & CR0_PG) && !(g->cr0 & CR0_PE);
}

static bool fixed_cr(const struct guest *g)
{
	return !(g->cr0 & CR0_NE) || !(g->cr4 & CR4_VMXE);
}

static bool long_without_pae(const struct guest *g)
{
	return (g->entry & ENTRY_LONG) && (!(g->cr0 & CR0_PG) || !(g->cr4 & CR4_PAE));
}

static bool pcide_without_long(const struct guest *g)
{
	return !(g->entry & ENTRY_LONG) && (g->cr4 & CR4_PCIDE);
}

static bool efer_lma(const struct guest *g)
{
	bool lma = g->efer & EFER_LMA;

	return lma != !!(g->entry & ENTRY_LONG) ||
	       ((g->cr0 & CR0_PG) && lma != !!(g->efer & EFER_LME));
}

static bool dr7_high(const struct guest *g)
{
	return g->dr7 >> 32;
}

/* Real and virtual-8086 mode segments: only the latter are so narrow with unrestricted guests. */
static bool v86_seg(const struct guest *g)
{
	for (unsigned i = 0; i < X86_NSEGS && g->v86; i++)
		if (g->seg[i].base != (u64)g->seg[i].sel << 4 || g->seg[i].limit != 0xffff ||
		    g->seg[i].attr != 0xf3)
			return true;
	return false;
}

static bool cs_type(const struct guest *g)
{
	u32 type = g->seg[X86_CS].attr & 15;

	return !g->v86 && type != 3 && (type < 9 || !(type & 1));
}

static bool ss_type(const struct guest *g)
{
	u32 type = g->seg[X86_SS].attr & 15;

	return !g->v86 && !(g->seg[X86_SS].attr & X86_SEG_UNUSABLE) && type != 3 && type != 7;
}

static bool usable(const struct x86_seg *s)
{
	return !(s->attr & X86_SEG_UNUSABLE);
}

static bool data_type(const struct guest *g)
{
	static const u8 data[] = {X86_ES, X86_DS, X86_FS, X86_GS};
	u32 type;

	for (unsigned i = 0; i < ARRAY_LEN(data) && !g->v86; i++) {
		type = g->seg[data[i]].attr & 15;
		if (usable(&g->seg[data[i]]) && (!(type & 1) || ((type & 8) && !(type & 2))))
			return true;
	}
	return false;
}

static bool seg_present(const struct guest *g)
{
	for (unsigned i = 0; i < X86_NSEGS; i++)
		if ((i == X86_CS || usable(&g->seg[i])) &&
		    (g->seg[i].attr & (SEG_P | SEG_S)) != (SEG_P | SEG_S))
			return true;
	return false;
}

static bool seg_limit(const struct guest *g)
{
	for (unsigned i = 0; i < X86_NSEGS && !g->v86; i++) {
		const struct x86_seg *s = &g->seg[i];

		if ((i == X86_CS || usable(s)) &&
		    (((s->limit & 0xfff) != 0xfff && (s->attr & SEG_G)) ||
		     ((s->limit >> 20) && !(s->attr & SEG_G))))
			return true;
	}
	return false;
}

static bool cs_l_and_d(const struct guest *g)
{
	u32 both = SEG_L | SEG_DB;

	return (g->entry & ENTRY_LONG) && (g->seg[X86_CS].attr & both) == both;
}

static bool tr_bad(const struct guest *g)
{
	const struct x86_seg *tr = &g->seg[7];
	u32 type = tr->attr & 15;

	return !usable(tr) || !(tr->attr & SEG_P) || (tr->attr & SEG_S) ||
	       (g->entry & ENTRY_LONG ? type != 11 : type != 3 && type != 11);
}

static bool ldtr_bad(const struct guest *g)
{
	const struct x86_seg *l = &g->seg[6];

	return usable(l) && ((l->attr & 15) != 2 || !(l->attr & SEG_P) || (l->attr & SEG_S));
}

static bool rip_high(const struct guest *g)
{
	bool code64 = (g->entry & ENTRY_LONG) && (g->seg[X86_CS].attr & SEG_L);

	return code64 ? !x86_canonical(g->rip) : g->rip >> 32 != 0;
}

static bool rflags_bad(const struct guest *g)
{
	return !(g->rflags & FL_FIXED) || (g->rflags & ~0x3f7fd7ULL) ||
	       ((g->rflags & FL_VM) && ((g->entry & ENTRY_LONG) || g->real));
}

static bool irq_without_if(const struct guest *g)
{
	return (g->event & VT_EVENT_VALID) && bits_get(g->event, 8, 3) == VT_EVENT_IRQ &&
	       (!(g->rflags & FL_IF) || (g->shadow & (SHADOW_STI | SHADOW_MOVSS)));
}

static bool shadow_bad(const struct guest *g)
{
	return (g->shadow & 3) == 3 || ((g->shadow & SHADOW_STI) && !(g->rflags & FL_IF));
}

/* 27.2.1.3: errors only with hardware exceptions, those that have one, in protected mode. */
static bool event_error(const struct guest *g)
{
	static const u32 with_error =
		1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;
	bool has = g->event & VT_EVENT_ERROR, should;

	if (!(g->event & VT_EVENT_VALID))
		return false;
	should = bits_get(g->event, 8, 3) == VT_EVENT_EXC && !g->real && (g->event & 0xff) < 32 &&
		 (with_error >> (g->event & 31) & 1);
	return has != should;
}

static const struct check checks[] = {
	{"CR0.PG is set and CR0.PE is not", pg_without_pe},
	{"CR0.NE or CR4.VMXE is clear", fixed_cr},
	{"IA-32e mode without CR0.PG and CR4.PAE", long_without_pae},
	{"CR4.PCIDE outside IA-32e mode", pcide_without_long},
	{"EFER.LMA is not as the mode and EFER.LME", efer_lma},
	{"DR7[63:32] are not zero", dr7_high},
	{"a segment of virtual-8086 mode is not as it must be", v86_seg},
	{"CS has a type that is no code", cs_type},
	{"SS has a type that is no stack", ss_type},
	{"a data segment is not accessed or not readable", data_type},
	{"a usable segment is not present or a system segment", seg_present},
	{"a segment's G does not fit its limit", seg_limit},
	{"CS.L and CS.D are both set", cs_l_and_d},
	{"TR is no busy TSS", tr_bad},
	{"LDTR is no LDT", ldtr_bad},
	{"RIP is too high or not canonical", rip_high},
	{"a reserved bit of RFLAGS is wrong", rflags_bad},
	{"an interrupt is injected while interrupts are blocked", irq_without_if},
	{"blocking by STI and MOV SS, or by STI without RFLAGS.IF", shadow_bad},
	{"an event has an error code it must not have, or none", event_error},
};

static void guest_read(struct guest *g)
{
	g->cr0 = vmx_read(VMCS_GUEST_CR0);
	g->cr4 = vmx_read(VMCS_GUEST_CR4);
	g->efer = vmx_read(VMCS_GUEST_EFER);
	g->rflags = vmx_read(VMCS_GUEST_RFLAGS);
	g->dr7 = vmx_read(VMCS_GUEST_DR7);
	g->rip = vmx_read(VMCS_GUEST_RIP);
	g->shadow = vmx_read(VMCS_GUEST_SHADOW);
	g->event = vmx_read(VMCS_ENTRY_EVENT);
	g->entry = (u32)vmx_read(VMCS_ENTRY);
	g->v86 = g->rflags & FL_VM;
	g->real = !(g->cr0 & CR0_PE);
	for (unsigned i = 0; i < 8; i++)
		g->seg[i] = (struct x86_seg){.sel = (u16)vmx_read(VMCS_GUEST_SEL + i * 2),
					     .base = vmx_read(VMCS_GUEST_BASE + i * 2),
					     .limit = (u32)vmx_read(VMCS_GUEST_LIMIT + i * 2),
					     .attr = (u32)vmx_read(VMCS_GUEST_AR + i * 2)};
}

const char *vmx_check(struct hv_vcpu *v)
{
	struct guest g;

	guest_read(&g);
	for (unsigned i = 0; i < ARRAY_LEN(checks); i++)
		if (checks[i].broken(&g))
			return checks[i].rule;
	return NULL;
}
