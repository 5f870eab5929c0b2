// SPDX-License-Identifier: Apache-2.0
/*
 * What the decoder's rows say about an instruction, checked on the host CPU:
 * flags and registers it does not write stay, flags and registers it does not
 * read have no influence, memory changes only where an operand says so. The
 * translator's liveness and register choice stand on these.
 *
 * usage: diff_meta [trials per row [seed [mnemonic]]]
 */
#include "tests/test.h"
#include "diff_check.h"
#include "engine/jit/x86/cpu.h"
#include "isa/x86/ops.h"

static unsigned trials = 6, differences, executed;
static const char *only;
static u64 seed = 1;
static struct diff_case dc;
static struct diff_outcome first, second;

enum { ALL_FLAGS = X86_F_STATUS | X86_F_DF };

static bool testable(unsigned row)
{
	const struct x86_row *r = &x86_rows[row];

	return (r->cls == X86_C_ORDINARY || r->cls == X86_C_STRING) && !(r->flags & X86_R_NO64) &&
	       r->op != X86_OP_RDRAND && r->op != X86_OP_RDSEED && host_cpu_has(r->feature) &&
	       (!only || !strcmp(only, r->name));
}

static void complain(const char *what, u64 a, u64 b)
{
	const struct x86_insn *in = &dc.insn[0];
	char text[128];

	if (differences++ > 60)
		return;
	x86_disasm(in, 0, text, sizeof(text));
	printf("# ");
	for (unsigned i = 0; i < in->len; i++)
		printf("%02x", in->bytes[i]);
	printf("  %s: %s %" PRIx64 " %" PRIx64 "\n", text, what, a, b);
}

/* General registers that the row and the operands say are read or written. */
static u32 gprs(const struct x86_insn *in, bool write)
{
	u32 mask = write ? in->row->gpr_write : in->row->gpr_read;

	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR &&
		    (write ? in->opnd[i].write : in->opnd[i].read))
			mask |= 1u << in->opnd[i].reg;
	if (write)
		return mask;
	if (in->mem_base < 16)
		mask |= 1u << in->mem_base;
	if (in->mem_index < 16 && !(in->row->flags & X86_R_VSIB))
		mask |= 1u << in->mem_index;
	return mask;
}

/* Bytes of memory that may change: of one explicit operand; others are not looked at. */
static void check_memory(const struct x86_insn *in)
{
	u64 from = 0, size = 0;

	if (in->row->flags & (X86_R_IMPLICIT_MEM | X86_R_VSIB | X86_R_BIT_STRING))
		return;
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_MEM && in->opnd[i].write) {
			from = diff_address(in, &dc.start) - HOST_DATA;
			size = in->opnd[i].size;
		}
	for (u64 i = 0; i < HOST_DATA_SIZE; i++)
		if (first.data[i] != dc.data[i] && i - from >= size) {
			complain("memory changed outside the operand, at", i, from);
			return;
		}
}

/* What is not written stays. */
static void check_writes(const struct x86_insn *in)
{
	u32 written = gprs(in, true);
	u64 fl = (first.st.rflags ^ dc.start.rflags) & ALL_FLAGS & ~(u64)in->row->f_written;

	if (fl)
		complain("flags changed that it does not write:", fl, 0);
	for (unsigned i = 0; i < 16; i++)
		if (!(written >> i & 1) && first.st.gpr[i] != dc.start.gpr[i])
			complain("register changed that it does not write:", i, first.st.gpr[i]);
	check_memory(in);
}

/* What is not read has no influence: run again with all of that different. */
static void check_reads(struct diff_gen *g, const struct x86_insn *in)
{
	u32 used = gprs(in, false) | gprs(in, true), passed = 0;
	u64 flip = diff_rand(diff_gen_rng(g)) & X86_F_STATUS & ~(u64)in->row->f_read;
	u64 defined = in->row->f_written & ~in->row->f_undef;

	dc.start.rflags ^= flip;
	for (unsigned i = 0; i < 16; i++)
		if (!(used >> i & 1)) {
			dc.start.gpr[i] = diff_rand(diff_gen_rng(g));
			passed |= 1u << i;
		}
	diff_run_host(&dc, &second);
	if (first.vector != second.vector) {
		complain("exception depends on what it does not read:", first.vector,
			 second.vector);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		if (!(passed >> i & 1) && first.st.gpr[i] != second.st.gpr[i])
			complain("result depends on what it does not read: register", i,
				 first.st.gpr[i] ^ second.st.gpr[i]);
	if (first.vector < 0 && (first.st.rflags ^ second.st.rflags) & defined)
		complain("flags depend on what it does not read:",
			 (first.st.rflags ^ second.st.rflags) & defined, flip);
	if (memcmp(first.data, second.data, sizeof(first.data)))
		complain("memory depends on what it does not read", flip, 0);
	if (memcmp(first.st.xsave + 32, second.st.xsave + 32, host_cpu_xsave_size() - 32))
		complain("vector state depends on what it does not read", flip, 0);
}

static void test_row(struct diff_gen *g, unsigned row)
{
	unsigned before = differences;

	for (unsigned i = 0; i < trials && differences < before + 2; i++) {
		struct x86_insn in;

		if (!diff_gen_make(g, row, &in, &dc.start))
			continue;
		dc.n = dc.bytes = 0;
		diff_case_add(&dc, &in);
		for (unsigned k = 0; k < sizeof(dc.data); k += 8) {
			u64 v = diff_rand(diff_gen_rng(g));

			memcpy(dc.data + k, &v, 8);
		}
		diff_run_host(&dc, &first);
		executed++;
		if (first.vector < 0) {
			check_writes(&in);
			if (in.row->op != X86_OP_FNSTENV)
				check_reads(g, &in);
		}
	}
}

static void t_rows(void)
{
	struct diff_gen *g = diff_gen_create(X86_MODE_64, seed);

	CHECK(g != NULL);
	for (unsigned row = 0; row < x86_nrows; row++)
		if (testable(row))
			test_row(g, row);
	diff_gen_destroy(g);
	printf("# %u instructions executed, %u complaints\n", executed, differences);
	CHECK(executed > trials);
	CHECK_EQ(differences, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		trials = (unsigned)atoi(argv[1]);
	if (argc > 2)
		seed = (u64)atoll(argv[2]);
	if (argc > 3)
		only = argv[3];
	if (!host_cpu_init()) {
		printf("ok 1 - set up # SKIP no low executable memory here\n1..1\n");
		return 0;
	}
	RUN(t_rows);
	return test_done();
}
