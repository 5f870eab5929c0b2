/* SPDX-License-Identifier: Apache-2.0 */
/* vm/config.c: the text of --rtc. */
#include "tests/test.h"
#include "vm/config.h"

#include <stdlib.h>
#include <time.h>

/* What the clock shows now by `text`; -1 if the text is refused. */
static s64 shown(const char *text, bool *local)
{
	struct vm_config cfg = {.rtc_offset = 1, .rtc_local = true};
	struct err e = {0};

	if (vm_config_rtc(&cfg, text, &e))
		return strstr(e.msg, "2006-06-17T16:01:21") ? -1 : -2;
	*local = cfg.rtc_local;
	return (s64)time(NULL) + cfg.rtc_offset;
}

/* The offset counts from a moment ago. */
static void check_shown(const char *text, s64 want)
{
	bool local;
	s64 before = (s64)time(NULL), got = shown(text, &local);

	CHECK(got >= want && got <= want + (s64)time(NULL) - before);
	CHECK(!local);
}

static void t_dates(void)
{
	check_shown("2006-06-17", 1150502400);
	check_shown("2006-06-17T16:01:21", 1150560081);
	check_shown("base=2006-06-17T16:01:21", 1150560081);
	check_shown("1970-01-01", 0);
	check_shown("2024-02-29T23:59:59", 1709251199);
	check_shown("2105-12-31", 4291660800);
}

static void t_zones(void)
{
	struct vm_config cfg = {.rtc_offset = 1, .rtc_local = true};
	struct err e = {0};

	setenv("TZ", "<+05>-5", 1);
	tzset();
	CHECK_EQ(vm_config_rtc(&cfg, "utc", &e), 0);
	CHECK(cfg.rtc_offset == 0 && !cfg.rtc_local);
	CHECK_EQ(vm_config_rtc(&cfg, "base=localtime", &e), 0);
	CHECK(cfg.rtc_offset == 5 * 3600 && cfg.rtc_local);
	check_shown("2006-06-17", 1150502400); /* a date is the guest's UTC */
	CHECK_EQ(vm_config_rtc(&cfg, "base=utc", &e), 0);
	CHECK(cfg.rtc_offset == 0 && !cfg.rtc_local);
}

static void t_not_dates(void)
{
	static const char *const bad[] = {
		"",
		"base=",
		"UTC",
		"utc,clock=vm",
		"clock=vm",
		"2006-06-1",
		"2006-6-17",
		" 006-06-17",
		"+006-06-17",
		"2006-06-17T",
		"2006-06-17T16:01",
		"2006-06-17 16:01:21",
		"2006-06-17T16:01:21Z",
		"2006-06-17T16:01:21.5",
		"2006-00-17",
		"2006-13-17",
		"2006-06-00",
		"2006-06-31",
		"2023-02-29",
		"2006-06-17T24:00:00",
		"2006-06-17T16:60:00",
		"2006-06-17T16:00:60",
		"1969-12-31",
		"2106-01-01",
		"0000-00-00",
		"99999999999999999999",
	};
	bool local;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ(shown(bad[i], &local), (u64)-1);
}

int main(void)
{
	RUN(t_dates);
	RUN(t_zones);
	RUN(t_not_dates);
	return test_done();
}
