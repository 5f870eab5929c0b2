/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hypervisor has to emulate or pass on: instructions of every kind on
 * device memory, strings between it and RAM, across pages, faults in the middle,
 * model-specific registers, debug registers, single steps over instructions that
 * exit, vector registers kept over exits.
 */
#include "long.inc"

#define M MMIO

.macro flags
	pushfq
	popq %rax
	andl $0x8d5, %eax
	result %eax
.endm

main64:
	movl $M, %esi
	movl $0x11223344, %ecx

	/* Moves of all sizes. */
	movb 1(%rsi), %al
	movw 2(%rsi), %bx
	result %ebx
	movl 4(%rsi), %eax
	result %eax
	movq 8(%rsi), %rax
	result %eax
	shrq $32, %rax
	result %eax
	movzbl 3(%rsi), %eax
	result %eax
	movzwl 6(%rsi), %eax
	result %eax
	movsbl 5(%rsi), %eax
	result %eax
	movswq 10(%rsi), %rax
	shrq $32, %rax
	result %eax
	movslq 12(%rsi), %rax
	shrq $32, %rax
	result %eax
	movb %ch, 16(%rsi)
	movw %cx, 18(%rsi)
	movl %ecx, 20(%rsi)
	movq %rcx, 24(%rsi)
	movl $0x55667788, 28(%rsi)
	movabsl M + 32, %eax
	result %eax
	movl %ecx, %gs:M + 36

	/* Arithmetic in both directions, with flags. */
	addl 40(%rsi), %ecx
	result %ecx
	flags
	stc
	adcl %ecx, 44(%rsi)
	flags
	subw %cx, 48(%rsi)
	flags
	clc
	sbbb $0x7f, 50(%rsi)
	flags
	andl $0xff00ff, 52(%rsi)
	flags
	orl %ecx, 56(%rsi)
	flags
	xorq %rcx, 64(%rsi)
	flags
	cmpl %ecx, 72(%rsi)
	flags
	cmpb $0x20, 76(%rsi)
	flags
	testl $0x80000000, 80(%rsi)
	flags
	stc
	incl 84(%rsi)
	flags
	decw 88(%rsi)
	flags
	notl 92(%rsi)
	negl 96(%rsi)
	flags

	/* Exchanges and bits. */
	movl $0xcafe, %ecx
	xchgl %ecx, 100(%rsi)
	result %ecx
	lock xaddl %ecx, 104(%rsi)
	result %ecx
	flags
	xorl %eax, %eax
	lock cmpxchgl %ecx, 108(%rsi)
	result %eax
	movl 112(%rsi), %eax
	cmpxchgl %ecx, 112(%rsi)
	pushfq
	popq %rax
	andl $0x40, %eax
	result %eax
	btl $5, 116(%rsi)
	flags
	movl $70, %ebx
	btsl %ebx, 116(%rsi)
	flags
	lock btrl $3, 120(%rsi)
	btcl $31, 124(%rsi)

	/* Strings: from, to and within device memory, backwards, a page's end, no count. */
	movq %rdi, %r13
	movl $M + 0x100, %esi
	movl $0x5000, %edi
	movl $5, %ecx
	rep movsl
	movl 0x5010, %eax
	movl $0x5000, %esi
	movl $M + 0x200, %edi
	movl $3, %ecx
	rep movsw
	movl $0x87654321, %eax
	movl $M + 0x300, %edi
	movl $2, %ecx
	rep stosq
	std
	movl $M + 0x40f, %edi
	movl $3, %ecx
	rep stosb
	cld
	movl $M + 0x500, %esi
	lodsl
	xorl %ecx, %ecx
	rep lodsl
	movl $M + 0x600, %edi
	movl $4, %ecx
	repne scasb
	movl $M + 0xffd, %esi
	movl $0x5020, %edi
	movl $6, %ecx
	rep movsb
	movl $PORT_ECHO, %edx
	movl $0x5040, %edi
	movl $3, %ecx
	rep insl
	movl $0x5040, %esi
	movl $3, %ecx
	rep outsw
	insb
	xchgq %r13, %rdi
	result %r13d
	result %ecx
	result %esi
	movl 0x5010, %eax
	result %eax
	movl 0x5020, %eax
	result %eax
	movl 0x5048, %eax
	result %eax

	/* A string that faults after two elements: RCX and RDI say so. */
	movl $1f, %ebp
	movq %rdi, %r13
	movabsq $0x7ffffffffffc, %rdi
	movl $M + 0x700, %esi
	movl $4, %ecx
	movabsq $0x10000000000, %rdi
	rep movsl
	nop
1:	xchgq %r13, %rdi
	result %ecx

	/* Vector registers live through exits. */
	movl $0x0badcafe, %eax
	movd %eax, %xmm7
	outb %al, $0x80
	movl M, %eax
	movd %xmm7, %eax
	result %eax

	/* Registers a processor has, and one it has not. */
	movl $0x277, %ecx
	rdmsr
	result %eax
	result %edx
	movl $0xc0000102, %ecx
	movl $0x1234, %eax
	movl $0xffff8000, %edx
	wrmsr
	xorl %eax, %eax
	rdmsr
	result %eax
	swapgs
	movl $0xc0000101, %ecx
	rdmsr
	result %edx
	swapgs
	movl $2f, %ebp
	movl $0x7ffffff0, %ecx
	rdmsr
2:	movl $3f, %ebp
	movl $0xc0000080, %ecx
	movl $0x503, %eax
	xorl %edx, %edx
	wrmsr /* a reserved bit */
3:	movl $0xc0000080, %ecx
	rdmsr
	result %eax

	/* Debug registers: a watchpoint fires where it should; single steps over CPUID and OUT. */
	movl $0x5100, %eax
	movq %rax, %dr0
	movl $0x000d0002, %eax
	movq %rax, %dr7
	movl $4f, %ebp
	movl $1, 0x5100
4:	movq %dr6, %rax
	andl $0xf, %eax
	result %eax
	xorl %eax, %eax
	movq %rax, %dr7
	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	vec_entry 1, on_step
	xorl %r12d, %r12d
	movl $PORT_ECHO, %edx
	pushfq
	orl $0x100, (%rsp)
	popfq
	outb %al, %dx
	cpuid
	nop
	pushfq
	andl $~0x100, (%rsp)
	popfq
	result %r12d
	movq %dr6, %rax
	andl $0x4000, %eax
	result %eax
	done

/* Count them. */
on_step:
	incl %r12d
	iretq
