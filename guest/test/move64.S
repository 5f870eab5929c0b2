/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A computation that the host moves between engines at its checkpoints: first
 * in ring 0, then in ring 3, with a stack, flags, interrupts arriving by MSI,
 * and SSE and x87 registers that go on whenever the engine of the moment runs
 * such instructions (some KVMs do not). What it stores does not depend on where
 * it ran.
 */
#include "long.inc"

#define APIC 0xfee00000
#define ROUNDS 24

main64:
	vec_entry 0x40, on_irq
	vec_entry 0, on_divide
	movl $APIC, %r15d
	movl $0x1ff, 0xf0(%r15)
	xorl %r12d, %r12d
	xorl %r9d, %r9d
	xorl %r11d, %r11d
	xorl %r14d, %r14d
	movl $0, 0x5040
	movl $0, 0x5044
	movabsq $0x9e3779b97f4a7c15, %r8
	movq %r8, 0x5030
	movl $ROUNDS, %r13d
	sti
round:
	movl $150, %ecx
1:	movq %r8, %rax
	shlq $13, %rax
	xorq %rax, %r8
	movq %r8, %rax
	shrq $7, %rax
	xorq %rax, %r8
	movq %r8, %rax
	shlq $17, %rax
	xorq %rax, %r8
	adcq $3, %r9
	pushq %r8
	popq %r10
	addq %r10, %r11
	loop 1b
	call checkpoint
	decl %r13d
	cmpl $ROUNDS/2, %r13d
	jne round

	/* The second half in ring 3, with a divide fault into ring 0 a round. */
	pushq $UDATA
	pushq $USTACK
	pushq $0x202
	pushq $UCODE
	pushq $user + USER
	iretq
user:
	movl $150, %ecx
1:	imulq $0x5851f42d, %r8, %r8
	addq $0x14057b7f, %r8
	rcrq $3, %r9
	pushq %r8
	popq %r10
	xorq %r10, %r11
	loop 1b
	divl %ecx /* ECX is 0 */
	decl %r13d
	jnz user
	divl %ecx

on_divide:
	addq $2, (%rsp)
	testl %r13d, %r13d
	jz finish
	pushq %rax
	pushq %rdx
	pushq %rcx
	incl %r14d
	call checkpoint
	popq %rcx
	popq %rdx
	popq %rax
	iretq

/* An interrupt, a place to be moved at, and the vector work of this and earlier rounds. */
checkpoint:
	movl $0x40, %eax
	movw $PORT_MSI, %dx
	outl %eax, %dx
	movl %r13d, %eax
	movw $PORT_MARK, %dx
	outb %al, %dx
	incl 0x5040 /* rounds of vector work that are due */
vector_work:
	movw $PORT_VECTOR, %dx
	inb %dx, %al
	testb $1, %al
	jz 2f
	cmpl $0, 0x5040
	je 2f
	cmpl $ROUNDS, 0x5044
	je 1f
	movl $ROUNDS, 0x5044 /* only the first time */
	fninit
	fld1
	movq 0x5030, %xmm3
	movdqa %xmm3, %xmm12
1:	fld1
	faddp
	fldpi
	fmulp
	fsqrt
	paddq %xmm12, %xmm3
	punpcklqdq %xmm3, %xmm12
	psrlq $1, %xmm12
	decl 0x5040
	jnz 1b
2:	ret

finish:
	cli
3:	movw $PORT_MARK, %dx /* be moved on to an engine that runs vector code */
	outb %al, %dx
	call vector_work
	testb $3, %al
	jz 3b
	result %r8d
	result %r9d
	result %r11d
	result %r12d
	result %r14d
	movl 0x5040, %eax
	result %eax
	movw $PORT_VECTOR, %dx
	inb %dx, %al
	testb $1, %al
	jz 1f
	movdqu %xmm3, 0x5000
	movdqu %xmm12, 0x5010
	fstpl 0x5020
1:	movl $0x5000, %esi
	movl $10, %ecx
1:	movl (%rsi), %eax
	result %eax
	addl $4, %esi
	loop 1b
	done

on_irq:
	incl %r12d
	movl $0, 0xb0(%r15)
	iretq
