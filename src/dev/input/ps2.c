/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/input/ps2.h"

enum {
	PS2_ACK = 0xfa,
	PS2_RESEND = 0xfe,
	PS2_TEST_OK = 0xaa,
	KBD_ID_1 = 0xab,
	KBD_ID_2 = 0x83,
	KBD_BREAK = 0xf0,
	KBD_EXTENDED = 0xe0,
};
/* Commands; most are the same for both devices. */
enum {
	PS2_SCALING_1 = 0xe6, /* mouse */
	PS2_SCALING_2 = 0xe7,
	PS2_RESOLUTION = 0xe8,
	PS2_STATUS = 0xe9,
	PS2_STREAM = 0xea,
	PS2_READ_DATA = 0xeb,
	PS2_LEDS = 0xed, /* keyboard */
	PS2_ECHO = 0xee,
	PS2_REMOTE = 0xf0,   /* mouse */
	PS2_SCAN_SET = 0xf0, /* keyboard */
	PS2_READ_ID = 0xf2,
	PS2_RATE = 0xf3,
	PS2_ENABLE = 0xf4,
	PS2_DISABLE = 0xf5,
	PS2_DEFAULTS = 0xf6,
	PS2_SET_KEYS_FIRST = 0xf7, /* keyboard, set 3 only: acknowledged */
	PS2_SET_KEYS_LAST = 0xfd,
	PS2_RESET = 0xff,
};

/* clang-format off */
/* Set 2 to set 1, as the controller translates; 0 = passed as it is.
 * PS/2 Technical Reference, "Keyboard translation table". */
static const u8 set2_to_set1[0x90] = {
	/*        0     1     2     3     4     5     6     7     8     9     a     b     c     d     e     f */
	/* 00 */ 0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	/* 10 */ 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	/* 20 */ 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	/* 30 */ 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	/* 40 */ 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	/* 50 */ 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	/* 60 */ 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	/* 70 */ 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	/* 80 */ 0x80, 0x81, 0x82, 0x41, 0x54, 0,
};
/* clang-format on */

bool ps2_queue_put(struct i8042_queue *q, u8 byte)
{
	if (q->count == I8042_QUEUE)
		return false;
	q->byte[(q->head + q->count++) % I8042_QUEUE] = byte;
	return true;
}

u8 ps2_queue_take(struct i8042_queue *q)
{
	u8 byte = q->byte[q->head];

	if (!q->count)
		return 0;
	q->head = (q->head + 1) % I8042_QUEUE;
	q->count--;
	return byte;
}

static void queue_clear(struct i8042_queue *q)
{
	q->head = q->count = 0;
}

/* ---- keyboard ---------------------------------------------------------------------------- */

static u8 set1_to_set2(u8 code)
{
	/* From the top: F7 is 83h, and 02h only another name for it. */
	for (u8 i = 0x83; i > 0; i--)
		if (set2_to_set1[i] == code)
			return i;
	return 0;
}

void ps2_kbd_defaults(struct i8042 *k)
{
	queue_clear(&k->kbd);
	k->kbd_pending = 0;
	k->kbd_set = 2;
	k->kbd_scanning = true;
}

/*
 * The keyboard sends a break as F0h, code; translation turns that into
 * code | 80h: swallow the prefix and take the next byte with it.
 */
u8 ps2_kbd_take(struct i8042 *k, bool translate)
{
	u8 byte = ps2_queue_take(&k->kbd), flag = 0;

	k->last_kbd = byte;
	if (!translate)
		return byte;
	if (byte == KBD_BREAK && k->kbd.count) {
		byte = ps2_queue_take(&k->kbd);
		flag = 0x80;
	}
	if (byte < sizeof(set2_to_set1) && set2_to_set1[byte])
		byte = set2_to_set1[byte];
	return byte | flag;
}

static bool kbd_room(const struct i8042 *k, unsigned n)
{
	return I8042_QUEUE - k->kbd.count >= n;
}

bool ps2_kbd_key(struct i8042 *k, unsigned key, bool down)
{
	u8 code = k->kbd_set == 1 ? key & 0x7f : set1_to_set2(key & 0x7f);

	if (!k->kbd_scanning || !code || !kbd_room(k, 3))
		return false;
	if (key & I8042_KEY_EXTENDED)
		ps2_queue_put(&k->kbd, KBD_EXTENDED);
	if (!down && k->kbd_set == 1)
		code |= 0x80;
	else if (!down)
		ps2_queue_put(&k->kbd, KBD_BREAK);
	return ps2_queue_put(&k->kbd, code);
}

static void kbd_argument(struct i8042 *k, u8 cmd, u8 val)
{
	ps2_queue_put(&k->kbd, PS2_ACK);
	if (cmd == PS2_LEDS) {
		k->leds = val & 7;
		if (k->wires.leds)
			k->wires.leds(k->wires.opaque, k->leds);
	} else if (cmd == PS2_SCAN_SET) {
		if (val == 0)
			ps2_queue_put(&k->kbd, k->kbd_set);
		else if (val <= 2)
			k->kbd_set = val;
	}
}

static void kbd_command(struct i8042 *k, u8 cmd)
{
	switch (cmd) {
	case PS2_LEDS:
	case PS2_SCAN_SET:
	case PS2_RATE:
		k->kbd_pending = cmd;
		ps2_queue_put(&k->kbd, PS2_ACK);
		break;
	case PS2_ECHO:
		ps2_queue_put(&k->kbd, PS2_ECHO);
		break;
	case PS2_READ_ID:
		ps2_queue_put(&k->kbd, PS2_ACK);
		ps2_queue_put(&k->kbd, KBD_ID_1);
		ps2_queue_put(&k->kbd, KBD_ID_2);
		break;
	case PS2_ENABLE:
		queue_clear(&k->kbd);
		k->kbd_scanning = true;
		ps2_queue_put(&k->kbd, PS2_ACK);
		break;
	case PS2_DISABLE:
	case PS2_DEFAULTS:
		ps2_kbd_defaults(k);
		k->kbd_scanning = cmd == PS2_DEFAULTS;
		ps2_queue_put(&k->kbd, PS2_ACK);
		break;
	case PS2_SET_KEYS_FIRST ... PS2_SET_KEYS_LAST:
		ps2_queue_put(&k->kbd, PS2_ACK);
		break;
	case PS2_RESEND:
		ps2_queue_put(&k->kbd, k->last_kbd);
		break;
	case PS2_RESET:
		ps2_kbd_defaults(k);
		ps2_queue_put(&k->kbd, PS2_ACK);
		ps2_queue_put(&k->kbd, PS2_TEST_OK);
		break;
	default:
		ps2_queue_put(&k->kbd, PS2_RESEND);
	}
}

void ps2_kbd_write(struct i8042 *k, u8 val)
{
	u8 cmd = k->kbd_pending;

	k->kbd_pending = 0;
	if (cmd && val < 0x80)
		kbd_argument(k, cmd, val);
	else
		kbd_command(k, val);
}

/* ---- mouse -------------------------------------------------------------------------------- */

void ps2_aux_defaults(struct i8042 *k)
{
	queue_clear(&k->aux);
	k->aux_pending = 0;
	k->aux_reporting = k->aux_remote = k->aux_scaling = false;
	k->aux_rate = 100;
	k->aux_resolution = 2;
}

static int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

/* A movement packet, PS/2 Technical Reference "Mouse": signs and buttons, then X, Y, wheel. */
static void aux_packet(struct i8042 *k, int dx, int dy, int dz)
{
	dx = clamp(dx, -255, 255);
	dy = clamp(dy, -255, 255);
	ps2_queue_put(&k->aux,
		      0x08 | (k->aux_buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0));
	ps2_queue_put(&k->aux, (u8)dx);
	ps2_queue_put(&k->aux, (u8)dy);
	if (k->aux_wheel)
		ps2_queue_put(&k->aux, (u8)clamp(dz, -8, 7));
}

bool ps2_aux_move(struct i8042 *k, int dx, int dy, int dz, u8 buttons)
{
	k->aux_buttons = buttons & 7;
	if (!k->aux_reporting || k->aux_remote || I8042_QUEUE - k->aux.count < 4)
		return false;
	aux_packet(k, dx, dy, dz);
	return true;
}

/* Rates 200, 100, 80 in a row turn the wheel on (Microsoft IntelliMouse). */
static void aux_set_rate(struct i8042 *k, u8 rate)
{
	k->aux_rate = rate;
	k->aux_rates[0] = k->aux_rates[1];
	k->aux_rates[1] = k->aux_rates[2];
	k->aux_rates[2] = rate;
	if (k->aux_rates[0] == 200 && k->aux_rates[1] == 100 && rate == 80)
		k->aux_wheel = true;
}

static void aux_status(struct i8042 *k)
{
	ps2_queue_put(&k->aux, (k->aux_remote ? 0x40 : 0) | (k->aux_reporting ? 0x20 : 0) |
				       (k->aux_scaling ? 0x10 : 0) | (k->aux_buttons & 7));
	ps2_queue_put(&k->aux, k->aux_resolution);
	ps2_queue_put(&k->aux, k->aux_rate);
}

static void aux_command(struct i8042 *k, u8 cmd)
{
	if (cmd != PS2_RESEND)
		ps2_queue_put(&k->aux, PS2_ACK);
	switch (cmd) {
	case PS2_SCALING_1:
	case PS2_SCALING_2:
		k->aux_scaling = cmd == PS2_SCALING_2;
		break;
	case PS2_RESOLUTION:
	case PS2_RATE:
		k->aux_pending = cmd;
		break;
	case PS2_STATUS:
		aux_status(k);
		break;
	case PS2_STREAM:
	case PS2_REMOTE:
		k->aux_remote = cmd == PS2_REMOTE;
		break;
	case PS2_READ_DATA:
		aux_packet(k, 0, 0, 0);
		break;
	case PS2_READ_ID:
		ps2_queue_put(&k->aux, k->aux_wheel ? 3 : 0);
		break;
	case PS2_ENABLE:
	case PS2_DISABLE:
		k->aux_reporting = cmd == PS2_ENABLE;
		break;
	case PS2_DEFAULTS:
		ps2_aux_defaults(k);
		ps2_queue_put(&k->aux, PS2_ACK);
		break;
	case PS2_RESEND:
		ps2_queue_put(&k->aux, k->last_aux);
		break;
	case PS2_RESET:
		ps2_aux_defaults(k);
		k->aux_wheel = false;
		ps2_queue_put(&k->aux, PS2_ACK);
		ps2_queue_put(&k->aux, PS2_TEST_OK);
		ps2_queue_put(&k->aux, 0);
		break;
	}
}

void ps2_aux_write(struct i8042 *k, u8 val)
{
	u8 cmd = k->aux_pending;

	k->aux_pending = 0;
	if (!cmd) {
		aux_command(k, val);
		return;
	}
	ps2_queue_put(&k->aux, PS2_ACK);
	if (cmd == PS2_RATE)
		aux_set_rate(k, val);
	else
		k->aux_resolution = val & 3;
}
