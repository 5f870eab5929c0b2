/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of the core's test image: PVH and multiboot2 headers, long mode with 4 GiB
 * one to one, a timer interrupt; and the guests (guest/test), as they are.
 */
	.section .multiboot, "a"
	.balign 8
multiboot:
	.long 0xe85250d6, 0, multiboot_end - multiboot
	.long -(0xe85250d6 + 0 + (multiboot_end - multiboot))
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
	mov $stack_end, %esp
	mov %eax, %ebp		/* the loader's magic */
	mov $pml4, %eax
	mov %eax, %cr3
	movl $pdpt + 3, (%eax)
	mov $pdpt, %eax
	mov $pd + 3, %ecx
	mov $4, %edx
1:	mov %ecx, (%eax)
	add $8, %eax
	add $4096, %ecx
	dec %edx
	jnz 1b
	mov $pd, %eax
	mov $0x83, %ecx
	mov $2048, %edx
2:	mov %ecx, (%eax)
	add $8, %eax
	add $0x200000, %ecx
	dec %edx
	jnz 2b
	mov %cr4, %eax
	or $0x6a0, %eax		/* PAE, PGE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x900, %eax		/* LME, NXE */
	wrmsr
	mov %cr0, %eax
	or $0x80010023, %eax	/* PG, WP, NE, MP, PE */
	and $~0x6000000c, %eax
	mov %eax, %cr0
	lgdt gdtr
	ljmp $8, $start64
	.code64
start64:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $tss, %eax
	mov %ax, gdt + 24 + 2
	shr $16, %eax
	mov %al, gdt + 24 + 4
	mov %ah, gdt + 24 + 7
	mov $24, %eax
	ltr %ax
	mov $idt, %edi
	mov $on_fault, %esi
	mov $256, %ecx
1:	call set_gate
	loop 1b
	mov $idt + 1 * 16, %edi
	mov $on_debug, %esi
	call set_gate
	mov $idt + 0x20 * 16, %edi
	mov $on_timer, %esi
	call set_gate
	lidt idtr
	mov %ebp, %edi
	call image_main
2:	cli
	hlt
	jmp 2b

set_gate:
	mov %si, (%rdi)
	movw $8, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	mov %esi, %eax
	shr $16, %eax
	mov %ax, 6(%rdi)
	movq $0, 8(%rdi)
	add $16, %rdi
	ret

on_timer:
	push %rax
	incl image_ticks
	mov $0xfee000b0, %eax
	movl $0, (%rax)
	pop %rax
	iretq

/* Bochs delivers the guest's single step over an instruction that exits to the host. */
on_debug:
	iretq

on_fault:
	mov 8(%rsp), %rdi
	mov (%rsp), %rsi
	mov %cr2, %rdx
	call image_fault

.macro guest name
	.globl guest_\name, guest_\name\()_end
guest_\name:
	.incbin "\name\().bin"
guest_\name\()_end:
.endm

	.section .rodata
	guest real16
	guest prot32
	guest page32
	guest long64
	guest call64
	guest irq64
	guest smp64
	guest move64
	guest core64

	.data
	.balign 16
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.quad 0x0000890000000067, 0
gdtr:	.short . - gdt - 1
	.quad gdt
idtr:	.short 256 * 16 - 1
	.quad idt
	.globl image_ticks
image_ticks: .long 0
	.bss
	.balign 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 4 * 4096
idt:	.skip 256 * 16
tss:	.skip 4096
	.skip 32768
stack_end:
	.section .note.GNU-stack, "", @progbits
