/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, the fields of a START, the user files of an image and copied files, from any bytes. */
#include "host/rootless.h"
#include "run/copy.h"
#include "run/user.h"
#include "run/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void fields(const struct wire_frame *f)
{
	char key[WIRE_KEY_MAX];
	const char *value;
	size_t at = 0, was = 0;
	bool bad;

	while (wire_field(f, &at, key, &value, &bad)) {
		if (at <= was || at > f->len || strlen(value) >= f->len)
			abort();
		was = at;
	}
}

static void user(const u8 *data, size_t size)
{
	char *text = malloc(size + 1);
	struct id_range r[ROOTLESS_RANGES];
	struct user u;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = 0;
	user_find("www:daemon", text, text + strlen(text) / 2, &u);
	user_find(text, "root:x:0:0::/root:", "root:x:0:root", &u);
	if (u.ngroups > USER_GROUPS_MAX || memchr(u.home, 0, sizeof(u.home)) == NULL)
		abort();
	for (unsigned i = rootless_ranges(text, "www", 33, r); i--;)
		if (!r[i].start || (u64)r[i].start + r[i].count > 0xffffffffu)
			abort();
	free(text);
}

static void copy(const u8 *data, size_t size)
{
	struct copy_entry *c = calloc(1, sizeof(*c));
	long n = c ? copy_parse(data, size, c) : 0;

	if (n > (long)size || (n > 0 && (c->name[0] == '/' || strstr(c->name, "/../"))))
		if (c->mode)
			abort();
	free(c);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t at = 0;
	struct wire_frame f;
	long n;

	while ((n = wire_parse(data + at, size - at, &f)) > 0) {
		if (f.data < data || f.data + f.len > data + size)
			abort();
		if (f.type == WIRE_START)
			fields(&f);
		at += (size_t)n;
	}
	f = (struct wire_frame){.type = WIRE_START, .data = data, .len = (u32)size};
	fields(&f);
	user(data, size);
	copy(data, size);
	return 0;
}
