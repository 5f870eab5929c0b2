/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Giving guest memory back to the host. release: the guest does not need the
 * contents of [gpa, gpa + len), whole pages of one RAM slot, any more; they may
 * read as anything afterwards, and the memory comes back when it is next
 * touched. Called with the machine lock held; the caller tells engines.
 */
#ifndef HULL_IO_RECLAIM_H
#define HULL_IO_RECLAIM_H

#include "base/types.h"

struct io_reclaim {
	void (*release)(void *opaque, u64 gpa, u64 len);
	void *opaque;
};

#endif
