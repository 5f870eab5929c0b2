// SPDX-License-Identifier: Apache-2.0
/*
 * The interpreter against the host CPU: every ordinary and string row of the
 * decoder's table, random encodings and states, in 64-bit and 32-bit mode;
 * registers, flags that are defined, memory, x87 and vector state, exceptions.
 *
 * usage: diff_interp [trials per row [seed [mnemonic]]]
 */
#include "tests/test.h"
#include "flat.h"
#include "diff.h"
#include "isa/x86/ops.h"
#include "tests/unit/isa/host_cpu.h"

#define CODE_AT (HOST_CODE + 64)

struct outcome {
	struct diff_state st;
	u8 data[HOST_DATA_SIZE];
	int vector; /* -1: none */
	u32 error;
	u64 cr2;
	u64 rip;
};

static struct flat *flat;
static unsigned trials = 12, differences, untested, shown, executed;
static const char *only;
static u64 seed = 1;
static struct diff_state start;
static u8 data[HOST_DATA_SIZE];
static struct outcome host, soft;

/* ---- the two executions ------------------------------------------------------------ */

static void run_host(const struct x86_insn *in)
{
	struct host_area *a = host_cpu_area();
	struct host_fault f;

	memcpy(a->gpr, start.gpr, sizeof(a->gpr));
	a->rflags = start.rflags;
	memcpy(a->xsave, start.xsave, sizeof(a->xsave));
	memcpy((void *)HOST_DATA, data, sizeof(data));
	f = host_cpu_run(in->mode, in->bytes, in->len);
	memcpy(host.st.gpr, a->gpr, sizeof(a->gpr));
	host.st.rflags = a->rflags;
	memcpy(host.st.xsave, a->xsave, sizeof(a->xsave));
	memcpy(host.data, (void *)HOST_DATA, sizeof(host.data));
	host.vector = f.vector;
	host.error = f.error;
	host.cr2 = f.addr;
	host.rip = f.vector < 0 ? in->len : f.rip;
}

static void run_soft(const struct x86_insn *in)
{
	struct x86_vcpu *c = flat->c;
	int ret = 0;

	memcpy(c->gpr, start.gpr, sizeof(c->gpr));
	c->rflags = start.rflags;
	c->rip = CODE_AT;
	c->fpu_live = false;
	c->exc.pending = false;
	memcpy(c->xsave, start.xsave, sizeof(c->xsave));
	memcpy(flat->ram + HOST_DATA, data, sizeof(data));
	memset(flat->ram + CODE_AT, 0x90, 16);
	memcpy(flat->ram + CODE_AT, in->bytes, in->len);
	for (unsigned i = 0; i < 20000 && !ret && c->rip == CODE_AT; i++)
		ret = x86_interp_step(c);
	x86_fpu_park(c);
	memcpy(soft.st.gpr, c->gpr, sizeof(c->gpr));
	soft.st.rflags = c->rflags;
	memcpy(soft.st.xsave, c->xsave, sizeof(c->xsave));
	memcpy(soft.data, flat->ram + HOST_DATA, sizeof(soft.data));
	soft.vector = ret ? c->exc.vector : -1;
	soft.error = c->exc.error;
	soft.cr2 = c->cr2;
	soft.rip = c->rip - CODE_AT;
}

/* ---- comparison ------------------------------------------------------------------------ */

static char why[256];

static bool differ(const char *what, u64 h, u64 s)
{
	snprintf(why, sizeof(why), "%s: host %" PRIx64 ", hull %" PRIx64, what, h, s);
	return true;
}

static bool differ_bytes(const char *what, const u8 *h, const u8 *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (h[i] != s[i]) {
			char w[64];
			u64 hv = 0, sv = 0;

			snprintf(w, sizeof(w), "%s+0x%x", what, i);
			memcpy(&hv, h + i, n - i < 8 ? n - i : 8);
			memcpy(&sv, s + i, n - i < 8 ? n - i : 8);
			return differ(w, hv, sv);
		}
	return false;
}

/* Components whose XSTATE_BV bit is clear are in their initial state: write that out. */
static void normalize(u8 *x)
{
	static const u16 fcw = 0x37f;
	u64 bv;

	memcpy(&bv, x + 512, 8);
	if (!(bv & 1)) {
		memset(x, 0, 24);
		memset(x + 32, 0, 128);
		memcpy(x, &fcw, 2);
	}
	if (!(bv & 2))
		memset(x + 160, 0, 256);
	for (unsigned i = 2; i < 8; i++)
		if ((host_cpu_xcr0() >> i & 1) && !(bv >> i & 1))
			memset(x + diff_xsave_offset(i), 0, diff_xsave_length(i));
	memset(x + 6, 0, 18);	 /* FOP, FIP, FDP: depend on where code lies */
	memset(x + 28, 0, 4);	 /* MXCSR_MASK */
	memset(x + 416, 0, 160); /* reserved, header */
	for (unsigned i = 0; i < 8; i++)
		memset(x + 32 + i * 16 + 10, 0, 6);
}

static bool xsave_differs(void)
{
	normalize(host.st.xsave);
	normalize(soft.st.xsave);
	if (!memcmp(host.st.xsave, soft.st.xsave, host_cpu_xsave_size()))
		return false;
	return differ_bytes("x87 control and status", host.st.xsave, soft.st.xsave, 24) ||
	       differ_bytes("mxcsr", host.st.xsave + 24, soft.st.xsave + 24, 4) ||
	       differ_bytes("x87 registers", host.st.xsave + 32, soft.st.xsave + 32, 128) ||
	       differ_bytes("xsave", host.st.xsave, soft.st.xsave, host_cpu_xsave_size());
}

/* Operands that the CPU accesses in pieces of its own choice. */
static bool in_pieces(const struct x86_insn *in)
{
	return in->row->flags & X86_R_MASKED || in->evex_aaa || in->row->op == X86_OP_FNSTENV ||
	       in->row->op == X86_OP_FLDENV;
}

static bool exception_differs(const struct x86_insn *in)
{
	if (host.vector != soft.vector)
		return differ("exception", (u64)(s64)host.vector, (u64)(s64)soft.vector);
	/* Of such an access that faults, the CPU reports some byte of the page. */
	if (host.vector == X86_PF && (host.cr2 ^ soft.cr2) & (in_pieces(in) ? ~0xfffULL : ~0ULL))
		return differ("cr2", host.cr2, soft.cr2);
	if (host.vector == X86_PF && (host.error & 3) != (soft.error & 3))
		return differ("error code", host.error & 3, soft.error & 3);
	return false;
}

static bool outcome_differs(const struct x86_insn *in)
{
	u64 mask = in->mode == X86_MODE_64 ? ~0ULL : 0xffffffff;
	unsigned n = in->mode == X86_MODE_64 ? 16 : 8;
	/* A faulting instruction leaves the flags alone, but for AMD's REP CMPS and SCAS. */
	u64 fmask = (X86_F_STATUS | X86_F_DF) & ~(host.vector < 0 ? (u64)in->row->f_undef : 0);

	if (in->row->cls == X86_C_STRING && host.vector >= 0)
		fmask = X86_F_DF;

	if (exception_differs(in))
		return true;
	/* POPA that faults half way may have loaded some: it is restarted from RSP. */
	for (unsigned i = 0; i < n; i++) {
		char name[8];

		if (in->row->op == X86_OP_POPA && host.vector >= 0 && i != X86_RSP)
			continue;

		snprintf(name, sizeof(name), "gpr %u", i);
		if ((host.st.gpr[i] ^ soft.st.gpr[i]) & mask)
			return differ(name, host.st.gpr[i] & mask, soft.st.gpr[i] & mask);
	}
	if ((host.st.rflags ^ soft.st.rflags) & fmask)
		return differ("rflags", host.st.rflags & fmask, soft.st.rflags & fmask);
	if (host.rip != soft.rip)
		return differ("rip", host.rip, soft.rip);
	return xsave_differs() || differ_bytes("memory", host.data, soft.data, sizeof(host.data));
}

static void report(const struct x86_insn *in)
{
	char text[128];

	differences++;
	if (shown++ >= 60)
		return;
	x86_disasm(in, CODE_AT, text, sizeof(text));
	printf("# mode %u ", in->mode);
	for (unsigned i = 0; i < in->len; i++)
		printf("%02x", in->bytes[i]);
	printf("  %s: %s (exception %d)\n", text, why, host.vector);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static bool testable(const struct x86_row *row, enum x86_mode mode)
{
	if (row->cls != X86_C_ORDINARY && row->cls != X86_C_STRING)
		return false;
	if (row->flags & (mode == X86_MODE_64 ? X86_R_NO64 : X86_R_ONLY64))
		return false;
	if (row->op == X86_OP_RDRAND || row->op == X86_OP_RDSEED)
		return false; /* no two runs alike */
	return host_cpu_has(row->feature) && (!only || !strcmp(only, row->name));
}

/* fnstenv stores where the last x87 instruction was: not the same place in both. */
static void forget_fpu_pointers(const struct x86_insn *in)
{
	u64 at = 0;

	if (in->row->op != X86_OP_FNSTENV || host.vector >= 0)
		return;
	for (unsigned i = 0; i < HOST_DATA_SIZE && !at; i++)
		if (host.data[i] != data[i] || soft.data[i] != data[i])
			at = i | 1ULL << 32;
	if (at)
		for (unsigned i = 0; i < 40 && (u32)at + i < HOST_DATA_SIZE; i++)
			host.data[(u32)at + i] = soft.data[(u32)at + i] = 0;
}

/* The result of a 16-bit double shift by more than 16 is undefined (SDM vol. 2, SHLD). */
static bool undefined(const struct x86_insn *in)
{
	unsigned count = in->row->op != X86_OP_SHLD && in->row->op != X86_OP_SHRD ? 0
			 : in->imm_size ? (unsigned)in->imm
					: (unsigned)start.gpr[1];

	return in->opsize == 2 && (count & 31) > 16;
}

static void test_row(struct diff_gen *g, unsigned row)
{
	unsigned before = differences, ran = executed;

	for (unsigned i = 0; i < trials && differences < before + 2; i++) {
		struct x86_insn in;

		if (!diff_gen_make(g, row, &in, &start) || undefined(&in))
			continue;
		for (unsigned k = 0; k < sizeof(data); k += 8) {
			u64 v = diff_rand(diff_gen_rng(g));

			memcpy(data + k, &v, 8);
		}
		run_host(&in);
		run_soft(&in);
		forget_fpu_pointers(&in);
		executed++;
		if (outcome_differs(&in))
			report(&in);
	}
	/* What needs REX.W cannot be met in 32-bit code. */
	if (executed != ran ||
	    (flat->c->code_mode != X86_MODE_64 && !(x86_rows[row].flags & X86_R_NO64)))
		return;
	untested++;
	printf("# no encoding found for row %u, %s\n", row, x86_rows[row].name);
}

static void test_mode(enum x86_mode mode)
{
	struct diff_gen *g = diff_gen_create(mode, seed);

	CHECK(g != NULL);
	flat_mode(flat, mode);
	differences = executed = untested = 0;
	for (unsigned row = 0; row < x86_nrows; row++)
		if (testable(&x86_rows[row], mode))
			test_row(g, row);
	diff_gen_destroy(g);
	printf("# mode %u: %u instructions executed, %u differences\n", mode, executed,
	       differences);
	CHECK(executed > trials);
	CHECK_EQ(differences, 0);
	CHECK_EQ(untested, 0);
}

static void t_64bit(void)
{
	test_mode(X86_MODE_64);
}

static void t_32bit(void)
{
	test_mode(X86_MODE_32);
}

/* Scratch memory with a hole on both sides, the code page, and nothing else. */
static bool set_up(void)
{
	flat = flat_create();
	if (!flat || !host_cpu_init())
		return false;
	memset(flat->page, FLAT_NONE, sizeof(flat->page));
	for (u64 a = HOST_DATA; a < HOST_DATA + HOST_DATA_SIZE; a += 4096)
		flat_set_page(flat, a, FLAT_RW);
	flat_set_page(flat, HOST_CODE, FLAT_RW);
	return true;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		trials = (unsigned)atoi(argv[1]);
	if (argc > 2)
		seed = (u64)atoll(argv[2]);
	if (argc > 3)
		only = argv[3];
	if (!set_up()) {
		printf("ok 1 - set up # SKIP no low executable memory here\n1..1\n");
		return 0;
	}
	RUN(t_64bit);
	RUN(t_32bit);
	return test_done();
}
