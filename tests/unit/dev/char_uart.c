/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/char/uart.c */
#include "tests/test.h"

#include "dev/char/uart.h"
#include "tests/fake_clock.h"

struct rig {
	struct io_char back; /* first */
	struct fake_clock fc;
	struct fake_lines out;
	struct uart uart;
	char text[4096];
	size_t len;
	unsigned writes, ready;
};

static void back_write(struct io_char *c, const void *buf, size_t len)
{
	struct rig *r = (struct rig *)c;

	r->writes++;
	if (r->len + len < sizeof(r->text))
		memcpy(r->text + r->len, buf, len);
	r->len += len;
}

static void back_ready(struct io_char *c)
{
	((struct rig *)c)->ready++;
}

static const struct io_char_ops back_ops = {.write = back_write, .rx_ready = back_ready};

static struct rig *rig_new(void)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	r.back.ops = &back_ops;
	fake_clock_init(&r.fc, 0);
	uart_init(&r.uart, &r.back, &r.fc.clock, fake_line(&r.out, 4));
	return &r;
}

static void out(struct rig *r, unsigned reg, u8 v)
{
	uart_ops.write(&r->uart, reg, 1, v);
}

static u8 in(struct rig *r, unsigned reg)
{
	return (u8)uart_ops.read(&r->uart, reg, 1);
}

static void t_polled_output(void)
{
	struct rig *r = rig_new();

	for (const char *s = "hello"; *s; s++) {
		CHECK_EQ(in(r, 5) & 0x60, 0x60);
		out(r, 0, *s);
	}
	CHECK(!strcmp(r->text, "hello"));
	CHECK(!r->out.level[4]);
}

/* One interrupt a FIFO, not one a byte. */
static void t_interrupt_output(void)
{
	struct rig *r = rig_new();
	unsigned sent = 0, services = 0;

	out(r, 2, 0x07);
	out(r, 1, 0x02);
	CHECK(r->out.level[4]);
	r->out.rises[4] = 0;
	while (sent < 160) {
		if (!r->out.level[4]) {
			fake_clock_advance(&r->fc, UART_FLUSH_NS);
			CHECK(r->out.level[4]);
		}
		CHECK_EQ(in(r, 2), 0xc2);
		for (unsigned i = 0; i < 16; i++, sent++)
			out(r, 0, 'a');
		services++;
	}
	CHECK_EQ(services, 10);
	CHECK_EQ(r->writes, 10);
	CHECK_EQ(r->len, 160);
	CHECK(r->out.rises[4] <= 10);
}

static void t_flush_timer(void)
{
	struct rig *r = rig_new();

	out(r, 2, 0x07);
	out(r, 0, 'x');
	out(r, 0, 'y');
	CHECK_EQ(r->len, 0);
	fake_clock_advance(&r->fc, UART_FLUSH_NS);
	CHECK_EQ(r->len, 2);
	CHECK_EQ(r->writes, 1);
}

/* The timer is armed exactly while something is left to send. */
static void t_fini(void)
{
	struct rig *r = rig_new();

	uart_fini(&r->uart);
	CHECK_EQ(r->writes, 0);
	out(r, 2, 0x07);
	out(r, 0, 'x');
	uart_fini(&r->uart);
	CHECK_EQ(r->len, 1);
	CHECK(!r->uart.flush.armed);
}

static void t_input(void)
{
	struct rig *r = rig_new();
	const char text[] = "0123456789abcdefghij";

	CHECK_EQ(r->back.receive(r->back.opaque, text, 20), 1); /* no FIFO: one byte */
	CHECK_EQ(in(r, 5) & 1, 1);
	CHECK_EQ(in(r, 0), '0');
	CHECK_EQ(r->ready, 1);
	out(r, 2, 0xc7);
	out(r, 1, 0x01);
	CHECK_EQ(r->back.receive(r->back.opaque, text, 20), 16);
	CHECK_EQ(in(r, 2), 0xc4);
	for (unsigned i = 0; i < 15; i++)
		CHECK_EQ(in(r, 0), text[i]);
	CHECK_EQ(in(r, 2), 0xcc); /* below the trigger: character timeout */
	CHECK_EQ(r->ready, 1);
	CHECK_EQ(in(r, 0), 'f');
	CHECK_EQ(r->ready, 2);
	CHECK(!r->out.level[4]);
	CHECK_EQ(in(r, 2), 0xc1);
	CHECK_EQ(in(r, 0), 0);
}

static void t_divisor_latch_and_scratch(void)
{
	struct rig *r = rig_new();

	out(r, 3, 0x83);
	out(r, 0, 1);
	out(r, 1, 2);
	CHECK_EQ(in(r, 0), 1);
	CHECK_EQ(in(r, 1), 2);
	out(r, 3, 0x03);
	CHECK_EQ(in(r, 1), 0);
	CHECK_EQ(r->len, 0);
	out(r, 7, 0x5a);
	CHECK_EQ(in(r, 7), 0x5a);
	out(r, 1, 0xff);
	CHECK_EQ(in(r, 1), 0x0f);
}

static void t_loopback(void)
{
	struct rig *r = rig_new();

	CHECK_EQ(in(r, 6) & 0xf0, 0xb0);
	out(r, 4, 0x1a); /* loop, OUT2, RTS: as Linux's autoconfig */
	CHECK_EQ(in(r, 6) & 0xf0, 0x90);
	out(r, 0, 'q');
	CHECK_EQ(r->len, 0);
	CHECK_EQ(in(r, 5) & 1, 1);
	CHECK_EQ(in(r, 0), 'q');
	out(r, 0, '1');
	out(r, 0, '2');
	CHECK_EQ(in(r, 5) & 2, 2); /* overrun */
	CHECK_EQ(in(r, 5) & 2, 0);
	CHECK_EQ(r->back.receive(r->back.opaque, "z", 1), 0);
	in(r, 0);
	out(r, 4, 0);
	CHECK_EQ(r->ready, 1);
}

static void t_modem_interrupt(void)
{
	struct rig *r = rig_new();

	out(r, 1, 0x08);
	CHECK(!r->out.level[4]);
	out(r, 4, 0x10); /* loop with nothing set: all inputs drop */
	CHECK(r->out.level[4]);
	CHECK_EQ(in(r, 2), 0);
	CHECK_EQ(in(r, 6), 0x0b);
	CHECK(!r->out.level[4]);
}

static void t_reset_and_no_backend(void)
{
	struct rig *r = rig_new();
	struct uart lone;

	out(r, 2, 1);
	out(r, 0, 'x');
	uart_ops.reset(&r->uart);
	CHECK_EQ(r->len, 1);
	CHECK_EQ(in(r, 2), 1);
	uart_init(&lone, NULL, &r->fc.clock, (struct irq_line){0});
	uart_ops.write(&lone, 0, 1, 'x');
	CHECK_EQ(uart_ops.read(&lone, 6, 1), 0);
}

int main(void)
{
	RUN(t_polled_output);
	RUN(t_interrupt_output);
	RUN(t_flush_timer);
	RUN(t_fini);
	RUN(t_input);
	RUN(t_divisor_latch_and_scratch);
	RUN(t_loopback);
	RUN(t_modem_interrupt);
	RUN(t_reset_and_no_backend);
	return test_done();
}
