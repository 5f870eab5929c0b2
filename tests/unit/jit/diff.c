// SPDX-License-Identifier: Apache-2.0
/*
 * hull's engines against the host CPU: every ordinary, string and branch row of the
 * decoder's table, random encodings and states, in 64-, 32- and 16-bit mode;
 * registers, flags that are defined, memory, x87 and vector state, exceptions.
 * Sequences of instructions, some with jumps, are for the translator, much of
 * whose work (flag liveness, shared address checks) is between instructions.
 *
 * usage: diff interp|jit [trials per row [seed [mnemonic]]]
 */
#include "tests/test.h"
#include "diff_check.h"
#include "engine/jit/rt/jit.h"
#include "flat.h"
#include "isa/x86/ops.h"

#define JIT_CACHE MIB(16)

static struct flat *flat;
static bool translate;
static unsigned trials = 10, differences, shown, executed, faulted, untested;
static const char *only;
static u64 seed = 1;

/* ---- one case on an engine ------------------------------------------------------------ */

static void load_case(const struct diff_case *dc)
{
	struct x86_vcpu *c = flat->c;

	memcpy(c->gpr, dc->start.gpr, sizeof(c->gpr));
	c->rflags = dc->start.rflags;
	c->rip = HOST_CODE_AT - host_cpu_code_base(dc->insn[0].mode);
	c->fpu_live = false;
	c->exc.pending = false;
	c->kick = 0;
	memcpy(c->xsave, dc->start.xsave, sizeof(c->xsave));
	memcpy(flat->ram + HOST_DATA, dc->data, sizeof(dc->data));
	if (dc->branch)
		memset(flat->ram + HOST_CODE, 0xf4, 4096);
	else
		memset(flat->ram + HOST_CODE_AT, 0xf4, DIFF_SEQUENCE * X86_INSN_MAX + 16);
	diff_case_code(dc, flat->ram + HOST_CODE_AT);
	flat->stop = false;
}

static void run_soft(const struct diff_case *dc, struct diff_outcome *out)
{
	struct x86_vcpu *c = flat->c;
	int ret = 0;

	load_case(dc);
	if (translate)
		jit_page_written(flat->vm, HOST_CODE);
	for (unsigned i = 0; i < 20000 && !ret && !flat->stop; i++) {
		if (!translate) {
			ret = x86_interp_step(c);
			continue;
		}
		c->kick = 0;
		jit_run(c);
		ret = c->exc.pending ? -1 : 0;
	}
	x86_fpu_park(c);
	memcpy(out->st.gpr, c->gpr, sizeof(c->gpr));
	out->st.rflags = c->rflags;
	memcpy(out->st.xsave, c->xsave, sizeof(c->xsave));
	memcpy(out->data, flat->ram + HOST_DATA, sizeof(out->data));
	out->vector = ret ? c->exc.vector : -1;
	out->error = c->exc.error;
	out->cr2 = c->cr2;
	/* hlt stands behind */
	out->rip = c->rip - (HOST_CODE_AT - host_cpu_code_base(dc->insn[0].mode)) - flat->stop;
}

static void report(const struct diff_case *dc, const char *why, int vector)
{
	char text[128];

	differences++;
	if (shown++ >= 40)
		return;
	printf("# %s (exception %d)\n", why, vector);
	for (unsigned i = 0; i < dc->n; i++) {
		const struct x86_insn *in = &dc->insn[i];

		x86_disasm(in, HOST_CODE_AT, text, sizeof(text));
		printf("#   mode %u ", in->mode);
		for (unsigned k = 0; k < in->len; k++)
			printf("%02x", in->bytes[k]);
		printf("  %s\n", text);
	}
}

static void run_case(struct diff_case *dc)
{
	static struct diff_outcome host, soft;
	const char *why;

	if (diff_undefined(dc))
		return;
	dc->translated = translate;
	diff_run_host(dc, &host);
	run_soft(dc, &soft);
	executed++;
	faulted += host.vector >= 0;
	why = diff_compare(dc, &host, &soft);
	if (why)
		report(dc, why, host.vector);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static bool testable(unsigned row, enum x86_mode mode)
{
	const struct x86_row *r = &x86_rows[row];

	if (r->cls != X86_C_ORDINARY && r->cls != X86_C_STRING)
		return false;
	if (r->flags & (mode == X86_MODE_64 ? X86_R_NO64 : X86_R_ONLY64))
		return false;
	if (r->op == X86_OP_RDRAND || r->op == X86_OP_RDSEED)
		return false; /* no two runs alike */
	return host_cpu_has(r->feature) && (!only || !strcmp(only, r->name));
}

static void random_data(struct diff_gen *g, struct diff_case *dc)
{
	for (unsigned k = 0; k < sizeof(dc->data); k += 8) {
		u64 v = diff_rand(diff_gen_rng(g));

		memcpy(dc->data + k, &v, 8);
	}
}

static void test_row(struct diff_gen *g, unsigned row)
{
	static struct diff_case dc;
	unsigned before = differences, ran = executed;

	for (unsigned i = 0; i < trials && differences < before + 2; i++) {
		struct x86_insn in;

		if (!diff_gen_make(g, row, &in, &dc.start))
			continue;
		dc.n = dc.bytes = 0;
		diff_case_add(&dc, &in);
		random_data(g, &dc);
		run_case(&dc);
	}
	/* What needs REX.W cannot be met in 32-bit code. */
	if (executed != ran ||
	    (flat->c->code_mode != X86_MODE_64 && !(x86_rows[row].flags & X86_R_NO64)))
		return;
	untested++;
	printf("# no encoding found for row %u, %s\n", row, x86_rows[row].name);
}

static unsigned random_row(struct diff_gen *g, enum x86_mode mode)
{
	unsigned row;

	/* General-purpose forms come first in the table; let them be half of all. */
	do {
		u64 r = diff_rand(diff_gen_rng(g));

		row = (r >> 8) % (r & 1 ? 400 : x86_nrows);
	} while (!testable(row, mode) || x86_rows[row].op == X86_OP_FNSTENV);
	return row;
}

/* Flags that one instruction leaves undefined and a later one reads. */
static bool reads_undefined(const struct diff_case *dc)
{
	unsigned undef = 0;

	for (unsigned i = 0; i < dc->n; i++) {
		const struct x86_row *r = dc->insn[i].row;

		if (r->f_read & undef)
			return true;
		undef = (undef & ~r->f_written) | r->f_undef;
	}
	return false;
}

static void test_sequences(struct diff_gen *g, enum x86_mode mode)
{
	static struct diff_case dc;

	for (unsigned i = 0; i < trials * 1000 && differences < 20; i++) {
		struct x86_insn in;

		dc.n = dc.bytes = 0;
		if (!diff_gen_make(g, random_row(g, mode), &in, &dc.start))
			continue;
		diff_case_add(&dc, &in);
		for (unsigned k = 0; k < 8 && dc.n < 5; k++)
			if (diff_gen_next(g, random_row(g, mode), &dc.insn[0], &dc.start, &in))
				diff_case_add(&dc, &in);
		random_data(g, &dc);
		if (!reads_undefined(&dc))
			run_case(&dc);
	}
}

/* A conditional jump; where to is decided when all instructions are there. */
static void add_jump(struct diff_gen *g, struct diff_case *dc, enum x86_mode mode)
{
	u8 code[2] = {0x70 | (diff_rand(diff_gen_rng(g)) >> 9 & 15), 0};
	struct x86_insn in;

	if (x86_decode(&in, mode, code, 2) == 0)
		diff_case_add(dc, &in);
}

/* Let every jump lead to some later instruction, or behind the last. */
static void aim_jumps(struct diff_gen *g, struct diff_case *dc)
{
	for (unsigned i = 0; i < dc->n; i++) {
		struct x86_insn *in = &dc->insn[i];
		unsigned over = diff_rand(diff_gen_rng(g)) % (dc->n - i), rel = 0;
		u8 code[2] = {in->opcode, 0};

		if (in->row->cls != X86_C_BRANCH)
			continue;
		for (unsigned k = 1; k <= over; k++)
			rel += dc->insn[i + k].len;
		code[1] = rel < 128 ? (u8)rel : 0;
		x86_decode(in, in->mode, code, 2);
	}
}

/* Flags undefined on some way and read on some way. */
static bool may_read_undefined(const struct diff_case *dc)
{
	unsigned undef = 0;

	for (unsigned i = 0; i < dc->n; i++) {
		if (dc->insn[i].row->f_read & undef)
			return true;
		undef |= dc->insn[i].row->f_undef;
	}
	return false;
}

/* Longer sequences with forward jumps: basic blocks, and what is live between them. */
static void test_flow(struct diff_gen *g, enum x86_mode mode)
{
	static struct diff_case dc;

	for (unsigned i = 0; i < trials * 500 && differences < 20; i++) {
		struct x86_insn in;

		dc.n = dc.bytes = 0;
		dc.flow = true;
		if (!diff_gen_make(g, random_row(g, mode), &in, &dc.start))
			continue;
		diff_case_add(&dc, &in);
		for (unsigned k = 0; k < 20 && dc.n < DIFF_SEQUENCE; k++) {
			if (diff_rand(diff_gen_rng(g)) >> 8 & 3)
				k += !diff_gen_next(g, random_row(g, mode), &dc.insn[0], &dc.start,
						    &in) ||
				     !diff_case_add(&dc, &in);
			else
				add_jump(g, &dc, mode);
		}
		aim_jumps(g, &dc);
		random_data(g, &dc);
		if (!may_read_undefined(&dc))
			run_case(&dc);
	}
}

/* Write n bytes of v into the scratch memory, if they fit there. */
static void put_data(struct diff_case *dc, u64 at, u64 v, unsigned n)
{
	if (at - HOST_DATA <= HOST_DATA_SIZE - n)
		memcpy(dc->data + (at - HOST_DATA), &v, n);
}

/* Let the branch lead into the code page, but not into itself. */
static bool aim_branch(struct diff_gen *g, struct diff_case *dc, struct x86_insn *in)
{
	u64 to = HOST_CODE + 0x100 + diff_rand(diff_gen_rng(g)) % 0x700;
	u64 code = host_cpu_code_base(in->mode);
	const struct x86_opnd *o = &in->opnd[0];
	u8 b[X86_INSN_MAX];

	if (to - HOST_CODE_AT < in->len)
		to -= 64;
	/* AMD lets 66 shorten 64-bit branches, and REP turn loope into loopne; Intel ignores both.
	 */
	if ((in->p66 && in->mode == X86_MODE_64) || in->rep || in->repne)
		return false;
	if (o->kind == X86_OPND_GPR)
		dc->start.gpr[o->reg] = to - code;
	else if (o->kind == X86_OPND_MEM && !o->implicit)
		put_data(dc, diff_address(in, &dc->start), to - code, o->size);
	else if (o->kind != X86_OPND_REL)
		put_data(dc, dc->start.gpr[X86_RSP] + host_cpu_data_base(in->mode), to - code,
			 in->opsize);
	if (o->kind != X86_OPND_REL || in->imm_size == 1)
		return o->kind != X86_OPND_REL || (u64)in->imm + in->len >= in->len;
	to -= HOST_CODE_AT + in->len;
	memcpy(b, in->bytes, in->len);
	memcpy(b + in->imm_off, &to, in->imm_size);
	return x86_decode(in, in->mode, b, in->len) == 0;
}

static void test_branch(struct diff_gen *g, unsigned row)
{
	static struct diff_case dc;
	unsigned before = differences;

	for (unsigned i = 0; i < trials * 4 && differences < before + 2; i++) {
		struct x86_insn in;

		if (!diff_gen_make(g, row, &in, &dc.start))
			continue;
		random_data(g, &dc);
		if (!aim_branch(g, &dc, &in))
			continue;
		dc.n = dc.bytes = 0;
		dc.branch = true;
		diff_case_add(&dc, &in);
		run_case(&dc);
	}
}

static void test_branches(struct diff_gen *g)
{
	for (unsigned row = 0; row < x86_nrows; row++)
		if (x86_rows[row].cls == X86_C_BRANCH &&
		    (!only || !strcmp(only, x86_rows[row].name)))
			test_branch(g, row);
}

/* Segments as host_cpu.h has them. */
static void set_mode(enum x86_mode mode)
{
	struct x86_vcpu *c = flat->c;

	flat_mode(flat, mode);
	for (unsigned i = 0; i < X86_NSEGS; i++)
		c->seg_base[i] = c->seg[i].base =
			i == X86_CS ? host_cpu_code_base(mode) : host_cpu_data_base(mode);
}

static void test_mode(enum x86_mode mode)
{
	struct diff_gen *g = diff_gen_create(mode, seed);

	CHECK(g != NULL);
	set_mode(mode);
	differences = executed = faulted = untested = 0;
	for (unsigned row = 0; row < x86_nrows; row++)
		if (testable(row, mode))
			test_row(g, row);
	test_branches(g);
	if (!only) {
		test_sequences(g, mode);
		test_flow(g, mode);
	}
	diff_gen_destroy(g);
	printf("# mode %u: %u cases, %u of them raised an exception, %u differences\n", mode,
	       executed, faulted, differences);
	CHECK(executed >= trials);
	CHECK(faulted < executed / 3); /* or it would not test much */
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

/* The translator leaves 16-bit code to the interpreter. */
static void t_16bit(void)
{
	if (!host_cpu_can(X86_MODE_16))
		SKIP("no 16-bit segments here: modify_ldt is refused");
	test_mode(X86_MODE_16);
}

/* ---- the machine ------------------------------------------------------------------------------
 */

static bool set_up_translator(void)
{
	static const u8 nop_hlt[] = {0x90, 0xf4};
	static struct gpa_map map;
	struct gpa_slot ram = {
		.host = flat->ram, .size = FLAT_RAM, .fd = -1, .page_flags = calloc(FLAT_PAGES, 1)};
	struct x86_vm *vm = flat->vm;

	if (!ram.page_flags || gpa_slot_add(&map, &ram))
		return false;
	vm->map = &map;
	vm->ncpus = 1;
	vm->vcpu[0] = flat->c;
	vm->jit = jit_create(vm, JIT_CACHE);
	if (!vm->jit || jit_vcpu_init(flat->c))
		return false;
	vm->jit->hot_visits = 0; /* translate at first sight */
	/* Its first run takes the signals: before host_cpu_init, which passes on what it gets. */
	flat_load(flat, nop_hlt, sizeof(nop_hlt));
	jit_run(flat->c);
	return flat->stop;
}

/* Scratch memory with a hole on both sides, the code page, and nothing else. */
static bool set_up(void)
{
	flat = flat_create();
	if (!flat || (translate && !set_up_translator()) || !host_cpu_init())
		return false;
	memset(flat->page, FLAT_NONE, sizeof(flat->page));
	for (u64 a = HOST_DATA; a < HOST_DATA + HOST_DATA_SIZE; a += 4096)
		flat_set_page(flat, a, FLAT_RW);
	flat_set_page(flat, HOST_CODE, FLAT_RW);
	return true;
}

int main(int argc, char **argv)
{
	translate = argc > 1 && !strcmp(argv[1], "jit");
	if (argc > 2)
		trials = (unsigned)atoi(argv[2]);
	if (argc > 3)
		seed = (u64)atoll(argv[3]);
	if (argc > 4)
		only = argv[4];
	if (!set_up()) {
		printf("ok 1 - set up # SKIP no low executable memory here\n1..1\n");
		return 0;
	}
	RUN(t_64bit);
	RUN(t_32bit);
	if (!translate)
		RUN(t_16bit);
	return test_done();
}
