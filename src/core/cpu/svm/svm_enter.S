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
#include "core/cpu/enter_macros.S"

	.text
	.globl svm_enter_asm
	.type svm_enter_asm, @function
svm_enter_asm:
	host_push
	push %rdx
	push %rsi
	push %rdi
	clgi
	sti
	mov %rdx, %rax
	vmsave %rax
	mov %rsi, %rax
	vmload %rax
1:	guest_load
	vmrun %rax
	push %rdi
	mov 8(%rsp), %rdi
	guest_save
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
	guest_forget
	host_pop
	ret
	.size svm_enter_asm, . - svm_enter_asm
	.section .note.GNU-stack, "", @progbits
