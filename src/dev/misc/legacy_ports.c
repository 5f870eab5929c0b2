/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/misc/legacy_ports.h"

/* ---- port 92h ------------------------------------------------------------------- */

void port92_init(struct port92 *d, void (*reset)(void *opaque),
		 void (*a20)(void *opaque, bool open), void *opaque)
{
	*d = (struct port92){.reg = PORT92_ALT_A20, .reset = reset, .a20 = a20, .opaque = opaque};
}

static void port92_reset(void *dev)
{
	struct port92 *d = dev;

	d->reg = PORT92_ALT_A20;
}

static u64 port92_read(void *dev, u64 offset, unsigned size)
{
	struct port92 *d = dev;

	return d->reg;
}

static void port92_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct port92 *d = dev;
	u8 changed = (u8)val ^ d->reg;

	d->reg = val & (PORT92_INIT_NOW | PORT92_ALT_A20);
	if (changed & PORT92_ALT_A20 && d->a20)
		d->a20(d->opaque, d->reg & PORT92_ALT_A20);
	if (changed & d->reg & PORT92_INIT_NOW)
		d->reset(d->opaque);
}

const struct device_ops port92_ops = {
	.name = "port92",
	.reset = port92_reset,
	.read = port92_read,
	.write = port92_write,
};

/* ---- port 80h ------------------------------------------------------------------- */

void post_port_init(struct post_port *d)
{
	*d = (struct post_port){0};
}

static void post_port_reset(void *dev)
{
	post_port_init(dev);
}

static u64 post_port_read(void *dev, u64 offset, unsigned size)
{
	struct post_port *d = dev;

	return d->last;
}

static void post_port_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct post_port *d = dev;

	d->last = (u8)val;
	d->count++;
}

const struct device_ops post_port_ops = {
	.name = "post",
	.reset = post_port_reset,
	.read = post_port_read,
	.write = post_port_write,
};
