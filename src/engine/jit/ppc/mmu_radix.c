/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix translation, process scoped (ISA 3.0 III 5.7.10): the process table gives
 * a tree for quadrant 0 (PIDR) and one for quadrant 3 (process 0). Page tables
 * are guest memory: every read is checked, the depth is bounded by the address.
 *
 * The Authority Mask Register does not restrict the kernel's accesses to user
 * pages; IAMR's key 0 does restrict fetches.
 */
#include "engine/jit/ppc/system.h"

/* Process table entry, doubleword 0, and directory entries: ISA III figures 23 to 26. */
#define RPDB 0x0fffffffffffff00ull
#define RPDS 0x1full
#define PDE_VALID BIT(63)
#define PDE_LEAF BIT(62)
#define PDE_NLB 0x0fffffffffffff00ull
#define PDE_NLS 0x1full
#define PTE_RPN 0x01fffffffffff000ull
#define PTE_R BIT(8)
#define PTE_C BIT(7)
#define PTE_ATT_IO 0x20ull
#define PTE_PRIV BIT(3)
#define PTE_READ BIT(2)
#define PTE_RW BIT(1)
#define PTE_EXEC BIT(0)

#define IAMR_KEY0 BIT(62)

struct tree {
	u64 base;
	unsigned nls, bits; /* of the root; of the address the tree translates */
};

struct leaf {
	u64 gpa, pte; /* where it is, what was read there */
	unsigned shift;
};

/* A big-endian doubleword of guest memory. */
static bool dword_read(struct ppc_vcpu *c, u64 gpa, u64 *val)
{
	const u64 *p = gpa % 8 ? NULL : gpa_ptr(c->vm->map, gpa, 8, false);

	if (!p)
		return false;
	*val = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	*val = load_be64(val);
	return true;
}

static int tree_find(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, struct tree *t)
{
	u64 pid = ea >> 62 ? 0 : c->pidr, entry;

	if (pid >= c->vm->proc_entries || !dword_read(c, c->vm->proc_table + pid * 16, &entry))
		return ppc_storage_fault(c, ea, kind, PPC_DSISR_PROCTABLE);
	t->base = entry & RPDB;
	t->nls = entry & RPDS;
	t->bits = 31 + (unsigned)((entry >> 58 & 0x18) | (entry >> 5 & 7));
	if (t->bits > 62 || (ea << 2 >> 2) >> t->bits)
		return ppc_segment_fault(c, ea, kind);
	return 0;
}

static int leaf_find(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, struct leaf *l)
{
	struct tree t = {0};
	int err = tree_find(c, ea, kind, &t);

	while (!err) {
		if (!t.nls || t.nls > 13 || t.nls + 12 > t.bits)
			return ppc_storage_fault(c, ea, kind, PPC_DSISR_CONFIG);
		t.bits -= t.nls;
		l->gpa = t.base + (ea >> t.bits & (BIT(t.nls) - 1)) * 8;
		l->shift = t.bits;
		if (!dword_read(c, l->gpa, &l->pte) || !(l->pte & PDE_VALID))
			return ppc_storage_fault(c, ea, kind, PPC_DSISR_NOTFOUND);
		if (l->pte & PDE_LEAF)
			return 0;
		t.base = l->pte & PDE_NLB;
		t.nls = l->pte & PDE_NLS;
	}
	return err;
}

static u32 denied(const struct ppc_vcpu *c, u64 pte, enum ppc_access kind)
{
	bool problem = c->msr & PPC_MSR_PR;

	if (problem && pte & PTE_PRIV)
		return PPC_DSISR_PROTECTED;
	if (kind == PPC_WRITE)
		return pte & PTE_RW ? 0 : PPC_DSISR_PROTECTED;
	if (kind == PPC_READ)
		return pte & (PTE_READ | PTE_RW) ? 0 : PPC_DSISR_PROTECTED;
	if (!(pte & PTE_EXEC) || pte & PTE_ATT_IO)
		return PPC_DSISR_NOEXEC;
	if (!problem && !(pte & PTE_PRIV) && c->iamr & IAMR_KEY0)
		return PPC_DSISR_PROTECTED;
	return 0;
}

static bool page_watched(const struct gpa_map *m, u64 gpa)
{
	const struct gpa_slot *s = gpa_slot_find(m, gpa);

	return s && s->page_flags[(gpa - s->gpa) >> GPA_PAGE_SHIFT];
}

/* Sets R, and C for a write; false: the entry has changed meanwhile. */
static bool mark(struct ppc_vcpu *c, struct leaf *l, enum ppc_access kind)
{
	u64 want = l->pte | PTE_R | (kind == PPC_WRITE ? PTE_C : 0), old, new;
	u64 *p = gpa_ptr(c->vm->map, l->gpa, 8, true);

	if (want == l->pte || !p) /* page tables in ROM stay as they are */
		return true;
	if (c->sys->filling && page_watched(c->vm->map, l->gpa)) {
		c->sys->defer = true;
		return true;
	}
	store_be64(&old, l->pte);
	store_be64(&new, want);
	if (!__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	gpa_written(c->vm->map, l->gpa, 8);
	l->pte = want;
	return true;
}

static bool size_ok(unsigned shift)
{
	return shift == 12 || shift == 16 || shift == 21 || shift == 30;
}

int ppc_radix_translate(struct ppc_vcpu *c, u64 ea, enum ppc_access kind, bool quiet,
			struct ppc_xlate *x)
{
	u64 quadrant = ea >> 62;
	struct leaf l = {0};

	if (quadrant == 1 || quadrant == 2)
		return ppc_segment_fault(c, ea, kind);
	for (unsigned tries = 0; tries < 64; tries++) {
		int err = leaf_find(c, ea, kind, &l);
		u32 why;

		if (err)
			return err;
		why = size_ok(l.shift) ? denied(c, l.pte, kind) : PPC_DSISR_CONFIG;
		if (why)
			return ppc_storage_fault(c, ea, kind, why);
		if (!quiet && !mark(c, &l, kind))
			continue;
		x->shift = l.shift;
		x->gpa = (l.pte & PTE_RPN & ~(BIT(l.shift) - 1)) | (ea & (BIT(l.shift) - 1));
		x->writable = l.pte & PTE_RW && l.pte & PTE_C;
		return 0;
	}
	return ppc_storage_fault(c, ea, kind, PPC_DSISR_NOTFOUND); /* it never stands still */
}
