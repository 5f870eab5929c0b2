/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's end of a stream of frames (run/wire.h): this process's
 * stdio, terminal and signals on one side, a monitor or a guest's init on the
 * other. `hull run`, `attach` and `exec` in machines are this.
 */
#ifndef HULL_RUN_CLIENT_H
#define HULL_RUN_CLIENT_H

#include "host/err.h"

#include <signal.h>

enum client_end {
	CLIENT_EXITED,	 /* the process ended: status */
	CLIENT_ERROR,	 /* it was never started: status and text */
	CLIENT_DETACHED, /* the keys Ctrl-P Ctrl-Q were typed */
	CLIENT_LOST,	 /* the other side went away */
	CLIENT_STARTED,	 /* it runs (only_start) */
};

struct client_config {
	bool tty;	 /* the process has a terminal: ours becomes raw */
	bool in;	 /* our standard input is the process's */
	bool signals;	 /* ours go to the process */
	bool only_start; /* come back when it has started */
	bool keep_stdin; /* our end of input is not the process's */
	bool quiet;	 /* drop what it prints */
	bool own_fds;	 /* fd_in and fd_out instead of standard input and output */
	int fd_in, fd_out;
};

struct client_result {
	enum client_end end;
	int status; /* 0 to 255; of EXITED and ERROR */
	char text[480];
};

/*
 * Carries until the end. Does not close fd. Blocks and takes signals meanwhile
 * if cfg says so; call client_signals early so that none is lost before.
 */
int client_run(int fd, const struct client_config *cfg, struct client_result *out, struct err *e);

/* Blocks the signals that client_run takes. */
void client_signals(sigset_t *before);

#endif
