/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model-specific registers (SDM vol. 4; APM vol. 2 appendix A; BKDGs): a table
 * for those that only hold a value, code for those with an effect. The local
 * APIC's (x2APIC, TSC deadline) and unknown ones go to the bus.
 */
#include "engine/jit/x86/sys.h"

enum {
	MSR_TSC = 0x10,
	MSR_APIC_BASE = 0x1b,
	MSR_FEATURE_CTL = 0x3a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_PRED_CMD = 0x49,
	MSR_PLATFORM_ID = 0x17,
	MSR_UCODE_WRITE = 0x79,
	MSR_UCODE_REV = 0x8b,
	MSR_PLATFORM_INFO = 0xce,
	MSR_MTRR_CAP = 0xfe,
	MSR_ARCH_CAP = 0x10a,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a,
	MSR_MCG_CTL = 0x17b,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_MTRR_PHYS = 0x200,
	MSR_MTRR_FIX64 = 0x250,
	MSR_MTRR_FIX16 = 0x258,
	MSR_MTRR_FIX4 = 0x268,
	MSR_PAT = 0x277,
	MSR_MTRR_DEF = 0x2ff,
	MSR_MC0 = 0x400,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_PKRS = 0x6e1,
	MSR_X2APIC = 0x800,
	MSR_XSS = 0xda0,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_AMD_PERF 0xc0010000u
#define MSR_AMD_SYSCFG 0xc0010010u
#define MSR_AMD_HWCR 0xc0010015u
#define MSR_AMD_NB_CFG 0xc001001fu
#define MSR_AMD_PATCH_LOADER 0xc0010020u
#define MSR_AMD_DE_CFG 0xc0011029u

static int gp0(struct x86_vcpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

/* ---- plain values ---- */

enum { R_CANON = 1, R_AMD = 2, R_INTEL = 4, R_SYS = 8 };

#define CPU(f) (u16) offsetof(struct x86_vcpu, f)
#define SYS(f) (u16) offsetof(struct x86_sys, f)
static const struct plain {
	u32 msr;
	u16 off;
	u8 flags;
	u64 allowed; /* #GP on other bits */
} plains[] = {
	{MSR_SPEC_CTRL, CPU(spec_ctrl), R_INTEL, 0x7},
	{MSR_SYSENTER_CS, CPU(sysenter_cs), 0, 0xffffffff},
	{MSR_SYSENTER_ESP, CPU(sysenter_esp), R_CANON, ~0ULL},
	{MSR_SYSENTER_EIP, CPU(sysenter_eip), R_CANON, ~0ULL},
	{MSR_MISC_ENABLE, CPU(misc_enable), 0, ~0ULL},
	{MSR_STAR, CPU(star), 0, ~0ULL},
	{MSR_LSTAR, CPU(lstar), R_CANON, ~0ULL},
	{MSR_CSTAR, CPU(cstar), R_CANON, ~0ULL},
	{MSR_FMASK, CPU(fmask), 0, 0xffffffff},
	{MSR_KERNEL_GS, CPU(kernel_gs_base), R_CANON, ~0ULL},
	{MSR_TSC_AUX, CPU(tsc_aux), 0, 0xffffffff},
	{MSR_MCG_STATUS, SYS(mcg_status), R_SYS, 7},
	{MSR_MCG_CTL, SYS(mcg_ctl), R_SYS, ~0ULL},
	{MSR_DEBUGCTL, SYS(debugctl), R_SYS, 0x7fff},
	{MSR_UCODE_REV, SYS(bios_sign), R_SYS, ~0ULL},
	{MSR_AMD_HWCR, SYS(amd_hwcr), R_SYS | R_AMD, ~0ULL},
	{MSR_AMD_DE_CFG, SYS(amd_de_cfg), R_SYS | R_AMD, ~0ULL},
	{MSR_AMD_NB_CFG, SYS(amd_nb_cfg), R_SYS | R_AMD, ~0ULL},
	{MSR_AMD_SYSCFG, SYS(amd_syscfg), R_SYS | R_AMD, ~0ULL},
};

static const struct plain *plain_find(const struct x86_vcpu *c, u32 msr)
{
	bool amd = c->vm->host && c->vm->host->amd;

	for (unsigned i = 0; i < ARRAY_LEN(plains); i++)
		if (plains[i].msr == msr && !(plains[i].flags & (amd ? R_INTEL : R_AMD)))
			return &plains[i];
	return NULL;
}

static u64 *plain_ptr(struct x86_vcpu *c, const struct plain *p)
{
	return (u64 *)((p->flags & R_SYS ? (char *)c->sys : (char *)c) + p->off);
}

static int plain_write(struct x86_vcpu *c, const struct plain *p, u64 v)
{
	if (v & ~p->allowed || (p->flags & R_CANON && !x86_canonical(v)))
		return gp0(c);
	*plain_ptr(c, p) = v;
	return 0;
}

/* ---- MTRRs, PAT ---- */

/* False if msr is none of these. */
static bool mtrr_find(struct x86_vcpu *c, u32 msr, u64 **m)
{
	if (msr >= MSR_MTRR_PHYS && msr < MSR_MTRR_PHYS + 16)
		*m = &c->mtrr_var[msr - MSR_MTRR_PHYS];
	else if (msr == MSR_MTRR_FIX64)
		*m = &c->mtrr_fix[0];
	else if (msr == MSR_MTRR_FIX16 || msr == MSR_MTRR_FIX16 + 1)
		*m = &c->mtrr_fix[1 + msr - MSR_MTRR_FIX16];
	else if (msr >= MSR_MTRR_FIX4 && msr < MSR_MTRR_FIX4 + 8)
		*m = &c->mtrr_fix[3 + msr - MSR_MTRR_FIX4];
	else if (msr == MSR_MTRR_DEF)
		*m = &c->mtrr_def;
	else if (msr == MSR_PAT)
		*m = &c->pat;
	else
		return false;
	return true;
}

/* UC WC WT WP WB; PAT also has UC- (7). */
static bool memory_type(unsigned t, bool pat)
{
	return t == 0 || t == 1 || t == 4 || t == 5 || t == 6 || (pat && t == 7);
}

static bool mtrr_valid(u32 msr, u64 v)
{
	bool variable = msr >= MSR_MTRR_PHYS && msr < MSR_MTRR_PHYS + 16;

	if (variable && (msr & 1))
		return !(v & ~(X86_PHYS_MASK & ~0x7ffULL));
	if (variable)
		return !(v & ~(X86_PHYS_MASK & ~0xf00ULL)) && memory_type(v & 0xff, false);
	if (msr == MSR_MTRR_DEF)
		return !(v & ~0xcffULL) && memory_type(v & 0xff, false);
	for (unsigned i = 0; i < 8; i++)
		if (!memory_type(v >> 8 * i & 0xff, msr == MSR_PAT))
			return false;
	return true;
}

/* ---- machine check banks: two that never report ---- */

#define MC_BANKS 2u

enum { MC_CTL, MC_STATUS };

static u64 *mc_ptr(struct x86_vcpu *c, u32 msr)
{
	u32 n = msr - MSR_MC0;

	return n < 4 * MC_BANKS ? &c->sys->mc[n / 4][n % 4] : NULL;
}

/* CTL takes all or nothing, STATUS can only be cleared. */
static bool mc_valid(u32 msr, u64 v)
{
	unsigned reg = (msr - MSR_MC0) % 4;

	return !v || (reg == MC_CTL ? v == ~0ULL : reg != MC_STATUS);
}

/* ---- the rest ---- */

/* RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO (SDM vol. 4 IA32_ARCH_CAPABILITIES). */
#define ARCH_CAP_VALUE                                                                             \
	(BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) |        \
	 BIT(15) | BIT(20) | BIT(24) | BIT(26) | BIT(27) | BIT(62))

static bool is_amd(const struct x86_vcpu *c)
{
	return c->vm->host && c->vm->host->amd;
}

/* PERF_CTL0-3 and PERF_CTR0-3: there, as on every AMD CPU, and never counting. */
static bool amd_perf(const struct x86_vcpu *c, u32 msr)
{
	return is_amd(c) && msr >= MSR_AMD_PERF && msr < MSR_AMD_PERF + 8;
}

static bool read_fixed(struct x86_vcpu *c, u32 msr, u64 *v)
{
	switch (msr) {
	case MSR_TSC:
		*v = x86_tsc(c);
		return true;
	case MSR_TSC_ADJUST:
		*v = c->tsc_adjust;
		return true;
	case MSR_APIC_BASE:
		*v = c->apic_base;
		return true;
	case MSR_EFER:
		*v = c->efer;
		return true;
	case MSR_PKRS:
		*v = c->pkrs;
		return true;
	case MSR_FS_BASE:
		*v = c->seg[X86_FS].base;
		return true;
	case MSR_GS_BASE:
		*v = c->seg[X86_GS].base;
		return true;
	case MSR_MTRR_CAP:
		*v = 8 | BIT(8) | BIT(10); /* 8 variable, fixed, WC */
		return true;
	case MSR_MCG_CAP:
		*v = MC_BANKS | BIT(8); /* MCG_CTL present */
		return true;
	case MSR_FEATURE_CTL:
		*v = 1;
		return !is_amd(c);
	case MSR_ARCH_CAP:
		*v = ARCH_CAP_VALUE;
		return !is_amd(c);
	case MSR_PLATFORM_ID: /* Xen wants it before it looks at the microcode's revision */
		*v = 0;
		return !is_amd(c);
	case MSR_PLATFORM_INFO:
		*v = (c->vm->tsc_khz / 100000 & 0xff) << 8;
		return !is_amd(c);
	}
	return false;
}

int x86_rdmsr(struct x86_vcpu *c, u32 msr, u64 *val)
{
	const struct plain *p = plain_find(c, msr);
	u64 *m;

	if (p) {
		*val = *plain_ptr(c, p);
		return 0;
	}
	if (amd_perf(c, msr)) {
		*val = 0;
		return 0;
	}
	if (!mtrr_find(c, msr, &m))
		m = mc_ptr(c, msr);
	if (m) {
		*val = *m;
		return 0;
	}
	if (read_fixed(c, msr, val) || !x86_pv_rdmsr(c, msr, val))
		return 0;
	if (c->sys->no_bus)
		return gp0(c);
	x86_fpu_park(c);
	return c->bus.msr_read(c->bus.opaque, msr, val) ? gp0(c) : 0;
}

static int write_apic_base(struct x86_vcpu *c, u64 v)
{
	u64 allowed = BIT(8) | BIT(10) | BIT(11) | (X86_PHYS_MASK & ~0xfffULL);
	bool was_x2 = c->apic_base & BIT(10), x2 = v & BIT(10), en = v & BIT(11);

	if (v & ~allowed || (x2 && !en) || (was_x2 && !x2 && en) ||
	    (x2 && !(c->apic_base & BIT(11))))
		return gp0(c);
	x86_fpu_park(c);
	/* The APIC must see the new mode; a machine without one does not mind. */
	c->bus.msr_write(c->bus.opaque, MSR_APIC_BASE, v);
	c->apic_base = v;
	return 0;
}

static int write_tsc(struct x86_vcpu *c, u32 msr, u64 v)
{
	u64 delta = v - (msr == MSR_TSC ? x86_tsc(c) : c->tsc_adjust);

	c->tsc_offset += delta;
	c->tsc_adjust += delta;
	x86_pv_clock_update(c);
	return 0;
}

static int write_base(struct x86_vcpu *c, enum x86_segreg r, u64 v)
{
	if (!x86_canonical(v))
		return gp0(c);
	c->seg[r].base = v;
	x86_mode_update(c);
	return 0;
}

/* 1: not one of these. */
static int write_special(struct x86_vcpu *c, u32 msr, u64 v)
{
	switch (msr) {
	case MSR_TSC:
	case MSR_TSC_ADJUST:
		return write_tsc(c, msr, v);
	case MSR_APIC_BASE:
		return write_apic_base(c, v);
	case MSR_EFER:
		return x86_set_efer(c, v);
	case MSR_PKRS:
		if (v >> 32)
			return gp0(c);
		x86_set_pkrs(c, (u32)v);
		return 0;
	case MSR_FS_BASE:
		return write_base(c, X86_FS, v);
	case MSR_GS_BASE:
		return write_base(c, X86_GS, v);
	case MSR_MTRR_CAP:
	case MSR_ARCH_CAP:
	case MSR_PLATFORM_INFO:
	case MSR_MCG_CAP:
		return gp0(c);
	case MSR_FEATURE_CTL:
	case MSR_UCODE_WRITE:
	case MSR_AMD_PATCH_LOADER:
		return 0;
	case MSR_PRED_CMD:
		return v & ~1ULL || is_amd(c) ? gp0(c) : 0;
	}
	return 1;
}

int x86_wrmsr(struct x86_vcpu *c, u32 msr, u64 val)
{
	const struct plain *p = plain_find(c, msr);
	u64 *m;
	int r;

	if (p)
		return plain_write(c, p, val);
	if (mtrr_find(c, msr, &m)) {
		if (!mtrr_valid(msr, val))
			return gp0(c);
		*m = val;
		return 0;
	}
	m = mc_ptr(c, msr);
	if (m) {
		if (!mc_valid(msr, val))
			return gp0(c);
		*m = val;
		return 0;
	}
	if (amd_perf(c, msr))
		return 0;
	r = write_special(c, msr, val);
	if (r == 1)
		r = x86_pv_wrmsr(c, msr, val);
	if (r != 1)
		return r;
	if (c->sys->no_bus)
		return gp0(c);
	x86_fpu_park(c);
	return c->bus.msr_write(c->bus.opaque, msr, val) ? gp0(c) : 0;
}

unsigned x86_state_msrs(const u32 **list)
{
	static const u32 all[] = {
		MSR_SYSENTER_CS,    MSR_SYSENTER_ESP,
		MSR_SYSENTER_EIP,   MSR_STAR,
		MSR_LSTAR,	    MSR_CSTAR,
		MSR_FMASK,	    MSR_KERNEL_GS,
		MSR_TSC_AUX,	    MSR_PAT,
		MSR_MTRR_DEF,	    MSR_MTRR_FIX64,
		MSR_MTRR_FIX16,	    MSR_MTRR_FIX16 + 1,
		MSR_MTRR_FIX4,	    MSR_MTRR_FIX4 + 1,
		MSR_MTRR_FIX4 + 2,  MSR_MTRR_FIX4 + 3,
		MSR_MTRR_FIX4 + 4,  MSR_MTRR_FIX4 + 5,
		MSR_MTRR_FIX4 + 6,  MSR_MTRR_FIX4 + 7,
		MSR_MTRR_PHYS,	    MSR_MTRR_PHYS + 1,
		MSR_MTRR_PHYS + 2,  MSR_MTRR_PHYS + 3,
		MSR_MTRR_PHYS + 4,  MSR_MTRR_PHYS + 5,
		MSR_MTRR_PHYS + 6,  MSR_MTRR_PHYS + 7,
		MSR_MTRR_PHYS + 8,  MSR_MTRR_PHYS + 9,
		MSR_MTRR_PHYS + 10, MSR_MTRR_PHYS + 11,
		MSR_MTRR_PHYS + 12, MSR_MTRR_PHYS + 13,
		MSR_MTRR_PHYS + 14, MSR_MTRR_PHYS + 15,
		MSR_MISC_ENABLE,    MSR_SPEC_CTRL,
		MSR_MCG_STATUS,	    MSR_MCG_CTL,
		MSR_TSC_ADJUST,	    0x4b564d00,
		0x4b564d01,	    MSR_PKRS,
	};

	static_assert(ARRAY_LEN(all) <= X86_STATE_MSRS, "state has room");
	*list = all;
	return ARRAY_LEN(all);
}
