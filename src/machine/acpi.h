/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a board: RSDP, XSDT, FADT, FACS, MADT, MCFG, HPET, SPCR
 * and DSDT, made from a description of the board. They are built for a given
 * guest address, and every pointer and checksum is also listed, so that the
 * same bytes can be handed to firmware as QEMU-style loader commands.
 *
 * Source: ACPI specification 6.5; PCI Firmware Specification 3.3 (MCFG).
 */
#ifndef HULL_MACHINE_ACPI_H
#define HULL_MACHINE_ACPI_H

#include "base/types.h"

#define ACPI_MAX_CPUS 64
#define ACPI_TABLES_MAX 0x8000u /* bytes; 64 CPUs and 32 slots fit three times */
#define ACPI_RSDP_SIZE 36
#define ACPI_MAX_TABLES 12

struct acpi_window {
	u64 base, size; /* size 0: none */
};

struct acpi_config {
	unsigned ncpus;
	u32 lapic_base, ioapic_base;
	u64 hpet_base;			/* 0 = none */
	u32 hpet_id;			/* low half of its capability register */
	u16 pm1_evt, pm1_cnt, pm_timer; /* ports */
	u16 gpe0;			/* port of a 4-byte block, 0 = none */
	bool pm_timer_32;		/* else 24 bits */
	u8 sci;				/* GSI */
	u8 s5_type;			/* SLP_TYP for soft off */
	u16 reset_port;
	u8 reset_value;
	struct acpi_window ecam, mem32, mem64; /* ecam: one bus */
	/* GSIs of the INTx pins: pin p of slot s has pci_gsi[(s + p) % npci_gsi]. */
	u8 pci_gsi[8];
	unsigned npci_gsi; /* 0 = no PCI */
	bool com1, rtc, i8042;
	u16 pvpanic_port; /* 0 = none */
	/* virtio-mmio transports: mmio_base + i * mmio_stride on GSI mmio_gsi + i. */
	u32 virtio_mmio_base, virtio_mmio_stride;
	unsigned nvirtio_mmio;
	u8 virtio_mmio_gsi;
};

struct acpi_pointer {
	u32 at; /* offset in tables, or in rsdp */
	u8 size;
};

struct acpi_sum {
	u32 start, len, at; /* the byte at `at` makes [start, start+len) add up to 0 */
};

struct acpi_tables {
	u8 tables[ACPI_TABLES_MAX];
	u32 len;
	u8 rsdp[ACPI_RSDP_SIZE];
	/* What changes when the tables move; pointers hold base + offset in tables. */
	struct acpi_pointer pointer[ACPI_MAX_TABLES + 8];
	unsigned npointers;
	struct acpi_sum sum[ACPI_MAX_TABLES];
	unsigned nsums;
	struct acpi_pointer rsdp_xsdt;
};

/* Tables as they are when placed at guest address `base` (64-byte aligned). 0 or -E_NOSPC. */
int acpi_build(const struct acpi_config *cfg, u64 base, struct acpi_tables *t);

/*
 * The commands with which QEMU's firmware interface (hw/acpi/bios-linker-loader.c) places tables
 * built for base 0: their bytes are the files ACPI_FILE_TABLES and ACPI_FILE_RSDP. Returns the
 * length of the script in buf, or 0 if it does not fit.
 */
#define ACPI_FILE_LOADER "etc/table-loader"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_RSDP "etc/acpi/rsdp"
#define ACPI_LOADER_MAX 0x1800u
u32 acpi_loader_script(const struct acpi_tables *t, u8 *buf, u32 cap);

/* The DSDT's contents without its header; exported for acpi.c and tests. */
struct aml;
void acpi_dsdt_body(struct aml *a, const struct acpi_config *cfg);

#endif
