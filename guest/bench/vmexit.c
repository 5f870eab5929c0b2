/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exit costs, in a guest's user space, in ticks of its TSC: CPUID, and a hypercall that
 * does nothing (hypervisors refuse it to user space, after the round trip). The lower quartile of
 * many batches: interrupts make some longer, and an emulated machine's TSC that goes back when
 * its thread moves makes some shorter. Prints `vmexit: cpuid N hypercall N`.
 */
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCHES 100
#define ROUNDS 100

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

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t cost(void (*fn)(void))
{
	int64_t t[BATCHES];

	for (int i = 0; i < BATCHES; i++) {
		t[i] = (int64_t)tsc();
		for (int j = 0; j < ROUNDS; j++)
			fn();
		t[i] = ((int64_t)tsc() - t[i]) / ROUNDS;
	}
	qsort(t, BATCHES, sizeof(t[0]), by_size);
	return (uint64_t)t[BATCHES / 4];
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
