/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/dev/virtio/balloon.c. */
#include "fake.h"

#include "dev/virtio/balloon.h"

static struct fake f;
static struct virtio_balloon bal;
static struct {
	unsigned calls;
	u64 gpa, len, total;
} given;

static void release(void *opaque, u64 gpa, u64 len)
{
	given.calls++;
	given.gpa = gpa;
	given.len = len;
	given.total += len;
}

static void setup(u64 features)
{
	memset(&given, 0, sizeof(given));
	fake_init(&f);
	virtio_balloon_init(&bal, &f.map, &(struct io_reclaim){release, NULL});
	fake_start(&f, &bal.dev, features);
}

static void inflate(const u32 *pfn, unsigned n)
{
	u32 id, len;

	memcpy(&f.ram[FAKE_DATA], pfn, n * 4);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, n * 4, false}}, 1);
	fake_kick(&f, 0);
	fake_used(&f, 0, &id, &len);
}

static void t_inflate_joins_runs(void)
{
	setup(0);
	f.flags[0x91] = GPA_PAGE_CODE;
	inflate((u32[]){0x90, 0x91, 0x92, 0xa0}, 4);
	CHECK_EQ(given.calls, 2);
	CHECK_EQ(given.total, 4 * 4096);
	CHECK_EQ(given.gpa, 0xa0000);
	CHECK_EQ(f.pages_written, 1); /* translations of that page must go */
}

static void t_inflate_of_nothing(void)
{
	setup(0);
	inflate((u32[]){0x100, 0xffffffff, 0xfffff}, 3); /* beyond RAM */
	CHECK_EQ(given.calls, 0);
	CHECK(!fake_broken(&f));
	inflate((u32[]){0xfe, 0xff, 0x100}, 3); /* a run that leaves RAM: not released */
	CHECK_EQ(given.calls, 0);
}

static void t_target_and_actual(void)
{
	setup(0);
	virtio_balloon_set_target(&bal, 1000);
	CHECK_EQ(f.config_irqs, 1);
	CHECK_EQ(virtio_config_read(&bal.dev, 0, 4), 1000);
	virtio_config_write(&bal.dev, 4, 4, 700);
	CHECK_EQ(virtio_balloon_actual(&bal), 700);
	virtio_config_write(&bal.dev, 0, 4, 5); /* not the driver's to write */
	CHECK_EQ(virtio_config_read(&bal.dev, 0, 4), 1000);
}

/* The reporting queue moves up when there is no statistics queue. */
static void t_free_page_reporting(void)
{
	const struct fake_seg s[] = {{FAKE_DATA, 0x4000, true}, {FAKE_DATA + 0x8100, 0x2000, true}};

	setup(BIT(VIRTIO_BALLOON_F_PAGE_REPORTING));
	fake_add(&f, 2, s, 2);
	fake_kick(&f, 2);
	CHECK_EQ(given.total, 0x4000 + 0x1000); /* only whole pages */
	setup(BIT(VIRTIO_BALLOON_F_PAGE_REPORTING) | BIT(VIRTIO_BALLOON_F_STATS_VQ));
	fake_add(&f, 3, s, 1);
	fake_kick(&f, 3);
	CHECK_EQ(given.total, 0x4000);
}

static void stat(u8 *p, u16 tag, u64 val)
{
	memcpy(p, &tag, 2);
	memcpy(p + 2, &val, 8);
}

static void t_stats(void)
{
	u32 id, len;

	setup(BIT(VIRTIO_BALLOON_F_STATS_VQ));
	stat(&f.ram[FAKE_DATA], 4, 123456);
	stat(&f.ram[FAKE_DATA + 10], 500, 1);
	stat(&f.ram[FAKE_DATA + 20], 9, 77);
	fake_add(&f, 2, (struct fake_seg[]){{FAKE_DATA, 30, false}}, 1);
	fake_kick(&f, 2);
	CHECK_EQ(bal.stat[4], 123456);
	CHECK_EQ(bal.stats_known, 1u << 4 | 1u << 9);
	CHECK(!fake_used(&f, 2, &id, &len)); /* kept until the next poll */
	virtio_balloon_poll_stats(&bal);
	CHECK(fake_used(&f, 2, &id, &len));
	CHECK_EQ(f.queue_irqs[2], 1);
	virtio_balloon_poll_stats(&bal); /* nothing held: nothing happens */
	CHECK(!fake_used(&f, 2, &id, &len));
}

int main(void)
{
	RUN(t_inflate_joins_runs);
	RUN(t_inflate_of_nothing);
	RUN(t_target_and_actual);
	RUN(t_free_page_reporting);
	RUN(t_stats);
	return test_done();
}
