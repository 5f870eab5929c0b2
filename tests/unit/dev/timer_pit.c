/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/timer/pit.c */
#include "tests/test.h"

#include "dev/timer/pit.h"
#include "tests/fake_clock.h"

#define MS 1000000u

struct rig {
	struct fake_clock fc;
	struct fake_lines out;
	struct pit pit;
};

static void out(struct rig *r, unsigned off, u8 v)
{
	pit_ops.write(&r->pit, off, 1, v);
}

static u8 in(struct rig *r, unsigned off)
{
	return (u8)pit_ops.read(&r->pit, off, 1);
}

static struct rig *rig_new(void)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	fake_clock_init(&r.fc, 0);
	pit_init(&r.pit, &r.fc.clock, fake_line(&r.out, 0));
	return &r;
}

static void t_rate_generator(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x34);
	out(r, 0, 11932 & 0xff);
	out(r, 0, 11932 >> 8); /* 100 Hz */
	r->out.rises[0] = 0;
	fake_clock_advance(&r->fc, 1000 * MS);
	CHECK(r->out.rises[0] >= 99 && r->out.rises[0] <= 100);
	out(r, 3, 0x30); /* mode 0 stops it */
	r->out.rises[0] = 0;
	fake_clock_advance(&r->fc, 1000 * MS);
	CHECK_EQ(r->out.rises[0], 0);
}

/* A guest that does not run for a while has its ticks when it takes them, a few at most. */
static void t_missed_ticks_are_made_up(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x34);
	out(r, 0, 4772 & 0xff);
	out(r, 0, 4772 >> 8); /* 250 Hz */
	r->out.rises[0] = 0;
	fake_clock_advance(&r->fc, 4 * MS + MS / 2);
	CHECK_EQ(r->out.rises[0], 1);
	pit_acked(&r->pit);
	CHECK_EQ(r->out.rises[0], 1);
	fake_clock_advance(&r->fc, 20 * MS); /* five more, of which four fall into the first */
	r->out.rises[0] = 0;
	for (unsigned i = 0; i < 10; i++)
		pit_acked(&r->pit);
	CHECK_EQ(r->out.rises[0], 4);
	r->fc.now += 40 * MS; /* the host was late */
	fake_clock_advance(&r->fc, 1);
	r->out.rises[0] = 0;
	for (unsigned i = 0; i < 20; i++)
		pit_acked(&r->pit);
	CHECK_EQ(r->out.rises[0], 9);
	fake_clock_advance(&r->fc, 1000 * MS);
	r->out.rises[0] = 0;
	for (unsigned i = 0; i < 100; i++)
		pit_acked(&r->pit);
	CHECK_EQ(r->out.rises[0], 20);
	fake_clock_advance(&r->fc, 40 * MS);
	out(r, 3, 0x34); /* programmed anew: none of the old ones */
	r->out.rises[0] = 0;
	pit_acked(&r->pit);
	CHECK_EQ(r->out.rises[0], 0);
}

static void t_one_shot_mode0(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x30);
	CHECK(!r->out.level[0]);
	out(r, 0, 0xe8);
	CHECK(!r->out.level[0]);
	out(r, 0, 0x03); /* 1000 ticks: 838.1 us */
	fake_clock_advance(&r->fc, 838000);
	CHECK(!r->out.level[0]);
	fake_clock_advance(&r->fc, 200);
	CHECK(r->out.level[0]);
	CHECK_EQ(r->out.rises[0], 1);
}

static void t_latch_and_read_back(void)
{
	struct rig *r = rig_new();
	u16 v;

	out(r, 3, 0x34);
	out(r, 0, 0);
	out(r, 0, 0);			    /* 65536 */
	fake_clock_advance(&r->fc, 1 * MS); /* 1193 ticks */
	out(r, 3, 0x00);
	fake_clock_advance(&r->fc, 1 * MS);
	v = in(r, 0);
	v |= in(r, 0) << 8;
	CHECK_EQ(v, 65536 - 1193);
	v = in(r, 0);
	v |= in(r, 0) << 8;
	CHECK_EQ(v, 65536 - 2386);
	out(r, 3, 0xc2); /* status and count of channel 0 */
	CHECK_EQ(in(r, 0), 0xb4);
	v = in(r, 0);
	v |= in(r, 0) << 8;
	CHECK_EQ(v, 65536 - 2386);
}

static void t_null_count_and_bcd(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x31); /* mode 0, BCD */
	out(r, 3, 0xe2);
	CHECK_EQ(in(r, 0) & 0x40, 0x40);
	out(r, 0, 0x00);
	out(r, 0, 0x10); /* 1000 */
	out(r, 3, 0xe2);
	CHECK_EQ(in(r, 0) & 0x40, 0);
	fake_clock_advance(&r->fc, 100 * 838 + 100);
	out(r, 3, 0x00);
	CHECK_EQ(in(r, 0), 0x00);
	CHECK_EQ(in(r, 0), 0x09);
}

/* What Linux's TSC calibration does with channel 2. */
static void t_channel2_gate(void)
{
	struct rig *r = rig_new();

	pit_port61_ops.write(&r->pit, 0, 1, 1);
	out(r, 3, 0xb0);
	out(r, 2, 0x9b);
	out(r, 2, 0x2e); /* 11931 ticks: 10 ms */
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0);
	fake_clock_advance(&r->fc, 5 * MS);
	pit_port61_ops.write(&r->pit, 0, 1, 0); /* gate low: stands still */
	fake_clock_advance(&r->fc, 50 * MS);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0);
	pit_port61_ops.write(&r->pit, 0, 1, 1);
	fake_clock_advance(&r->fc, 4 * MS);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0);
	fake_clock_advance(&r->fc, 1 * MS + 1000); /* the stop may cost part of a tick */
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x21, 0x21);
}

static void t_hardware_one_shot(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0xb2); /* channel 2 mode 1 */
	out(r, 2, 0xe8);
	out(r, 2, 0x03);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0x20);
	pit_port61_ops.write(&r->pit, 0, 1, 1);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0);
	fake_clock_advance(&r->fc, 1 * MS);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0x20);
}

static void t_square_wave(void)
{
	struct rig *r = rig_new();

	pit_port61_ops.write(&r->pit, 0, 1, 1);
	out(r, 3, 0xb6);
	out(r, 2, 0xa9);
	out(r, 2, 0x04); /* 1193: 1 ms */
	fake_clock_advance(&r->fc, MS / 4);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0x20);
	fake_clock_advance(&r->fc, MS / 2);
	CHECK_EQ(pit_port61_ops.read(&r->pit, 0, 1) & 0x20, 0);
}

static void t_no_storm(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x14);
	out(r, 0, 2);
	r->fc.fired = 0;
	fake_clock_advance(&r->fc, 10 * MS);
	CHECK(r->fc.fired <= 501);
}

static void t_refresh_toggles(void)
{
	struct rig *r = rig_new();
	u64 first = pit_port61_ops.read(&r->pit, 0, 1) & 0x10;

	fake_clock_advance(&r->fc, 15100);
	CHECK(first != (pit_port61_ops.read(&r->pit, 0, 1) & 0x10));
}

int main(void)
{
	RUN(t_rate_generator);
	RUN(t_missed_ticks_are_made_up);
	RUN(t_one_shot_mode0);
	RUN(t_latch_and_read_back);
	RUN(t_null_count_and_bcd);
	RUN(t_channel2_gate);
	RUN(t_hardware_one_shot);
	RUN(t_square_wave);
	RUN(t_no_storm);
	RUN(t_refresh_toggles);
	return test_done();
}
