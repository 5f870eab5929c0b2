/* SPDX-License-Identifier: Apache-2.0 */
/* Memory latency, self-modifying code, string and block copies. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t chase(size_t bytes, unsigned n)
{
	size_t count = bytes / 64;
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *perm = malloc(count * sizeof(*perm));
	uint64_t s = 3, sum = 0;
	void **p;

	if (mem == MAP_FAILED || !perm)
		return 0;
	for (size_t i = 0; i < count; i++)
		perm[i] = i;
	for (size_t i = count - 1; i > 0; i--) { /* Sattolo: one single cycle */
		size_t j = bench_rand(&s) % i;
		uint32_t t = perm[i];

		perm[i] = perm[j];
		perm[j] = t;
	}
	for (size_t i = 0; i < count; i++)
		*(void **)(mem + i * 64) = mem + (size_t)perm[i] * 64;
	p = (void **)mem;
	for (unsigned i = 0; i < n; i++)
		p = *p;
	sum = (char *)p - mem;
	free(perm);
	munmap(mem, bytes);
	return sum;
}

static uint64_t b_chase_256k(unsigned n)
{
	return chase(256 << 10, n);
}

static uint64_t b_chase_16m(unsigned n)
{
	return chase(16 << 20, n);
}

static uint64_t b_memcpy(unsigned n)
{
	static char a[256 << 10], b[256 << 10];

	memset(a, 7, sizeof(a));
	for (unsigned i = 0; i < n; i++) {
		a[i % sizeof(a)]++;
		memcpy(b, a, sizeof(b));
		BENCH_USE(b);
	}
	return b[0] + b[1000] * 256u;
}

static uint64_t b_strops(unsigned n)
{
	static char text[8192], out[8192];
	uint64_t sum = 0;

	for (unsigned i = 0; i < sizeof(text) - 1; i++)
		text[i] = "the quick brown fox, "[i % 21];
	for (unsigned it = 0; it < n; it++) {
		text[(it * 7) % 8000] = 'x';
		sum += strlen(text);
		sum += (size_t)(strchr(text + it % 4000, 'z') ? 1 : 2);
		strcpy(out, text);
		sum += memcmp(out, text, 8000) == 0;
		sum += strstr(text, "fox, then") != NULL;
		sum += strspn(text, "the quickbrownfox,") & 0xff;
		sum += snprintf(out, 200, "%d %s %x", it, "hello", it * 3);
		sum += memchr(text, '!', 8000) != NULL;
	}
	return sum;
}

/* Rewrites an immediate in a function and calls it, over and over. */
static uint64_t b_smc(unsigned n)
{
	unsigned char *f = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	if (f == MAP_FAILED)
		return 0;
	memcpy(f, "\xb8\0\0\0\0\xc3", 6); /* mov eax, imm32; ret */
	for (uint32_t i = 0; i < n; i++) {
		memcpy(f + 1, &i, 4);
		BENCH_USE(f);
		sum += ((uint32_t(*)(void))f)();
	}
	munmap(f, 4096);
	return sum;
}

/* A small JIT: emits a fresh function in a rolling buffer, runs it a while. */
static uint64_t b_jit(unsigned n)
{
	enum { SIZE = 256 << 10 };
	unsigned char *buf = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;
	size_t pos = 0;

	if (buf == MAP_FAILED)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned char *p = buf + pos;
		uint32_t x = i;

		memcpy(p, "\x89\xf8", 2); /* mov eax, edi */
		p += 2;
		for (int k = 0; k < 12; k++) {
			*p++ = 0x05; /* add eax, imm32 */
			memcpy(p, &x, 4);
			p += 4;
			x = x * 5 + k;
		}
		*p++ = 0xc3;
		BENCH_USE(buf);
		for (uint32_t k = 0; k < 200; k++)
			sum += ((uint32_t(*)(uint32_t))(buf + pos))(k);
		pos = (pos + 96) % (SIZE - 256);
	}
	munmap(buf, SIZE);
	return sum;
}

const struct bench bench_mem[] = {
	{"chase256k", G_CHASE, b_chase_256k, 12000000},
	{"chase16m", G_CHASE, b_chase_16m, 1500000},
	{"memcpy", G_FP, b_memcpy, 12000},
	{"strops", G_FP, b_strops, 9000},
	{"smc", G_OTHER, b_smc, 60000},
	{"jit", G_OTHER, b_jit, 40000},
	{NULL},
};
