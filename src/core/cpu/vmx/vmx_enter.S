/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * int vmx_enter_asm(u64 *gpr, bool launched)
 *
 * Called with interrupts off and a current VMCS. VM entry and exit switch what SDM
 * vol. 3C chapters 27 and 28 list; general registers are ours.
 */
#include "core/cpu/enter_macros.S"

	.text
	.globl vmx_enter_asm
	.type vmx_enter_asm, @function
vmx_enter_asm:
	host_push
	push %rdi
	mov $0x6c14, %eax	/* host RSP */
	vmwrite %rsp, %rax
	jc 2f
	jz 2f
	test %sil, %sil
	mov 0*8(%rdi), %rax
	guest_load
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
	guest_save
	pop %rdi
	xor %eax, %eax
	guest_forget
3:	host_pop
	ret
	.size vmx_enter_asm, . - vmx_enter_asm
	.section .note.GNU-stack, "", @progbits
