/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/wire.c: frames and fields, whole, cut short and wrong. */
#include "tests/test.h"

#include "base/endian.h"
#include "run/wire.h"

static void t_whole(void)
{
	u8 buf[WIRE_HEAD + 4];
	struct wire_frame f;

	CHECK_EQ(wire_head(buf, WIRE_EXIT, 4), WIRE_HEAD);
	store_le32(buf + WIRE_HEAD, 0x1234);
	CHECK_EQ(wire_parse(buf, sizeof(buf), &f), sizeof(buf));
	CHECK_EQ(f.type, WIRE_EXIT);
	CHECK_EQ(wire_u32(&f, 0), 0x1234);
	CHECK_EQ(wire_u32(&f, 1), 0);
}

static void t_cut_short(void)
{
	u8 buf[WIRE_HEAD + 5] = {0};
	struct wire_frame f;

	wire_head(buf, WIRE_STDIN, 5);
	for (size_t n = 0; n < sizeof(buf); n++)
		CHECK_EQ(wire_parse(buf, n, &f), 0);
	CHECK_EQ(wire_parse(buf, sizeof(buf), &f), sizeof(buf));
}

static void t_wrong(void)
{
	static const struct {
		u32 len, type;
	} bad[] = {{0, 0},
		   {0, WIRE_TYPES},
		   {0, 0xffffffff},
		   {WIRE_DATA_MAX + 1, WIRE_STDIN},
		   {WIRE_START_MAX + 1, WIRE_START},
		   {0xffffffff, WIRE_STDOUT},
		   {3, WIRE_EXIT},
		   {5, WIRE_EXIT},
		   {4, WIRE_WINDOW},
		   {3, WIRE_ERROR}};
	u8 buf[64] = {0};
	struct wire_frame f;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		store_le32(buf, bad[i].len);
		store_le32(buf + 4, bad[i].type);
		CHECK_EQ(wire_parse(buf, sizeof(buf), &f), -1);
	}
}

static void t_fields(void)
{
	static const char text[] = "arg=ls\0arg=-l\0env=A=b";
	struct wire_frame f = {.type = WIRE_START, .data = (const u8 *)text, .len = sizeof(text)};
	char key[WIRE_KEY_MAX];
	const char *value;
	size_t at = 0;
	bool bad;

	CHECK(wire_field(&f, &at, key, &value, &bad));
	CHECK(!strcmp(key, "arg") && !strcmp(value, "ls"));
	CHECK(wire_field(&f, &at, key, &value, &bad));
	CHECK(wire_field(&f, &at, key, &value, &bad));
	CHECK(!strcmp(key, "env") && !strcmp(value, "A=b"));
	CHECK(!wire_field(&f, &at, key, &value, &bad));
	CHECK(!bad);
}

static void t_bad_fields(void)
{
	static const char *const text[] = {"no end=x", "noequals", "averyveryverylongkey=1"};
	char key[WIRE_KEY_MAX];
	const char *value;
	bool bad;

	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		/* The first one without its zero byte. */
		u32 len = (u32)strlen(text[i]) + (i ? 1 : 0);
		struct wire_frame f = {.type = WIRE_START, .data = (const u8 *)text[i], .len = len};
		size_t at = 0;

		CHECK(!wire_field(&f, &at, key, &value, &bad));
		CHECK(bad);
	}
}

int main(void)
{
	RUN(t_whole);
	RUN(t_cut_short);
	RUN(t_wrong);
	RUN(t_fields);
	RUN(t_bad_fields);
	return test_done();
}
