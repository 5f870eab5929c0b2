/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Multiboot 1 and 2 and PVH: what a loader looks for in the image and the
 * information block it hands to the kernel, as offsets and tags.
 *
 * Sources: Multiboot Specification 0.6.96, Multiboot2 Specification 2.0, Xen's
 * docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h.
 */
#ifndef HULL_ABI_MULTIBOOT_H
#define HULL_ABI_MULTIBOOT_H

#include "base/types.h"

/* Multiboot 1, section 3.1. */
#define MB1_MAGIC 0x1badb002u
#define MB1_BOOT_MAGIC 0x2badb002u
enum {
	MB1_SEARCH = 8192,
	MB1_FLAGS = 4,
	MB1_CHECKSUM = 8,
	MB1_HEADER_ADDR = 12,
	MB1_LOAD_ADDR = 16,
	MB1_LOAD_END = 20,
	MB1_BSS_END = 24,
	MB1_ENTRY = 28,
	MB1_HEADER_MIN = 12,
	MB1_F_PAGE_ALIGN = 1 << 0,
	MB1_F_MEMINFO = 1 << 1,
	MB1_F_VIDEO = 1 << 2, /* a wish, not a demand: there is no display */
	MB1_F_ADDRESSES = 1 << 16,
	MB1_F_KNOWN = MB1_F_PAGE_ALIGN | MB1_F_MEMINFO | MB1_F_VIDEO, /* of bits 0-15 */
};

/* Multiboot 1 information, section 3.3. */
enum {
	MB1I_FLAGS = 0,
	MB1I_MEM_LOWER = 4,
	MB1I_MEM_UPPER = 8,
	MB1I_CMDLINE = 16,
	MB1I_MODS_COUNT = 20,
	MB1I_MODS_ADDR = 24,
	MB1I_MMAP_LENGTH = 44,
	MB1I_MMAP_ADDR = 48,
	MB1I_LOADER_NAME = 64,
	MB1I_SIZE = 120,
	MB1I_HAS_MEM = 1 << 0,
	MB1I_HAS_CMDLINE = 1 << 2,
	MB1I_HAS_MODS = 1 << 3,
	MB1I_HAS_MMAP = 1 << 6,
	MB1I_HAS_LOADER = 1 << 9,
	MB1_MOD_SIZE = 16,
	MB1_MMAP_SIZE = 24, /* size field included */
};

/* Multiboot 2, sections 3.1 and 3.6. */
#define MB2_MAGIC 0xe85250d6u
#define MB2_BOOT_MAGIC 0x36d76289u
enum {
	MB2_SEARCH = 32768,
	MB2_HEADER_MIN = 16,
	MB2_H_END = 0,
	MB2_H_INFO_REQUEST = 1,
	MB2_H_ADDRESS = 2,
	MB2_H_ENTRY = 3,
	MB2_H_CONSOLE = 4,
	MB2_H_FRAMEBUFFER = 5,
	MB2_H_MODULE_ALIGN = 6,
	MB2_H_EFI_BS = 7,
	MB2_H_ENTRY_EFI32 = 8,
	MB2_H_ENTRY_EFI64 = 9,
	MB2_H_RELOCATABLE = 10,
	MB2_H_OPTIONAL = 1, /* flag: the loader may ignore the tag */
	MB2_I_END = 0,
	MB2_I_CMDLINE = 1,
	MB2_I_LOADER = 2,
	MB2_I_MODULE = 3,
	MB2_I_MEMINFO = 4,
	MB2_I_MMAP = 6,
	MB2_I_ACPI_NEW = 15,
	MB2_I_LOAD_BASE = 21,
};

/* PVH start of day, hvm_start_info version 1. */
#define PVH_MAGIC 0x336ec578u
enum {
	PVH_VERSION = 4,
	PVH_NR_MODULES = 12,
	PVH_MODLIST = 16,
	PVH_CMDLINE = 24,
	PVH_RSDP = 32,
	PVH_MEMMAP = 40,
	PVH_MEMMAP_ENTRIES = 48,
	PVH_SIZE = 56,
	PVH_MOD_SIZE = 32,
	PVH_MEMMAP_SIZE = 24,
};

#endif
