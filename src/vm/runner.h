/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU threads of a machine: one host thread each, calling the engine's
 * vcpu_run in a loop, and the means to hold them all still. Knows engines only
 * by struct engine_ops and nothing of devices.
 *
 * State: held (every thread parked, or about to) or running. A runner starts
 * held. The machine lock (host/loop.h) guards everything.
 */
#ifndef HULL_VM_RUNNER_H
#define HULL_VM_RUNNER_H

#include "core/engine.h"
#include "host/loop.h"

struct runner;

struct runner_config {
	struct loop *loop;
	const struct engine_ops *ops;
	struct engine_vcpu *const *vcpu; /* not owned, outlives the runner */
	unsigned nvcpus;
	/*
	 * A vCPU came out of the engine for another reason than a kick. On its
	 * thread, with the machine lock held; the CPU is parked until the next
	 * runner_release unless this returns true.
	 */
	bool (*on_exit)(void *opaque, unsigned cpu, const struct vcpu_exit *exit);
	void *opaque;
};

/* Starts the threads, held. No lock. */
int runner_create(const struct runner_config *cfg, struct runner **out, struct err *e);

/* NULL ok. Stops and joins the threads. Without the lock. */
void runner_destroy(struct runner *r);

/* Asks every vCPU to park, without waiting. Any thread, lock held. */
void runner_hold_async(struct runner *r);

/*
 * The same and waits until all are parked; the lock is released meanwhile, so
 * look at the world anew afterwards. Not from a vCPU's thread. Lock held.
 */
void runner_hold(struct runner *r);

/* Lets them go on. Lock held. */
void runner_release(struct runner *r);

bool runner_is_held(const struct runner *r);

#endif
