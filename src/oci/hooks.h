/* SPDX-License-Identifier: Apache-2.0 */
/* Running the hooks of the config, with the container's state on their standard input. */
#ifndef HULL_OCI_HOOKS_H
#define HULL_OCI_HOOKS_H

#include "oci/config.h"

struct hooks_where {
	const char *dir;	/* NULL: where we are */
	const char *const *env; /* of those whose config gives none; NULL: ours */
};

/*
 * One list in order; the first that fails ends it, but for poststop hooks, whose
 * failures are only logged. state: the JSON text. Works in the runtime and in the
 * container's process alike.
 */
int hooks_run(const struct oci_hooks *h, enum oci_hook_kind kind, const struct hooks_where *w,
	      const char *state, struct err *e);
const char *hooks_name(enum oci_hook_kind kind);

/* The state of the specification as text, malloc'ed; NULL without memory. */
char *hooks_state(const struct oci_config *c, const char *id, const char *bundle, pid_t pid,
		  const char *status);

#endif
