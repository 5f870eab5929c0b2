/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/timer/rtc.c */
#include "tests/test.h"

#include "dev/timer/rtc.h"
#include "tests/fake_clock.h"

#include <time.h>

#define S 1000000000ULL
#define WALL 1709251199u /* Thu 2024-02-29 23:59:59 UTC */

struct rig {
	struct fake_clock fc;
	struct fake_lines out;
	struct rtc rtc;
};

static struct rig *rig_new(u64 wall)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	fake_clock_init(&r.fc, wall);
	rtc_init(&r.rtc, &r.fc.clock, fake_line(&r.out, 8));
	return &r;
}

static u8 rd(struct rig *r, u8 i)
{
	rtc_ops.write(&r->rtc, 0, 1, i);
	return (u8)rtc_ops.read(&r->rtc, 1, 1);
}

static void wr(struct rig *r, u8 i, u8 v)
{
	rtc_ops.write(&r->rtc, 0, 1, i);
	rtc_ops.write(&r->rtc, 1, 1, v);
}

static void t_time_and_rollover(void)
{
	struct rig *r = rig_new(WALL);

	CHECK_EQ(rd(r, 0), 0x59);
	CHECK_EQ(rd(r, 2), 0x59);
	CHECK_EQ(rd(r, 4), 0x23);
	CHECK_EQ(rd(r, 6), 5);
	CHECK_EQ(rd(r, 7), 0x29);
	CHECK_EQ(rd(r, 8), 0x02);
	CHECK_EQ(rd(r, 9), 0x24);
	CHECK_EQ(rd(r, 0x32), 0x20);
	fake_clock_advance(&r->fc, S);
	CHECK_EQ(rd(r, 0), 0);
	CHECK_EQ(rd(r, 7), 1);
	CHECK_EQ(rd(r, 8), 3);
	CHECK_EQ(rd(r, 6), 6);
}

/* Against the C library, over a century and a half. */
static void t_calendar(void)
{
	for (u64 t = 0; t < 4800000000u; t += 86400 * 13 + 12345) {
		struct rig *r = rig_new(t);
		time_t tt = (time_t)t;
		struct tm tm;

		gmtime_r(&tt, &tm);
		wr(r, 0x0b, 0x06);
		CHECK_EQ(rd(r, 0), (unsigned)tm.tm_sec);
		CHECK_EQ(rd(r, 2), (unsigned)tm.tm_min);
		CHECK_EQ(rd(r, 4), (unsigned)tm.tm_hour);
		CHECK_EQ(rd(r, 6), (unsigned)tm.tm_wday + 1);
		CHECK_EQ(rd(r, 7), (unsigned)tm.tm_mday);
		CHECK_EQ(rd(r, 8), (unsigned)tm.tm_mon + 1);
		CHECK_EQ(rd(r, 0x32) * 100u + rd(r, 9), (unsigned)tm.tm_year + 1900);
	}
}

static void t_12_hour(void)
{
	struct rig *r = rig_new(WALL);

	wr(r, 0x0b, 0x00);
	CHECK_EQ(rd(r, 4), 0x91);
	fake_clock_advance(&r->fc, S);
	CHECK_EQ(rd(r, 4), 0x12);
	fake_clock_advance(&r->fc, 12 * 3600 * S);
	CHECK_EQ(rd(r, 4), 0x92);
}

static void t_set(void)
{
	struct rig *r = rig_new(WALL);

	wr(r, 0x0b, 0x82);
	wr(r, 0, 0x30);
	wr(r, 2, 0x15);
	wr(r, 4, 0x08);
	wr(r, 7, 0x04);
	wr(r, 8, 0x07);
	wr(r, 9, 0x99);
	wr(r, 0x32, 0x19);
	fake_clock_advance(&r->fc, 10 * S);
	CHECK_EQ(rd(r, 0), 0x30); /* stands still */
	wr(r, 0x0b, 0x02);
	fake_clock_advance(&r->fc, 45 * S);
	CHECK_EQ(rd(r, 0), 0x15);
	CHECK_EQ(rd(r, 2), 0x16);
	CHECK_EQ(rd(r, 6), 1); /* 1999-07-04 was a Sunday */
	CHECK_EQ(rd(r, 9), 0x99);
}

static void t_uip(void)
{
	struct rig *r = rig_new(WALL);

	CHECK_EQ(rd(r, 0x0a) & 0x80, 0);
	fake_clock_advance(&r->fc, S - 100000);
	CHECK_EQ(rd(r, 0x0a) & 0x80, 0x80);
	CHECK_EQ(rd(r, 0), 0x59);
	fake_clock_advance(&r->fc, 100000);
	CHECK_EQ(rd(r, 0x0a) & 0x80, 0);
	CHECK_EQ(rd(r, 0), 0);
}

static void t_update_and_alarm(void)
{
	struct rig *r = rig_new(WALL);

	wr(r, 1, 0x30);
	wr(r, 0x0b, 0x12);
	fake_clock_advance(&r->fc, S);
	CHECK(r->out.level[8]);
	CHECK_EQ(rd(r, 0x0c), 0x90);
	CHECK(!r->out.level[8]);
	wr(r, 1, 0x05);
	wr(r, 3, 0xff);
	wr(r, 5, 0xff);
	wr(r, 0x0b, 0x22);
	fake_clock_advance(&r->fc, 4 * S);
	CHECK(!r->out.level[8]);
	fake_clock_advance(&r->fc, S);
	CHECK(r->out.level[8]);
	CHECK_EQ(rd(r, 0x0c), 0xb0);
	wr(r, 0x0b, 0x02);
	r->fc.fired = 0;
	fake_clock_advance(&r->fc, 60 * S);
	CHECK_EQ(r->fc.fired, 0);
}

static void t_periodic(void)
{
	struct rig *r = rig_new(WALL);
	unsigned n = 0;

	wr(r, 0x0a, 0x26);
	wr(r, 0x0b, 0x42);
	for (unsigned i = 0; i < 2048; i++) {
		fake_clock_advance(&r->fc, S / 2048);
		if (r->out.level[8] && rd(r, 0x0c) == 0xc0)
			n++;
	}
	CHECK(n >= 1022 && n <= 1024);
	wr(r, 0x0a, 0x20);
	fake_clock_advance(&r->fc, S);
	rd(r, 0x0c);
	fake_clock_advance(&r->fc, S);
	CHECK(!r->out.level[8]);
}

static void t_memory_bytes(void)
{
	struct rig *r = rig_new(WALL);

	rtc_set_memory(&r->rtc, 3ULL << 30, 5ULL << 30, 4);
	CHECK_EQ(rd(r, 0x15) | rd(r, 0x16) << 8, 640);
	CHECK_EQ(rd(r, 0x34) | rd(r, 0x35) << 8, (3u * 1024 - 16) * 16);
	CHECK_EQ(rd(r, 0x5b) | rd(r, 0x5c) << 8 | rd(r, 0x5d) << 16, 5 * 16384);
	CHECK_EQ(rd(r, 0x5f), 3);
	rtc_ops.reset(&r->rtc);
	CHECK_EQ(rd(r, 0x5f), 3);
}

static void t_offset(void)
{
	struct rig *r = rig_new(WALL);

	rtc_set_offset(&r->rtc, -86400 * 365 - 9);
	CHECK_EQ(rd(r, 9), 0x23);
	CHECK_EQ(rd(r, 8), 0x03);
	CHECK_EQ(rd(r, 7), 0x01);
	CHECK_EQ(rd(r, 0), 0x50);
	fake_clock_advance(&r->fc, S);
	rtc_ops.reset(&r->rtc);
	CHECK_EQ(rd(r, 9), 0x23);
	CHECK_EQ(rd(r, 0), 0x51);
}

static void t_garbage_time(void)
{
	struct rig *r = rig_new(WALL);

	wr(r, 0x0b, 0x80);
	for (unsigned i = 0; i < 10; i++)
		wr(r, i, 0xff);
	wr(r, 0x32, 0xff);
	wr(r, 0x0b, 0x00);
	fake_clock_advance(&r->fc, 5 * S);
	CHECK(rd(r, 8) <= 0x12);
}

int main(void)
{
	RUN(t_time_and_rollover);
	RUN(t_calendar);
	RUN(t_12_hour);
	RUN(t_set);
	RUN(t_uip);
	RUN(t_update_and_alarm);
	RUN(t_periodic);
	RUN(t_memory_bytes);
	RUN(t_offset);
	RUN(t_garbage_time);
	return test_done();
}
