/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exit costs, in a guest's user space, in ticks of its TSC: CPUID, and a hypercall that
 * does nothing (hypervisors refuse it to user space, after the round trip). The least of many
 * batches, so that interrupts do not count. Prints `vmexit: cpuid N hypercall N`.
 */
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#define BATCHES 40
#define ROUNDS 250

static sigjmp_buf refused;

static void on_ill(int sig)
{
	siglongjmp(refused, 1);
}

static uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static void cpuid(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void hypercall(void)
{
	uint64_t a = 0xffff;

	__asm__ volatile("vmmcall" : "+a"(a) : "b"(0), "c"(0), "d"(0), "S"(0) : "memory");
}

static uint64_t cost(void (*fn)(void))
{
	uint64_t best = ~0ULL, t;

	for (int i = 0; i < BATCHES; i++) {
		t = tsc();
		for (int j = 0; j < ROUNDS; j++)
			fn();
		t = (tsc() - t) / ROUNDS;
		best = t < best ? t : best;
	}
	return best;
}

/* 0: this guest has no such instruction. */
static uint64_t cost_or_none(void (*fn)(void))
{
	return sigsetjmp(refused, 1) ? 0 : cost(fn);
}

int main(void)
{
	signal(SIGILL, on_ill);
	signal(SIGSEGV, on_ill);
	printf("vmexit: cpuid %llu", (unsigned long long)cost_or_none(cpuid));
	printf(" hypercall %llu\n", (unsigned long long)cost_or_none(hypercall));
	return 0;
}
