/* SPDX-License-Identifier: Apache-2.0 */
/* src/host/rootless.c: whose subordinate IDs are in subuid(5)'s text. */
#include "tests/test.h"

#include "host/rootless.h"

#include <stdio.h>
#include <string.h>

static void t_lines(void)
{
	struct id_range r[ROOTLESS_RANGES];
	static const char text[] = "root:100000:65536\nme:165536:65536\n1000:300000:10\nmeme:1:1\n"
				   "me:400000:1";

	CHECK_EQ(rootless_ranges(text, "me", 1000, r), 3);
	CHECK_EQ(r[0].start, 165536);
	CHECK_EQ(r[0].count, 65536);
	CHECK_EQ(r[1].start, 300000);
	CHECK_EQ(r[1].count, 10);
	CHECK_EQ(r[2].start, 400000);
	CHECK_EQ(rootless_ranges(text, "you", 1, r), 0);
	CHECK_EQ(rootless_ranges("", "me", 1000, r), 0);
}

/* Nonsense is passed over; nothing may map the host's root or run past the last ID. */
static void t_nonsense(void)
{
	struct id_range r[ROOTLESS_RANGES];
	static const char *const bad[] = {
		"me",
		"me:",
		"me:1",
		"me:1:",
		"me::1",
		":1:1",
		"me:0:10",
		"me:1:0",
		"me:-1:5",
		"me:1:4294967295",
		"me:4294967294:2",
		"me:99999999999:1",
		"me:1:1:",
		"me:1 :1",
		"ME:1:1",
		"#me:1:1",
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ(rootless_ranges(bad[i], "me", 1000, r), 0);
	CHECK_EQ(rootless_ranges("bad\nme:5:5\n", "me", 1000, r), 1);
}

static void t_many(void)
{
	struct id_range r[ROOTLESS_RANGES];
	static char text[100 * 16];

	for (unsigned i = 0; i < 100; i++)
		snprintf(text + strlen(text), 16, "me:%u:1\n", 1000 + i);
	CHECK_EQ(rootless_ranges(text, "me", 1000, r), ROOTLESS_RANGES);
	CHECK_EQ(r[ROOTLESS_RANGES - 1].start, 1000 + ROOTLESS_RANGES - 1);
}

int main(void)
{
	RUN(t_lines);
	RUN(t_nonsense);
	RUN(t_many);
	return test_done();
}
