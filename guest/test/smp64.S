/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two CPUs: INIT and SIPI start the second at 0x8000, where it finds that it is
 * not the first; both add to a counter under a lock prefix; IPIs both ways.
 */
#include "guest.inc"

	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movl $0x1b, %ecx
	rdmsr
	testl $0x100, %eax
	jz second
	jmp first
second:
	lgdtl gdt_ptr
	movl $0x6a0, %eax
	movl %eax, %cr4
	movl $PAGES, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	movl $0x101, %eax
	xorl %edx, %edx
	wrmsr
	movl %cr0, %eax
	orl $0x80010003, %eax
	andl $~0x60000004, %eax
	movl %eax, %cr0
	ljmpl $0x10, $second64
#define _start first
#include "long.inc"
#undef _start

#define APIC 0xfee00000
#define COUNT 0x5000
#define HELLO 0x5004
#define PINGS 0x5008

second64:
	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $0x7000, %esp
	lidt idt_ptr
	movl $APIC, %r15d
	movl $0x1ff, 0xf0(%r15)
	movl 0x20(%r15), %eax
	shrl $24, %eax
	addl $0x100, %eax
	movl %eax, HELLO
	call add_many
1:	sti
	hlt
	cli
	cmpl $3, PINGS
	jb 1b
	movl $0, 0x310(%r15)
	movl $0x4041, 0x300(%r15) /* to CPU 0 */
1:	hlt
	jmp 1b

main64:
	vec_entry 0x40, on_ping
	vec_entry 0x41, on_done
	movl $0, COUNT
	movl $0, HELLO
	movl $0, PINGS
	movl $APIC, %r15d
	movl $0x1ff, 0xf0(%r15)
	movl $0x01000000, 0x310(%r15)
	movl $0xc500, 0x300(%r15)
	movl $0x8500, 0x300(%r15)
	movl $0x4608, 0x300(%r15)
	movl $0x4608, 0x300(%r15) /* the second SIPI is ignored */
1:	pause
	cmpl $0, HELLO
	je 1b
	movl HELLO, %eax
	result %eax
	call add_many
1:	pause
	cmpl $2000, COUNT
	jb 1b
	movl COUNT, %eax
	result %eax
	xorl %r12d, %r12d
	movl $3, %ecx
2:	movl PINGS, %ebx
	movl $0x4040, 0x300(%r15)
1:	pause
	cmpl PINGS, %ebx
	je 1b
	loop 2b
1:	sti
	hlt
	cli
	testl %r12d, %r12d
	jz 1b
	movl PINGS, %eax
	result %eax
	result %r12d
	done

add_many:
	movl $1000, %ecx
1:	lock incl COUNT
	loop 1b
	ret
on_ping:
	lock incl PINGS
	movl $0, 0xb0(%r15)
	iretq
on_done:
	incl %r12d
	movl $0, 0xb0(%r15)
	iretq
