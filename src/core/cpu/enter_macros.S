/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Of svm_enter.S and vmx_enter.S: what C's callee keeps, and the guest's general
 * registers from and to hv_vcpu.gpr (enum x86_gpr order), all but rax and rsp.
 */

	.macro host_push
	.irp r, rbp, rbx, r12, r13, r14, r15
	push %\r
	.endr
	.endm

	.macro host_pop
	.irp r, r15, r14, r13, r12, rbx, rbp
	pop %\r
	.endr
	.endm

/* From (rdi), which is overwritten too. */
	.macro guest_load
	mov 1*8(%rdi), %rcx
	mov 2*8(%rdi), %rdx
	mov 3*8(%rdi), %rbx
	mov 5*8(%rdi), %rbp
	mov 6*8(%rdi), %rsi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov \n*8(%rdi), %r\n
	.endr
	mov 7*8(%rdi), %rdi
	.endm

/* To (rdi); the guest's rdi is on the stack's top and is taken off. */
	.macro guest_save
	mov %rcx, 1*8(%rdi)
	mov %rdx, 2*8(%rdi)
	mov %rbx, 3*8(%rdi)
	mov %rbp, 5*8(%rdi)
	mov %rsi, 6*8(%rdi)
	pop 7*8(%rdi)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov %r\n, \n*8(%rdi)
	.endr
	.endm

/* Nothing of the guest's stays in registers that speculation might use. */
	.macro guest_forget
	.irp r, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
	xor %\r, %\r
	.endr
	.endm
