/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-init: process 1 of a machine that `hull run --as vm` started. A static
 * program in the initramfs that src/run/initrd.c puts together.
 *
 *	boot.c     mounts, modules, connects to the host, reads what to do
 *	root.c     the image's root, volumes, /dev, /etc files
 *	net.c      addresses and routes
 *	process.c  starts a process the way a container runtime would
 *	session.c  carries stdio, signals and exit status of processes; the loop
 *	serve.c    what the host asks for that is no program: archives, statistics
 *
 * It trusts the host, whose guest it is, to say what to run, but checks every
 * length; it trusts the image's files in nothing but their contents.
 */
#ifndef HULL_GUEST_INIT_H
#define HULL_GUEST_INIT_H

#include "base/types.h"
#include "run/wire.h"

#include <sys/types.h>

#define INIT_ROOT "/newroot"
#define INIT_LIST_MAX 4096u

/* A START frame taken apart; strings point into the frame, which lives as long. */
struct job {
	const char *arg[INIT_LIST_MAX + 1];
	unsigned nargs;
	const char *env[INIT_LIST_MAX + 4];
	unsigned nenv;
	const char *cwd, *user;
	const char *op; /* what serve.c does instead of running arg, NULL: run */
	const char *path, *options;
	u32 cols, rows;
	u64 caps; /* bounding set */
	bool tty, in, new_privs, all_caps;
	u32 signal;
};

/* What only the first START says. */
struct setup {
	const char *root;   /* block device with the image's root */
	const char *format; /* its file system */
	const char *rw;	    /* block device for what changes, NULL: memory */
	const char *hostname, *time;
	const char *card[4]; /* NAME ADDRESS/BITS MTU [GATEWAY] */
	unsigned ncards;
	const char *volume[64]; /* TAG:ro|rw:PATH */
	unsigned nvolumes;
	const char *tmpfs[64]; /* PATH[:OPTIONS] */
	unsigned ntmpfs;
	const char *dns[8], *host[64]; /* lines for /etc/resolv.conf and /etc/hosts */
	unsigned ndns, nhosts;
	bool read_only, loader;
};

/* Keeps one line about the last failure for the host; prints it on the console. -1. */
int init_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *init_why(void);

/* boot.c. Loads a module and what it needs; what is built in is no error. */
int module_load(const char *name);

/* root.c. Builds INIT_ROOT and makes it the root of this process. */
int root_enter(const struct setup *s);
/* The directory with what the machine has changed, an open descriptor. */
int root_changes(void);
/* Creates a directory and its parents. */
int root_mkdirs(const char *path);

/* net.c */
int net_setup(const struct setup *s);

/* process.c */
struct process {
	pid_t pid;
	int in, out, err; /* our ends, -1: none; with a terminal only `in`, for both ways */
	bool tty;
};

/*
 * Starts job. first: as process 1 of a name space of its own, which the others
 * join through the pidfd `within`. -1: init_why, and *status is 125 to 127.
 */
int process_start(const struct job *job, bool first, int within, struct process *out, int *status);

/* serve.c, in the child: what job->op says, with stdin and stdout. Exit status. */
int serve_run(const struct job *job);

/* session.c. Runs until the first process has ended. */
bool job_parse(const struct wire_frame *f, struct job *job, struct setup *setup);
void session_loop(int conn, const struct job *job, int listener);

/* Switches the machine off. */
void init_power_off(void) __attribute__((noreturn));

#endif
