/* SPDX-License-Identifier: Apache-2.0 */
/* The DSDT: what the guest cannot find out by itself. */
#include "machine/acpi.h"
#include "machine/acpi_aml.h"

#include <stdio.h>

struct resources {
	struct aml r;
	u8 buf[256];
};

static struct aml *resources(struct resources *res)
{
	aml_init(&res->r, res->buf, sizeof(res->buf));
	return &res->r;
}

static void dsdt_soft_off(struct aml *a, const struct acpi_config *cfg)
{
	aml_name(a, "\\_S5_");
	aml_package(a, 4);
	aml_int(a, cfg->s5_type);
	aml_int(a, cfg->s5_type);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a);
}

static void dsdt_cpus(struct aml *a, const struct acpi_config *cfg)
{
	for (unsigned i = 0; i < cfg->ncpus; i++) {
		char name[8];

		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		aml_device(a, name);
		aml_name_string(a, "_HID", "ACPI0007");
		aml_name_int(a, "_UID", i);
		aml_end(a);
	}
}

/* Every slot's INTA to INTD; wired straight to I/O APIC inputs (section 6.2.13). */
static void pci_routing(struct aml *a, const struct acpi_config *cfg)
{
	aml_name(a, "_PRT");
	aml_package(a, 31 * 4);
	for (unsigned slot = 1; slot < 32; slot++) {
		for (unsigned pin = 0; pin < 4; pin++) {
			aml_package(a, 4);
			aml_int(a, (u64)slot << 16 | 0xffff);
			aml_int(a, pin);
			aml_int(a, 0);
			aml_int(a, cfg->pci_gsi[(slot + pin) % cfg->npci_gsi]);
			aml_end(a);
		}
	}
	aml_end(a);
}

static void dsdt_pci(struct aml *a, const struct acpi_config *cfg)
{
	struct resources res;
	struct aml *r = resources(&res);

	aml_device(a, "PCI0");
	aml_name_eisaid(a, "_HID", "PNP0A08");
	aml_name_eisaid(a, "_CID", "PNP0A03");
	aml_name_int(a, "_UID", 0);
	aml_name_int(a, "_SEG", 0);
	aml_name_int(a, "_BBN", 0);
	aml_res_bus_window(r, 0, 0);
	aml_res_io(r, 0xcf8, 8);
	aml_res_io_window(r, 0, 0xcf7);
	aml_res_io_window(r, 0xd00, 0xffff);
	if (cfg->mem32.size)
		aml_res_mem_window(r, cfg->mem32.base, cfg->mem32.base + cfg->mem32.size - 1,
				   false);
	if (cfg->mem64.size)
		aml_res_mem_window(r, cfg->mem64.base, cfg->mem64.base + cfg->mem64.size - 1, true);
	aml_name_resources(a, "_CRS", r);
	pci_routing(a, cfg);
	aml_end(a);
}

static void simple_device(struct aml *a, const char *name, const char *hid, const struct aml *r)
{
	aml_device(a, name);
	aml_name_eisaid(a, "_HID", hid);
	aml_name_int(a, "_UID", 1);
	aml_name_resources(a, "_CRS", r);
	aml_end(a);
}

static void dsdt_isa(struct aml *a, const struct acpi_config *cfg)
{
	struct resources res;
	struct aml *r;

	if (cfg->com1) {
		r = resources(&res);
		aml_res_io(r, 0x3f8, 8);
		aml_res_irq(r, 4);
		simple_device(a, "COM1", "PNP0501", r);
	}
	if (cfg->rtc) {
		r = resources(&res);
		aml_res_io(r, 0x70, 2);
		aml_res_irq(r, 8);
		simple_device(a, "RTC_", "PNP0B00", r);
	}
	if (cfg->i8042) {
		r = resources(&res);
		aml_res_io(r, 0x60, 1);
		aml_res_io(r, 0x64, 1);
		aml_res_irq(r, 1);
		simple_device(a, "KBD_", "PNP0303", r);
	}
}

static void dsdt_fixed(struct aml *a, const struct acpi_config *cfg)
{
	struct resources res;
	struct aml *r = resources(&res);

	if (cfg->ecam.size) {
		/* Kernels use ECAM only when it is reserved (PCI Firmware 3.3 section 4.1.2). */
		aml_res_mem_fixed(r, (u32)cfg->ecam.base, (u32)cfg->ecam.size, true);
		simple_device(a, "MBRD", "PNP0C02", r);
	}
	if (cfg->hpet_base) {
		r = resources(&res);
		aml_res_mem_fixed(r, (u32)cfg->hpet_base, 0x400, false);
		simple_device(a, "HPET", "PNP0103", r);
	}
	if (cfg->pvpanic_port) {
		r = resources(&res);
		aml_res_io(r, cfg->pvpanic_port, 1);
		aml_device(a, "PEVT");
		aml_name_string(a, "_HID", "QEMU0001");
		aml_name_int(a, "_STA", 0xf);
		aml_name_resources(a, "_CRS", r);
		aml_end(a);
	}
}

static void dsdt_virtio_mmio(struct aml *a, const struct acpi_config *cfg)
{
	for (unsigned i = 0; i < cfg->nvirtio_mmio; i++) {
		struct resources res;
		struct aml *r = resources(&res);
		char name[8];

		snprintf(name, sizeof(name), "VR%02X", i & 0xff);
		aml_res_mem_fixed(r, cfg->virtio_mmio_base + i * cfg->virtio_mmio_stride,
				  cfg->virtio_mmio_stride, true);
		aml_res_gsi(r, cfg->virtio_mmio_gsi + i);
		aml_device(a, name);
		aml_name_string(a, "_HID", "LNRO0005");
		aml_name_int(a, "_UID", i);
		aml_name_int(a, "_CCA", 1);
		aml_name_resources(a, "_CRS", r);
		aml_end(a);
	}
}

void acpi_dsdt_body(struct aml *a, const struct acpi_config *cfg)
{
	dsdt_soft_off(a, cfg);
	aml_scope(a, "\\_SB_");
	dsdt_cpus(a, cfg);
	if (cfg->npci_gsi)
		dsdt_pci(a, cfg);
	dsdt_isa(a, cfg);
	dsdt_fixed(a, cfg);
	dsdt_virtio_mmio(a, cfg);
	aml_end(a);
}
