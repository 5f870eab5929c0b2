/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash page table translation (ISA 3.0 III 5.7.5 to 5.7.9): SLB, hash, the two
 * entry groups, protection by PP, N, G and storage keys. The table is ours (the
 * guest reaches it by hypercalls), entries as PAPR gives them: B in doubleword 0.
 * Page sizes are 4 KiB, 64 KiB and 16 MiB, one size a segment.
 */
#include "engine/jit/ppc/system.h"

/* SLB entries as slbmte has them, ISA III figure 20 and 36. */
#define SLB_V BIT(27)
#define SLB_B_1T BIT(62)
#define SLB_B (3ull << 62)
#define SLB_KS BIT(11)
#define SLB_KP BIT(10)
#define SLB_N BIT(9)
#define SLB_L BIT(8)
#define SLB_LP (3ull << 4)

enum { SHIFT_4K = 12, SHIFT_64K = 16, SHIFT_16M = 24, GROUP = 8 };

static unsigned segment_shift(const struct ppc_slbe *s)
{
	return (s->vsid & SLB_B) == SLB_B_1T ? 40 : 28;
}

/* Base page size of a segment by L and LP, as the board's ibm,segment-page-sizes says. */
static unsigned page_shift(const struct ppc_slbe *s)
{
	switch (s->vsid & (SLB_L | SLB_LP)) {
	case 0:
		return SHIFT_4K;
	case SLB_L | 1ull << 4:
		return SHIFT_64K;
	case SLB_L:
		return SHIFT_16M;
	default:
		return 0;
	}
}

unsigned ppc_hpte_shift(u64 v, u64 r)
{
	if (!(v & PPC_HPTE_L))
		return SHIFT_4K;
	if ((r >> 12 & 15) == 1)
		return SHIFT_64K;
	return r >> 12 & 0xfff ? 0 : SHIFT_16M;
}

struct ppc_slbe *ppc_slb_find(struct ppc_vcpu *c, u64 ea)
{
	for (unsigned i = 0; i < PPC_SLB_SIZE; i++) {
		struct ppc_slbe *s = &c->sys->slb[i];

		if (s->esid & SLB_V && s->esid >> segment_shift(s) == ea >> segment_shift(s))
			return s;
	}
	return NULL;
}

struct found {
	_Atomic u64 *pte;
	u64 v, r;
};

static bool group_search(const struct ppc_vm *vm, u64 group, u64 want, unsigned shift,
			 struct found *f)
{
	u64 mask = (1ull << (vm->hpt_shift - 7)) - 1;

	for (unsigned i = 0; i < GROUP; i++) {
		f->pte = &vm->hpt[((group & mask) * GROUP + i) * 2];
		f->v = atomic_load_explicit(&f->pte[0], memory_order_acquire);
		if ((f->v & (PPC_HPTE_AVPN | PPC_HPTE_V | PPC_HPTE_H)) != want)
			continue;
		f->r = atomic_load_explicit(&f->pte[1], memory_order_acquire);
		if (ppc_hpte_shift(f->v, f->r) == shift && atomic_load(&f->pte[0]) == f->v)
			return true;
	}
	return false;
}

static bool entry_find(const struct ppc_vm *vm, const struct ppc_slbe *s, u64 ea, unsigned shift,
		       struct found *f)
{
	unsigned seg = segment_shift(s);
	u64 vsid = (s->vsid & ~SLB_B) >> (seg - 16); /* in place it ends where AVPN begins */
	u64 off = ea & (BIT(seg) - 1), hash = vsid ^ off >> shift;
	/* Virtual address bits from 23 up, in place from bit 7. */
	u64 avpn = vsid << (seg - 23 + 7) | off >> 23 << 7;

	if (seg == 40)
		hash ^= vsid << 25;
	if (shift > 23)
		avpn &= ~(BIT(shift - 23 + 7) - 1);
	avpn = (avpn & ~SLB_B) | (s->vsid & SLB_B) | PPC_HPTE_V;
	return group_search(vm, hash, avpn, shift, f) ||
	       group_search(vm, ~hash, avpn | PPC_HPTE_H, shift, f);
}

/* Storage protection, ISA III 5.7.12.1: may be read 1, written 2. */
static unsigned rights(const struct ppc_vcpu *c, const struct ppc_slbe *s, u64 r)
{
	bool key = s->vsid & (c->msr & PPC_MSR_PR ? SLB_KP : SLB_KS);
	unsigned pp = (unsigned)(r & PPC_HPTE_PP) | (r & PPC_HPTE_PP0 ? 4 : 0);
	static const u8 table[2][8] = {{3, 3, 3, 1, 0, 0, 1, 0}, {0, 1, 3, 1, 0, 0, 0, 0}};

	return table[key][pp];
}

/* Virtual page class keys, ISA III 5.7.12.2. */
static bool key_denies(const struct ppc_vcpu *c, u64 r, enum ppc_access kind)
{
	unsigned key = (unsigned)((r & PPC_HPTE_KEY_HI) >> 57 | (r & PPC_HPTE_KEY_LO) >> 9);
	unsigned shift = 2 * (31 - key);

	if (kind == PPC_FETCH)
		return c->iamr >> shift & 1;
	return c->amr >> shift & (kind == PPC_WRITE ? 2 : 1);
}

static u32 denied(const struct ppc_vcpu *c, const struct ppc_slbe *s, u64 r, enum ppc_access kind)
{
	unsigned may = rights(c, s, r);

	if (kind == PPC_FETCH && r & (PPC_HPTE_N | PPC_HPTE_G))
		return PPC_DSISR_NOEXEC;
	if (!(may & (kind == PPC_WRITE ? 2 : 1)))
		return PPC_DSISR_PROTECTED;
	return key_denies(c, r, kind) ? PPC_DSISR_KEY : 0;
}

int ppc_hash_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet,
		       struct ppc_xlate *x)
{
	const struct ppc_slbe *s = ppc_slb_find(c, ea);
	struct found f;
	unsigned shift;
	u32 why;

	if (!s)
		return ppc_segment_fault(c, ea, kind);
	if (kind == PPC_FETCH && s->vsid & SLB_N)
		return ppc_storage_fault(c, ea, kind, PPC_DSISR_NOEXEC);
	shift = page_shift(s);
	if (!shift || !c->vm->hpt || !entry_find(c->vm, s, ea, shift, &f))
		return ppc_storage_fault(c, ea, kind, PPC_DSISR_NOTFOUND);
	why = denied(c, s, f.r, kind);
	if (why)
		return ppc_storage_fault(c, ea, kind, why);
	if (!quiet)
		f.r |= atomic_fetch_or(&f.pte[1],
				       PPC_HPTE_R | (kind == PPC_WRITE ? PPC_HPTE_C : 0));
	x->shift = shift;
	x->gpa = (f.r & PPC_HPTE_RPN & ~(BIT(shift) - 1)) | (ea & (BIT(shift) - 1));
	x->writable = (kind == PPC_WRITE || f.r & PPC_HPTE_C) && !denied(c, s, f.r, PPC_WRITE);
	return 0;
}
