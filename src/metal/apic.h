/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The physical local APIC: x2APIC where there is one, else its page. SDM vol. 3A chapter 11. */
#ifndef HULL_METAL_APIC_H
#define HULL_METAL_APIC_H

#include "base/types.h"

void apic_init(void); /* on the boot CPU, once; maps the page */
void apic_enable(void);
u32 apic_id(void);
void apic_eoi(void);
void apic_send(u32 apic_id, u32 icr);
/*
 * Interrupts this CPU after count ticks of the timer, and every count ticks from then on
 * until it is set anew; 0 stops it. An interrupt that the machine loses comes again so.
 */
void apic_timer(u32 count);
u32 apic_timer_left(void);

enum { ICR_INIT = 0x4500, ICR_STARTUP = 0x4600, ICR_FIXED = 0x4000 };

#endif
