/* SPDX-License-Identifier: Apache-2.0 */
/* What the board starts: firmware tables in memory, then a kernel or firmware. */
#include "machine/pc_internal.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdlib.h>
#include <sys/random.h>

enum { PC_RSDP = PC_TABLES + ACPI_TABLES_MAX, PC_SMBIOS_TABLES = PC_SMBIOS + 0x100 };

static struct acpi_config acpi_describe(const struct pc *pc)
{
	struct acpi_config a = {
		.ncpus = pc->cfg.ncpus,
		.lapic_base = LAPIC_BASE_DEFAULT,
		.ioapic_base = IOAPIC_BASE,
		.pm1_evt = ACPI_PM_PORT + ACPI_PM1_STATUS,
		.pm1_cnt = ACPI_PM_PORT + ACPI_PM1_CONTROL,
		.pm_timer = ACPI_PM_PORT + ACPI_PM_TIMER,
		.gpe0 = ACPI_PM_PORT + ACPI_PM_GPE_STATUS,
		.pm_timer_32 = true,
		.sci = PC_SCI,
		.s5_type = ACPI_PM_SLP_TYP_S5,
		.reset_port = RESET_CF9_PORT,
		.reset_value = RESET_CF9_SYS_RST | RESET_CF9_RST_CPU,
		.ecam = {PC_ECAM, PCI_ECAM_SIZE},
		.mem32 = {pc->pci.cfg.mem32.base, pc->pci.cfg.mem32.size},
		.mem64 = {pc->pci.cfg.mem64.base, pc->pci.cfg.mem64.size},
		.npci_gsi = PC_PCI_GSIS,
		.com1 = true,
		.rtc = true,
		.pvpanic_port = PVPANIC_PORT,
	};

	for (unsigned i = 0; i < PC_PCI_GSIS; i++)
		a.pci_gsi[i] = (u8)(PC_PCI_GSI + i);
	pc_extra_describe(pc, &a);
	return a;
}

static int smbios_init(struct pc *pc, struct err *e)
{
	const struct smbios_config cfg = {
		.ncpus = pc->cfg.ncpus,
		.ram_low = pc->cfg.memory - pc->ram_high,
		.ram_high = pc->ram_high,
	};

	pc->smbios = malloc(sizeof(*pc->smbios));
	if (!pc->smbios)
		return err_set(e, E_NOMEM, "no memory for the SMBIOS tables");
	if (smbios_build(&cfg, pc->cfg.firmware.data ? 0 : PC_SMBIOS_TABLES, pc->smbios))
		return err_set(e, E_NOSPC, "the SMBIOS tables do not fit");
	return 0;
}

int pc_boot_init(struct pc *pc, struct err *e)
{
	const struct acpi_config cfg = acpi_describe(pc);
	int err;

	pc->acpi = malloc(sizeof(*pc->acpi));
	if (!pc->acpi)
		return err_set(e, E_NOMEM, "no memory for the ACPI tables");
	if (acpi_build(&cfg, pc->cfg.firmware.data ? 0 : PC_TABLES, pc->acpi))
		return err_set(e, E_NOSPC, "the ACPI tables do not fit");
	err = smbios_init(pc, e);
	return err ? err : pc_extra_tables(pc, e);
}

static int start_kernel(struct pc *pc, struct x86_state *st, struct err *e)
{
	u8 seed[32];
	const struct boot_request rq = {
		.map = &pc->map,
		.kernel = pc->cfg.kernel,
		.initrd = pc->cfg.initrd,
		.ninitrd = pc->cfg.ninitrd,
		.cmdline = pc->cfg.cmdline ? pc->cfg.cmdline : "",
		.e820 = pc->e820,
		.ne820 = pc->ne820,
		.rsdp = PC_RSDP,
		.pvh = pc->cfg.pvh,
		.seed = getrandom(seed, sizeof(seed), 0) == sizeof(seed) ? seed : NULL,
	};
	enum boot_format format;
	int err;

	pc_bios_leave(pc);
	gpa_write(&pc->map, PC_TABLES, pc->acpi->tables, pc->acpi->len);
	gpa_write(&pc->map, PC_RSDP, pc->acpi->rsdp, sizeof(pc->acpi->rsdp));
	gpa_write(&pc->map, PC_SMBIOS, pc->smbios->anchor, sizeof(pc->smbios->anchor));
	gpa_write(&pc->map, PC_SMBIOS_TABLES, pc->smbios->tables, pc->smbios->len);
	err = boot_load(&rq, st, &format, e);
	if (!err)
		pc->board.boot_name = boot_format_name(format);
	return err;
}

int pc_boot_start(struct pc *pc, struct err *e)
{
	struct engine_vcpu *v = pc->cpu[0].v;
	struct x86_state st;
	int err;

	if (pc_extra_start(pc))
		return 0;
	if (!pc->cfg.kernel.data)
		return err_set(e, E_INVAL, "nothing to start: no kernel, no firmware");
	err = pc->cfg.engine->vcpu_get_state(v, &st);
	if (err)
		return err_set(e, -err, "engine %s: cannot read the boot CPU's state",
			       pc->cfg.engine->name);
	err = start_kernel(pc, &st, e);
	if (err)
		return err;
	err = pc->cfg.engine->vcpu_set_state(v, &st);
	if (err)
		return err_set(e, -err, "engine %s: refuses the boot CPU's starting state",
			       pc->cfg.engine->name);
	return 0;
}
