/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the board does without here: event descriptors between devices and engine
 * (machine/pc_events.c is the hosted one; notifications and messages are function
 * calls), and the devices of machine/pc_extra.c and machine/virtio_more.c.
 */
#include "machine/pc_internal.h"

void pc_events_none(struct pc *pc)
{
}

int pc_events_init(struct pc *pc, struct err *e)
{
	return 0;
}

void pc_events_reset(struct pc *pc)
{
}

void pc_events_fini(struct pc *pc)
{
}

void pc_events_map(struct pc *pc, unsigned slot, u64 addr, bool map)
{
}

bool pc_events_message(struct pc *pc, u64 addr, u32 data)
{
	return false;
}

int pc_extra_alloc(struct pc *pc, struct err *e)
{
	return 0;
}

struct irq_line pc_extra_timer_line(struct pc *pc, unsigned n)
{
	return pc_irq_line(pc, n);
}

int pc_extra_init(struct pc *pc, struct err *e)
{
	return 0;
}

void pc_extra_stop(struct pc *pc)
{
}

void pc_extra_free(struct pc *pc)
{
}

void pc_extra_describe(const struct pc *pc, struct acpi_config *a)
{
}

int pc_extra_attach_mmio(void *opaque, struct virtio_dev *dev, struct err *e)
{
	return err_set(e, E_NODEV, "board: it has no virtio-mmio");
}

int pc_extra_tables(struct pc *pc, struct err *e)
{
	return 0;
}

bool pc_extra_start(struct pc *pc)
{
	return false;
}

const struct virtio_console_multi *const virtio_more_ports;

int virtio_more_init(struct virtio_set *s, struct err *e)
{
	return 0;
}

void virtio_set_balloon(struct virtio_set *s, u64 bytes)
{
}

void virtio_set_balloon_get(struct virtio_set *s, struct board_balloon *out)
{
	*out = (struct board_balloon){0};
}
