/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flat_run FILE [STEPS]: interpret a flat binary of 64-bit code, made with
 *	as x.s -o x.o && objcopy -O binary -j .text x.o x.bin
 * at FLAT_CODE with RSP = FLAT_STACK and 16 MiB of RAM, until hlt, an exception
 * or the limit. Prints the registers and the speed. For people, not a test.
 */
#include "flat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void show(const struct x86_vcpu *c)
{
	static const char *const name[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
					     "rsi", "rdi", "r8",  "r9",	 "r10", "r11",
					     "r12", "r13", "r14", "r15"};

	for (unsigned i = 0; i < 16; i++)
		printf("%-4s %016" PRIx64 "%c", name[i], c->gpr[i], i % 4 == 3 ? '\n' : ' ');
	printf("rip  %016" PRIx64 " flags %" PRIx64 "\n", c->rip, c->rflags);
	if (c->exc.pending)
		printf("exception %u error %x cr2 %" PRIx64 "\n", c->exc.vector, c->exc.error,
		       c->cr2);
}

int main(int argc, char **argv)
{
	static u8 code[FLAT_STACK - FLAT_CODE - 0x1000];
	struct flat *f = flat_create();
	FILE *in = argc > 1 ? fopen(argv[1], "rb") : NULL;
	double t;
	int ret;

	if (!f || !in) {
		fprintf(stderr, "usage: flat_run FILE [STEPS]\n");
		return 2;
	}
	if (fread(code, 1, sizeof(code), in) == 0)
		return 2;
	flat_load(f, code, sizeof(code));
	t = now();
	ret = flat_run(f, argc > 2 ? strtoull(argv[2], NULL, 0) : 1000000000);
	t = now() - t;
	x86_fpu_park(f->c);
	show(f->c);
	printf("%" PRIu64 " instructions, %.1f million a second\n", f->c->insn_count,
	       (double)f->c->insn_count / t * 1e-6);
	fclose(in);
	flat_destroy(f);
	return ret;
}
