/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands on images (cli/image.c, cli/transfer.c), for the table in main.c.
 */
#ifndef HULL_CLI_IMAGE_H
#define HULL_CLI_IMAGE_H

#include "cli/cli.h"
#include "image/image.h"

extern const struct cli_command cli_images, cli_rmi, cli_tag, cli_prune, cli_image;
extern const struct cli_command cli_pull, cli_push, cli_load, cli_save, cli_import, cli_export;
extern const struct cli_command cli_login, cli_logout;

/* The positional arguments of a command. */
struct cli_words {
	const char *v[64];
	unsigned n;
};

/*
 * Parses all arguments: options by fn(opaque, option, value), the others into
 * words. 0, or what cli_next says (for cli_parse_end).
 */
int cli_collect(const struct cli_command *self, int argc, char **argv,
		int (*fn)(void *opaque, const struct cli_option *o, const char *value,
			  struct err *e),
		void *opaque, struct cli_words *words, struct err *e);

#endif
