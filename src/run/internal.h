/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of run/ do for each other. Not for others. */
#ifndef HULL_RUN_INTERNAL_H
#define HULL_RUN_INTERNAL_H

#include "run/life.h"
#include "run/wire.h"

/* What the monitor is to have: descriptors (-1: none) without close-on-exec, see monitor.c. */
struct start {
	const struct thing *t;
	const struct run_spec *spec;
	int lock, listener, owner;	 /* given */
	int in, out, err, wire, payload; /* made by the kind's start */
	int net;			 /* a named network's name space, to be held */
	pid_t child, helper;
};

/* The kind's own part of start: leaves a child and its stdio in s. */
int machine_start(struct start *s, struct err *e);
int container_start(struct start *s, struct err *e);
/* ... and of thing_finish. */
int machine_finish(const struct thing *t, const struct run_spec *spec, struct err *e);
int container_finish(const struct thing *t, const struct run_spec *spec, struct err *e);

/* The containers' part of run/life.h. */
int container_pause(const struct thing *t, bool pause, struct err *e);
bool container_is_paused(const struct thing *t);
int container_exec(const struct thing *t, const struct run_spec *spec, const struct exec_config *x,
		   struct client_result *out, struct err *e);
int container_usage(const struct thing *t, struct thing_use *out, struct err *e);
/* Adds CPU time and memory of one process of the host's to the figures. */
int process_usage(pid_t pid, struct thing_use *u, struct err *e);
int container_top(const struct thing *t, struct err *e);

/* config.c: the runtime's configuration of a container, and of one more process in it. */
struct network;
int container_config(const struct thing *t, const struct run_spec *spec, const struct network *net,
		     json_t **out, struct err *e);
int container_process(const struct thing *t, const struct run_spec *spec, json_t **out,
		      struct err *e);
/* seccomp_default.c: the default linux.seccomp for these capabilities. New reference. */
json_t *seccomp_default(u64 caps);
/* terminal.c: this terminal on a pseudo terminal's master until pidfd's process ends. */
int terminal_run(int master, int pidfd, bool in, struct client_result *out, struct err *e);

/* Connects to a unix socket by path: descriptor or -errno. */
int socket_connect(const char *path);
/* Kills a network helper if that is still what runs under this process id. */
void helper_kill(pid_t pid);
/* Lets the image's files go (image_unpin). */
void thing_unpin(const struct thing *t);
/* The cgroup of a container: its name, and a hash of its directory: stores may have the same names.
 */
#define RUN_CGROUP_MAX (RUN_NAME_MAX + 24)
void cgroup_name(const struct thing *t, char out[RUN_CGROUP_MAX]);
/*
 * Ends what is in the cgroups of a container whose runtime was killed before it
 * had written its state, and removes them.
 */
void cgroups_sweep(const struct thing *t);
/* Removes a directory and all below, on its own file system. 0 or -1. */
int tree_remove(const char *path);

/* A WIRE_START payload being written, of growing size. */
struct fields {
	u8 *p;
	size_t len, cap;
	bool failed;
};

void fields_add(struct fields *f, const char *key, const char *value);
void fields_list(struct fields *f, const char *key, const struct strv *l);
void fields_format(struct fields *f, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What every process has: args, env, cwd, user, capabilities. */
void fields_process(struct fields *f, const struct run_spec *spec);

/* The lines of a thing's /etc/hosts and /etc/resolv.conf, one string each. */
int etc_hosts(const struct run_spec *spec, const char *ip, struct strv *lines, struct err *e);
int etc_resolv(const struct run_spec *spec, struct strv *lines, struct err *e);
/*
 * Writes them to a file that may be in use: the same inode, never empty between.
 * What a container put there itself is lost.
 */
int etc_write(const char *path, const struct strv *lines, struct err *e);

#endif
