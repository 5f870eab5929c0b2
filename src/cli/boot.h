/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull boot`'s part of the command table.
 */
#ifndef HULL_CLI_BOOT_H
#define HULL_CLI_BOOT_H

#include "cli/cli.h"

#define BOOT_OPTIONS 23

extern const struct cli_option boot_options[BOOT_OPTIONS];
extern const char boot_more_help[];

#endif
