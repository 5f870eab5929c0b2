/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/dev/virtio/virtqueue.c and virtio.c with an echo device. */
#include "fake.h"

struct echo {
	struct virtio_dev dev;
	struct virtq vq[2];
	unsigned chains;
	u64 out_len, in_len;
	bool busy; /* reset is not finished at once */
};

static struct fake f;
static struct echo e;

/* Queue 0: copies the readable part to the writable one. */
static void echo_notify(struct virtio_dev *d, unsigned q)
{
	VIRTQ_CHAIN(c);

	do {
		virtq_kicks_off(&d->vq[q]);
		while (virtq_pop(&d->vq[q], &c)) {
			static u8 buf[0x10000];
			u64 n = virtq_read(&c, 0, buf, sizeof(buf));

			e.chains++;
			e.out_len = c.out_len;
			e.in_len = c.in_len;
			virtq_push(&d->vq[q], &c, (u32)virtq_write(&c, 0, buf, n));
		}
	} while (virtq_kicks_on(&d->vq[q]));
	virtq_interrupt(&d->vq[q]);
}

static bool echo_reset(struct virtio_dev *d)
{
	return !e.busy;
}

static const struct virtio_ops echo_ops = {
	.name = "echo",
	.notify = echo_notify,
	.reset = echo_reset,
};

static void setup(u64 features)
{
	fake_init(&f);
	memset(&e, 0, sizeof(e));
	virtio_init(&e.dev, &echo_ops, VIRTIO_ID_RNG, &f.map, e.vq, 2);
	virtio_queue_size(&e.dev, 0, 64);
	fake_start(&f, &e.dev, features);
}

static void t_echo_copies_across_pieces(void)
{
	u32 id, len;

	setup(0);
	memcpy(&f.ram[FAKE_DATA], "hello, ", 7);
	memcpy(&f.ram[FAKE_DATA + 0x100], "world", 5);
	u16 head = fake_add(&f, 0,
			    (struct fake_seg[]){{FAKE_DATA, 7, false},
						{FAKE_DATA + 0x100, 5, false},
						{FAKE_DATA + 0x1000, 3, true},
						{FAKE_DATA + 0x2000, 100, true}},
			    4);
	fake_kick(&f, 0);
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK_EQ(id, head);
	CHECK_EQ(len, 12);
	CHECK_EQ(e.in_len, 103);
	CHECK(!memcmp(&f.ram[FAKE_DATA + 0x1000], "hel", 3));
	CHECK(!memcmp(&f.ram[FAKE_DATA + 0x2000], "lo, world", 9));
	CHECK_EQ(f.queue_irqs[0], 1);
	CHECK(!fake_used(&f, 0, &id, &len));
}

static void t_writes_are_reported_to_engines(void)
{
	setup(0);
	f.flags[(FAKE_DATA + 0x1000) >> 12] = GPA_PAGE_CODE;
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}, {FAKE_DATA + 0x1000, 4, true}},
		 2);
	fake_kick(&f, 0);
	CHECK_EQ(f.pages_written, 1);
}

static void t_many_rounds_wrap_the_ring(void)
{
	u32 id, len;

	setup(BIT(VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 200000; i++) {
		f.q[0].avail->ring[f.q[0].size] = f.q[0].used->idx; /* used_event: each one */
		u16 head = fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);

		fake_kick(&f, 0);
		CHECK(fake_used(&f, 0, &id, &len) && id == head);
	}
	CHECK_EQ(f.queue_irqs[0], 200000);
	CHECK(!fake_broken(&f));
}

static void t_no_interrupt_flag(void)
{
	setup(0);
	f.q[0].avail->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	fake_kick(&f, 0);
	CHECK_EQ(e.chains, 1);
	CHECK_EQ(f.queue_irqs[0], 0);
}

static void t_event_idx_suppresses_interrupts(void)
{
	setup(BIT(VIRTIO_F_EVENT_IDX));
	f.q[0].avail->ring[64] = 2; /* used_event: when entry 2 is used */
	for (unsigned i = 0; i < 4; i++) {
		fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
		fake_kick(&f, 0);
		CHECK_EQ(f.queue_irqs[0], i >= 2);
	}
	/* avail_event follows what the device has taken. */
	CHECK_EQ(*(u16 *)&f.q[0].used->ring[64], 4);
}

static void t_notify_flag_is_off_when_idle(void)
{
	setup(0);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	fake_kick(&f, 0);
	CHECK_EQ(f.q[0].used->flags, 0);
}

static void indirect_table(u32 at, unsigned n)
{
	struct virtq_desc *t = (void *)&f.ram[at];

	for (unsigned i = 0; i < n; i++)
		t[i] = (struct virtq_desc){.addr = FAKE_DATA + 0x1000 + i,
					   .len = 1,
					   .flags = i + 1 < n ? VIRTQ_DESC_F_NEXT : 0,
					   .next = (u16)(i + 1)};
}

static void add_indirect(u64 gpa, u32 len, u16 flags)
{
	f.q[0].desc[0] = (struct virtq_desc){
		.addr = gpa, .len = len, .flags = (u16)(VIRTQ_DESC_F_INDIRECT | flags)};
	fake_offer(&f.q[0], 0);
	fake_kick(&f, 0);
}

static void t_indirect(void)
{
	setup(BIT(VIRTIO_F_INDIRECT_DESC));
	indirect_table(FAKE_DATA, 200); /* longer than the ring */
	add_indirect(FAKE_DATA, 200 * 16, 0);
	CHECK(!fake_broken(&f));
	CHECK_EQ(e.out_len, 200);
}

static void t_chain_then_indirect(void)
{
	setup(BIT(VIRTIO_F_INDIRECT_DESC));
	indirect_table(FAKE_DATA, 5);
	f.q[0].desc[3] = (struct virtq_desc){FAKE_DATA, 10, VIRTQ_DESC_F_NEXT, 4};
	f.q[0].desc[4] = (struct virtq_desc){FAKE_DATA, 5 * 16, VIRTQ_DESC_F_INDIRECT, 0};
	fake_offer(&f.q[0], 3);
	fake_kick(&f, 0);
	CHECK(!fake_broken(&f));
	CHECK_EQ(e.out_len, 15);
}

/* Each of these must end in NEEDS_RESET, one configuration interrupt, and silence. */
#define CHECK_BROKEN()                                                                             \
	do {                                                                                       \
		CHECK(fake_broken(&f));                                                            \
		CHECK(f.dev->broken);                                                              \
		CHECK_EQ(f.config_irqs, 1);                                                        \
		CHECK_EQ(e.chains, 0);                                                             \
		fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);                    \
		fake_kick(&f, 0);                                                                  \
		CHECK_EQ(e.chains, 0);                                                             \
		CHECK_EQ(f.config_irqs, 1);                                                        \
	} while (0)

static void bad_chain(const struct fake_seg *s, unsigned n)
{
	setup(0);
	fake_add(&f, 0, s, n);
	fake_kick(&f, 0);
}

static void t_bad_addresses(void)
{
	static const struct fake_seg bad[] = {
		{FAKE_RAM, 1, false},	 {FAKE_RAM - 1, 2, false},	 {~0ull, 1, true},
		{~0ull - 10, 100, true}, {FAKE_DATA, 0xffffffff, false}, {1ull << 40, 4096, true},
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		bad_chain(&bad[i], 1);
		CHECK_BROKEN();
	}
}

static void t_zero_length(void)
{
	bad_chain((struct fake_seg[]){{FAKE_DATA, 0, false}}, 1);
	CHECK_BROKEN();
}

static void t_wrong_direction_order(void)
{
	bad_chain((struct fake_seg[]){{FAKE_DATA, 4, true}, {FAKE_DATA, 4, false}}, 2);
	CHECK_BROKEN();
}

static void t_loops(void)
{
	setup(0);
	f.q[0].desc[0] = (struct virtq_desc){FAKE_DATA, 4, VIRTQ_DESC_F_NEXT, 0};
	fake_offer(&f.q[0], 0);
	fake_kick(&f, 0);
	CHECK_BROKEN();
	setup(0);
	for (u16 i = 0; i < 64; i++)
		f.q[0].desc[i] =
			(struct virtq_desc){FAKE_DATA, 4, VIRTQ_DESC_F_NEXT, (u16)((i + 1) % 64)};
	fake_offer(&f.q[0], 5);
	fake_kick(&f, 0);
	CHECK_BROKEN();
}

static void t_indexes_outside(void)
{
	setup(0);
	fake_offer(&f.q[0], 64);
	fake_kick(&f, 0);
	CHECK_BROKEN();
	setup(0);
	f.q[0].desc[0] = (struct virtq_desc){FAKE_DATA, 4, VIRTQ_DESC_F_NEXT, 64};
	fake_offer(&f.q[0], 0);
	fake_kick(&f, 0);
	CHECK_BROKEN();
	setup(0);
	f.q[0].avail->idx = 65;
	fake_kick(&f, 0);
	CHECK_BROKEN();
}

static void t_bad_indirect(void)
{
	static const struct {
		u64 gpa;
		u32 len;
		u16 flags;
	} bad[] = {
		{FAKE_DATA, 0, 0},	{FAKE_DATA, 17, 0},  {FAKE_DATA, 16 * 4096 * 16, 0},
		{FAKE_RAM - 16, 32, 0}, {~0ull - 15, 16, 0}, {FAKE_DATA, 16, VIRTQ_DESC_F_NEXT},
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		setup(BIT(VIRTIO_F_INDIRECT_DESC));
		indirect_table(FAKE_DATA, 300);
		add_indirect(bad[i].gpa, bad[i].len, bad[i].flags);
		CHECK_BROKEN();
	}
	setup(0); /* not negotiated */
	indirect_table(FAKE_DATA, 2);
	add_indirect(FAKE_DATA, 32, 0);
	CHECK_BROKEN();
}

static void t_indirect_loops_and_nests(void)
{
	struct virtq_desc *t;

	setup(BIT(VIRTIO_F_INDIRECT_DESC));
	t = (void *)&f.ram[FAKE_DATA];
	*t = (struct virtq_desc){FAKE_DATA, 16, VIRTQ_DESC_F_INDIRECT, 0};
	add_indirect(FAKE_DATA, 16, 0);
	CHECK_BROKEN();
	setup(BIT(VIRTIO_F_INDIRECT_DESC));
	t[0] = (struct virtq_desc){FAKE_DATA, 1, VIRTQ_DESC_F_NEXT, 1};
	t[1] = (struct virtq_desc){FAKE_DATA, 1, VIRTQ_DESC_F_NEXT, 0};
	add_indirect(FAKE_DATA, 32, 0);
	CHECK_BROKEN();
	setup(BIT(VIRTIO_F_INDIRECT_DESC)); /* longer than any chain may be */
	indirect_table(FAKE_DATA, 257);
	add_indirect(FAKE_DATA, 257 * 16, 0);
	CHECK_BROKEN();
}

static void t_bad_rings(void)
{
	static const struct {
		u64 desc, avail, used;
		u16 size;
	} bad[] = {
		{0x1001, 0x2000, 0x3000, 64},	     {0x1000, 0x2001, 0x3000, 64},
		{0x1000, 0x2000, 0x3002, 64},	     {FAKE_RAM - 16, 0x2000, 0x3000, 64},
		{0x1000, FAKE_RAM - 16, 0x3000, 64}, {0x1000, 0x2000, FAKE_RAM - 16, 64},
		{~15ull, 0x2000, 0x3000, 64},	     {0x1000, 0x2000, 0x3000, 48},
		{0x1000, 0x2000, 0x3000, 0},	     {0x1000, 0x2000, 0x3000, 128},
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct virtq *q = &e.vq[0];

		setup(0);
		virtio_set_status(&e.dev, 0);
		virtio_set_status(&e.dev, 3);
		virtq_set_size(q, bad[i].size);
		virtq_set_addr(q, &q->desc_gpa, 0, 8, bad[i].desc);
		virtq_set_addr(q, &q->avail_gpa, 0, 8, bad[i].avail);
		virtq_set_addr(q, &q->used_gpa, 0, 8, bad[i].used);
		virtq_enable(q);
		CHECK(fake_broken(&f));
		CHECK(!q->enabled);
	}
}

static void t_rom_cannot_be_written(void)
{
	static _Alignas(4096) u8 rom[4096];
	static _Atomic u8 flags[1];

	setup(0);
	gpa_slot_add(&f.map, &(struct gpa_slot){.gpa = 0x200000,
						.size = 4096,
						.host = rom,
						.page_flags = flags,
						.readonly = true});
	fake_add(&f, 0, (struct fake_seg[]){{0x200000, 16, false}}, 1);
	fake_kick(&f, 0);
	CHECK_EQ(e.chains, 1);
	e.chains = 0;
	fake_add(&f, 0, (struct fake_seg[]){{0x200000, 16, true}}, 1);
	fake_kick(&f, 0);
	CHECK_BROKEN();
}

static void count_broken(struct virtio_dev *d)
{
	e.busy = d->broken != NULL; /* a place to note it */
}

static void t_board_is_told(void)
{
	setup(0);
	e.dev.on_broken = count_broken;
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 0, false}}, 1);
	fake_kick(&f, 0);
	CHECK(e.busy);
}

static void t_reset_recovers(void)
{
	bad_chain((struct fake_seg[]){{FAKE_DATA, 0, false}}, 1);
	CHECK(fake_broken(&f));
	fake_start(&f, &e.dev, 0);
	CHECK(!fake_broken(&f));
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	fake_kick(&f, 0);
	CHECK_EQ(e.chains, 1);
}

static void t_slow_reset_shows_in_status(void)
{
	setup(0);
	e.busy = true;
	virtio_set_status(&e.dev, 0);
	CHECK(virtio_get_status(&e.dev) != 0);
	virtio_set_status(&e.dev, 1); /* too early: ignored */
	e.busy = false;
	virtio_reset_done(&e.dev);
	CHECK_EQ(virtio_get_status(&e.dev), 0);
	CHECK(!e.vq[0].enabled);
}

static void t_features(void)
{
	setup(0);
	virtio_set_status(&e.dev, 0);
	virtio_set_status(&e.dev, 3);
	virtio_set_driver_features(&e.dev, 0, 1); /* not offered */
	virtio_set_driver_features(&e.dev, 1, 1);
	virtio_set_status(&e.dev, 11);
	CHECK_EQ(virtio_get_status(&e.dev), 3);
	virtio_set_driver_features(&e.dev, 0, 0);
	virtio_set_driver_features(&e.dev, 1, 0); /* no VERSION_1 */
	virtio_set_status(&e.dev, 11);
	CHECK_EQ(virtio_get_status(&e.dev), 3);
	virtio_set_driver_features(&e.dev, 1, 1);
	virtio_set_status(&e.dev, 11);
	CHECK_EQ(virtio_get_status(&e.dev), 11);
	virtio_set_driver_features(&e.dev, 0, 1u << 28); /* too late */
	CHECK_EQ(virtio_get_driver_features(&e.dev, 0), 0);
	CHECK_EQ(virtio_get_features(&e.dev, 2), 0);
}

static void t_quiet_unless_running(void)
{
	setup(0);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	virtio_set_dma(&e.dev, false);
	fake_kick(&f, 0);
	CHECK_EQ(e.chains, 0);
	virtio_set_dma(&e.dev, true); /* serves what waited */
	CHECK_EQ(e.chains, 1);
	fake_kick(&f, 7); /* no such queue */
}

static void t_buffer_across_slots(void)
{
	static _Alignas(4096) u8 more[4096];
	static _Atomic u8 flags[1];

	setup(0);
	gpa_slot_add(&f.map,
		     &(struct gpa_slot){
			     .gpa = FAKE_RAM, .size = 4096, .host = more, .page_flags = flags});
	memcpy(&f.ram[FAKE_DATA], "abcd", 4);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 4, false}, {FAKE_RAM - 2, 4, true}}, 2);
	fake_kick(&f, 0);
	CHECK_EQ(e.chains, 1);
	CHECK(!memcmp(&f.ram[FAKE_RAM - 2], "ab", 2));
	CHECK(!memcmp(more, "cd", 2));
}

int main(void)
{
	RUN(t_echo_copies_across_pieces);
	RUN(t_writes_are_reported_to_engines);
	RUN(t_many_rounds_wrap_the_ring);
	RUN(t_no_interrupt_flag);
	RUN(t_event_idx_suppresses_interrupts);
	RUN(t_notify_flag_is_off_when_idle);
	RUN(t_indirect);
	RUN(t_chain_then_indirect);
	RUN(t_bad_addresses);
	RUN(t_zero_length);
	RUN(t_wrong_direction_order);
	RUN(t_loops);
	RUN(t_indexes_outside);
	RUN(t_bad_indirect);
	RUN(t_indirect_loops_and_nests);
	RUN(t_bad_rings);
	RUN(t_rom_cannot_be_written);
	RUN(t_board_is_told);
	RUN(t_reset_recovers);
	RUN(t_slow_reset_shows_in_status);
	RUN(t_features);
	RUN(t_quiet_unless_running);
	RUN(t_buffer_across_slots);
	return test_done();
}
