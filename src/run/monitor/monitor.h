/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-monitor: the one process that stays with a running thing. It is the
 * parent of the container's process or of the machine's process, holds its
 * stdio, keeps the log, lets command lines attach, and notes how it ended.
 * Static and small: it must cost next to nothing while a thing runs.
 *
 * src/run/start.c starts the thing and becomes this program by exec; what it
 * must know comes as KEY=VALUE arguments (monitor.c, table). When the thing
 * has ended it becomes `hull _end DIR` unless the command line that waited for
 * it has cleaned up already.
 *
 *	monitor.c   arguments, the loop, the end
 *	feed.c      the thing's side: pipes or terminal of a container, wire of a machine
 *	clients.c   command lines: attach.sock
 *	log.c       the log and its rotation
 *	health.c    the health check
 *
 * No threads; one frame of buffer for output, one for each client's input: who
 * does not read is not read from.
 */
#ifndef HULL_RUN_MONITOR_H
#define HULL_RUN_MONITOR_H

#include "base/types.h"
#include "run/wire.h"

#include <poll.h>
#include <sys/types.h>

#define CLIENTS_MAX 8u

struct client {
	int fd;	     /* -1: free */
	bool owner;  /* the command line that started the thing: it also cleans up */
	size_t sent; /* of the frame in output */
	u8 in[WIRE_HEAD + WIRE_DATA_MAX];
	size_t in_len, used; /* used: of a STDIN payload */
};

struct log {
	int fd;
	u64 size, max;
	bool broken[3]; /* the last line of that stream has no end yet */
};

enum health_state { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct health {
	u64 interval_ms, timeout_ms, start_ms; /* interval 0: there is no check */
	unsigned retries, failures;	       /* failures: in a row */
	enum health_state state;
	u64 due_ms, start_end_ms; /* CLOCK_MONOTONIC */
	pid_t pid;		  /* of the check that runs, or 0 */
};

struct monitor {
	const char *dir, *hull;
	bool machine, rm, restart;
	pid_t child, helper;
	int lock, listener, signals;
	/* a container: pipes; with a terminal only `in`, for both ways */
	int in, out, err;
	bool tty;
	/* a machine: the socket its init connects to, then that connection */
	int wire_listener, wire, start;
	u8 wire_in[WIRE_HEAD + WIRE_DATA_MAX];
	size_t wire_len;

	u8 output[WIRE_HEAD + WIRE_DATA_MAX]; /* a frame on its way to the clients */
	size_t output_len;
	struct client client[CLIENTS_MAX];
	struct log log;
	struct health health;

	bool ended;  /* the child is reaped */
	bool told;   /* the guest said how its process ended */
	bool failed; /* it was never started; error says why */
	u32 status;  /* wait status */
	char error[200];
	u32 error_status;
	u64 started_ns;
};

/* ---- feed.c ---- */
#define FEED_FDS 4u
void feed_poll(const struct monitor *m, struct pollfd pf[FEED_FDS]);
/* Reads at most one frame into output if that is empty. */
void feed_step(struct monitor *m, const struct pollfd pf[FEED_FDS]);
/* A frame from a client, for the thing. False: not all of it went; *used counts. */
bool feed_input(struct monitor *m, const struct wire_frame *f, size_t *used);
/* Nothing more will come and all that came is in output. */
bool feed_is_dry(struct monitor *m);

/* ---- clients.c ---- */
void client_add(struct monitor *m, int fd, bool owner);
void clients_poll(const struct monitor *m, struct pollfd pf[CLIENTS_MAX]);
void clients_step(struct monitor *m, const struct pollfd pf[CLIENTS_MAX]);
/* Sends on what is in output; it is empty when every client has it. */
void clients_flush(struct monitor *m);
/* A frame to all, blocking a moment at most; the last one. */
void clients_last(struct monitor *m, const u8 *frame, size_t len);
/* It sent a whole frame that the thing would not take yet. */
bool client_is_stuck(const struct client *c);
void client_drop(struct client *c);

/* ---- health.c ---- */
/* The thing runs: the first check is due an interval from now. */
void health_begin(struct monitor *m);
/* Milliseconds until something is to be done, -1: nothing ever. */
int health_timeout(const struct monitor *m);
void health_step(struct monitor *m);
/* A child has ended. True: it was the check and the state has changed. */
bool health_reaped(struct monitor *m, pid_t pid, int status);
/* Ends a check that runs. */
void health_end(struct monitor *m);
/* NULL: there is no check. */
const char *health_name(const struct monitor *m);

/* ---- log.c ---- */
/* RUN/NAME/log, in the form of the CRI: "TIME stdout|stderr F|P TEXT". */
void log_open(struct monitor *m);
void log_bytes(struct monitor *m, enum wire_type stream, const u8 *p, size_t n);

/* ---- monitor.c ---- */
/* Writes RUN/NAME/state anew. */
void state_write(const struct monitor *m, const char *state);
u64 now_ns(void);

#endif
