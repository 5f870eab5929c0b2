/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random units: what the interpreter makes of them and what optimised, emitted code does must be
 * the same state and the same memory, with flat memory and with the soft TLB.
 */
#include "ir_rig.h"
#include "../../test.h"
#include "engine/jit/ir/text.h"
#include "engine/jit/irrun/private.h"

static unsigned count = 3000;
static u64 first = 1;
static bool verbose;

static void compare_one(struct irrun *r, struct toy_rng *rng, bool flat)
{
	const char *why;
	u32 where;

	toy_unit(&unit, rng, 10 + toy_rand(rng, 150), START, rig_memory(flat), MEMORY);
	CHECK(!ir_verify(&unit, &where));
	why = rig_compare(r, rng, flat);
	if (why)
		printf("# %s, at byte %d\n", why, first_difference());
	CHECK(!why);
}

/* The host code of the unit, for objdump -D -b binary -m i386:x86-64. */
static void dump(const struct irrun *r)
{
	FILE *f = fopen("/tmp/ir_diff.bin", "w");

	if (!f)
		return;
	for (u32 i = 0; i < r->nunits; i++)
		if (r->unit[i].pc == START)
			fwrite(r->rw + r->unit[i].e0, 1, r->unit[i].end - r->unit[i].e0, f);
	fclose(f);
}

static void many(bool flat, unsigned n, u64 seed)
{
	struct irrun_config cfg = {.ops = flat ? &flat_ops : &tlb_ops, .cache_bytes = MIB(64)};
	struct toy_rng rng;
	struct irrun *r;

	CHECK_EQ(irrun_create(&r, &cfg), 0);
	CHECK_EQ(irrun_cpu_add(r, got), 0);
	for (unsigned i = 0; i < n; i++) {
		rng = (struct toy_rng){.s = (seed + i) * 0x9e3779b97f4a7c15ULL + 1};
		compare_one(r, &rng, flat);
		if (test_state.why[0]) {
			fprintf(stderr, "# %s memory, seed %llu\n", flat ? "flat" : "soft TLB",
				(unsigned long long)(seed + i));
			if (verbose) {
				static char text[1 << 20];

				ir_print(&unit, text, sizeof(text));
				fputs(text, stderr);
				dump(r);
			}
			break;
		}
	}
	irrun_cpu_remove(r, got);
	irrun_destroy(r);
}

static void t_flat_memory(void)
{
	many(true, count, first);
}

static void t_soft_tlb(void)
{
	many(false, count, first);
}

/* The same with every access by the table of pages. */
static void t_table_of_pages(void)
{
	setenv("HULL_JIT", "table", 1);
	many(false, count, first);
	unsetenv("HULL_JIT");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		count = (unsigned)atoi(argv[1]);
	if (argc > 2)
		first = strtoull(argv[2], NULL, 0);
	verbose = argc > 3;
	if (!rig_create())
		return 1;
	RUN(t_flat_memory);
	RUN(t_soft_tlb);
	RUN(t_table_of_pages);
	return test_done();
}
