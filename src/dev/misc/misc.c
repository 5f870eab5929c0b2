/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/misc/misc.h"

/* ---- test exit ------------------------------------------------------------------ */

void test_exit_init(struct test_exit *d, void (*exit)(void *opaque, u32 value), void *opaque)
{
	*d = (struct test_exit){.exit = exit, .opaque = opaque};
}

static u64 test_exit_read(void *dev, u64 offset, unsigned size)
{
	return 0;
}

static void test_exit_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct test_exit *d = dev;

	if (offset == 0)
		d->exit(d->opaque, (u32)val);
}

const struct device_ops test_exit_ops = {
	.name = "test-exit",
	.read = test_exit_read,
	.write = test_exit_write,
};

/* ---- pvpanic -------------------------------------------------------------------- */

void pvpanic_init(struct pvpanic *d, void (*panic)(void *opaque, u8 events), void *opaque)
{
	*d = (struct pvpanic){.panic = panic, .opaque = opaque};
}

static u64 pvpanic_read(void *dev, u64 offset, unsigned size)
{
	return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct pvpanic *d = dev;
	u8 events = val & (PVPANIC_PANICKED | PVPANIC_CRASH_LOADED);

	if (events)
		d->panic(d->opaque, events);
}

const struct device_ops pvpanic_ops = {
	.name = "pvpanic",
	.read = pvpanic_read,
	.write = pvpanic_write,
};

/* ---- port CF9h ------------------------------------------------------------------ */

void reset_cf9_init(struct reset_cf9 *d, void (*reset)(void *opaque), void *opaque)
{
	*d = (struct reset_cf9){.reset = reset, .opaque = opaque};
}

static void reset_cf9_reset(void *dev)
{
	struct reset_cf9 *d = dev;

	d->reg = 0;
}

static u64 reset_cf9_read(void *dev, u64 offset, unsigned size)
{
	struct reset_cf9 *d = dev;

	return d->reg;
}

static void reset_cf9_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct reset_cf9 *d = dev;
	u8 rising = (u8)val & ~d->reg;

	d->reg = val & (RESET_CF9_SYS_RST | RESET_CF9_RST_CPU | RESET_CF9_FULL_RST);
	if (rising & RESET_CF9_RST_CPU)
		d->reset(d->opaque);
}

const struct device_ops reset_cf9_ops = {
	.name = "reset-cf9",
	.reset = reset_cf9_reset,
	.read = reset_cf9_read,
	.write = reset_cf9_write,
};
