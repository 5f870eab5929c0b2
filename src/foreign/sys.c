/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system half of the POWER CPU for a program without a machine
 * (engine/jit/ppc/sys.h): what problem state may read and write; everything else
 * is a privileged instruction and becomes SIGILL.
 */
#include "engine/jit/ppc/swap.h"
#include "engine/jit/ppc/sys.h"

#include <string.h>
#include <time.h>

#include "foreign/task.h"
#include "isa/ppc/insn.h"

/* Special-purpose registers, ISA III 5.4.4 */
enum { SPR_DSCR = 3, SPR_TB = 268, SPR_TBU = 269, SPR_PVR = 287, SPR_PPR = 896, SPR_PPR32 = 898 };

#define TB_HZ 512000000ULL /* as pseries machines tell in their device tree */
#define POWER9_PVR 0x004e1202u

static u64 time_base(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * TB_HZ + (u64)t.tv_nsec * (TB_HZ / 1000000) / 1000;
}

static int privileged(struct ppc_vcpu *c)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

/* PVR is privileged, but Linux answers for it (arch/powerpc/kernel/traps.c). */
int ppc_spr_read(struct ppc_vcpu *c, u32 spr, u64 *val)
{
	switch (spr) {
	case SPR_DSCR:
		*val = c->dscr;
		return 0;
	case SPR_TB:
		*val = time_base();
		return 0;
	case SPR_TBU:
		*val = time_base() >> 32;
		return 0;
	case SPR_PVR:
		*val = POWER9_PVR;
		return 0;
	case SPR_PPR:
		*val = c->ppr;
		return 0;
	case SPR_PPR32:
		*val = c->ppr >> 32;
		return 0;
	default:
		return privileged(c);
	}
}

int ppc_spr_write(struct ppc_vcpu *c, u32 spr, u64 val)
{
	switch (spr) {
	case SPR_DSCR:
		c->dscr = val;
		return 0;
	case SPR_PPR:
		c->ppr = val;
		return 0;
	case SPR_PPR32:
		c->ppr = val << 32;
		return 0;
	default:
		return privileged(c);
	}
}

int ppc_sc(struct ppc_vcpu *c, enum ppc_vector vec, unsigned lev)
{
	ppc_raise(c, vec, 0);
	c->exc.lev = (u16)lev;
	return -1;
}

int ppc_mtmsr(struct ppc_vcpu *c, u64 val, unsigned l, bool doubleword)
{
	return privileged(c);
}

int ppc_rfid(struct ppc_vcpu *c)
{
	return privileged(c);
}

int ppc_hrfid(struct ppc_vcpu *c)
{
	return privileged(c);
}

int ppc_rfscv(struct ppc_vcpu *c)
{
	return privileged(c);
}

int ppc_rfebb(struct ppc_vcpu *c, unsigned s)
{
	return privileged(c);
}

/* icbi: the program has written code there. */
int ppc_sys_insn(struct ppc_vcpu *c, u32 insn, u32 op)
{
	u64 ea;

	if (op != PPC_OP_ICBI)
		return privileged(c);
	ea = (ppc_ra(insn) ? c->gpr[ppc_ra(insn)] : 0) + c->gpr[ppc_rb(insn)];
	cpu_code_changed((struct space *)c->vm, ea, ea + 1);
	return 0;
}

/* A fault in these copies is the host's SIGSEGV, and so the program's (cpu.c). */
int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	memcpy(buf, (const void *)ea, n);
	return 0;
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	memcpy((void *)ea, buf, n);
	return 0;
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	return ppc_swap((void *)ea, n, old, new);
}
