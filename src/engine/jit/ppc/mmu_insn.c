/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rare privileged instructions: SLB and TLB management (ISA 3.0 III 5.9.3) and
 * waiting. Told apart by primary and extended opcode; what is none of these is
 * illegal.
 */
#include "engine/jit/ppc/system.h"

#define OPCODE(primary, extended) ((primary) << 10 | (extended))

enum {
	TLBIEL = OPCODE(31, 274),
	TLBIE = OPCODE(31, 306),
	SLBSYNC = OPCODE(31, 338),
	SLBMTE = OPCODE(31, 402),
	SLBIE = OPCODE(31, 434),
	SLBIEG = OPCODE(31, 466),
	SLBIA = OPCODE(31, 498),
	TLBSYNC = OPCODE(31, 566),
	SLBMFEV = OPCODE(31, 851),
	SLBMFEE = OPCODE(31, 915),
	SLBFEE = OPCODE(31, 979),
	STOP = OPCODE(19, 370),
};

#define SLB_V BIT(27)
#define SLB_C BIT(7)
#define SLB_INDEX 0xfffull
#define SLB_ESID (~0ull << 28)

static unsigned rt(u32 insn)
{
	return insn >> 21 & 31;
}

static u64 rb_value(const struct ppc_vcpu *c, u32 insn)
{
	return c->gpr[insn >> 11 & 31];
}

/* ---- SLB ---- */

static void slbmte(struct ppc_vcpu *c, u32 insn)
{
	u64 rb = rb_value(c, insn), n = rb & SLB_INDEX;
	struct ppc_slbe *s = &c->sys->slb[n % PPC_SLB_SIZE];
	bool was = s->esid & SLB_V;

	if (n >= PPC_SLB_SIZE)
		return; /* undefined: nothing there */
	s->esid = rb & (SLB_ESID | SLB_V);
	s->vsid = c->gpr[rt(insn)];
	if (was)
		ppc_flush(c);
}

static void slbie(struct ppc_vcpu *c, u32 insn)
{
	struct ppc_slbe *s = ppc_slb_find(c, rb_value(c, insn));

	if (s)
		s->esid &= ~SLB_V;
	ppc_flush(c);
}

/* IH says which entries go, ISA III 5.9.3.2: all but entry 0, or class 1 alone, or none. */
static void slbia(struct ppc_vcpu *c, u32 insn)
{
	unsigned ih = rt(insn) & 7;

	for (unsigned i = ih == 3 || ih == 4 ? 0 : 1; ih != 7 && i < PPC_SLB_SIZE; i++)
		if (ih != 3 || c->sys->slb[i].vsid & SLB_C)
			c->sys->slb[i].esid &= ~SLB_V;
	ppc_flush(c);
}

static void slbmf(struct ppc_vcpu *c, u32 insn, bool vsid)
{
	u64 n = rb_value(c, insn) & SLB_INDEX;
	struct ppc_slbe s = {0, 0};

	if (n < PPC_SLB_SIZE && c->sys->slb[n].esid & SLB_V)
		s = c->sys->slb[n];
	c->gpr[rt(insn)] = vsid ? s.vsid : s.esid;
}

static void slbfee(struct ppc_vcpu *c, u32 insn)
{
	const struct ppc_slbe *s = ppc_slb_find(c, rb_value(c, insn));

	c->gpr[rt(insn)] = s ? s->vsid : 0;
	c->cr[0] = c->cr[1] = 0;
	c->cr[2] = s != NULL;
	c->cr[3] = c->so;
}

/* ---- TLB ---- */

/* RB's IS field. */
enum { IS_PAGE, IS_PROCESS, IS_PARTITION, IS_ALL };

/* RIC 1 names page walk caches alone, ISA III 5.9.3.3. There are none. */
#define RIC_WALK 1

static unsigned is_field(u64 rb)
{
	return rb >> 10 & 3;
}

/*
 * tlbiel of a process or more names one congruence class, RB's SET, and software goes over all of
 * them. Here everything belongs to the first.
 */
static bool other_set(u32 insn, u64 rb)
{
	return (insn >> 1 & 0x3ff) == 274 && is_field(rb) != IS_PAGE && rb >> 12 & 0xfff;
}

/* RB's AP field (ISA III 5.9.3.3): 4 KiB, 64 KiB, 2 MiB, 1 GiB by ibm,processor-radix-AP-encodings.
 */
static u64 page_bytes(u64 rb)
{
	switch (rb >> 5 & 7) {
	case 0:
		return KIB(4);
	case 5:
		return KIB(64);
	case 1:
		return MIB(2);
	default:
		return GIB(1);
	}
}

static void tlb_own(struct ppc_vcpu *c, u32 insn, u64 pid)
{
	u64 rb = rb_value(c, insn), bytes = page_bytes(rb);
	bool radix = insn >> 16 & 1;

	if (radix && ((pid && pid != c->pidr) || other_set(insn, rb)))
		return;
	if (radix && is_field(rb) == IS_PAGE)
		irrun_tlb_flush_range(&c->rt, align_down(rb, bytes), bytes);
	else if (radix && is_field(rb) == IS_PROCESS && pid) /* the rest is process 0's */
		irrun_tlb_flush_range(&c->rt, 0, BIT(62));
	else
		ppc_flush(c);
}

/* RS names the process in its upper half; without PRS it is the partition that is meant. */
static void tlbie(struct ppc_vcpu *c, u32 insn, bool all)
{
	bool process = insn >> 17 & 1, radix = insn >> 16 & 1;
	u64 pid = process && radix ? c->gpr[rt(insn)] >> 32 : 0;

	if (radix && (insn >> 18 & 3) == RIC_WALK)
		return;
	tlb_own(c, insn, pid);
	if (all)
		ppc_flush_all(c, pid);
}

int ppc_sys_insn(struct ppc_vcpu *c, u32 insn, u32 op)
{
	(void)op;
	switch (OPCODE(insn >> 26, insn >> 1 & 0x3ff)) {
	case TLBIEL:
	case TLBIE:
		tlbie(c, insn, (insn >> 1 & 0x3ff) == 306);
		return 0;
	case SLBMTE:
		slbmte(c, insn);
		return 0;
	case SLBIE:
	case SLBIEG:
		slbie(c, insn);
		return 0;
	case SLBIA:
		slbia(c, insn);
		return 0;
	case SLBMFEV:
	case SLBMFEE:
		slbmf(c, insn, (insn >> 1 & 0x3ff) == 851);
		return 0;
	case SLBFEE:
		slbfee(c, insn);
		return 0;
	case TLBSYNC:
	case SLBSYNC:
		return 0; /* tlbie has waited for everybody already */
	case STOP:
		c->halted = true;
		ppc_kick_set(c, PPC_KICK_LOOK);
		return 0;
	}
	c->nip -= 4;
	return ppc_raise(c, PPC_HEAI, 0);
}
