/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of a long step on standard error: one line that rewrites itself on
 * a terminal, begin and end lines elsewhere. One step at a time, one thread.
 */
#ifndef HULL_HOST_PROGRESS_H
#define HULL_HOST_PROGRESS_H

#include "base/types.h"

struct progress {
	char what[100];
	u64 total; /* bytes, 0 = unknown */
	u64 start_ns, shown_ns;
	bool tty;
};

void progress_begin(struct progress *p, const char *what, u64 total);
void progress_at(struct progress *p, u64 done);
/* ok false: says that it failed; the error itself is the caller's to print. */
void progress_end(struct progress *p, bool ok);

#endif
