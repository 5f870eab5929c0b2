/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a process in the namespaces of a plan. Two ways:
 *
 *   direct: one clone3 with all new namespaces; those given by path are joined
 *	by the new process itself.
 *   staged: a process in between joins what children only inherit (pid, time)
 *	or what must own the rest (user), then makes the real one as its sibling
 *	(CLONE_PARENT) and exits.
 */
#ifndef HULL_OCI_NS_H
#define HULL_OCI_NS_H

#include "oci/plan.h"

/* Opens the namespaces to join and decides between direct and staged. */
int ns_plan(struct oci_plan *p, struct err *e);

/*
 * Runs main in the new process, which never returns. *pid and *pidfd name it in
 * the caller. p->sync is the child's end of the socket, sock the caller's.
 */
int ns_spawn(struct oci_plan *p, int sock, void (*main)(struct oci_plan *), pid_t *pid, int *pidfd,
	     struct err *e);

/* setns to every namespace of the plan given by path; children only for pid. */
int ns_join_paths(const struct oci_plan *p, struct err *e);

/* Id maps of a process that just made a user namespace. */
int ns_write_maps(const struct oci_plan *p, pid_t pid, struct err *e);
/* A user namespace with these maps, for id-mapped mounts: fd or -errno. */
int ns_user_fd(const struct oci_plan *p, const struct oci_idmaps *maps, struct err *e);

/* All namespaces in the order exec joins them: the user namespace first, for its rights. */
extern const int ns_order[NS_COUNT];

/* Name below /proc/PID/ns of a CLONE_NEW* flag. */
const char *ns_name(int flag);

#endif
