/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit mode: exceptions, MSRs, 8-byte MMIO, IST, ring 3. */
#include "long.inc"

main64:
	movl $1f, %ebp
	ud2
1:	movl $1f, %ebp
	movabsq $0x8000000000000000, %rax
	movq (%rax), %rbx
1:	movl $1f, %ebp
	movabsq $0x0000700000001234, %rax
	movq (%rax), %rbx
1:	movl $1f, %ebp
	movabsq %rax, 0x0000700000005678
1:	movl $1f, %ebp
	movl $0x12345, %ecx
	rdmsr
1:	movl $1f, %ebp
	xorl %edx, %edx
	divq %rdx
1:
	/* MSRs that only hold a value. */
	movl $0xc0000102, %ecx
	movl $0x11223344, %eax
	movl $0x00005566, %edx
	wrmsr
	xorl %eax, %eax
	xorl %edx, %edx
	rdmsr
	result %eax
	result %edx
	swapgs
	movl $0xc0000101, %ecx
	rdmsr
	result %eax
	result %edx
	swapgs
	movl $0x40000000, %eax
	cpuid
	result %ebx

	/* 64-bit arithmetic and flags. */
	movabsq $0x123456789abcdef0, %rax
	movabsq $0xfedcba9876543211, %rcx
	mulq %rcx
	pushfq
	popq %rbx
	andl $0x801, %ebx
	result %eax
	result %edx
	result %ebx
	movabsq $0x7fffffffffffffff, %rax
	addq $1, %rax
	pushfq
	popq %rbx
	result %ebx

	/* MMIO of 8 bytes, and strings to and from it. */
	movabsq $0x1122334455667788, %rax
	movq %rax, MMIO + 0x200
	movq MMIO + 0x208, %rax
	result %eax
	shrq $32, %rax
	result %eax
	movl $0x5000, %esi
	pushq %rdi
	movl $MMIO + 0x300, %edi
	movl $3, %ecx
	rep movsl
	popq %rdi
	xchgl %eax, MMIO + 0x400

	/* An exception on its own stack. */
	movl $IDT + 6*16, %ebx
	movb $1, 4(%rbx)
	movl $1f, %ebp
	ud2
1:	movl STACK - 0x800 - 8, %eax /* the pushed SS shows where the stack was */
	result %eax

	/* Ring 3, and back by a divide fault (some hosts' KVM lacks INT n there). */
	vec_entry 0, back
	pushq $UDATA
	pushq $USTACK
	pushq $0x202
	pushq $UCODE
	pushq $user + USER
	iretq

user:
	addl $USER, %edi
	movl $1f + USER, %ebp
	hlt
1:	movl $2f + USER, %ebp
	movq %cr3, %rax
2:	movl $0x777, %eax
	movl %ss, %ebx
	movl %cs, %edx
	xorl %ecx, %ecx
	divl %ecx

back:
	subl $USER, %edi
	result %eax
	result %ebx
	result %edx
	movl 8(%rsp), %eax /* CS and SS of ring 3 on the frame */
	result %eax
	movl 32(%rsp), %eax
	result %eax
	movl %ss, %eax
	result %eax
	done
