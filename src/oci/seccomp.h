/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp of the config compiled to a BPF program by libseccomp, before
 * the container's process exists; that process only loads it.
 */
#ifndef HULL_OCI_SECCOMP_H
#define HULL_OCI_SECCOMP_H

#include "oci/config.h"

#include <linux/filter.h>

struct seccomp_prog {
	struct sock_filter *v; /* NULL: no filter */
	unsigned short n;
	unsigned flags;			 /* SECCOMP_FILTER_FLAG_* */
	bool notify;			 /* a rule notifies: the listener's fd goes to listener */
	const char *listener, *metadata; /* listenerPath, listenerMetadata */
};

/*
 * cache: directory for compiled programs (made if missing; failing to use it is
 * no error), or NULL.
 */
int seccomp_prog_compile(json_t *seccomp, const char *cache, struct seccomp_prog *out,
			 struct err *e);
void seccomp_prog_free(struct seccomp_prog *p);
/* Loads into the calling thread. *listener: notify fd or -1. */
int seccomp_prog_load(const struct seccomp_prog *p, int *listener, struct err *e);
/* Names for `features`: "actions", "operators", "archs", "flags". New references. */
json_t *seccomp_names(const char *what);

#endif
