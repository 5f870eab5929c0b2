/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/timer/acpi_pm.h"

#include "base/bits.h"
#include "base/ticks.h"

/* PM1 control, ACPI table 4.13. */
enum {
	CONTROL_SCI_EN = 1 << 0,
	CONTROL_BM_RLD = 1 << 1,
	CONTROL_SLP_TYP_SHIFT = 10,
	CONTROL_SLP_TYP = 7 << CONTROL_SLP_TYP_SHIFT,
	CONTROL_SLP_EN = 1 << 13, /* write only */
};

#define PM1_EVENTS                                                                                 \
	(ACPI_PM1_TIMER | ACPI_PM1_GLOBAL | ACPI_PM1_POWER_BUTTON | ACPI_PM1_SLEEP_BUTTON |        \
	 ACPI_PM1_RTC)
#define PM_TIMER_TOP (1ULL << 31) /* a 32-bit timer: FADT TMR_VAL_EXT */

static u64 pm_ticks(const struct acpi_pm *a)
{
	return ticks_of_ns(io_now(a->clock), ACPI_PM_TIMER_HZ);
}

static void pm_update(struct acpi_pm *a)
{
	bool level = (a->status & a->enable & PM1_EVENTS) || (a->gpe_status & a->gpe_enable);

	if (level != a->sci_level) {
		a->sci_level = level;
		irq_set(&a->wires.sci, level);
	}
}

/* The timer's status bit is set when the top bit flips, ACPI 4.8.2.1. */
static void pm_timer_schedule(struct acpi_pm *a)
{
	u64 next = (pm_ticks(a) / PM_TIMER_TOP + 1) * PM_TIMER_TOP;

	io_timer_arm(a->clock, &a->timer, ns_of_ticks(next, ACPI_PM_TIMER_HZ));
}

static void pm_timer_fire(void *opaque)
{
	struct acpi_pm *a = opaque;

	a->status |= ACPI_PM1_TIMER;
	pm_timer_schedule(a);
	pm_update(a);
}

void acpi_pm_power_button(struct acpi_pm *a)
{
	a->status |= ACPI_PM1_POWER_BUTTON;
	pm_update(a);
}

void acpi_pm_gpe(struct acpi_pm *a, unsigned n)
{
	if (n < 16)
		a->gpe_status |= 1u << n;
	pm_update(a);
}

static void pm_set_control(struct acpi_pm *a, u16 val)
{
	a->control = val & (CONTROL_BM_RLD | CONTROL_SLP_TYP);
	if (val & CONTROL_SLP_EN &&
	    (val & CONTROL_SLP_TYP) >> CONTROL_SLP_TYP_SHIFT == ACPI_PM_SLP_TYP_S5)
		a->wires.power_off(a->wires.opaque);
}

/* The 16 bytes as four little-endian words; byte and word accesses take their part. */
static u32 pm_word(struct acpi_pm *a, unsigned n)
{
	switch (n) {
	case 0:
		return a->status | (u32)a->enable << 16;
	case 1:
		return a->control | CONTROL_SCI_EN;
	case 2:
		return (u32)pm_ticks(a);
	default:
		return a->gpe_status | (u32)a->gpe_enable << 16;
	}
}

static u64 acpi_pm_read(void *dev, u64 offset, unsigned size)
{
	u32 word = pm_word(dev, offset >> 2 & 3);

	return word >> (offset & 3) * 8 & mask_bytes(size);
}

static void pm_write_byte(struct acpi_pm *a, u64 offset, u8 val)
{
	unsigned shift = (offset & 1) * 8;
	u16 bits = (u16)(val << shift), keep = (u16) ~(0xff << shift);

	switch (offset & ~1ULL) {
	case ACPI_PM1_STATUS:
		a->status &= ~bits;
		break;
	case ACPI_PM1_ENABLE:
		a->enable = (a->enable & keep) | (bits & PM1_EVENTS);
		break;
	case ACPI_PM1_CONTROL:
		pm_set_control(a, (a->control & keep) | bits);
		break;
	case ACPI_PM_RESET:
		if (offset == ACPI_PM_RESET && val == ACPI_PM_RESET_VALUE)
			a->wires.reset(a->wires.opaque);
		break;
	case ACPI_PM_GPE_STATUS:
		a->gpe_status &= ~bits;
		break;
	case ACPI_PM_GPE_ENABLE:
		a->gpe_enable = (a->gpe_enable & keep) | bits;
		break;
	}
}

static void acpi_pm_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct acpi_pm *a = dev;

	for (unsigned i = 0; i < size; i++)
		pm_write_byte(a, offset + i, (u8)(val >> i * 8));
	pm_update(a);
}

static void acpi_pm_reset(void *dev)
{
	struct acpi_pm *a = dev;

	a->status = a->enable = a->control = 0;
	a->gpe_status = a->gpe_enable = 0;
	pm_timer_schedule(a);
	pm_update(a);
}

void acpi_pm_init(struct acpi_pm *a, const struct io_clock *clock,
		  const struct acpi_pm_wires *wires)
{
	*a = (struct acpi_pm){.clock = clock, .wires = *wires};
	a->timer = (struct io_timer){.fn = pm_timer_fire, .opaque = a};
	acpi_pm_reset(a);
}

const struct device_ops acpi_pm_ops = {
	.name = "acpi-pm",
	.reset = acpi_pm_reset,
	.read = acpi_pm_read,
	.write = acpi_pm_write,
};
