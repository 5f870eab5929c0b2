/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/fw/fw_cfg.h"

#include "base/bits.h"
#include "base/endian.h"

enum {
	ID_TRADITIONAL = 1 << 0,
	ID_DMA = 1 << 1,
	DMA_ERROR = 1 << 0,
	DMA_READ = 1 << 1,
	DMA_SKIP = 1 << 2,
	DMA_SELECT = 1 << 3,
	DMA_WRITE = 1 << 4,
};

/* The control structure a guest points us to, all big-endian. */
struct fw_cfg_dma_access {
	u8 control[4], length[4], address[8];
};
static_assert(sizeof(struct fw_cfg_dma_access) == 16, "fw_cfg.txt, FWCfgDmaAccess");

/* One directory entry, all big-endian. */
struct fw_cfg_dir_entry {
	u8 size[4], select[2], reserved[2];
	char name[FW_CFG_NAME];
};
static_assert(sizeof(struct fw_cfg_dir_entry) == 64, "fw_cfg.txt, FWCfgFile");

#define DMA_SIGNATURE 0x51454d5520434647ULL /* "QEMU CFG" */

static struct fw_cfg_item *fw_cfg_item(struct fw_cfg *f, u16 key)
{
	if (key < FW_CFG_FILE_FIRST)
		return &f->legacy[key];
	if (key - FW_CFG_FILE_FIRST < (int)f->nfiles)
		return &f->file[key - FW_CFG_FILE_FIRST];
	return NULL;
}

static void fw_cfg_select(struct fw_cfg *f, u16 key)
{
	f->key = key;
	f->offset = 0;
}

/* Bytes of the current item that are left. */
static u32 fw_cfg_left(struct fw_cfg *f, const struct fw_cfg_item *it)
{
	return it && f->offset < it->len ? it->len - f->offset : 0;
}

static u8 fw_cfg_read_byte(struct fw_cfg *f)
{
	struct fw_cfg_item *it = fw_cfg_item(f, f->key);

	return fw_cfg_left(f, it) ? it->data[f->offset++] : 0;
}

/* Past the item's end a read gives zeroes. */
static int fw_cfg_dma_read(struct fw_cfg *f, u64 gpa, u32 len)
{
	static const u8 zeroes[256];
	struct fw_cfg_item *it = fw_cfg_item(f, f->key);
	u32 n = (u32)min_u64(len, fw_cfg_left(f, it));
	u64 end;

	if (add_overflow(gpa, (u64)len, &end))
		return -E_FAULT;
	if (n && gpa_write(f->map, gpa, it->data + f->offset, n))
		return -E_FAULT;
	f->offset += n;
	for (gpa += n, len -= n; len; gpa += n, len -= n) {
		n = (u32)min_u64(len, sizeof(zeroes));
		if (gpa_write(f->map, gpa, zeroes, n))
			return -E_FAULT;
	}
	return 0;
}

static int fw_cfg_dma_write(struct fw_cfg *f, u64 gpa, u32 len)
{
	struct fw_cfg_item *it = fw_cfg_item(f, f->key);

	if (!it || !it->writable || len > fw_cfg_left(f, it))
		return -E_PERM;
	if (gpa_read(f->map, gpa, (u8 *)it->data + f->offset, len))
		return -E_FAULT;
	f->offset += len;
	if (it->written)
		it->written(it->opaque);
	return 0;
}

static int fw_cfg_dma_run(struct fw_cfg *f, u32 control, u64 gpa, u32 len)
{
	if (control & DMA_SELECT)
		fw_cfg_select(f, (u16)(control >> 16));
	if (control & DMA_READ)
		return fw_cfg_dma_read(f, gpa, len);
	if (control & DMA_WRITE)
		return fw_cfg_dma_write(f, gpa, len);
	if (control & DMA_SKIP)
		f->offset += (u32)min_u64(len, fw_cfg_left(f, fw_cfg_item(f, f->key)));
	return 0;
}

static void fw_cfg_dma(struct fw_cfg *f)
{
	struct fw_cfg_dma_access a;
	u64 at = f->dma_addr;
	int err;

	f->dma_addr = 0;
	if (gpa_read(f->map, at, &a, sizeof(a)))
		return; /* nowhere to report it to */
	err = fw_cfg_dma_run(f, load_be32(a.control), load_be64(a.address), load_be32(a.length));
	store_be32(a.control, err ? DMA_ERROR : 0);
	gpa_write(f->map, at, a.control, sizeof(a.control));
}

/* ---- ports --------------------------------------------------------------------------- */

static u64 fw_cfg_read(void *dev, u64 offset, unsigned size)
{
	struct fw_cfg *f = dev;

	if (offset == 0)
		return size == 1 ? (u8)f->key : f->key;
	return fw_cfg_read_byte(f);
}

static void fw_cfg_write(void *dev, u64 offset, unsigned size, u64 val)
{
	if (offset == 0 && size == 2)
		fw_cfg_select(dev, (u16)val);
}

/* Reading the address register gives a signature, which is how DMA is found. */
static u64 fw_cfg_dma_reg_read(void *dev, u64 offset, unsigned size)
{
	return load_le(&(u64){HULL_LE(64, __builtin_bswap64(DMA_SIGNATURE) >> offset * 8)}, size);
}

/* Two big-endian halves; the write of the low one starts the transfer. */
static void fw_cfg_dma_reg_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct fw_cfg *f = dev;

	if (size == 8 && offset == 0) {
		f->dma_addr = __builtin_bswap64(val);
		fw_cfg_dma(f);
	} else if (size == 4 && offset == 0) {
		f->dma_addr = (u64)__builtin_bswap32((u32)val) << 32;
	} else if (size == 4 && offset == 4) {
		f->dma_addr = (f->dma_addr & 0xffffffff00000000ULL) | __builtin_bswap32((u32)val);
		fw_cfg_dma(f);
	}
}

/* ---- items ------------------------------------------------------------------------------ */

int fw_cfg_set(struct fw_cfg *f, enum fw_cfg_key key, const void *data, u32 len)
{
	if (key >= FW_CFG_FILE_FIRST)
		return -E_INVAL;
	f->legacy[key] = (struct fw_cfg_item){.data = data, .len = len};
	return 0;
}

static void fw_cfg_write_dir(struct fw_cfg *f)
{
	store_be32(f->dir, f->nfiles);
	for (unsigned i = 0; i < f->nfiles; i++) {
		struct fw_cfg_dir_entry e = {{0}};

		store_be32(e.size, f->file[i].len);
		store_be16(e.select, FW_CFG_FILE_FIRST + i);
		__builtin_memcpy(e.name, f->name[i], FW_CFG_NAME);
		__builtin_memcpy(f->dir + 4 + i * sizeof(e), &e, sizeof(e));
	}
	fw_cfg_set(f, FW_CFG_FILE_DIR, f->dir, 4 + f->nfiles * sizeof(struct fw_cfg_dir_entry));
}

static unsigned name_length(const char *s)
{
	unsigned n = 0;

	while (n < FW_CFG_NAME && s[n])
		n++;
	return n;
}

int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, u32 len,
		    struct fw_cfg_item **item)
{
	unsigned n = name_length(name);

	if (!n || n >= FW_CFG_NAME)
		return -E_INVAL;
	for (unsigned i = 0; i < f->nfiles; i++)
		if (!__builtin_memcmp(f->name[i], name, n + 1))
			return -E_EXIST;
	if (f->nfiles == FW_CFG_MAX_FILES)
		return -E_NOSPC;
	__builtin_memcpy(f->name[f->nfiles], name, n + 1);
	f->file[f->nfiles] = (struct fw_cfg_item){.data = data, .len = len};
	if (item)
		*item = &f->file[f->nfiles];
	f->nfiles++;
	fw_cfg_write_dir(f);
	return 0;
}

static void fw_cfg_reset(void *dev)
{
	struct fw_cfg *f = dev;

	fw_cfg_select(f, 0);
	f->dma_addr = 0;
}

void fw_cfg_init(struct fw_cfg *f, struct gpa_map *map)
{
	static const u8 id[4] = {ID_TRADITIONAL | ID_DMA};

	__builtin_memset(f, 0, sizeof(*f));
	f->map = map;
	fw_cfg_set(f, FW_CFG_SIGNATURE, "QEMU", 4);
	fw_cfg_set(f, FW_CFG_ID, id, sizeof(id));
	fw_cfg_write_dir(f);
}

static void fw_cfg_no_reset(void *dev)
{
}

const struct device_ops fw_cfg_ops = {
	.name = "fw-cfg",
	.reset = fw_cfg_reset,
	.read = fw_cfg_read,
	.write = fw_cfg_write,
};

const struct device_ops fw_cfg_dma_ops = {
	.name = "fw-cfg-dma",
	.reset = fw_cfg_no_reset,
	.read = fw_cfg_dma_reg_read,
	.write = fw_cfg_dma_reg_write,
};
