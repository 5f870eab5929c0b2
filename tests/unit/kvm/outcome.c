/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome IMAGE NCPUS: what a guest of guest/test stores and which accesses to
 * devices it makes on the software CPU, in the words the core's test image prints
 * (tests/guest/core/main.c), for tests/integration/core_emulated.py to compare.
 */
#include "tests/unit/kvm/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_outcome(const struct rig *r)
{
	u32 val;

	for (unsigned i = 0; i < RIG_NRESULTS; i++) {
		memcpy(&val, r->mem->ram + RIG_RESULTS + 4 * i, 4);
		if (val)
			printf("result %u %x\n", i, val);
	}
	for (unsigned i = 0; i < r->nlog; i++)
		printf("access %c %u %x %llx\n", r->log[i].kind, r->log[i].size, r->log[i].addr,
		       (unsigned long long)r->log[i].val);
}

int main(int argc, char **argv)
{
	static struct rig_memory m;
	static struct rig r;

	if (argc != 3 || rig_memory_init(&m, argv[1]) ||
	    rig_init(&r, &engine_jit_ops, &m, (unsigned)atoi(argv[2]), false, false))
		return 2;
	rig_run(&r, 60);
	if (!r.done)
		return 1;
	print_outcome(&r);
	return 0;
}
