/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The machine's own switch: ACPI S5 and reset register, with the old ways behind them. */
#ifndef HULL_METAL_POWER_H
#define HULL_METAL_POWER_H

void __attribute__((noreturn)) power_off(void);
void __attribute__((noreturn)) power_reset(void);

#endif
