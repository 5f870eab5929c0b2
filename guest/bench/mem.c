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

/* ---- code that programs write ---- */

#if defined(__x86_64__)

enum { STRIDE = 96 }; /* holds what put_sum makes of twelve numbers */

static void put_constant(unsigned char *f)
{
	memcpy(f, "\xb8\0\0\0\0\xc3", 6); /* mov eax, imm32; ret */
}

static void patch_constant(unsigned char *f, uint32_t v)
{
	memcpy(f + 1, &v, 4);
}

/* A function that adds n numbers to its argument. */
static void put_sum(unsigned char *p, const uint32_t *x, unsigned n)
{
	memcpy(p, "\x89\xf8", 2); /* mov eax, edi */
	p += 2;
	while (n--) {
		*p++ = 0x05; /* add eax, imm32 */
		memcpy(p, x++, 4);
		p += 4;
	}
	*p = 0xc3;
}

static void written(unsigned char *p, size_t n)
{
	(void)p;
	(void)n;
}

#elif defined(__powerpc64__)

enum { STRIDE = 128 };

/* Power ISA book I: the result is the low word, the ABI wants the rest of r3 to be 0. */
enum { CLRLDI_R3_32 = 0x78630020, BLR = 0x4e800020 };

static void put_constant(unsigned char *f)
{
	static const uint32_t code[] = {0x3c600000, 0x60630000, CLRLDI_R3_32, BLR};

	memcpy(f, code, sizeof(code)); /* lis r3, hi; ori r3, r3, lo */
}

static void patch_constant(unsigned char *f, uint32_t v)
{
	uint32_t code[2] = {0x3c600000 | v >> 16, 0x60630000 | (v & 0xffff)};

	memcpy(f, code, sizeof(code));
}

static void put_sum(unsigned char *p, const uint32_t *x, unsigned n)
{
	uint32_t code[2];

	for (; n--; x++, p += 8) { /* addis r3, r3, hi; addi r3, r3, lo (signed) */
		code[0] = 0x3c630000 | (x[0] + 0x8000) >> 16;
		code[1] = 0x38630000 | (x[0] & 0xffff);
		memcpy(p, code, 8);
	}
	code[0] = CLRLDI_R3_32;
	code[1] = BLR;
	memcpy(p, code, 8);
}

/* Book II 1.8: what makes stored instructions be fetched. */
static void written(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 32)
		__asm__ volatile("dcbst 0, %0" : : "r"(p + i) : "memory");
	__asm__ volatile("sync" : : : "memory");
	for (size_t i = 0; i < n; i += 32)
		__asm__ volatile("icbi 0, %0" : : "r"(p + i) : "memory");
	__asm__ volatile("sync; isync" : : : "memory");
}

#else
#error "smc and jit write machine code: say here which"
#endif

/* Rewrites an immediate in a function and calls it, over and over. */
static uint64_t b_smc(unsigned n)
{
	unsigned char *f = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	if (f == MAP_FAILED)
		return 0;
	put_constant(f);
	for (uint32_t i = 0; i < n; i++) {
		patch_constant(f, i);
		written(f, 32);
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
		uint32_t add[12] = {i};

		for (unsigned k = 1; k < 12; k++)
			add[k] = add[k - 1] * 5 + k - 1;
		put_sum(buf + pos, add, 12);
		written(buf + pos, STRIDE);
		BENCH_USE(buf);
		for (uint32_t k = 0; k < 200; k++)
			sum += ((uint32_t(*)(uint32_t))(buf + pos))(k);
		pos = (pos + STRIDE) % (SIZE - 256);
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
