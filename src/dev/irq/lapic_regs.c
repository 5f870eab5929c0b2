/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The local APIC's registers as the guest sees them: the xAPIC page (SDM vol.
 * 3A table 11-1), x2APIC MSRs (table 11-6) and IA32_APIC_BASE.
 */
#include "dev/irq/lapic.h"

#include "base/bits.h"

/* Version 14h, six LVT entries (SDM 11.4.8). */
#define LAPIC_VERSION_VALUE ((LAPIC_LVTS - 1) << 16 | 0x14)
#define ICR_WRITABLE 0xccfffu /* without the read-only delivery status */
#define ICR_X2APIC_DEST 0xffffffff00000000ULL
#define SVR_WRITABLE 0x3ffu /* bit 9, focus checking, is kept but means nothing */
#define APIC_BASE_RESERVED 0xfff00000000002ffULL /* bits 0-7, 9, 52 and up */

static const u32 lvt_writable[LAPIC_LVTS] = {
	[LAPIC_LVT_TIMER] = 0xff | LVT_MASKED | LVT_TIMER_MODE,
	[LAPIC_LVT_THERMAL] = 0x7ff | LVT_MASKED,
	[LAPIC_LVT_PERF] = 0x7ff | LVT_MASKED,
	[LAPIC_LVT_LINT0] = 0x7ff | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LAPIC_LVT_LINT1] = 0x7ff | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LAPIC_LVT_ERROR] = 0xff | LVT_MASKED,
};

static u32 read_ldr(const struct lapic *l)
{
	if (lapic_x2apic(l))
		return l->id >> 4 << 16 | 1u << (l->id & 15);
	return l->ldr;
}

/* Registers that x2APIC mode does not have, SDM table 11-6; EOI can only be written there. */
static bool xapic_only(unsigned reg)
{
	return reg == LAPIC_REG_APR || reg == LAPIC_REG_DFR || reg == LAPIC_REG_ICR2;
}

/* The register, or -1 when no readable one is there in this mode. */
static s64 reg_read(const struct lapic *l, unsigned reg)
{
	bool x2 = lapic_x2apic(l);

	if (x2 && (xapic_only(reg) || reg == LAPIC_REG_EOI))
		return -1;
	switch (reg) {
	case LAPIC_REG_ID:
		return x2 ? l->id : l->id << 24;
	case LAPIC_REG_VERSION:
		return LAPIC_VERSION_VALUE;
	case LAPIC_REG_TPR:
		return l->tpr;
	case LAPIC_REG_APR:
	case LAPIC_REG_EOI:
		return 0;
	case LAPIC_REG_PPR:
		return lapic_ppr(l);
	case LAPIC_REG_LDR:
		return read_ldr(l);
	case LAPIC_REG_DFR:
		return l->dfr;
	case LAPIC_REG_SVR:
		return l->svr;
	case LAPIC_REG_ISR ... LAPIC_REG_ISR + 0x70:
		return l->isr[(reg - LAPIC_REG_ISR) >> 4];
	case LAPIC_REG_TMR ... LAPIC_REG_TMR + 0x70:
		return l->tmr[(reg - LAPIC_REG_TMR) >> 4];
	case LAPIC_REG_IRR ... LAPIC_REG_IRR + 0x70:
		return l->irr[(reg - LAPIC_REG_IRR) >> 4];
	case LAPIC_REG_ESR:
		return l->esr;
	case LAPIC_REG_ICR:
		return (u32)l->icr;
	case LAPIC_REG_ICR2:
		return (u32)(l->icr >> 32);
	case LAPIC_REG_LVT_TIMER ... LAPIC_REG_LVT_ERROR:
		return l->lvt[(reg - LAPIC_REG_LVT_TIMER) >> 4];
	case LAPIC_REG_TIMER_INITIAL:
		return l->timer_initial;
	case LAPIC_REG_TIMER_CURRENT:
		return lapic_timer_current(l);
	case LAPIC_REG_TIMER_DIVIDE:
		return l->timer_divide;
	default:
		return -1;
	}
}

/* Software disable forces every LVT mask bit on, SDM 11.4.7.2. */
static void write_svr(struct lapic *l, u32 val)
{
	l->svr = val & SVR_WRITABLE;
	if (!(val & SVR_ENABLE))
		for (unsigned i = 0; i < LAPIC_LVTS; i++)
			l->lvt[i] |= LVT_MASKED;
	lapic_update(l);
}

static void write_lvt(struct lapic *l, enum lapic_lvt n, u32 val)
{
	val &= lvt_writable[n];
	if (!(l->svr & SVR_ENABLE))
		val |= LVT_MASKED;
	if (n == LAPIC_LVT_TIMER)
		lapic_timer_set_lvt(l, val);
	else
		l->lvt[n] = val | (val & LVT_LEVEL ? l->lvt[n] & LVT_REMOTE_IRR : 0);
	lapic_update(l);
}

static int reg_write(struct lapic *l, unsigned reg, u32 val)
{
	if (lapic_x2apic(l) && (xapic_only(reg) || reg == LAPIC_REG_ID || reg == LAPIC_REG_LDR))
		return -E_NOENT;
	switch (reg) {
	case LAPIC_REG_ID: /* writable in old xAPICs; ours keeps the initial id, as newer ones do */
		return 0;
	case LAPIC_REG_TPR:
		l->tpr = val & 0xff;
		lapic_update(l);
		return 0;
	case LAPIC_REG_EOI:
		lapic_eoi(l);
		return 0;
	case LAPIC_REG_LDR:
		l->ldr = val & 0xff000000;
		return 0;
	case LAPIC_REG_DFR:
		l->dfr = val | 0x0fffffff;
		return 0;
	case LAPIC_REG_SVR:
		write_svr(l, val);
		return 0;
	case LAPIC_REG_ESR: /* a write makes what was collected readable, SDM 11.5.3 */
		l->esr = l->esr_pending;
		l->esr_pending = 0;
		return 0;
	case LAPIC_REG_ICR:
		l->icr = (l->icr & ICR_X2APIC_DEST) | (val & ICR_WRITABLE);
		lapic_ipi(l);
		return 0;
	case LAPIC_REG_ICR2:
		l->icr = (u32)l->icr | (u64)(val & 0xff000000) << 32;
		return 0;
	case LAPIC_REG_LVT_TIMER ... LAPIC_REG_LVT_ERROR:
		write_lvt(l, (reg - LAPIC_REG_LVT_TIMER) >> 4, val);
		return 0;
	case LAPIC_REG_TIMER_INITIAL:
		lapic_timer_set_initial(l, val);
		return 0;
	case LAPIC_REG_TIMER_DIVIDE:
		lapic_timer_set_divide(l, val);
		return 0;
	default:
		return -E_NOENT;
	}
}

/* ---- the page ---------------------------------------------------------------------- */

/* Registers are 32 bits on 16-byte boundaries; the bytes between read as zero. */
u64 lapic_page_read(void *dev, u64 offset, unsigned size)
{
	struct lapic *l = dev;
	s64 val;

	if (lapic_base(l) == ~0ULL)
		return mask_bytes(size);
	if ((offset & 0xf) >= 4)
		return 0;
	val = reg_read(l, offset & 0xff0);
	if (val < 0) {
		lapic_error(l, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	return (u64)val >> (offset & 3) * 8 & mask_bytes(size);
}

void lapic_page_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct lapic *l = dev;

	if (lapic_base(l) == ~0ULL || offset & 0xf || size < 4)
		return;
	if (reg_write(l, offset & 0xff0, (u32)val))
		lapic_error(l, ESR_ILLEGAL_REGISTER);
}

/* ---- MSRs -------------------------------------------------------------------------- */

/* Legal moves are off <-> xAPIC -> x2APIC -> off, SDM figure 11-27. */
static int write_apic_base(struct lapic *l, u64 val)
{
	const u64 mode = LAPIC_BASE_MSR_ENABLE | LAPIC_BASE_MSR_X2APIC;
	u64 from = l->base_msr & mode, to = val & mode;

	if (val & APIC_BASE_RESERVED || to == LAPIC_BASE_MSR_X2APIC)
		return -E_NOENT;
	if (from != to && ((from == 0 && to == mode) || (from == mode && to != 0)))
		return -E_NOENT;
	l->base_msr = val;
	if (from == LAPIC_BASE_MSR_ENABLE && to == mode)
		l->icr = (u32)l->icr; /* the destination field changes its meaning */
	if (from && !to)
		lapic_soft_reset(l);
	lapic_update(l);
	return 0;
}

int lapic_msr_read(struct lapic *l, u32 msr, u64 *val)
{
	unsigned reg = (msr - MSR_X2APIC_FIRST) << 4;
	s64 v = -1;

	if (msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE) {
		*val = msr == MSR_APIC_BASE ? l->base_msr : l->tsc_deadline;
		return 0;
	}
	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST && lapic_x2apic(l))
		v = reg_read(l, reg);
	if (v < 0)
		return -E_NOENT;
	*val = reg == LAPIC_REG_ICR ? l->icr : (u64)v;
	return 0;
}

/* SDM 11.12.1.2: reserved bits set raise #GP. */
static bool x2apic_value_ok(unsigned reg, u64 val)
{
	switch (reg) {
	case LAPIC_REG_ICR:
		return !((u32)val & ~ICR_WRITABLE);
	case LAPIC_REG_EOI:
	case LAPIC_REG_ESR:
		return val == 0;
	case LAPIC_REG_TPR:
	case LAPIC_REG_SELF_IPI:
		return val <= 0xff;
	case LAPIC_REG_SVR:
		return !(val & ~(u64)SVR_WRITABLE);
	case LAPIC_REG_TIMER_DIVIDE:
		return !(val & ~0xbULL);
	case LAPIC_REG_LVT_TIMER ... LAPIC_REG_LVT_ERROR:
		return !(val & ~(u64)(lvt_writable[(reg - LAPIC_REG_LVT_TIMER) >> 4] | LVT_PENDING |
				      LVT_REMOTE_IRR));
	default:
		return val <= 0xffffffff;
	}
}

static int x2apic_write(struct lapic *l, unsigned reg, u64 val)
{
	if (!lapic_x2apic(l) || !x2apic_value_ok(reg, val))
		return -E_NOENT;
	if (reg == LAPIC_REG_SELF_IPI) {
		if (val < 16)
			lapic_error(l, ESR_SEND_ILLEGAL);
		else
			lapic_accept(l, APIC_MODE_FIXED, (u8)val, false);
		return 0;
	}
	if (reg == LAPIC_REG_ICR)
		l->icr = val & ICR_X2APIC_DEST;
	return reg_write(l, reg, (u32)val);
}

int lapic_msr_write(struct lapic *l, u32 msr, u64 val)
{
	if (msr == MSR_APIC_BASE)
		return write_apic_base(l, val);
	if (msr == MSR_TSC_DEADLINE) {
		lapic_timer_set_deadline(l, val);
		return 0;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST)
		return -E_NOENT;
	return x2apic_write(l, (msr - MSR_X2APIC_FIRST) << 4, val);
}
