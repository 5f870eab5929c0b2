// SPDX-License-Identifier: Apache-2.0
/* The set of executable ranges against a plain array of pages. */
#include "foreign/exec_map.h"
#include "../../test.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 64u

static void t_against_an_array(void)
{
	struct exec_map m = {0};
	bool want[PAGES] = {false};
	u64 s = 88172645463325252ULL;

	for (unsigned i = 0; i < 20000; i++) {
		u64 a, b;

		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		a = s % PAGES;
		b = a + (s >> 20) % (PAGES - a) + (s >> 40) % 2;
		CHECK(!exec_map_set(&m, a * FOREIGN_PAGE, b * FOREIGN_PAGE, s >> 50 & 1));
		for (u64 p = a; p < b && p < PAGES; p++)
			want[p] = s >> 50 & 1;
		for (u64 p = 0; p < PAGES; p++)
			if (exec_map_has(&m, p * FOREIGN_PAGE + 5) != want[p])
				CHECK(!"a page differs");
		for (unsigned k = 1; k < m.n; k++)
			CHECK(m.range[k - 1].end < m.range[k].start);
	}
	free(m.range);
}

static void t_meets(void)
{
	struct exec_map m = {0};

	CHECK(!exec_map_meets(&m, 0, ~0ULL));
	CHECK(!exec_map_set(&m, 0x2000, 0x4000, true));
	CHECK(exec_map_meets(&m, 0, 0x2001));
	CHECK(!exec_map_meets(&m, 0, 0x2000));
	CHECK(!exec_map_meets(&m, 0x4000, 0x5000));
	CHECK(exec_map_meets(&m, 0x3fff, 0x5000));
	free(m.range);
}

int main(void)
{
	RUN(t_against_an_array);
	RUN(t_meets);
	return test_done();
}
