/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/copy.c, copy_xattr.c: entries with extended attributes, and what the other side must not
 * send. */
#include "tests/test.h"

#include "base/endian.h"
#include "run/copy.h"

#include <stdlib.h>
#include <string.h>

static const u8 good[] = "user.a\0\x02\0\0\0xysecurity.capability\0\0\0\0";

static void t_lists(void)
{
	static const struct {
		const char *p;
		u32 len;
	} bad[] = {
		{"user.a", 6},			     /* no end of the name */
		{"user.a\0\x02\0\0", 10},	     /* no length */
		{"user.a\0\x03\0\0\0xy", 13},	     /* cut short */
		{"user.a\0\xff\xff\xff\xff", 11},    /* far too long */
		{"\0\0\0\0\0", 5},		     /* no name */
		{"trusted.x\0\0\0\0", 14},	     /* not for others to set */
		{"user.overlay.opaque\0\0\0\0", 24}, /* overlayfs' own */
		{"security.selinux\0\0\0\0", 21},
	};

	CHECK(copy_xattrs_ok(good, 0));
	CHECK(copy_xattrs_ok(good, sizeof(good)));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!copy_xattrs_ok((const u8 *)bad[i].p, bad[i].len));
}

static void t_entry(void)
{
	struct copy_entry *c = calloc(1, sizeof(*c));
	u8 p[COPY_HEAD + 1 + sizeof(good)] = {0};

	CHECK(c);
	store_le32(p, 0x70637568);
	store_le32(p + 4, 0100644);
	store_le32(p + 20, 1);
	store_le32(p + 28, sizeof(good));
	p[COPY_HEAD] = 'f';
	memcpy(p + COPY_HEAD + 1, good, sizeof(good));
	CHECK_EQ(copy_parse(p, sizeof(p), c), (long)sizeof(p));
	CHECK(c->nxattrs == sizeof(good) && !memcmp(c->xattrs, good, sizeof(good)));
	CHECK_EQ(copy_parse(p, sizeof(p) - 1, c), 0);
	p[COPY_HEAD + 1] = 'x'; /* "xser.a" */
	CHECK_EQ(copy_parse(p, sizeof(p), c), -1);
	store_le32(p + 28, COPY_XATTRS_MAX + 1);
	CHECK_EQ(copy_parse(p, sizeof(p), c), -1);
	free(c);
}

int main(void)
{
	RUN(t_lists);
	RUN(t_entry);
	return test_done();
}
