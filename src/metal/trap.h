/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Exceptions and interrupts of the hypervisor itself. */
#ifndef HULL_METAL_TRAP_H
#define HULL_METAL_TRAP_H

#include "base/types.h"

enum trap_vector {
	TRAP_NMI = 2,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_MACHINE_CHECK = 18,
	TRAP_EXCEPTIONS = 32,
	TRAP_TIMER = 0xf0,
	TRAP_KICK = 0xf1,
	TRAP_SPURIOUS = 0xff,
};

/* As boot.S pushes it. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/* Builds the one IDT; before the first cpu_setup. */
void trap_init(void);
void trap_load(void);
void trap_handle(struct trap_frame *f);

#endif
