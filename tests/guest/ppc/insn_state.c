// SPDX-License-Identifier: Apache-2.0
/*
 * For ppc64 and ppc64le, static: reads states from stdin, executes one instruction on each, writes
 * the states back. A signal ends the instruction; its number is part of the answer.
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "insn_state.h"

_Static_assert(offsetof(struct state, vsr) == 0x180 && offsetof(struct state, mem) == STATE_MEM,
	       "the assembler's offsets");

extern char insn_slot[], insn_store[];
void insn_run(struct state *s);

/* r1 = state while it runs. GPR 1 and 13 are not part of it. */
__asm__(".pushsection .slot, \"awx\", @progbits\n"
	".align 4\n"
	".globl insn_slot, insn_store\n"
	"insn_start:\n"
	"	mflr 0\n"
	"	std 0, 16(1)\n"
	"	stdu 1, -1024(1)\n"
	"	.irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	std \\n, 8*\\n(1)\n"
	"	.endr\n"
	"	.irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	stfd \\n, 256+8*\\n(1)\n"
	"	.endr\n"
	"	li 5, 512\n"
	"	.irp n,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	stvx \\n, 5, 1\n"
	"	addi 5, 5, 16\n"
	"	.endr\n"
	"	mfcr 0\n"
	"	std 0, 1000(1)\n"
	"	std 1, 0x140(3)\n"
	"	std 2, 0x148(3)\n"
	"	std 13, 0x150(3)\n"
	"	mr 1, 3\n"
	"	addi 4, 1, 0x180\n"
	"	.irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
	"29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,"
	"59,60,61,62,63\n"
	"	lxvd2x \\n, 0, 4\n"
	"	addi 4, 4, 16\n"
	"	.endr\n"
	/* VSCR through VR 0, FPSCR through FPR 0, then load those again. */
	"	li 5, 0\n"
	"	mtvsrd 32, 5\n"
	"	ld 5, 0x128(1)\n"
	"	mtvsrd 33, 5\n"
	"	xxpermdi 32, 32, 33, 0\n"
	"	mtvscr 0\n"
	"	lfd 0, 0x120(1)\n"
	"	mtfsf 255, 0, 1, 0\n"
	"	addi 4, 1, 0x180\n"
	"	lxvd2x 0, 0, 4\n"
	"	addi 4, 4, 512\n"
	"	lxvd2x 32, 0, 4\n"
	"	addi 4, 4, 16\n"
	"	lxvd2x 33, 0, 4\n"
	"	ld 0, 0x100(1)\n"
	"	mtlr 0\n"
	"	ld 0, 0x108(1)\n"
	"	mtctr 0\n"
	"	ld 0, 0x110(1)\n"
	"	mtxer 0\n"
	"	ld 0, 0x118(1)\n"
	"	mtcr 0\n"
	"	ld 0, 0x168(1)\n"
	"	mtspr 815, 0\n"
	"	.irp "
	"n,0,2,3,4,5,6,7,8,9,10,11,12,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ld \\n, 8*\\n(1)\n"
	"	.endr\n"
	"	b insn_slot\n"
	"insn_store:\n"
	"	.irp "
	"n,0,2,3,4,5,6,7,8,9,10,11,12,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	std \\n, 8*\\n(1)\n"
	"	.endr\n"
	"	mflr 0\n"
	"	std 0, 0x100(1)\n"
	"	mfctr 0\n"
	"	std 0, 0x108(1)\n"
	"	mfxer 0\n"
	"	std 0, 0x110(1)\n"
	"	mfcr 0\n"
	"	std 0, 0x118(1)\n"
	"	mfspr 0, 815\n"
	"	std 0, 0x168(1)\n"
	"	addi 4, 1, 0x180\n"
	"	.irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
	"29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,"
	"59,60,61,62,63\n"
	"	stxvd2x \\n, 0, 4\n"
	"	addi 4, 4, 16\n"
	"	.endr\n"
	"	mffs 0\n"
	"	stfd 0, 0x120(1)\n"
	"	mfvscr 0\n"
	"	xxpermdi 0, 32, 32, 3\n"
	"	stfd 0, 0x128(1)\n"
	"	li 0, 0\n"
	"	std 0, 0x158(1)\n"
	"	lfd 0, 0x158(1)\n"
	"	mtfsf 255, 0, 1, 0\n"
	"	ld 2, 0x148(1)\n"
	"	ld 13, 0x150(1)\n"
	"	ld 1, 0x140(1)\n"
	"	ld 0, 1000(1)\n"
	"	mtcr 0\n"
	"	li 5, 512\n"
	"	.irp n,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	lvx \\n, 5, 1\n"
	"	addi 5, 5, 16\n"
	"	.endr\n"
	"	.irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ld \\n, 8*\\n(1)\n"
	"	.endr\n"
	"	.irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	lfd \\n, 256+8*\\n(1)\n"
	"	.endr\n"
	"	addi 1, 1, 1024\n"
	"	ld 0, 16(1)\n"
	"	mtlr 0\n"
	"	blr\n"
	".popsection\n"
	/*
	 * Alone on its page: QEMU translates all code of a page anew when a word of it changes.
	 * Zeros around it are illegal instructions, for branches to end at.
	 */
	".pushsection .insn, \"awx\", @progbits\n"
	"	.zero 4092\n"
	"insn_slot:\n"
	"	nop\n"
	"	b insn_store\n"
	"	.zero 4092\n"
	".popsection\n");

#ifdef __LITTLE_ENDIAN__
__asm__(".globl insn_run\n.set insn_run, insn_start\n");
#else
__asm__(".pushsection .opd, \"aw\"\n.align 3\n.globl insn_run\ninsn_run: .quad insn_start, "
	".TOC.@tocbase, 0\n"
	".popsection\n");
#endif

static struct state *const state = (struct state *)STATE_ADDR;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)info;
	if (u->uc_mcontext.gp_regs[32] == INSN_ADDR)
		state->signal = (uint64_t)sig;
	else
		state->nip = u->uc_mcontext.gp_regs[32];
	u->uc_mcontext.gp_regs[32] = (unsigned long)insn_store;
}

static int transfer(int fd, void *buf, size_t n, int out)
{
	char *p = buf;

	while (n) {
		ssize_t r = out ? write(fd, p, n) : read(fd, p, n);

		if (r <= 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int main(void)
{
	static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
	static char stack[65536];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = on_signal,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (mmap(state, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		return 1;
	if ((unsigned long)insn_slot != INSN_ADDR)
		return 1;
	sigaltstack(&alt, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	while (transfer(0, state, sizeof(*state), 0) == 0) {
		*(volatile uint32_t *)insn_slot = (uint32_t)state->insn;
		__asm__ volatile("dcbst 0, %0; sync; icbi 0, %0; sync; isync"
				 :
				 : "r"(insn_slot)
				 : "memory");
		state->signal = state->nip = 0;
		insn_run(state);
		if (transfer(1, state, sizeof(*state), 1))
			return 1;
	}
	return 0;
}
