/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running other programs: never through a shell, found by PATH.
 */
#ifndef HULL_HOST_PROC_H
#define HULL_HOST_PROC_H

#include "host/err.h"

#include <sys/types.h>

/*
 * Runs argv (NULL-terminated) in directory dir (NULL: here), waits for it. Its
 * standard output goes to out (at most size - 1 bytes kept, NUL-terminated) or,
 * with out NULL, to our standard error. Its last words on standard error become
 * part of the message when it fails. -ENOENT: no such program, -EIO: it failed.
 */
int proc_run(const char *const argv[], const char *dir, char *out, size_t size, struct err *e);

/*
 * The same without waiting: calls tick (NULL ok) about 10 times a second while
 * it runs.
 */
int proc_run_ticking(const char *const argv[], const char *dir, char *out, size_t size,
		     void (*tick)(void *opaque), void *opaque, struct err *e);

/* True if a program of that name is in PATH. */
bool proc_found(const char *name);

#endif
