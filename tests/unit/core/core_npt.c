/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"
#include "tests/unit/core/rig.h"

static const struct npt_format *const formats[] = {&npt_format_amd, &npt_format_ept};

static bool at(const struct npt *t, u64 gpa, u64 pa, u64 size, u32 prot)
{
	struct npt_walk w;

	return npt_lookup(t, gpa, &w) && w.pa == pa && w.size == size && w.prot == prot;
}

static void maps_with_the_largest_pages(const struct npt_format *f, unsigned levels)
{
	struct npt t;
	struct npt_walk w;

	CHECK_EQ(npt_init(&t, f, levels, NPT_2M | NPT_1G), 0);
	CHECK_EQ(npt_map(&t, 0, GIB(4), GIB(2) + MIB(2) + 4096, NPT_RWX), 0);
	CHECK(at(&t, 0, GIB(4), GIB(1), NPT_RWX));
	CHECK(at(&t, GIB(1) + 5, GIB(5) + 5, GIB(1), NPT_RWX));
	CHECK(at(&t, GIB(2) + 4096, GIB(6) + 4096, MIB(2), NPT_RWX));
	CHECK(at(&t, GIB(2) + MIB(2), GIB(6) + MIB(2), 4096, NPT_RWX));
	CHECK(!npt_lookup(&t, GIB(2) + MIB(2) + 4096, &w));
	CHECK_EQ(t.pages[0], 1);
	CHECK_EQ(t.pages[1], 1);
	CHECK_EQ(t.pages[2], 2);
	/* Misaligned to each other: small pages. */
	CHECK_EQ(npt_map(&t, GIB(8), GIB(9) + 4096, MIB(2), NPT_READ | NPT_UNCACHED), 0);
	CHECK(at(&t, GIB(8) + 8192, GIB(9) + 12288, 4096, NPT_READ | NPT_UNCACHED));
	CHECK_EQ(t.pages[0], 513);
	npt_fini(&t);
	CHECK_EQ(t.tables, 0);
	CHECK_EQ(t.pages[0] + t.pages[1] + t.pages[2], 0);
}

static void t_map(void)
{
	for (unsigned i = 0; i < 2; i++) {
		maps_with_the_largest_pages(formats[i], 4);
		maps_with_the_largest_pages(formats[i], 5);
	}
	CHECK_EQ(rig.pages, 0);
}

static void t_only_allowed_sizes(void)
{
	struct npt t;

	CHECK_EQ(npt_init(&t, &npt_format_ept, 4, NPT_2M), 0);
	CHECK_EQ(npt_map(&t, 0, 0, GIB(1), NPT_RWX), 0);
	CHECK_EQ(t.pages[1], 512);
	npt_fini(&t);
	CHECK_EQ(npt_init(&t, &npt_format_amd, 4, 0), 0);
	CHECK_EQ(npt_map(&t, 0, 0, MIB(2), NPT_RWX), 0);
	CHECK_EQ(t.pages[0], 512);
	npt_fini(&t);
}

static void t_split_and_replace(void)
{
	struct npt t;
	struct npt_walk w;

	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(npt_init(&t, formats[i], 4, NPT_2M | NPT_1G), 0);
		CHECK_EQ(npt_map(&t, 0, GIB(4), GIB(1), NPT_RWX), 0);
		/* A page out of the middle splits twice, the rest stays. */
		CHECK(npt_unmap(&t, MIB(4) + 4096, 4096));
		CHECK(!npt_lookup(&t, MIB(4) + 4096, &w));
		CHECK(at(&t, MIB(4), GIB(4) + MIB(4), 4096, NPT_RWX));
		CHECK(at(&t, MIB(4) + 8192, GIB(4) + MIB(4) + 8192, 4096, NPT_RWX));
		CHECK(at(&t, MIB(6), GIB(4) + MIB(6), MIB(2), NPT_RWX));
		CHECK_EQ(t.pages[0], 511);
		CHECK_EQ(t.pages[1], 511);
		CHECK(!npt_unmap(&t, MIB(4) + 4096, 4096));
		/* A 1G page over all of that: tables become garbage, freed by reap only. */
		CHECK_EQ(npt_map(&t, 0, GIB(8), GIB(1), NPT_READ), 0);
		CHECK(at(&t, MIB(4) + 4096, GIB(8) + MIB(4) + 4096, GIB(1), NPT_READ));
		CHECK(t.garbage != NULL);
		CHECK_EQ(t.tables, 4);
		npt_reap(&t, t.garbage);
		t.garbage = NULL;
		CHECK_EQ(t.tables, 2);
		npt_fini(&t);
	}
	CHECK_EQ(rig.pages, 0);
}

static void t_write_protect(void)
{
	struct npt t;

	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(npt_init(&t, formats[i], 4, NPT_2M), 0);
		CHECK_EQ(npt_map(&t, 0, 0, MIB(4), NPT_RWX), 0);
		CHECK(npt_write_protect(&t, MIB(2), MIB(2)));
		CHECK(at(&t, MIB(2), MIB(2), MIB(2), NPT_READ | NPT_EXEC));
		CHECK(at(&t, 0, 0, MIB(2), NPT_RWX));
		CHECK(!npt_write_protect(&t, MIB(2), MIB(2)));
		CHECK(npt_write_protect(&t, 4096, 4096));
		CHECK(at(&t, 4096, 4096, 4096, NPT_READ | NPT_EXEC));
		CHECK(at(&t, 8192, 8192, 4096, NPT_RWX));
		/* One page writable again. */
		CHECK_EQ(npt_map(&t, MIB(2) + 4096, MIB(2) + 4096, 4096, NPT_RWX), 0);
		CHECK(at(&t, MIB(2) + 4096, MIB(2) + 4096, 4096, NPT_RWX));
		CHECK(at(&t, MIB(2), MIB(2), 4096, NPT_READ | NPT_EXEC));
		npt_fini(&t);
	}
}

static void t_refuses(void)
{
	struct npt t;
	struct npt_walk w;

	CHECK_EQ(npt_init(&t, &npt_format_amd, 4, NPT_2M), 0);
	CHECK_EQ(npt_map(&t, 1, 0, 4096, NPT_RWX), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, 0, 0, 5, NPT_RWX), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, 0, 7, 4096, NPT_RWX), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, 0, 0, 4096, 0), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, BIT(48), 0, 4096, NPT_RWX), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, BIT(48) - 4096, 0, 8192, NPT_RWX), (u64)-E_INVAL);
	CHECK_EQ(npt_map(&t, BIT(48) - 4096, 0, 4096, NPT_RWX), 0);
	CHECK(!npt_lookup(&t, BIT(50), &w));
	CHECK(!npt_unmap(&t, BIT(50), 4096));
	CHECK(npt_unmap(&t, BIT(48) - 8192, BIT(49)));
	npt_fini(&t);
}

static void t_out_of_memory(void)
{
	struct npt t;
	struct npt_walk w;

	rig.page_limit = 3;
	CHECK_EQ(npt_init(&t, &npt_format_amd, 4, NPT_2M), 0);
	CHECK_EQ(npt_map(&t, 0, 0, MIB(2), NPT_RWX), 0);
	CHECK_EQ(npt_map(&t, BIT(40), 0, 4096, NPT_RWX), (u64)-E_NOMEM);
	/* Cannot split: the whole page goes. */
	CHECK(npt_unmap(&t, 4096, 4096));
	CHECK(!npt_lookup(&t, 0, &w));
	npt_fini(&t);
	npt_fini(&t);
	rig.page_limit = 1;
	rig.pages = 1;
	CHECK_EQ(npt_init(&t, &npt_format_amd, 4, 0), (u64)-E_NOMEM);
	npt_fini(&t);
	rig.pages = 0;
	rig.page_limit = 0;
}

int main(void)
{
	RUN(t_map);
	RUN(t_only_allowed_sizes);
	RUN(t_split_and_replace);
	RUN(t_write_protect);
	RUN(t_refuses);
	RUN(t_out_of_memory);
	return test_done();
}
