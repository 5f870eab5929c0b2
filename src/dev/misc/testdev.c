/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/misc/testdev.h"

#include "base/endian.h"

static void ram_reset(void *dev)
{
	struct testdev *d = dev;

	store_le(d->port, TESTDEV_PORT_WINDOW, 0);
	for (unsigned i = 0; i < TESTDEV_RAM_SIZE; i += 8)
		store_le(d->ram + i, 8, 0);
}

static void stateless_reset(void *dev)
{
}

static u64 port_read(void *dev, u64 offset, unsigned size)
{
	return load_le(((struct testdev *)dev)->port + offset, size);
}

static void port_write(void *dev, u64 offset, unsigned size, u64 val)
{
	if (offset < TESTDEV_PORT_WINDOW / 2)
		store_le(((struct testdev *)dev)->port + offset, size, val);
}

static u64 line_read(void *dev, u64 offset, unsigned size)
{
	return ~0ULL;
}

static void line_write(void *dev, u64 offset, unsigned size, u64 val)
{
	irq_set(&((struct testdev *)dev)->line[offset], val != 0);
}

static u64 ram_read(void *dev, u64 offset, unsigned size)
{
	return load_le(((struct testdev *)dev)->ram + offset, size);
}

static void ram_write(void *dev, u64 offset, unsigned size, u64 val)
{
	store_le(((struct testdev *)dev)->ram + offset, size, val);
}

const struct device_ops testdev_port_ops = {
	.name = "testdev-port",
	.reset = stateless_reset,
	.read = port_read,
	.write = port_write,
};

const struct device_ops testdev_line_ops = {
	.name = "testdev-line",
	.reset = stateless_reset,
	.read = line_read,
	.write = line_write,
};

const struct device_ops testdev_ram_ops = {
	.name = "testdev-ram",
	.reset = ram_reset,
	.read = ram_read,
	.write = ram_write,
};
