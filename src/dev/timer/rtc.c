/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/timer/rtc.h"

#include "base/bits.h"
#include "base/endian.h"
#include "base/ticks.h"

enum {
	A_UIP = 1 << 7,
	A_DIVIDER = 7 << 4,
	A_DIVIDER_RUN = 2 << 4, /* 32768 Hz crystal */
	A_RATE = 15,
	B_24H = 1 << 1,
	B_BINARY = 1 << 2,
	B_UIE = 1 << 4,
	B_AIE = 1 << 5,
	B_PIE = 1 << 6,
	B_SET = 1 << 7,
	C_UF = 1 << 4, /* UF, AF and PF match UIE, AIE and PIE */
	C_AF = 1 << 5,
	C_PF = 1 << 6,
	C_IRQF = 1 << 7,
	D_VALID = 1 << 7,
	HOURS_PM = 1 << 7,
	ALARM_ANY = 0xc0,
};

#define UPDATE_NS 244141u /* UIP is set this long before the second, datasheet "Update cycle" */
#define RTC_CRYSTAL_HZ 32768u
#define DAY_S 86400

struct calendar {
	int year, month, day, hour, minute, second, weekday; /* month, day from 1; Sunday = 0 */
};

static struct calendar calendar_of(s64 t)
{
	s64 days = t / DAY_S - (t % DAY_S < 0);
	s64 rest = t - days * DAY_S;
	struct calendar c = {
		.year = 1970 + (int)(days / 366),
		.month = 12,
		.hour = (int)(rest / 3600),
		.minute = (int)(rest / 60 % 60),
		.second = (int)(rest % 60),
		.weekday = (int)(((days + 4) % 7 + 7) % 7),
	};

	while (days_of_date(c.year + 1, 1, 1) <= days)
		c.year++;
	while (c.month > 1 && days_of_date(c.year, c.month, 1) > days)
		c.month--;
	c.day = (int)(days - days_of_date(c.year, c.month, 1)) + 1;
	return c;
}

/* ---- bytes of the time ------------------------------------------------------------------ */

static u8 encode(const struct rtc *r, int v)
{
	return r->cmos[RTC_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static int decode(const struct rtc *r, u8 v)
{
	return r->cmos[RTC_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static u8 encode_hour(const struct rtc *r, int h)
{
	if (r->cmos[RTC_B] & B_24H)
		return encode(r, h);
	return encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? HOURS_PM : 0);
}

static int decode_hour(const struct rtc *r, u8 v)
{
	if (r->cmos[RTC_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~HOURS_PM) % 12 + (v & HOURS_PM ? 12 : 0);
}

static void rtc_store_time(struct rtc *r)
{
	struct calendar c = calendar_of(r->now);

	r->cmos[RTC_SECONDS] = encode(r, c.second);
	r->cmos[RTC_MINUTES] = encode(r, c.minute);
	r->cmos[RTC_HOURS] = encode_hour(r, c.hour);
	r->cmos[RTC_DAY_OF_WEEK] = encode(r, c.weekday + 1);
	r->cmos[RTC_DAY] = encode(r, c.day);
	r->cmos[RTC_MONTH] = encode(r, c.month);
	r->cmos[RTC_YEAR] = encode(r, c.year % 100);
	r->cmos[RTC_CENTURY] = encode(r, c.year / 100 % 100);
}

/* The guest has written the time: remember how far it is from the wall clock's. */
static void rtc_take_time(struct rtc *r)
{
	struct calendar c = {
		.second = decode(r, r->cmos[RTC_SECONDS]),
		.minute = decode(r, r->cmos[RTC_MINUTES]),
		.hour = decode_hour(r, r->cmos[RTC_HOURS]),
		.day = decode(r, r->cmos[RTC_DAY]),
		.month = decode(r, r->cmos[RTC_MONTH]),
		.year = decode(r, r->cmos[RTC_YEAR]) + 100 * decode(r, r->cmos[RTC_CENTURY]),
	};

	if (c.year < 1970)
		c.year += 100 * ((1970 - c.year + 99) / 100);
	/* The guest may have written any month: still some time. */
	r->now = days_of_date(c.year, (int)min_u64((unsigned)c.month - 1, 11) + 1, c.day) * DAY_S +
		 c.hour * 3600 + c.minute * 60 + c.second;
	r->offset = r->now - (s64)r->clock->ops->wall_s(r->clock->opaque);
}

static bool rtc_is_time(u8 index)
{
	return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
	       (index >= RTC_DAY_OF_WEEK && index <= RTC_YEAR) || index == RTC_CENTURY;
}

/* ---- flags and the line ------------------------------------------------------------------ */

static void rtc_raise(struct rtc *r, u8 flag)
{
	r->cmos[RTC_C] |= flag;
	if (r->cmos[RTC_C] & r->cmos[RTC_B] & (C_UF | C_AF | C_PF)) {
		r->cmos[RTC_C] |= C_IRQF;
		irq_set(&r->irq, true);
	}
}

static bool alarm_matches(const struct rtc *r, enum rtc_byte alarm, enum rtc_byte now)
{
	return r->cmos[alarm] >= ALARM_ANY || r->cmos[alarm] == r->cmos[now];
}

/* Catch up with the clock: new time bytes and flags if a second has passed. */
static void rtc_tick(struct rtc *r)
{
	u64 second_no = io_now(r->clock) / NS_PER_S;

	if (second_no == r->second_no || r->cmos[RTC_B] & B_SET)
		return;
	r->second_no = second_no;
	r->now = (s64)r->clock->ops->wall_s(r->clock->opaque) + r->offset;
	rtc_store_time(r);
	if (alarm_matches(r, RTC_SECONDS_ALARM, RTC_SECONDS) &&
	    alarm_matches(r, RTC_MINUTES_ALARM, RTC_MINUTES) &&
	    alarm_matches(r, RTC_HOURS_ALARM, RTC_HOURS))
		rtc_raise(r, C_AF);
	rtc_raise(r, C_UF);
}

/* ---- timers ------------------------------------------------------------------------------ */

/* Every second, while somebody wants to be told. */
static void rtc_schedule_second(struct rtc *r)
{
	if (!(r->cmos[RTC_B] & (B_UIE | B_AIE)) || r->cmos[RTC_B] & B_SET)
		io_timer_cancel(r->clock, &r->second);
	else
		io_timer_arm(r->clock, &r->second, (io_now(r->clock) / NS_PER_S + 1) * NS_PER_S);
}

static void rtc_second(void *opaque)
{
	struct rtc *r = opaque;

	rtc_tick(r);
	rtc_schedule_second(r);
}

/* Period in crystal ticks, 0 = off; rates 1 and 2 are 256 and 128 Hz, datasheet table 5. */
static u64 rtc_period(const struct rtc *r)
{
	unsigned rate = r->cmos[RTC_A] & A_RATE;

	if (!rate)
		return 0;
	return 1ULL << ((rate <= 2 ? rate + 7 : rate) - 1);
}

static void rtc_schedule_periodic(struct rtc *r)
{
	u64 period = rtc_period(r), next;

	io_timer_cancel(r->clock, &r->periodic);
	if (!period || !(r->cmos[RTC_B] & B_PIE))
		return;
	next = (ticks_of_ns(io_now(r->clock), RTC_CRYSTAL_HZ) / period + 1) * period;
	io_timer_arm(r->clock, &r->periodic, ns_of_ticks(next, RTC_CRYSTAL_HZ));
}

static void rtc_periodic(void *opaque)
{
	struct rtc *r = opaque;

	rtc_raise(r, C_PF);
	rtc_schedule_periodic(r);
}

/* ---- registers --------------------------------------------------------------------------- */

static u8 rtc_read_a(const struct rtc *r)
{
	bool soon = io_now(r->clock) % NS_PER_S >= NS_PER_S - UPDATE_NS;
	bool runs = !(r->cmos[RTC_B] & B_SET) && (r->cmos[RTC_A] & A_DIVIDER) == A_DIVIDER_RUN;

	return r->cmos[RTC_A] | (soon && runs ? A_UIP : 0);
}

static u8 rtc_read_c(struct rtc *r)
{
	u8 val = r->cmos[RTC_C];

	r->cmos[RTC_C] = 0;
	irq_set(&r->irq, false);
	return val;
}

static void rtc_write_b(struct rtc *r, u8 val)
{
	u8 was = r->cmos[RTC_B];

	if (val & B_SET)
		val &= ~B_UIE;
	if (was & B_SET && !(val & B_SET))
		rtc_take_time(r); /* read in the format it was written in */
	r->cmos[RTC_B] = val;
	if (!(val & B_SET))
		rtc_store_time(r);
	rtc_raise(r, 0);
	rtc_schedule_second(r);
	rtc_schedule_periodic(r);
}

static u64 rtc_read(void *dev, u64 offset, unsigned size)
{
	struct rtc *r = dev;

	if (offset == 0)
		return 0xff;
	rtc_tick(r);
	switch (r->index) {
	case RTC_A:
		return rtc_read_a(r);
	case RTC_C:
		return rtc_read_c(r);
	default:
		return r->cmos[r->index];
	}
}

static void rtc_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct rtc *r = dev;
	u8 v = (u8)val;

	if (offset == 0) {
		r->index = v & (RTC_BYTES - 1);
		return;
	}
	rtc_tick(r);
	switch (r->index) {
	case RTC_A:
		r->cmos[RTC_A] = v & ~A_UIP;
		rtc_schedule_periodic(r);
		break;
	case RTC_B:
		rtc_write_b(r, v);
		break;
	case RTC_C:
	case RTC_D:
		break;
	default:
		r->cmos[r->index] = v;
		if (rtc_is_time(r->index) && !(r->cmos[RTC_B] & B_SET))
			rtc_take_time(r);
	}
}

void rtc_set_offset(struct rtc *r, s64 seconds)
{
	r->offset = seconds;
	r->now = (s64)r->clock->ops->wall_s(r->clock->opaque) + seconds;
	rtc_store_time(r);
}

void rtc_set_memory(struct rtc *r, u64 below_4g, u64 above_4g, unsigned cpus)
{
	u64 ext = below_4g > MIB(1) ? min_u64((below_4g - MIB(1)) / KIB(1), 0xfc00) : 0;
	u64 mid = below_4g > MIB(16) ? min_u64((below_4g - MIB(16)) / KIB(64), 0xffff) : 0;

	store_le(&r->cmos[RTC_BASE_MEM], 2, 640);
	store_le(&r->cmos[RTC_EXT_MEM], 2, ext);
	store_le(&r->cmos[RTC_EXT_MEM_COPY], 2, ext);
	store_le(&r->cmos[RTC_MEM_64K], 2, mid);
	store_le(&r->cmos[RTC_HIGH_MEM], 3, min_u64(above_4g / KIB(64), 0xffffff));
	r->cmos[RTC_CPUS] = cpus - 1;
}

static void rtc_reset(void *dev)
{
	struct rtc *r = dev;

	r->cmos[RTC_B] &= ~(B_PIE | B_AIE | B_UIE);
	r->cmos[RTC_C] = 0;
	r->index = 0;
	rtc_schedule_second(r);
	rtc_schedule_periodic(r);
	irq_set(&r->irq, false);
}

void rtc_init(struct rtc *r, const struct io_clock *clock, struct irq_line irq)
{
	*r = (struct rtc){.clock = clock, .irq = irq};
	r->second = (struct io_timer){.fn = rtc_second, .opaque = r};
	r->periodic = (struct io_timer){.fn = rtc_periodic, .opaque = r};
	r->cmos[RTC_A] = A_DIVIDER_RUN | 6; /* 1024 Hz, as PC firmware leaves it */
	r->cmos[RTC_B] = B_24H;
	r->cmos[RTC_D] = D_VALID;
	r->second_no = io_now(clock) / NS_PER_S;
	rtc_set_offset(r, 0);
	rtc_reset(r);
}

const struct device_ops rtc_ops = {
	.name = "rtc",
	.reset = rtc_reset,
	.read = rtc_read,
	.write = rtc_write,
};
