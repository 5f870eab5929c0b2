/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/smbios.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

/* Structure types, DSP0134 section 6.2, with their formatted lengths in version 2.8. */
enum {
	T_FIRMWARE = 0,
	T_SYSTEM = 1,
	T_ENCLOSURE = 3,
	T_PROCESSOR = 4,
	T_MEMORY_ARRAY = 16,
	T_MEMORY_DEVICE = 17,
	T_MEMORY_MAP = 19,
	T_BOOT = 32,
	T_END = 127,
	LEN_FIRMWARE = 0x18,
	LEN_SYSTEM = 0x1b,
	LEN_ENCLOSURE = 0x16,
	LEN_PROCESSOR = 0x2a,
	LEN_MEMORY_ARRAY = 0x17,
	LEN_MEMORY_DEVICE = 0x28,
	LEN_MEMORY_MAP = 0x1f,
	LEN_BOOT = 0x0b,
	LEN_END = 4,
};

struct build {
	struct smbios_tables *t;
	u16 handle, count, largest;
	bool full;
};

/* A structure's formatted part, zeroed, followed by its strings. */
static u8 *add(struct build *b, u8 type, u8 len, const char *const *strings)
{
	static u8 const end[2];
	struct smbios_tables *t = b->t;
	u32 size = len, at = t->len;
	u8 *p = t->tables + at;

	for (unsigned i = 0; strings && strings[i]; i++)
		size += (u32)strlen(strings[i]) + 1;
	size += strings ? 1 : 2;
	if (b->full || !range_inside(at, size, sizeof(t->tables))) {
		b->full = true;
		return NULL;
	}
	memset(p, 0, size);
	p[0] = type;
	p[1] = len;
	store_le16(p + 2, b->handle++);
	at += len;
	for (unsigned i = 0; strings && strings[i]; i++) {
		memcpy(t->tables + at, strings[i], strlen(strings[i]) + 1);
		at += (u32)strlen(strings[i]) + 1;
	}
	memcpy(t->tables + at, end, strings ? 1 : 2);
	t->len += size;
	b->count++;
	b->largest = (u16)max_u64(b->largest, size);
	return p;
}

static void add_firmware(struct build *b)
{
	static const char *const s[] = {"hull", HULL_VERSION, "01/01/2024", NULL};
	u8 *p = add(b, T_FIRMWARE, LEN_FIRMWARE, s);

	if (!p)
		return;
	p[4] = 1;
	p[5] = 2;
	store_le16(p + 6, 0xe000); /* segment */
	p[8] = 3;
	p[10] = 0x08;	/* characteristics: not supported */
	p[0x13] = 0x14; /* a virtual machine; targeted content distribution */
	p[0x16] = p[0x17] = 0xff;
}

static void add_system(struct build *b)
{
	static const char *const s[] = {"hull", "hull pc", HULL_VERSION, NULL};
	u8 *p = add(b, T_SYSTEM, LEN_SYSTEM, s);

	if (!p)
		return;
	p[4] = 1;
	p[5] = 2;
	p[6] = 3;
	p[0x18] = 6; /* woken by the power switch */
}

static void add_enclosure(struct build *b)
{
	static const char *const s[] = {"hull", NULL};
	u8 *p = add(b, T_ENCLOSURE, LEN_ENCLOSURE, s);

	if (!p)
		return;
	p[4] = 1;
	p[5] = 1;		  /* "other" */
	p[9] = p[10] = p[11] = 3; /* states: safe */
	p[12] = 3;		  /* security: none */
}

static void add_processors(struct build *b, const struct smbios_config *cfg)
{
	static const char *const s[] = {"CPU", "hull", NULL};

	for (unsigned i = 0; i < cfg->ncpus; i++) {
		u8 *p = add(b, T_PROCESSOR, LEN_PROCESSOR, s);

		if (!p)
			return;
		p[4] = 1;
		p[5] = 3;	/* central processor */
		p[6] = 1;	/* family: other */
		p[7] = 2;	/* manufacturer */
		p[0x18] = 0x41; /* populated, enabled */
		p[0x19] = 1;	/* upgrade: other */
		store_le16(p + 0x1a, 0xffff);
		store_le16(p + 0x1c, 0xffff);
		store_le16(p + 0x1e, 0xffff);
		p[0x23] = p[0x24] = p[0x25] = 1; /* cores, enabled, threads */
		store_le16(p + 0x26, 4);	 /* 64-bit capable */
		store_le16(p + 0x28, 1);
	}
}

static void add_memory_map(struct build *b, u64 base, u64 size, u16 array)
{
	u8 *p = size ? add(b, T_MEMORY_MAP, LEN_MEMORY_MAP, NULL) : NULL;

	if (!p)
		return;
	store_le32(p + 4, ~0u); /* the 64-bit fields hold it */
	store_le32(p + 8, ~0u);
	store_le16(p + 12, array);
	p[14] = 1;
	store_le64(p + 15, base);
	store_le64(p + 23, base + size - 1);
}

static void add_memory(struct build *b, const struct smbios_config *cfg)
{
	static const char *const s[] = {"RAM", NULL};
	u64 size = cfg->ram_low + cfg->ram_high;
	u16 array = b->handle;
	u8 *p = add(b, T_MEMORY_ARRAY, LEN_MEMORY_ARRAY, NULL);

	if (!p)
		return;
	p[4] = 1;			/* location: other */
	p[5] = 3;			/* system memory */
	p[6] = 3;			/* no error correction */
	store_le32(p + 7, 0x80000000u); /* see the 64-bit capacity */
	store_le16(p + 11, 0xfffe);
	store_le16(p + 13, 1);
	store_le64(p + 15, size);
	p = add(b, T_MEMORY_DEVICE, LEN_MEMORY_DEVICE, s);
	if (!p)
		return;
	store_le16(p + 4, array);
	store_le16(p + 6, 0xfffe);
	store_le16(p + 8, 0xffff);
	store_le16(p + 10, 0xffff);
	store_le16(p + 12, size >> 20 < 0x7fff ? (u16)(size >> 20) : 0x7fff);
	p[14] = 9; /* form factor: DIMM */
	p[16] = 1;
	p[18] = 7;		    /* RAM */
	store_le16(p + 19, 1 << 1); /* type detail: other */
	store_le32(p + 0x1c, (u32)(size >> 20));
	add_memory_map(b, 0, cfg->ram_low, array);
	add_memory_map(b, GIB(4), cfg->ram_high, array);
}

static u8 sum_to_zero(const u8 *p, unsigned len)
{
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

/* Entry point structure, section 5.2.1. */
static void anchor_build(const struct build *b, u32 base)
{
	struct smbios_tables *t = b->t;
	u8 *a = t->anchor;

	memset(a, 0, SMBIOS_ANCHOR_SIZE);
	memcpy(a, "_SM_", 4);
	a[5] = SMBIOS_ANCHOR_SIZE;
	a[6] = 2;
	a[7] = 8;
	store_le16(a + 8, b->largest);
	memcpy(a + 16, "_DMI_", 5);
	store_le16(a + 22, (u16)t->len);
	store_le32(a + 24, base);
	store_le16(a + 28, b->count);
	a[30] = 0x28;
	a[21] = sum_to_zero(a + 16, 15);
	a[4] = sum_to_zero(a, SMBIOS_ANCHOR_SIZE);
}

int smbios_build(const struct smbios_config *cfg, u32 base, struct smbios_tables *t)
{
	struct build b = {.t = t};

	t->len = 0;
	add_firmware(&b);
	add_system(&b);
	add_enclosure(&b);
	add_processors(&b, cfg);
	add_memory(&b, cfg);
	add(&b, T_BOOT, LEN_BOOT, NULL);
	add(&b, T_END, LEN_END, NULL);
	anchor_build(&b, base);
	return b.full ? -E_NOSPC : 0;
}
