/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * int vmx_enter_asm(u64 *gpr, bool launched)
 *
 * Called with interrupts off and a current VMCS. VM entry and exit switch what SDM
 * vol. 3C chapters 27 and 28 list; general registers are ours.
 */
	.text
	.globl vmx_enter_asm
	.type vmx_enter_asm, @function
vmx_enter_asm:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov $0x6c14, %eax	/* host RSP */
	vmwrite %rsp, %rax
	jc 2f
	jz 2f
	test %sil, %sil
	mov 0*8(%rdi), %rax
	mov 1*8(%rdi), %rcx
	mov 2*8(%rdi), %rdx
	mov 3*8(%rdi), %rbx
	mov 5*8(%rdi), %rbp
	mov 6*8(%rdi), %rsi
	mov 8*8(%rdi), %r8
	mov 9*8(%rdi), %r9
	mov 10*8(%rdi), %r10
	mov 11*8(%rdi), %r11
	mov 12*8(%rdi), %r12
	mov 13*8(%rdi), %r13
	mov 14*8(%rdi), %r14
	mov 15*8(%rdi), %r15
	mov 7*8(%rdi), %rdi
	jnz 1f
	vmlaunch
	jmp 2f
1:	vmresume
2:	pop %rdi
	mov $-5, %eax
	jmp 3f

	.globl vmx_exit_asm
vmx_exit_asm:
	push %rdi
	mov 8(%rsp), %rdi
	mov %rax, 0*8(%rdi)
	mov %rcx, 1*8(%rdi)
	mov %rdx, 2*8(%rdi)
	mov %rbx, 3*8(%rdi)
	mov %rbp, 5*8(%rdi)
	mov %rsi, 6*8(%rdi)
	pop 7*8(%rdi)
	mov %r8, 8*8(%rdi)
	mov %r9, 9*8(%rdi)
	mov %r10, 10*8(%rdi)
	mov %r11, 11*8(%rdi)
	mov %r12, 12*8(%rdi)
	mov %r13, 13*8(%rdi)
	mov %r14, 14*8(%rdi)
	mov %r15, 15*8(%rdi)
	pop %rdi
	xor %eax, %eax
	/* Nothing of the guest's stays in registers that speculation might use. */
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
3:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size vmx_enter_asm, . - vmx_enter_asm
	.section .note.GNU-stack, "", @progbits
