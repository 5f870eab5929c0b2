/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull run` and its kin: their parts of the command table.
 */
#ifndef HULL_CLI_RUN_H
#define HULL_CLI_RUN_H

#include "cli/cli.h"

#define RUN_OPTIONS 43

extern const struct cli_option run_options[RUN_OPTIONS];
extern const char run_more_help[];

enum { PS_JSON, PS_QUIET, PS_ALL };
enum { THINGS_TIMEOUT, THINGS_FORCE, THINGS_ALL, THINGS_SIGNAL };
enum { LOGS_FOLLOW, LOGS_TIMES, LOGS_TAIL };
enum {
	EXEC_INTERACTIVE,
	EXEC_TTY,
	EXEC_DETACH,
	EXEC_PRIVILEGED,
	EXEC_ENV,
	EXEC_USER,
	EXEC_WORKDIR
};

enum { COMMIT_MESSAGE, COMMIT_CHANGE };
enum { NETWORK_SUBNET, NETWORK_INTERNAL, NETWORK_JSON };
enum { FOREIGN_SYSROOT, FOREIGN_ARGV0, FOREIGN_TRACE, FOREIGN_INTERPRET };

int cmd_cp(const struct cli_command *self, int argc, char **argv);
int cmd_commit(const struct cli_command *self, int argc, char **argv);
int cmd_ps(const struct cli_command *self, int argc, char **argv);
int cmd_stats(const struct cli_command *self, int argc, char **argv);
int cmd_things(const struct cli_command *self, int argc, char **argv);
int cmd_logs(const struct cli_command *self, int argc, char **argv);
int cmd_exec_foreign(const struct cli_command *self, int argc, char **argv);
int cmd_network(const struct cli_command *self, int argc, char **argv);
int cmd_exec(const struct cli_command *self, int argc, char **argv);
int cmd_attach(const struct cli_command *self, int argc, char **argv);
int cmd_top(const struct cli_command *self, int argc, char **argv);

/* control.c: one command (stop, kill, pause, resume, inspect) on a machine of `hull boot`'s. */
bool control_knows(const char *command);
int control_one(const struct cli_command *self, const char *name, u64 seconds, struct err *e);

int cmd_run(const struct cli_command *self, int argc, char **argv);
/* run_health.c: an option (v NULL of those without value), and what the image says to what they
 * leave open. */
enum health_option {
	HEALTH_INTERVAL,
	HEALTH_TIMEOUT,
	HEALTH_START,
	HEALTH_RETRIES,
	HEALTH_CMD,
	HEALTH_NONE
};
struct run_spec;
struct image_health;
int health_option(struct run_spec *s, enum health_option which, const char *v, struct err *e);
int health_from_image(struct run_spec *s, const struct image_health *h, struct err *e);
/* Not in the table: `hull _health DIR MS`, which hull-monitor starts (run/monitor/health.c). */
int cmd_health(int argc, char **argv);
/* Not in the table: `hull _end DIR lock=FD listen=FD`, what hull-monitor becomes. */
int cmd_end(int argc, char **argv);

#endif
