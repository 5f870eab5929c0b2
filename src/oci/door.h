/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a user's exec gets into a container that is created and not started.
 *
 * Its first process has executed nothing yet and is private (init.c), so only who
 * has rights in the user namespace the runtime was started in may open its
 * namespaces (ptrace(2), "Ptrace access mode checking"): root, not the user. So
 * that process itself opens them and hands them to whoever comes to a socket in
 * the container's state directory, which is its owner's alone, until the start.
 */
#ifndef HULL_OCI_DOOR_H
#define HULL_OCI_DOOR_H

#include "oci/plan.h"

#define DOOR_NAME "door"

/* Runtime, before the process exists: the socket in directory dir, or an error. */
int door_make(int dir, struct err *e);
/* The process, when it has all its namespaces: keeps them open in p->held. */
int door_hold(struct oci_plan *p, struct err *e);
/* The process: answers at p->door until p->start is readable. */
void door_serve(const struct oci_plan *p);
/*
 * exec: the namespaces of the container with that state directory, in the order
 * they are to be joined; the rest -1. False: nobody is there, it has been started.
 */
bool door_ask(int dir, int held[NS_COUNT]);

#endif
