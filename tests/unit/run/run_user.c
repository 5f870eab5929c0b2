/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/user.c: who a name or number of an image is. */
#include "tests/test.h"

#include "run/user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "broken:x:no:0::/:/bin/sh\n"
			     "short:x:7\n"
			     "www:x:33:34:www:/var/www:/bin/sh\n"
			     "last:x:4294967294:5::/last:";
static const char group[] =
	"root:x:0:\nwww:x:34:\nextra:x:50:games,www\nmore:x:51:www,x\nnot:x:52:wwww\n";

static void t_names(void)
{
	struct user u;

	CHECK(user_find("www", passwd, group, &u));
	CHECK_EQ(u.uid, 33);
	CHECK_EQ(u.gid, 34);
	CHECK_EQ(u.ngroups, 2);
	CHECK_EQ(u.groups[0], 50);
	CHECK_EQ(u.groups[1], 51);
	CHECK(!strcmp(u.home, "/var/www"));
	CHECK(user_find("last", passwd, group, &u));
	CHECK_EQ(u.uid, 4294967294u);
}

static void t_numbers(void)
{
	struct user u;

	CHECK(user_find("33", passwd, group, &u));
	CHECK_EQ(u.gid, 34);
	CHECK(user_find("1234:50", passwd, group, &u));
	CHECK_EQ(u.uid, 1234);
	CHECK_EQ(u.gid, 50);
	CHECK(!strcmp(u.home, "/"));
	CHECK(user_find("1234:extra", "", group, &u));
	CHECK_EQ(u.gid, 50);
	CHECK_EQ(u.ngroups, 0);
}

static void t_nobody_says(void)
{
	struct user u;

	CHECK(user_find(NULL, passwd, group, &u));
	CHECK_EQ(u.uid, 0);
	CHECK(!strcmp(u.home, "/root"));
	CHECK(user_find("", "", "", &u));
	CHECK_EQ(u.uid, 0);
}

static void t_refused(void)
{
	static const char *const who[] = {"nosuch",	"broken",      "short", "www:nosuch",
					  ":",		":www",	       "www:",	"-1",
					  "4294967295", "99999999999", "0x10",	"www:www:www",
					  " root"};
	struct user u;

	for (unsigned i = 0; i < ARRAY_LEN(who); i++)
		CHECK(!user_find(who[i], passwd, group, &u));
}

int main(void)
{
	RUN(t_names);
	RUN(t_numbers);
	RUN(t_nobody_says);
	RUN(t_refused);
	return test_done();
}
