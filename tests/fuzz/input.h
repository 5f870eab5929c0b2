/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a fuzz target's input, taken one after the other; zeros behind their end. */
#ifndef HULL_TESTS_FUZZ_INPUT_H
#define HULL_TESTS_FUZZ_INPUT_H

#include "base/types.h"

struct input {
	const u8 *p;
	size_t n;
};

static inline u64 take(struct input *in, unsigned bytes)
{
	u64 val = 0;

	for (unsigned i = 0; i < bytes && in->n; i++, in->n--)
		val |= (u64)*in->p++ << (i * 8);
	return val;
}

#endif
