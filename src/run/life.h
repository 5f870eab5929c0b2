/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be done with a thing while it runs, alike for both kinds. Each
 * function decides itself by which way (signals through the monitor, the
 * container runtime, a machine's control socket, a guest's init).
 */
#ifndef HULL_RUN_LIFE_H
#define HULL_RUN_LIFE_H

#include "run/client.h"
#include "run/thing.h"

/* Running and not paused, else an error that says so. */
int thing_running(const struct thing *t, struct thing_status *st, struct err *e);

/*
 * Sends the stop signal, after `seconds` SIGKILL, waits until the thing is
 * gone. Its restart policy does not start it again.
 */
int thing_stop(const struct thing *t, u64 seconds, struct err *e);
/* Sends any signal; SIGKILL also waits until the thing is gone. */
int thing_kill(const struct thing *t, int sig, struct err *e);
/* Waits for the end and gives the exit status; of an ended one at once. */
int thing_wait(const struct thing *t, u32 *status, struct err *e);
/* Waits until nobody has the lock any more. False after `ms`. */
bool thing_wait_free(const struct thing *t, u64 ms);

int thing_pause(const struct thing *t, bool pause, struct err *e);
bool thing_is_paused(const struct thing *t);

/* One more process in a running thing. */
struct exec_config {
	struct strv args, env;
	char *user, *cwd;
	bool tty, in, detach, privileged;
	u64 timeout_ms; /* then a container's is killed; 0: none */
};

/* Runs it on this process's stdio to its end. */
int thing_exec(const struct thing *t, const struct exec_config *x, struct client_result *out,
	       struct err *e);

/* What one thing uses now. */
struct thing_use {
	u64 cpu_ns;		  /* since its start */
	u64 memory, memory_limit; /* bytes; limit 0: none */
	u64 processes;
};

int thing_usage(const struct thing *t, struct thing_use *out, struct err *e);
/* Prints its processes as a table on standard output. */
int thing_top(const struct thing *t, struct err *e);

/*
 * Runs the health check of its spec once: 0 it is well, 1 it is not (or did not
 * say within ms), -errno: it could not be asked.
 */
int thing_health(const struct thing *t, u64 ms, struct err *e);

/* Everything known about it, a new reference. */
json_t *thing_inspect(const struct thing *t, struct err *e);

/*
 * Runs an operation of hull-init in a machine (guest/init/serve.c) with in and
 * out as its standard input and output.
 */
int machine_op(const struct thing *t, const char *op, const char *path, const char *options, int in,
	       int out, struct err *e);

#endif
