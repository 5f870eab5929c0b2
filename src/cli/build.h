/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull image build` (cli/build.c), a part of the command in cli/image.c.
 */
#ifndef HULL_CLI_BUILD_H
#define HULL_CLI_BUILD_H

#include "image/image.h"

#define BUILD_MAX_LIST 64u

struct build_args {
	const char *context, *file, *target;
	const char *tags[BUILD_MAX_LIST + 1], *args[BUILD_MAX_LIST + 1];
	unsigned ntags, nargs;
	const struct image_platform *platform;
	bool no_cache, quiet, no_network;
};

/* Enters a mount namespace of its own, builds, prints the ID. */
int build_image(const struct build_args *a, struct err *e);

#endif
