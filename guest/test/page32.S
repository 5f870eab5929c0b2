/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 32-bit protected mode with 4 KiB paging: every ordinary exception with its
 * error code and address, accessed and dirty bits, ring 3 and back through a TSS.
 */
#include "guest.inc"

#define KCODE 0x08
#define KDATA 0x10
#define UCODE 0x1b
#define UDATA 0x23
#define TSS_SEL 0x28
#define ABSENT 0x30
#define IDT 0x4000
#define TSS 0x4800
#define PD PAGES
#define PT (PAGES + 0x1000)
#define USTACK 0x1ff00
#define HOLE 0x60000     /* not present */
#define READONLY 0x61000

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

	/* IDT: 32 stubs of 16 bytes, and int 0x80 open to ring 3. */
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
	movl $syscall80, %eax
	movl $IDT + 0x80*8, %ebx
	movw %ax, (%ebx)
	movw $KCODE, 2(%ebx)
	movw $0xee00, 4(%ebx)
	movw $0, 6(%ebx)
	lidt idt_ptr
	movl $STACK - 0x400, TSS + 4
	movl $KDATA, TSS + 8
	movw $104, TSS + 102
	movl $TSS_SEL, %eax
	ltr %ax

	/* Identity pages for 1 MiB and MMIO; one hole, one read-only; user from 0x8000 to 0x1ffff. */
	movl $PT, %ebx
	movl $3, %eax
	movl $256, %ecx
1:	movl %eax, (%ebx)
	addl $4, %ebx
	addl $0x1000, %eax
	loop 1b
	movl $0, PT + (HOLE >> 12)*4
	movl $READONLY + 1, PT + (READONLY >> 12)*4
	movl $0x18, %ecx
	movl $PT + 8*4, %ebx
1:	orl $4, (%ebx)
	addl $4, %ebx
	loop 1b
	movl $PT + 7, PD
	movl $PD, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax
	andl $0x9fffffff, %eax
	movl %eax, %cr0
	movl $RESULTS, %edi

	/* Each fault logs vector, error code, CR2 and goes to the address in %ebp. */
	movl $1f, %ebp
	ud2
1:	movl $1f, %ebp
	xorl %edx, %edx
	divl %edx
1:	movl $1f, %ebp
	int3
1:	movl $1f, %ebp
	movl $0x777c, %eax
	movl %eax, %fs
1:	movl $1f, %ebp
	movl $ABSENT, %eax
	movl %eax, %fs
1:	movl $1f, %ebp
	movl $ABSENT, %eax
	movl %eax, %ss
1:	movl $1f, %ebp
	movl HOLE + 0x123, %eax
1:	movl $1f, %ebp
	movl %eax, HOLE + 0x124
1:	movl $1f, %ebp
	movl %eax, READONLY
1:	movl $1f, %ebp
	movl $0xffffffff, %eax
	addl $1, %eax
	movl $0x7fffffff, %eax
	addl $1, %eax
	into
1:	movl $1f, %ebp
	bound %eax, bounds
1:	movl $1f, %ebp
	ljmp $KDATA, $0
1:	movl $1f, %ebp
	movl %cr0, %eax
	movl %eax, %ecx
	andl $0x7fffffff, %ecx
	orl $0x20000000, %ecx /* NW without CD */
	andl $~0x40000000, %ecx
	movl %ecx, %cr0
1:
	/* Accessed and dirty bits. */
	movl PT + (READONLY >> 12)*4, %eax
	result %eax
	movl READONLY, %ebx
	movl PT + (READONLY >> 12)*4, %eax
	result %eax
	movl PT + (RESULTS >> 12)*4, %eax
	result %eax

	/* MMIO through paging, and a port. */
	movl $0x01020304, MMIO + 0x100
	movl MMIO + 0x104, %eax
	result %eax
	movw $PORT_ECHO + 8, %dx
	inl %dx, %eax
	result %eax

	/* Ring 3. */
	pushl $UDATA
	pushl $USTACK
	pushl $2
	pushl $UCODE
	pushl $user
	iret
back:
	movl $KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	done

user:
	movl $UDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl $1f, %ebp
	cli
1:	movl $1f, %ebp
	movl 0x3000, %eax
1:	movl $1f, %ebp
	movw $PORT_ECHO, %dx
	inb %dx, %al
1:	movl $1f, %ebp
	movl %cr0, %eax
1:	movl $0x1234, %eax
	int $0x80

/* One stub a vector; a dummy error code where the CPU pushes none. */
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
	pushl %eax
	pushl %ds
	movl $KDATA, %eax
	movl %eax, %ds
	movl 8(%esp), %eax
	result %eax
	movl 12(%esp), %eax
	result %eax
	movl %cr2, %eax
	result %eax
	movl 20(%esp), %eax /* CS */
	result %eax
	movl %ebp, 16(%esp)
	popl %ds
	popl %eax
	addl $8, %esp
	iret

syscall80:
	movl $KDATA, %ecx
	movl %ecx, %ds
	result %eax
	movl 4(%esp), %eax
	result %eax
	movl 12(%esp), %eax
	result %eax
	jmp back

	.p2align 3
bounds:	.long 0, 5
gdt:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00cffb000000ffff
	.quad 0x00cff3000000ffff
	.quad 0x0000890048000067 /* TSS at 0x4800 */
	.quad 0x00cf13000000ffff /* absent data */
gdt_ptr: .word gdt_ptr - gdt - 1
	.long gdt
idt_ptr: .word 0x7ff
	.long IDT
