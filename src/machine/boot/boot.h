/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot loaders: put a kernel, its initial RAM disks and what its boot protocol
 * wants to know into guest RAM and set the boot processor up to start it.
 *
 * One call for all formats, told apart by content: Linux bzImage (boot protocol
 * 2.04 and later, 64- or 32-bit entry), ELF by multiboot 2, multiboot 1 or PVH,
 * each possibly gzip-compressed. Called by the board at power-on and at every
 * reset. Files are hostile. Knows nothing of devices or engines.
 */
#ifndef HULL_MACHINE_BOOT_BOOT_H
#define HULL_MACHINE_BOOT_BOOT_H

#include "abi/boot_linux.h"
#include "core/gpa.h"
#include "core/x86_state.h"
#include "host/err.h"

/* A file's bytes, kept by the caller. name is for messages. */
struct boot_blob {
	const char *name;
	const u8 *data;
	u64 len;
};

/* Above this the boot loader does not touch memory below 1 MiB: tables live there. */
#define BOOT_LOW_END 0xa0000u
#define BOOT_CMDLINE_MAX 0xffffu
#define BOOT_INITRD_MAX 64u

struct boot_request {
	struct gpa_map *map;
	struct boot_blob kernel;
	/* Linux: concatenated, each starting at a multiple of 4. Else one module each. */
	const struct boot_blob *initrd;
	unsigned ninitrd;
	const char *cmdline; /* "" if none */
	/* The memory map as the guest shall see it, sorted by address. */
	const struct e820_entry *e820;
	unsigned ne820;
	u64 rsdp;	/* guest-physical address of the ACPI root pointer, 0 = none */
	const u8 *seed; /* 32 bytes for the kernel's random pool, or NULL */
	/* Start the ELF file inside a bzImage by PVH, as Xen does. */
	bool pvh;
};

enum boot_format { BOOT_LINUX64, BOOT_LINUX32, BOOT_PVH, BOOT_MULTIBOOT1, BOOT_MULTIBOOT2 };

/*
 * Loads everything and turns *st, which holds a vCPU's power-on state, into the
 * state the kernel starts in. *format may be NULL. 0 or -errno with one line
 * that names the file and what is wrong; guest RAM is then undefined.
 */
int boot_load(const struct boot_request *rq, struct x86_state *st, enum boot_format *format,
	      struct err *e);

/* For messages: "Linux, 64-bit entry" and the like. */
const char *boot_format_name(enum boot_format f);

/*
 * Decompresses a gzip member (RFC 1952) into a malloc'ed buffer of at most
 * `limit` bytes, which the caller frees. 0, -E_INVAL (not a valid gzip file),
 * -E_2BIG or -E_NOMEM.
 */
int boot_gunzip(const u8 *in, u64 len, u64 limit, u8 **out, u64 *out_len);

/* The same for LZ4 as Linux uses it: a legacy frame, the unpacked size behind it. */
bool boot_is_lz4(const u8 *in, u64 len);
int boot_unlz4(const u8 *in, u64 len, u64 limit, u8 **out, u64 *out_len);

#endif
