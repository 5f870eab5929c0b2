/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosted side of the native stubs (x86/native.c): their memory and the signals
 * they can raise. Called by the engine when it makes and drops a vCPU.
 */
#ifndef HULL_ENGINE_JIT_NATIVE_AREA_H
#define HULL_ENGINE_JIT_NATIVE_AREA_H

#include "engine/jit/x86/cpu.h"

/*
 * Give the vCPU its stub area: one memfd mapped once writable and once
 * executable, and the guard pages. 0 or -errno (nothing is left behind).
 */
int native_area_create(struct x86_vcpu *c);
void native_area_destroy(struct x86_vcpu *c); /* harmless when there is none */

/*
 * Install the process's handlers of SIGFPE, SIGSEGV, SIGILL and SIGBUS (on the alternate stack of
 * the thread, if it has one). A signal that no stub explains takes its default
 * action. Idempotent, any thread. 0 or -errno.
 */
int native_signals_install(void);

#endif
