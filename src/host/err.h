/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of hosted code: a status (an errno value) and one line for a person.
 *
 *	int disk_open(const char *path, ..., struct err *e)
 *	{
 *		if (fd < 0)
 *			return err_errno(e, "disk %s", path);
 *	}
 *
 * A function that can fail takes a struct err * as last argument and returns 0
 * or a negative errno. It fills the error in exactly once; callers on the way
 * up may wrap it with context; only the cli prints it. NULL is allowed
 * everywhere and means that nobody wants to know.
 */
#ifndef HULL_HOST_ERR_H
#define HULL_HOST_ERR_H

#include "base/types.h"

struct err {
	int status; /* positive errno value, 0 = none */
	char msg[480];
};

/* Sets the error. Returns -status. The message has no final dot; control characters in it become
 * "?". */
int err_set(struct err *e, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Sets "message: strerror(errno)" with status errno. Returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "message: " in front of an error already set. Returns -status. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
