/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random bytes for guests: RDRAND where there is one, mixed with a ChaCha-like
 * stream keyed from it and from timing. Any CPU.
 */
#ifndef HULL_METAL_ENTROPY_H
#define HULL_METAL_ENTROPY_H

#include "base/types.h"

void entropy_init(void);
void entropy_fill(void *buf, u64 len);

#endif
