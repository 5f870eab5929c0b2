/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System calls that a signal handler can interrupt without a race: between "no
 * signal is waiting" and the call itself there is no instant at which a signal
 * is lost until the call ends. For programs run by src/foreign.
 */
#ifndef HULL_ENGINE_JIT_HOST_X86_64_INTERRUPT_H
#define HULL_ENGINE_JIT_HOST_X86_64_INTERRUPT_H

#include "base/types.h"

/* Linux include/linux/errno.h: never seen by programs */
#define INTERRUPT_RESTART 512

/*
 * System call nr, unless *waiting is not 0: the kernel's result (a negative errno
 * on failure), or -INTERRUPT_RESTART if a signal came before it or while the
 * kernel would have restarted it.
 */
s64 interrupt_call(const volatile int *waiting, s64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4,
		   u64 a5);

/* In a signal handler that has set *waiting: makes an interrupt_call under way end. */
void interrupt_rewind(void *ucontext);

/* The program counter and the general registers, in the order of their numbers, of a context. */
u64 interrupt_pc(const void *ucontext);
void interrupt_registers(const void *ucontext, u64 regs[16]);

/*
 * rt_sigaction for every number, those of the C library included: handler is a
 * function of three arguments, or 0 or 1 for SIG_DFL and SIG_IGN. 0 or -errno.
 */
s64 interrupt_action(unsigned sig, u64 handler, u64 flags, u64 mask);

#endif
