/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .dockerignore and the globs of COPY (Dockerfile reference, ".dockerignore
 * file"): Go's filepath.Match with "**" and "!". Pure.
 */
#ifndef HULL_IMAGE_IGNORE_H
#define HULL_IMAGE_IGNORE_H

#include "host/err.h"

struct ignore {
	char **patterns; /* cleaned, "!" kept; NULL-terminated */
};

int ignore_parse(const char *text, size_t len, struct ignore *out, struct err *e);
void ignore_fini(struct ignore *x);
/* Is the path (relative, no leading "./") left out? Also when a directory above it is. */
bool ignore_match(const struct ignore *x, const char *path);
/* Could something below the directory be let in again by a "!" pattern? */
bool ignore_may_hold(const struct ignore *x, const char *dir);

/* One path against one pattern; "*" and "?" stop at slashes, "**" does not. */
bool glob_match(const char *pattern, const char *path);
bool glob_has_magic(const char *pattern);

#endif
