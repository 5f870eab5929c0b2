/* SPDX-License-Identifier: Apache-2.0 */
/* What a process is given besides namespaces and mounts. In the process itself, called by init.c
 * and ns.c. */
#ifndef HULL_OCI_SETTINGS_H
#define HULL_OCI_SETTINGS_H

#include "oci/plan.h"

/* Its OOM score. */
int settings_oom(struct oci_plan *p, struct err *e);
/* Names, sysctl, keyring, labels, memory policy, scheduler. */
int settings_apply(struct oci_plan *p, struct err *e);
int settings_rlimits(struct oci_plan *p, struct err *e);
/*
 * Only the CPUs of the list ("0-2,5"). NULL or "": all that the cgroup has, not what
 * the caller of the runtime happened to be bound to.
 */
int settings_affinity(const char *list, struct err *e);

#endif
