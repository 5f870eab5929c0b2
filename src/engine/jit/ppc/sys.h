/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What lifted code asks of the system half (exc.c, spr.c, mmu*.c) or, for a
 * program without a machine, of whoever stands in for it.
 *
 * Every function is called from generated code with all guest state in memory
 * and nip at the instruction itself. Those that return int: 0, or -1 with c->exc
 * filled in (ppc_raise); the unit is then left. Where the comment says "ends the
 * unit" the lifter has put the next instruction's address into nip before the
 * call, the function may set another, and the unit is left whatever it returns.
 * (Of a function that raises there, nip is set back: exc.pending and
 * nip - 4.)
 */
#ifndef HULL_ENGINE_JIT_PPC_SYS_H
#define HULL_ENGINE_JIT_PPC_SYS_H

#include "engine/jit/ppc/cpu.h"

/*
 * mfspr, mtspr of all but LR, CTR, XER, VRSAVE and TAR's ordinary case, which the lifter does
 * itself. Privilege, existence (ISA III 5.4.4: no-op or HEAI/program) and facility checks are here.
 * mtspr ends the unit.
 */
int ppc_spr_read(struct ppc_vcpu *c, u32 spr, u64 *val);
int ppc_spr_write(struct ppc_vcpu *c, u32 spr, u64 val);

/* sc, scv: vec is PPC_SYSCALL or PPC_SYSCALL_VECTORED. Ends the unit; raised, nip stays. */
int ppc_sc(struct ppc_vcpu *c, enum ppc_vector vec, unsigned lev);

/* mtmsr, mtmsrd: the whole RS and the L field; privilege is checked by the lifter. Ends the unit.
 */
int ppc_mtmsr(struct ppc_vcpu *c, u64 val, unsigned l, bool doubleword);
/* rfid, hrfid, rfscv, rfebb. Ends the unit. */
int ppc_rfid(struct ppc_vcpu *c);
int ppc_hrfid(struct ppc_vcpu *c);
int ppc_rfscv(struct ppc_vcpu *c);
int ppc_rfebb(struct ppc_vcpu *c, unsigned s);

/*
 * Privileged instructions that are rare: slb*, tlb*, msg*, stop, nap, dcbz of cache-inhibited
 * storage... `insn` is the instruction word, `op` its enum ppc_op (isa/ppc/insn.h). The lifter has
 * checked privilege (PR, and HV where the table says hypervisor). For a program without a machine
 * (PPC_KEY_FLAT) icbi comes here too. Ends the unit.
 */
int ppc_sys_insn(struct ppc_vcpu *c, u32 insn, u32 op);

/*
 * Storage accesses of helpers (lswx, lxvl, ...): n bytes, 1 to 128, at an effective address in
 * the current mode, bytes in storage order; they may cross pages, and fault before anything is
 * written or after part of it.
 */
int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n);
int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n);
/*
 * n bytes (4, 8 or 16, aligned) become *new if they are *old, atomically for all vCPUs: 1, 0 if
 * they are not or this is no RAM, -1 raised.
 */
int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n);

#endif
