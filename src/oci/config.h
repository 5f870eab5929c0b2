/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of the OCI runtime-spec 1.3, typed and checked. config*.c fill
 * it in; everybody else in src/oci only reads it. Strings point into the JSON
 * tree, arrays into the config's arena: all live as long as the config.
 *
 * Section names in comments are the specification's (config.md,
 * config-linux.md).
 */
#ifndef HULL_OCI_CONFIG_H
#define HULL_OCI_CONFIG_H

#include "oci/oci.h"

#include <sys/resource.h>

/* Bounds on what a config may hold; far above what any caller sends. */
#define OCI_CONFIG_BYTES (8u << 20)
#define OCI_LIST_MAX 16384
#define OCI_MEM_NODES 1024 /* MAX_NUMNODES of x86-64 and arm64 */
#define OCI_ID_MAPS 340	   /* user_namespaces(7): limit of lines in uid_map */

struct oci_strings {
	const char **v; /* NULL-terminated */
	unsigned n;
};

struct oci_rlimit {
	int resource;
	struct rlimit lim;
};

/* One bit a capability number, capabilities(7). */
struct oci_caps {
	u64 bounding, effective, inheritable, permitted, ambient;
};

struct oci_process {
	bool given, terminal, no_new_privs;
	unsigned short rows, cols;
	uid_t uid;
	gid_t gid;
	s64 umask; /* -1: not given */
	gid_t *gids;
	unsigned ngids;
	struct oci_strings args, env;
	const char *cwd, *apparmor, *selinux;
	bool have_caps;
	struct oci_caps caps;
	struct oci_rlimit *rlimits;
	unsigned nrlimits;
	bool have_oom;
	int oom_score_adj;
	bool have_ioprio;
	int ioprio;	  /* ioprio_set(2) value */
	int sched_policy; /* -1: not given */
	int sched_nice, sched_priority;
	u64 sched_flags, sched_runtime, sched_deadline, sched_period;
	const char *cpu_initial, *cpu_final; /* execCPUAffinity */
	json_t *json;
};

struct oci_idmap {
	u32 container, host, size;
};

struct oci_idmaps {
	struct oci_idmap *uid, *gid;
	unsigned nuid, ngid;
};

struct oci_mount {
	const char *dest, *type, *source;
	unsigned long flags;	      /* MS_* for a new file system */
	u64 attr_set, attr_clr;	      /* mount_setattr(2) on this mount alone */
	u64 rec_set, rec_clr;	      /* and on the tree below it */
	unsigned long propagation[4]; /* MS_SHARED ... in the order given, 0 ends */
	char *data;		      /* what is left of the options, or NULL */
	bool bind, rec, remount, copyup, idmap, idmap_rec, copy_symlink, dest_nofollow,
		src_nofollow;
	struct oci_idmaps maps;
};

struct oci_device {
	const char *path;
	char type; /* c, b, p */
	unsigned major, minor;
	unsigned mode;
	uid_t uid;
	gid_t gid;
};

struct oci_ns {
	int flag; /* CLONE_NEW* */
	const char *path;
};

struct oci_hook {
	const char *path;
	struct oci_strings args, env;
	bool env_given; /* else the hook has the runtime's environment */
	s64 timeout;	/* seconds, 0 = none */
};

enum oci_hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};

struct oci_hooks {
	struct oci_hook *v[HOOK_KINDS];
	unsigned n[HOOK_KINDS];
};

struct oci_sysctl {
	const char *key, *value;
};

/* linux.resources.devices, "Allowed Device list". */
struct oci_device_rule {
	bool allow;
	char type;	  /* a, c, b */
	s64 major, minor; /* -1: any */
	unsigned access;  /* OCI_DEV_* */
};

enum { OCI_DEV_MKNOD = 1, OCI_DEV_READ = 2, OCI_DEV_WRITE = 4 }; /* BPF_DEVCG_ACC_* */

struct oci_pair {
	const char *key, *value;
};

struct oci_throttle {
	unsigned major, minor;
	u64 rate;
};

enum { OCI_RBPS, OCI_WBPS, OCI_RIOPS, OCI_WIOPS, OCI_THROTTLES };

/* linux.resources. Numbers are only meaningful when their bit in `have` is set. */
struct oci_resources {
	u64 have;
#define RES_MEM_LIMIT (1u << 0)
#define RES_MEM_SWAP (1u << 1)
#define RES_MEM_RESERVATION (1u << 2)
#define RES_MEM_KERNEL (1u << 3)
#define RES_MEM_KERNEL_TCP (1u << 4)
#define RES_MEM_SWAPPINESS (1u << 5)
#define RES_MEM_NO_OOM (1u << 6)
#define RES_MEM_HIERARCHY (1u << 7)
#define RES_MEM_CHECK (1u << 8)
#define RES_CPU_SHARES (1u << 9)
#define RES_CPU_QUOTA (1u << 10)
#define RES_CPU_PERIOD (1u << 11)
#define RES_CPU_BURST (1u << 12)
#define RES_CPU_RT_RUNTIME (1u << 13)
#define RES_CPU_RT_PERIOD (1u << 14)
#define RES_CPU_IDLE (1u << 15)
#define RES_PIDS (1u << 16)
#define RES_BLKIO_WEIGHT (1u << 17)
#define RES_BLKIO_LEAF (1u << 18)
#define RES_NET_CLASS (1u << 19)
	s64 mem_limit, mem_swap, mem_reservation, mem_kernel, mem_kernel_tcp, mem_swappiness;
	bool mem_no_oom, mem_hierarchy, mem_check;
	u64 cpu_shares, cpu_period, cpu_burst, cpu_rt_period;
	s64 cpu_quota, cpu_rt_runtime, cpu_idle;
	const char *cpus, *mems;
	s64 pids;
	u32 blkio_weight, blkio_leaf;
	struct oci_throttle *throttle[OCI_THROTTLES];
	unsigned nthrottle[OCI_THROTTLES];
	struct oci_throttle *weight_device;
	unsigned nweight_device;
	struct oci_pair *hugepages; /* page size, limit */
	unsigned nhugepages;
	u32 net_class;
	struct oci_pair *net_priorities;
	unsigned nnet_priorities;
	struct oci_pair *unified;
	unsigned nunified;
	struct oci_device_rule *devices;
	unsigned ndevices;
};

struct oci_config {
	json_t *root;
	struct oci_arena *arena;
	const char *version, *hostname, *domainname;
	unsigned minor; /* of version */
	const char *rootfs;
	bool rootfs_readonly;
	unsigned long rootfs_propagation; /* 0: not given */
	struct oci_process process;
	struct oci_mount *mounts;
	unsigned nmounts;
	struct oci_hooks hooks;
	struct oci_pair *annotations;
	unsigned nannotations;
	struct oci_ns *ns;
	unsigned nns;
	int ns_flags; /* all of ns[].flag, new and joined */
	struct oci_idmaps maps;
	bool have_time_offsets;
	s64 time_secs[2], time_nsecs[2]; /* monotonic, boottime */
	struct oci_device *devices;
	unsigned ndevices;
	const char *cgroups_path;
	struct oci_resources resources;
	struct oci_pair *netdevs; /* linux.netDevices: name here, name in the container or NULL */
	unsigned nnetdevs;
	struct oci_sysctl *sysctl;
	unsigned nsysctl;
	struct oci_strings masked, readonly;
	const char *mount_label;
	json_t *seccomp;     /* linux.seccomp, checked by seccomp.c */
	bool have_mempolicy; /* linux.memoryPolicy */
	int mempolicy;	     /* mode and flags as set_mempolicy(2) takes them */
	unsigned long mem_nodes[OCI_MEM_NODES / 64];
	bool have_mem_nodes;
	unsigned long personality;
	bool have_personality;
	const char *rdt_closid, *rdt_l3, *rdt_mem;
	bool rdt;
};

/* The namespace entry of that CLONE_NEW* flag, or NULL. */
const struct oci_ns *oci_config_ns(const struct oci_config *c, int flag);
/* Value of an annotation, or NULL. */
const char *oci_config_annotation(const struct oci_config *c, const char *key);

/* A process object alone (exec --process). Checked like the config's own. */
int oci_process_parse(json_t *obj, struct oci_config *holder, struct oci_process *out,
		      struct err *e);
/* A resources object alone (update). */
int oci_resources_parse(json_t *obj, struct oci_config *holder, struct oci_resources *out,
			struct err *e);
/* An empty config that only holds memory for the two above. */
struct oci_config *oci_config_new(void);

#endif
