/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting through a firmware image: its low copy, and the fw_cfg files by which
 * QEMU's firmware (SeaBIOS) learns of the board (QEMU docs/specs/fw_cfg.rst,
 * SeaBIOS src/fw/paravirt.c).
 */
#include "machine/pc_firmware.h"

#include "base/bits.h"
#include "base/endian.h"
#include "dev/fw/fw_cfg.h"

#include <stdlib.h>
#include <string.h>

#define BIOS_LOW_END MIB(1)
#define BIOS_LOW_MAX                                                                               \
	KIB(256) /* all that PAM registers cover: they say "shadowed" from the start               \
		  */

struct pc_firmware {
	struct fw_cfg cfg;
	u8 e820[2 * LX_E820_ENTRY_SIZE];
	u8 ram_size[8], ncpus[2], sercon[2];
	u8 loader[ACPI_LOADER_MAX];
};

static u32 put_e820(const struct pc *pc, u8 *p)
{
	store_le64(p, 0);
	store_le64(p + 8, pc->cfg.memory - pc->ram_high);
	store_le32(p + 16, E820_RAM);
	if (!pc->ram_high)
		return LX_E820_ENTRY_SIZE;
	store_le64(p + 20, GIB(4));
	store_le64(p + 28, pc->ram_high);
	store_le32(p + 36, E820_RAM);
	return 2 * LX_E820_ENTRY_SIZE;
}

int pc_firmware_init(struct pc *pc, struct err *e)
{
	struct pc_firmware *fw = calloc(1, sizeof(*fw));
	int err;

	if (!fw)
		return err_set(e, E_NOMEM, "no memory for the firmware's tables");
	if (pc->cfg.kernel.data) {
		free(fw);
		return err_set(
			e, E_INVAL,
			"firmware and kernel: give one of them (firmware starts from a disk)");
	}
	pc->firmware = fw;
	fw_cfg_init(&fw->cfg, &pc->map);
	store_le64(fw->ram_size, pc->cfg.memory);
	store_le16(fw->ncpus, (u16)pc->cfg.ncpus);
	store_le16(fw->sercon, UART_COM1_PORT);
	fw_cfg_set(&fw->cfg, FW_CFG_RAM_SIZE, fw->ram_size, sizeof(fw->ram_size));
	fw_cfg_set(&fw->cfg, FW_CFG_NB_CPUS, fw->ncpus, sizeof(fw->ncpus));
	fw_cfg_set(&fw->cfg, FW_CFG_MAX_CPUS, fw->ncpus, sizeof(fw->ncpus));
	err = bus_add(&pc->pio, FW_CFG_PORT, FW_CFG_WINDOW, &fw_cfg_ops, &fw->cfg);
	if (!err)
		err = bus_add(&pc->pio, FW_CFG_DMA_PORT, FW_CFG_DMA_WINDOW, &fw_cfg_dma_ops,
			      &fw->cfg);
	return err ? err_set(e, -err, "board: no place for fw_cfg") : 0;
}

void pc_firmware_fini(struct pc *pc)
{
	free(pc->firmware);
}

int pc_firmware_tables(struct pc *pc, struct err *e)
{
	struct pc_firmware *fw = pc->firmware;
	const struct {
		const char *name;
		const void *data;
		u32 len;
	} file[] = {
		{"etc/e820", fw->e820, put_e820(pc, fw->e820)},
		{"etc/sercon-port", fw->sercon, sizeof(fw->sercon)},
		{ACPI_FILE_RSDP, pc->acpi->rsdp, ACPI_RSDP_SIZE},
		{ACPI_FILE_TABLES, pc->acpi->tables, pc->acpi->len},
		{ACPI_FILE_LOADER, fw->loader,
		 acpi_loader_script(pc->acpi, fw->loader, sizeof(fw->loader))},
		{"etc/smbios/smbios-anchor", pc->smbios->anchor, SMBIOS_ANCHOR_SIZE},
		{"etc/smbios/smbios-tables", pc->smbios->tables, pc->smbios->len},
	};

	for (unsigned i = 0; i < ARRAY_LEN(file); i++)
		if (!file[i].len ||
		    fw_cfg_add_file(&fw->cfg, file[i].name, file[i].data, file[i].len, NULL))
			return err_set(e, E_NOSPC, "board: firmware file %s does not fit",
				       file[i].name);
	return 0;
}

/* CPUs are in their power-on state: the boot processor starts at the reset vector. */
void pc_firmware_start(struct pc *pc)
{
	const struct boot_blob *fw = &pc->cfg.firmware;
	u64 n = min_u64(fw->len, BIOS_LOW_MAX);

	gpa_write(&pc->map, BIOS_LOW_END - n, fw->data + fw->len - n, n);
	pc->board.boot_name = "firmware";
}
