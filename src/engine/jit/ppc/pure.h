/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Helpers of generated code without any effect but their result; operands that an instruction does
 * not have are ignored.
 */
#ifndef HULL_ENGINE_JIT_PPC_PURE_H
#define HULL_ENGINE_JIT_PPC_PURE_H

#include "base/types.h"

u64 ppc_cmpb(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_popcntb(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_popcntw(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_prtyw(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_prtyd(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_bpermd(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_cmprb(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_cmpeqb(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_divde(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_divde_ov(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_divdeu(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_addg6s(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_cdtbcd(void *cpu, u64 a, u64 b, u64 c);
u64 ppc_cbcdtd(void *cpu, u64 a, u64 b, u64 c);

#endif
