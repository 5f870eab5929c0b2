// SPDX-License-Identifier: Apache-2.0
/*
 * The instructions that save and restore the x87 and vector state as an image
 * in memory, interpreter against host CPU: random states, component masks and
 * images, in 64-bit and 32-bit mode.
 *
 * usage: diff_image [trials [seed]]
 */
#include "tests/test.h"
#include "diff_check.h"
#include "flat.h"

#define IMAGE_AT (HOST_DATA + 0x400)

struct op {
	const char *name;
	u8 code[4]; /* on [ebx] or [rbx] */
	u8 len;
	bool restore, fx, compact;
};

static const struct op ops[] = {
	{"fxsave", {0x0f, 0xae, 0x03}, 3, false, true, false},
	{"fxrstor", {0x0f, 0xae, 0x0b}, 3, true, true, false},
	{"xsave", {0x0f, 0xae, 0x23}, 3, false, false, false},
	{"xrstor", {0x0f, 0xae, 0x2b}, 3, true, false, false},
	{"xsaveopt", {0x0f, 0xae, 0x33}, 3, false, false, false},
	{"xsavec", {0x0f, 0xc7, 0x23}, 3, false, false, true},
	{"fnsave", {0xdd, 0x33}, 2, false, true, false},
	{"frstor", {0xdd, 0x23}, 2, true, true, false},
	{"fnsave, 16 bits", {0x66, 0xdd, 0x33}, 3, false, true, false},
	{"frstor, 16 bits", {0x66, 0xdd, 0x23}, 3, true, true, false},
};

#define HI16_ZMM BIT(7) /* state component, SDM vol. 1, 13.5.4 */

static struct flat *flat;
static unsigned trials = 300, differences;
static u64 seed = 1;
static struct diff_case dc;
static struct diff_outcome host, soft;

static bool is_fsave(const struct op *op)
{
	return op->code[0] != 0x0f;
}

/* What the image that a restore reads holds: another random state. */
static void fill_image(struct diff_gen *g, const struct op *op)
{
	static struct diff_state other;
	struct x86_insn in;
	u64 r = diff_rand(diff_gen_rng(g)), bv = r & host_cpu_xcr0() & 0xe7, zero[7] = {0};
	u8 *image = dc.data + (IMAGE_AT - HOST_DATA);

	for (unsigned k = 0; k < sizeof(dc.data); k += 8) {
		u64 v = diff_rand(diff_gen_rng(g));

		memcpy(dc.data + k, &v, 8);
	}
	while (!diff_gen_make(g, 0, &in, &other))
		;
	if (is_fsave(op)) {
		if (op->restore)
			memcpy(image + 4, "\x12\x34", 2);
		return;
	}
	memcpy(image, other.xsave, 512);
	if (op->restore && !op->fx)
		memcpy(image + 512, other.xsave + 512, host_cpu_xsave_size() - 512);
	if (!op->restore)
		bv = diff_rand(diff_gen_rng(g)); /* xsave keeps the bits it does not save */
	memcpy(image + 512, &bv, 8);
	memcpy(image + 520, zero, sizeof(zero));
	if (r >> 32 & 15)
		return;
	image[512 + (r >> 40 & 31)] ^= 1 << (r >> 50 & 7); /* an invalid header now and then */
}

/* x87 pointers and MXCSR_MASK are not the guest's own: see fpu.c. */
static void forget(const struct op *op, struct diff_outcome *o)
{
	u8 *image = o->data + (IMAGE_AT - HOST_DATA);

	if (op->restore)
		return;
	if (is_fsave(op)) {
		memset(image + 6, 0, 22);
		return;
	}
	memset(image + 6, 0, 18);
	memset(image + 28, 0, 4);
	for (unsigned i = 0; i < 8; i++) /* 80 of 128 bits; what lies beyond is reserved */
		memset(image + 32 + i * 16 + 10, 0, 6);
	memset(image + 464, 0, 48);
}

static void run_soft(void)
{
	struct x86_vcpu *c = flat->c;
	int ret;

	memcpy(c->gpr, dc.start.gpr, sizeof(c->gpr));
	memcpy(c->xsave, dc.start.xsave, sizeof(c->xsave));
	memcpy(flat->ram + HOST_DATA, dc.data, sizeof(dc.data));
	memset(flat->ram + HOST_CODE_AT, 0xf4, 32);
	diff_case_code(&dc, flat->ram + HOST_CODE_AT);
	c->rflags = dc.start.rflags;
	c->rip = HOST_CODE_AT;
	c->fpu_live = false;
	c->exc.pending = false;
	ret = x86_interp_step(c);
	x86_fpu_load(c); /* what reserved bits of x87 words become */
	x86_fpu_park(c);
	memcpy(soft.st.gpr, c->gpr, sizeof(c->gpr));
	soft.st.rflags = c->rflags;
	memcpy(soft.st.xsave, c->xsave, sizeof(c->xsave));
	memcpy(soft.data, flat->ram + HOST_DATA, sizeof(soft.data));
	soft.vector = ret ? c->exc.vector : -1;
	soft.error = c->exc.error;
	soft.cr2 = c->cr2;
	soft.rip = c->rip - HOST_CODE_AT;
}

static void one(struct diff_gen *g, const struct op *op, enum x86_mode mode)
{
	struct x86_insn in, any;
	const char *why;
	u64 r = diff_rand(diff_gen_rng(g));

	while (!diff_gen_make(g, 0, &any, &dc.start))
		;
	if (x86_decode(&in, mode, op->code, op->len))
		return;
	fill_image(g, op);
	dc.n = dc.bytes = 0;
	diff_case_add(&dc, &in);
	dc.start.gpr[X86_RBX] = IMAGE_AT + (r & 15 ? 0 : r >> 8 & 63);
	dc.start.gpr[X86_RAX] = r >> 16 & 3 ? r >> 20 & 0xff : HOST_XSAVE_MASK;
	/* CPUs differ in whether registers that only 64-bit mode has are in use outside it. */
	if (mode != X86_MODE_64)
		dc.start.gpr[X86_RAX] &= ~HI16_ZMM;
	diff_run_host(&dc, &host);
	run_soft();
	forget(op, &host);
	forget(op, &soft);
	why = diff_compare(&dc, &host, &soft);
	if (why && differences++ < 20)
		printf("# mode %u %s (eax %02x): %s (exception %d)\n", mode, op->name,
		       (u8)dc.start.gpr[X86_RAX], why, host.vector);
}

static void test_mode(enum x86_mode mode)
{
	struct diff_gen *g = diff_gen_create(mode, seed);

	CHECK(g != NULL);
	flat_mode(flat, mode);
	differences = 0;
	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		for (unsigned k = 0; k < trials; k++)
			one(g, &ops[i], mode);
	diff_gen_destroy(g);
	CHECK_EQ(differences, 0);
}

static void t_64bit(void)
{
	test_mode(X86_MODE_64);
}

static void t_32bit(void)
{
	test_mode(X86_MODE_32);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		trials = (unsigned)atoi(argv[1]);
	if (argc > 2)
		seed = (u64)atoll(argv[2]);
	flat = flat_create();
	if (!flat || !host_cpu_init()) {
		printf("ok 1 - set up # SKIP no low executable memory here\n1..1\n");
		return 0;
	}
	memset(flat->page, FLAT_NONE, sizeof(flat->page));
	for (u64 a = HOST_DATA; a < HOST_DATA + HOST_DATA_SIZE; a += 4096)
		flat_set_page(flat, a, FLAT_RW);
	flat_set_page(flat, HOST_CODE, FLAT_RW);
	RUN(t_64bit);
	RUN(t_32bit);
	return test_done();
}
