/* SPDX-License-Identifier: Apache-2.0 */
/* Into one instruction with every register loaded, and out again: see host_cpu.h. */
#include "tests/unit/isa/host_cpu.h"

#define GPR(n) (HOST_AREA + 8 * (n))

	.text
	.macro save_host
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	mov %rsp, HOST_AREA + HA_RSP
	mov $HOST_XSAVE_MASK, %eax
	xor %edx, %edx
	xrstor64 HOST_AREA + HA_XSAVE
	pushq HOST_AREA + HA_RFLAGS
	popfq
	mov HOST_AREA + HA_DATA_SEL, %ds
	mov HOST_AREA + HA_DATA_SEL, %es
	mov HOST_AREA + HA_DATA_SEL, %ss
	mov GPR(0), %rax
	mov GPR(1), %rcx
	mov GPR(2), %rdx
	mov GPR(3), %rbx
	mov GPR(4), %rsp
	mov GPR(5), %rbp
	mov GPR(6), %rsi
	mov GPR(7), %rdi
	mov GPR(8), %r8
	mov GPR(9), %r9
	mov GPR(10), %r10
	mov GPR(11), %r11
	mov GPR(12), %r12
	mov GPR(13), %r13
	mov GPR(14), %r14
	mov GPR(15), %r15
	.endm

	.globl host_enter64, host_enter32, host_exit, host_fault_exit
host_enter64:
	save_host
	jmp *HOST_AREA + HA_ENTRY

host_enter32:
	save_host
	ljmp *HOST_AREA + HA_FAR

/* The instruction ran: everything to memory, no register free. */
host_exit:
	mov %rax, GPR(0)
	mov %rcx, GPR(1)
	mov %rdx, GPR(2)
	mov %rbx, GPR(3)
	mov %rsp, GPR(4)
	mov %rbp, GPR(5)
	mov %rsi, GPR(6)
	mov %rdi, GPR(7)
	mov %r8, GPR(8)
	mov %r9, GPR(9)
	mov %r10, GPR(10)
	mov %r11, GPR(11)
	mov %r12, GPR(12)
	mov %r13, GPR(13)
	mov %r14, GPR(14)
	mov %r15, GPR(15)
	mov HOST_AREA + HA_RSP, %rsp
	pushfq
	popq HOST_AREA + HA_RFLAGS
	mov $HOST_XSAVE_MASK, %eax
	xor %edx, %edx
	xsave64 HOST_AREA + HA_XSAVE

/* Or a signal handler put the state there; %rsp is the host's. */
host_fault_exit:
	mov $0x2b, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	fninit
	pushq $0x1f80
	ldmxcsr (%rsp)
	pop %rax
	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.section .note.GNU-stack, "", @progbits
