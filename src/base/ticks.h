/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Nanoseconds to ticks of a clock of hz and back without 128-bit division.
 * Exact for any time below 2^64 ns and hz up to 10^10. Dates. Freestanding.
 */
#ifndef HULL_BASE_TICKS_H
#define HULL_BASE_TICKS_H

#include "base/types.h"

#define NS_PER_S 1000000000ULL

/* Whole ticks that have passed after ns. */
static inline u64 ticks_of_ns(u64 ns, u64 hz)
{
	return ns / NS_PER_S * hz + ns % NS_PER_S * hz / NS_PER_S;
}

/* The first nanosecond at which `ticks` whole ticks have passed. */
static inline u64 ns_of_ticks(u64 ticks, u64 hz)
{
	return ticks / hz * NS_PER_S + (ticks % hz * NS_PER_S + hz - 1) / hz;
}

/*
 * Days from 1970-01-01 to a date, Gregorian, of the year 1 or later; month 1 to 12, any day.
 * Counted in years that begin in March: leap days come last.
 */
static inline s64 days_of_date(int year, int month, int day)
{
	s64 y = year - (month <= 2), m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

#endif
