/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The first instructions: PVH and multiboot2 headers, the way from 32-bit
 * protected mode into C, the start of further CPUs from real mode, interrupt
 * stubs. Boot page tables map the first 4 GiB one to one; paging.c replaces them.
 */
#include "metal/layout.h"

	.section .multiboot, "a"
	.balign 8
multiboot:			/* Multiboot2 specification 3.1.1 */
	.long 0xe85250d6, 0, multiboot_end - multiboot
	.long -(0xe85250d6 + 0 + (multiboot_end - multiboot))
	.short 6, 0		/* modules page aligned, 3.1.10 */
	.long 8
	.short 0, 0
	.long 8
multiboot_end:

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.text
	.code32
	.globl start32
start32:
	cli
	cld
	mov $boot_stack_end, %esp
	mov %eax, %edi		/* main's arguments: the loader's magic ... */
	mov %ebx, %esi		/* ... and where its information is */
	mov $boot_pml4, %eax
	movl $boot_pdpt + 3, (%eax)
	mov $boot_pdpt, %eax
	mov $boot_pd + 3, %ecx
	mov $4, %edx
1:	mov %ecx, (%eax)
	add $8, %eax
	add $4096, %ecx
	dec %edx
	jnz 1b
	mov $boot_pd, %eax
	mov $0x83, %ecx		/* present, writable, 2 MiB */
	mov $2048, %edx
2:	mov %ecx, (%eax)
	add $8, %eax
	add $0x200000, %ecx
	dec %edx
	jnz 2b
	mov $boot_pml4, %eax
	mov %eax, %cr3
	call enter_paging
	lgdt boot_gdtr
	ljmp $SEL_CODE, $start64

/* Turns on long mode with the tables in CR3. Clobbers eax, ecx, edx. */
enter_paging:
	mov %cr4, %eax
	or $CR4_BOOT, %eax
	and $~0x80, %eax
	mov %eax, %cr4
	mov $0xc0000080, %ecx	/* EFER: LME, NXE */
	rdmsr
	or $0x900, %eax
	wrmsr
	mov %cr0, %eax
	or $CR0_SET, %eax
	and $~CR0_CLEAR, %eax
	mov %eax, %cr0
	ret

	.code64
start64:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	call metal_main
1:	cli
	hlt
	jmp 1b

/*
 * What another CPU runs first, in real mode: copied to a page below 1 MiB (SDM
 * vol. 3A 9.4.4). Nothing in it depends on where that is.
 */
	.section .rodata
	.globl ap_start, ap_start_end
	.balign 16
	.code16
ap_start:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl ap_gdtr - ap_start
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl *(ap_far - ap_start)
	.balign 4
ap_gdtr: .short boot_gdt_end - boot_gdt - 1
	.long boot_gdt
ap_far:	.long ap_start32
	.short SEL_CODE32
ap_start_end:

	.text
	.code32
ap_start32:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov ap_handover, %eax		/* page tables, below 4 GiB */
	mov %eax, %cr3
	mov ap_handover + 8, %esp	/* 32 bits are enough for a moment */
	call enter_paging
	lgdt boot_gdtr
	ljmp $SEL_CODE, $ap_start64
	.code64
ap_start64:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %ax, %fs
	mov %ax, %gs
	mov ap_handover + 8, %rsp
	mov ap_handover + 16, %rdi
	call smp_ap_main
1:	cli
	hlt
	jmp 1b

/* Stub n of 256 at trap_stubs + 16 n: error code (0 where the CPU pushes none), vector. */
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set n, 0
	.rept 256
	.balign 16
	.if (n == 8) || (n >= 10 && n <= 14) || (n == 17) || (n == 21) || (n == 29) || (n == 30)
	.else
	pushq $0
	.endif
	pushq $n
	jmp trap_common
	.set n, n + 1
	.endr

/* struct trap_frame, trap.h: pushed in reverse. */
trap_common:
	cld
	.irp r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	push %\r
	.endr
	mov %rsp, %rdi
	call trap_handle
	.irp r, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	pop %\r
	.endr
	add $16, %rsp
	iretq

	.section .rodata
	.balign 16
boot_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
boot_gdt_end:
boot_gdtr: .short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt

	.bss
	.balign 4096
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
	.globl boot_stack_guard, boot_stack, boot_stack_end, ap_handover
boot_stack_guard: .skip 4096
boot_stack: .skip 65536
boot_stack_end:
ap_handover: .quad 0, 0, 0	/* CR3, stack, argument */
	.section .note.GNU-stack, "", @progbits
