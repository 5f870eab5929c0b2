/* SPDX-License-Identifier: Apache-2.0 */
/* Entry by PVH: 32-bit, flat. On to 64-bit mode with 4 GiB mapped one to one. */
	.section .note.pvh, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	cli
	cld
	mov $stack_top, %esp
	mov 0x18(%ebx), %edi	/* hvm_start_info.cmdline_paddr */
	movl $pdpt + 3, pml4
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
	mov $0x20, %eax
	mov %eax, %cr4
	mov $pml4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	mov $0x100, %eax
	xor %edx, %edx
	wrmsr
	mov $0x80000011, %eax
	mov %eax, %cr0
	lgdt gdtr
	ljmp $8, $3f
	.code64
3:	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %edi, %edi
	call guest_main
4:	cli
	hlt
	jmp 4b

	.data
	.align 8
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	.word 23
	.quad gdt
	.bss
	.align 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 16384
	.skip 16384
stack_top:
	.section .note.GNU-stack, "", @progbits
