/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who forgets all translations of a code cache that several vCPUs run in. Any of them may want
 * it, one takes it, waits until the others have left generated code, forgets, and says so.
 *
 * A wish that comes while a flush is on is met by that flush: whoever has it is still inside, and
 * nothing is forgotten before it has left. It must not become a second flush: its taker would
 * believe the first one to be outside for good, and each would wipe what the other had just made
 * and was running.
 */
#ifndef HULL_ENGINE_JIT_FLUSH_H
#define HULL_ENGINE_JIT_FLUSH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/types.h"

enum jit_flush { JIT_FLUSH_NONE, JIT_FLUSH_WANTED, JIT_FLUSH_ON };

/* From a vCPU inside generated code, or while none runs. */
static inline void jit_flush_want(_Atomic u32 *f)
{
	u32 none = JIT_FLUSH_NONE;

	atomic_compare_exchange_strong(f, &none, JIT_FLUSH_WANTED);
}

/* From a vCPU outside. True: the caller flushes, and calls jit_flush_done. */
static inline bool jit_flush_take(_Atomic u32 *f)
{
	u32 wanted = JIT_FLUSH_WANTED;

	return atomic_compare_exchange_strong(f, &wanted, JIT_FLUSH_ON);
}

static inline void jit_flush_done(_Atomic u32 *f)
{
	atomic_store(f, JIT_FLUSH_NONE);
}

#endif
