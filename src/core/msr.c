/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * MSR policy. Three kinds: what is part of the processor state (syscalls, segment
 * bases, EFER, PAT, TSC), what the core only remembers for the guest (MTRRs and
 * model-specific switches, a row each below), and what the host's local APIC has
 * (through the bus). Anything else is #GP, as on a processor without it.
 * SDM vol. 4; AMD APM vol. 2 appendix A; MTRRs: SDM vol. 3A 12.11.
 */
#include "core/hv_internal.h"
#include "core/cpu/hw.h"

struct msr_row {
	u32 first, n;
	u64 reset, writable; /* writes to other bits are dropped */
};

#define ALL (~0ULL)

static const struct msr_row msr_rows[] = {
	{0x17, 1, 0, 0},	       /* PLATFORM_ID */
	{0x2a, 1, 0, 0},	       /* EBL_CR_POWERON */
	{0x3a, 1, 1, 0},	       /* FEATURE_CONTROL: locked, nothing allowed */
	{0x8b, 1, 1ULL << 32, 0},      /* microcode revision */
	{0xce, 1, 0, 0},	       /* PLATFORM_INFO */
	{0xfe, 1, 0x508, 0},	       /* MTRRcap: 8 variable, fixed, write-combining */
	{0x179, 1, 0, 0},	       /* MCG_CAP: no banks */
	{0x17a, 1, 0, ALL},	       /* MCG_STATUS */
	{0x1a0, 1, 0x1801, ALL},       /* MISC_ENABLE: fast strings, no BTS, no PEBS */
	{0x1d9, 1, 0, 0},	       /* DEBUGCTL */
	{0x1db, 4, 0, 0},	       /* last branch, exception records */
	{0x200, 16, 0, ALL},	       /* MTRRs: variable, */
	{0x250, 1, 0, ALL},	       /* fixed, 64 KiB, */
	{0x258, 2, 0, ALL},	       /* 16 KiB */
	{0x268, 8, 0, ALL},	       /* and 4 KiB each, */
	{0x2ff, 1, 0, 0xcff},	       /* and their default */
	{0xc0010000, 8, 0, 0},	       /* K7 performance counters: none */
	{0xc0010010, 1, 0, ALL},       /* SYSCFG */
	{0xc0010015, 1, 1 << 24, ALL}, /* HWCR: TSC runs at P0 frequency */
	{0xc001001f, 1, 0, ALL},       /* NB_CFG */
	{0xc0010140, 2, 0, 0},	       /* OSVW: none */
	{0xc0011022, 1, 0, ALL},
	{0xc0011028, 1, 0, ALL},
	{0xc0011029, 1, 2, ALL}, /* DE_CFG: LFENCE serializes */
	{0xc001102a, 1, 0, ALL},
};
enum { ROW_MSRS = 59 }; /* of all rows; hv_vcpu.msr has them one after the other */
static_assert(ROW_MSRS <= HV_MAX_MSRS, "a place in hv_vcpu.msr for each");

/* Parts of the processor's state that state exchange carries as MSRs. */
static const u32 msr_state[] = {
	MSR_TSC_ADJUST, MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
	MSR_PAT,	MSR_STAR,	    MSR_LSTAR,	      MSR_CSTAR,
	MSR_SFMASK,	MSR_KERNEL_GS_BASE, MSR_TSC_AUX,      0x4b564d00,
	0x4b564d01,	0x4b564d03,	    0x4b564d04,	      0x4b564d05,
};

unsigned hv_msr_count(void)
{
	return ARRAY_LEN(msr_state) + ROW_MSRS;
}

/* The row of the nth MSR of all rows; *n becomes its place in the row. NULL: none such. */
static const struct msr_row *row_at(unsigned *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_rows); *n -= msr_rows[i++].n)
		if (*n < msr_rows[i].n)
			return &msr_rows[i];
	return NULL;
}

u32 hv_msr_index(unsigned n)
{
	const struct msr_row *r;

	if (n < ARRAY_LEN(msr_state))
		return msr_state[n];
	n -= ARRAY_LEN(msr_state);
	r = row_at(&n);
	return r ? r->first + n : 0;
}

void hv_msr_reset(struct hv_vcpu *v, bool init)
{
	if (init)
		return;
	for (unsigned i = 0, at; i < ROW_MSRS; i++) {
		at = i;
		v->msr[i] = row_at(&at)->reset;
	}
	v->tsc_base = v->tsc_adjust = 0;
}

/* ---- processor state -------------------------------------------------------------- */

struct msr_field {
	u32 index;
	u16 offset; /* in struct hv_regs */
	u8 group;
	bool address; /* must be canonical */
};

#define FIELD(msr, field, grp, addr)                                                               \
	{                                                                                          \
		msr, offsetof(struct hv_regs, field), grp, addr                                    \
	}

static const struct msr_field msr_fields[] = {
	FIELD(MSR_SYSENTER_CS, sys.sysenter_cs, HV_G_SYSCALL, false),
	FIELD(MSR_SYSENTER_ESP, sys.sysenter_esp, HV_G_SYSCALL, true),
	FIELD(MSR_SYSENTER_EIP, sys.sysenter_eip, HV_G_SYSCALL, true),
	FIELD(MSR_STAR, sys.star, HV_G_SYSCALL, false),
	FIELD(MSR_LSTAR, sys.lstar, HV_G_SYSCALL, true),
	FIELD(MSR_CSTAR, sys.cstar, HV_G_SYSCALL, true),
	FIELD(MSR_SFMASK, sys.sfmask, HV_G_SYSCALL, false),
	FIELD(MSR_KERNEL_GS_BASE, sys.kernel_gs_base, HV_G_SYSCALL, true),
	FIELD(MSR_TSC_AUX, tsc_aux, HV_G_SYSCALL, false),
	FIELD(MSR_PAT, pat, HV_G_SYSCALL, false),
	FIELD(MSR_FS_BASE, seg[X86_FS].base, HV_G_SEG, true),
	FIELD(MSR_GS_BASE, seg[X86_GS].base, HV_G_SEG, true),
	FIELD(MSR_EFER, efer, HV_G_CR, false),
};

static const struct msr_field *field_of(u32 msr)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_fields); i++)
		if (msr_fields[i].index == msr)
			return &msr_fields[i];
	return NULL;
}

static u64 *field_at(struct hv_vcpu *v, const struct msr_field *f)
{
	return (u64 *)((u8 *)&v->st + f->offset);
}

/* Memory types 0, 1, 4, 5, 6, 7 in each byte (SDM vol. 3A table 12-10). */
static bool pat_valid(u64 val)
{
	for (unsigned i = 0; i < 8; i++, val >>= 8)
		if ((val & 0xff) > 7 || (val & 0xff) == 2 || (val & 0xff) == 3)
			return false;
	return true;
}

static bool efer_valid(struct hv_vcpu *v, u64 *val, bool by_host)
{
	u64 allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, old;

	hv_want(v, HV_G_CR);
	old = v->st.efer;
	if (hv_cpuid_has(v->vm, 0x80000001, 0, 3, 25))
		allowed |= EFER_FFXSR;
	if (*val & ~allowed)
		return false;
	if (by_host)
		return true;
	if (((*val ^ old) & EFER_LME) && (v->st.cr0 & CR0_PG))
		return false;
	*val = (*val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	return true;
}

static int field_write(struct hv_vcpu *v, const struct msr_field *f, u64 val, bool by_host)
{
	if (f->address && !x86_canonical(val))
		return -E_NOENT;
	if (f->index == MSR_PAT && !pat_valid(val))
		return -E_NOENT;
	if (f->index == MSR_TSC_AUX && val >> 32)
		return -E_NOENT;
	if (f->index == MSR_EFER && !efer_valid(v, &val, by_host))
		return -E_NOENT;
	hv_want(v, f->group);
	*field_at(v, f) = val;
	hv_touch(v, f->group);
	return 0;
}

/* The row of an MSR, and which of hv_vcpu.msr it is kept in; NULL: none. */
static const struct msr_row *row_of(u32 msr, unsigned *at)
{
	*at = 0;
	for (const struct msr_row *r = msr_rows; r < msr_rows + ARRAY_LEN(msr_rows);
	     *at += r++->n) {
		if (msr - r->first < r->n) {
			*at += msr - r->first;
			return r;
		}
	}
	return NULL;
}

/*
 * The guest moves its TSC, and TSC_ADJUST by as much (SDM vol. 3B, 18.17.3). The host sets one
 * without the other.
 */
static int tsc_write(struct hv_vcpu *v, u32 msr, u64 val, bool by_host)
{
	u64 delta = val - (msr == MSR_TSC ? hv_vcpu_tsc(v, NULL) : v->tsc_adjust);

	if (!by_host || msr == MSR_TSC_ADJUST)
		v->tsc_adjust += delta;
	if (by_host)
		v->tsc_base += msr == MSR_TSC ? delta : 0 - delta;
	hv_pv_clock_update(v);
	return 0;
}

/* ---- public ------------------------------------------------------------------------- */

int hv_msr_read(struct hv_vcpu *v, u32 msr, u64 *val)
{
	const struct msr_field *f = field_of(msr);
	unsigned at;
	int err;

	if (f) {
		hv_want(v, f->group);
		*val = *field_at(v, f);
		return 0;
	}
	if (msr == MSR_TSC || msr == MSR_TSC_ADJUST) {
		*val = msr == MSR_TSC ? hv_vcpu_tsc(v, NULL) : v->tsc_adjust;
		return 0;
	}
	if (row_of(msr, &at)) {
		*val = v->msr[at];
		return 0;
	}
	err = hv_pv_msr_read(v, msr, val);
	return err == 1 ? v->bus.msr_read(v->bus.opaque, msr, val) : err;
}

int hv_msr_write(struct hv_vcpu *v, u32 msr, u64 val, bool by_host)
{
	const struct msr_field *f = field_of(msr);
	const struct msr_row *r;
	unsigned at;
	int err;

	if (f)
		return field_write(v, f, val, by_host);
	if (msr == MSR_TSC || msr == MSR_TSC_ADJUST)
		return tsc_write(v, msr, val, by_host);
	r = row_of(msr, &at);
	if (r) {
		u64 mask = by_host ? ALL : r->writable;

		v->msr[at] = (v->msr[at] & ~mask) | (val & mask);
		return 0;
	}
	if (msr == 0x79) /* microcode update: as if it were loaded */
		return 0;
	err = hv_pv_msr_write(v, msr, val, by_host);
	return err == 1 ? v->bus.msr_write(v->bus.opaque, msr, val) : err;
}
