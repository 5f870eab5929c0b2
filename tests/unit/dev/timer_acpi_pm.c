/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/timer/acpi_pm.c */
#include "tests/test.h"

#include "dev/timer/acpi_pm.h"
#include "tests/fake_clock.h"

struct rig {
	struct fake_clock fc;
	struct fake_lines out;
	struct acpi_pm pm;
	unsigned offs, resets;
};

static void on_off(void *opaque)
{
	((struct rig *)opaque)->offs++;
}

static void on_reset(void *opaque)
{
	((struct rig *)opaque)->resets++;
}

static struct rig *rig_new(void)
{
	static struct rig r;
	struct acpi_pm_wires w = {.power_off = on_off, .reset = on_reset, .opaque = &r};

	memset(&r, 0, sizeof(r));
	fake_clock_init(&r.fc, 0);
	w.sci = fake_line(&r.out, 9);
	acpi_pm_init(&r.pm, &r.fc.clock, &w);
	return &r;
}

static void wr(struct rig *r, u64 off, unsigned size, u64 v)
{
	acpi_pm_ops.write(&r->pm, off, size, v);
}

static u64 rd(struct rig *r, u64 off, unsigned size)
{
	return acpi_pm_ops.read(&r->pm, off, size);
}

static void t_timer(void)
{
	struct rig *r = rig_new();

	fake_clock_advance(&r->fc, 1000000000);
	CHECK_EQ(rd(r, ACPI_PM_TIMER, 4), 3579545);
	wr(r, ACPI_PM1_ENABLE, 2, ACPI_PM1_TIMER);
	fake_clock_advance(&r->fc, 598ULL * 1000000000);
	CHECK(!r->out.level[9]);
	fake_clock_advance(&r->fc, 1ULL * 1000000000); /* 2^31 / 3579545 = 599.9 s */
	CHECK_EQ(rd(r, ACPI_PM1_STATUS, 2), ACPI_PM1_TIMER);
	CHECK(r->out.level[9]);
	wr(r, ACPI_PM1_STATUS, 2, ACPI_PM1_TIMER);
	CHECK(!r->out.level[9]);
}

static void t_power_button(void)
{
	struct rig *r = rig_new();

	acpi_pm_power_button(&r->pm);
	CHECK(!r->out.level[9]);
	wr(r, ACPI_PM1_ENABLE, 2, 0xffff);
	CHECK(r->out.level[9]);
	CHECK_EQ(rd(r, ACPI_PM1_ENABLE, 2), 0x721);
	wr(r, ACPI_PM1_STATUS, 2, ACPI_PM1_POWER_BUTTON);
	CHECK(!r->out.level[9]);
}

static void t_sleep_and_reset(void)
{
	struct rig *r = rig_new();

	CHECK_EQ(rd(r, ACPI_PM1_CONTROL, 2), 1); /* always in ACPI mode */
	wr(r, ACPI_PM1_CONTROL, 2, 5 << 10);
	CHECK_EQ(r->offs, 0);
	wr(r, ACPI_PM1_CONTROL, 2, 3 << 10 | 1 << 13);
	CHECK_EQ(r->offs, 0);
	wr(r, ACPI_PM1_CONTROL, 2, 5 << 10 | 1 << 13);
	CHECK_EQ(r->offs, 1);
	CHECK_EQ(rd(r, ACPI_PM1_CONTROL, 2), 5 << 10 | 1);
	wr(r, ACPI_PM_RESET, 1, 2);
	CHECK_EQ(r->resets, 0);
	wr(r, ACPI_PM_RESET, 1, ACPI_PM_RESET_VALUE);
	CHECK_EQ(r->resets, 1);
}

static void t_gpe(void)
{
	struct rig *r = rig_new();

	acpi_pm_gpe(&r->pm, 5);
	acpi_pm_gpe(&r->pm, 99);
	CHECK_EQ(rd(r, ACPI_PM_GPE_STATUS, 2), 0x20);
	wr(r, ACPI_PM_GPE_ENABLE, 1, 0x20);
	CHECK(r->out.level[9]);
	wr(r, ACPI_PM_GPE_STATUS, 1, 0x20);
	CHECK(!r->out.level[9]);
	acpi_pm_gpe(&r->pm, 5);
	acpi_pm_ops.reset(&r->pm);
	CHECK(!r->out.level[9]);
}

int main(void)
{
	RUN(t_timer);
	RUN(t_power_button);
	RUN(t_sleep_and_reset);
	RUN(t_gpe);
	return test_done();
}
