/* SPDX-License-Identifier: Apache-2.0 */
/* Pages and their owners: src/metal/pages.c; the formatted print of src/metal/print.c against
 * libc's. */
#include "metal/pages.h"

#include "base/bits.h"
#include "tests/test.h"

#include <stdarg.h>

int metal_vsnprintf(char *buf, size_t cap, const char *f, va_list args);
int metal_snprintf(char *buf, size_t cap, const char *f, ...);

enum { N = 8192 };
static u8 map[N];
static struct pages p;

static void setup(void)
{
	pages_init(&p, map, N);
	pages_assign(&p, 0, N * PAGE_SIZE, OWNER_FREE);
}

static void t_counts_add_up(void)
{
	u64 a, c;

	setup();
	CHECK_EQ(p.count[OWNER_FREE], N - 1); /* page 0 is nobody's */
	a = pages_alloc(&p, 3, OWNER_HYPERVISOR);
	c = pages_alloc(&p, 1024, OWNER_VM);
	CHECK(a && c && !(c & (MIB(2) - 1)));
	CHECK(p.count[OWNER_HYPERVISOR] == 3 && p.count[OWNER_VM] == 1024);
	CHECK_EQ(p.count[OWNER_FREE], N - 1 - 3 - 1024);
	CHECK(pages_owner(&p, c + PAGE_SIZE) == OWNER_VM);
	CHECK(pages_free(&p, a, 3, OWNER_HYPERVISOR));
	CHECK_EQ(pages_free_all(&p, OWNER_VM), 1024);
	CHECK_EQ(p.count[OWNER_FREE], N - 1);
}

static void t_alignment(void)
{
	setup();
	CHECK(pages_alloc(&p, 1, OWNER_HYPERVISOR));
	for (unsigned order = 0; order < 9; order++) {
		u64 a = pages_alloc(&p, 1u << order, OWNER_HYPERVISOR);

		CHECK(a && !(a & ((PAGE_SIZE << order) - 1)));
	}
}

static void t_wrong_frees_fail(void)
{
	u64 a;

	setup();
	a = pages_alloc(&p, 4, OWNER_VM);
	CHECK(!pages_free(&p, a, 4, OWNER_VM + 1));
	CHECK(!pages_free(&p, a, 5, OWNER_VM));
	CHECK(!pages_free(&p, ~0ull, 1, OWNER_VM));
	CHECK(pages_free(&p, a, 4, OWNER_VM));
	CHECK(!pages_free(&p, a, 4, OWNER_VM));
}

static void t_all_of_it(void)
{
	u64 n = 0;

	setup();
	while (pages_alloc(&p, 1, OWNER_VM))
		n++;
	CHECK_EQ(n, N - 1);
	CHECK(!pages_alloc(&p, 600, OWNER_VM));
	CHECK_EQ(pages_free_all(&p, OWNER_VM), N - 1);
	CHECK(pages_alloc(&p, 4096, OWNER_VM));
}

/* Parts of pages are firmware's as a whole, and never ours. */
static void t_partial_pages(void)
{
	pages_init(&p, map, N);
	pages_assign(&p, 0x1800, 0x3000, OWNER_FREE);
	CHECK_EQ(p.count[OWNER_FREE], 2);
	pages_assign(&p, 0x2fff, 2, OWNER_NOBODY);
	CHECK_EQ(p.count[OWNER_FREE], 0);
}

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char x[128], y[128];                                                               \
		int nx = metal_snprintf(x, sizeof(x), __VA_ARGS__);                                \
		int ny = snprintf(y, sizeof(y), __VA_ARGS__);                                      \
		CHECK(nx == ny && !strcmp(x, y));                                                  \
	} while (0)

static void t_print(void)
{
	char small[4];

	SAME("plain %% %c|%5c|%-5c|", 'a', 'b', 'c');
	SAME("%d %i %u %5d|%-5d|%05d|%.3d", -1, 42, 3000000000u, -42, 7, -42, 5);
	SAME("%x %X %#x %08x %016llx", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, ~0ull);
	SAME("%lld %llu %ld %zu %hhx %hx", -5ll, 5ull, -6l, (size_t)7, (u8)0xff, (u16)0x2345);
	SAME("%s|%10s|%-10s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
	SAME("%*d|%-*d|", 6, 42, 6, 42);
	CHECK_EQ(metal_snprintf(small, sizeof(small), "%s", "abcdef"), 6);
	CHECK(!strcmp(small, "abc"));
	CHECK_EQ(metal_snprintf(NULL, 0, "%d", 12345), 5);
}

int main(void)
{
	RUN(t_counts_add_up);
	RUN(t_alignment);
	RUN(t_wrong_frees_fail);
	RUN(t_all_of_it);
	RUN(t_partial_pages);
	RUN(t_print);
	return test_done();
}
