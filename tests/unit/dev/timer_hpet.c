/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/timer/hpet.c */
#include "tests/test.h"

#include "dev/timer/hpet.h"
#include "tests/fake_clock.h"

#define MS 1000000u

struct rig {
	struct fake_clock fc;
	struct fake_lines out;
	struct hpet hpet;
};

static struct rig *rig_new(void)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	fake_clock_init(&r.fc, 0);
	hpet_init(&r.hpet, &r.fc.clock, fake_line(&r.out, 0));
	return &r;
}

static void w4(struct rig *r, u64 off, u32 v)
{
	hpet_ops.write(&r->hpet, off, 4, v);
}

static u64 rd(struct rig *r, u64 off, unsigned size)
{
	return hpet_ops.read(&r->hpet, off, size);
}

static void t_capabilities_and_counter(void)
{
	struct rig *r = rig_new();

	CHECK_EQ(rd(r, 0, 8), 10000000ULL << 32 | 0x8086a201);
	CHECK_EQ(rd(r, 4, 4), 10000000);
	CHECK_EQ(rd(r, 0x104, 4), HPET_ROUTES);
	CHECK_EQ(rd(r, 0xf0, 8), 0);
	w4(r, 0x10, 1);
	fake_clock_advance(&r->fc, MS);
	CHECK_EQ(rd(r, 0xf0, 8), 100000);
	w4(r, 0xf0, 5); /* not while it runs */
	CHECK_EQ(rd(r, 0xf0, 4), 100000);
	w4(r, 0x10, 0);
	fake_clock_advance(&r->fc, MS);
	CHECK_EQ(rd(r, 0xf0, 8), 100000);
	w4(r, 0xf4, 1);
	CHECK_EQ(rd(r, 0xf0, 8), 0x1000186a0);
	CHECK_EQ(rd(r, 0x3f8, 8), 0);
}

static void t_one_shot_edge_and_level(void)
{
	struct rig *r = rig_new();

	w4(r, 0x10, 1);
	w4(r, 0x100, 0x4 | 20 << 9);
	hpet_ops.write(&r->hpet, 0x108, 8, 100000);
	fake_clock_advance(&r->fc, MS - 1);
	CHECK_EQ(r->out.rises[20], 0);
	fake_clock_advance(&r->fc, 1);
	CHECK_EQ(r->out.rises[20], 1);
	CHECK(!r->out.level[20]);
	CHECK_EQ(rd(r, 0x20, 4), 0);
	w4(r, 0x120, 0x6 | 21 << 9);
	hpet_ops.write(&r->hpet, 0x128, 8, 200000);
	fake_clock_advance(&r->fc, MS);
	CHECK(r->out.level[21]);
	CHECK_EQ(rd(r, 0x20, 4), 2);
	w4(r, 0x20, 2);
	CHECK(!r->out.level[21]);
	w4(r, 0x120, 0x6 | 5 << 9); /* no such route: keeps 21 */
	CHECK_EQ(rd(r, 0x120, 4) >> 9 & 31, 21);
}

/* As Linux programs its clock event: legacy, periodic, SETVAL, then the period. */
static void t_legacy_periodic(void)
{
	struct rig *r = rig_new();
	struct irq_line pit = hpet_pit_line(&r->hpet);

	irq_set(&pit, true);
	CHECK(r->out.level[0]);
	w4(r, 0x10, 3);
	CHECK(!r->out.level[0]);
	irq_set(&pit, false);
	irq_set(&pit, true);
	CHECK_EQ(r->out.rises[0], 1); /* cut off */
	w4(r, 0x100, 0x4 | 0x8 | 0x40 | 0x100);
	w4(r, 0x108, 100000);
	w4(r, 0x108, 100000);
	CHECK_EQ(rd(r, 0x100, 4) & 0x40, 0);
	fake_clock_advance(&r->fc, 100 * MS);
	CHECK_EQ(r->out.rises[0], 101);
	CHECK(rd(r, 0x108, 4) > rd(r, 0xf0, 4));
	w4(r, 0x10, 1);
	CHECK(r->out.level[0]); /* the PIT's line is back */
}

static void t_32bit_past_fires_at_once(void)
{
	struct rig *r = rig_new();

	w4(r, 0x10, 1);
	fake_clock_advance(&r->fc, MS);
	w4(r, 0x100, 0x4 | 0x100 | 22 << 9);
	w4(r, 0x108, 99999);
	fake_clock_advance(&r->fc, 1);
	CHECK_EQ(r->out.rises[22], 1);
}

static void t_no_storm(void)
{
	struct rig *r = rig_new();

	w4(r, 0x10, 1);
	w4(r, 0x100, 0x4 | 0x8 | 0x40);
	hpet_ops.write(&r->hpet, 0x108, 8, 1);
	w4(r, 0x108, 1);
	r->fc.fired = 0;
	fake_clock_advance(&r->fc, 10 * MS);
	CHECK(r->fc.fired <= 502);
	hpet_ops.reset(&r->hpet);
	r->fc.fired = 0;
	fake_clock_advance(&r->fc, 10 * MS);
	CHECK_EQ(r->fc.fired, 0);
}

int main(void)
{
	RUN(t_capabilities_and_counter);
	RUN(t_one_shot_edge_and_level);
	RUN(t_legacy_periodic);
	RUN(t_32bit_past_fires_at_once);
	RUN(t_no_storm);
	return test_done();
}
