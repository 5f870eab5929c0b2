/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the boot loaders share: the job at hand, placement of bytes in guest RAM
 * and the processor's starting states. Included by boot/ only.
 */
#ifndef HULL_MACHINE_BOOT_INTERNAL_H
#define HULL_MACHINE_BOOT_INTERNAL_H

#include "base/span.h"
#include "machine/boot/boot.h"

/* Where the loaders put their own tables, all below 640 KiB. */
enum boot_low {
	BOOT_GDT = 0x1000,
	BOOT_ZERO_PAGE = 0x2000,
	BOOT_SETUP_DATA = 0x3000,
	BOOT_STACK = 0x6000,	   /* grows down from here */
	BOOT_PAGE_TABLES = 0x9000, /* PML4, PDPT, four page directories */
	BOOT_INFO = 0x10000,	   /* multiboot or PVH information */
	BOOT_INFO_MAX = 0x10000,
	BOOT_CMDLINE = 0x20000,
};
#define BOOT_KERNEL_MIN MIB(1) /* kernels do not reach below */

struct boot_range {
	u64 addr, size;
};

struct boot_job {
	const struct boot_request *rq;
	struct boot_blob kernel; /* decompressed */
	struct x86_state *st;
	struct err *e;
	bool low_kernel; /* the kernel may use what lies between BOOT_STACK and BOOT_INFO */
	struct boot_range taken[256];
	unsigned ntaken;
};

/* -E_INVAL with "kernel NAME: ...". */
int boot_bad(struct boot_job *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Reserve [addr, addr+size) for part of the kernel: RAM of the memory map below
 * 4 GiB, at or above 1 MiB (but see low_kernel), not taken yet. `what` names it in the message.
 */
int boot_take(struct boot_job *j, const char *what, u64 addr, u64 size);

/* Reserve `size` bytes, page aligned, below `limit` (exclusive): highest or lowest fit. */
int boot_take_high(struct boot_job *j, const char *what, u64 size, u64 limit, u64 *addr);
int boot_take_low(struct boot_job *j, const char *what, u64 size, u64 limit, u64 *addr);

/* Copy into, or clear, RAM that was taken or lies below 640 KiB. */
int boot_put(struct boot_job *j, u64 addr, const void *data, u64 len);
int boot_clear(struct boot_job *j, u64 addr, u64 len);

/* The command line with its NUL at BOOT_CMDLINE; at most `max` bytes without it. */
int boot_put_cmdline(struct boot_job *j, u64 max);

/* "NAME ARGUMENTS", as multiboot kernels expect it, at BOOT_CMDLINE. */
int boot_put_named_cmdline(struct boot_job *j);

/* All of the initrds at their own pages, for multiboot and PVH. */
int boot_put_modules(struct boot_job *j, struct boot_range *mods);

/* KiB of RAM from 0 up to 640 KiB and from 1 MiB up to the first hole. */
void boot_memory_kib(const struct boot_request *rq, u32 *lower, u32 *upper);

/* Starting states. Interrupts off, flat segments, selectors LX_BOOT_CS and LX_BOOT_DS. */
int boot_cpu_flat32(struct boot_job *j, u64 entry);
/* The same in long mode with the low 4 GiB mapped one to one. */
int boot_cpu_flat64(struct boot_job *j, u64 entry);

struct boot_elf {
	u64 entry;  /* physical */
	u64 lowest; /* address of what was loaded */
};

/* Loads the PT_LOAD segments of an x86 ELF file at their physical addresses. */
int boot_elf_load(struct boot_job *j, struct boot_elf *elf);
/* Only looks for the PVH note: its entry point, or 0. */
u64 boot_elf_pvh_entry(struct boot_job *j);
bool boot_is_elf(const struct boot_blob *b);

/* One per format. find: offset of the header or -1. */
s64 boot_mb1_find(const struct boot_blob *b);
s64 boot_mb2_find(const struct boot_blob *b);
int boot_mb1_load(struct boot_job *j, u64 header);
int boot_mb2_load(struct boot_job *j, u64 header);
int boot_pvh_load(struct boot_job *j);
bool boot_is_linux(const struct boot_blob *b);
int boot_linux_load(struct boot_job *j, enum boot_format *format);
/* The compressed kernel inside a bzImage. 0 or -errno with a message. */
int boot_linux_payload(struct boot_job *j, struct boot_blob *payload);

#endif
