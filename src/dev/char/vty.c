/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/char/vty.h"

static size_t vty_receive(void *opaque, const void *buf, size_t len)
{
	struct vty *t = opaque;
	const u8 *p = buf;
	size_t n = 0;

	while (n < len && t->head - t->tail < VTY_RING)
		t->ring[t->head++ % VTY_RING] = p[n++];
	if (n && t->enabled)
		t->notify(t->opaque);
	return n;
}

void vty_init(struct vty *t, struct io_char *chr, void (*notify)(void *opaque), void *opaque)
{
	*t = (struct vty){.chr = chr, .notify = notify, .opaque = opaque, .enabled = true};
	if (!chr)
		return;
	chr->receive = vty_receive;
	chr->opaque = t;
}

void vty_reset(struct vty *t)
{
	t->head = t->tail = 0;
	t->enabled = true; /* Linux never says that it wants interrupts */
}

void vty_put(struct vty *t, const u8 *bytes, unsigned n)
{
	if (t->chr)
		t->chr->ops->write(t->chr, bytes, n);
}

unsigned vty_get(struct vty *t, u8 *buf)
{
	unsigned n = 0;

	while (n < VTY_CHUNK && t->tail != t->head)
		buf[n++] = t->ring[t->tail++ % VTY_RING];
	if (n && t->chr)
		t->chr->ops->rx_ready(t->chr);
	return n;
}

void vty_enable(struct vty *t, bool on)
{
	t->enabled = on;
	if (on && t->head != t->tail)
		t->notify(t->opaque);
}
