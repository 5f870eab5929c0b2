/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is this very process: linear = guest-physical = host address.
 * Functions of the test program can so be run by the translator and, natively,
 * beside it. The system half is replaced by a few stubs; what the translator
 * leaves to the interpreter is executed by the host CPU, one instruction at a
 * time, on the guest's registers.
 */
#ifndef HULL_TESTS_JIT_SELF_H
#define HULL_TESTS_JIT_SELF_H

#include <stdint.h>

struct x86_vcpu;

/* One per program. NULL if the host lacks FSGSBASE. */
struct x86_vcpu *self_guest(void);
/* Call fn(a, b, c) as guest code on the guest's own stack; what it returned. */
uint64_t self_call(struct x86_vcpu *c, uint64_t (*fn)(uint64_t, uint64_t, uint64_t), uint64_t a,
		   uint64_t b, uint64_t c3);
/* How often the page at `page` was asked for to be written, since it was last named here. */
void self_watch(const void *page);
uint64_t self_watched_writes(void);
/* Instructions left to the "interpreter" so far. */
uint64_t self_interpreted(void);

#endif
