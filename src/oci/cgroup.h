/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's control groups, on any mix of v1 hierarchies and v2
 * (cgroups(7)): one directory in each hierarchy. cgroup.c knows where they
 * are, cgroup_procs.c who is in them, cgroup_v1.c and cgroup_v2.c what to write into them,
 * cgroup_dev.c the device filter of v2, cgroup_systemd.c how to have systemd make them.
 */
#ifndef HULL_OCI_CGROUP_H
#define HULL_OCI_CGROUP_H

#include "oci/config.h"

#define CGROUP_MAX 20 /* hierarchies: v1 has 13 controllers at most, name=systemd, v2 */

struct cgroup_dir {
	char *controllers; /* "cpu,cpuacct", "name=systemd", "" for v2 */
	char *path;	   /* the container's directory below the hierarchy's mount */
	size_t mount_len;  /* length of the mount's part of path */
	char *root;	   /* of the mount inside its hierarchy: "/" unless in a container */
	bool made;	   /* by us (or about to be), so ours to remove */
};

struct oci_cgroup {
	bool v2;	   /* v2 is all there is */
	bool rootless;	   /* failures of creating are not errors unless there are limits */
	bool limited;	   /* the config has limits */
	bool wanted;	   /* there are to be some (not in the state file: create alone asks) */
	const char *named; /* the config's cgroupsPath, borrowed; create alone asks */
	unsigned n;	   /* 0: none */
	struct cgroup_dir d[CGROUP_MAX];
	char *unit; /* systemd's scope, or NULL */
};

/* Finds where the directories are to be; makes nothing. */
int cgroup_plan(struct oci_cgroup *cg, const struct oci_config *config, const char *id,
		enum oci_cgroups how, struct err *e);
/* A group that was there before and has processes, or is frozen, is no place for a new container.
 */
int cgroup_check_free(const struct oci_cgroup *cg, struct err *e);
/* True if the directory did not exist before: all that is in it is the container's. */
bool cgroup_is_ours(const struct oci_cgroup *cg);
/* Makes the directories. On failure what was made is gone again. */
int cgroup_create(struct oci_cgroup *cg, struct err *e);
/*
 * What exec's --cgroup options say, "PATH" or "CONTROLLER[,CONTROLLER]:PATH", as one
 * name a directory. out has CGROUP_MAX elements, those not mentioned stay as they are.
 */
int cgroup_subs(const struct oci_cgroup *cg, const char *const *given, unsigned n, const char **out,
		struct err *e);
/*
 * The calling process, which must have one thread, into the directories or
 * those called sub[i] below them (sub or an element NULL: the directory itself). In v1 a thread
 * moves itself through the tasks file, which spares the kernel a grace period
 * (kernel/cgroup/cgroup.c, cgroup_procs_write_start); v2 is skipped if clone3 put it there already.
 * 1: without rights and without limits it is in none of them, *e says why.
 */
int cgroup_join_self(const struct oci_cgroup *cg, const char *const *sub, struct err *e);
/* v2: where that process is. For a container that moved its own and left the top to controllers. */
int cgroup_join_process(pid_t pid, struct err *e);
/* create: the container is new, device rules get the usual devices added. */
int cgroup_set(const struct oci_cgroup *cg, const struct oci_resources *r, bool create,
	       struct err *e);
int cgroup_freeze(const struct oci_cgroup *cg, bool freeze, struct err *e);
bool cgroup_frozen(const struct oci_cgroup *cg);
/* All processes, also of groups below. malloc'ed. */
int cgroup_pids(const struct oci_cgroup *cg, pid_t **pids, size_t *n, struct err *e);
/* sig to every process, again until no new one appears. */
int cgroup_kill(const struct oci_cgroup *cg, int sig, struct err *e);
int cgroup_destroy(const struct oci_cgroup *cg, struct err *e);
void cgroup_free(struct oci_cgroup *cg);

json_t *cgroup_to_json(const struct oci_cgroup *cg);
int cgroup_from_json(json_t *j, struct oci_cgroup *cg, struct err *e);
/* cgroup_stats.c: usage figures as `runc events --stats` names them. New reference. */
json_t *cgroup_stats(const struct oci_cgroup *cg);
/*
 * A descriptor that polls readable when the groups may be out of memory, or -1;
 * cgroup_oom_take says whether they were since the last call.
 */
int cgroup_oom_open(const struct oci_cgroup *cg, u64 *seen);
bool cgroup_oom_take(const struct oci_cgroup *cg, int fd, u64 *seen);

/* Directory of a v1 controller ("" for v2), or NULL. */
const struct cgroup_dir *cgroup_find(const struct oci_cgroup *cg, const char *controller);
/* The hierarchy that is sure to have all of the container's processes and nobody else's, or NULL.
 */
const struct cgroup_dir *cgroup_main_dir(const struct oci_cgroup *cg);
/* O_PATH fd of the v2 directory for CLONE_INTO_CGROUP, or -1. */
int cgroup_into_fd(const struct oci_cgroup *cg);
/* True if the cgroup file system is v2 alone. */
bool cgroup_host_is_v2(void);

/* For cgroup_v1.c, cgroup_v2.c. A file of a directory; errors name it. */
int cgroup_write(const struct cgroup_dir *d, const char *file, const char *text, struct err *e);
int cgroup_write_num(const struct cgroup_dir *d, const char *file, s64 v, struct err *e);
bool cgroup_has(const struct cgroup_dir *d, const char *file);

int cgroup_v1_set(const struct oci_cgroup *cg, const struct oci_resources *r, bool create,
		  struct err *e);
/* A new cpuset is empty: give it its parent's. */
int cgroup_v1_cpuset(const struct cgroup_dir *d, struct err *e);
int cgroup_v2_set(const struct cgroup_dir *d, const struct oci_resources *r, bool create,
		  struct err *e);
/* Makes the controllers of the mount's root usable in path. */
void cgroup_v2_delegate(const struct cgroup_dir *d);
/* Attaches the device program of those rules to the directory. */
int cgroup_v2_devices(const struct cgroup_dir *d, const struct oci_device_rule *rules, unsigned n,
		      struct err *e);

/* The rules every container gets after its own, so that the devices of the spec work. */
extern const struct oci_device_rule cgroup_default_rules[];
extern const unsigned cgroup_ndefault_rules;

int cgroup_systemd_plan(struct oci_cgroup *cg, const struct oci_config *config, const char *id,
			char *path, size_t size, struct err *e);
int cgroup_systemd_start(struct oci_cgroup *cg, pid_t pid, struct err *e);
/*
 * Tells systemd the limits that stand in the scope's files, v2. It owns them: whenever
 * it applies its own idea of the unit again, the files would lose what it does not know.
 */
int cgroup_systemd_tell(const struct oci_cgroup *cg, struct err *e);
void cgroup_systemd_stop(const struct oci_cgroup *cg);

#endif
