/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

int cmd_version(const struct cli_command *self, int argc, char **argv)
{
	printf("hull %s\n", HULL_VERSION);
	return CLI_OK;
}
