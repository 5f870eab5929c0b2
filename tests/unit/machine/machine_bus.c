/* SPDX-License-Identifier: Apache-2.0 */
/* machine/bus.c: dispatch, splitting, unclaimed space, windows that come and go. */
#include "machine/bus.h"

#include "tests/test.h"

struct probe {
	u64 off, val;
	unsigned size, reads, writes, resets;
};

static void probe_reset(void *d)
{
	((struct probe *)d)->resets++;
}

static u64 probe_read(void *d, u64 off, unsigned size)
{
	struct probe *p = d;

	p->off = off;
	p->size = size;
	p->reads++;
	return 0x1122334455667788ull + off;
}

static void probe_write(void *d, u64 off, unsigned size, u64 val)
{
	struct probe *p = d;

	p->off = off;
	p->size = size;
	p->val = val;
	p->writes++;
}

static const struct device_ops probe_ops = {"probe", probe_reset, probe_read, probe_write};

static void t_finds_windows(void)
{
	struct probe p[40] = {0};
	struct bus b = {0};

	for (unsigned i = 0; i < 40; i++) {
		unsigned k = (i * 17) % 40; /* any order */

		CHECK_EQ(bus_add(&b, 0x1000 + k * 0x100, 0x80, &probe_ops, &p[k]), 0);
	}
	for (unsigned k = 0; k < 40; k++) {
		CHECK_EQ(bus_read(&b, 0x1000 + k * 0x100 + 0x7c, 4), 0x55667788 + 0x7c);
		CHECK_EQ(p[k].reads, 1);
		CHECK_EQ(p[k].off, 0x7c);
		CHECK_EQ(bus_read(&b, 0x1000 + k * 0x100 + 0x80, 4), 0xffffffff);
	}
	CHECK_EQ(bus_read(&b, 0, 8), ~0ull);
	CHECK_EQ(bus_read(&b, ~0ull, 1), 0xff);
}

static void t_refuses_bad_windows(void)
{
	struct probe p = {0};
	struct bus b = {0};

	CHECK_EQ(bus_add(&b, 0x100, 0, &probe_ops, &p), -E_INVAL);
	CHECK_EQ(bus_add(&b, ~0ull, 2, &probe_ops, &p), -E_INVAL);
	CHECK_EQ(bus_add(&b, 0x100, 0x10, &probe_ops, &p), 0);
	CHECK_EQ(bus_add(&b, 0x10f, 1, &probe_ops, &p), -E_EXIST);
	CHECK_EQ(bus_add(&b, 0xff, 2, &probe_ops, &p), -E_EXIST);
	CHECK_EQ(bus_add(&b, 0, 0x1000, &probe_ops, &p), -E_EXIST);
	CHECK_EQ(bus_add(&b, 0x110, 1, &probe_ops, &p), 0);
	for (unsigned i = 2; i < BUS_WINDOWS_MAX; i++)
		CHECK_EQ(bus_add(&b, 0x1000 + i, 1, &probe_ops, &p), 0);
	CHECK_EQ(bus_add(&b, 0x9000, 1, &probe_ops, &p), -E_NOSPC);
}

static void t_splits(void)
{
	struct probe lo = {0}, hi = {0};
	struct bus b = {0};

	bus_add(&b, 0x10, 2, &probe_ops, &lo);
	bus_add(&b, 0x12, 2, &probe_ops, &hi);
	bus_write(&b, 0x11, 2, 0xbbaa);
	CHECK_EQ(lo.writes, 1);
	CHECK_EQ(lo.val, 0xaa);
	CHECK_EQ(lo.size, 1);
	CHECK_EQ(hi.val, 0xbb);
	CHECK_EQ(hi.off, 0);
	/* The last two bytes belong to nobody. */
	CHECK_EQ(bus_read(&b, 0x12, 4), 0xffff8988);
	CHECK_EQ(hi.reads, 2);
}

static void t_removes(void)
{
	struct probe a = {0}, c = {0};
	struct bus b = {0};

	bus_add(&b, 0x100, 0x10, &probe_ops, &a);
	bus_add(&b, 0x200, 0x10, &probe_ops, &c);
	bus_read(&b, 0x200, 1);
	bus_remove(&b, 0x200, &a); /* not its window */
	bus_read(&b, 0x200, 1);
	CHECK_EQ(c.reads, 2);
	bus_remove(&b, 0x200, &c);
	CHECK_EQ(bus_read(&b, 0x200, 2), 0xffff);
	CHECK_EQ(c.reads, 2);
	bus_read(&b, 0x100, 1);
	CHECK_EQ(a.reads, 1);
	bus_reset(&b);
	CHECK_EQ(a.resets, 1);
	CHECK_EQ(c.resets, 0);
}

int main(void)
{
	RUN(t_finds_windows);
	RUN(t_refuses_bad_windows);
	RUN(t_splits);
	RUN(t_removes);
	return test_done();
}
