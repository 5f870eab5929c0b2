/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running (or ended, or not yet started) thing on disk: DATA/things/NAME with
 *
 *	spec.json	what it is to be (run/spec.h)
 *	state		how it is, lines KEY=VALUE, written by the monitor
 *	lock		held (flock) by the monitor for as long as it lives
 *	live		there while something must be cleaned up after it
 *	attach.sock	the monitor's
 *	log, log.1 ...	what it printed (monitor.h)
 *	health.log	what the last health check printed
 *	upper, work	a container's own changes to its root
 *	v/		a machine's vsock, the only directory its process can see
 *
 * The lock says the truth: a state of "running" whose lock is free belongs to a
 * monitor that was killed. Whoever notices cleans up (thing_bury), so nothing
 * stays behind for longer than to the next `hull ps`.
 */
#ifndef HULL_RUN_THING_H
#define HULL_RUN_THING_H

#include "host/paths.h"
#include "run/spec.h"

#include <sys/types.h>

enum thing_state { THING_CREATED, THING_STARTING, THING_RUNNING, THING_EXITED };

struct thing {
	char name[RUN_NAME_MAX];
	char dir[PATHS_MAX];
};

struct thing_status {
	enum thing_state state;
	pid_t monitor, pid, helper; /* pid: of the container's process or the machine's */
	u64 started_ns, finished_ns;
	u32 exit;	   /* EXITED: 0 to 255 */
	char health[12];   /* "starting", "healthy", "unhealthy", "": no check */
	unsigned failures; /* of the health check, in a row */
	char error[200];
};

const char *thing_state_name(enum thing_state s);

/* Makes the directory and writes spec.json. -EEXIST: the name is taken. */
int thing_create(const struct run_spec *spec, struct thing *t, struct err *e);
/* By name, or by the beginning of a name that fits only one. -ENOENT: there is none. */
int thing_open(const char *name, struct thing *t, struct err *e);
/* The thing of exactly this name, whether it is there or not. */
int thing_at(const char *name, struct thing *t, struct err *e);
int thing_spec(const struct thing *t, struct run_spec *spec, struct err *e);
/* Cleans up first if its monitor was killed. */
int thing_status(const struct thing *t, struct thing_status *st, struct err *e);
/* Calls fn for each, sorted by name. Things that vanish meanwhile are passed over. */
int thing_each(void (*fn)(void *opaque, const struct thing *t), void *opaque, struct err *e);

/*
 * Takes the lock. -EBUSY: a monitor has it (or, wait false, somebody for a
 * moment). The descriptor is the caller's; closing it gives the lock back.
 */
int thing_lock(const struct thing *t, bool wait, struct err *e);
/* A file of the thing: dir/name. */
int thing_path(const struct thing *t, const char *name, char *path, struct err *e);

/*
 * After the end: what the thing had in the kernel goes (cgroup, mounts,
 * helper), "live" with it. Idempotent. The lock is held by the caller or the
 * monitor.
 */
int thing_finish(const struct thing *t, struct err *e);
/* Removes an ended thing and all it wrote to its own root. */
int thing_remove(const struct thing *t, struct err *e);
/* Connects to attach.sock: frames of run/wire.h. */
int thing_attach(const struct thing *t, struct err *e);
/* Sends a signal to its process. */
int thing_signal(const struct thing *t, int sig, struct err *e);

#endif
