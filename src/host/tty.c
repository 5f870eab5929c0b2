/* SPDX-License-Identifier: Apache-2.0 */
#include "host/tty.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

void tty_save(struct tty *t, int fd)
{
	t->fd = fd;
	t->saved = isatty(fd) && !tcgetattr(fd, &t->before);
}

void tty_raw(const struct tty *t)
{
	struct termios raw = t->before;

	if (!t->saved)
		return;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST | ONLCR; /* our own messages; guests send CR LF, which stays CR LF */
	tcsetattr(t->fd, TCSANOW, &raw);
}

void tty_restore(const struct tty *t)
{
	sigset_t block, old;

	if (!t->saved)
		return;
	/* A background process that sets the terminal is stopped by SIGTTOU: not us. */
	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	tcsetattr(t->fd, TCSADRAIN, &t->before);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool tty_window(int fd, u16 *cols, u16 *rows)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) || !ws.ws_col || !ws.ws_row)
		return false;
	*cols = ws.ws_col;
	*rows = ws.ws_row;
	return true;
}
