/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole unit-test harness: TAP on stdout, one line a test.
 *
 *	static void t_adds(void) { CHECK(add(1, 2) == 3); CHECK_EQ(add(0, 0), 0); }
 *	int main(void) { RUN(t_adds); return test_done(); }
 *
 * A failed CHECK ends the test function, not the program. SKIP("why") ends it
 * as skipped. Register in meson with protocol: 'tap'.
 */
#ifndef HULL_TESTS_TEST_H
#define HULL_TESTS_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
	unsigned n, failed;
	char why[512];
	const char *skip;
} test_state;

/* The host's clock in ns: what time itself is compared with, since a busy host may stop a test
 * anywhere. */
static inline uint64_t test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			snprintf(test_state.why, sizeof(test_state.why), "%s:%d: %s", __FILE__,    \
				 __LINE__, #cond);                                                 \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);                                   \
		if (a_ != b_) {                                                                    \
			snprintf(test_state.why, sizeof(test_state.why),                           \
				 "%s:%d: %s is 0x%" PRIx64 ", expected 0x%" PRIx64, __FILE__,      \
				 __LINE__, #a, a_, b_);                                            \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define SKIP(reason)                                                                               \
	do {                                                                                       \
		test_state.skip = (reason);                                                        \
		return;                                                                            \
	} while (0)

#define RUN(fn)                                                                                    \
	do {                                                                                       \
		test_state.why[0] = 0;                                                             \
		test_state.skip = NULL;                                                            \
		fn();                                                                              \
		test_state.n++;                                                                    \
		if (test_state.why[0]) {                                                           \
			test_state.failed++;                                                       \
			printf("not ok %u - %s\n# %s\n", test_state.n, #fn, test_state.why);       \
		} else if (test_state.skip) {                                                      \
			printf("ok %u - %s # SKIP %s\n", test_state.n, #fn, test_state.skip);      \
		} else {                                                                           \
			printf("ok %u - %s\n", test_state.n, #fn);                                 \
		}                                                                                  \
		fflush(stdout);                                                                    \
	} while (0)

static inline int test_done(void)
{
	printf("1..%u\n", test_state.n);
	return test_state.failed != 0;
}

#endif
