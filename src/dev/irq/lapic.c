/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The local APIC's interrupt logic: acceptance, priority, acknowledge, EOI,
 * destination matching, IPIs. Registers are in lapic_regs.c, the timer in
 * lapic_timer.c.
 */
#include "dev/irq/lapic.h"

#include "base/bits.h"

/* ICR, SDM 11.6.1. */
enum {
	ICR_MODE_SHIFT = 8,
	ICR_LOGICAL = 1 << 11,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SHORTHAND_SHIFT = 18,
	ICR_XAPIC_DEST_SHIFT = 56,
	ICR_X2APIC_DEST_SHIFT = 32,
};
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

#define XAPIC_BROADCAST 0xffu
#define X2APIC_BROADCAST 0xffffffffu
#define DFR_FLAT 0xfu /* DFR bits 31:28, SDM 11.6.2.2 */

/* ---- 256-bit vectors sets ---------------------------------------------------------- */

static void set_bit(u32 *set, u8 vector)
{
	set[vector >> 5] |= 1u << (vector & 31);
}

static void clear_bit(u32 *set, u8 vector)
{
	set[vector >> 5] &= ~(1u << (vector & 31));
}

static bool test_bit(const u32 *set, u8 vector)
{
	return set[vector >> 5] >> (vector & 31) & 1;
}

static int highest_bit(const u32 *set)
{
	for (int i = 7; i >= 0; i--)
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

/* ---- priority and the INTR pin ----------------------------------------------------- */

bool lapic_enabled(const struct lapic *l)
{
	return l->base_msr & LAPIC_BASE_MSR_ENABLE;
}

bool lapic_x2apic(const struct lapic *l)
{
	return lapic_enabled(l) && l->base_msr & LAPIC_BASE_MSR_X2APIC;
}

/* SDM 11.8.3.1: the class of the vector in service, or the whole TPR if that is higher. */
u32 lapic_ppr(const struct lapic *l)
{
	int isr = highest_bit(l->isr);
	u32 class = isr < 0 ? 0 : isr & 0xf0;

	return l->tpr >= class ? l->tpr : class;
}

/* The vector the processor may take now, or -1. */
static int lapic_deliverable(const struct lapic *l)
{
	int irr = highest_bit(l->irr);

	if (!lapic_enabled(l) || irr < 0 || (u32)(irr & 0xf0) <= (lapic_ppr(l) & 0xf0))
		return -1;
	return irr;
}

/* Does the 8259's request reach the processor? Straight when the APIC is off. */
static bool lapic_pic_request(const struct lapic *l)
{
	u32 lvt = l->lvt[LAPIC_LVT_LINT0];

	if (!lapic_enabled(l))
		return l->lint[0] && l->base_msr & LAPIC_BASE_MSR_BSP;
	if (l->extint)
		return true;
	return l->lint[0] && !(lvt & LVT_MASKED) &&
	       bits_get(lvt, LVT_MODE_SHIFT, 3) == APIC_MODE_EXTINT;
}

void lapic_update(struct lapic *l)
{
	bool level = lapic_pic_request(l) || lapic_deliverable(l) >= 0;

	if (level == l->intr_level)
		return;
	l->intr_level = level;
	l->wires.intr(l->wires.opaque, l->index, level);
}

int lapic_ack(struct lapic *l)
{
	int vector;

	if (lapic_pic_request(l)) {
		l->extint = false;
		vector = l->wires.pic_ack(l->wires.opaque);
	} else {
		vector = lapic_deliverable(l);
		if (vector >= 0) {
			clear_bit(l->irr, vector);
			set_bit(l->isr, vector);
		}
	}
	lapic_update(l);
	return vector;
}

static void lapic_eoi_lint(struct lapic *l, unsigned pin, u8 vector)
{
	u32 *lvt = &l->lvt[LAPIC_LVT_LINT0 + pin];

	if (!(*lvt & LVT_REMOTE_IRR) || (u8)*lvt != vector)
		return;
	*lvt &= ~(u32)LVT_REMOTE_IRR;
	if (l->lint[pin])
		lapic_lint(l, pin, true);
}

void lapic_eoi(struct lapic *l)
{
	int vector = highest_bit(l->isr);

	if (vector < 0)
		return;
	clear_bit(l->isr, vector);
	if (test_bit(l->tmr, vector)) {
		apic_bus_eoi(l->bus, vector);
		lapic_eoi_lint(l, 0, vector);
		lapic_eoi_lint(l, 1, vector);
	}
	lapic_update(l);
}

u8 lapic_cr8_read(const struct lapic *l)
{
	return l->tpr >> 4 & 0xf;
}

void lapic_cr8_write(struct lapic *l, u8 val)
{
	l->tpr = (val & 0xfu) << 4;
	lapic_update(l);
}

/* ---- acceptance -------------------------------------------------------------------- */

/* SDM 11.5.3. An error interrupt with a bad vector is one more error, and no interrupt. */
void lapic_error(struct lapic *l, u32 esr_bit)
{
	u32 lvt = l->lvt[LAPIC_LVT_ERROR];

	l->esr_pending |= esr_bit;
	if (lvt & LVT_MASKED)
		return;
	if ((u8)lvt < 16)
		l->esr_pending |= ESR_RECEIVE_ILLEGAL;
	else
		lapic_accept(l, APIC_MODE_FIXED, (u8)lvt, false);
}

static bool lapic_accept_fixed(struct lapic *l, u8 vector, bool level)
{
	if (!(l->svr & SVR_ENABLE))
		return false;
	if (vector < 16) {
		lapic_error(l, ESR_RECEIVE_ILLEGAL);
		return false;
	}
	set_bit(l->irr, vector);
	if (level)
		set_bit(l->tmr, vector);
	else
		clear_bit(l->tmr, vector);
	lapic_update(l);
	return true;
}

bool lapic_accept(struct lapic *l, enum apic_mode mode, u8 vector, bool level)
{
	if (!lapic_enabled(l))
		return false;
	switch (mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		return lapic_accept_fixed(l, vector, level);
	case APIC_MODE_NMI:
		l->wires.nmi(l->wires.opaque, l->index);
		return true;
	case APIC_MODE_INIT: /* SDM 11.4.7.3: as after power-on, but the id and base stay */
		lapic_soft_reset(l);
		l->wires.init(l->wires.opaque, l->index);
		return true;
	case APIC_MODE_STARTUP:
		l->wires.sipi(l->wires.opaque, l->index, vector);
		return true;
	case APIC_MODE_EXTINT:
		l->extint = true;
		lapic_update(l);
		return true;
	default: /* SMI and reserved */
		return false;
	}
}

void lapic_lint(struct lapic *l, unsigned pin, bool level)
{
	u32 *lvt = &l->lvt[LAPIC_LVT_LINT0 + pin];
	bool rising = level && !l->lint[pin];
	u8 mode = bits_get(*lvt, LVT_MODE_SHIFT, 3);
	bool level_mode = *lvt & LVT_LEVEL && mode == APIC_MODE_FIXED;

	l->lint[pin] = level;
	if (level && !(*lvt & LVT_MASKED) && (level_mode || rising)) {
		if (level_mode && !(*lvt & LVT_REMOTE_IRR)) {
			if (lapic_accept(l, mode, (u8)*lvt, true))
				*lvt |= LVT_REMOTE_IRR;
		} else if (!level_mode && mode != APIC_MODE_EXTINT) {
			lapic_accept(l, mode, (u8)*lvt, false);
		}
	}
	lapic_update(l);
}

/* ---- destinations ------------------------------------------------------------------ */

/* SDM 11.6.2.2 (xAPIC flat and cluster model), 11.12.10.2 (x2APIC logical id). */
static bool lapic_matches_logical(const struct lapic *l, u32 dest)
{
	u32 ldr = l->ldr >> 24;

	if (lapic_x2apic(l))
		return dest >> 16 == l->id >> 4 && dest >> (l->id & 15) & 1;
	if (dest > 0xff)
		return false;
	if (l->dfr >> 28 == DFR_FLAT)
		return dest & ldr;
	return dest >> 4 == ldr >> 4 && dest & ldr & 0xf;
}

bool lapic_matches(const struct lapic *l, const struct apic_msg *msg)
{
	if (msg->dest == (msg->wide ? X2APIC_BROADCAST : XAPIC_BROADCAST))
		return true;
	if (msg->logical)
		return lapic_matches_logical(l, msg->dest);
	return msg->dest == l->id;
}

/* ---- IPIs -------------------------------------------------------------------------- */

static void lapic_ipi_shorthand(struct lapic *l, const struct apic_msg *msg, unsigned shorthand)
{
	for (unsigned i = 0; i < l->bus->ncpus; i++) {
		struct lapic *to = l->bus->cpu[i];

		if (!to)
			continue;
		if (shorthand == SHORTHAND_OTHERS ? to != l : shorthand == SHORTHAND_ALL || to == l)
			lapic_accept(to, msg->mode, msg->vector, false);
	}
}

/* Send what the ICR says. IPIs are edge triggered whatever the trigger bit, SDM 11.6.1. */
void lapic_ipi(struct lapic *l)
{
	unsigned shorthand = bits_get(l->icr, ICR_SHORTHAND_SHIFT, 2);
	struct apic_msg msg = {
		.wide = lapic_x2apic(l),
		.logical = l->icr & ICR_LOGICAL,
		.mode = bits_get(l->icr, ICR_MODE_SHIFT, 3),
		.vector = (u8)l->icr,
	};

	msg.dest = l->icr >> (msg.wide ? ICR_X2APIC_DEST_SHIFT : ICR_XAPIC_DEST_SHIFT);
	if (msg.mode == APIC_MODE_EXTINT)
		return; /* reserved in the ICR */
	if (msg.mode == APIC_MODE_INIT && l->icr & ICR_LEVEL && !(l->icr & ICR_ASSERT))
		return; /* INIT level de-assert: only synchronizes arbitration ids */
	if (msg.mode <= APIC_MODE_LOWEST && msg.vector < 16) {
		lapic_error(l, ESR_SEND_ILLEGAL);
		return;
	}
	if (shorthand == SHORTHAND_NONE)
		apic_bus_send(l->bus, &msg);
	else
		lapic_ipi_shorthand(l, &msg, shorthand);
}

/* ---- reset ------------------------------------------------------------------------- */

void lapic_soft_reset(struct lapic *l)
{
	io_timer_cancel(l->clock, &l->timer);
	l->tpr = l->ldr = 0;
	l->dfr = ~0u;
	l->svr = 0xff;
	__builtin_memset(l->isr, 0, sizeof(l->isr));
	__builtin_memset(l->tmr, 0, sizeof(l->tmr));
	__builtin_memset(l->irr, 0, sizeof(l->irr));
	l->esr = l->esr_pending = 0;
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		l->lvt[i] = LVT_MASKED;
	if (l->base_msr & LAPIC_BASE_MSR_BSP)
		l->lvt[LAPIC_LVT_LINT0] = APIC_MODE_EXTINT << LVT_MODE_SHIFT;
	l->icr = 0;
	l->timer_initial = l->timer_divide = 0;
	l->tsc_deadline = 0;
	l->extint = false;
	lapic_update(l);
}

static void lapic_reset(void *dev)
{
	struct lapic *l = dev;

	l->id = l->index;
	l->base_msr = LAPIC_BASE_DEFAULT | LAPIC_BASE_MSR_ENABLE |
		      (l->index == 0 ? LAPIC_BASE_MSR_BSP : 0);
	lapic_soft_reset(l);
}

void lapic_init(struct lapic *l, unsigned index, struct apic_bus *bus, const struct io_clock *clock,
		const struct lapic_wires *wires)
{
	*l = (struct lapic){.bus = bus, .clock = clock, .wires = *wires, .index = index};
	l->timer.fn = lapic_timer_fire;
	l->timer.opaque = l;
	lapic_reset(l);
	bus->cpu[index] = l;
	if (bus->ncpus <= index)
		bus->ncpus = index + 1;
}

u64 lapic_base(const struct lapic *l)
{
	if (!lapic_enabled(l) || lapic_x2apic(l))
		return ~0ULL;
	return l->base_msr & ~(u64)(LAPIC_WINDOW - 1);
}

const struct device_ops lapic_ops = {
	.name = "lapic",
	.reset = lapic_reset,
	.read = lapic_page_read,
	.write = lapic_page_write,
};
