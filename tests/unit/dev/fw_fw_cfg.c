/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/fw/fw_cfg.c */
#include "tests/test.h"

#include "base/endian.h"
#include "dev/fw/fw_cfg.h"

#define RAM 16384u

struct rig {
	u8 ram[RAM];
	_Atomic u8 flags[RAM / GPA_PAGE_SIZE];
	struct gpa_map map;
	struct fw_cfg fw;
	unsigned written;
};

static struct rig *rig_new(void)
{
	static struct rig r;
	struct gpa_slot slot = {
		.gpa = 0x1000, .size = RAM, .host = r.ram, .page_flags = r.flags, .fd = -1};

	memset(&r, 0, sizeof(r));
	gpa_slot_add(&r.map, &slot);
	fw_cfg_init(&r.fw, &r.map);
	return &r;
}

static void select_key(struct rig *r, u16 key)
{
	fw_cfg_ops.write(&r->fw, 0, 2, key);
}

static u8 next(struct rig *r)
{
	return (u8)fw_cfg_ops.read(&r->fw, 1, 1);
}

static u32 dma(struct rig *r, u32 control, u32 len, u64 addr)
{
	store_be32(r->ram, control);
	store_be32(r->ram + 4, len);
	store_be64(r->ram + 8, addr);
	fw_cfg_dma_ops.write(&r->fw, 0, 4, 0);
	fw_cfg_dma_ops.write(&r->fw, 4, 4, __builtin_bswap32(0x1000));
	return load_be32(r->ram);
}

static void t_signature(void)
{
	struct rig *r = rig_new();

	select_key(r, 0);
	CHECK_EQ(next(r), 'Q');
	CHECK_EQ(next(r), 'E');
	CHECK_EQ(next(r), 'M');
	CHECK_EQ(next(r), 'U');
	CHECK_EQ(next(r), 0);
	select_key(r, 1);
	CHECK_EQ(next(r), 3);
	select_key(r, 0x7777);
	CHECK_EQ(next(r), 0);
	CHECK_EQ(fw_cfg_dma_ops.read(&r->fw, 0, 4), __builtin_bswap32(0x51454d55));
	CHECK_EQ(fw_cfg_dma_ops.read(&r->fw, 4, 4), __builtin_bswap32(0x20434647));
}

static void t_directory(void)
{
	struct rig *r = rig_new();
	char longname[100];

	CHECK_EQ(fw_cfg_add_file(&r->fw, "etc/a", "hello", 5, NULL), 0);
	CHECK_EQ(fw_cfg_add_file(&r->fw, "etc/b", "xyz", 3, NULL), 0);
	CHECK_EQ(fw_cfg_add_file(&r->fw, "etc/b", "xyz", 3, NULL), (u64)-E_EXIST);
	memset(longname, 'n', sizeof(longname));
	longname[99] = 0;
	CHECK_EQ(fw_cfg_add_file(&r->fw, longname, "", 0, NULL), (u64)-E_INVAL);
	CHECK_EQ(dma(r, 0x19 << 16 | 8 | 2, 4 + 128, 0x1100), 0);
	CHECK_EQ(load_be32(r->ram + 0x100), 2);
	CHECK_EQ(load_be32(r->ram + 0x104), 5);
	CHECK_EQ(load_be16(r->ram + 0x108), 0x20);
	CHECK(!strcmp((char *)r->ram + 0x10c, "etc/a"));
	CHECK_EQ(load_be16(r->ram + 0x148), 0x21);
	select_key(r, 0x21);
	CHECK_EQ(next(r), 'x');
	for (unsigned i = 2; i < FW_CFG_MAX_FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		CHECK_EQ(fw_cfg_add_file(&r->fw, name, "", 0, NULL), 0);
	}
	CHECK_EQ(fw_cfg_add_file(&r->fw, "last", "", 0, NULL), (u64)-E_NOSPC);
}

static void t_dma_read_pads_and_skips(void)
{
	struct rig *r = rig_new();

	fw_cfg_add_file(&r->fw, "f", "abcdef", 6, NULL);
	memset(r->ram + 0x200, 0xee, 1024);
	CHECK_EQ(dma(r, 0x20 << 16 | 8, 0, 0), 0);
	CHECK_EQ(dma(r, 4, 2, 0), 0);
	CHECK_EQ(dma(r, 2, 700, 0x1200), 0);
	CHECK(!memcmp(r->ram + 0x200, "cdef\0\0", 6));
	CHECK_EQ(r->ram[0x200 + 699], 0);
	CHECK_EQ(r->ram[0x200 + 700], 0xee);
}

static void t_dma_bad_addresses(void)
{
	struct rig *r = rig_new();

	fw_cfg_add_file(&r->fw, "f", "abcdef", 6, NULL);
	CHECK_EQ(dma(r, 0x20 << 16 | 8 | 2, 6, 0x100000), 1);
	CHECK_EQ(dma(r, 0x20 << 16 | 8 | 2, 0xffffffff, 0x1100), 1);
	CHECK_EQ(dma(r, 0x20 << 16 | 8 | 2, 16, ~0ULL - 3), 1);
	fw_cfg_dma_ops.write(&r->fw, 0, 8, 0xffffffffffffffff); /* no structure there: nothing */
	fw_cfg_dma_ops.write(&r->fw, 4, 2, 1);
}

static void on_written(void *opaque)
{
	((struct rig *)opaque)->written++;
}

static void t_dma_write(void)
{
	struct rig *r = rig_new();
	struct fw_cfg_item *item;
	u8 target[8] = {0};

	fw_cfg_add_file(&r->fw, "ro", "abcdef", 6, NULL);
	fw_cfg_add_file(&r->fw, "rw", target, sizeof(target), &item);
	item->writable = true;
	item->written = on_written;
	item->opaque = r;
	memcpy(r->ram + 0x300, "12345678", 8);
	CHECK_EQ(dma(r, 0x20 << 16 | 8 | 16, 4, 0x1300), 1);
	CHECK_EQ(dma(r, 0x21 << 16 | 8 | 16, 9, 0x1300), 1);
	CHECK_EQ(dma(r, 0x21 << 16 | 8 | 16, 8, 0x1300), 0);
	CHECK(!memcmp(target, "12345678", 8));
	CHECK_EQ(r->written, 1);
}

int main(void)
{
	RUN(t_signature);
	RUN(t_directory);
	RUN(t_dma_read_pads_and_skips);
	RUN(t_dma_bad_addresses);
	RUN(t_dma_write);
	return test_done();
}
