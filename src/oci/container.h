/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by container.c (making), exec.c (further processes) and life.c (the rest). */
#ifndef HULL_OCI_CONTAINER_H
#define HULL_OCI_CONTAINER_H

#include "oci/plan.h"
#include "oci/state.h"

int container_write_pid_file(const char *path, pid_t pid, struct err *e);
int container_serve(struct oci_container *c, struct oci_plan *p, int sock, pid_t pid,
		    int *console_master, bool until_ready, struct err *e);
/* Kills and removes a container whose making failed. */
void container_abort(struct oci_container *c);

#endif
