/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 32-bit protected mode without paging: segment bases and limits, exceptions
 * (left by a jump, not by IRET), strings, MMIO and ports. page32.S has the rest.
 */
#include "guest.inc"

#define KCODE 0x08
#define KDATA 0x10
#define BASED 0x18
#define ABSENT 0x20
#define DOWN 0x28
#define IDT 0x4000

	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl gdt_ptr
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $KCODE, $start32

	.code32
start32:
	movl $KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $STACK, %esp
	movl $IDT, %ebx
	movl $stubs, %eax
	movl $32, %ecx
1:	movw %ax, (%ebx)
	movw $KCODE, 2(%ebx)
	movw $0x8e00, 4(%ebx)
	movw $0, 6(%ebx)
	addl $16, %eax
	addl $8, %ebx
	loop 1b
	lidt idt_ptr
	movl $RESULTS, %edi

	/* A segment with a base and a limit, and one that grows down. */
	movl $BASED, %eax
	movl %eax, %fs
	movl $0x600d600d, %fs:0x20
	movl 0x5020, %eax
	result %eax
	movl $1f, %ebp
	movl %fs:0xffd, %eax /* four bytes over a limit of 0xfff */
1:	movl $1f, %ebp
	movb %fs:0xfff, %al
	movl $0, %ebp
	movl $DOWN, %eax
	movl %eax, %gs
	movl $0x5afe, %gs:0x5004
	movl 0x5004, %eax
	result %eax
	movl $1f, %ebp
	movl %gs:0x4ffc, %eax
1:
	movl $1f, %ebp
	ud2
1:	movl $1f, %ebp
	xorl %edx, %edx
	divl %edx
1:	movl $1f, %ebp
	movl $0x777c, %eax
	movl %eax, %fs
1:	movl $1f, %ebp
	movl $ABSENT, %eax
	movl %eax, %es
1:	movl $1f, %ebp
	movl $ABSENT, %eax
	movl %eax, %ss
1:	movl $1f, %ebp
	ljmp $KDATA, $0
1:
	/* A far call and return, 16-bit operands, rotates through carry, bit strings. */
	lcall $KCODE, $far
	result %eax
	movl $0x80000001, %eax
	stc
	rcrl $1, %eax
	pushfl
	popl %ebx
	andl $1, %ebx
	result %eax
	result %ebx
	movl $0x5040, %esi
	movl $0, (%esi)
	movl $0, 4(%esi)
	btsl $37, (%esi)
	movl 4(%esi), %eax
	result %eax
	movl $0x11112222, %eax
	movl $0x33334444, %ecx
	xaddl %ecx, %eax
	result %eax
	result %ecx
	movl %eax, (%esi)
	movl $5, %ecx
	cmpxchgl %ecx, (%esi)
	movl (%esi), %eax
	result %eax
	movsbl %al, %eax
	cltd
	result %edx

	/* Memory and ports. */
	movl $0x01020304, MMIO + 0x100
	movl MMIO + 0x104, %eax
	result %eax
	pushl %edi
	movl $MMIO + 0x200, %esi
	movl $0x5060, %edi
	movl $4, %ecx
	rep movsl
	movl $MMIO + 0x300, %edi
	movl $3, %ecx
	movl $0x77777777, %eax
	rep stosb
	popl %edi
	movl 0x506c, %eax
	result %eax
	movw $PORT_ECHO + 8, %dx
	inl %dx, %eax
	result %eax
	movl $text, %esi
	movl $2, %ecx
	rep outsl
	done

far:	movl $0xfa4, %eax
	lret
text:	.ascii "octopus."

	.p2align 4
stubs:
	.set n, 0
	.rept 32
	.p2align 4
	.if (n != 8) && (n != 10) && (n != 11) && (n != 12) && (n != 13) && (n != 14) && (n != 17)
	pushl $0
	.endif
	pushl $n
	jmp common
	.set n, n + 1
	.endr
common:
	movl (%esp), %eax
	result %eax
	movl 4(%esp), %eax
	result %eax
	movl 12(%esp), %eax
	result %eax
	movl $STACK, %esp
	movl $KDATA, %eax
	movl %eax, %es
	movl %eax, %fs
	jmp *%ebp

	.p2align 3
gdt:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x0040930050000fff /* base 0x5000, limit 0xfff */
	.quad 0x00cf13000000ffff /* absent */
	.quad 0x0040970000004fff /* expand down: 0x5000 and up */
gdt_ptr: .word gdt_ptr - gdt - 1
	.long gdt
idt_ptr: .word 0xff
	.long IDT
