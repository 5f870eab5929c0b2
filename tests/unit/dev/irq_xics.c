/* SPDX-License-Identifier: Apache-2.0 */
/* dev/irq/xics.c */
#include "dev/irq/xics.h"

#include "tests/test.h"

#define LINE (XICS_BASE + 3)
#define MSG (XICS_BASE + 9)
#define MSG2 (XICS_BASE + 10)

static bool pins[XICS_SERVERS];

static void pin(void *opaque, unsigned server, bool level)
{
	pins[server] = level;
}

static struct irq_line make(struct xics *x)
{
	struct irq_line l;

	xics_init(x, 2, pin, NULL);
	l = xics_line(x, LINE);
	xics_cppr(x, 0, 0xff);
	xics_cppr(x, 1, 0xff);
	return l;
}

static void t_message(void)
{
	struct xics x;

	make(&x);
	xics_message(&x, MSG); /* masked: it waits */
	CHECK(!pins[1]);
	CHECK(xics_route(&x, MSG, 1, 5));
	CHECK(pins[1] && !pins[0]);
	CHECK_EQ(xics_accept(&x, 1), 0xff000000 | MSG);
	CHECK(!pins[1]);
	CHECK_EQ(xics_accept(&x, 1), 0x05000000); /* spurious, CPPR is 5 now */
	xics_message(&x, MSG);			  /* same priority: not now */
	CHECK(!pins[1]);
	xics_eoi(&x, 1, 0xff000000 | MSG);
	CHECK(pins[1]);
	CHECK_EQ(xics_accept(&x, 1) & 0xffffff, MSG);
	xics_eoi(&x, 1, 0xff000000 | MSG);
	CHECK(!pins[1]);
	CHECK_EQ(x.nwaiting, 0);
}

static void t_level(void)
{
	struct xics x;
	struct irq_line l = make(&x);

	CHECK(xics_route(&x, LINE, 0, 4));
	irq_set(&l, true);
	CHECK(pins[0]);
	CHECK_EQ(xics_accept(&x, 0) & 0xffffff, LINE);
	irq_set(&l, true);
	CHECK(!pins[0]); /* in service */
	xics_eoi(&x, 0, 0xff000000 | LINE);
	CHECK(pins[0]); /* still high */
	xics_accept(&x, 0);
	irq_set(&l, false);
	xics_eoi(&x, 0, 0xff000000 | LINE);
	CHECK(!pins[0]);
	xics_message(&x, LINE); /* it is no message */
	CHECK(!pins[0]);
	CHECK(xics_on(&x, LINE, false));
	irq_set(&l, true);
	CHECK(!pins[0]);
	CHECK(xics_on(&x, LINE, true));
	CHECK(pins[0]);
}

static void t_priorities(void)
{
	struct xics x;
	u32 xirr;
	u8 mfrr;

	make(&x);
	xics_route(&x, MSG, 0, 6);
	xics_route(&x, MSG2, 0, 2);
	xics_message(&x, MSG);
	xics_message(&x, MSG2); /* takes its place */
	CHECK(xics_poll(&x, 0, &xirr, &mfrr));
	CHECK_EQ(xirr & 0xffffff, MSG2);
	CHECK_EQ(mfrr, 0xff);
	xics_cppr(&x, 0, 1); /* neither may come */
	CHECK(!pins[0]);
	xics_cppr(&x, 0, 0xff);
	CHECK_EQ(xics_accept(&x, 0), 0xff000000 | MSG2);
	CHECK(xics_ipi(&x, 0, 1)); /* a call is more favoured */
	CHECK_EQ(xics_accept(&x, 0), 0x02000000 | XICS_IPI);
	CHECK(xics_ipi(&x, 0, 0xff));
	xics_eoi(&x, 0, 0x02000000 | XICS_IPI);
	CHECK(!pins[0]);
	xics_eoi(&x, 0, 0xff000000 | MSG2);
	CHECK_EQ(xics_accept(&x, 0) & 0xffffff, MSG); /* it had waited */
}

/* An IPI that is not taken yet and withdrawn by CPPR comes again. */
static void t_ipi(void)
{
	struct xics x;

	make(&x);
	CHECK(xics_ipi(&x, 1, 4));
	CHECK(pins[1]);
	xics_cppr(&x, 1, 4);
	CHECK(!pins[1]);
	xics_cppr(&x, 1, 5);
	CHECK(pins[1]);
	CHECK_EQ(xics_accept(&x, 1), 0x05000000 | XICS_IPI);
	xics_eoi(&x, 1, 0x05000000 | XICS_IPI);
	CHECK(pins[1]); /* MFRR says so until it is taken back */
}

static void t_bad_numbers(void)
{
	struct xics x;
	u32 a, b;
	u8 m;

	make(&x);
	CHECK(!xics_route(&x, XICS_BASE - 1, 0, 5));
	CHECK(!xics_route(&x, XICS_BASE + XICS_SOURCES, 0, 5));
	CHECK(!xics_route(&x, MSG, 2, 5));
	CHECK(!xics_route(&x, MSG, 0, 256));
	CHECK(!xics_ipi(&x, 2, 0));
	CHECK(!xics_ipi(&x, ~0ull, 0));
	CHECK(!xics_poll(&x, 64, &a, &m));
	CHECK(!xics_get_route(&x, 5, &a, &b));
	CHECK(!xics_on(&x, 0, true));
	xics_message(&x, 0);
	xics_message(&x, ~0u);
	xics_eoi(&x, 0, 0x05ffffff);
	CHECK(!pins[0] && !pins[1]);
	CHECK_EQ(xics_line(&x, 0).set == NULL, 1);
}

int main(void)
{
	RUN(t_message);
	RUN(t_level);
	RUN(t_priorities);
	RUN(t_ipi);
	RUN(t_bad_numbers);
	return test_done();
}
