// SPDX-License-Identifier: Apache-2.0
/*
 * Words with reserved fields that are not zero do what they do without (Power ISA 3.0B I 1.3.3);
 * words without an instruction end in SIGILL.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

static sigjmp_buf back;
static uint32_t *code;

static void illegal(int sig, siginfo_t *si, void *context)
{
	siglongjmp(back, si->si_addr == code ? 1 : 2);
}

/* r3 after the word with 5 in r3, 7 in r4. */
static long execute(uint32_t word)
{
	register long r3 __asm__("r3") = 5, r4 __asm__("r4") = 7;

	code[0] = word;
	code[1] = 0x4e800020; /* blr */
	__asm__ volatile("dcbst 0, %0; sync; icbi 0, %0; sync; isync" ::"r"(code) : "memory");
	__asm__ volatile("mtctr %2; bctrl"
			 : "+r"(r3), "+r"(r4)
			 : "r"(code)
			 : "ctr", "lr", "cr0", "xer", "memory");
	return r3;
}

static const uint32_t words[] = {
	0x7c632378,		/* or r3,r3,r4 and so on, then the same with reserved bits */
	0x7c630034,		/* cntlzw r3,r3 */
	0x7c63f834, 0x7c630735, /* extsh. r3,r3 */
	0x7c63ff35, 0x7c6321d2, /* mulld r3,r3,r4 */
	0x7c8903a6,		/* mtctr r4 */
	0x7c8903a7, 0x7c6102a6, /* mfxer r3 */
	0x7c6102a7, 0x7c632096, /* mulhw r3,r3,r4 */
	0x7c632496,		/* and with OE, which it has not */
	0x7c6021ac,		/* stdcx. without its record bit */
	0x00000000, 0x04000000, /* primary opcodes that are not used */
	0x14000000, 0x18000000, 0x7c0007fe, /* extended opcodes that are not used */
	0x4c0007fe, 0xec000002,
};

int main(void)
{
	struct sigaction a = {.sa_sigaction = illegal, .sa_flags = SA_SIGINFO};
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;

	code = mmap(NULL, 65536, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED || sigaction(SIGILL, &a, NULL))
		return 1;
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		int sig = sigsetjmp(back, 1);

		if (sig)
			printf("%08x SIGILL %s\n", words[i], sig == 1 ? "there" : "elsewhere");
		else
			printf("%08x %ld\n", words[i], execute(words[i]));
	}
	return 0;
}
