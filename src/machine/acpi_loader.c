/* SPDX-License-Identifier: Apache-2.0 */
/* Loader commands for firmware: QEMU hw/acpi/bios-linker-loader.c, SeaBIOS romfile_loader.h. */
#include "machine/acpi.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

enum {
	CMD_ALLOCATE = 1,
	CMD_POINTER = 2,
	CMD_CHECKSUM = 3,
	CMD_SIZE = 128,
	NAME_SIZE = 56,
	ZONE_HIGH = 1,
	ZONE_FSEG = 2,
	RSDP_SUM = 8,
	RSDP_V1_SIZE = 20,
	RSDP_XSUM = 32,
};

struct script {
	u8 *buf;
	u32 len, cap;
	bool full;
};

/* The command's arguments, behind its number; a spare place when the script is full. */
static u8 *command(struct script *s, u8 spare[CMD_SIZE], u32 cmd)
{
	u8 *p = spare;

	if (range_inside(s->len, CMD_SIZE, s->cap)) {
		p = s->buf + s->len;
		s->len += CMD_SIZE;
	} else {
		s->full = true;
	}
	memset(p, 0, CMD_SIZE);
	store_le32(p, cmd);
	return p + 4;
}

static void name(u8 *p, const char *file)
{
	memcpy(p, file, strlen(file));
}

static void allocate(struct script *s, const char *file, u32 align, u8 zone)
{
	u8 spare[CMD_SIZE], *p = command(s, spare, CMD_ALLOCATE);

	name(p, file);
	store_le32(p + NAME_SIZE, align);
	p[NAME_SIZE + 4] = zone;
}

/* The field at `at` of file holds an offset in the tables: make it an address. */
static void pointer(struct script *s, const char *file, const struct acpi_pointer *ptr)
{
	u8 spare[CMD_SIZE], *p = command(s, spare, CMD_POINTER);

	name(p, file);
	name(p + NAME_SIZE, ACPI_FILE_TABLES);
	store_le32(p + 2 * NAME_SIZE, ptr->at);
	p[2 * NAME_SIZE + 4] = ptr->size;
}

static void checksum(struct script *s, const char *file, u32 at, u32 start, u32 len)
{
	u8 spare[CMD_SIZE], *p = command(s, spare, CMD_CHECKSUM);

	name(p, file);
	store_le32(p + NAME_SIZE, at);
	store_le32(p + NAME_SIZE + 4, start);
	store_le32(p + NAME_SIZE + 8, len);
}

u32 acpi_loader_script(const struct acpi_tables *t, u8 *buf, u32 cap)
{
	struct script s = {.buf = buf, .cap = cap};

	allocate(&s, ACPI_FILE_RSDP, 16, ZONE_FSEG);
	allocate(&s, ACPI_FILE_TABLES, 64, ZONE_HIGH);
	for (unsigned i = 0; i < t->npointers; i++)
		pointer(&s, ACPI_FILE_TABLES, &t->pointer[i]);
	for (unsigned i = 0; i < t->nsums; i++)
		checksum(&s, ACPI_FILE_TABLES, t->sum[i].at, t->sum[i].start, t->sum[i].len);
	pointer(&s, ACPI_FILE_RSDP, &t->rsdp_xsdt);
	checksum(&s, ACPI_FILE_RSDP, RSDP_SUM, 0, RSDP_V1_SIZE);
	checksum(&s, ACPI_FILE_RSDP, RSDP_XSUM, 0, ACPI_RSDP_SIZE);
	return s.full ? 0 : s.len;
}
