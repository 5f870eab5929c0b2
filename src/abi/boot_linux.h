/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The x86 Linux boot protocol as bytes: offsets into the setup header and the
 * "zero page" (struct boot_params), which the boot loader reads with checked
 * accessors instead of overlaying a struct on a hostile file.
 *
 * Source: Linux Documentation/x86/boot.rst and zero-page.rst.
 */
#ifndef HULL_ABI_BOOT_LINUX_H
#define HULL_ABI_BOOT_LINUX_H

#include "base/types.h"

/* Setup header: offsets are the same in the file and in the zero page. */
enum {
	LX_SETUP_SECTS = 0x1f1,
	LX_SYSSIZE = 0x1f4,
	LX_BOOT_FLAG = 0x1fe, /* 0xaa55 */
	LX_JUMP = 0x200,      /* byte 0x201 is the header's end relative to 0x202 */
	LX_HEADER = 0x202,    /* "HdrS" */
	LX_VERSION = 0x206,
	LX_TYPE_OF_LOADER = 0x210,
	LX_LOADFLAGS = 0x211,
	LX_CODE32_START = 0x214,
	LX_RAMDISK_IMAGE = 0x218,
	LX_RAMDISK_SIZE = 0x21c,
	LX_CMD_LINE_PTR = 0x228,
	LX_INITRD_ADDR_MAX = 0x22c,  /* 2.03 */
	LX_KERNEL_ALIGNMENT = 0x230, /* 2.05 */
	LX_RELOCATABLE = 0x234,	     /* 2.05 */
	LX_XLOADFLAGS = 0x236,	     /* 2.12 */
	LX_CMDLINE_SIZE = 0x238,     /* 2.06 */
	LX_PAYLOAD_OFFSET = 0x248,   /* 2.08, behind the setup */
	LX_PAYLOAD_LENGTH = 0x24c,
	LX_SETUP_DATA = 0x250,	   /* 2.09 */
	LX_PREF_ADDRESS = 0x258,   /* 2.10 */
	LX_INIT_SIZE = 0x260,	   /* 2.10 */
	LX_HEADER_MAX_END = 0x290, /* what a header may grow to in the zero page */
};

/* Rest of the zero page (zero-page.rst). */
enum {
	LX_ACPI_RSDP_ADDR = 0x070,
	LX_E820_ENTRIES = 0x1e8,
	LX_E820_TABLE = 0x2d0,
	LX_E820_MAX = 128,
	LX_E820_ENTRY_SIZE = 20,
	LX_ZERO_PAGE_SIZE = 4096,
};

enum {
	LX_LOADED_HIGH = 0x01,	 /* loadflags: the kernel is a bzImage */
	LX_XLF_KERNEL_64 = 0x01, /* xloadflags: 64-bit entry at load address + 0x200 */
	LX_ENTRY64_OFFSET = 0x200,
	LX_LOADER_UNDEFINED = 0xff,
	LX_MAGIC_HDRS = 0x53726448,
	LX_MAGIC_BOOT_FLAG = 0xaa55,
	LX_SETUP_RNG_SEED = 9, /* setup_data type */
	LX_SETUP_DATA_HEADER = 16,
};

/* Segment selectors the entry points ask for (boot.rst, "32-bit boot protocol"). */
enum { LX_BOOT_CS = 0x10, LX_BOOT_DS = 0x18 };

/* e820 types, ACPI 6.5 section 15. */
enum { E820_RAM = 1, E820_RESERVED = 2 };

struct e820_entry {
	u64 addr, size;
	u32 type;
};

#endif
