/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/timer/pit.h"

#include "base/bits.h"
#include "base/ticks.h"

/* Control word, 8254 "Programming the 8254". */
enum {
	CW_BCD = 1 << 0,
	CW_MODE_SHIFT = 1,
	CW_RW_SHIFT = 4,
	CW_CHANNEL_SHIFT = 6,
	CW_READ_BACK = 3, /* in the channel field */
	RB_NO_STATUS = 1 << 4,
	RB_NO_COUNT = 1 << 5,
	STATUS_NULL_COUNT = 1 << 6,
	STATUS_OUT = 1 << 7,
};

#define REFRESH_PERIOD_NS 15085u
/* Interrupts closer than this are merged: nobody can serve them. */
#define PIT_MIN_PERIOD_NS 20000u
/* Ticks of at most 2 kHz are made up for, and no more of them than this. */
#define PIT_MADE_UP_COUNT 600u
#define PIT_MISSED_MAX 20u

static u64 channel_elapsed(const struct pit *p, const struct pit_channel *c)
{
	if (c->stopped || !c->loaded)
		return c->elapsed;
	return ticks_of_ns(io_now(p->clock) - c->start, PIT_HZ);
}

static bool channel_waits_for_trigger(const struct pit_channel *c)
{
	return (c->mode == 1 || c->mode == 5) && !c->triggered;
}

static bool channel_out(const struct pit *p, const struct pit_channel *c)
{
	u64 t = channel_elapsed(p, c);

	if (!c->loaded || channel_waits_for_trigger(c))
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1:
		return t >= c->count;
	case 2:
		return c->stopped || t % c->count != c->count - 1;
	case 3:
		return c->stopped || t % c->count < (c->count + 1) / 2;
	default:
		return t != c->count;
	}
}

static u16 to_bcd(u32 v)
{
	v %= 10000;
	return v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static u32 from_bcd(u16 v)
{
	return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

/* The counting element as a guest reads it. */
static u16 channel_counter(const struct pit *p, const struct pit_channel *c)
{
	u64 t = channel_elapsed(p, c);
	u32 wrap = c->bcd ? 10000 : 65536;
	u32 val;

	if (channel_waits_for_trigger(c))
		val = c->count;
	else if (c->mode == 2)
		val = c->count - t % c->count;
	else if (c->mode == 3)
		val = c->count - 2 * t % c->count;
	else
		val = (c->count + wrap - t % wrap) % wrap;
	return c->bcd ? to_bcd(val) : (u16)val;
}

/* ---- channel 0's interrupt ---------------------------------------------------------- */

/* Arm for the next rise of OUT after now, if there is one. */
static void pit_schedule(struct pit *p)
{
	struct pit_channel *c = &p->ch[0];
	u64 t = channel_elapsed(p, c), next;

	io_timer_cancel(p->clock, &p->timer);
	if (!c->loaded || c->stopped || channel_waits_for_trigger(c))
		return;
	if (c->mode == 2 || c->mode == 3) {
		u64 step = 1 + (u64)PIT_MIN_PERIOD_NS * PIT_HZ / NS_PER_S / c->count;

		next = (t / c->count + step) * c->count;
	} else if (t < c->count) {
		next = c->count;
	} else {
		return;
	}
	io_timer_arm(p->clock, &p->timer, c->start + ns_of_ticks(next, PIT_HZ));
}

/* OUT rises; in the periodic modes and the strobes it has just been low. */
static void pit_pulse(struct pit *p)
{
	p->waits = true;
	irq_set(&p->irq, false);
	irq_set(&p->irq, true);
}

static void pit_fire(void *opaque)
{
	struct pit *p = opaque;
	struct pit_channel *c = &p->ch[0];
	u64 period = channel_elapsed(p, c) / c->count, missed;

	if ((c->mode == 2 || c->mode == 3) && c->count >= PIT_MADE_UP_COUNT) {
		missed = p->missed + (period - p->fired) - !p->waits;
		p->missed = (u8)min_u64(missed, PIT_MISSED_MAX);
		p->fired = period;
	}
	pit_pulse(p);
	pit_schedule(p);
}

void pit_acked(struct pit *p)
{
	p->waits = false;
	if (!p->missed)
		return;
	p->missed--;
	pit_pulse(p);
}

static void channel_changed(struct pit *p, struct pit_channel *c)
{
	if (c != &p->ch[0])
		return;
	p->fired = 0;
	p->missed = 0;
	p->waits = false;
	irq_set(&p->irq, channel_out(p, c));
	pit_schedule(p);
}

/* ---- programming -------------------------------------------------------------------- */

static void channel_restart(struct pit *p, struct pit_channel *c)
{
	c->start = io_now(p->clock);
	c->elapsed = 0;
}

static void channel_load(struct pit *p, struct pit_channel *c, u16 val)
{
	u32 count = c->bcd ? from_bcd(val) : val;

	c->count = count ? count : c->bcd ? 10000 : 65536;
	/* In modes 2 and 3 a new count while counting takes effect at the next period. Guests
	 * cannot tell: they reprogram by control word, which stops the channel. */
	c->loaded = true;
	if (!channel_waits_for_trigger(c))
		channel_restart(p, c);
	channel_changed(p, c);
}

static void channel_control(struct pit *p, struct pit_channel *c, u8 val)
{
	static const u8 modes[8] = {0, 1, 2, 3, 4, 5, 2, 3};
	bool gate = c->gate;
	u32 count = c->count;

	*c = (struct pit_channel){
		.count = count,
		.mode = modes[val >> CW_MODE_SHIFT & 7],
		.rw = val >> CW_RW_SHIFT & 3,
		.bcd = val & CW_BCD,
		.gate = gate,
		.stopped = !gate && (val >> CW_MODE_SHIFT & 3) != 1,
	};
	channel_changed(p, c);
}

static void channel_latch(struct pit *p, struct pit_channel *c)
{
	if (c->latched)
		return;
	c->latch = channel_counter(p, c);
	c->latched = true;
	c->read_high = c->rw == 2;
}

static void channel_latch_status(struct pit *p, struct pit_channel *c)
{
	if (c->status_latched)
		return;
	c->status = c->bcd | c->mode << CW_MODE_SHIFT | c->rw << CW_RW_SHIFT |
		    (c->loaded ? 0 : STATUS_NULL_COUNT) | (channel_out(p, c) ? STATUS_OUT : 0);
	c->status_latched = true;
}

static void pit_control(struct pit *p, u8 val)
{
	unsigned n = val >> CW_CHANNEL_SHIFT;

	if (n != CW_READ_BACK) {
		if (val >> CW_RW_SHIFT & 3)
			channel_control(p, &p->ch[n], val);
		else
			channel_latch(p, &p->ch[n]);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (!(val >> (1 + i) & 1))
			continue;
		if (!(val & RB_NO_COUNT))
			channel_latch(p, &p->ch[i]);
		if (!(val & RB_NO_STATUS))
			channel_latch_status(p, &p->ch[i]);
	}
}

static void channel_write(struct pit *p, struct pit_channel *c, u8 val)
{
	switch (c->rw) {
	case 1:
		channel_load(p, c, val);
		break;
	case 2:
		channel_load(p, c, (u16)(val << 8));
		break;
	case 3:
		if (c->write_high) {
			channel_load(p, c, (u16)(val << 8 | c->write_low));
		} else {
			c->write_low = val;
			if (c->mode == 0) /* the first byte stops counting */
				c->loaded = false;
		}
		c->write_high = !c->write_high;
		break;
	}
}

static u8 channel_read(struct pit *p, struct pit_channel *c)
{
	bool high = c->rw == 2 || (c->rw == 3 && c->read_high);
	u16 val;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	val = c->latched ? c->latch : channel_counter(p, c);
	if (c->rw == 3)
		c->read_high = !c->read_high;
	if (c->rw != 3 || high)
		c->latched = false;
	return (u8)(high ? val >> 8 : val);
}

static u64 pit_read(void *dev, u64 offset, unsigned size)
{
	struct pit *p = dev;

	return offset < 3 ? channel_read(p, &p->ch[offset]) : 0xff;
}

static void pit_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct pit *p = dev;

	if (offset < 3)
		channel_write(p, &p->ch[offset], (u8)val);
	else
		pit_control(p, (u8)val);
}

/* ---- port 61h ----------------------------------------------------------------------- */

static void channel_set_gate(struct pit *p, struct pit_channel *c, bool gate)
{
	if (gate == c->gate)
		return;
	c->gate = gate;
	if (c->mode == 1 || c->mode == 5) {
		if (gate) {
			c->triggered = true;
			channel_restart(p, c);
		}
		return;
	}
	if (!gate) {
		c->elapsed = channel_elapsed(p, c);
	} else if (c->mode == 2 || c->mode == 3) {
		channel_restart(p, c);
	} else {
		c->start = io_now(p->clock) - ns_of_ticks(c->elapsed, PIT_HZ);
	}
	c->stopped = !gate;
}

static u64 pit_port61_read(void *dev, u64 offset, unsigned size)
{
	struct pit *p = dev;
	u8 val = p->port61;

	if (io_now(p->clock) / REFRESH_PERIOD_NS & 1)
		val |= PORT61_REFRESH;
	if (channel_out(p, &p->ch[2]))
		val |= PORT61_OUT2;
	return val;
}

static void pit_port61_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct pit *p = dev;

	p->port61 = val & (PORT61_GATE2 | PORT61_SPEAKER | PORT61_NMI_MASKS);
	channel_set_gate(p, &p->ch[2], val & PORT61_GATE2);
}

static void pit_reset(void *dev)
{
	struct pit *p = dev;

	io_timer_cancel(p->clock, &p->timer);
	p->port61 = 0;
	for (unsigned i = 0; i < 3; i++)
		p->ch[i] = (struct pit_channel){.count = 65536, .mode = 3, .rw = 3, .gate = i != 2};
	p->ch[2].stopped = true;
	irq_set(&p->irq, false);
}

void pit_init(struct pit *p, const struct io_clock *clock, struct irq_line irq)
{
	*p = (struct pit){.clock = clock, .irq = irq, .timer = {.fn = pit_fire, .opaque = p}};
	pit_reset(p);
}

static void pit_port61_reset(void *dev)
{
}

const struct device_ops pit_ops = {
	.name = "pit",
	.reset = pit_reset,
	.read = pit_read,
	.write = pit_write,
};

const struct device_ops pit_port61_ops = {
	.name = "port61",
	.reset = pit_port61_reset,
	.read = pit_port61_read,
	.write = pit_port61_write,
};
