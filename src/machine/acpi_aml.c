/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/acpi_aml.h"

#include "base/bits.h"
#include "base/endian.h"

/* Opcodes, ACPI 6.5 table 20.2. */
enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_DUAL_NAME = 0x2e,
	OP_MULTI_NAME = 0x2f,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,
};

/* Resource descriptor tags, section 6.4.2 (small) and 6.4.3 (large). */
enum {
	RES_IRQ_NOFLAGS = 0x22,
	RES_IO = 0x47,
	RES_END = 0x79,
	RES_MEM32_FIXED = 0x86,
	RES_DWORD = 0x87,
	RES_WORD = 0x88,
	RES_EXT_IRQ = 0x89,
	RES_QWORD = 0x8a,
	/* Address space descriptors: type, flags, type-specific flags. */
	SPACE_MEM = 0,
	SPACE_IO = 1,
	SPACE_BUS = 2,
	SPACE_FIXED_PRODUCER = 0x0c, /* min and max fixed, positive decode, producer */
	MEM_UNCACHED_RW = 0x01,
	MEM_PREFETCH_RW = 0x07,
	IO_ENTIRE_RANGE = 0x03,
	EXT_IRQ_LEVEL_CONSUMER = 0x01, /* consumer, level, active high, exclusive */
};

void aml_init(struct aml *a, u8 *buf, u32 cap)
{
	*a = (struct aml){.buf = buf, .cap = cap};
}

void aml_raw(struct aml *a, const void *p, u32 n)
{
	if (a->bad || !range_inside(a->len, n, a->cap)) {
		a->bad = true;
		return;
	}
	__builtin_memcpy(a->buf + a->len, p, n);
	a->len += n;
}

static void aml_le(struct aml *a, u64 v, unsigned bytes)
{
	u8 b[8];

	store_le(b, bytes, v);
	aml_raw(a, b, bytes);
}

static void aml_byte(struct aml *a, u8 v)
{
	aml_raw(a, &v, 1);
}

void aml_int(struct aml *a, u64 v)
{
	unsigned bytes = v > 0xffffffff ? 8 : v > 0xffff ? 4 : v > 0xff ? 2 : 1;

	if (v <= 1) {
		aml_byte(a, v ? OP_ONE : OP_ZERO);
		return;
	}
	aml_byte(a, bytes == 8 ? OP_QWORD : bytes == 4 ? OP_DWORD : bytes == 2 ? OP_WORD : OP_BYTE);
	aml_le(a, v, bytes);
}

void aml_string(struct aml *a, const char *s)
{
	aml_byte(a, OP_STRING);
	do
		aml_byte(a, (u8)*s);
	while (*s++);
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

/* Three letters of five bits, four hex digits, big-endian (section 19.3.4). */
void aml_eisaid(struct aml *a, const char *id)
{
	u32 v = 0;

	for (unsigned i = 0; i < 3; i++)
		v = v << 5 | (u32)(id[i] - '@');
	for (unsigned i = 3; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	aml_byte(a, OP_DWORD);
	aml_le(a, __builtin_bswap32(v), 4);
}

void aml_path(struct aml *a, const char *path)
{
	unsigned segs;
	u32 n = (u32)__builtin_strlen(path);

	if (*path == '\\') {
		aml_byte(a, '\\');
		path++;
		n--;
	}
	segs = (n + 1) / 5;
	if (segs == 2)
		aml_byte(a, OP_DUAL_NAME);
	if (segs > 2) {
		aml_byte(a, OP_MULTI_NAME);
		aml_byte(a, (u8)segs);
	}
	for (unsigned i = 0; i < segs; i++)
		aml_raw(a, path + (u64)i * 5, 4);
}

void aml_name(struct aml *a, const char *path)
{
	aml_byte(a, OP_NAME);
	aml_path(a, path);
}

void aml_name_int(struct aml *a, const char *path, u64 v)
{
	aml_name(a, path);
	aml_int(a, v);
}

void aml_name_string(struct aml *a, const char *path, const char *s)
{
	aml_name(a, path);
	aml_string(a, s);
}

void aml_name_eisaid(struct aml *a, const char *path, const char *id)
{
	aml_name(a, path);
	aml_eisaid(a, id);
}

static void block_open(struct aml *a)
{
	if (a->depth == AML_DEPTH) {
		a->bad = true;
		return;
	}
	a->open[a->depth++] = a->len;
}

void aml_scope(struct aml *a, const char *path)
{
	aml_byte(a, OP_SCOPE);
	block_open(a);
	aml_path(a, path);
}

void aml_device(struct aml *a, const char *name)
{
	aml_byte(a, OP_EXT);
	aml_byte(a, OP_EXT_DEVICE);
	block_open(a);
	aml_path(a, name);
}

void aml_package(struct aml *a, u8 elements)
{
	aml_byte(a, OP_PACKAGE);
	block_open(a);
	aml_byte(a, elements);
}

/* PkgLength counts itself: 6 bits in one byte, else 4 + 8 a byte (section 20.2.4). */
static unsigned pkg_length(u8 out[4], u32 body)
{
	unsigned n = body + 1 < 64 ? 1 : body + 2 < 1 << 12 ? 2 : body + 3 < 1 << 20 ? 3 : 4;
	u32 v = body + n;

	if (n == 1) {
		out[0] = (u8)v;
		return 1;
	}
	out[0] = (u8)((n - 1) << 6 | (v & 0xf));
	store_le(out + 1, n - 1, v >> 4);
	return n;
}

void aml_end(struct aml *a)
{
	u8 head[4];
	u32 start, body;
	unsigned n;

	if (a->bad || !a->depth) {
		a->bad = true;
		return;
	}
	start = a->open[--a->depth];
	body = a->len - start;
	n = pkg_length(head, body);
	aml_raw(a, head, n); /* makes the room */
	if (a->bad)
		return;
	__builtin_memmove(a->buf + start + n, a->buf + start, body);
	__builtin_memcpy(a->buf + start, head, n);
}

void aml_res_io(struct aml *r, u16 base, u8 len)
{
	aml_byte(r, RES_IO);
	aml_byte(r, 1); /* decodes 16 bits */
	aml_le(r, base, 2);
	aml_le(r, base, 2);
	aml_byte(r, 1);
	aml_byte(r, len);
}

void aml_res_irq(struct aml *r, unsigned irq)
{
	aml_byte(r, RES_IRQ_NOFLAGS);
	aml_le(r, BIT(irq & 15), 2);
}

void aml_res_gsi(struct aml *r, u32 gsi)
{
	aml_byte(r, RES_EXT_IRQ);
	aml_le(r, 6, 2);
	aml_byte(r, EXT_IRQ_LEVEL_CONSUMER);
	aml_byte(r, 1);
	aml_le(r, gsi, 4);
}

void aml_res_mem_fixed(struct aml *r, u32 base, u32 len, bool writable)
{
	aml_byte(r, RES_MEM32_FIXED);
	aml_le(r, 9, 2);
	aml_byte(r, writable);
	aml_le(r, base, 4);
	aml_le(r, len, 4);
}

/* Word, DWord and QWord address space descriptors differ in field width only. */
static void res_window(struct aml *r, u8 tag, unsigned width, u8 space, u8 specific, u64 first,
		       u64 last)
{
	aml_byte(r, tag);
	aml_le(r, 3 + 5 * width, 2);
	aml_byte(r, space);
	aml_byte(r, SPACE_FIXED_PRODUCER);
	aml_byte(r, specific);
	aml_le(r, 0, width); /* granularity */
	aml_le(r, first, width);
	aml_le(r, last, width);
	aml_le(r, 0, width); /* translation */
	aml_le(r, last - first + 1, width);
}

void aml_res_bus_window(struct aml *r, u16 first, u16 last)
{
	res_window(r, RES_WORD, 2, SPACE_BUS, 0, first, last);
}

void aml_res_io_window(struct aml *r, u16 first, u16 last)
{
	res_window(r, RES_WORD, 2, SPACE_IO, IO_ENTIRE_RANGE, first, last);
}

void aml_res_mem_window(struct aml *r, u64 first, u64 last, bool prefetch)
{
	u8 flags = prefetch ? MEM_PREFETCH_RW : MEM_UNCACHED_RW;

	if (last > 0xffffffff)
		res_window(r, RES_QWORD, 8, SPACE_MEM, flags, first, last);
	else
		res_window(r, RES_DWORD, 4, SPACE_MEM, flags, first, last);
}

void aml_name_resources(struct aml *a, const char *path, const struct aml *r)
{
	static const u8 end[2] = {RES_END, 0}; /* checksum 0: not checked */

	a->bad |= r->bad;
	aml_name(a, path);
	aml_byte(a, OP_BUFFER);
	block_open(a);
	aml_int(a, r->len + sizeof(end));
	aml_raw(a, r->buf, r->len);
	aml_raw(a, end, sizeof(end));
	aml_end(a);
}
