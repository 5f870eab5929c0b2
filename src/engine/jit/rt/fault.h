/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the process's signal handler (native_area.c): faults of generated code.
 * Hosted.
 */
#ifndef HULL_ENGINE_JIT_RT_FAULT_H
#define HULL_ENGINE_JIT_RT_FAULT_H

#include <stdbool.h>

/*
 * If this SIGFPE, SIGSEGV or SIGILL comes from translated code of the vCPU of
 * this thread, turn it into the guest's exception: the context is changed so
 * that returning from the handler leaves generated code. Async-signal-safe.
 * Absent in programs without the translator.
 */
bool jit_signal(void *context) __attribute__((weak));

#endif
