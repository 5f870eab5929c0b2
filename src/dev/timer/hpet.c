/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/timer/hpet.h"

#include "base/bits.h"

/* Registers, HPET 1.0a section 2.3.1. */
enum {
	HPET_CAP = 0x000,
	HPET_CONFIG = 0x010,
	HPET_STATUS = 0x020,
	HPET_COUNTER = 0x0f0,
	HPET_TIMER0 = 0x100,
	HPET_TIMER_SIZE = 0x20,
	HPET_TIMER_CONFIG = 0x00,
	HPET_TIMER_CMP = 0x08,
};
enum {
	CONFIG_ENABLE = 1 << 0,
	CONFIG_LEGACY = 1 << 1,
	TIMER_LEVEL = 1 << 1,
	TIMER_INT = 1 << 2,
	TIMER_PERIODIC = 1 << 3,
	TIMER_PERIODIC_CAP = 1 << 4,
	TIMER_64BIT_CAP = 1 << 5,
	TIMER_SET_VALUE = 1 << 6,
	TIMER_32BIT = 1 << 8,
	TIMER_ROUTE_SHIFT = 9,
};

#define HPET_NS_PER_TICK 10u
#define HPET_PERIOD_FS ((u64)HPET_NS_PER_TICK * 1000000)
#define TIMER_WRITABLE                                                                             \
	(TIMER_LEVEL | TIMER_INT | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32BIT |                \
	 0x1fu << TIMER_ROUTE_SHIFT)
#define HPET_MIN_PERIOD_TICKS 2000u /* 20 us: faster ones are served at this rate */
#define HPET_FAR_TICKS (1ULL << 55) /* more than a decade: not worth a timer */

static bool hpet_running(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

static u64 hpet_counter(const struct hpet *h)
{
	if (!hpet_running(h))
		return h->counter;
	return h->counter + (io_now(h->clock) - h->start) / HPET_NS_PER_TICK;
}

static bool timer_is_periodic(const struct hpet_timer *t)
{
	return t->config & TIMER_PERIODIC;
}

/* ---- lines -------------------------------------------------------------------------- */

static void hpet_line_set(struct hpet *h, unsigned n, bool level)
{
	if (h->gsi.set)
		h->gsi.set(h->gsi.opaque, n, level);
}

static unsigned timer_line(const struct hpet *h, const struct hpet_timer *t)
{
	unsigned n = (unsigned)(t - h->t);

	if (h->config & CONFIG_LEGACY && n < 2)
		return n == 0 ? 0 : 8;
	return bits_get(t->config, TIMER_ROUTE_SHIFT, 5);
}

static void timer_lower(struct hpet *h, struct hpet_timer *t)
{
	if (!t->level_up)
		return;
	t->level_up = false;
	hpet_line_set(h, t->line, false);
}

static void timer_raise(struct hpet *h, struct hpet_timer *t)
{
	unsigned line = timer_line(h, t);

	if (t->config & TIMER_LEVEL)
		h->status |= BIT(t - h->t);
	if (!(t->config & TIMER_INT))
		return;
	if (t->config & TIMER_LEVEL) {
		if (!t->level_up) {
			t->level_up = true;
			t->line = line;
			hpet_line_set(h, line, true);
		}
	} else {
		hpet_line_set(h, line, true);
		hpet_line_set(h, line, false);
	}
}

/* ---- comparators -------------------------------------------------------------------- */

/* Ticks until the comparator matches; 0 if that is now or just past. */
static u64 timer_ticks_left(const struct hpet *h, const struct hpet_timer *t)
{
	u64 diff = t->cmp - hpet_counter(h);

	if (t->config & TIMER_32BIT)
		diff = (u64)(s64)(s32)diff;
	return (s64)diff < 0 ? 0 : diff;
}

/* Arm for the match, but not before `least` ticks from now. */
static void timer_schedule_after(struct hpet *h, struct hpet_timer *t, u64 least)
{
	u64 left;

	io_timer_cancel(h->clock, &t->timer);
	if (!hpet_running(h) || !(t->config & TIMER_INT) || t->fired)
		return;
	left = max_u64(timer_ticks_left(h, t), least);
	if (left < HPET_FAR_TICKS)
		io_timer_arm(h->clock, &t->timer, io_now(h->clock) + left * HPET_NS_PER_TICK);
}

static void timer_schedule(struct hpet *h, struct hpet_timer *t)
{
	timer_schedule_after(h, t, 0);
}

/* Move a periodic comparator past the counter, at least HPET_MIN_PERIOD_TICKS away. */
static void timer_advance(struct hpet *h, struct hpet_timer *t)
{
	u64 mask = t->config & TIMER_32BIT ? 0xffffffff : ~0ULL;
	u64 behind = (hpet_counter(h) + HPET_MIN_PERIOD_TICKS - t->cmp) & mask;

	if (behind > mask / 2) /* already ahead */
		behind = 0;
	t->cmp = (t->cmp + (behind / t->period + 1) * t->period) & mask;
}

static void timer_fire(void *opaque)
{
	struct hpet_timer *t = opaque;
	struct hpet *h = t->hpet;

	if (timer_is_periodic(t) && t->period && t->period < HPET_FAR_TICKS) {
		timer_advance(h, t);
		/* A 32-bit period near 2^32 moves the comparator backwards. */
		timer_schedule_after(h, t, HPET_MIN_PERIOD_TICKS);
	} else {
		t->fired = true;
	}
	timer_raise(h, t);
}

static void timer_set_config(struct hpet *h, struct hpet_timer *t, u64 val)
{
	u64 route;

	val &= TIMER_WRITABLE;
	route = bits_get(val, TIMER_ROUTE_SHIFT, 5);
	if (!(HPET_ROUTES >> route & 1)) /* keeps the old one, 2.3.8 */
		val = (val & ~(0x1fULL << TIMER_ROUTE_SHIFT)) |
		      (t->config & 0x1fULL << TIMER_ROUTE_SHIFT);
	if (!(val & TIMER_LEVEL) || !(val & TIMER_INT))
		timer_lower(h, t);
	t->config = val;
	if (val & TIMER_32BIT) {
		t->cmp = (u32)t->cmp;
		t->period = (u32)t->period;
	}
	timer_schedule(h, t);
}

/*
 * Write the bytes of the comparator that mask names. Section 2.3.9.2.2: in
 * periodic mode a plain write sets the period, with SET_VALUE the value too.
 */
static void timer_set_cmp(struct hpet *h, struct hpet_timer *t, u64 val, u64 mask)
{
	if (t->config & TIMER_32BIT)
		mask &= 0xffffffff;
	if (!mask)
		return;
	if (!timer_is_periodic(t) || t->config & TIMER_SET_VALUE)
		t->cmp = (t->cmp & ~mask) | (val & mask);
	if (timer_is_periodic(t))
		t->period = (t->period & ~mask) | (val & mask);
	t->config &= ~(u64)TIMER_SET_VALUE;
	t->fired = false;
	timer_schedule(h, t);
}

/* ---- the block ---------------------------------------------------------------------- */

static void hpet_set_config(struct hpet *h, u64 val)
{
	u64 was = h->config;

	if (was & CONFIG_ENABLE && !(val & CONFIG_ENABLE))
		h->counter = hpet_counter(h);
	if (!(was & CONFIG_ENABLE) && val & CONFIG_ENABLE)
		h->start = io_now(h->clock);
	h->config = val & (CONFIG_ENABLE | CONFIG_LEGACY);
	if ((was ^ h->config) & CONFIG_LEGACY) {
		bool legacy = h->config & CONFIG_LEGACY;

		hpet_line_set(h, 0, !legacy && h->pit_level);
		hpet_line_set(h, 8, !legacy && h->rtc_level);
	}
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		timer_schedule(h, &h->t[i]);
}

static void hpet_clear_status(struct hpet *h, u64 bits)
{
	h->status &= ~bits;
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		if (bits >> i & 1)
			timer_lower(h, &h->t[i]);
}

static void hpet_set_counter(struct hpet *h, u64 val)
{
	h->counter = val;
	h->start = io_now(h->clock);
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		timer_schedule(h, &h->t[i]);
}

static struct hpet_timer *timer_at(struct hpet *h, u64 offset)
{
	u64 n = (offset - HPET_TIMER0) / HPET_TIMER_SIZE;

	return offset >= HPET_TIMER0 && n < HPET_TIMERS ? &h->t[n] : NULL;
}

static u64 timer_config_value(const struct hpet_timer *t)
{
	return t->config | TIMER_PERIODIC_CAP | TIMER_64BIT_CAP | (u64)HPET_ROUTES << 32;
}

/* The aligned 64-bit register at offset. */
static u64 hpet_reg(struct hpet *h, u64 offset)
{
	struct hpet_timer *t = timer_at(h, offset);

	if (t && offset % HPET_TIMER_SIZE == HPET_TIMER_CONFIG)
		return timer_config_value(t);
	if (t && offset % HPET_TIMER_SIZE == HPET_TIMER_CMP)
		return t->cmp;
	switch (offset) {
	case HPET_CAP:
		return HPET_PERIOD_FS << 32 | HPET_BLOCK_ID;
	case HPET_CONFIG:
		return h->config;
	case HPET_STATUS:
		return h->status;
	case HPET_COUNTER:
		return hpet_counter(h);
	default:
		return 0;
	}
}

/* Write the bytes of the aligned register that mask names. */
static void hpet_set_reg(struct hpet *h, u64 offset, u64 val, u64 mask)
{
	struct hpet_timer *t = timer_at(h, offset);
	u64 merged = (hpet_reg(h, offset) & ~mask) | (val & mask);

	if (t && offset % HPET_TIMER_SIZE == HPET_TIMER_CONFIG)
		timer_set_config(h, t, merged);
	else if (t && offset % HPET_TIMER_SIZE == HPET_TIMER_CMP)
		timer_set_cmp(h, t, val, mask);
	else if (offset == HPET_CONFIG)
		hpet_set_config(h, merged);
	else if (offset == HPET_STATUS)
		hpet_clear_status(h, val & mask);
	else if (offset == HPET_COUNTER && !hpet_running(h))
		hpet_set_counter(h, merged);
}

static u64 hpet_read(void *dev, u64 offset, unsigned size)
{
	return hpet_reg(dev, offset & ~7ULL) >> (offset & 7) * 8 & mask_bytes(size);
}

static void hpet_write(void *dev, u64 offset, unsigned size, u64 val)
{
	unsigned shift = (offset & 7) * 8;

	if (size >= 4 && !(offset & (size - 1)))
		hpet_set_reg(dev, offset & ~7ULL, val << shift, mask_bytes(size) << shift);
}

/* ---- lines of others through us ------------------------------------------------------ */

static void hpet_pit_set(void *opaque, unsigned n, bool level)
{
	struct hpet *h = opaque;

	h->pit_level = level;
	if (!(h->config & CONFIG_LEGACY))
		hpet_line_set(h, 0, level);
}

static void hpet_rtc_set(void *opaque, unsigned n, bool level)
{
	struct hpet *h = opaque;

	h->rtc_level = level;
	if (!(h->config & CONFIG_LEGACY))
		hpet_line_set(h, 8, level);
}

struct irq_line hpet_pit_line(struct hpet *h)
{
	return (struct irq_line){.set = hpet_pit_set, .opaque = h};
}

struct irq_line hpet_rtc_line(struct hpet *h)
{
	return (struct irq_line){.set = hpet_rtc_set, .opaque = h};
}

static void hpet_reset(void *dev)
{
	struct hpet *h = dev;

	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->t[i];

		io_timer_cancel(h->clock, &t->timer);
		timer_lower(h, t);
		t->config = 2 << TIMER_ROUTE_SHIFT;
		t->cmp = ~0ULL;
		t->period = 0;
		t->fired = true;
	}
	h->status = h->counter = 0;
	hpet_set_config(h, 0);
}

void hpet_init(struct hpet *h, const struct io_clock *clock, struct irq_line gsi)
{
	*h = (struct hpet){.clock = clock, .gsi = gsi};
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		h->t[i].hpet = h;
		h->t[i].timer = (struct io_timer){.fn = timer_fire, .opaque = &h->t[i]};
	}
	hpet_reset(h);
}

const struct device_ops hpet_ops = {
	.name = "hpet",
	.reset = hpet_reset,
	.read = hpet_read,
	.write = hpet_write,
};
