/* SPDX-License-Identifier: Apache-2.0 */
#include "run/wire.h"

#include "base/endian.h"

#include <string.h>

/* Longest payload of each type; a type that is not in the table does not exist. */
static u32 payload_max(u32 type)
{
	static const u32 max[WIRE_TYPES] = {
		[WIRE_START] = WIRE_START_MAX,
		[WIRE_STDIN] = WIRE_DATA_MAX,
		[WIRE_SIGNAL] = 4,
		[WIRE_WINDOW] = 8,
		[WIRE_STDOUT] = WIRE_DATA_MAX,
		[WIRE_STDERR] = WIRE_DATA_MAX,
		[WIRE_STARTED] = 4,
		[WIRE_EXIT] = 4,
		[WIRE_ERROR] = 1024,
	};

	return max[type];
}

static u32 payload_min(u32 type)
{
	switch (type) {
	case WIRE_SIGNAL:
	case WIRE_STARTED:
	case WIRE_EXIT:
	case WIRE_ERROR:
		return 4;
	case WIRE_WINDOW:
		return 8;
	default:
		return 0;
	}
}

long wire_parse(const u8 *buf, size_t len, struct wire_frame *f)
{
	u32 n, type;

	if (len < WIRE_HEAD)
		return 0;
	n = load_le32(buf);
	type = load_le32(buf + 4);
	if (!type || type >= WIRE_TYPES || n > payload_max(type) || n < payload_min(type))
		return -1;
	if (len < WIRE_HEAD + n)
		return 0;
	*f = (struct wire_frame){.type = (enum wire_type)type, .data = buf + WIRE_HEAD, .len = n};
	return (long)(WIRE_HEAD + n);
}

unsigned wire_head(u8 *out, enum wire_type type, u32 len)
{
	store_le32(out, len);
	store_le32(out + 4, type);
	return WIRE_HEAD;
}

u32 wire_u32(const struct wire_frame *f, unsigned i)
{
	return f->len / 4 > i ? load_le32(f->data + 4 * (size_t)i) : 0;
}

bool wire_field(const struct wire_frame *f, size_t *at, char *key, const char **value, bool *bad)
{
	const char *s = (const char *)f->data + *at, *eq;
	size_t left = f->len - *at, n;

	*bad = false;
	if (!left)
		return false;
	*bad = true;
	n = strnlen(s, left);
	eq = memchr(s, '=', n);
	if (n == left || !eq || (size_t)(eq - s) >= WIRE_KEY_MAX)
		return false;
	memcpy(key, s, (size_t)(eq - s));
	key[eq - s] = 0;
	*value = eq + 1;
	*at += n + 1;
	*bad = false;
	return true;
}
