/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/pc_internal.h"

#include "base/bits.h"

#include <string.h>

static void e820_add(struct pc *pc, u64 addr, u64 size, u32 type)
{
	if (size)
		pc->e820[pc->ne820++] = (struct e820_entry){addr, size, type};
}

/* The last KiB below 640 KiB is left to firmware data, as on every PC. */
static void e820_init(struct pc *pc, u64 low)
{
	e820_add(pc, 0, PC_EBDA, E820_RAM);
	e820_add(pc, PC_EBDA, PC_VGA_HOLE - PC_EBDA, E820_RESERVED);
	e820_add(pc, PC_TABLES, MIB(1) - PC_TABLES, E820_RESERVED);
	e820_add(pc, MIB(1), low - MIB(1), E820_RAM);
	e820_add(pc, PC_ECAM, PCI_ECAM_SIZE, E820_RESERVED);
	e820_add(pc, GIB(4), pc->ram_high, E820_RAM);
}

static int ram_init(struct pc *pc, u64 low, struct err *e)
{
	int err = mem_create("hull-ram", pc->cfg.memory, &pc->ram, e);

	if (!err)
		err = mem_map(pc->ram, &pc->map, 0, 0, PC_VGA_HOLE, false, e);
	if (!err)
		err = mem_map(pc->ram, &pc->map, PC_UPPER_RAM, PC_UPPER_RAM, low - PC_UPPER_RAM,
			      false, e);
	if (!err && pc->ram_high)
		err = mem_map(pc->ram, &pc->map, GIB(4), low, pc->ram_high, false, e);
	return err;
}

/* The firmware image ends at 4 GiB, where the reset vector is (SDM vol. 3A 9.1.4). */
static int rom_init(struct pc *pc, struct err *e)
{
	const struct boot_blob *fw = &pc->cfg.firmware;
	u64 size = align_up(fw->len, GPA_PAGE_SIZE);
	int err;

	if (fw->len < KIB(64) || fw->len > PC_BIOS_MAX || fw->len % GPA_PAGE_SIZE)
		return err_set(
			e, E_INVAL,
			"firmware %s: %llu bytes; an image has 64 KiB to 16 MiB in whole pages",
			fw->name, (unsigned long long)fw->len);
	err = mem_create("hull-rom", size, &pc->rom, e);
	if (err)
		return err;
	memcpy(mem_host(pc->rom), fw->data, fw->len);
	return mem_map(pc->rom, &pc->map, GIB(4) - size, 0, size, true, e);
}

int pc_memory_init(struct pc *pc, struct err *e)
{
	u64 size = pc->cfg.memory, low = min_u64(size, PC_LOW_RAM_END);
	int err;

	if (size < PC_MEMORY_MIN || size > PC_MEMORY_MAX || size % MIB(1))
		return err_set(e, E_INVAL,
			       "memory of %llu bytes: must be 4 MiB to 64 GiB in whole MiB",
			       (unsigned long long)size);
	pc->ram_high = size - low;
	e820_init(pc, low);
	err = ram_init(pc, low, e);
	if (!err && pc->cfg.firmware.data)
		err = rom_init(pc, e);
	return err;
}

void pc_memory_fini(struct pc *pc)
{
	mem_destroy(pc->rom);
	mem_destroy(pc->ram);
}
