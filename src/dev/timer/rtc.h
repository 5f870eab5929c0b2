/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * MC146818 real-time clock with 128 bytes of CMOS memory.
 * References: Motorola MC146818A datasheet (registers A to D, "Time, calendar
 * and alarm"); Intel ICH9 datasheet 13.6 (ports, second bank not offered).
 *
 * The time is the clock's wall time plus what the guest added by setting it.
 * It moves at whole seconds of the machine's virtual time, so that the update
 * flag (UIP) means what the datasheet says. Day-of-month alarms: none.
 */
#ifndef HULL_DEV_TIMER_RTC_H
#define HULL_DEV_TIMER_RTC_H

#include "dev/device.h"
#include "io/clock.h"
#include "io/irq.h"

#define RTC_PORT 0x70
#define RTC_WINDOW 2
#define RTC_BYTES 128

enum rtc_byte {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_DAY_OF_WEEK = 0x06, /* 1 = Sunday */
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	/* Below: by custom of PC firmware (SeaBIOS src/hw/rtc.h, Bochs). */
	RTC_BASE_MEM = 0x15, /* KiB below 640, 2 bytes */
	RTC_EXT_MEM = 0x17,  /* KiB above 1 MiB up to 64 MiB, 2 bytes, again at 0x30 */
	RTC_EXT_MEM_COPY = 0x30,
	RTC_CENTURY = 0x32,
	RTC_MEM_64K = 0x34,  /* 64 KiB units above 16 MiB below 4 GiB, 2 bytes */
	RTC_HIGH_MEM = 0x5b, /* 64 KiB units above 4 GiB, 3 bytes */
	RTC_CPUS = 0x5f,     /* processors - 1 */
};

struct rtc {
	u8 cmos[RTC_BYTES]; /* time bytes hold what is set while SET = 1 */
	u8 index;
	s64 offset;    /* guest time minus wall time, seconds */
	u64 second_no; /* whole seconds of virtual time at the last look */
	s64 now;       /* guest time, seconds since 1970, since then */
	const struct io_clock *clock;
	struct io_timer second, periodic;
	struct irq_line irq; /* ISA line 8 */
};

void rtc_init(struct rtc *r, const struct io_clock *clock, struct irq_line irq);

/* The clock shows `seconds` more than wall time; for the board. */
void rtc_set_offset(struct rtc *r, s64 seconds);

/* Memory sizes in bytes below and above 4 GiB, and processors, where firmware looks. */
void rtc_set_memory(struct rtc *r, u64 below_4g, u64 above_4g, unsigned cpus);

/* reset clears interrupt enables and flags only; time and memory have a battery. */
extern const struct device_ops rtc_ops;

#endif
