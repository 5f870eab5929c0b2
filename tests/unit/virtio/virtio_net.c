/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/dev/virtio/net.c, rng.c and mmio.c. */
#include "fake.h"

#include "dev/virtio/mmio.h"
#include "dev/virtio/net.h"
#include "dev/virtio/rng.h"

#define HDR 12u

static struct fake f;
static struct virtio_net net;
static struct {
	struct io_net io;
	u8 sent[IO_NET_FRAME_MAX];
	size_t len;
	unsigned frames, rx_ready;
} wire;

static const u8 mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static void wire_tx(struct io_net *n, const struct io_vec *iov, unsigned niov)
{
	wire.len = 0;
	for (unsigned i = 0; i < niov; i++) {
		memcpy(wire.sent + wire.len, iov[i].base, iov[i].len);
		wire.len += iov[i].len;
	}
	wire.frames++;
}

static void wire_rx_ready(struct io_net *n)
{
	wire.rx_ready++;
}

static const struct io_net_ops wire_ops = {wire_tx, wire_rx_ready};

static void setup(u64 features)
{
	fake_init(&f);
	memset(&wire, 0, sizeof(wire));
	wire.io = (struct io_net){.ops = &wire_ops, .mtu = 1500};
	memcpy(wire.io.mac, mac, 6);
	virtio_net_init(&net, &f.map, &wire.io);
	fake_start(&f, &net.dev, features);
}

static bool frame_in(size_t len)
{
	static u8 frame[IO_NET_FRAME_MAX + 1];

	for (size_t i = 0; i < len; i++)
		frame[i] = (u8)(i * 3);
	memcpy(frame, mac, 6);
	return wire.io.receive(wire.io.opaque, frame, len);
}

static void t_transmit(void)
{
	u32 id, len;

	setup(0);
	for (unsigned i = 0; i < 200; i++)
		f.ram[FAKE_DATA + i] = (u8)i;
	/* The header ends in the middle of the second piece. */
	fake_add(&f, 1,
		 (struct fake_seg[]){{FAKE_DATA, 5, false},
				     {FAKE_DATA + 5, 20, false},
				     {FAKE_DATA + 25, 47, false}},
		 3);
	fake_kick(&f, 1);
	CHECK_EQ(wire.frames, 1);
	CHECK_EQ(wire.len, 72 - HDR);
	CHECK(wire.sent[0] == HDR && wire.sent[59] == 71);
	CHECK(fake_used(&f, 1, &id, &len));
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, HDR, false}}, 1); /* nothing in it */
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, 70000, false}}, 1);
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, 100, true}}, 1);
	fake_kick(&f, 1);
	CHECK_EQ(wire.frames, 1);
	CHECK_EQ(net.tx_dropped, 3);
	CHECK(fake_used(&f, 1, &id, &len) && fake_used(&f, 1, &id, &len));
}

static void t_receive(void)
{
	u32 id, len;

	setup(0);
	CHECK(!frame_in(100)); /* no buffers: kept by the back end */
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 6, true}, {FAKE_DATA + 0x100, 200, true}},
		 2);
	fake_kick(&f, 0);
	CHECK(wire.rx_ready > 0);
	CHECK(frame_in(100));
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK_EQ(len, 112);
	CHECK_EQ(f.ram[FAKE_DATA + 0x100 + 4], 1); /* num_buffers */
	CHECK(!memcmp(&f.ram[FAKE_DATA + 0x106], mac, 6));
	CHECK_EQ(f.ram[FAKE_DATA + 0x106 + 99], (u8)(99 * 3));
	CHECK_EQ(f.queue_irqs[0], 1);
}

static void t_too_large_without_merging_is_dropped(void)
{
	u32 id, len;

	setup(0);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	CHECK(frame_in(100));
	CHECK_EQ(net.rx_dropped, 1);
	CHECK(!fake_used(&f, 0, &id, &len));
	CHECK(frame_in(50)); /* the buffer was put back */
	CHECK(fake_used(&f, 0, &id, &len));
}

static void t_merged_buffers(void)
{
	u32 id, len, total = 0;

	setup(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 3; i++)
		fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA + i * 0x1000, 1000, true}}, 1);
	CHECK(!frame_in(3000)); /* 3012 bytes do not fit yet */
	CHECK_EQ(f.q[0].used->idx, 0);
	CHECK_EQ(*(u16 *)&f.q[0].used->ring[256], 3); /* tell me when there is a fourth */
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA + 0x3000, 1000, true}}, 1);
	CHECK(frame_in(3000));
	for (unsigned i = 0; i < 4; i++) {
		CHECK(fake_used(&f, 0, &id, &len));
		total += len;
	}
	CHECK_EQ(total, 3012);
	CHECK_EQ(f.ram[FAKE_DATA + 10], 4);
	CHECK_EQ(f.ram[FAKE_DATA + 0x3000 + 11], (u8)(2999 * 3));
}

static void t_frames_for_others(void)
{
	u8 other[60] = {0x02, 1, 1, 1, 1, 1};
	u32 id, len;

	setup(BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX));
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 200, true}}, 1);
	CHECK(wire.io.receive(wire.io.opaque, other, sizeof(other)));
	CHECK(!fake_used(&f, 0, &id, &len));
	f.ram[FAKE_DATA + 0x1000] = VIRTIO_NET_CTRL_RX;
	f.ram[FAKE_DATA + 0x1001] = VIRTIO_NET_CTRL_RX_PROMISC;
	f.ram[FAKE_DATA + 0x1002] = 1;
	f.ram[FAKE_DATA + 0x1010] = 0xee;
	fake_add(&f, 2,
		 (struct fake_seg[]){{FAKE_DATA + 0x1000, 3, false}, {FAKE_DATA + 0x1010, 1, true}},
		 2);
	fake_kick(&f, 2);
	CHECK_EQ(f.ram[FAKE_DATA + 0x1010], VIRTIO_NET_OK);
	CHECK(wire.io.receive(wire.io.opaque, other, sizeof(other)));
	CHECK(fake_used(&f, 0, &id, &len));
}

static u8 command(u8 class, u8 cmd, u32 len)
{
	f.ram[FAKE_DATA] = class;
	f.ram[FAKE_DATA + 1] = cmd;
	f.ram[FAKE_DATA + 0x100] = 0xee;
	fake_add(&f, 2, (struct fake_seg[]){{FAKE_DATA, len, false}, {FAKE_DATA + 0x100, 1, true}},
		 2);
	fake_kick(&f, 2);
	return f.ram[FAKE_DATA + 0x100];
}

static void t_control(void)
{
	setup(BIT(VIRTIO_NET_F_CTRL_VQ));
	memcpy(&f.ram[FAKE_DATA + 2], "\x02\x22\x33\x44\x55\x66", 6);
	CHECK_EQ(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 8), VIRTIO_NET_OK);
	CHECK_EQ(virtio_config_read(&net.dev, 0, 4), 0x44332202);
	CHECK_EQ(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 5), VIRTIO_NET_ERR);
	CHECK_EQ(command(77, 0, 8), VIRTIO_NET_ERR);
	CHECK_EQ(command(0, 0, 1), VIRTIO_NET_ERR);
	virtio_set_status(&net.dev, 0);
	CHECK_EQ(virtio_config_read(&net.dev, 0, 4), 0x01005452);
}

static void fill(void *opaque, void *buf, size_t len)
{
	memset(buf, 0x77, len);
}

static void t_rng(void)
{
	static struct virtio_rng rng;
	u32 id, len;

	fake_init(&f);
	virtio_rng_init(&rng, &f.map, &(struct io_entropy){fill, NULL});
	fake_start(&f, &rng.dev, 0);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA + 0x1000, 0x10000, true}}, 1);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 64, false}}, 1);
	fake_kick(&f, 0);
	CHECK(fake_used(&f, 0, &id, &len) && len == 64);
	CHECK(f.ram[FAKE_DATA + 63] == 0x77 && !f.ram[FAKE_DATA + 64]);
	CHECK(fake_used(&f, 0, &id, &len) && len == IO_ENTROPY_MAX);
	CHECK(fake_used(&f, 0, &id, &len) && len == 0);
}

static struct virtio_mmio mmio;
static bool line;

static void set_line(void *opaque, unsigned n, bool level)
{
	line = level;
}

static u32 get(u32 off)
{
	return (u32)virtio_mmio_ops.read(&mmio, off, 4);
}

static void put(u32 off, u32 val)
{
	virtio_mmio_ops.write(&mmio, off, 4, val);
}

static void t_mmio_drives_a_device(void)
{
	static struct virtio_rng rng;
	u32 id, len;

	fake_init(&f);
	virtio_rng_init(&rng, &f.map, &(struct io_entropy){fill, NULL});
	virtio_mmio_init(&mmio, &rng.dev, &(struct irq_line){set_line, NULL, 0});
	f.dev = &rng.dev;
	CHECK_EQ(get(VIRTIO_MMIO_MAGIC), 0x74726976);
	CHECK_EQ(get(VIRTIO_MMIO_VERSION), 2);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	CHECK_EQ(get(VIRTIO_MMIO_DEVICE_FEATURES), 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(VIRTIO_MMIO_STATUS, 11);
	CHECK_EQ(get(VIRTIO_MMIO_STATUS), 11);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	put(VIRTIO_MMIO_QUEUE_NUM, 16);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0x1000);
	put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, 0x2000);
	put(VIRTIO_MMIO_QUEUE_DEVICE_LOW, 0x3000);
	put(VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY), 1);
	put(VIRTIO_MMIO_STATUS, 15);
	f.q[0] = (struct fake_queue){.desc = (void *)&f.ram[0x1000],
				     .avail = (void *)&f.ram[0x2000],
				     .used = (void *)&f.ram[0x3000],
				     .size = 16};
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK(line);
	CHECK_EQ(get(VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	put(VIRTIO_MMIO_INTERRUPT_ACK, 1);
	CHECK(!line);
	put(VIRTIO_MMIO_STATUS, 0);
	CHECK_EQ(get(VIRTIO_MMIO_QUEUE_READY), 0);
	CHECK_EQ(virtio_mmio_ops.read(&mmio, 0, 1), 0); /* only 32-bit accesses */
}

int main(void)
{
	RUN(t_transmit);
	RUN(t_receive);
	RUN(t_too_large_without_merging_is_dropped);
	RUN(t_merged_buffers);
	RUN(t_frames_for_others);
	RUN(t_control);
	RUN(t_rng);
	RUN(t_mmio_drives_a_device);
	return test_done();
}
