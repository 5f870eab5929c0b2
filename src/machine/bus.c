/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/bus.h"

#include "base/bits.h"

/* Index of the first window whose end lies above addr. */
static unsigned window_search(const struct bus *b, u64 addr)
{
	unsigned lo = 0, hi = b->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (b->w[mid].base + (b->w[mid].size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *b, u64 base, u64 size, const struct device_ops *ops, void *opaque)
{
	u64 last;
	unsigned at;

	if (!size || add_overflow(base, size - 1, &last))
		return -E_INVAL;
	if (b->n == BUS_WINDOWS_MAX)
		return -E_NOSPC;
	at = window_search(b, base);
	if (at < b->n && b->w[at].base <= last)
		return -E_EXIST;
	for (unsigned i = b->n; i > at; i--)
		b->w[i] = b->w[i - 1];
	b->w[at] = (struct bus_window){base, size, {ops, opaque}};
	b->n++;
	b->last = 0;
	return 0;
}

void bus_remove(struct bus *b, u64 base, const void *opaque)
{
	unsigned at = window_search(b, base);

	if (at == b->n || b->w[at].base != base || b->w[at].dev.opaque != opaque)
		return;
	b->n--;
	for (unsigned i = at; i < b->n; i++)
		b->w[i] = b->w[i + 1];
	b->last = 0;
}

const struct bus_window *bus_find(struct bus *b, u64 addr)
{
	const struct bus_window *w = &b->w[b->last];
	unsigned at;

	if (b->n && addr - w->base < w->size)
		return w;
	at = window_search(b, addr);
	if (at == b->n || addr < b->w[at].base)
		return NULL;
	b->last = at;
	return &b->w[at];
}

static u64 read_bytes(struct bus *b, u64 addr, unsigned size)
{
	u64 val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= bits_get(bus_read(b, addr + i, 1), 0, 8) << (i * 8);
	return val;
}

u64 bus_read(struct bus *b, u64 addr, unsigned size)
{
	const struct bus_window *w = bus_find(b, addr);

	if (w && range_inside(addr - w->base, size, w->size)) {
		if (!w->dev.ops->read)
			return mask_bytes(size);
		return w->dev.ops->read(w->dev.opaque, addr - w->base, size) & mask_bytes(size);
	}
	return size == 1 ? 0xff : read_bytes(b, addr, size);
}

void bus_write(struct bus *b, u64 addr, unsigned size, u64 val)
{
	const struct bus_window *w = bus_find(b, addr);

	if (w && range_inside(addr - w->base, size, w->size)) {
		if (w->dev.ops->write)
			w->dev.ops->write(w->dev.opaque, addr - w->base, size,
					  val & mask_bytes(size));
		return;
	}
	for (unsigned i = 0; size > 1 && i < size; i++)
		bus_write(b, addr + i, 1, val >> (i * 8) & 0xff);
}

void bus_reset(struct bus *b)
{
	/* A PCI host's reset takes windows away: walk a copy. */
	struct bus_window copy[BUS_WINDOWS_MAX];
	unsigned n = b->n;

	for (unsigned i = 0; i < n; i++)
		copy[i] = b->w[i];
	for (unsigned i = 0; i < n; i++)
		if (copy[i].dev.ops->reset)
			copy[i].dev.ops->reset(copy[i].dev.opaque);
}
