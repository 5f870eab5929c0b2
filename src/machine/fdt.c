/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/fdt.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

/* Devicetree Specification 0.3, sections 5.2 and 5.4. */
enum {
	FDT_MAGIC = 0xd00dfeed,
	FDT_VERSION = 17,
	FDT_COMPATIBLE = 16,
	FDT_HEADER_SIZE = 40,
	FDT_RESERVE_SIZE = 16 * (FDT_RESERVE_MAX + 1), /* and the terminating entry */
	FDT_STRUCT_OFF = FDT_HEADER_SIZE + FDT_RESERVE_SIZE,
	FDT_BEGIN_NODE = 1,
	FDT_END_NODE = 2,
	FDT_PROP = 3,
	FDT_END = 9,
};

/* Room for n more bytes, padded to the next cell with zeroes; NULL when full. */
static u8 *append(struct fdt *f, u32 n)
{
	u32 padded = (n + 3) & ~3u, at = FDT_STRUCT_OFF + f->len;

	if (f->failed || padded < n || at > f->cap || padded > f->cap - at) {
		f->failed = true;
		return NULL;
	}
	f->len += padded;
	memset(f->buf + at, 0, padded);
	return f->buf + at;
}

static void append_u32(struct fdt *f, u32 val)
{
	u8 *p = append(f, 4);

	if (p)
		store_be32(p, val);
}

void fdt_begin(struct fdt *f, void *buf, u32 cap)
{
	*f = (struct fdt){.buf = buf, .cap = cap};
	fdt_node(f, "");
}

void fdt_reserve(struct fdt *f, u64 addr, u64 size)
{
	if (f->nreserve == FDT_RESERVE_MAX) {
		f->failed = true;
		return;
	}
	f->reserve[f->nreserve][0] = addr;
	f->reserve[f->nreserve++][1] = size;
}

void fdt_node(struct fdt *f, const char *name)
{
	u32 n = (u32)strlen(name) + 1;
	u8 *p;

	if (f->depth == FDT_DEPTH_MAX)
		f->failed = true;
	f->depth++;
	append_u32(f, FDT_BEGIN_NODE);
	p = append(f, n);
	if (p)
		memcpy(p, name, n);
}

void fdt_node_at(struct fdt *f, const char *name, u64 unit)
{
	char full[64];
	u32 n = (u32)strlen(name);
	unsigned digits = 1;

	while (digits < 16 && unit >> (4 * digits))
		digits++;
	if (n + 1 + digits >= sizeof(full)) {
		f->failed = true;
		return;
	}
	memcpy(full, name, n);
	full[n++] = '@';
	while (digits--)
		full[n++] = "0123456789abcdef"[unit >> (4 * digits) & 15];
	full[n] = 0;
	fdt_node(f, full);
}

void fdt_node_end(struct fdt *f)
{
	if (!f->depth)
		f->failed = true;
	else
		f->depth--;
	append_u32(f, FDT_END_NODE);
}

/* Offset of a property name in the strings block. */
static u32 string_offset(struct fdt *f, const char *name)
{
	u32 n = (u32)strlen(name) + 1, at = 0;

	while (at < f->nstrings && strcmp(f->strings + at, name) != 0)
		at += (u32)strlen(f->strings + at) + 1;
	if (at < f->nstrings)
		return at;
	if (n > FDT_STRINGS_MAX - f->nstrings) {
		f->failed = true;
		return 0;
	}
	memcpy(f->strings + at, name, n);
	f->nstrings += n;
	return at;
}

void fdt_bytes(struct fdt *f, const char *name, const void *data, u32 len)
{
	u8 *p;

	append_u32(f, FDT_PROP);
	append_u32(f, len);
	append_u32(f, string_offset(f, name));
	p = append(f, len);
	if (p && len)
		memcpy(p, data, len);
}

void fdt_empty(struct fdt *f, const char *name)
{
	fdt_bytes(f, name, NULL, 0);
}

void fdt_string(struct fdt *f, const char *name, const char *s)
{
	fdt_bytes(f, name, s, (u32)strlen(s) + 1);
}

void fdt_u32(struct fdt *f, const char *name, u32 val)
{
	fdt_cells(f, name, &val, 1);
}

void fdt_u64(struct fdt *f, const char *name, u64 val)
{
	fdt_cells(f, name, (const u32[]){(u32)(val >> 32), (u32)val}, 2);
}

void fdt_cells(struct fdt *f, const char *name, const u32 *cells, u32 n)
{
	u8 *p;

	append_u32(f, FDT_PROP);
	append_u32(f, 4 * n);
	append_u32(f, string_offset(f, name));
	p = append(f, 4 * n);
	for (u32 i = 0; p && i < n; i++)
		store_be32(p + 4 * i, cells[i]);
}

u32 fdt_finish(struct fdt *f, u32 boot_cpu)
{
	u32 structs, strings, total;
	u8 *p;

	fdt_node_end(f);
	append_u32(f, FDT_END);
	structs = f->len;
	strings = FDT_STRUCT_OFF + structs;
	p = append(f, f->nstrings);
	if (!p || f->depth || f->failed)
		return 0;
	memcpy(p, f->strings, f->nstrings);
	total = FDT_STRUCT_OFF + f->len;
	memset(f->buf, 0, FDT_STRUCT_OFF);
	for (unsigned i = 0; i < f->nreserve; i++) {
		store_be64(f->buf + FDT_HEADER_SIZE + 16 * i, f->reserve[i][0]);
		store_be64(f->buf + FDT_HEADER_SIZE + 16 * i + 8, f->reserve[i][1]);
	}
	store_be32(f->buf, FDT_MAGIC);
	store_be32(f->buf + 4, total);
	store_be32(f->buf + 8, FDT_STRUCT_OFF);
	store_be32(f->buf + 12, strings);
	store_be32(f->buf + 16, FDT_HEADER_SIZE);
	store_be32(f->buf + 20, FDT_VERSION);
	store_be32(f->buf + 24, FDT_COMPATIBLE);
	store_be32(f->buf + 28, boot_cpu);
	store_be32(f->buf + 32, f->nstrings);
	store_be32(f->buf + 36, structs);
	return total;
}
