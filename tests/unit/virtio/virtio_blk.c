/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/dev/virtio/blk.c over a disk in memory whose requests finish when told to. */
#include "fake.h"

#include "dev/virtio/blk.h"

#define DISK 0x20000u
#define HDR FAKE_DATA
#define STATUS (FAKE_DATA + 0x100)
#define BUF (FAKE_DATA + 0x1000)

static struct fake f;
static struct virtio_blk blk;
static struct {
	struct io_block io;
	u8 data[DISK];
	struct io_block_req *waiting[256];
	unsigned n, commits, flushes;
	int err;
	u64 discarded;
} disk;

static void disk_submit(struct io_block *b, struct io_block_req *r)
{
	disk.waiting[disk.n++] = r;
}

static void disk_commit(struct io_block *b)
{
	disk.commits++;
}

static const struct io_block_ops disk_ops = {disk_submit, disk_commit};

static void disk_do(struct io_block_req *r)
{
	u64 at = r->offset, sum = 0;

	for (unsigned i = 0; i < r->niov; i++) {
		if (r->op == IO_BLOCK_READ)
			memcpy(r->iov[i].base, &disk.data[at], r->iov[i].len);
		else if (r->op == IO_BLOCK_WRITE)
			memcpy(&disk.data[at], r->iov[i].base, r->iov[i].len);
		at += r->iov[i].len;
		sum += r->iov[i].len;
	}
	if ((r->op == IO_BLOCK_READ || r->op == IO_BLOCK_WRITE) && sum != r->len)
		abort();
	if (r->op == IO_BLOCK_DISCARD)
		disk.discarded += r->len;
	if (r->op == IO_BLOCK_WRITE_ZEROES)
		memset(&disk.data[r->offset], 0, r->len);
	disk.flushes += r->op == IO_BLOCK_FLUSH;
}

/* Finishes everything, last first: order must not matter. */
static void disk_run(void)
{
	while (disk.n) {
		struct io_block_req *r = disk.waiting[--disk.n];

		if (!disk.err)
			disk_do(r);
		r->done(r, disk.err);
	}
}

static void setup_with(u64 features, bool readonly, unsigned queues)
{
	memset(&disk, 0, sizeof(disk));
	disk.io = (struct io_block){.ops = &disk_ops,
				    .size = DISK,
				    .block_size = 4096,
				    .readonly = readonly,
				    .can_discard = true,
				    .can_write_zeroes = true,
				    .serial = "hull-disk"};
	fake_init(&f);
	virtio_blk_init(&blk, &f.map, &disk.io, queues);
	fake_start(&f, &blk.dev, features);
}

static void setup(void)
{
	setup_with(BIT(VIRTIO_BLK_F_FLUSH), false, 1);
}

static void header(u32 at, u32 type, u64 sector)
{
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(&f.ram[at], &h, sizeof(h));
}

/* One request with up to one data piece; runs it. The status byte, or 0xee if not used. */
static u8 request(u32 type, u64 sector, u32 len, bool to_guest)
{
	struct fake_seg s[3] = {{HDR, 16, false}};
	unsigned n = 1;
	u32 id, used;

	header(HDR, type, sector);
	f.ram[STATUS] = 0xee;
	if (len)
		s[n++] = (struct fake_seg){BUF, len, to_guest};
	s[n++] = (struct fake_seg){STATUS, 1, true};
	fake_add(&f, 0, s, n);
	fake_kick(&f, 0);
	disk_run();
	return fake_used(&f, 0, &id, &used) ? f.ram[STATUS] : 0xee;
}

static void t_write_then_read(void)
{
	setup();
	for (unsigned i = 0; i < 1024; i++)
		f.ram[BUF + i] = (u8)(i * 7);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 3, 1024, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.data[3 * 512 + 1000], (u8)(1000 * 7));
	memset(&f.ram[BUF], 0, 1024);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 3, 1024, true), VIRTIO_BLK_S_OK);
	CHECK_EQ(f.ram[BUF + 1000], (u8)(1000 * 7));
	CHECK_EQ(f.queue_irqs[0], 2);
	CHECK(disk.commits >= 2);
}

/* Header and status may share buffers with data (no framing is promised, 2.7.4). */
static void t_any_framing(void)
{
	u32 id, len;

	setup();
	header(BUF, VIRTIO_BLK_T_OUT, 1);
	memset(&f.ram[BUF + 16], 0x5a, 512);
	fake_add(&f, 0,
		 (struct fake_seg[]){{BUF, 5, false}, {BUF + 5, 523, false}, {STATUS, 1, true}}, 3);
	fake_kick(&f, 0);
	disk_run();
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK_EQ(disk.data[512], 0x5a);
	CHECK_EQ(disk.data[1023], 0x5a);
	header(HDR, VIRTIO_BLK_T_IN, 1);
	fake_add(&f, 0, (struct fake_seg[]){{HDR, 16, false}, {BUF + 0x800, 513, true}}, 2);
	fake_kick(&f, 0);
	disk_run();
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK_EQ(len, 513);
	CHECK_EQ(f.ram[BUF + 0x800 + 511], 0x5a);
	CHECK_EQ(f.ram[BUF + 0x800 + 512], VIRTIO_BLK_S_OK);
}

static void t_outside_the_disk(void)
{
	setup();
	CHECK_EQ(request(VIRTIO_BLK_T_IN, DISK / 512, 512, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, DISK / 512 - 1, 1024, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, ~0ull, 512, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 1ull << 55, 512, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 100, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(99, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
	CHECK(!fake_broken(&f));
}

static void t_errors_reach_the_guest(void)
{
	setup();
	disk.err = -E_NOSPC;
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_IOERR);
	disk.err = -E_NOTSUP;
	CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_UNSUPP);
}

static void t_flush_and_writethrough(void)
{
	setup();
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.flushes, 0);
	CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.flushes, 1);
	setup_with(0, false, 1); /* no F_FLUSH: every write is followed by one */
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.flushes, 1);
}

static void ranges(unsigned n, u64 sector, u32 count, u32 flags)
{
	for (unsigned i = 0; i < n; i++) {
		struct virtio_blk_range g = {sector + i * count, count, flags};

		memcpy(&f.ram[BUF + i * sizeof(g)], &g, sizeof(g));
	}
}

static void t_discard(void)
{
	setup();
	ranges(3, 8, 8, 0);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 48, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.discarded, 3 * 4096);
	ranges(1, 8, 8, 1);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 17, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 0, false), VIRTIO_BLK_S_IOERR);
	ranges(2, DISK / 512 - 8, 8, 0); /* the second is outside */
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 32, false), VIRTIO_BLK_S_IOERR);
	ranges(1, 0, 0xffffffff, 0);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
}

static void t_write_zeroes(void)
{
	setup();
	memset(disk.data, 0xff, DISK);
	ranges(1, 8, 16, 1);
	CHECK_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(disk.data[8 * 512 - 1], 0xff);
	CHECK_EQ(disk.data[8 * 512], 0);
	CHECK_EQ(disk.data[24 * 512 - 1], 0);
	CHECK_EQ(disk.data[24 * 512], 0xff);
}

static void t_read_only(void)
{
	setup_with(BIT(VIRTIO_BLK_F_RO), true, 1);
	CHECK(blk.dev.features & BIT(VIRTIO_BLK_F_RO));
	CHECK(!(blk.dev.features & BIT(VIRTIO_BLK_F_DISCARD)));
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	ranges(1, 8, 8, 0);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
}

static void t_get_id(void)
{
	setup();
	CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	CHECK(!strcmp((char *)&f.ram[BUF], "hull-disk"));
}

static void t_config(void)
{
	setup();
	CHECK_EQ(virtio_config_read(&blk.dev, 0, 8), DISK / 512);
	CHECK_EQ(virtio_config_read(&blk.dev, 12, 4), VIRTIO_BLK_SEGS - 2);
	CHECK_EQ(virtio_config_read(&blk.dev, 20, 4), 512);
	CHECK_EQ(virtio_config_read(&blk.dev, 24, 1), 3);
	CHECK_EQ(virtio_config_read(&blk.dev, 60, 8), 0);
	CHECK_EQ(virtio_config_read(&blk.dev, ~0ull, 8), 0);
}

/* More requests than slots: the rest waits and is served as slots come free. */
static void t_more_requests_than_slots(void)
{
	u32 id, len;
	unsigned total = 0;

	setup_with(BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_MQ), false, 4);
	for (unsigned q = 0; q < 4; q++) {
		header(HDR, VIRTIO_BLK_T_FLUSH, 0);
		for (unsigned i = 0; i < 60; i++)
			fake_add(&f, q, (struct fake_seg[]){{HDR, 16, false}, {STATUS, 1, true}},
				 2);
		fake_kick(&f, q);
	}
	CHECK_EQ(disk.n, VIRTIO_BLK_REQS);
	disk_run();
	for (unsigned q = 0; q < 4; q++)
		while (fake_used(&f, q, &id, &len))
			total++;
	CHECK_EQ(total, 240);
	CHECK_EQ(blk.in_flight, 0);
}

static void t_reset_waits_for_requests(void)
{
	u32 id, len;

	setup();
	header(HDR, VIRTIO_BLK_T_IN, 0);
	fake_add(&f, 0, (struct fake_seg[]){{HDR, 16, false}, {BUF, 512, true}, {STATUS, 1, true}},
		 3);
	fake_kick(&f, 0);
	virtio_set_status(&blk.dev, 0);
	CHECK(virtio_get_status(&blk.dev) != 0);
	f.ram[STATUS] = 0xee;
	disk_run();
	CHECK_EQ(virtio_get_status(&blk.dev), 0);
	CHECK_EQ(f.ram[STATUS], 0xee);
	CHECK(!fake_used(&f, 0, &id, &len));
	CHECK_EQ(f.queue_irqs[0], 0);
}

static void t_no_room_for_status(void)
{
	setup();
	header(HDR, VIRTIO_BLK_T_IN, 0);
	fake_add(&f, 0, (struct fake_seg[]){{HDR, 16, false}}, 1);
	fake_kick(&f, 0);
	CHECK(fake_broken(&f));
	setup();
	fake_add(&f, 0, (struct fake_seg[]){{HDR, 15, false}, {STATUS, 1, true}}, 2);
	fake_kick(&f, 0);
	CHECK(fake_broken(&f));
	CHECK_EQ(blk.in_flight, 0);
}

int main(void)
{
	RUN(t_write_then_read);
	RUN(t_any_framing);
	RUN(t_outside_the_disk);
	RUN(t_errors_reach_the_guest);
	RUN(t_flush_and_writethrough);
	RUN(t_discard);
	RUN(t_write_zeroes);
	RUN(t_read_only);
	RUN(t_get_id);
	RUN(t_config);
	RUN(t_more_requests_than_slots);
	RUN(t_reset_waits_for_requests);
	RUN(t_no_room_for_status);
	return test_done();
}
