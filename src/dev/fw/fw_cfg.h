/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Firmware configuration device: named and numbered blobs from the board to
 * firmware and kernels. Reference: QEMU docs/specs/fw_cfg.txt (selector, data
 * port, DMA interface, file directory). As on a PC: selector and data are
 * I/O ports, the selector little-endian, the DMA address big-endian.
 *
 * Items are pointer + length, not copied, not owned; they live as long as the
 * device. Only items marked writable can be written, by DMA only, in place and
 * never longer.
 */
#ifndef HULL_DEV_FW_FW_CFG_H
#define HULL_DEV_FW_FW_CFG_H

#include "core/gpa.h"
#include "dev/device.h"

#define FW_CFG_PORT 0x510 /* selector (2 bytes), data (1 byte) */
#define FW_CFG_WINDOW 2
#define FW_CFG_DMA_PORT 0x514
#define FW_CFG_DMA_WINDOW 8

#define FW_CFG_MAX_FILES 48u
#define FW_CFG_NAME 56u /* with the NUL */

/* Well-known selector keys. */
enum fw_cfg_key {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NOGRAPHIC = 0x04,
	FW_CFG_NB_CPUS = 0x05,
	FW_CFG_KERNEL_ADDR = 0x07,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_KERNEL_CMDLINE = 0x09,
	FW_CFG_INITRD_ADDR = 0x0a,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_KERNEL_ENTRY = 0x10,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_ADDR = 0x13,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_ADDR = 0x16,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
};

struct fw_cfg_item {
	const u8 *data;
	u32 len;
	bool writable;
	void (*written)(void *opaque); /* after a DMA write; may be NULL */
	void *opaque;
};

struct fw_cfg {
	struct gpa_map *map;
	struct fw_cfg_item legacy[FW_CFG_FILE_FIRST];
	struct fw_cfg_item file[FW_CFG_MAX_FILES];
	char name[FW_CFG_MAX_FILES][FW_CFG_NAME];
	unsigned nfiles;
	u8 dir[4 + FW_CFG_MAX_FILES * 64];
	u16 key;
	u32 offset;
	u64 dma_addr;
};

/* map: not owned; DMA goes there. */
void fw_cfg_init(struct fw_cfg *f, struct gpa_map *map);

/* Item of a key below FW_CFG_FILE_FIRST. 0 or -E_INVAL. */
int fw_cfg_set(struct fw_cfg *f, enum fw_cfg_key key, const void *data, u32 len);

/*
 * A named file; *item (may be NULL) allows marking it writable. Files are found by name;
 * keys follow the order of addition. 0, -E_INVAL (name), -E_EXIST or -E_NOSPC.
 */
int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, u32 len,
		    struct fw_cfg_item **item);

extern const struct device_ops fw_cfg_ops, fw_cfg_dma_ops;

#endif
