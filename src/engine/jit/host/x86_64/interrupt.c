/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Interruptible system calls on x86-64 Linux. A handler that finds the program
 * counter between interrupt_begin and interrupt_end moves it to interrupt_abort:
 * the call has not been made, or the kernel (SA_RESTART) has put the counter back
 * on the SYSCALL instruction to make it once more.
 */
#include "engine/jit/host/x86_64/interrupt.h"

#include <errno.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define SA_RESTORER_BIT 0x04000000u /* asm/signal.h */

extern const char interrupt_begin[], interrupt_end[], interrupt_abort[], interrupt_restorer[];

/* rdi waiting, rsi nr, rdx rcx r8 r9 and two on the stack the arguments */
__asm__(".pushsection .text\n"
	".globl interrupt_call\n"
	".type interrupt_call, @function\n"
	"interrupt_call:\n"
	"	push %rbp\n"
	"	mov %rdi, %rbp\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %r8, %rdx\n"
	"	mov %r9, %r10\n"
	"	mov 16(%rsp), %r8\n"
	"	mov 24(%rsp), %r9\n"
	".globl interrupt_begin\n"
	"interrupt_begin:\n"
	"	cmpl $0, (%rbp)\n"
	"	jne interrupt_abort\n"
	"	syscall\n"
	".globl interrupt_end\n"
	"interrupt_end:\n"
	"	pop %rbp\n"
	"	ret\n"
	".globl interrupt_abort\n"
	"interrupt_abort:\n"
	"	mov $-512, %rax\n"
	"	pop %rbp\n"
	"	ret\n"
	".globl interrupt_restorer\n"
	"interrupt_restorer:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	".popsection\n");

void interrupt_rewind(void *ucontext)
{
	ucontext_t *uc = ucontext;
	u64 pc = (u64)uc->uc_mcontext.gregs[REG_RIP];

	if (pc >= (u64)interrupt_begin && pc < (u64)interrupt_end)
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)interrupt_abort;
}

u64 interrupt_pc(const void *ucontext)
{
	return (u64)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
}

void interrupt_registers(const void *ucontext, u64 regs[16])
{
	static const u8 order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				     REG_RSI, REG_RDI, REG_R8,	REG_R9,	 REG_R10, REG_R11,
				     REG_R12, REG_R13, REG_R14, REG_R15};

	for (unsigned i = 0; i < 16; i++)
		regs[i] = (u64)((const ucontext_t *)ucontext)->uc_mcontext.gregs[order[i]];
}

s64 interrupt_action(unsigned sig, u64 handler, u64 flags, u64 mask)
{
	struct {
		u64 handler, flags, restorer, mask;
	} sa = {handler, flags | SA_RESTORER_BIT, (u64)interrupt_restorer, mask};

	return syscall(SYS_rt_sigaction, sig, &sa, NULL, 8) ? -errno : 0;
}
