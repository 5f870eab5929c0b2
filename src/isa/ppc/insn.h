/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pure knowledge of the POWER instruction set: one table, one decoder, one
 * disassembler. Knows no CPU state. Freestanding, no mutable state.
 *
 * Source: Power ISA 3.0B (and 2.07B for what 3.0 dropped). Words are numbers:
 * whoever fetches has already undone the storage byte order.
 */
#ifndef HULL_ISA_PPC_INSN_H
#define HULL_ISA_PPC_INSN_H

#include "base/types.h"
#include "isa/ppc/ops.h"

enum ppc_flags {
	PPC_F_V3 = 1 << 0,   /* since ISA 3.0 */
	PPC_F_PRIV = 1 << 1, /* privileged */
	PPC_F_HV = 1 << 2,   /* hypervisor */
	PPC_F_END = 1 << 3,  /* may go elsewhere, or change how the next one is to be read */
	PPC_F_LD = 1 << 4,
	PPC_F_ST = 1 << 5,
	PPC_F_TM = 1 << 6, /* transactional memory */
	PPC_F_RC = 1 << 7, /* bit 31 is Rc */
	PPC_F_OE = 1 << 8,
	PPC_F_LK = 1 << 9,
	PPC_F_AA = 1 << 10,
	PPC_F_RO = 1 << 11, /* bit 31 rounds to odd */
	PPC_F_RX = 1 << 12, /* bit 31 signals inexact (xsrqpix) */
	PPC_F_RC21 = 1 << 13,
};

/* Which unavailable interrupt stands before it. */
enum ppc_facility {
	PPC_FAC_NONE,
	PPC_FAC_FP,
	PPC_FAC_VEC,
	PPC_FAC_VSX,
	PPC_FAC_SX,  /* MSR.VSX if bit 31 (TX) is 0, else MSR.VEC */
	PPC_FAC_SXQ, /* the same with bit 28 */
	PPC_FAC_FX,  /* MSR.FP if bit 31 is 0, else MSR.VEC */
};

struct ppc_row {
	u32 mask;  /* bits that are neither operand nor attribute */
	u32 fixed; /* of them the opcode; the rest is reserved fields */
	u32 value;
	u16 op; /* enum ppc_op */
	u16 flags;
	u8 facility;
	u8 opnd[5]; /* enum ppc_opnd */
	const char *name;
};

/* The row of an instruction word, or NULL: no such instruction. Reserved fields may hold anything
 * (Book I 1.3.3: the processor ignores them); ppc_canonical() is the word without them. */
const struct ppc_row *ppc_decode(u32 word);

static inline u32 ppc_canonical(const struct ppc_row *r, u32 word)
{
	return (word & ~r->mask) | r->value;
}

/* Text as `objdump -M raw`, at most size - 1 characters; pc for branch targets. Returns its length.
 */
size_t ppc_disasm(u32 word, u64 pc, char *buf, size_t size);

/* ---- fields of an instruction word (Book I 1.6.3) ------------------------------------ */
/* Bits first to last in the ISA's numbering. */
static inline u32 ppc_bits(u32 w, unsigned first, unsigned last)
{
	return w >> (31 - last) & (~0u >> (31 - (last - first)));
}

static inline unsigned ppc_rt(u32 w)
{
	return ppc_bits(w, 6, 10);
}

static inline unsigned ppc_ra(u32 w)
{
	return ppc_bits(w, 11, 15);
}

static inline unsigned ppc_rb(u32 w)
{
	return ppc_bits(w, 16, 20);
}

static inline unsigned ppc_rc(u32 w)
{
	return ppc_bits(w, 21, 25);
}

static inline unsigned ppc_xt(u32 w)
{
	return ppc_rt(w) | (w & 1) << 5;
}

static inline unsigned ppc_xa(u32 w)
{
	return ppc_ra(w) | (w >> 2 & 1) << 5;
}

static inline unsigned ppc_xb(u32 w)
{
	return ppc_rb(w) | (w >> 1 & 1) << 5;
}

static inline unsigned ppc_xc(u32 w)
{
	return ppc_rc(w) | (w >> 3 & 1) << 5;
}

static inline unsigned ppc_xtq(u32 w)
{
	return ppc_rt(w) | (w >> 3 & 1) << 5;
}

static inline s64 ppc_si(u32 w)
{
	return (s16)w;
}

static inline unsigned ppc_sh6(u32 w)
{
	return ppc_rb(w) | (w >> 1 & 1) << 5;
}

/* MB6 and ME6: five low bits, then the high one. */
static inline unsigned ppc_mb6(u32 w)
{
	return ppc_bits(w, 21, 25) | (w >> 5 & 1) << 5;
}

static inline unsigned ppc_spr(u32 w)
{
	return ppc_ra(w) | ppc_rb(w) << 5;
}

#endif
