/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/char/debugcon.h"

void debugcon_init(struct debugcon *d, struct io_char *out)
{
	d->out = out;
}

static void debugcon_reset(void *dev)
{
}

static u64 debugcon_read(void *dev, u64 offset, unsigned size)
{
	return DEBUGCON_READBACK;
}

static void debugcon_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct debugcon *d = dev;
	u8 c = (u8)val;

	if (d->out)
		d->out->ops->write(d->out, &c, 1);
}

const struct device_ops debugcon_ops = {
	.name = "debugcon",
	.reset = debugcon_reset,
	.read = debugcon_read,
	.write = debugcon_write,
};
