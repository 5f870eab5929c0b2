/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/dev/virtio/console.c. */
#include "fake.h"

#include "dev/virtio/console.h"

static struct fake f;
static struct virtio_console con;
static struct sink {
	struct io_char chr;
	char out[256];
	size_t len;
	unsigned ready;
} sink[2];

static void sink_write(struct io_char *c, const void *buf, size_t len)
{
	struct sink *s = (struct sink *)c;

	if (s->len + len < sizeof(s->out)) {
		memcpy(s->out + s->len, buf, len);
		s->len += len;
	}
}

static void sink_rx_ready(struct io_char *c)
{
	((struct sink *)c)->ready++;
}

static const struct io_char_ops sink_ops = {sink_write, sink_rx_ready};

static void setup(u64 features)
{
	fake_init(&f);
	memset(sink, 0, sizeof(sink));
	sink[0].chr.ops = sink[1].chr.ops = &sink_ops;
	virtio_console_init(&con, &f.map,
			    (struct virtio_console_port_config[]){{&sink[0].chr, NULL, true},
								  {&sink[1].chr, "agent", false}},
			    2, &virtio_console_multiport);
	fake_start(&f, &con.dev, features);
}

static void say(unsigned q, u32 at, const void *bytes, u32 len)
{
	u32 id, n;

	memcpy(&f.ram[at], bytes, len);
	fake_add(&f, q, (struct fake_seg[]){{at, len, false}}, 1);
	fake_kick(&f, q);
	fake_used(&f, q, &id, &n);
}

static void control(u32 id, u16 event, u16 value)
{
	struct virtio_console_control m = {id, event, value};

	say(3, FAKE_DATA, &m, sizeof(m));
}

/* The next control message; event 0xffff if there is none. */
static struct virtio_console_control heard(u32 *len)
{
	struct virtio_console_control m = {0, 0xffff, 0};
	u32 id;

	if (fake_used(&f, 2, &id, len))
		memcpy(&m, &f.ram[f.q[2].desc[id].addr], sizeof(m));
	return m;
}

static void give_control_buffers(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fake_add(&f, 2, (struct fake_seg[]){{FAKE_DATA + 0x1000 + i * 0x100, 0x80, true}},
			 1);
	fake_kick(&f, 2);
}

static void t_single_port(void)
{
	u32 id, len;

	setup(0);
	say(1, FAKE_DATA, "boot", 4);
	CHECK(!memcmp(sink[0].out, "boot", 4));
	CHECK_EQ(sink[0].chr.receive(sink[0].chr.opaque, "hi", 2), 0); /* no buffers */
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 3, true}}, 1);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA + 16, 3, true}}, 1);
	fake_kick(&f, 0);
	CHECK_EQ(sink[0].ready, 1);
	CHECK_EQ(sink[0].chr.receive(sink[0].chr.opaque, "hello world", 11), 6);
	CHECK(fake_used(&f, 0, &id, &len));
	CHECK_EQ(len, 3);
	CHECK(!memcmp(&f.ram[FAKE_DATA], "hel", 3));
	CHECK(!memcmp(&f.ram[FAKE_DATA + 16], "lo ", 3));
	CHECK_EQ(f.queue_irqs[0], 1);
}

static void t_multiport_handshake(void)
{
	struct virtio_console_control m;
	u32 len;

	setup(BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	give_control_buffers(16);
	control(~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_DEVICE_ADD);
	CHECK_EQ(m.id, 0);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_DEVICE_ADD);
	CHECK_EQ(m.id, 1);
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_CONSOLE_PORT);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_EQ(m.value, 1);
	control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_PORT_NAME);
	CHECK_EQ(len, 8 + 5);
	CHECK_EQ(heard(&len).event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_EQ(heard(&len).event, 0xffff);
	virtio_console_set_open(&con, 1, false);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_EQ(m.value, 0);
}

static void t_control_waits_for_buffers(void)
{
	u32 len;

	setup(BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK_EQ(heard(&len).event, 0xffff);
	give_control_buffers(1);
	CHECK_EQ(heard(&len).event, VIRTIO_CONSOLE_DEVICE_ADD);
	CHECK_EQ(heard(&len).event, 0xffff);
	give_control_buffers(1);
	CHECK_EQ(heard(&len).event, VIRTIO_CONSOLE_DEVICE_ADD);
}

static void t_second_port_data(void)
{
	setup(BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	say(5, FAKE_DATA, "agent says", 10);
	CHECK(!memcmp(sink[1].out, "agent says", 10));
	fake_add(&f, 4, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	CHECK_EQ(sink[1].chr.receive(sink[1].chr.opaque, "x", 1), 0); /* the guest has it closed */
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(sink[1].ready, 1);
	CHECK_EQ(sink[1].chr.receive(sink[1].chr.opaque, "x", 1), 1);
	fake_add(&f, 4, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	CHECK_EQ(sink[1].chr.receive(sink[1].chr.opaque, "y", 1), 0); /* held again */
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(sink[1].chr.receive(sink[1].chr.opaque, "y", 1), 1);
}

static void t_resize(void)
{
	struct virtio_console_control m;
	u32 len;

	setup(BIT(VIRTIO_CONSOLE_F_MULTIPORT) | BIT(VIRTIO_CONSOLE_F_SIZE));
	give_control_buffers(8);
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	heard(&len);
	heard(&len);
	sink[0].chr.resize(sink[0].chr.opaque, 132, 50);
	m = heard(&len);
	CHECK_EQ(m.event, VIRTIO_CONSOLE_RESIZE);
	CHECK_EQ(len, 12);
	CHECK_EQ(virtio_config_read(&con.dev, 0, 2), 132);
	CHECK_EQ(virtio_config_read(&con.dev, 2, 2), 50);
	CHECK_EQ(f.config_irqs, 1);
	CHECK_EQ(con.dev.config_generation, 1);
}

static void t_hostile_control(void)
{
	u32 len;

	setup(BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	give_control_buffers(4);
	control(2, VIRTIO_CONSOLE_PORT_READY, 1);
	control(0xffffffff, VIRTIO_CONSOLE_PORT_OPEN, 1);
	control(1, 77, 1);
	say(3, FAKE_DATA, "abc", 3);
	CHECK_EQ(heard(&len).event, 0xffff);
	CHECK(!fake_broken(&f));
}

/* Boards without console_ports.c: two queues, nothing negotiated. */
static void t_console_alone(void)
{
	setup(0);
	virtio_console_init(&con, &f.map,
			    &(struct virtio_console_port_config){&sink[0].chr, NULL, true}, 1,
			    NULL);
	CHECK_EQ(con.dev.nvqs, 2);
	CHECK(!(con.dev.features & BIT(VIRTIO_CONSOLE_F_MULTIPORT)));
	fake_start(&f, &con.dev, 0);
	say(1, FAKE_DATA, "out", 3);
	CHECK(!memcmp(sink[0].out, "out", 3));
	CHECK_EQ(sink[0].chr.receive(sink[0].chr.opaque, "in", 2), 0);
	fake_add(&f, 0, (struct fake_seg[]){{FAKE_DATA, 64, true}}, 1);
	fake_kick(&f, 0);
	CHECK(sink[0].ready);
	CHECK_EQ(sink[0].chr.receive(sink[0].chr.opaque, "in", 2), 2);
	CHECK(!memcmp(&f.ram[FAKE_DATA], "in", 2));
	sink[0].chr.resize(sink[0].chr.opaque, 80, 25);
	CHECK(!fake_broken(&f));
}

static void t_emergency_write(void)
{
	setup(0);
	virtio_config_write(&con.dev, 8, 4, '!');
	CHECK_EQ(sink[0].out[0], '!');
	CHECK_EQ(sink[0].len, 1);
}

int main(void)
{
	RUN(t_single_port);
	RUN(t_multiport_handshake);
	RUN(t_control_waits_for_buffers);
	RUN(t_second_port_data);
	RUN(t_resize);
	RUN(t_hostile_control);
	RUN(t_console_alone);
	RUN(t_emergency_write);
	return test_done();
}
