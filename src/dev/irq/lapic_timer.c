/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The local APIC timer: one-shot, periodic, TSC-deadline. SDM vol. 3A section 11.5.4. Its input
 * clock is 1 GHz: a tick is a nanosecond.
 */
#include "dev/irq/lapic.h"

#include "base/bits.h"

/* A guest may ask for a period of 1 ns; the event thread has other things to do. */
#define LAPIC_TIMER_MIN_PERIOD_NS 20000u

static u32 timer_mode(const struct lapic *l)
{
	return l->lvt[LAPIC_LVT_TIMER] & LVT_TIMER_MODE;
}

/* Divide configuration, SDM figure 11-10: 0..6 divide by 2..128, 7 by 1. */
static unsigned timer_shift(const struct lapic *l)
{
	unsigned code = (l->timer_divide & 3) | (l->timer_divide >> 1 & 4);

	return (code + 1) & 7;
}

/* Nanoseconds of one full count. */
static u64 timer_period(const struct lapic *l)
{
	return (u64)l->timer_initial << timer_shift(l);
}

static void timer_arm(struct lapic *l, u64 when)
{
	l->timer_next = when;
	io_timer_arm(l->clock, &l->timer, when);
}

u32 lapic_timer_current(const struct lapic *l)
{
	u64 now = io_now(l->clock);

	if (!l->timer.armed || timer_mode(l) == LVT_TIMER_DEADLINE || l->timer_next <= now)
		return 0;
	return (u32)((l->timer_next - now) >> timer_shift(l));
}

void lapic_timer_set_initial(struct lapic *l, u32 val)
{
	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		return;
	l->timer_initial = val;
	if (val)
		timer_arm(l, io_now(l->clock) + timer_period(l));
	else
		io_timer_cancel(l->clock, &l->timer);
}

void lapic_timer_set_divide(struct lapic *l, u32 val)
{
	u32 left = lapic_timer_current(l);

	l->timer_divide = val & 0xb;
	if (l->timer.armed && timer_mode(l) != LVT_TIMER_DEADLINE)
		timer_arm(l, io_now(l->clock) + ((u64)left << timer_shift(l)));
}

void lapic_timer_set_lvt(struct lapic *l, u32 val)
{
	u32 was = timer_mode(l);

	l->lvt[LAPIC_LVT_TIMER] = val;
	/* Into or out of deadline mode disarms, SDM 11.5.4.1. */
	if ((was == LVT_TIMER_DEADLINE) != (timer_mode(l) == LVT_TIMER_DEADLINE)) {
		io_timer_cancel(l->clock, &l->timer);
		l->timer_initial = 0;
		l->tsc_deadline = 0;
	}
}

void lapic_timer_set_deadline(struct lapic *l, u64 tsc)
{
	u64 when;

	if (timer_mode(l) != LVT_TIMER_DEADLINE)
		return;
	l->tsc_deadline = tsc;
	io_timer_cancel(l->clock, &l->timer);
	if (!tsc)
		return;
	when = l->wires.tsc_to_ns(l->wires.opaque, l->index, tsc);
	if (when <= io_now(l->clock))
		lapic_timer_fire(l);
	else
		timer_arm(l, when);
}

/* Next expiry on the grid of periods, after now: expiries the host slept through are lost. */
static void timer_rearm(struct lapic *l)
{
	u64 now = io_now(l->clock), period = timer_period(l), next = l->timer_next;

	if (period < LAPIC_TIMER_MIN_PERIOD_NS)
		period = LAPIC_TIMER_MIN_PERIOD_NS;
	next += period;
	if (next <= now)
		next += (now - next) / period * period + period;
	timer_arm(l, next);
}

void lapic_timer_fire(void *lapic)
{
	struct lapic *l = lapic;
	u32 lvt = l->lvt[LAPIC_LVT_TIMER];

	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		l->tsc_deadline = 0;
	else if (timer_mode(l) == LVT_TIMER_PERIODIC && l->timer_initial)
		timer_rearm(l);
	if (!(lvt & LVT_MASKED))
		lapic_accept(l, APIC_MODE_FIXED, (u8)lvt, false);
}
