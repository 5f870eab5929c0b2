/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/power.h"

#include "metal/clock.h"
#include "metal/console.h"
#include "metal/metal.h"
#include "metal/paging.h"

/* PM1 control: SLP_TYP in bits 10-12, SLP_EN bit 13 (ACPI 6.5 section 4.8.3.2.1). */
static void sleep_control(u16 port, u8 type)
{
	if (port)
		outw(port, (u16)((inw(port) & ~0x3c00u) | (type & 7u) << 10 | 1u << 13));
}

void power_off(void)
{
	metal_log("power off");
	if (metal.acpi.have_s5) {
		sleep_control(metal.acpi.pm1a_cnt, metal.acpi.s5_a);
		sleep_control(metal.acpi.pm1b_cnt, metal.acpi.s5_b);
		clock_wait_us(1000000);
	}
	metal_die("this machine has no ACPI soft off that works; switch it off");
}

void power_reset(void)
{
	const struct hostacpi *a = &metal.acpi;

	metal_log("reset");
	if (a->reset_addr && a->reset_space == 1)
		outb((u16)a->reset_addr, a->reset_value);
	clock_wait_us(100000);
	outb(0xcf9, 6); /* ICH9 datasheet 13.7.5 */
	clock_wait_us(100000);
	outb(0x64, 0xfe); /* keyboard controller: pulse the reset line */
	clock_wait_us(100000);
	metal_die("this machine does not reset; switch it off and on");
}
