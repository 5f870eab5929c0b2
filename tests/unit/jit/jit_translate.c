/* SPDX-License-Identifier: Apache-2.0 */
/* The translator against the host CPU: the same functions, both ways, same results. */
#include "jit_self.h"

#include <stdbool.h>

#include "engine/jit/rt/jit.h"
#include "tests/test.h"

typedef uint64_t (*fn3)(uint64_t, uint64_t, uint64_t);

static struct x86_vcpu *guest;

static void both(fn3 fn, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t native = fn(a, b, c);

	if (!guest)
		SKIP("needs FSGSBASE");
	CHECK_EQ(self_call(guest, fn, a, b, c), native);
	CHECK_EQ(self_call(guest, fn, a, b, c), native);
}

static __attribute__((noinline)) uint64_t fib(uint64_t n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t f_fib(uint64_t a, uint64_t b, uint64_t c)
{
	return fib(a);
}

static void t_calls(void)
{
	both(f_fib, 20, 0, 0);
}

static uint64_t f_hash(uint64_t a, uint64_t b, uint64_t c)
{
	static uint8_t buf[20000];
	uint64_t h = b;

	for (uint64_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * a + c);
	for (uint64_t i = 0; i + 8 <= sizeof(buf); i += 5) {
		uint64_t v;

		memcpy(&v, buf + i, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
		h = h << (v & 31) | h >> ((64 - (v & 31)) & 63);
	}
	return h;
}

static void t_memory(void)
{
	both(f_hash, 7, 99, 3);
	both(f_hash, 123457, 0, 250);
}

static uint64_t f_switch(uint64_t n, uint64_t seed, uint64_t c)
{
	uint64_t acc = seed;

	for (uint64_t i = 0; i < n; i++) {
		switch ((acc ^ i) % 9) {
		case 0:
			acc += 3;
			break;
		case 1:
			acc *= 5;
			break;
		case 2:
			acc ^= acc >> 7;
			break;
		case 3:
			acc -= i;
			break;
		case 4:
			acc = ~acc;
			break;
		case 5:
			acc += acc << 3;
			break;
		case 6:
			acc ^= 0x1234567;
			break;
		case 7:
			acc = (acc >> 3) | (acc << 61);
			break;
		default:
			acc++;
		}
	}
	return acc;
}

static void t_indirect(void)
{
	both(f_switch, 5000, 42, 0);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t f_libc(uint64_t n, uint64_t seed, uint64_t c)
{
	static uint32_t v[3000];
	static char text[4000];
	uint64_t h = seed;

	for (uint64_t i = 0; i < n; i++)
		v[i] = (uint32_t)(h = h * 6364136223846793005ULL + 1442695040888963407ULL);
	qsort(v, n, sizeof(v[0]), compare);
	text[0] = 0;
	for (uint64_t i = 0; i < 60; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u:%g,", v[i * 7],
			 (double)v[i] / 3);
	for (const char *p = text; *p; p++)
		h = h * 31 + (unsigned char)*p;
	return h + strtoul(text, NULL, 10) + (uint64_t)(strchr(text, 'e') != NULL);
}

static void t_libc(void)
{
	both(f_libc, 3000, 5, 0);
}

static uint64_t f_float(uint64_t n, uint64_t b, uint64_t c)
{
	double x = 1.5, y = 0.3;
	long double z = 1.25L;
	union {
		double d;
		uint64_t u;
	} r;

	for (uint64_t i = 0; i < n; i++) {
		x = x * 1.0000001 + y / (double)(i + 1);
		y = y - x * 1e-7;
		z = z * 1.0000003L - 1e-9L;
	}
	r.d = x + y + (double)z;
	return r.u;
}

static void t_float(void)
{
	both(f_float, 3000, 0, 0);
}

/* Accesses that stay on a page for a while, and accesses that never do. */
static uint64_t f_pages(uint64_t n, uint64_t b, uint64_t c)
{
	static uint64_t buf[64 * 512 + 1];
	uint64_t x = b, sum = 0;

	memset(buf, 0, sizeof(buf));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t *p = &buf[x >> 49];

		x = x * 0x5851f42d4c957f2dULL + c;
		p[0] += i;
		p[1] ^= x; /* now and then on the next page */
		sum += p[0] + buf[i & 511];
	}
	return sum;
}

static unsigned slotless(void)
{
	const struct jit *j = guest->vm->jit;
	unsigned n = 0;

	for (unsigned i = 0; i < JIT_NOSLOT; i++)
		n += j->noslot[i] != 0;
	return n;
}

static void t_pages(void)
{
	if (!guest)
		SKIP("needs FSGSBASE");
	both(f_pages, 100000, 1, 1442695040888963407);
	CHECK(slotless() > 0); /* the random ones were found */
	CHECK(slotless() < 20);
	both(f_pages, 5000, 7, 99);
}

/* Hand-written pieces: what compilers do not produce often. */
__asm__(".text\n"
	"f_adc: xor %eax,%eax; mov $100,%ecx; lea adc_data(%rip),%r8; clc\n"
	"1: adc (%r8),%rax; lea 1(%r8),%r8; dec %ecx; jnz 1b; adc $0,%rax; ret\n"
	"f_loop: mov %rdi,%rcx; xor %eax,%eax\n"
	"1: add %rcx,%rax; loop 1b; jrcxz 2f; ud2\n"
	"2: mov $5,%ecx; cmp %eax,%eax\n"
	"3: lea 1(%rax),%rax; loope 3b; adc %rsi,%rax; ret\n"
	"f_high: mov %rbx,%r9; mov %rdi,%rax; mov %rsi,%rcx; lea adc_data+64(%rip),%rbx\n"
	"movb $0,1(%rbx); movq $0,8(%rbx); movb $0,(%rbx)\n"
	"mov %ah,(%rbx); mov %cl,1(%rbx); add %ch,(%rbx); movzwl (%rbx),%edx; mov %rbx,%r10\n"
	"xor 1(%rbx),%dh; mov %rdx,%r11; xchg %r11,%rax; xadd %r11,8(%r10); mov 8(%r10),%rax\n"
	"add %r11,%rax; bswap %r11; xor %r11,%rax; movb $0,(%r10); movq $0,8(%r10)\n"
	"mov %r9,%rbx; ret\n"
	"f_carry: cmp %rsi,%rdi; call 1f; setc %al; movzbl %al,%eax; ret\n"
	"1: push %rbx; push %r11; mov $3,%ebx; pop %r11; pop %rbx; ret\n"
	"f_lea: lea 5(%rdi),%r11; lea 1(%r11,%rsi,2),%r11; lea (%rdi),%r10; lea 3(%r10),%r10d\n"
	"lea (%r10,%r11),%r10; lea -1(%r11,%r10,4),%r11; lea (%r11),%rax; lea 7(%rip),%r10\n"
	"lea 1f(%rip),%rcx; 1: sub %rcx,%r10; add %r10,%rax; lea 0x1234,%r10w; xor %r10,%rax; ret\n"
	"f_enter: enter $32,$0; mov %rdi,-8(%rbp); push -8(%rbp); push $-7; pop %rax; pop %r10\n"
	"add %r10,%rax; leave; ret\n"
	".data\nadc_data: .fill 200,1,0xa5\n.text\n");
uint64_t f_adc(uint64_t, uint64_t, uint64_t), f_loop(uint64_t, uint64_t, uint64_t),
	f_high(uint64_t, uint64_t, uint64_t), f_carry(uint64_t, uint64_t, uint64_t),
	f_enter(uint64_t, uint64_t, uint64_t), f_lea(uint64_t, uint64_t, uint64_t);

static void t_flags_over_memory(void)
{
	both(f_adc, 0, 0, 0);
}

static void t_loop(void)
{
	both(f_loop, 77, 5, 0);
}

static void t_high_bytes(void)
{
	both(f_high, 0x1122334455667788, 0x99aabbccddeeff00, 0);
}

static void t_flags_returned(void)
{
	both(f_carry, 1, 2, 0);
	both(f_carry, 2, 1, 0);
}

static void t_lea(void)
{
	both(f_lea, 0x1111111122222222, 0x33, 0);
}

static void t_stack(void)
{
	both(f_enter, 1000, 0, 0);
}

static uint64_t f_pause(uint64_t a, uint64_t b, uint64_t c)
{
	while (a--)
		__builtin_ia32_pause();
	return b;
}

/* Reads by as many names for an address as there are slots; then a write. */
__asm__(".text\n.globl f_reads, f_write\n"
	"f_reads:\n.rept 16\n.rept 14\nmov (%rdi),%rax\nadd %rsi,%rdi\n.endr\njmp "
	"1f\n1:\n.endr\nret\n"
	"f_write: mov %rsi,(%rdi); xor %eax,%eax; ret\n");
uint64_t f_reads(uint64_t, uint64_t, uint64_t), f_write(uint64_t, uint64_t, uint64_t);

/* That a page was read through a slot gives nobody leave to write it. */
static void t_reads_open_no_writes(void)
{
	static uint64_t page[1024] __attribute__((aligned(4096)));

	if (!guest)
		SKIP("needs FSGSBASE");
	self_watch(page);
	for (unsigned i = 0; i < 3; i++)
		self_call(guest, f_reads, (uint64_t)(uintptr_t)page, 0, 0);
	CHECK_EQ(self_watched_writes(), 0);
	self_call(guest, f_write, (uint64_t)(uintptr_t)page, 7, 0);
	CHECK_EQ(page[0], 7);
	CHECK(self_watched_writes() > 0);
}

static void no_yield(void)
{
}

/* With several vCPUs the interpreter sees each PAUSE, so that it can yield. */
static void t_pause(void)
{
	uint64_t before;

	both(f_pause, 1000, 5, 0);
	before = self_interpreted();
	self_call(guest, f_pause, 1000, 5, 0);
	CHECK(self_interpreted() - before < 100);
	guest->vm->yield = no_yield;
	jit_page_written(guest->vm, (uint64_t)(uintptr_t)f_pause & ~4095ULL);
	before = self_interpreted();
	self_call(guest, f_pause, 1000, 5, 0);
	CHECK(self_interpreted() - before >= 1000);
	guest->vm->yield = NULL;
}

int main(void)
{
	guest = self_guest();
	RUN(t_calls);
	RUN(t_memory);
	RUN(t_indirect);
	RUN(t_flags_over_memory);
	RUN(t_loop);
	RUN(t_high_bytes);
	RUN(t_flags_returned);
	RUN(t_lea);
	RUN(t_stack);
	RUN(t_float);
	RUN(t_pages);
	RUN(t_libc);
	RUN(t_pause);
	RUN(t_reads_open_no_writes);
	return test_done();
}
