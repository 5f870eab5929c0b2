/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Nanoseconds to ticks of a clock of hz and back without 128-bit division.
 * Exact for any time below 2^64 ns and hz up to 10^10. Freestanding.
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

#endif
