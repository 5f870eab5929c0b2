/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/clock.h"

#include "base/bits.h"
#include "base/ticks.h"
#include "core/cpu/hw.h"
#include "metal/apic.h"
#include "metal/metal.h"

/* Intel 8254 datasheet; port 61h: ICH9 datasheet 13.7.1. */
enum {
	PIT_CH2 = 0x42,
	PIT_CONTROL = 0x43,
	PORT61 = 0x61,
	PIT_HZ = 1193182,
	PIT_TICKS = 40000, /* 33 ms between the two looks */
	APIC_DIVISOR = 16,
	LATE_HZ = 20000,
};

/* The three clocks at one moment, and how long (TSC) looking took. */
struct sample {
	u64 tsc, took;
	u32 pit, apic; /* both count down */
};

static struct sample look_once(void)
{
	struct sample s = {.tsc = hw_tsc()};

	outb(PIT_CONTROL, 0x80); /* latch channel 2 */
	s.apic = apic_timer_left();
	s.pit = inb(PIT_CH2);
	s.pit |= (u32)inb(PIT_CH2) << 8;
	s.took = hw_tsc() - s.tsc;
	return s;
}

/* The quickest of several: what disturbs makes them longer. */
static struct sample look(void)
{
	struct sample best = look_once();

	for (unsigned i = 0; i < 12; i++) {
		struct sample s = look_once();

		if (s.took < best.took)
			best = s;
	}
	return best;
}

/* False when something held us up so long that the counter went round. */
static bool calibrate(void)
{
	struct sample a, b;
	u64 ticks, limit = 1u << 22;

	outb(PORT61, (inb(PORT61) & ~2u) | 1);
	outb(PIT_CONTROL, 0xb0); /* channel 2, both bytes, mode 0 */
	outb(PIT_CH2, 0xff);
	outb(PIT_CH2, 0xff);
	apic_timer(~0u);
	a = look();
	if (a.pit <= PIT_TICKS)
		return false;
	while (look_once().pit > a.pit - PIT_TICKS && --limit)
		;
	b = look();
	apic_timer(0);
	if (!limit || b.pit > a.pit)
		return false;
	ticks = a.pit - b.pit;
	metal.tsc_khz = (u32)((b.tsc - a.tsc) * PIT_HZ / ticks / 1000);
	metal.apic_hz = (u64)(a.apic - b.apic) * PIT_HZ / ticks * APIC_DIVISOR;
	return metal.tsc_khz && metal.apic_hz;
}

static unsigned cmos(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static unsigned from_bcd(unsigned v, bool bcd)
{
	return bcd ? (v >> 4) * 10 + (v & 15) : v;
}

/* Motorola MC146818A: registers 0 to 9, A (update in progress), B (binary). */
static u64 cmos_time(void)
{
	bool bcd;
	unsigned s, mi, h, d, mo, y;

	for (unsigned tries = 100000; (cmos(0x0a) & 0x80) && tries; tries--)
		;
	bcd = !(cmos(0x0b) & 4);
	s = from_bcd(cmos(0), bcd);
	mi = from_bcd(cmos(2), bcd);
	h = from_bcd(cmos(4), bcd);
	d = from_bcd(cmos(7), bcd);
	mo = from_bcd(cmos(8), bcd);
	y = from_bcd(cmos(9), bcd) + 2000;
	return (((u64)days_of_date((int)y, (int)mo, (int)d) * 24 + h) * 60 + mi) * 60 + s;
}

void clock_init(void)
{
	unsigned tries = 20;

	while (!calibrate())
		if (!--tries)
			metal_die("this machine's interval timer (PIT) does not run");
	metal.wall_start_s = cmos_time();
	metal.tsc_start = hw_tsc();
}

u64 clock_ns(void)
{
	return ns_of_ticks(hw_tsc() - metal.tsc_start, metal.tsc_khz * 1000ull);
}

u64 clock_wall_s(void)
{
	return metal.wall_start_s + clock_ns() / NS_PER_S;
}

void clock_wait_us(u64 us)
{
	u64 until = clock_ns() + us * 1000;

	while (clock_ns() < until)
		cpu_relax();
}

void clock_deadline(u64 ns)
{
	struct cpu *c = this_cpu();
	u64 now, ticks;

	if (ns == c->deadline_ns)
		return;
	c->deadline_ns = ns;
	if (ns == ~0ULL) {
		apic_timer(0);
		return;
	}
	now = clock_ns();
	/* A second at most: what is later is looked at again; and no storm of what is due. */
	ticks = ns > now ? ticks_of_ns(min_u64(ns - now, NS_PER_S), metal.apic_hz / APIC_DIVISOR)
			 : 0;
	apic_timer((u32)max_u64(ticks, metal.apic_hz / APIC_DIVISOR / LATE_HZ + 1));
}
