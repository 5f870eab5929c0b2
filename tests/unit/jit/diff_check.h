/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run of a few instructions left behind, on the host CPU or on one of
 * hull's engines, and whether two such outcomes agree.
 */
#ifndef HULL_TESTS_UNIT_JIT_DIFF_CHECK_H
#define HULL_TESTS_UNIT_JIT_DIFF_CHECK_H

#include "tests/unit/isa/host_cpu.h"
#include "tests/unit/jit/diff.h"

#define DIFF_SEQUENCE 12

/* Straight-line code and what it starts from. */
struct diff_case {
	struct x86_insn insn[DIFF_SEQUENCE];
	unsigned n, bytes;
	bool flow;	 /* forward jumps within it */
	bool branch;	 /* one near branch; the outcome's rip says where it led */
	bool translated; /* flags that nothing reads any more need not be right at a fault */
	struct diff_state start;
	u8 data[HOST_DATA_SIZE];
};

struct diff_outcome {
	struct diff_state st;
	u8 data[HOST_DATA_SIZE];
	int vector; /* -1: none */
	u32 error;
	u64 cr2;
	u64 rip; /* relative to the first instruction */
};

/* Append an instruction; false if there is no room. */
bool diff_case_add(struct diff_case *dc, const struct x86_insn *in);
/* Its code; `bytes` long. */
void diff_case_code(const struct diff_case *dc, u8 *out);
/* The case on the host CPU. */
void diff_run_host(const struct diff_case *dc, struct diff_outcome *out);
/* NULL if they agree, else what differs. Both are normalized by the way. */
const char *diff_compare(const struct diff_case *dc, struct diff_outcome *host,
			 struct diff_outcome *soft);
/* Is a result of the case undefined by the manual (other than flags)? */
bool diff_undefined(const struct diff_case *dc);

#endif
