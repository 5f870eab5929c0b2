/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "dev/char/debugcon.h"
#include "dev/misc/legacy_ports.h"
#include "dev/misc/misc.h"
#include "dev/misc/testdev.h"

struct seen {
	u32 value;
	unsigned calls, resets;
	bool a20;
	char text[8];
	size_t len;
};

static void on_exit_value(void *opaque, u32 value)
{
	struct seen *s = opaque;

	s->value = value;
	s->calls++;
}

static void on_panic(void *opaque, u8 events)
{
	on_exit_value(opaque, events);
}

static void on_reset(void *opaque)
{
	((struct seen *)opaque)->resets++;
}

static void on_a20(void *opaque, bool open)
{
	((struct seen *)opaque)->a20 = open;
}

static void t_test_exit(void)
{
	struct seen s = {0};
	struct test_exit d;

	test_exit_init(&d, on_exit_value, &s);
	test_exit_ops.write(&d, 1, 1, 7);
	CHECK_EQ(s.calls, 0);
	test_exit_ops.write(&d, 0, 4, 0x12345678);
	CHECK_EQ(s.calls, 1);
	CHECK_EQ(s.value, 0x12345678);
}

static void t_pvpanic(void)
{
	struct seen s = {0};
	struct pvpanic d;

	pvpanic_init(&d, on_panic, &s);
	CHECK_EQ(pvpanic_ops.read(&d, 0, 1), 3);
	pvpanic_ops.write(&d, 0, 1, 0xf0);
	CHECK_EQ(s.calls, 0);
	pvpanic_ops.write(&d, 0, 1, 0x81);
	CHECK_EQ(s.value, PVPANIC_PANICKED);
}

static void t_cf9_resets_on_rising_edge_only(void)
{
	struct seen s = {0};
	struct reset_cf9 d;

	reset_cf9_init(&d, on_reset, &s);
	reset_cf9_ops.write(&d, 0, 1, RESET_CF9_SYS_RST);
	CHECK_EQ(s.resets, 0);
	reset_cf9_ops.write(&d, 0, 1, RESET_CF9_SYS_RST | RESET_CF9_RST_CPU);
	CHECK_EQ(s.resets, 1);
	reset_cf9_ops.write(&d, 0, 1, RESET_CF9_SYS_RST | RESET_CF9_RST_CPU);
	CHECK_EQ(s.resets, 1);
	CHECK_EQ(reset_cf9_ops.read(&d, 0, 1), 6);
	reset_cf9_ops.reset(&d);
	CHECK_EQ(reset_cf9_ops.read(&d, 0, 1), 0);
}

static void t_port92(void)
{
	struct seen s = {.a20 = true};
	struct port92 d;

	port92_init(&d, on_reset, on_a20, &s);
	CHECK_EQ(port92_ops.read(&d, 0, 1), PORT92_ALT_A20);
	port92_ops.write(&d, 0, 1, 0);
	CHECK(!s.a20);
	port92_ops.write(&d, 0, 1, PORT92_ALT_A20);
	CHECK(s.a20);
	CHECK_EQ(s.resets, 0);
	port92_ops.write(&d, 0, 1, 3);
	CHECK_EQ(s.resets, 1);
}

static void t_post(void)
{
	struct post_port d;

	post_port_init(&d);
	post_port_ops.write(&d, 0, 1, 0x5a);
	CHECK_EQ(post_port_ops.read(&d, 0, 1), 0x5a);
	CHECK_EQ(d.count, 1);
}

struct sink {
	struct io_char c;
	struct seen *s;
};

static void sink_write(struct io_char *c, const void *buf, size_t len)
{
	struct seen *s = ((struct sink *)c)->s;

	if (s->len + len < sizeof(s->text))
		memcpy(s->text + s->len, buf, len);
	s->len += len;
}

static void t_debugcon(void)
{
	static const struct io_char_ops ops = {.write = sink_write};
	struct seen s = {0};
	struct sink k = {.c = {.ops = &ops}, .s = &s};
	struct debugcon d;

	debugcon_init(&d, &k.c);
	CHECK_EQ(debugcon_ops.read(&d, 0, 1), 0xe9);
	debugcon_ops.write(&d, 0, 1, 'h');
	debugcon_ops.write(&d, 0, 1, 'i');
	CHECK(!strcmp(s.text, "hi"));
	debugcon_init(&d, NULL);
	debugcon_ops.write(&d, 0, 1, 'x');
}

static void on_line(void *opaque, unsigned n, bool level)
{
	((struct seen *)opaque)->value = n << 1 | level;
}

static void t_testdev(void)
{
	struct testdev *d = calloc(1, sizeof(*d));
	struct seen s = {0};

	for (unsigned i = 0; i < TESTDEV_LINES; i++)
		d->line[i] = (struct irq_line){on_line, &s, i};
	testdev_line_ops.write(d, 14, 1, 1);
	CHECK_EQ(s.value, 14 << 1 | 1);
	testdev_line_ops.write(d, 14, 1, 0);
	CHECK_EQ(s.value, 14 << 1);
	testdev_line_ops.write(d, TESTDEV_LINES - 1, 1, 2);
	CHECK_EQ(s.value, (TESTDEV_LINES - 1) << 1 | 1);

	testdev_port_ops.write(d, 0, 4, 0x12345678);
	testdev_port_ops.write(d, 1, 1, 0xaa);
	testdev_port_ops.write(d, 4, 4, 0x99999999);
	CHECK_EQ(testdev_port_ops.read(d, 0, 4), 0x1234aa78);
	CHECK_EQ(testdev_port_ops.read(d, 2, 2), 0x1234);
	CHECK_EQ(testdev_port_ops.read(d, 4, 4), 0);

	testdev_ram_ops.write(d, TESTDEV_RAM_SIZE - 8, 8, 0x1122334455667788);
	CHECK_EQ(testdev_ram_ops.read(d, TESTDEV_RAM_SIZE - 8, 8), 0x1122334455667788);
	CHECK_EQ(testdev_ram_ops.read(d, TESTDEV_RAM_SIZE - 7, 2), 0x6677);
	testdev_ram_ops.reset(d);
	CHECK_EQ(testdev_ram_ops.read(d, TESTDEV_RAM_SIZE - 8, 8), 0);
	CHECK_EQ(testdev_port_ops.read(d, 0, 4), 0);
	free(d);
}

int main(void)
{
	RUN(t_test_exit);
	RUN(t_pvpanic);
	RUN(t_cf9_resets_on_rising_edge_only);
	RUN(t_port92);
	RUN(t_post);
	RUN(t_debugcon);
	RUN(t_testdev);
	return test_done();
}
