/* SPDX-License-Identifier: Apache-2.0 */
/* SYSRET to ring 3, SSE there, and SYSCALL back: the flags it masks, the segments it loads. */
#include "long.inc"

main64:
	/* Ring 3 by SYSRET, back by SYSCALL. */
	movl $0xc0000081, %ecx
	xorl %eax, %eax
	movl $(UCODE32 << 16) | KCODE, %edx
	wrmsr
	incl %ecx
	movl $entry + (HIGH & 0xffffffff), %eax
	movl $HIGH >> 32, %edx
	wrmsr
	movl $0xc0000084, %ecx
	movl $0x200, %eax
	xorl %edx, %edx
	wrmsr
	movl $user + USER, %ecx
	movl $0x202, %r11d
	movl $USTACK, %esp
	sysretq

user:
	addl $USER, %edi
	movabsq $0x0102030405060708, %rax
	movq %rax, %xmm0
	punpcklbw %xmm0, %xmm0
	movdqa %xmm0, %xmm1
	paddw %xmm1, %xmm1
	pmaddwd %xmm0, %xmm1
	movdqu %xmm1, USER + 0x5000
	cvtsi2sdq %rax, %xmm2
	sqrtsd %xmm2, %xmm2
	movsd %xmm2, USER + 0x5010
	movl USER + 0x5000, %eax
	result %eax
	movl USER + 0x500c, %eax
	result %eax
	movl USER + 0x5010, %eax
	result %eax
	movl USER + 0x5014, %eax
	result %eax
	movl $0x777, %eax
	movl %ss, %ebx
	movl %cs, %edx
	syscall
entry:
	subl $USER, %edi
	result %eax
	result %ebx
	result %edx
	pushfq
	popq %rbx
	result %ebx
	result %r11d
	movl %ss, %eax
	result %eax
	done
