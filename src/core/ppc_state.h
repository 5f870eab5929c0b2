/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The architectural state of one POWER CPU (Power ISA 3.0) as engine_ops.vcpu_get_ppc
 * gives it, for debuggers and tests. Knows no engine.
 */
#ifndef HULL_CORE_PPC_STATE_H
#define HULL_CORE_PPC_STATE_H

#include "base/types.h"

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
