/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apt as one architecture's package index: the host's own view, or one of
 * another architecture made from the host's sources in hull's data directory.
 * Nothing is installed and the host's apt is not touched. Used by kernel.c.
 */
#ifndef HULL_IMAGE_APT_H
#define HULL_IMAGE_APT_H

#include "host/paths.h"

struct apt {
	const char *arch; /* Debian's name, NULL: the host's own */
	char dir[PATHS_MAX];
};

/* arch must outlive the view; one that is not the host's brings its index up to date. */
int apt_open(struct apt *a, const char *arch, struct err *e);

/*
 * Runs `program args...` (apt-get or apt-cache; args ends with NULL) in that
 * view, as proc_run_ticking does.
 */
int apt_run(const struct apt *a, const char *program, const char *const args[], const char *dir,
	    char *out, size_t size, void (*tick)(void *opaque), void *opaque, struct err *e);

#endif
