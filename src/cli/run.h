/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull run` and its kin: their parts of the command table.
 */
#ifndef HULL_CLI_RUN_H
#define HULL_CLI_RUN_H

#include "cli/cli.h"

#define RUN_OPTIONS 35

extern const struct cli_option run_options[RUN_OPTIONS];
extern const char run_more_help[];

int cmd_run(const struct cli_command *self, int argc, char **argv);
/* Not in the table: `hull _end DIR lock=FD listen=FD`, what hull-monitor becomes. */
int cmd_end(int argc, char **argv);

#endif
