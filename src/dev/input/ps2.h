/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The keyboard and the mouse behind the controller of i8042.h, which is the
 * only caller and pumps the queues after each call.
 */
#ifndef HULL_DEV_INPUT_PS2_H
#define HULL_DEV_INPUT_PS2_H

#include "dev/input/i8042.h"

bool ps2_queue_put(struct i8042_queue *q, u8 byte); /* false: full, byte lost */
u8 ps2_queue_take(struct i8042_queue *q);	    /* 0 when empty */

void ps2_kbd_defaults(struct i8042 *k);
void ps2_kbd_write(struct i8042 *k, u8 val);
/* The next byte for the host; translate: set 2 to set 1. */
u8 ps2_kbd_take(struct i8042 *k, bool translate);
bool ps2_kbd_key(struct i8042 *k, unsigned key, bool down);

void ps2_aux_defaults(struct i8042 *k);
void ps2_aux_write(struct i8042 *k, u8 val);
bool ps2_aux_move(struct i8042 *k, int dx, int dy, int dz, u8 buttons);

#endif
