/* SPDX-License-Identifier: Apache-2.0 */
/* Real mode: arithmetic and flags, strings, interrupts and faults through the IVT, every I/O size. */
#include "guest.inc"

	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $STACK, %sp
	movl $RESULTS, %edi

	/* Arithmetic with all flags defined. */
	movl $0x80000000, %eax
	addl %eax, %eax
	pushfl
	popl %ebx
	result %eax
	result %ebx
	movw $0x7fff, %ax
	incw %ax
	pushfl
	popl %ebx
	result %eax
	result %ebx
	movl $0x12345678, %eax
	movl $0x9abcdef0, %ecx
	mull %ecx
	result %eax
	result %edx
	movl $1000003, %ecx
	movl $0x1234, %edx
	divl %ecx
	result %eax
	result %edx
	movl $0x0f0f1234, %eax
	shldl $12, %eax, %ecx
	result %ecx
	bswapl %eax
	result %eax
	movb $0x99, %al
	subb $0x27, %al
	das
	movzbl %al, %eax
	result %eax

	/* Strings both ways. */
	pushl %edi
	movw $0x5000, %di
	movw $text, %si
	movw $12, %cx
	cld
	rep movsb
	movw $0x5000, %di
	movb $'o', %al
	movw $12, %cx
	repne scasb
	movw %cx, %bx
	std
	movw $0x500b, %si
	movw $0x501b, %di
	movw $12, %cx
	rep movsb
	cld
	popl %edi
	movzwl %bx, %ebx
	result %ebx
	movl 0x5010, %eax
	result %eax
	movl 0x5018, %eax
	result %eax

	/* A software interrupt and a divide fault. */
	movw $handler_21, 0x21*4
	movw $0, 0x21*4+2
	movw $handler_de, 0
	movw $0, 2
	movl $0x1111, %eax
	int $0x21
	result %eax
	movl $7, %eax
	xorl %edx, %edx
	xorl %ecx, %ecx
	divw %cx
after_div:
	result %eax
	result %ecx

	/* A far call, and a segment that is not at 0. */
	lcall $0x0100, $(far_target - 0x1000)
	result %eax
	movw $0x1234, %ax
	movw %ax, %fs
	movl $0xcafebabe, %fs:0x10
	movw $0x1000, %ax
	movw %ax, %gs
	movl %gs:0x2350, %eax
	result %eax

	/* Ports of every size, in and out, and strings of them. */
	movw $PORT_ECHO, %dx
	movl $0xa1b2c3d4, %eax
	outb %al, %dx
	outw %ax, %dx
	outl %eax, %dx
	xorl %eax, %eax
	inb %dx, %al
	result %eax
	incw %dx
	inw %dx, %ax
	result %eax
	addw $3, %dx
	inl %dx, %eax
	result %eax
	pushl %edi
	movw $text, %si
	movw $5, %cx
	rep outsb
	movw $PORT_ECHO + 2, %dx
	movw $0x5020, %di
	movw $3, %cx
	rep insw
	popl %edi
	movl 0x5020, %eax
	result %eax

	/* Memory-mapped I/O of every size, read-modify-write, and ROM. */
	movw $MMIO >> 4, %ax
	movw %ax, %gs
	movl $0x55667788, %eax
	movb %al, %gs:1
	movw %ax, %gs:2
	movl %eax, %gs:4
	xorl %eax, %eax
	movb %gs:0x11, %al
	result %eax
	movw %gs:0x12, %ax
	result %eax
	movl %gs:0x14, %eax
	result %eax
	addl $5, %gs:0x20
	movw $ROM >> 4, %ax
	movw %ax, %gs
	movl $0, %gs:8
	movl %gs:8, %eax
	result %eax
	done

handler_21:
	addl $0x2222, %eax
	iretw
handler_de:
	movl $0xde, %ecx
	movw %sp, %bp
	movw $after_div, 0(%bp)
	iretw
far_target:
	movl $0xfa7, %eax
	lretw
text:
	.ascii "hello, world"
