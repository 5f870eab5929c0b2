/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container leaves on disk, ROOT/ID/: state.json (who and where),
 * config.json (as it was created), exec.fifo and, a user's, door (while it is only created).
 */
#ifndef HULL_OCI_STATE_H
#define HULL_OCI_STATE_H

#include "oci/cgroup.h"
#include "oci/config.h"

/* In a container's directory until it is started: what its process waits on. Named as runc's. */
#define STATE_FIFO "exec.fifo"

struct oci_container {
	char *root, *id, *bundle, *rootfs, *created;
	int dir; /* ROOT/ID */
	pid_t pid;
	int pidfd;	/* -1 when the process is gone */
	u64 start_time; /* of the process, proc(5) stat field 22 */
	bool removed;
	struct oci_cgroup cgroup;
	struct oci_config *config; /* loaded when needed */
};

int state_check_id(const char *id, struct err *e);
/* A handle with a new, empty directory; -EEXIST if the name is taken. */
int state_create(const struct oci_where *w, const char *bundle, struct oci_container **out,
		 struct err *e);
/* Writes config.json and state.json. */
int state_save_config(struct oci_container *c, const struct oci_config *config, struct err *e);
int state_save(struct oci_container *c, struct err *e);
int state_load_config(struct oci_container *c, struct err *e);
/* Removes the directory. */
void state_remove(struct oci_container *c);
/* Start time of a live process, 0 if there is none or it is a zombie. */
u64 state_start_time(pid_t pid);
/* True while the container waits for its start. */
bool state_is_created(const struct oci_container *c);

#endif
