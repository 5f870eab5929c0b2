/* SPDX-License-Identifier: Apache-2.0 */
/* A process in the foreground: signals go to it, its terminal is copied to ours. */
#include "oci/cmd/cmd.h"

#include "host/tty.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static void copy_size(int master)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws) == 0)
		ioctl(master, TIOCSWINSZ, &ws);
}

/* What arrived goes on whole; false at the end of the source. */
static bool pump(int from, int to)
{
	char buf[8192];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0, w;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	while (done < n) {
		w = write(to, buf + done, (size_t)(n - done));
		if (w < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		done += w > 0 ? w : 0;
	}
	return n > 0;
}

static void on_signal(int sfd, int pidfd, int master)
{
	struct signalfd_siginfo si;

	if (read(sfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH && master >= 0)
		copy_size(master);
	else if (si.ssi_signo != SIGCHLD)
		syscall(SYS_pidfd_send_signal, pidfd, (int)si.ssi_signo, NULL, 0);
}

static void loop(int pidfd, int master, int sfd)
{
	struct pollfd p[4] = {{.fd = pidfd, .events = POLLIN},
			      {.fd = sfd, .events = POLLIN},
			      {.fd = master, .events = POLLIN},
			      {.fd = master >= 0 ? 0 : -1, .events = POLLIN}};

	while (!p[0].revents) {
		if (poll(p, 4, -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents)
			on_signal(sfd, pidfd, master);
		if (p[2].revents && !pump(master, 1))
			p[2].fd = -1;
		if (p[3].revents && !pump(0, master)) {
			/* End of our input is an end-of-file key press on a terminal. */
			(void)!write(master, "\x04", 1);
			p[3].fd = -1;
		}
	}
	/* What the process wrote last is still in the terminal. */
	p[2].fd = master;
	while (master >= 0 && poll(&p[2], 1, 0) > 0 && p[2].revents & POLLIN)
		if (!pump(master, 1))
			break;
}

int relay_wait(int pidfd, int console_master, struct err *e)
{
	struct tty tty;
	sigset_t all;
	int status = 0, sfd, ret;

	sigfillset(&all);
	sigdelset(&all, SIGTTOU);
	sigdelset(&all, SIGTTIN);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sfd = signalfd(-1, &all, SFD_CLOEXEC);
	if (sfd < 0)
		return err_errno(e, "signalfd");
	if (console_master >= 0) {
		tty_save(&tty, 0);
		copy_size(console_master);
		tty_raw(&tty);
	}
	loop(pidfd, console_master, sfd);
	if (console_master >= 0)
		tty_restore(&tty);
	close(sfd);
	ret = oci_wait(pidfd, &status, e);
	return ret ? ret : status;
}
