/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The few ELF numbers a boot loader needs, as offsets for checked readers.
 * Source: System V ABI, "Object Files", and its x86-64 supplement.
 */
#ifndef HULL_ABI_ELF_H
#define HULL_ABI_ELF_H

enum {
	ELF_MAGIC = 0x464c457f,
	ELF_CLASS = 4, /* e_ident[EI_CLASS] */
	ELF_DATA = 5,  /* e_ident[EI_DATA] */
	ELF_CLASS32 = 1,
	ELF_CLASS64 = 2,
	ELF_DATA_LE = 1,
	ELF_MACHINE = 18, /* u16 in both classes */
	ELF_ENTRY = 24,	  /* likewise, u32 or u64 */
	ELF_EM_386 = 3,
	ELF_EM_X86_64 = 62,
	ELF_PT_LOAD = 1,
	ELF_PT_NOTE = 4,
	ELF_PHNUM_MAX = 128, /* ours: no kernel comes near it */
};

/* ELFCLASS32 */
enum {
	ELF32_PHOFF = 28,
	ELF32_PHENTSIZE = 42,
	ELF32_PHNUM = 44,
	ELF32_P_OFFSET = 4,
	ELF32_P_VADDR = 8,
	ELF32_P_PADDR = 12,
	ELF32_P_FILESZ = 16,
	ELF32_P_MEMSZ = 20,
	ELF32_PHDR_SIZE = 32,
};

/* ELFCLASS64 */
enum {
	ELF64_PHOFF = 32,
	ELF64_PHENTSIZE = 54,
	ELF64_PHNUM = 56,
	ELF64_P_OFFSET = 8,
	ELF64_P_VADDR = 16,
	ELF64_P_PADDR = 24,
	ELF64_P_FILESZ = 32,
	ELF64_P_MEMSZ = 40,
	ELF64_PHDR_SIZE = 56,
};

/* Xen's ELF note "Xen", type 18: 32-bit entry point of a PVH kernel
 * (xen/include/public/elfnote.h). */
enum { ELF_NOTE_XEN_PHYS32_ENTRY = 18 };

#endif
