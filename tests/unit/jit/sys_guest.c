/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small guest that goes from the reset vector through real, protected and long
 * mode to ring 3 and back, takes faults and an interrupt and starts a second
 * CPU, on engine_jit_ops: interpreted and translated, with the state taken out
 * and put back in the middle, and under a debugger.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/endian.h"
#include "core/engine.h"
#include "tests/test.h"

/* clang-format off */
#define AT(label) "(" #label " - guest_start + 0x8000)"
__asm__(".pushsection .rodata\n"
".global guest_start, guest_end, guest_long\n"
"guest_start:\n.code16\n"
"	cli\n	xorw %ax, %ax\n	movw %ax, %ds\n	movw %ax, %ss\n	movw $0x7000, %sp\n"
"	movb $'R', %al\n	outb %al, $0xe9\n"
"	movw $" AT(g_int16) ", 0x21 * 4\n	movw $0, 0x21 * 4 + 2\n	int $0x21\n"
"	data32 lgdt " AT(g_gdtr) "\n"
"	movl %cr0, %eax\n	orb $1, %al\n	movl %eax, %cr0\n"
"	data32 ljmp $0x08, $" AT(g_pm) "\n"
"g_int16:\n	movb $'V', %al\n	outb %al, $0xe9\n	iret\n"
".code32\n"
"g_pm:\n	movw $0x10, %ax\n	movw %ax, %ds\n	movw %ax, %es\n	movw %ax, %ss\n"
"	movl $0x7000, %esp\n	movb $'P', %al\n	outb %al, $0xe9\n"
/* One user 2 MiB page at 0. */
"	movl $0x11007, 0x10000\n	movl $0x12007, 0x11000\n	movl $0x87, 0x12000\n"
"	movl $0x10000, %eax\n	movl %eax, %cr3\n	movl $0x20, %eax\n	movl %eax, %cr4\n"
"	movl $0xc0000080, %ecx\n	movl $0x101, %eax\n	xorl %edx, %edx\n	wrmsr\n"
"	movl %cr0, %eax\n	orl $0x80010000, %eax\n	movl %eax, %cr0\n"
"	ljmp $0x18, $" AT(guest_long) "\n"
".code64\n"
"guest_long:\n	movb $'L', %al\n	outb %al, $0xe9\n"
"	movl $0x7000, %esp\n	xorl %eax, %eax\n	movl %eax, %ss\n"
"	movw $0x38, %ax\n	ltr %ax\n"
/* IDT at 0x2000: 13, 14, 0x22, 0x80. */
"	movl $" AT(g_gp) ", %eax\n	movl $0x20d0, %edi\n	movl $0x8e00, %edx\n	call g_gate\n"
"	movl $" AT(g_pf) ", %eax\n	movl $0x20e0, %edi\n	call g_gate\n"
"	movl $" AT(g_irq) ", %eax\n	movl $0x2220, %edi\n	call g_gate\n"
"	movl $" AT(g_int80) ", %eax\n	movl $0x2800, %edi\n	movl $0xee00, %edx\n	call g_gate\n"
"	lidt " AT(g_idtr) "\n"
"	movl $0xc0000081, %ecx\n	xorl %eax, %eax\n	movl $0x200018, %edx\n	wrmsr\n"
"	movl $0xc0000082, %ecx\n	movl $" AT(g_syscall) ", %eax\n	xorl %edx, %edx\n	wrmsr\n"
"	movl $0xc0000084, %ecx\n	movl $0x200, %eax\n	wrmsr\n"
"	pushq $0x2b\n	pushq $0x6000\n	pushq $0x3002\n	pushq $0x33\n	pushq $" AT(g_user) "\n	iretq\n"
"g_gate:\n	movw %ax, (%rdi)\n	movw $0x18, 2(%rdi)\n	movw %dx, 4(%rdi)\n	shrl $16, %eax\n"
"	movw %ax, 6(%rdi)\n	movq $0, 8(%rdi)\n	ret\n"
"g_user:\n	movl $'3', %eax\n	syscall\n	hlt\n	movl $0x40000000, %ebx\n"
"	movb $1, (%rbx)\n	nop\n	int $0x80\n"
"g_syscall:\n	outb %al, $0xe9\n	movw $0x502, %dx\n	outb %al, %dx\n	sysretq\n"
"g_gp:\n	movb $'G', %al\n	outb %al, $0xe9\n	addq $8, %rsp\n	incq (%rsp)\n	iretq\n"
/* The error code and CR2 choose the letter. */
"g_pf:\n	popq %rcx\n	movq %cr2, %rdx\n	leal 'F' - 6(%rcx), %eax\n"
"	cmpq %rbx, %rdx\n	je 1f\n	movb $'?', %al\n1:	outb %al, $0xe9\n	addq $3, (%rsp)\n	iretq\n"
"g_int80:\n	movb $'I', %al\n	outb %al, $0xe9\n"
"	movw $0x500, %dx\n	outb %al, %dx\n"      /* start the other CPU */
"2:	pause\n	cmpl $1, 0x600\n	jne 2b\n"
"	movw $0x501, %dx\n	outb %al, %dx\n"      /* interrupt, please */
"	sti\n	hlt\n	cli\n"
"	movb $'X', %al\n	outb %al, $0xe9\n	xorl %eax, %eax\n	outb %al, $0xf4\n3:	hlt\n	jmp 3b\n"
"g_irq:\n	movb $'Q', %al\n	outb %al, $0xe9\n	iretq\n"
".balign 8\n"
"g_gdt:\n	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff\n"
"	.quad 0x00cffa000000ffff, 0x00cff2000000ffff, 0x00affa000000ffff\n"
"	.quad 0x0000890030000067, 0\n"
"g_gdtr:	.word 0x47\n	.quad " AT(g_gdt) "\n"
"g_idtr:	.word 0xfff\n	.quad 0x2000\n"
"guest_end:\n"
".global ap_start, ap_end\n"
"ap_start:\n.code16\n	movb $'A', %al\n	outb %al, $0xe9\n	xorw %ax, %ax\n	movw %ax, %ds\n"
"	lock incl 0x600\n	cli\n4:	hlt\n	jmp 4b\n"
"ap_end:\n.code64\n.popsection\n");

/* An NMI, ten more in its handler: counts them; then 1000 turns of PAUSE. */
__asm__(".pushsection .rodata\n"
".global nmi_start, nmi_end\n"
"nmi_start:\n.code16\n	xorw %ax, %ax\n	movw %ax, %ds\n	movw %ax, %ss\n	movw $0x7000, %sp\n"
"	movb $0, 0x600\n	movw $(n_first - nmi_start + 0x8000), 8\n	movw $0, 10\n"
"	movw $0x503, %dx\n	outb %al, %dx\n	nop\n	movb 0x600, %al\n	addb $'0', %al\n	outb %al, $0xe9\n"
"	movw $1000, %cx\n1:	pause\n	loop 1b\n"
"	outb %al, $0xf4\n2:	hlt\n	jmp 2b\n"
"n_first:\n	incb 0x600\n	cmpb $1, 0x600\n	jne 4f\n	movw $10, %cx\n3:	outb %al, %dx\n	loop 3b\n"
"4:	iret\n"
"nmi_end:\n.code64\n.popsection\n");

/*
 * 32-bit code whose callee leaves a result in CF: called from 40 places that run once each, with
 * the return address on another page than the call, and with other code at the return address plus
 * 64 KiB, which shares its place in the translator's jump table. Prints a letter for each that is
 * right.
 */
#define FL(label) "(" #label " - fl_start + 0x8000)"
__asm__(".pushsection .rodata\n"
".global fl_start, fl_end\n"
"fl_start:\n.code16\n	xorw %ax, %ax\n	movw %ax, %ds\n	data32 lgdt " FL(fl_gdtr) "\n"
"	movl %cr0, %eax\n	orb $1, %al\n	movl %eax, %cr0\n	data32 ljmp $0x08, $" FL(fl_pm) "\n"
".code32\n"
"fl_pm:\n	movw $0x10, %ax\n	movw %ax, %ds\n	movw %ax, %es\n	movw %ax, %ss\n"
"	movl $0x7000, %esp\n	xorl %esi, %esi\n"
".set fl_n, 0\n.rept 40\n	movl $fl_n, %eax\n	call fl_odd\n	jc 1f\n	incl %esi\n1:\n"
".set fl_n, fl_n + 1\n.endr\n"
"	cmpl $20, %esi\n	jne 2f\n	movb $'C', %al\n	outb %al, $0xe9\n2:\n"
"	xorl %esi, %esi\n	movl $200, %edi\n3:	movl %edi, %eax\n	call fl_edge\n	decl %edi\n	jnz 3b\n"
"	cmpl $100, %esi\n	jne 4f\n	movb $'P', %al\n	outb %al, $0xe9\n4:\n"
"	xorl %esi, %esi\n	movl $100, %edi\n	movl $" FL(fl_site) " + 0x10000, %ebx\n"
"	movl $0xc3c031, (%ebx)\n" /* xor %eax, %eax; ret */
"5:	call fl_one\n	call *%ebx\n	decl %edi\n	jnz 5b\n"
"	cmpl $100, %esi\n	jne 6f\n	movb $'A', %al\n	outb %al, $0xe9\n6:\n"
"	outb %al, $0xf4\n7:	hlt\n	jmp 7b\n"
"fl_odd:	btl $0, %eax\n	pushl %edx\n	popl %edx\n	ret\n"
"fl_one:	movl $1, %eax\n	call fl_odd\nfl_site:	adcl $0, %esi\n	ret\n"
"	.skip 0x1000 - 5 - (. - fl_start)\n"
"fl_edge:	call fl_odd\n	adcl $0, %esi\n	ret\n"
".balign 8\n"
"fl_gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n"
"fl_gdtr:	.word 0x17\n	.quad " FL(fl_gdt) "\n"
"fl_end:\n.code64\n.popsection\n");

/*
 * CLI, STI, SWAPGS, STAC and CLAC in a loop of 64-bit ring 0 code with SMAP: flags that live across
 * them (F), IF and AC (I), interrupts (Q), the two GS bases (G), a user page open and closed (A),
 * and CLI in ring 1, which may not (1).
 */
#define SI(label) "(" #label " - si_start + 0x8000)"
__asm__(".pushsection .rodata\n"
".global si_start, si_end\n"
"si_start:\n.code16\n	cli\n	xorw %ax, %ax\n	movw %ax, %ds\n	data32 lgdt " SI(si_gdtr) "\n"
"	movl %cr0, %eax\n	orb $1, %al\n	movl %eax, %cr0\n	data32 ljmp $0x08, $" SI(si_pm) "\n"
".code32\n"
"si_pm:\n	movw $0x10, %ax\n	movw %ax, %ds\n	movw %ax, %es\n	movw %ax, %ss\n"
/* 2 MiB of the supervisor's, 2 MiB of the user's. */
"	movl $0x11007, 0x10000\n	movl $0x12007, 0x11000\n	movl $0x83, 0x12000\n"
"	movl $0x200087, 0x12008\n"
"	movl $0x10000, %eax\n	movl %eax, %cr3\n	movl $0x200020, %eax\n	movl %eax, %cr4\n"
"	movl $0xc0000080, %ecx\n	movl $0x100, %eax\n	xorl %edx, %edx\n	wrmsr\n"
"	movl %cr0, %eax\n	orl $0x80010000, %eax\n	movl %eax, %cr0\n"
"	ljmp $0x18, $" SI(si_long) "\n"
".code64\n"
"si_long:\n	movl $0x7000, %esp\n	xorl %eax, %eax\n	movl %eax, %ss\n"
"	movw $0x38, %ax\n	ltr %ax\n"
"	movl $" SI(si_gp) ", %eax\n	movl $0x20d0, %edi\n	movl $0x8e00, %edx\n	call si_gate\n"
"	movl $" SI(si_pf) ", %eax\n	movl $0x20e0, %edi\n	call si_gate\n"
"	movl $" SI(si_irq) ", %eax\n	movl $0x2220, %edi\n	call si_gate\n"
"	movl $" SI(si_int80) ", %eax\n	movl $0x2800, %edi\n	movl $0xee00, %edx\n	call si_gate\n"
"	lidt " SI(si_idtr) "\n"
"	movl $0xc0000101, %ecx\n	movl $0x3800, %eax\n	xorl %edx, %edx\n	wrmsr\n"
"	movl $0xc0000102, %ecx\n	movl $0x3900, %eax\n	wrmsr\n"
"	movl $1, 0x3800\n	movl $100, 0x3900\n"
"	movl $0x200000, %ebx\n"
"	xorl %esi, %esi\n	xorl %ebp, %ebp\n	xorl %r8d, %r8d\n	xorl %r9d, %r9d\n"
"	xorl %r10d, %r10d\n	xorl %r11d, %r11d\n	movl $100, %edi\n"
"1:	xorl %eax, %eax\n	stc\n	cli\n	adcl %eax, %esi\n	stc\n	sti\n	adcl %eax, %esi\n"
"	stc\n	stac\n	adcl %eax, %esi\n	stc\n	clac\n	adcl %eax, %esi\n"
"	stc\n	swapgs\n	adcl %gs:0, %ebp\n	swapgs\n	addl %gs:0, %ebp\n"
"	pushfq\n	popq %rcx\n	cli\n	stac\n	pushfq\n	popq %rdx\n	clac\n"
"	xorq %rdx, %rcx\n	cmpl $0x40200, %ecx\n	jne 2f\n	incl %r8d\n2:\n"
/* Not between sti and cli. */
"	movw $0x501, %dx\n	outb %al, %dx\n	sti\n	cli\n	movl %r9d, %ecx\n	sti\n	nop\n	cli\n"
"	subl %r9d, %ecx\n	addl %ecx, %r10d\n"
"	stac\n	movb (%rbx), %al\n	movb %al, (%rbx)\n	clac\n	movb (%rbx), %al\n"
"	decl %edi\n	jnz 1b\n"
"	movb $'F', %al\n	cmpl $400, %esi\n	call si_put\n"
"	movb $'I', %al\n	cmpl $100, %r8d\n	call si_put\n"
"	movb $'Q', %al\n	cmpl $-100, %r10d\n	call si_put\n"
"	movb $'G', %al\n	cmpl $10200, %ebp\n	call si_put\n"
"	movb $'A', %al\n	cmpl $100, %r11d\n	call si_put\n"
"	xorl %r11d, %r11d\n"
"	pushq $0x29\n	pushq $0x6000\n	pushq $2\n	pushq $0x21\n	pushq $" SI(si_ring1) "\n	iretq\n"
"si_ring1:\n	movl $50, %ecx\n3:	cli\n	loop 3b\n	int $0x80\n"
"si_put:\n	jne 4f\n	outb %al, $0xe9\n4:	ret\n"
"si_gate:\n	movw %ax, (%rdi)\n	movw $0x18, 2(%rdi)\n	movw %dx, 4(%rdi)\n	shrl $16, %eax\n"
"	movw %ax, 6(%rdi)\n	movq $0, 8(%rdi)\n	ret\n"
"si_gp:\n	incl %r11d\n	addq $8, %rsp\n	incq (%rsp)\n	iretq\n"
"si_pf:\n	incl %r11d\n	addq $8, %rsp\n	addq $2, (%rsp)\n	iretq\n"
"si_irq:\n	incl %r9d\n	iretq\n"
"si_int80:\n	movb $'1', %al\n	cmpl $50, %r11d\n	call si_put\n"
"	outb %al, $0xf4\n5:	hlt\n	jmp 5b\n"
".balign 8\n"
"si_gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff\n"
"	.quad 0x00afba000000ffff, 0x00cfb2000000ffff, 0\n"
"	.quad 0x0000890030000067, 0\n"
"si_gdtr:	.word 0x47\n	.quad " SI(si_gdt) "\n"
"si_idtr:	.word 0xfff\n	.quad 0x2000\n"
"si_end:\n.code64\n.popsection\n");

/*
 * A ring 3 loop over 32 pages at two places each, so that its one access earns a window
 * (rt/hosted_window.c), which shows one of the places: between its runs the kernel makes a page
 * read-only (R), shows other memory in its place with INVLPG (M) and with a write to CR3 (C); then
 * the loop changes code that is called after each round (S). A second loop keeps to one place (L),
 * also when a page becomes read-only (P), a third walks over the end of the lowest 2 GiB (E), and
 * a fourth takes flags along an indirect jump over the access (J).
 */
#define WI(label) "(" #label " - wi_start + 0x8000)"
__asm__(".pushsection .rodata\n"
".global wi_start, wi_end\n"
"wi_start:\n.code16\n	cli\n	xorw %ax, %ax\n	movw %ax, %ds\n	data32 lgdt " WI(wi_gdtr) "\n"
"	movl %cr0, %eax\n	orb $1, %al\n	movl %eax, %cr0\n	data32 ljmp $0x08, $" WI(wi_pm) "\n"
".code32\n"
"wi_pm:\n	movw $0x10, %ax\n	movw %ax, %ds\n	movw %ax, %es\n	movw %ax, %ss\n"
"	movl $0x11007, 0x10000\n	movl $0x12007, 0x11000\n	movl $0x87, 0x12000\n"
"	movl $0x200083, 0x12008\n	movl $0x13007, 0x11008\n	movl $0x13007, 0x11018\n	movl $0x14007, 0x13010\n"
/* The last one first: no two are neighbours as they were. */
"	movl $0x21f007, %eax\n	movl $0x14000, %edi\n"
"1:	movl %eax, (%edi)\n	addl $8, %edi\n	subl $4096, %eax\n	cmpl $0x1ff007, %eax\n	jne 1b\n"
"	movl $0x10000, %eax\n	movl %eax, %cr3\n	movl $0x20, %eax\n	movl %eax, %cr4\n"
"	movl $0xc0000080, %ecx\n	movl $0x100, %eax\n	xorl %edx, %edx\n	wrmsr\n"
"	movl %cr0, %eax\n	orl $0x80010000, %eax\n	movl %eax, %cr0\n"
"	ljmp $0x18, $" WI(wi_long) "\n"
".code64\n"
"wi_long:\n	movl $0x7000, %esp\n	xorl %eax, %eax\n	movl %eax, %ss\n"
"	movw $0x38, %ax\n	ltr %ax\n"
"	movl $" WI(wi_pf) ", %eax\n	movl $0x20e0, %edi\n	movl $0x8e00, %edx\n	call wi_gate\n"
"	movl $" WI(wi_int80) ", %eax\n	movl $0x2800, %edi\n	movl $0xee00, %edx\n	call wi_gate\n"
"	lidt " WI(wi_idtr) "\n	xorl %r15d, %r15d\n"
"	pushq $0x23\n	pushq $0x6000\n	pushq $2\n	pushq $0x2b\n	pushq $" WI(wi_user) "\n	iretq\n"
"wi_user:\n	xorl %ebp, %ebp\n	movl $0x40400000, %ebx\n	movb $0xb8, 0x90ff(%rbx)\n	movb $0xc3, 0x9104(%rbx)\n"
"	movl $3000, %edi\n	call wi_loop\n	xorl %eax, %eax\n	int $0x80\n"
"	movl $10, %edi\n	call wi_loop\n	movl $1, %eax\n	int $0x80\n"
"	movl $10, %edi\n	call wi_loop\n	movl $2, %eax\n	int $0x80\n"
"	movl $10, %edi\n	call wi_loop\n	movl $3, %eax\n	int $0x80\n"
"	xorl %esi, %esi\n	movl $1000, %r13d\n	leaq 0x90ff(%rbx), %r12\n"
"2:	movl $1, %edi\n	call wi_loop\n	call *%r12\n	addl %eax, %esi\n	decl %r13d\n	jnz 2b\n"
"	movl $4, %eax\n	int $0x80\n"
"	movl $100, %edi\n	call wi_low\n	movl $5, %eax\n	int $0x80\n"
"	movl $10, %edi\n	call wi_low\n	movl $6, %eax\n	int $0x80\n"
"	movl $100, %edi\n"
"1:	movl $0x7fffffe4, %eax\n	leaq 32(%rax), %rdx\n"
"2:	incq (%rax)\n	addq $8, %rax\n	cmpq %rdx, %rax\n	jne 2b\n	decl %edi\n	jnz 1b\n"
"	movl $7, %eax\n	int $0x80\n"
"	xorl %esi, %esi\n	xorl %r10d, %r10d\n	movl $100, %edi\n"
"1:	xorl %ecx, %ecx\n	movl $0xc0400200, %eax\n	movl $" WI(wi_jumped) ", %r9d\n"
"2:	movl %ecx, %edx\n	incl %ecx\n	andl $1, %edx\n	movl (%rax), %r8d\n	jmp *%r9\n"
"	.skip 32, 0x90\n"
"wi_jumped:\n	setz %r8b\n	movzbl %r8b, %r8d\n	addl %r8d, %esi\n"
"	stc\n	movl (%rax), %r8d\n	adcl $0, %r10d\n"
"	addl $4096, %eax\n	cmpl $32, %ecx\n	jne 2b\n	decl %edi\n	jnz 1b\n"
"	movl $8, %eax\n	int $0x80\n"
"wi_low:\n	xorl %ecx, %ecx\n"
"3:	movl %ecx, %r8d\n	shll $12, %r8d\n	leaq (%rbx, %r8), %rax\n"
"	incl 0x120(%rax)\n	stc\n	movl 0x120(%rbx, %r8), %edx\n	adcl $0, %ebp\n"
"	incl %ecx\n	cmpl $32, %ecx\n	jne 3b\n	decl %edi\n	jnz wi_low\n	ret\n"
"wi_loop:\n	xorl %ecx, %ecx\n"
"3:	movl %ecx, %edx\n	shll $31, %edx\n	movl %ecx, %r8d\n	shll $12, %r8d\n	orl %r8d, %edx\n	movl %ebx, %eax\n"
/* Flags that live across it go through rax, which is the address. */
"	stc\n	incq 0x100(%rax, %rdx)\n	adcl $0, %ebp\n"
"	incl %ecx\n	cmpl $32, %ecx\n	jne 3b\n	decl %edi\n	jnz wi_loop\n	ret\n"
"wi_gate:\n	movw %ax, (%rdi)\n	movw $0x18, 2(%rdi)\n	movw %dx, 4(%rdi)\n	shrl $16, %eax\n"
"	movw %ax, 6(%rdi)\n	movq $0, 8(%rdi)\n	ret\n"
"wi_pf:\n	incl %r15d\n	orb $2, 0x14028\n	addq $8, %rsp\n	iretq\n"
/* The sum of the counters in the 32 pages' own memory, to %edx. */
"wi_sum:\n	xorl %edx, %edx\n	movl $0x200100, %ecx\n"
"4:	addl (%rcx), %edx\n	addl $4096, %ecx\n	cmpl $0x220100, %ecx\n	jne 4b\n	ret\n"
"wi_int80:\n	cmpl $4, %eax\n	ja wi_more\n	cmpl $1, %eax\n	jb wi_0\n	je wi_1\n	cmpl $3, %eax\n	jb wi_2\n	je wi_3\n"
"	movb $'S', %al\n	cmpl $3530500, %esi\n	call wi_put\n	xorl %ebp, %ebp\n	xorl %r15d, %r15d\n	iretq\n"
"wi_more:\n	cmpl $6, %eax\n	jb wi_5\n	je wi_6\n	cmpl $8, %eax\n	jb wi_7\n"
"	movb $'J', %al\n	cmpl $1600, %esi\n	jne 6f\n	cmpl $3200, %r10d\n6:	call wi_put\n"
"	outb %al, $0xf4\n5:	hlt\n	jmp 5b\n"
"wi_low_sum:\n	xorl %edx, %edx\n	movl $0x40400120, %ecx\n"
"4:	addl (%rcx), %edx\n	addl $4096, %ecx\n	cmpl $0x40420120, %ecx\n	jne 4b\n	ret\n"
"wi_5:	call wi_low_sum\n	movb $'L', %al\n	cmpl $3200, %edx\n	jne 9f\n	cmpl $3200, %ebp\n"
"9:	call wi_put\n	andb $~2, 0x14028\n	invlpg 0x40405000\n	iretq\n"
"wi_6:	call wi_low_sum\n	shll $24, %r15d\n	xorl %r15d, %edx\n"
"	movb $'P', %al\n	cmpl $0x1000000 ^ 3520, %edx\n	call wi_put\n"
"	movl $0x15007, 0x13ff8\n	movl $0x302007, 0x15ff8\n"
"	movl $0x16007, 0x11010\n	movl $0x17007, 0x16000\n	movl $0x303007, 0x17000\n	iretq\n"
"wi_7:	movb $'E', %al\n	movl $100, %edx\n	cmpl %edx, 0x302fe4\n	jne 7f\n	cmpl %edx, 0x302fec\n	jne 7f\n"
"	cmpl %edx, 0x302ffc\n	jne 7f\n	cmpl $0, 0x303000\n7:	call wi_put\n	iretq\n"
"wi_0:	call wi_sum\n	movb $'W', %al\n	cmpl $96000, %edx\n	jne 9f\n	cmpl $96000, %ebp\n9:	call wi_put\n"
"	andb $~2, 0x14028\n	movl $0xc0405000, %eax\n	invlpg (%rax)\n	iretq\n"
"wi_1:	call wi_sum\n	shll $24, %r15d\n	xorl %r15d, %edx\n"
"	movb $'R', %al\n	cmpl $0x1000000 ^ 96320, %edx\n	call wi_put\n"
"	movl $0x300007, 0x14030\n	invlpg 0x40406000\n	iretq\n"
"wi_2:	movb $'M', %al\n	cmpl $10, 0x300100\n	jne 6f\n	cmpl $3010, 0x219100\n6:	call wi_put\n"
"	movl $0x301007, 0x14038\n	movq %cr3, %rax\n	movq %rax, %cr3\n	iretq\n"
"wi_3:	movb $'C', %al\n	cmpl $10, 0x301100\n	jne 7f\n	cmpl $3020, 0x218100\n7:	call wi_put\n"
"	iretq\n"
"wi_put:\n	jne 8f\n	outb %al, $0xe9\n8:	ret\n"
".balign 8\n"
"wi_gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff\n"
"	.quad 0x00cff2000000ffff, 0x00affa000000ffff, 0\n"
"	.quad 0x0000890030000067, 0\n"
"wi_gdtr:	.word 0x47\n	.quad " WI(wi_gdt) "\n"
"wi_idtr:	.word 0xfff\n	.quad 0x2000\n"
"wi_end:\n.code64\n.popsection\n");
/* clang-format on */
extern const u8 wi_start[], wi_end[];
extern const u8 si_start[], si_end[];
extern const u8 fl_start[], fl_end[];
extern const u8 nmi_start[], nmi_end[];
extern const u8 guest_start[], guest_end[], guest_long[], ap_start[], ap_end[];

#define RAM MIB(4)

struct board {
	struct gpa_map map;
	struct engine_vm *vm;
	struct engine_vcpu *cpu[2];
	u8 *ram, *rom;
	int fd;
	_Atomic u8 *flags;
	pthread_mutex_t lock;
	char out[64];
	unsigned nout;
	bool exited;
	pthread_t ap;
};

struct board_cpu {
	struct board *b;
	unsigned n;
};

static u64 bus_read(void *o, u64 gpa, unsigned size)
{
	return ~0ULL;
}

static void bus_write(void *o, u64 gpa, unsigned size, u64 v)
{
}

static u32 bus_in(void *o, u16 port, unsigned size)
{
	return ~0U;
}

static void bus_out(void *o, u16 port, unsigned size, u32 v)
{
	struct board_cpu *p = o;
	struct board *b = p->b;

	pthread_mutex_lock(&b->lock);
	switch (port) {
	case 0xe9:
		if (b->nout < sizeof(b->out) - 1)
			b->out[b->nout++] = (char)v;
		break;
	case 0x500:
		engine_jit_ops.vcpu_init(b->cpu[1]);
		engine_jit_ops.vcpu_sipi(b->cpu[1], 9);
		break;
	case 0x501:
		engine_jit_ops.vcpu_irq(b->cpu[p->n], true);
		break;
	case 0x502:
		engine_jit_ops.vcpu_kick(b->cpu[p->n]);
		break;
	case 0x503:
		engine_jit_ops.vcpu_nmi(b->cpu[p->n]);
		break;
	case 0xf4:
		b->exited = true;
		engine_jit_ops.vcpu_kick(b->cpu[0]);
		if (b->cpu[1])
			engine_jit_ops.vcpu_kick(b->cpu[1]);
	}
	pthread_mutex_unlock(&b->lock);
}

static int bus_rdmsr(void *o, u32 msr, u64 *v)
{
	return -E_NOENT;
}

static int bus_wrmsr(void *o, u32 msr, u64 v)
{
	return -E_NOENT;
}

static int bus_ack(void *o)
{
	struct board_cpu *p = o;

	engine_jit_ops.vcpu_irq(p->b->cpu[p->n], false);
	return 0x22;
}

static u8 bus_cr8(void *o)
{
	return 0;
}

static void bus_set_cr8(void *o, u8 v)
{
}

static void *ram_of(int fd)
{
	void *p = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED || ftruncate(fd, RAM) ? NULL : p;
}

static void *zeroed(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void board_start_cpus(struct board *b, struct board_cpu p[2], bool interpret, unsigned n)
{
	struct engine_vm_config cfg = {.map = &b->map, .ncpus = n, .interpret = interpret};
	struct gpa_slot ram = {.size = RAM, .fd = memfd_create("guest-ram", 0)},
			rom = {.gpa = 0xffff0000, .size = 65536, .readonly = true, .fd = -1};

	memset(b, 0, sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
	b->fd = ram.fd;
	b->ram = ram.host = ram_of(b->fd);
	b->rom = rom.host = zeroed(65536);
	b->flags = zeroed(4096);
	ram.page_flags = b->flags;
	rom.page_flags = b->flags + RAM / 4096;
	gpa_slot_add(&b->map, &ram);
	gpa_slot_add(&b->map, &rom);
	memcpy(b->rom + 0xfff0, "\xea\x00\x80\x00\x00", 5); /* jmp 0:0x8000 */
	memcpy(b->ram + 0x8000, guest_start, (size_t)(guest_end - guest_start));
	memcpy(b->ram + 0x9000, ap_start, (size_t)(ap_end - ap_start));
	store_le64(b->ram + 0x3004, 0x5000); /* TSS RSP0 */
	if (engine_jit_ops.vm_create(&cfg, &b->vm))
		abort();
	for (unsigned i = 0; i < n; i++) {
		struct vcpu_bus bus = {bus_read,    bus_write, bus_in,	bus_out,
				       bus_rdmsr,   bus_wrmsr, bus_ack, bus_cr8,
				       bus_set_cr8, NULL,      &p[i]};

		p[i] = (struct board_cpu){b, i};
		if (engine_jit_ops.vcpu_create(b->vm, i, &bus, &b->cpu[i]))
			abort();
	}
}

static void board_start(struct board *b, struct board_cpu p[2], bool interpret)
{
	board_start_cpus(b, p, interpret, 2);
}

static void board_stop(struct board *b)
{
	for (unsigned i = 0; i < 2; i++)
		if (b->cpu[i])
			engine_jit_ops.vcpu_destroy(b->cpu[i]);
	engine_jit_ops.vm_destroy(b->vm);
	close(b->fd);
	munmap(b->ram, RAM);
	munmap(b->rom, 65536);
	munmap((void *)b->flags, 4096);
}

static void *run_ap(void *opaque)
{
	struct board *b = opaque;
	struct vcpu_exit e;

	engine_jit_ops.vcpu_run(b->cpu[1], &e);
	return NULL;
}

/* What happens when the guest's system call asks for an exit. */
static void swap_state(struct board *b)
{
	static struct x86_state s;

	if (engine_jit_ops.vcpu_get_state(b->cpu[0], &s))
		abort();
	engine_jit_ops.vcpu_reset(b->cpu[0]);
	if (engine_jit_ops.vcpu_set_state(b->cpu[0], &s))
		abort();
}

static int board_run(struct board *b)
{
	struct vcpu_exit e;

	pthread_create(&b->ap, NULL, run_ap, b);
	do {
		engine_jit_ops.vcpu_run(b->cpu[0], &e);
		if (e.kind == VCPU_EXIT_KICK && !b->exited)
			swap_state(b);
	} while (e.kind == VCPU_EXIT_KICK && !b->exited);
	engine_jit_ops.vcpu_kick(b->cpu[1]);
	pthread_join(b->ap, NULL);
	return (int)e.kind;
}

static void all_modes(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "RVPL3GFIAQX"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "RVPL3GFIAQX"));
	board_stop(&b);
}

static void t_modes_interpreted(void)
{
	all_modes(true);
}

static void t_modes_translated(void)
{
	all_modes(false);
}

static void debugged(bool interpret)
{
	struct vcpu_debug d = {.nbreaks = 1, .breaks = {0x8000u + (u64)(guest_long - guest_start)}};
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, interpret);
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, d.breaks[0]);
	CHECK(!strcmp(b.out, "RVP"));
	d = (struct vcpu_debug){.step = true};
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, 0x8000u + (u64)(guest_long - guest_start) + 2);
	/* A write watchpoint on the counter the second CPU moves stays quiet on this one. */
	d = (struct vcpu_debug){.nwatch = 1, .watch = {{0x2800, 2, false, true}}};
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, 0x2800);
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], NULL), 0);
	CHECK_EQ(engine_jit_ops.vcpu_translate(b.cpu[0], 0x1234), 0x1234);
	CHECK_EQ(engine_jit_ops.vcpu_translate(b.cpu[0], 0x40000000), ~0ULL);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	CHECK(!strcmp(b.out, "RVPL3GFIAQX"));
	board_stop(&b);
}

static void t_debug_interpreted(void)
{
	debugged(true);
}

static void t_debug_translated(void)
{
	debugged(false);
}

static void t_triple_fault(void)
{
	/* lidt with limit 0 (the memory is zero), then int3. */
	static const u8 code[] = {0x0f, 0x01, 0x1e, 0x00, 0x06, 0xcc};
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, false);
	memcpy(b.ram + 0x8000, code, sizeof(code));
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_SHUTDOWN);
	board_stop(&b);
}

static void t_dirty_log(void)
{
	u64 bits[RAM / 4096 / 64];
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, false);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, true), 0);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, true), 0);
	CHECK(bits[0] >> 0 & 1);  /* the counter */
	CHECK(bits[0] >> 2 & 1);  /* the IDT */
	CHECK(bits[0] >> 16 & 1); /* page tables */
	CHECK(!(bits[0] >> 32 & 1));
	CHECK_EQ(bits[4], 0);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, false), 0);
	CHECK_EQ(bits[0], 0);
	board_stop(&b);
}

/* Guest time stands still while the VM is frozen, and goes on from there. */
static void t_frozen_time(void)
{
	struct timespec nap = {.tv_nsec = 20000000};
	struct board_cpu p[2];
	struct board b;
	u64 khz, t0, t1, t2;

	board_start(&b, p, false);
	engine_jit_ops.vm_freeze(b.vm, true);
	t0 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	nanosleep(&nap, NULL);
	engine_jit_ops.vm_freeze(b.vm, true);
	t1 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	CHECK_EQ(t0, t1);
	engine_jit_ops.vm_freeze(b.vm, false);
	t1 = engine_jit_ops.vcpu_tsc(b.cpu[1], &khz);
	CHECK(t1 >= t0 && t1 - t0 < khz * 10);
	nanosleep(&nap, NULL);
	t2 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	CHECK(t2 - t1 >= khz * 20);
	board_stop(&b);
}

/* An NMI in service holds back one more, whatever was sent (SDM vol. 3A section 7.7.1). */
static void nmis(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, nmi_start, (size_t)(nmi_end - nmi_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "2"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "2"));
	board_stop(&b);
}

static void t_nmi_interpreted(void)
{
	nmis(true);
}

static void t_nmi_translated(void)
{
	nmis(false);
}

/* Flags go where a return goes, whatever the translator saw of the caller before. */
static void returned_flags(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, fl_start, (size_t)(fl_end - fl_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "CPA"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "CPA"));
	board_stop(&b);
}

static void t_returned_flags_interpreted(void)
{
	returned_flags(true);
}

static void t_returned_flags_translated(void)
{
	returned_flags(false);
}

static void system_in_line(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, si_start, (size_t)(si_end - si_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "FIQGA1"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "FIQGA1"));
	board_stop(&b);
}

static void t_system_in_line_interpreted(void)
{
	system_in_line(true);
}

static void t_system_in_line_translated(void)
{
	system_in_line(false);
}

/* Mappings of the guest's RAM in this process. */
static unsigned ram_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:guest-ram") != NULL;
	if (f)
		fclose(f);
	return n;
}

static void windows(bool interpret, const char *options)
{
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	setenv("HULL_JIT", options, 1);
	board_start_cpus(&b, p, interpret, 1);
	unsetenv("HULL_JIT");
	memcpy(b.ram + 0x8000, wi_start, (size_t)(wi_end - wi_start));
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	if (strcmp(b.out, "WRMCSLPEJ"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "WRMCSLPEJ"));
	/* Pages of the loop are shown once more. */
	CHECK(interpret ? ram_mappings() == 1 : ram_mappings() > 8);
	board_stop(&b);
}

static void t_windows_interpreted(void)
{
	windows(true, "");
}

static void t_windows_translated(void)
{
	windows(false, "");
}

static void t_windows_everywhere(void)
{
	windows(false, "allhot,hot=1");
}

/* A reset forgets what was sent to a CPU before it: the second one waits again. */
static void t_reset_forgets_sipi(void)
{
	static struct x86_state s;
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, false);
	engine_jit_ops.vcpu_init(b.cpu[1]);
	engine_jit_ops.vcpu_sipi(b.cpu[1], 9);
	engine_jit_ops.vcpu_nmi(b.cpu[1]);
	engine_jit_ops.vcpu_reset(b.cpu[1]);
	engine_jit_ops.vcpu_kick(b.cpu[1]);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[1], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_KICK);
	CHECK_EQ(engine_jit_ops.vcpu_get_state(b.cpu[1], &s), 0);
	CHECK_EQ(s.mp_state, X86_MP_WAIT_SIPI);
	CHECK(!s.nmi_pending);
	board_stop(&b);
}

int main(void)
{
	RUN(t_modes_interpreted);
	RUN(t_modes_translated);
	RUN(t_debug_interpreted);
	RUN(t_debug_translated);
	RUN(t_triple_fault);
	RUN(t_dirty_log);
	RUN(t_frozen_time);
	RUN(t_nmi_interpreted);
	RUN(t_nmi_translated);
	RUN(t_returned_flags_interpreted);
	RUN(t_returned_flags_translated);
	RUN(t_system_in_line_interpreted);
	RUN(t_system_in_line_translated);
	RUN(t_windows_interpreted);
	RUN(t_windows_translated);
	RUN(t_windows_everywhere);
	RUN(t_reset_forgets_sipi);
	return test_done();
}
