/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The PC's keyboard controller with a keyboard and a PS/2 mouse.
 * References: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller", "Keyboards (101- and 102-Key)", "Mouse".
 *
 * Ports: 60h data, 64h status (read) and command (write). The controller
 * answers at once. Keys go in as set-1 make codes, come out as set 2, or as
 * set 1 when the controller translates (command byte bit 6, as PCs use it).
 * Scan code set 3 is not offered.
 */
#ifndef HULL_DEV_INPUT_I8042_H
#define HULL_DEV_INPUT_I8042_H

#include "dev/device.h"
#include "io/irq.h"

#define I8042_DATA_PORT 0x60
#define I8042_COMMAND_PORT 0x64
#define I8042_WINDOW 1
#define I8042_KEYBOARD_LINE 1
#define I8042_MOUSE_LINE 12
#define I8042_QUEUE 64u		  /* power of two */
#define I8042_KEY_EXTENDED 0x100u /* or-ed to a key with an E0h prefix */

struct i8042_queue {
	u8 byte[I8042_QUEUE];
	u8 head, count;
};

struct i8042_wires {
	struct irq_line keyboard, mouse;
	void (*reset)(void *opaque);
	void (*a20)(void *opaque, bool open); /* may be NULL */
	void (*leds)(void *opaque, u8 leds);  /* may be NULL; bit 0 scroll, 1 num, 2 caps */
	void *opaque;
};

struct i8042 {
	struct i8042_wires wires;
	u8 ram[32]; /* byte 0 is the command byte */
	u8 outport;
	u8 pending;		  /* controller command that waits for its data byte, or 0 */
	bool out_full, out_mouse; /* the output buffer, and whose byte it is */
	u8 out;
	u8 reply[4]; /* controller's own bytes, before the devices' */
	u8 nreply;
	bool reply_mouse; /* they count as the mouse's */

	struct i8042_queue kbd, aux;
	u8 kbd_pending, aux_pending; /* device command that waits for its argument */
	u8 kbd_set;		     /* scan code set 1 or 2 */
	bool kbd_scanning;
	u8 leds;
	bool aux_reporting, aux_remote, aux_scaling, aux_wheel;
	u8 aux_rate, aux_resolution, aux_rates[3]; /* last three rates select the wheel */
	u8 aux_buttons;
	u8 last_kbd, last_aux; /* for Resend */
	bool kbd_line, aux_line;
};

void i8042_init(struct i8042 *k, const struct i8042_wires *wires);

/*
 * A key goes down or up. key: set-1 make code 01h..7Fh, | I8042_KEY_EXTENDED.
 * False when the guest does not listen or its queue is full: the key is lost.
 */
bool i8042_key(struct i8042 *k, unsigned key, bool down);

/* Mouse moved by dx (right), dy (up), wheel dz; buttons: bit 0 left, 1 right, 2 middle. */
bool i8042_mouse(struct i8042 *k, int dx, int dy, int dz, u8 buttons);

/* Instance of both is the struct i8042; reset is in the first. */
extern const struct device_ops i8042_data_ops, i8042_command_ops;

#endif
