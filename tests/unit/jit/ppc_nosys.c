// SPDX-License-Identifier: Apache-2.0
/*
 * The system half of the POWER CPU (sys.h) where there is none: every privileged or system
 * instruction is a program interrupt. Storage (ppc_mem_read, ppc_mem_write) is the user's.
 */
#include "engine/jit/ppc/sys.h"

int ppc_spr_read(struct ppc_vcpu *c, u32 spr, u64 *val)
{
	if (spr == 815) {
		*val = c->tar;
		return 0;
	}
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
}

int ppc_spr_write(struct ppc_vcpu *c, u32 spr, u64 val)
{
	if (spr == 815) {
		c->tar = val;
		return 0;
	}
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
}

int ppc_sc(struct ppc_vcpu *c, enum ppc_vector vec, unsigned lev)
{
	ppc_raise(c, vec, 0);
	c->exc.lev = (u16)lev;
	return -1;
}

int ppc_mtmsr(struct ppc_vcpu *c, u64 val, unsigned l, bool doubleword)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

int ppc_rfid(struct ppc_vcpu *c)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

int ppc_hrfid(struct ppc_vcpu *c)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

int ppc_rfscv(struct ppc_vcpu *c)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}

int ppc_rfebb(struct ppc_vcpu *c, unsigned s)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
}

int ppc_sys_insn(struct ppc_vcpu *c, u32 insn, u32 op)
{
	return ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV);
}
