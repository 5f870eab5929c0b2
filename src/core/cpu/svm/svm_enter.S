/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * void svm_enter_asm(struct hv_vcpu *v, u64 vmcb_pa, u64 host_pa)
 *
 * v begins with the registers. After an exit that svm_again answers the guest goes on at once;
 * not in Linux, whose C code (stack protector, tracing) needs its own GS.
 * Called with interrupts off. VMRUN and #VMEXIT switch what APM vol. 2, 15.5 and
 * 15.6 list; VMSAVE/VMLOAD the rest of the segments and the system-call MSRs. GIF
 * is 0 around it all, and IF 1 so that the host's interrupts end the guest's run
 * (with V_INTR_MASKING the host's IF decides); they are taken when the caller
 * enables interrupts.
 */
	.text
	.globl svm_enter_asm
	.type svm_enter_asm, @function
svm_enter_asm:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rsi
	push %rdi
	clgi
	sti
	mov %rdx, %rax
	vmsave %rax
	mov %rsi, %rax
	vmload %rax
1:	mov 1*8(%rdi), %rcx
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
	vmrun %rax
	push %rdi
	mov 8(%rsp), %rdi
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
#ifndef __KERNEL__
	cld
	call svm_again /* the stack is aligned: ten words since the caller's call */
	test %al, %al
	mov (%rsp), %rdi
	mov 8(%rsp), %rax
	jnz 1b
#endif
	vmsave %rax
	pop %rdi
	pop %rsi
	pop %rax
	vmload %rax
	cli
	stgi
	/* Nothing of the guest's stays in registers that speculation might use. */
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size svm_enter_asm, . - svm_enter_asm
	.section .note.GNU-stack, "", @progbits
