/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the boot loader said, in one form for PVH and multiboot2: memory map,
 * modules, command line, ACPI root pointer. Pure: reads through a callback, so
 * that tests and the fuzzer can feed it anything. Nothing in it is believed
 * before bootinfo_check.
 */
#ifndef HULL_METAL_BOOTINFO_H
#define HULL_METAL_BOOTINFO_H

#include "base/types.h"

#define BOOT_REGIONS_MAX 128u
#define BOOT_MODULES_MAX 64u
#define BOOT_NAME_MAX 64u

enum { BOOT_RAM = 1 }; /* ACPI 6.5 table 15.4; everything else is not ours */

struct boot_region {
	u64 addr, size;
	u32 type;
};

struct boot_module {
	char name[BOOT_NAME_MAX];
	const u8 *data;
	u64 addr, size;
	const char *bad; /* why it cannot be used, or NULL */
};

struct bootinfo {
	struct boot_region region[BOOT_REGIONS_MAX];
	unsigned nregions;
	struct boot_module module[BOOT_MODULES_MAX];
	unsigned nmodules;
	char cmdline[256];
	u64 rsdp; /* physical address, 0 = the loader did not say */
	bool rsdp_copy;
	u8 rsdp_bytes[36]; /* multiboot2 gives a copy */
	const char *loader;
};

/* [addr, addr + len) of physical memory, or NULL if it must not be touched. */
struct boot_memory {
	const u8 *(*at)(void *opaque, u64 addr, u64 len);
	void *opaque;
};

/* magic and info as the loader left them in EAX and EBX. 0, or -E_INVAL. */
int bootinfo_parse(u32 magic, u64 info, const struct boot_memory *m, struct bootinfo *out);

/*
 * Marks the modules that do not lie in RAM or that overlap the image
 * [image, image_end) or one another. `max` is the end of what can be reached.
 */
void bootinfo_check(struct bootinfo *b, u64 image, u64 image_end, u64 max);

/* Appends a module; false when the table is full. The name is cut to fit. */
bool bootinfo_add(struct bootinfo *b, const char *name, u64 len, u64 addr, u64 size);

/* By name; NULL if there is none. */
struct boot_module *bootinfo_find(struct bootinfo *b, const char *name);

/*
 * A module that is a cpio archive ("newc") is a bag of modules: its files are
 * appended under their own names. Returns how many, or -E_INVAL when damaged.
 */
int bootinfo_unpack(struct bootinfo *b, const struct boot_module *archive);

#endif
