/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the hypervisor wants of the machine's ACPI tables: processors, how to
 * power off and reset. Tables are checked (address, length, checksum) before
 * a byte of them is used; what is wrong is skipped and said. Pure: reads
 * through struct boot_memory. ACPI 6.5 section 5.2.
 */
#ifndef HULL_METAL_HOSTACPI_H
#define HULL_METAL_HOSTACPI_H

#include "metal/bootinfo.h"

#define HOSTACPI_CPUS_MAX 64u

struct hostacpi {
	u32 apic_id[HOSTACPI_CPUS_MAX];
	unsigned ncpus; /* usable ones; more than fit are counted in `more` */
	unsigned more;
	u32 ioapic;
	u16 pm1a_cnt, pm1b_cnt; /* ports, 0 = none */
	u8 s5_a, s5_b;
	bool have_s5;
	u8 reset_space, reset_value; /* 1 = port, 0 = memory */
	u64 reset_addr;		     /* 0 = none */
	const char *complaint;	     /* the last thing that was wrong, or NULL */
};

/* 0, or -E_NOENT when there is no usable root pointer. */
int hostacpi_parse(const struct bootinfo *b, const struct boot_memory *m, struct hostacpi *a);

#endif
