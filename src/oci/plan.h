/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a container's first process is going to do, worked out and opened
 * by the runtime before that process exists. The process inherits it by fork
 * and acts in one place, init.c, in the order written there.
 */
#ifndef HULL_OCI_PLAN_H
#define HULL_OCI_PLAN_H

#include "oci/cgroup.h"
#include "oci/config.h"
#include "oci/seccomp.h"
#include "oci/sys.h"

enum { NS_COUNT = 8 };

struct oci_plan {
	const struct oci_config *config;
	const struct oci_process *process;
	const struct oci_cgroup *cgroup;
	const char *cgroup_sub[CGROUP_MAX]; /* exec --cgroup: one a directory of cgroup, or NULL */
	bool cgroup_given;		    /* exec --cgroup, if only with "/" */
	const char *id, *bundle;

	/* Descriptors of the runtime, all close-on-exec; -1: not used. */
	int proc; /* host procfs */
	int bundle_fd;
	int rootfs;	     /* detached mount tree, or -1: init opens it itself */
	int old_root;	     /* no_pivot: the host's root in the container's mount namespace */
	int *binds;	     /* one a mount of the config: detached tree or -1 */
	int ns_fd[NS_COUNT]; /* namespaces to join, in the order of config->ns */
	int sync;	     /* socket to the runtime */
	int start;	     /* FIFO the start command writes to; -1: sync says it */
	int door;	     /* door.c; -1: none is needed */
	int held[NS_COUNT];  /* by door.c: the container's namespaces, -1 after the last */
	int console_socket;
	bool console_plain;   /* without ONLCR */
	bool console_to_sync; /* the pty master goes over sync */

	int new_flags; /* namespaces to make */
	bool staged;   /* by way of a process in between (ns.c) */
	bool mapped;   /* new user namespace: wait for its id maps */
	bool exec;     /* a further process: join pidfd's namespaces, no root to build */
	int join_pidfd, join_flags;
	pid_t join_pid;
	bool no_pivot, no_new_keyring;
	bool pdeathsig; /* keep the parent-death signal */
	bool run_runtime_hooks;
	bool may_start; /* init: the start came while it waited for something else */
	int stdio[3];
	int preserve_fds;
	int interpreter; /* -1: the kernel runs the program */
	int listen_fds;
	struct seccomp_prog seccomp;
};

/* -1 in all descriptors. */
void plan_init(struct oci_plan *p);
/* Opens what only the runtime may open. */
int plan_open(struct oci_plan *p, struct err *e);
void plan_close(struct oci_plan *p);

/* The new process waits for what the runtime does to it: id maps, systemd's scope, devices. */
static inline bool plan_init_waits(const struct oci_plan *p)
{
	return !p->exec && (p->mapped || p->cgroup->unit || p->config->nnetdevs);
}

/* Messages on the sync socket, one packet each (SOCK_SEQPACKET). */
enum msg_kind {
	MSG_ERROR = 1, /* status and text of a struct err */
	MSG_PID,       /* from the process in between: value is the child's pid */
	MSG_HOOKS,     /* mounts are done: run prestart and createRuntime hooks */
	MSG_LISTENER,  /* with the seccomp notify fd */
	MSG_CONSOLE,   /* with the pty master */
	MSG_READY,     /* waiting for the start */
	MSG_GO,	       /* runtime to init: go on */
	MSG_START,     /* runtime to init: run the program */
	MSG_LOG,       /* value is an enum log_level, text the line */
};

struct msg {
	s32 kind, value;
	char text[sizeof(((struct err *)0)->msg)];
};

int msg_send(int sock, enum msg_kind kind, int value, int fd, struct err *e);
void msg_send_error(int sock, const struct err *e);
/* A line for the runtime's log; nothing when its level is not wanted. */
void msg_log(int sock, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A text and a descriptor on any connected socket. */
int msg_send_text(int sock, const char *text, int fd, struct err *e);
/*
 * 1: got one (*fd: -1 or a descriptor that came with it), 0: the other end closed.
 * Lines for the log are written there and not returned.
 */
int msg_recv(int sock, struct msg *m, int *fd, struct err *e);

#endif
