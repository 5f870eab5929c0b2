/* SPDX-License-Identifier: Apache-2.0 */
/* dev/char/vty.c */
#include "dev/char/vty.h"

#include "tests/test.h"

struct rig {
	struct io_char chr;
	struct vty vty;
	char out[64];
	size_t n;
	unsigned notes, ready;
};

static void back_write(struct io_char *c, const void *buf, size_t len)
{
	struct rig *r = (struct rig *)c;

	memcpy(r->out + r->n, buf, len);
	r->n += len;
}

static void back_ready(struct io_char *c)
{
	((struct rig *)c)->ready++;
}

static void notify(void *opaque)
{
	((struct rig *)opaque)->notes++;
}

static const struct io_char_ops back_ops = {.write = back_write, .rx_ready = back_ready};

static void t_out_and_in(void)
{
	struct rig r = {.chr = {.ops = &back_ops}};
	u8 buf[VTY_CHUNK], big[VTY_RING + 50];

	vty_init(&r.vty, &r.chr, notify, &r);
	vty_put(&r.vty, (const u8 *)"hello", 5);
	CHECK(r.n == 5 && !memcmp(r.out, "hello", 5));
	CHECK_EQ(r.chr.receive(&r.vty, "ab", 2), 2);
	CHECK_EQ(r.notes, 1); /* nobody has to ask for it */
	CHECK_EQ(r.chr.receive(&r.vty, "c", 1), 1);
	CHECK_EQ(r.notes, 2); /* the first may have come while nobody had the console open */
	CHECK_EQ(vty_get(&r.vty, buf), 3);
	CHECK(!memcmp(buf, "abc", 3));
	CHECK_EQ(r.ready, 1);
	CHECK_EQ(vty_get(&r.vty, buf), 0);
	memset(big, 'x', sizeof(big));
	CHECK_EQ(r.chr.receive(&r.vty, big, sizeof(big)), VTY_RING);
	CHECK_EQ(r.notes, 3);
	CHECK_EQ(vty_get(&r.vty, buf), VTY_CHUNK);
	vty_enable(&r.vty, false);
	CHECK_EQ(r.chr.receive(&r.vty, big, sizeof(big)), VTY_CHUNK);
	CHECK_EQ(r.notes, 3);
	vty_enable(&r.vty, true);
	CHECK_EQ(r.notes, 4); /* there is input */
	vty_enable(&r.vty, false);
	vty_reset(&r.vty);
	CHECK_EQ(vty_get(&r.vty, buf), 0);
	CHECK_EQ(r.chr.receive(&r.vty, "d", 1), 1);
	CHECK_EQ(r.notes, 5);
}

static void t_no_back_end(void)
{
	struct vty t;
	u8 buf[VTY_CHUNK];

	vty_init(&t, NULL, notify, NULL);
	vty_put(&t, (const u8 *)"x", 1);
	CHECK_EQ(vty_get(&t, buf), 0);
}

int main(void)
{
	RUN(t_out_and_in);
	RUN(t_no_back_end);
	return test_done();
}
