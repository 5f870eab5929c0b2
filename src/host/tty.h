/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal: raw mode and window size. The settings before raw mode
 * are kept in a struct of the caller's, so that whoever survives (the
 * supervisor, see src/cli/boot.c) can put them back.
 */
#ifndef HULL_HOST_TTY_H
#define HULL_HOST_TTY_H

#include "base/types.h"

#include <termios.h>

struct tty {
	int fd;
	bool saved;
	struct termios before;
};

/* Remembers the settings of fd; does nothing if it is no terminal. */
void tty_save(struct tty *t, int fd);
/* Raw mode, 8 bit, no echo, no signals from keys. No-op if nothing was saved. */
void tty_raw(const struct tty *t);
/* Back to what tty_save saw. Idempotent; safe in the background. */
void tty_restore(const struct tty *t);

/* False if fd is no terminal or has no size. */
bool tty_window(int fd, u16 *cols, u16 *rows);

#endif
