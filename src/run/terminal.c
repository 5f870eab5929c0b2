/* SPDX-License-Identifier: Apache-2.0 */
/* This terminal on a pseudo terminal of a process in a container (`hull exec -t`). */
#include "run/internal.h"

#include "host/tty.h"
#include "oci/oci.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void copy_window(int master)
{
	struct winsize w = {0};

	if (tty_window(STDIN_FILENO, &w.ws_col, &w.ws_row))
		ioctl(master, TIOCSWINSZ, &w);
}

/* False at the end of from. */
static bool copy(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf)), at = 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	while (at < n) {
		ssize_t w = write(to, buf + at, (size_t)(n - at));

		if (w < 0 && errno != EINTR)
			return false;
		at += w > 0 ? w : 0;
	}
	return n > 0;
}

static void loop(int master, int pidfd, int winch, bool in)
{
	struct signalfd_siginfo si;
	bool ended = false;

	for (;;) {
		struct pollfd pf[4] = {{master, POLLIN, 0},
				       {in ? STDIN_FILENO : -1, POLLIN, 0},
				       {winch, POLLIN, 0},
				       {ended ? -1 : pidfd, POLLIN, 0}};
		int n = poll(pf, 4, ended ? 0 : -1);

		if (n == 0)
			return; /* ended, and nothing is left to read */
		if (n < 0)
			continue;
		if (pf[2].revents && read(winch, &si, sizeof(si)) > 0)
			copy_window(master);
		if (pf[1].revents)
			in = copy(STDIN_FILENO, master);
		if (pf[0].revents && !copy(master, STDOUT_FILENO))
			return;
		ended |= pf[3].revents != 0;
	}
}

int terminal_run(int master, int pidfd, bool in, struct client_result *out, struct err *e)
{
	struct tty tty = {0};
	sigset_t set, before;
	int winch;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &before);
	winch = signalfd(-1, &set, SFD_CLOEXEC);
	copy_window(master);
	if (in) {
		tty_save(&tty, STDIN_FILENO);
		tty_raw(&tty);
	}
	loop(master, pidfd, winch, in);
	tty_restore(&tty);
	if (winch >= 0)
		close(winch);
	sigprocmask(SIG_SETMASK, &before, NULL);
	out->end = CLIENT_EXITED;
	return oci_wait(pidfd, &out->status, e);
}
