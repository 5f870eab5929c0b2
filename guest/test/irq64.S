/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts: self IPI, MSI, a pin through the I/O APIC (edge and level), the
 * 8259 through LINT0, NMI, task priority by CR8, HLT and waking up.
 */
#include "long.inc"

#define APIC 0xfee00000
#define IOAPIC 0xfec00000

/* Let interrupts in for a while: some hosts' KVM does not take them at once. */
.macro listen
	sti
	movl $3000, %r13d
7:	nop
	decl %r13d
	jnz 7b
	cli
.endm

main64:
	vec_entry 0x40, on_irq
	vec_entry 0x41, on_irq
	vec_entry 0x60, on_level
	vec_entry 0x2c, on_pic
	vec_entry 2, on_nmi
	movl $APIC, %r15d
	movl $IOAPIC, %r14d
	xorl %r12d, %r12d
	movl $0x1ff, 0xf0(%r15)
	movl 0x30(%r15), %eax
	andl $0xff, %eax
	result %eax

	/* Self IPI, held off until STI. */
	movl $0x40040, 0x300(%r15)
	result %r12d
	listen
	result %r12d

	/* MSI, arriving while halted. */
	movl $0x41, %eax
	movw $PORT_MSI, %dx
	outl %eax, %dx
	sti
	hlt
	cli
	result %r12d

	/* Task priority: class 4 waits until CR8 falls. */
	movl $4, %eax
	movq %rax, %cr8
	movl $0x40040, 0x300(%r15)
	listen
	result %r12d
	movl 0x80(%r15), %eax
	result %eax
	xorl %eax, %eax
	movq %rax, %cr8
	movw $PORT_ECHO, %dx /* hosts that do not report CR8 look at it now */
	outb %al, %dx
	listen
	result %r12d

	/* I/O APIC pin 20: edge to vector 0x41, then level to 0x60. */
	movl $0x10 + 20*2 + 1, (%r14)
	movl $0, 0x10(%r14)
	movl $0x10 + 20*2, (%r14)
	movl $0x41, 0x10(%r14)
	movb $20, %al
	movw $PORT_GSI, %dx
	outb %al, %dx
	listen
	result %r12d
	movl $0x8060, 0x10(%r14)
	movb $20, %al
	outb %al, %dx
	listen
	result %r12d
	movl 0x10(%r14), %eax
	result %eax
	movl $0x10060, 0x10(%r14)

	/* 8259: line 4 is vector 0x2c. */
	movb $0x11, %al
	outb %al, $0x20
	outb %al, $0xa0
	movb $0x28, %al
	outb %al, $0x21
	movb $0x30, %al
	outb %al, $0xa1
	movb $4, %al
	outb %al, $0x21
	movb $2, %al
	outb %al, $0xa1
	movb $1, %al
	outb %al, $0x21
	outb %al, $0xa1
	movb $0xef, %al
	outb %al, $0x21
	movb $0xff, %al
	outb %al, $0xa1
	movl $0x700, 0x350(%r15)
	movb $4, %al
	outb %al, %dx
	sti
	hlt
	cli
	result %r12d
	movl $0x10700, 0x350(%r15)

	/* NMI in spite of CLI. */
	movb $0, %al
	movw $PORT_NMI, %dx
	outb %al, %dx
	movl $3000, %r13d
7:	nop
	decl %r13d
	jnz 7b
	result %r12d

	/* A spurious situation: nothing pending, nothing in service. */
	movl 0x100 + 0x20(%r15), %eax
	result %eax
	movl 0x200 + 0x20(%r15), %eax
	result %eax
	done

on_irq:
	addl $0x1, %r12d
	movl $0, 0xb0(%r15)
	iretq
on_level:
	addl $0x100, %r12d
	movl $0, 0xb0(%r15)
	iretq
on_pic:
	pushq %rax
	addl $0x10000, %r12d
	movb $0x20, %al
	outb %al, $0x20
	popq %rax
	iretq
on_nmi:
	addl $0x1000000, %r12d
	iretq
