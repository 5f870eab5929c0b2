/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests/unit/jit/ppc_diff.c and the program it runs under QEMU (insn_state.c) exchange: a
 * state and an instruction one way, the state after it the other. Numbers in the guest's byte
 * order.
 */
#ifndef HULL_TESTS_GUEST_PPC_INSN_STATE_H
#define HULL_TESTS_GUEST_PPC_INSN_STATE_H

#include <stdint.h>

#define STATE_ADDR 0x40000000ul /* of struct state in the guest; GPR 1 holds it */
/* Of the instruction, the last word of its page; there is no other code for 4 KiB before and
 * after it. */
#define INSN_ADDR 0x11000ffcul

struct state {
	uint64_t gpr[32];	    /* 0x000 */
	uint64_t lr, ctr, xer, cr;  /* 0x100 */
	uint64_t fpscr, vscr;	    /* 0x120 */
	uint64_t insn, signal;	    /* 0x130 */
	uint64_t host_sp, host_toc; /* 0x140: the program's own */
	uint64_t pad[2];	    /* 0x150 */
	uint64_t nip;		    /* 0x160: where it went, 0: to the next one, or a signal */
	uint64_t tar;		    /* 0x168 */
	uint64_t pad2[2];	    /* 0x170 */
	uint64_t vsr[64][2];	    /* 0x180: doublewords 0 and 1 */
	uint8_t mem[512];	    /* 0x580 */
};

#define STATE_MEM 0x580

#endif
