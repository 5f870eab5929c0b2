/* SPDX-License-Identifier: Apache-2.0 */
/* Entry by PVH (ELF note XEN_ELFNOTE_PHYS32_ENTRY = 18) or multiboot 1: 32-bit, paging off, flat. */
	.section .note.pvh, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long start_pvh

	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.globl start_pvh, start_multiboot
start_pvh:
	mov $stack_top, %esp
	call own_segments
	push 0x18(%ebx)		/* hvm_start_info.cmdline_paddr */
	call fuzz_main
1:	cli
	hlt
	jmp 1b
start_multiboot:
	mov $stack_top, %esp
	call own_segments
	push 16(%ebx)		/* multiboot_info.cmdline */
	call fuzz_main
	jmp 1b

/* Flat segments of our own: what the loader left may not be there any more when iret looks. */
own_segments:
	cld
	lgdt gdtr
	ljmp $8, $1f
1:	mov $16, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	ret

	.data
	.align 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	.word 23
	.long gdt
	.text

	.globl ignore_interrupt
ignore_interrupt:
	iret

	.bss
	.align 16
	.skip 16384
stack_top:
	.section .note.GNU-stack, "", @progbits
