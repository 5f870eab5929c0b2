/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container runtime (OCI runtime-spec 1.3) as a library. Used by hull-oci
 * (src/oci/cmd) and by `hull run`; knows nothing of images or command lines.
 *
 *	oci_config_parse -> oci_create -> oci_start -> oci_wait -> oci_delete
 *
 * A container lives in the kernel and in a directory ROOT/ID; a struct
 * oci_container is only a handle on it, so any process may open one by name.
 *
 * Threads: oci_create, oci_run and oci_exec fork; call them while the process
 * has one thread (or none that holds a lock of libc). Nothing here is locked:
 * one handle, one thread. All descriptors it opens are close-on-exec.
 */
#ifndef HULL_OCI_OCI_H
#define HULL_OCI_OCI_H

#include "host/err.h"

#include <jansson.h>
#include <sys/types.h>

struct oci_config;
struct oci_container;

#define OCI_ID_MAX 255
#define OCI_SPEC_VERSION "1.3.0"

/* ---- configuration (config.json) ---------------------------------------- */

/* Parses and checks; everything about the config that can be wrong is said here. */
int oci_config_parse(const char *text, size_t len, struct oci_config **out, struct err *e);
/* The same from a JSON value; takes a reference of its own, the caller keeps his. */
int oci_config_from_json(json_t *root, struct oci_config **out, struct err *e);
/* BUNDLE/config.json. */
int oci_config_load(const char *bundle, struct oci_config **out, struct err *e);
/* NULL ok. */
void oci_config_free(struct oci_config *c);
/* process.terminal. */
bool oci_config_terminal(const struct oci_config *c);
/* A config that runs `sh` in ./rootfs, as `hull-oci spec` prints it. New reference. */
json_t *oci_config_default(bool rootless);

/* ---- where and how ------------------------------------------------------ */

enum oci_cgroups {
	OCI_CGROUPS_AUTO,    /* as the config asks, by the cgroup file system */
	OCI_CGROUPS_SYSTEMD, /* cgroupsPath is slice:prefix:name, a scope of systemd's */
	OCI_CGROUPS_NONE,    /* leave the container where the caller is */
};

/* Zero-initialize, then set root and id; strings are the caller's and outlive the call. */
struct oci_where {
	const char *root; /* state directory, e.g. /run/hull-oci; made if missing */
	const char *id;	  /* [A-Za-z0-9_+.-]{1,255}, not "." or ".." */
};

struct oci_create_options {
	const char *bundle;   /* directory that relative paths of the config start from */
	const char *pid_file; /* NULL: none */
	int stdio[3];	      /* 0, 1, 2 of the container (ignored with a terminal); -1: ours */
	int console_socket;   /* connected AF_UNIX socket that gets the pty master, or -1 */
	int *console_master;  /* instead: the pty master itself, owned by the caller; NULL */
	int pidfd_socket;     /* connected AF_UNIX socket that gets a pidfd of the process, or -1 */
	int preserve_fds;     /* 3 .. 3 + n - 1 of this process stay open in the container */
	int listen_fds;	      /* how many of those are sockets as of sd_listen_fds(3) */
	bool console_plain;   /* the terminal leaves newlines alone (no ONLCR) */
	bool no_pivot;	      /* MS_MOVE and chroot: for a root on an initramfs */
	bool no_new_keyring;
	bool keep_pdeathsig; /* the container dies when the creating thread does */
	/*
	 * -1, or what runs the container's programs in the kernel's stead, of oci_program_open
	 * (oci_run only): it gets `--argv0 ARGS[0] -- PROGRAM ARGS[1]...`.
	 */
	int interpreter;
	enum oci_cgroups cgroups;
};

/* stdio, sockets and interpreter -1, the rest zero. */
void oci_create_options_init(struct oci_create_options *o);

/* ---- life --------------------------------------------------------------- */

/*
 * Fills the gaps among the descriptors 3 .. 3 + n - 1, so that nothing opened
 * later lands there and goes to the container. Call it before anything else when
 * preserve_fds comes from outside. Preserved descriptors must not be close-on-exec.
 */
int oci_reserve_fds(int n, struct err *e);

/*
 * Builds the container; its process stands just before the user's program.
 * *out is a handle that also owns a pidfd. The config may be freed afterwards.
 * On error nothing is left behind.
 */
int oci_create(const struct oci_where *w, const struct oci_config *config,
	       const struct oci_create_options *o, struct oci_container **out, struct err *e);
/* Lets a created container's program run. An exec that fails is reported here. */
int oci_start(struct oci_container *c, struct err *e);
/* oci_create and oci_start in one, with fewer steps between. */
int oci_run(const struct oci_where *w, const struct oci_config *config,
	    const struct oci_create_options *o, struct oci_container **out, struct err *e);
/* Handle on an existing container; -ENOENT if there is none. */
int oci_open(const struct oci_where *w, struct oci_container **out, struct err *e);
/* Frees the handle only. NULL ok. */
void oci_close(struct oci_container *c);

/* Of the container's init; the pidfd is the handle's. pid 0, pidfd -1 when it is gone. */
pid_t oci_pid(const struct oci_container *c);
int oci_pidfd(const struct oci_container *c);

/*
 * Waits for a child (init of oci_create/oci_run, process of oci_exec) of this
 * process. *status is the shell's: exit status, or 128 + signal. The container's
 * directory and cgroups stay until oci_delete.
 */
int oci_wait(int pidfd, int *status, struct err *e);

/* -ESRCH when the container is stopped. all: every process in its cgroup. */
int oci_kill(struct oci_container *c, int sig, bool all, struct err *e);
/* Removes cgroups and state, runs poststop hooks. force: SIGKILL first; else it must be stopped. */
int oci_delete(struct oci_container *c, bool force, struct err *e);
int oci_pause(struct oci_container *c, struct err *e);
int oci_resume(struct oci_container *c, struct err *e);
/* resources: linux.resources of the spec; members not given stay as they are. */
int oci_update(struct oci_container *c, json_t *resources, struct err *e);

enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED };
const char *oci_status_name(enum oci_status s);
enum oci_status oci_status(struct oci_container *c);
/* The state of the specification plus rootfs, created and owner, as `runc state`. New reference. */
json_t *oci_state_json(struct oci_container *c);
/* Processes in the container's cgroup or, without one, PID namespace (host pids), malloc'ed. */
int oci_pids(struct oci_container *c, pid_t **pids, size_t *n, struct err *e);
/* Memory, pids, cpu figures as `runc events --stats` has them. New reference, or NULL. */
json_t *oci_stats_json(struct oci_container *c, struct err *e);
/* A descriptor that polls readable when the container may be out of memory, or -1 ... */
int oci_oom_open(struct oci_container *c, u64 *seen);
/* ... and whether it was since the last call. */
bool oci_oom_take(struct oci_container *c, int fd, u64 *seen);

/* ---- further processes -------------------------------------------------- */

struct oci_exec_options {
	json_t *process; /* a process object of the spec (terminal, user, args, env, cwd, ...) */
	const char *pid_file;
	int stdio[3];
	int console_socket;
	int *console_master;
	int pidfd_socket;
	int preserve_fds;
	bool console_plain;
	int interpreter;	    /* as in oci_create_options */
	const char *const *cgroups; /* PATH or CONTROLLER[,...]:PATH below the container's cgroup */
	unsigned ncgroups;
	bool ignore_paused;
};

void oci_exec_options_init(struct oci_exec_options *o);
/* Starts it; *pid and *pidfd (the caller's) name a child of this process. */
int oci_exec(struct oci_container *c, const struct oci_exec_options *o, pid_t *pid, int *pidfd,
	     struct err *e);
/* The process object of the container's own config, borrowed: a template for oci_exec. */
json_t *oci_process_json(struct oci_container *c);

/* ---- this program ------------------------------------------------------- */

/*
 * Call first thing in main, before oci_create, oci_run or oci_exec: goes on in a
 * copy of this program that no container can open for writing (the program
 * starts again with the same arguments). Returns when that is so already.
 */
int oci_protect_program(char **argv, struct err *e);

/*
 * A program of the host's for use inside containers: a descriptor to execute,
 * through which (or /proc/PID/exe) nobody can write to it. The caller's, or a
 * negative errno.
 */
int oci_program_open(const char *path, struct err *e);

#endif
