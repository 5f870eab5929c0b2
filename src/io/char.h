/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A byte stream back end (terminal, file, pty, buffer) as a UART or console
 * port sees it. All calls run with the machine lock held.
 *
 * write: takes everything (buffers or drops; never blocks the vCPU).
 * Input: the back end offers bytes through receive(), which returns how many
 * it took; the rest is offered again after the device calls rx_ready().
 * resize is called when the terminal's window changes (virtio console only).
 */
#ifndef HULL_IO_CHAR_H
#define HULL_IO_CHAR_H

#include "base/types.h"

struct io_char;

struct io_char_ops {
	void (*write)(struct io_char *c, const void *buf, size_t len);
	void (*rx_ready)(struct io_char *c);
};

struct io_char {
	const struct io_char_ops *ops;
	/* Filled in by the device when it attaches. */
	size_t (*receive)(void *opaque, const void *buf, size_t len);
	void (*resize)(void *opaque, u16 cols, u16 rows);
	void *opaque;
};

#endif
