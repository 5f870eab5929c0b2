/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's text console: one stream from the guest that any number of sinks
 * (terminal, file, pty, attached clients) read at their own pace, and input
 * from all of them back to the guest.
 *
 * The last CONSOLE_RING bytes are kept; each sink has its own place in the
 * stream, so a client that attaches late first gets what is kept. A sink that
 * falls behind further than that loses the oldest bytes and is told how many.
 * Nothing here ever waits: a vCPU that prints is never held up.
 *
 * The guest has two ports on it, a serial one and a virtio one. Both print;
 * input goes to the virtio port once the guest has used it, else to the serial.
 *
 * All functions are called with the machine lock held.
 */
#ifndef HULL_UI_CONSOLE_H
#define HULL_UI_CONSOLE_H

#include "host/loop.h"
#include "io/char.h"

#define CONSOLE_RING (1u << 20) /* bytes, a power of two; touched only as it fills */

struct console;

enum console_port { CONSOLE_SERIAL, CONSOLE_VIRTIO, CONSOLE_PORTS };

/* The key that opens the menu: Ctrl-]. */
#define CONSOLE_MENU_KEY 0x1d

int console_create(struct loop *l, struct console **out, struct err *e);
/* NULL ok. Writes out what sinks have not taken yet, waiting up to a second. */
void console_destroy(struct console *c);

/* The back end of a guest device; lives as long as the console. */
struct io_char *console_char(struct console *c, enum console_port port);

/* The machine was reset: input goes to the serial port again. */
void console_reset(struct console *c);

/* Window size for the guest (virtio port). */
void console_resize(struct console *c, u16 cols, u16 rows);

struct console_sink {
	int in;	 /* read from here; -1: no input */
	int out; /* write there */
	/*
	 * own: the console closes both (in must be another descriptor than out),
	 * which is when either end is gone. Else they stay the caller's, and the
	 * end of the input just ends the input.
	 */
	bool own;
	/* Ctrl-] and a key call key() instead of going to the guest; Ctrl-] twice sends one. */
	void (*key)(void *opaque, char key);
	void *opaque;
};

/* Adds a sink; it first gets what the ring holds. */
int console_add(struct console *c, const struct console_sink *sink, struct err *e);

#endif
