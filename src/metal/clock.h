/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Time: the TSC as the clock, the APIC timer for deadlines, both measured against the PIT. */
#ifndef HULL_METAL_CLOCK_H
#define HULL_METAL_CLOCK_H

#include "base/types.h"

void clock_init(void);
u64 clock_ns(void);	/* since clock_init */
u64 clock_wall_s(void); /* UTC since 1970, by the CMOS clock at start */
void clock_wait_us(u64 us);
/* Interrupts this CPU at that time (clock_ns); ~0: not. */
void clock_deadline(u64 ns);

#endif
