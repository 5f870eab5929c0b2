/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * High precision event timer block: a 64-bit counter at 100 MHz and three
 * comparators. Reference: IA-PC HPET specification 1.0a, section 2.3.
 *
 * In legacy replacement mode (2.3.5) timers 0 and 1 take ISA lines 0 and 8 and
 * the PIT's and RTC's own lines are cut: the board leads those two through
 * hpet_pit_line() and hpet_rtc_line(). Not offered: FSB (MSI) delivery.
 */
#ifndef HULL_DEV_TIMER_HPET_H
#define HULL_DEV_TIMER_HPET_H

#include "dev/device.h"
#include "io/clock.h"
#include "io/irq.h"

#define HPET_BASE 0xfed00000u
#define HPET_WINDOW 0x400u
#define HPET_TIMERS 3u
#define HPET_HZ 100000000u
/* General capabilities, low half: also the ACPI HPET table's event timer block id. */
#define HPET_BLOCK_ID 0x8086a201u
/* I/O APIC inputs the timers can be routed to: 2 and 20 to 23. */
#define HPET_ROUTES 0x00f00004u

struct hpet;

struct hpet_timer {
	struct hpet *hpet;
	u64 config; /* as the guest reads it, without the constant bits */
	u64 cmp;    /* comparator */
	u64 period; /* last value written in periodic mode */
	struct io_timer timer;
	unsigned line; /* the line it holds up, while level_up */
	bool level_up;
	bool fired; /* no comparator written since reset or the last one-shot */
};

struct hpet {
	struct hpet_timer t[HPET_TIMERS];
	u64 config, status;
	u64 counter; /* value while halted, offset while running */
	u64 start;   /* ns at which counting began */
	const struct io_clock *clock;
	struct irq_line gsi; /* n is added: line 0, 8 or a route */
	bool pit_level, rtc_level;
};

/* gsi.n must be 0: its set() is called with the wanted line number. */
void hpet_init(struct hpet *h, const struct io_clock *clock, struct irq_line gsi);

struct irq_line hpet_pit_line(struct hpet *h);
struct irq_line hpet_rtc_line(struct hpet *h);

extern const struct device_ops hpet_ops;

#endif
