/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The box a virtual machine monitor locks itself into before its first guest
 * instruction, on the assumption that a guest can take the process over.
 *
 * sandbox_enter is called once, after every file, socket and executable
 * mapping the machine will ever need exists, and while the process still has
 * one thread (credentials, namespaces and Landlock are per thread; later
 * threads inherit them). After it the process
 *   - as root: has its own mount, IPC, UTS, network namespaces and runs as an
 *     unprivileged user; not as root: the same inside a user namespace where
 *     the host allows one;
 *   - sees an empty read-only root directory (plus cfg->dirs);
 *   - can open no file anywhere else (Landlock, kernels that have it);
 *   - may use only the system calls a running machine needs (seccomp, EPERM
 *     otherwise); never exec, never new executable memory;
 *   - has no_new_privs and no core dumps.
 * What the host cannot do of this is listed in *report, in words.
 */
#ifndef HULL_HOST_SANDBOX_H
#define HULL_HOST_SANDBOX_H

#include "host/err.h"

#define SANDBOX_MAX_DIRS 4

struct sandbox_config {
	/* Directories that stay reachable under the same path, for unix sockets made later. */
	const char *dirs[SANDBOX_MAX_DIRS];
	unsigned ndirs;
	bool sockets;	   /* unix sockets may be created and connected after entry (vsock) */
	unsigned uid, gid; /* to become when root; 0 = nobody (65534) */
};

struct sandbox_report {
	bool namespaces, empty_root, unprivileged, landlock, seccomp;
	char missing[320]; /* "landlock: not in this kernel; ..." or empty */
};

/* 0, or a negative errno when a step that must work did not; then do not run a guest. */
int sandbox_enter(const struct sandbox_config *cfg, struct sandbox_report *report, struct err *e);

#endif
