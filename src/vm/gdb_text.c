/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal of GDB's protocol, in and out. Contract in gdb_internal.h. */
#include "vm/gdb_internal.h"

#include <string.h>

int gdb_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool gdb_parse_hex(const char **p, u64 *v)
{
	const char *start = *p;
	int d;

	for (*v = 0; (d = gdb_hex_value(**p)) >= 0; (*p)++)
		*v = *v << 4 | (u64)d;
	return *p != start;
}

bool gdb_parse_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

bool gdb_parse_bytes(const char **p, u8 *out, u64 n)
{
	for (u64 i = 0; i < n; i++, *p += 2) {
		int hi = gdb_hex_value((*p)[0]), lo = hi < 0 ? -1 : gdb_hex_value((*p)[1]);

		if (lo < 0)
			return false;
		out[i] = (u8)(hi << 4 | lo);
	}
	return true;
}

void gdb_out_text(struct gdb *g, const char *s)
{
	size_t n = strlen(s);

	if (g->out_len + n > PACKET_MAX)
		return;
	memcpy(g->out + g->out_len, s, n);
	g->out_len += n;
}

void gdb_out_bytes(struct gdb *g, const u8 *p, u64 n)
{
	static const char digit[] = "0123456789abcdef";
	char pair[3] = {0};

	for (u64 i = 0; i < n; i++) {
		pair[0] = digit[p[i] >> 4];
		pair[1] = digit[p[i] & 15];
		gdb_out_text(g, pair);
	}
}
