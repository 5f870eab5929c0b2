/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest benchmark: one static program that runs natively, and as /init of
 * a virtual machine. Each kernel does a fixed amount of work and returns a
 * checksum that must be the same wherever it runs.
 */
#ifndef HULL_GUEST_BENCH_H
#define HULL_GUEST_BENCH_H

#include <stddef.h>
#include <stdint.h>

enum bench_group { G_INT, G_CHASE, G_FP, G_SYS, G_OTHER };

struct bench {
	const char *name;
	enum bench_group group;
	uint64_t (*run)(unsigned n); /* does n units of work */
	unsigned n;		     /* default units, about 50 to 100 ms natively */
};

/* Multiplicative congruential generator, Knuth MMIX constants. */
static inline uint32_t bench_rand(uint64_t *s)
{
	*s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*s >> 33);
}

/* Keep the compiler from removing or hoisting work. */
#define BENCH_USE(p) __asm__ volatile("" : : "g"(p) : "memory")

extern const struct bench bench_int[], bench_mem[], bench_fp[], bench_sys[];

#endif
