/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a thing of either kind: a new process makes the container or the
 * machine, becomes its parent, and then becomes hull-monitor by exec.
 */
#ifndef HULL_RUN_START_H
#define HULL_RUN_START_H

#include "run/thing.h"

/*
 * Starts a created or ended thing. Returns this end of a socket that carries
 * the frames of run/wire.h: STARTED or ERROR, what the thing prints, EXIT. The
 * one who has it owns the end: he cleans up (thing_finish) before closing it.
 * Closing it earlier leaves that to the monitor.
 */
int thing_start(const struct thing *t, struct err *e);

/*
 * What hull-monitor becomes at the end of a thing whose owner is gone: cleans
 * up, starts it again or removes it, as the thing's spec says. lock and
 * listener are the monitor's descriptors. Does not return when it has started
 * the thing again.
 */
int thing_end(const struct thing *t, int lock, int listener, struct err *e);

#endif
