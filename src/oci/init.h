/* SPDX-License-Identifier: Apache-2.0 */
/* The container's process from its first instruction to the user's program. */
#ifndef HULL_OCI_INIT_H
#define HULL_OCI_INIT_H

#include "oci/plan.h"

/* Runs in the new process of ns_spawn; ends in execve or in _exit after telling the runtime why. */
void init_main(struct oci_plan *p);

/* user.c: home directory of uid from the root's /etc/passwd: 1 and out filled, or 0. */
int user_home(uid_t uid, char *out, size_t size);

#endif
