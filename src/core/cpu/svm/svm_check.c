/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What VMRUN refuses (AMD APM vol. 2, 15.5.1 "Canonicalization and Consistency
 * Checks"), a row each: QEMU's emulation lets nearly all of it through.
 */
#include "core/cpu/svm/svm.h"

#define MAXPHYS 52

typedef bool (*check_fn)(const struct vmcb *c);

struct check {
	const char *rule;
	check_fn broken;
};

static bool long_mode(const struct vmcb *c)
{
	return (c->efer & EFER_LME) && (c->cr0 & CR0_PG);
}

static bool svme_clear(const struct vmcb *c)
{
	return !(c->efer & EFER_SVME);
}

static bool cr0_nw(const struct vmcb *c)
{
	return !(c->cr0 & CR0_CD) && (c->cr0 & CR0_NW);
}

static bool cr0_high(const struct vmcb *c)
{
	return c->cr0 >> 32;
}

static bool cr3_mbz(const struct vmcb *c)
{
	return (c->efer & EFER_LMA) && c->cr3 >> MAXPHYS;
}

/* Defined bits: APM 3.1.3 and Intel's up to 24. */
static bool cr4_mbz(const struct vmcb *c)
{
	return c->cr4 & ~0x1ff7fffULL;
}

static bool dr_high(const struct vmcb *c)
{
	return c->dr6 >> 32 || c->dr7 >> 32;
}

static bool efer_mbz(const struct vmcb *c)
{
	return c->efer & ~0x36fd01ULL;
}

static bool long_without_pae(const struct vmcb *c)
{
	return long_mode(c) && !(c->cr4 & CR4_PAE);
}

static bool long_without_pe(const struct vmcb *c)
{
	return long_mode(c) && !(c->cr0 & CR0_PE);
}

static bool long_cs_l_and_d(const struct vmcb *c)
{
	return long_mode(c) && (c->cr4 & CR4_PAE) && (c->cs.attr & 0x200) && (c->cs.attr & 0x400);
}

static bool vmrun_clear(const struct vmcb *c)
{
	return !(c->misc2 & SVM_2_VMRUN);
}

static bool maps_high(const struct vmcb *c)
{
	return c->iopm >> MAXPHYS || c->msrpm >> MAXPHYS;
}

static bool asid_zero(const struct vmcb *c)
{
	return !c->asid;
}

/* 15.20: reserved types, exceptions that are none, an NMI's vector. */
static bool event_bad(const struct vmcb *c)
{
	unsigned type = bits_get(c->event, 8, 3), vector = c->event & 0xff;

	if (!(c->event & VT_EVENT_VALID))
		return false;
	return type == 1 || type > 4 || (type == VT_EVENT_EXC && (vector > 31 || vector == 2));
}

static bool nested_pat(const struct vmcb *c)
{
	u64 pat = c->pat;

	for (unsigned i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return true;
	return false;
}

static bool ncr3_bad(const struct vmcb *c)
{
	return (c->ncr3 & 0xfff) || c->ncr3 >> MAXPHYS;
}

static bool pg_without_pe(const struct vmcb *c)
{
	return (c->cr0 & CR0_PG) && !(c->cr0 & CR0_PE);
}

static bool rflags_fixed(const struct vmcb *c)
{
	return !(c->rflags & FL_FIXED);
}

static const struct check checks[] = {
	{"EFER.SVME is zero", svme_clear},
	{"CR0.CD is zero and CR0.NW is set", cr0_nw},
	{"CR0[63:32] are not zero", cr0_high},
	{"a reserved bit of CR3 is set", cr3_mbz},
	{"a reserved bit of CR4 is set", cr4_mbz},
	{"DR6[63:32] or DR7[63:32] are not zero", dr_high},
	{"a reserved bit of EFER is set", efer_mbz},
	{"EFER.LME and CR0.PG are set and CR4.PAE is zero", long_without_pae},
	{"EFER.LME and CR0.PG are set and CR0.PE is zero", long_without_pe},
	{"EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all set", long_cs_l_and_d},
	{"the VMRUN intercept bit is clear", vmrun_clear},
	{"the MSR or I/O permission map lies too high", maps_high},
	{"ASID is zero", asid_zero},
	{"an illegal event is injected", event_bad},
	{"the guest PAT has an undefined type", nested_pat},
	{"nCR3 is misaligned or too high", ncr3_bad},
	{"CR0.PG is set and CR0.PE is zero", pg_without_pe},
	{"bit 1 of RFLAGS is zero", rflags_fixed},
};

const char *svm_check(struct hv_vcpu *v)
{
	for (unsigned i = 0; i < ARRAY_LEN(checks); i++)
		if (checks[i].broken(svm_vmcb(v)))
			return checks[i].rule;
	return NULL;
}
