/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A minimal SMBIOS 2.8 table set: firmware, system, enclosure, processors,
 * memory. Source: DMTF DSP0134 version 2.8.
 */
#ifndef HULL_MACHINE_SMBIOS_H
#define HULL_MACHINE_SMBIOS_H

#include "base/types.h"

#define SMBIOS_ANCHOR_SIZE 31
#define SMBIOS_TABLES_MAX 0x3000u

struct smbios_config {
	unsigned ncpus;
	u64 ram_low, ram_high; /* bytes from 0 and from 4 GiB */
};

struct smbios_tables {
	u8 anchor[SMBIOS_ANCHOR_SIZE];
	u8 tables[SMBIOS_TABLES_MAX];
	u32 len;
};

/* The tables will lie at guest address `base` (the anchor points there). 0 or -E_NOSPC. */
int smbios_build(const struct smbios_config *cfg, u32 base, struct smbios_tables *t);

#endif
