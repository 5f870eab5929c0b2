/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The architectural state of one POWER CPU (Power ISA 3.0) as it passes through
 * engine_ops.vcpu_get_ppc/vcpu_set_ppc: for boards that start a CPU, debuggers
 * and tests. Knows no engine.
 */
#ifndef HULL_CORE_PPC_STATE_H
#define HULL_CORE_PPC_STATE_H

#include "base/types.h"

/* Bits of the machine state register, Power ISA 3.0 book III section 3.2.1. */
enum ppc_msr_bits {
	PPC_MSR_LE = 1,
	PPC_MSR_RI = 1 << 1,
	PPC_MSR_DR = 1 << 4,
	PPC_MSR_IR = 1 << 5,
	PPC_MSR_FE1 = 1 << 8,
	PPC_MSR_BE = 1 << 9, /* branch trace */
	PPC_MSR_SE = 1 << 10,
	PPC_MSR_FE0 = 1 << 11,
	PPC_MSR_ME = 1 << 12,
	PPC_MSR_FP = 1 << 13,
	PPC_MSR_PR = 1 << 14,
	PPC_MSR_EE = 1 << 15,
	PPC_MSR_VSX = 1 << 23,
	PPC_MSR_VEC = 1 << 25,
};
#define PPC_MSR_HV (1ull << 60)
#define PPC_MSR_SF (1ull << 63)

struct ppc_state {
	u64 gpr[32];
	u64 nip, msr, lr, ctr, xer;
	u32 cr, vrsave, vscr;
	u64 fpscr;
	struct {
		u64 hi, lo; /* doubleword 0 (FPR n for n < 32) and 1 */
	} vsr[64];
	u64 srr0, srr1, dar, dsisr, sprg[4];
	u64 pidr, lpcr;
	bool stopped; /* waits for vcpu_start */
};

#endif
