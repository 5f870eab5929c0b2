/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stack of a program: argument and environment strings, the auxiliary
 * vector, and the two pointer arrays, as the kernel leaves them (64-bit ELF V2
 * ABI for Power, section 4.1.2.3; Linux fs/binfmt_elf.c).
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bits.h"
#include "foreign/task.h"

#define STACK_SIZE MIB(64)
#define ARG_MAX_BYTES MIB(8)

/* asm/cputable.h: what the software CPU has (POWER9 without decimal and quad-precision FP) */
/* No ICACHE_SNOOP: programs that write code say so block by block (icbi). */
#define HWCAP 0xdc001182ULL  /* 32 64 ALTIVEC FPU MMU 2.05 2.06 VSX TRUE_LE */
#define HWCAP2 0x8ea00000ULL /* 2.07 ISEL TAR VEC_CRYPTO 3.00 DARN */
#define CACHE_BLOCK 128u

/* Auxiliary vector types that only POWER has: asm/auxvec.h */
enum {
	PPC_AT_DCACHEBSIZE = 19,
	PPC_AT_ICACHEBSIZE = 20,
	PPC_AT_UCACHEBSIZE = 21,
	PPC_AT_IGNORE = 22
};

struct builder {
	u64 low, sp; /* what is used grows down from sp */
	bool full;
};

static u64 push_bytes(struct builder *b, const void *p, u64 n)
{
	if (b->sp - b->low < n) {
		b->full = true;
		return 0;
	}
	b->sp -= n;
	memcpy((void *)b->sp, p, n);
	return b->sp;
}

static u64 push_string(struct builder *b, const char *s)
{
	return push_bytes(b, s, strlen(s) + 1);
}

static u64 count(char **v)
{
	u64 n = 0;

	while (v[n])
		n++;
	return n;
}

/* Pushes the strings of v and writes their addresses into out[]. */
static void push_strings(struct builder *b, char **v, u64 n, u64 *out)
{
	for (u64 i = n; i-- > 0;)
		out[i] = push_string(b, v[i]);
	out[n] = 0;
}

static unsigned auxiliary(u64 *a, const struct image *im, u64 random, u64 platform, u64 name)
{
	const u64 pairs[] = {
		PPC_AT_IGNORE,
		PPC_AT_IGNORE,
		PPC_AT_DCACHEBSIZE,
		CACHE_BLOCK,
		PPC_AT_ICACHEBSIZE,
		CACHE_BLOCK,
		PPC_AT_UCACHEBSIZE,
		0,
		AT_HWCAP,
		HWCAP,
		AT_HWCAP2,
		HWCAP2,
		AT_PAGESZ,
		FOREIGN_PAGE,
		AT_CLKTCK,
		100,
		AT_PHDR,
		im->phdr,
		AT_PHENT,
		56,
		AT_PHNUM,
		im->phnum,
		AT_BASE,
		im->interp_base,
		AT_FLAGS,
		0,
		AT_ENTRY,
		im->entry,
		AT_UID,
		getuid(),
		AT_EUID,
		geteuid(),
		AT_GID,
		getgid(),
		AT_EGID,
		getegid(),
		AT_SECURE,
		0,
		AT_RANDOM,
		random,
		AT_EXECFN,
		name,
		AT_PLATFORM,
		platform,
		AT_BASE_PLATFORM,
		platform,
		AT_NULL,
		0,
	};

	memcpy(a, pairs, sizeof(pairs));
	return ARRAY_LEN(pairs);
}

static u64 map_stack(struct space *sp, struct err *e)
{
	void *p = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	(void)sp;
	if (p == MAP_FAILED) {
		err_errno(e, "stack");
		return 0;
	}
	mprotect(p, 65536, PROT_NONE);
	return (u64)p + 65536;
}

u64 stack_build(struct space *sp, const struct image *im, char **argv, char **envp, struct err *e)
{
	u64 argc = count(argv), envc = count(envp), low = map_stack(sp, e), random, platform, name;
	u64 aux[64], words, *table;
	struct builder b = {.low = low, .sp = low + STACK_SIZE - 65536};
	u8 seed[16];
	unsigned naux;

	if (!low)
		return 0;
	b.low = b.sp - ARG_MAX_BYTES;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		memset(seed, 0x5a, sizeof(seed));
	name = push_string(&b, sp->exe);
	platform = push_string(&b, "power9");
	random = push_bytes(&b, seed, sizeof(seed));
	naux = auxiliary(aux, im, random, platform, name);
	/* Pointers are collected below the strings' room, then moved into place. */
	words = 1 + argc + 1 + envc + 1;
	table = (u64 *)(low + 4096);
	if (b.full || words > MIB(4) / 8) {
		err_set(e, E2BIG, "%s: too many arguments", sp->exe);
		return 0;
	}
	table[0] = argc;
	push_strings(&b, argv, argc, table + 1);
	push_strings(&b, envp, envc, table + 1 + argc + 1);
	b.sp = align_down(b.sp, 16);
	if ((words + naux) % 2)
		b.sp -= 8;
	push_bytes(&b, aux, naux * 8);
	push_bytes(&b, table, words * 8);
	if (b.full) {
		err_set(e, E2BIG, "%s: arguments of more than %llu bytes", sp->exe,
			(unsigned long long)ARG_MAX_BYTES);
		return 0;
	}
	return b.sp;
}
