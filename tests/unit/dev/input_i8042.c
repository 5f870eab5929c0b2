/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/input/{i8042,ps2}.c */
#include "tests/test.h"

#include "dev/input/i8042.h"
#include "tests/fake_clock.h"

struct rig {
	struct fake_lines out;
	struct i8042 k;
	unsigned resets;
	u8 leds;
	bool a20;
};

static void on_reset(void *opaque)
{
	((struct rig *)opaque)->resets++;
}

static void on_a20(void *opaque, bool open)
{
	((struct rig *)opaque)->a20 = open;
}

static void on_leds(void *opaque, u8 leds)
{
	((struct rig *)opaque)->leds = leds;
}

static struct rig *rig_new(void)
{
	static struct rig r;
	struct i8042_wires w = {.reset = on_reset, .a20 = on_a20, .leds = on_leds, .opaque = &r};

	memset(&r, 0, sizeof(r));
	w.keyboard = fake_line(&r.out, 1);
	w.mouse = fake_line(&r.out, 12);
	i8042_init(&r.k, &w);
	return &r;
}

static void cmd(struct rig *r, u8 v)
{
	i8042_command_ops.write(&r->k, 0, 1, v);
}

static void data(struct rig *r, u8 v)
{
	i8042_data_ops.write(&r->k, 0, 1, v);
}

static u8 status(struct rig *r)
{
	return (u8)i8042_command_ops.read(&r->k, 0, 1);
}

/* The next byte, 100h + it if it is the mouse's, or ~0 when there is none. */
static unsigned get(struct rig *r)
{
	u8 s = status(r);

	if (!(s & 1))
		return ~0u;
	return (unsigned)i8042_data_ops.read(&r->k, 0, 1) | (s & 0x20 ? 0x100 : 0);
}

/* The order of Linux's drivers/input/serio/i8042.c. */
static void t_linux_probe(void)
{
	struct rig *r = rig_new();

	CHECK_EQ(get(r), ~0u);
	cmd(r, 0xaa);
	CHECK_EQ(get(r), 0x55);
	cmd(r, 0x20);
	CHECK_EQ(get(r), 0x47);
	cmd(r, 0x60);
	data(r, 0x74); /* both off, no interrupts, translation */
	cmd(r, 0x20);
	CHECK_EQ(get(r), 0x74);
	cmd(r, 0xd3);
	data(r, 0x5a);
	CHECK_EQ(get(r), 0x15a); /* aux loop works while the mouse is disabled */
	cmd(r, 0xa9);
	CHECK_EQ(get(r), 0);
	cmd(r, 0xa7);
	cmd(r, 0x20);
	CHECK_EQ(get(r) & 0x20, 0x20);
	cmd(r, 0xa8);
	cmd(r, 0x20);
	CHECK_EQ(get(r) & 0x20, 0);
	cmd(r, 0x60);
	data(r, 0x47);
	data(r, 0xf2);
	CHECK_EQ(get(r), 0xfa);
	CHECK_EQ(get(r), 0xab);
	CHECK_EQ(get(r), 0x41); /* 83h translated */
	data(r, 0xff);
	CHECK_EQ(get(r), 0xfa);
	CHECK_EQ(get(r), 0xaa);
	data(r, 0xed);
	CHECK_EQ(get(r), 0xfa);
	data(r, 0x05);
	CHECK_EQ(get(r), 0xfa);
	CHECK_EQ(r->leds, 5);
	CHECK_EQ(get(r), ~0u);
}

static void t_keys(void)
{
	struct rig *r = rig_new();

	CHECK(i8042_key(&r->k, 0x1e, true));
	CHECK(r->out.level[1]);
	CHECK(i8042_key(&r->k, 0x1e, false));
	CHECK(i8042_key(&r->k, 0x48 | I8042_KEY_EXTENDED, true));
	CHECK_EQ(get(r), 0x1e);
	CHECK_EQ(r->out.rises[1], 2); /* an edge for each byte */
	CHECK_EQ(get(r), 0x9e);
	CHECK_EQ(get(r), 0xe0);
	CHECK_EQ(get(r), 0x48);
	CHECK(!r->out.level[1]);
	cmd(r, 0x60);
	data(r, 0x01); /* no translation: set 2 */
	i8042_key(&r->k, 0x41, true);
	i8042_key(&r->k, 0x41, false);
	CHECK_EQ(get(r), 0x83);
	CHECK_EQ(get(r), 0xf0);
	CHECK_EQ(get(r), 0x83);
	data(r, 0xf5);
	CHECK_EQ(get(r), 0xfa);
	CHECK(!i8042_key(&r->k, 0x1e, true));
}

/* Every key's set 1 code survives the way to set 2 and back. */
static void t_translation_is_inverse(void)
{
	struct rig *r = rig_new();

	for (unsigned key = 1; key <= 0x58; key++) {
		if (!i8042_key(&r->k, key, true))
			continue;
		CHECK_EQ(get(r), key);
		CHECK(i8042_key(&r->k, key, false));
		CHECK_EQ(get(r), key | 0x80);
	}
	CHECK(!i8042_key(&r->k, 0, true));
}

static void t_full_queue_loses_whole_keys(void)
{
	struct rig *r = rig_new();
	unsigned taken = 0, bytes = 0;

	for (unsigned i = 0; i < 200; i++)
		taken += i8042_key(&r->k, 0x1e, true);
	CHECK(taken > 50 && taken < 70);
	while (get(r) != ~0u)
		bytes++;
	CHECK_EQ(bytes, taken);
}

static void aux(struct rig *r, u8 v)
{
	cmd(r, 0xd4);
	data(r, v);
}

static void t_mouse(void)
{
	struct rig *r = rig_new();
	static const u8 magic[] = {0xf3, 200, 0xf3, 100, 0xf3, 80};

	CHECK(!i8042_mouse(&r->k, 1, 1, 0, 0));
	aux(r, 0xff);
	CHECK_EQ(get(r), 0x1fa);
	CHECK_EQ(get(r), 0x1aa);
	CHECK_EQ(get(r), 0x100);
	aux(r, 0xf4);
	CHECK_EQ(get(r), 0x1fa);
	CHECK(i8042_mouse(&r->k, 5, -3, 0, 1));
	CHECK(r->out.level[12] && !r->out.level[1]);
	CHECK_EQ(get(r), 0x129);
	CHECK_EQ(get(r), 0x105);
	CHECK_EQ(get(r), 0x1fd);
	for (unsigned i = 0; i < sizeof(magic); i++) {
		aux(r, magic[i]);
		CHECK_EQ(get(r), 0x1fa);
	}
	aux(r, 0xf2);
	CHECK_EQ(get(r), 0x1fa);
	CHECK_EQ(get(r), 0x103);
	i8042_mouse(&r->k, 0, 0, -1, 0);
	CHECK_EQ(get(r), 0x108);
	get(r);
	get(r);
	CHECK_EQ(get(r), 0x1ff);
}

static void t_reset_and_a20(void)
{
	struct rig *r = rig_new();

	cmd(r, 0xff);
	CHECK_EQ(r->resets, 0);
	cmd(r, 0xfe);
	CHECK_EQ(r->resets, 1);
	cmd(r, 0xd0);
	CHECK_EQ(get(r), 0x03);
	cmd(r, 0xdf);
	cmd(r, 0xdd);
	CHECK(!r->a20);
	cmd(r, 0xd1);
	data(r, 0x03);
	CHECK(r->a20);
	CHECK_EQ(r->resets, 1);
	i8042_data_ops.reset(&r->k);
	CHECK_EQ(get(r), ~0u);
}

int main(void)
{
	RUN(t_linux_probe);
	RUN(t_keys);
	RUN(t_translation_is_inverse);
	RUN(t_full_queue_loses_whole_keys);
	RUN(t_mouse);
	RUN(t_reset_and_a20);
	return test_done();
}
