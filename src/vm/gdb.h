/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GDB's remote protocol (GDB manual, appendix E) for a running machine, one
 * client at a time on a loopback TCP port; one thread per vCPU, numbered from 1.
 *
 * Attaching stops the machine, detaching or losing the connection lets it go
 * on. While it is stopped virtual time stands still. Runs on the event thread
 * with the machine lock held, gdb_debug_exit apart.
 */
#ifndef HULL_VM_GDB_H
#define HULL_VM_GDB_H

#include "core/engine.h"
#include "host/loop.h"

struct gdb;

struct gdb_target {
	const struct engine_ops *ops;
	struct engine_vcpu *const *vcpu; /* not owned */
	unsigned ncpus;
	struct gpa_map *map;
	/* Stop all vCPUs and wait; let them go; end the machine. Event thread, lock held. */
	void (*hold)(void *opaque);
	void (*release)(void *opaque);
	void (*kill)(void *opaque);
	void *opaque;
};

/*
 * Listens on 127.0.0.1:port. wait: the machine is taken to be stopped until a
 * client says otherwise. Before the machine runs.
 */
int gdb_create(struct loop *l, const struct gdb_target *t, u16 port, bool wait, struct gdb **out,
	       struct err *e);
void gdb_destroy(struct gdb *g); /* NULL ok */

/* True while the debugger wants the machine stopped; NULL: false. */
bool gdb_is_stopped(const struct gdb *g);

/*
 * A vCPU came out with VCPU_EXIT_DEBUG and stays parked. On its thread, lock
 * held. False if no debugger asked for it.
 */
bool gdb_debug_exit(struct gdb *g, unsigned cpu, const struct vcpu_exit *exit);

#endif
