/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host CPU as a witness: run one instruction natively in ring 3, in 64-, 32-
 * or 16-bit mode, from a complete register state, and get the state after it
 * or the exception it raised. One thread only: it owns fixed low addresses and
 * the synchronous signals.
 */
#ifndef HULL_TESTS_HOST_CPU_H
#define HULL_TESTS_HOST_CPU_H

/* Fixed addresses below 2 GiB, so that 32-bit code and disp32 reach them. */
#define HOST_AREA 0x20000000
#define HOST_CODE 0x00a00000		 /* one page: the instruction and the way out */
#define HOST_CODE_AT (HOST_CODE + 0x400) /* where host_cpu_run puts it */
#define HOST_DATA 0x00900000 /* scratch memory, HOST_DATA_SIZE bytes, a hole on both sides */
#define HOST_DATA_SIZE 0x2000
/* 16-bit code sees the code page and the data through segments with these bases. */
#define HOST_CODE16 HOST_CODE
#define HOST_DATA16 (HOST_DATA - 0x1000)
#define HOST_XSAVE_SIZE 4096
/* XCR0 bits of what is loaded, stored and compared: x87, SSE, AVX, AVX-512. A host may have more
 * (protection keys, tiles). */
#define HOST_XSAVE_MASK 0xe7

/* Offsets into struct host_area, for host_cpu.S. */
#define HA_RFLAGS 0x80
#define HA_ENTRY 0x88
#define HA_RSP 0x90
#define HA_FAR 0x98
#define HA_EXIT 0xa0
#define HA_DATA_SEL 0xa8
#define HA_XSAVE 0x1000

#ifndef __ASSEMBLER__
#include "isa/x86/insn.h"

struct host_area {
	u64 gpr[16]; /* in and out */
	u64 rflags;
	u64 entry;
	u64 host_rsp;
	u32 far_off;
	u16 far_sel;
	u64 exit;
	u16 data_sel; /* for DS, ES and SS */
	u8 pad[HA_XSAVE - 0xaa];
	u8 xsave[HOST_XSAVE_SIZE] __attribute__((aligned(64))); /* standard format */
};

struct host_fault {
	int vector; /* -1: none */
	u32 error;
	u64 addr; /* of a page fault */
	u64 rip;  /* relative to the instruction */
};

/*
 * Map the areas and take the signals; handlers installed before keep getting
 * what is not ours. False (and says why on stdout) if this host cannot.
 */
bool host_cpu_init(void);
struct host_area *host_cpu_area(void);
/* Has the kernel an LDT for 16-bit segments? 64- and 32-bit mode are always there. */
bool host_cpu_can(enum x86_mode mode);
/* Bases of the code and of the data segments in this mode. */
u64 host_cpu_code_base(enum x86_mode mode);
u64 host_cpu_data_base(enum x86_mode mode);
/* Run the n bytes of one instruction; state in and out is host_cpu_area(). */
struct host_fault host_cpu_run(enum x86_mode mode, const u8 *code, unsigned n);
/*
 * The same for a branch: everything around it in the page is HLT, which in ring
 * 3 is #GP where control arrived (fault.rip); a #GP at rip 0 is the branch's own.
 */
struct host_fault host_cpu_branch(enum x86_mode mode, const u8 *code, unsigned n);
bool host_cpu_has(unsigned feature); /* enum x86_feature */
u64 host_cpu_xcr0(void);	     /* within HOST_XSAVE_MASK */
u32 host_cpu_xsave_size(void);	     /* of the standard area for that */
#endif
#endif
