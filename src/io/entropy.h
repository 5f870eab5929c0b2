/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A source of random bytes good enough for keys. fill writes len bytes, at most
 * IO_ENTROPY_MAX at once, without blocking for long; lock as the caller's.
 */
#ifndef HULL_IO_ENTROPY_H
#define HULL_IO_ENTROPY_H

#include "base/types.h"

#define IO_ENTROPY_MAX 4096u

struct io_entropy {
	void (*fill)(void *opaque, void *buf, size_t len);
	void *opaque;
};

#endif
