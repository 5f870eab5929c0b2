/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-oci, the command line that container engines call runc by. One table of
 * commands (main.c), each with a table of options from which parsing and help
 * come. Only this folder prints or exits.
 */
#ifndef HULL_OCI_CMD_CMD_H
#define HULL_OCI_CMD_CMD_H

#include "oci/oci.h"

struct globals {
	const char *root, *log;
	char root_buf[512];
	bool log_json, debug, systemd_cgroup, no_cgroup;
};

struct option_def {
	const char *name;
	char letter;
	const char *arg; /* NULL: a flag */
	const char *help;
};

/* An option as found on the command line, in order. */
struct option_value {
	const struct option_def *def;
	const char *value;
};

#define CMD_MAX_OPTIONS 256

struct command;

struct args {
	const struct command *cmd;
	struct option_value opt[CMD_MAX_OPTIONS];
	unsigned nopt;
	char **pos; /* positional arguments, NULL-terminated */
	int npos;
};

struct command {
	const char *name, *usage, *help;
	const struct option_def *options;
	bool stop_at_first; /* options end at the first positional argument (exec) */
	int min, max;	    /* positional arguments; max -1: any number */
	int (*run)(const struct globals *g, const struct args *a, struct err *e);
};

/* Last value of an option, NULL if it was not given ("" for a flag). */
const char *args_get(const struct args *a, const char *name);
bool args_has(const struct args *a, const char *name);
/* The i-th value of an option given several times, or NULL. */
const char *args_nth(const struct args *a, const char *name, unsigned i);
/* A number option into *out, if given. */
int args_int(const struct args *a, const char *name, s64 min, s64 max, s64 *out, struct err *e);

/* What a command's run gives: an exit status, or CMD_FAILED with the error set. */
#define CMD_FAILED (-1)

int cmd_create(const struct globals *g, const struct args *a, struct err *e);
int cmd_run(const struct globals *g, const struct args *a, struct err *e);
int cmd_exec(const struct globals *g, const struct args *a, struct err *e);
int cmd_start(const struct globals *g, const struct args *a, struct err *e);
int cmd_state(const struct globals *g, const struct args *a, struct err *e);
int cmd_kill(const struct globals *g, const struct args *a, struct err *e);
int cmd_delete(const struct globals *g, const struct args *a, struct err *e);
int cmd_list(const struct globals *g, const struct args *a, struct err *e);
int cmd_ps(const struct globals *g, const struct args *a, struct err *e);
int cmd_pause(const struct globals *g, const struct args *a, struct err *e);
int cmd_resume(const struct globals *g, const struct args *a, struct err *e);
int cmd_update(const struct globals *g, const struct args *a, struct err *e);
int cmd_events(const struct globals *g, const struct args *a, struct err *e);
int cmd_features(const struct globals *g, const struct args *a, struct err *e);
int cmd_spec(const struct globals *g, const struct args *a, struct err *e);
int cmd_checkpoint(const struct globals *g, const struct args *a, struct err *e);

int cmd_open(const struct globals *g, const char *id, struct oci_container **out, struct err *e);

/* relay.c: stays with a process in the foreground; its exit status, or -errno. */
int relay_wait(int pidfd, int console_master, struct err *e);

#endif
