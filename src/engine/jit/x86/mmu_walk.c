/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page table walks of the software CPU: paging off, 32-bit, PAE and 4-level
 * paging (SDM vol. 3A chapter 4), with accessed and dirty bits set atomically in
 * guest memory. Called on a TLB miss by mmu.c; knows nothing of the TLB.
 */
#include "engine/jit/x86/sys.h"

enum {
	PTE_P = 1,
	PTE_W = 2,
	PTE_U = 4,
	PTE_A = 1 << 5,
	PTE_D = 1 << 6,
	PTE_PS = 1 << 7,
	PTE_G = 1 << 8,
	PTE_PKEY_SHIFT = 59,
};
#define PTE_NX BIT(63)
#define PTE_ADDR BITS(12, 51)

enum { PKEY_AD = 1, PKEY_WD = 2 };

/* One walk under way. */
struct walk {
	struct x86_vcpu *c;
	u64 linear;
	enum x86_access access;
	bool user, smap, probe;
	bool wr, us, nx; /* accumulated over the levels */
	u8 pkey;	 /* of the leaf */
	u32 fault;	 /* error code without P-independent bits; valid when step fails */
};

enum step { STEP_OK, STEP_RETRY, STEP_FAULT };

static int walk_fault(struct walk *k, u32 bits)
{
	struct x86_vcpu *c = k->c;
	bool id = (c->cr4 & CR4_SMEP) || ((c->cr4 & CR4_PAE) && (c->efer & EFER_NXE));

	if (k->probe)
		return -1;
	if (k->access == X86_WRITE)
		bits |= PF_W;
	if (k->user)
		bits |= PF_U;
	if (k->access == X86_FETCH && id)
		bits |= PF_ID;
	c->cr2 = k->linear;
	return x86_raise_err(c, X86_PF, bits);
}

/* Entry at a guest-physical address: NULL where there is no RAM (reads as all ones). */
static void *entry_ptr(struct walk *k, u64 gpa, unsigned n)
{
	return gpa_ptr(k->c->vm->map, gpa, n, false);
}

static u64 entry_load(struct walk *k, u64 gpa, unsigned n)
{
	void *p = entry_ptr(k, gpa, n);

	if (!p)
		return n == 8 ? ~0ULL : ~0U;
	return n == 8 ? __atomic_load_n((u64 *)p, __ATOMIC_RELAXED)
		      : __atomic_load_n((u32 *)p, __ATOMIC_RELAXED);
}

/* Set bits in an entry if it still is `old`. False: it changed, walk again. */
static bool entry_set(struct walk *k, u64 gpa, unsigned n, u64 old, u64 bits)
{
	void *p;
	u64 want = old;
	u32 want32 = (u32)old;
	bool ok;

	if (k->probe || (old & bits) == bits)
		return true;
	p = gpa_ptr(k->c->vm->map, gpa, n, true);
	if (!p)
		return true; /* tables in ROM keep their bits */
	if (n == 8)
		ok = __atomic_compare_exchange_n((u64 *)p, &want, old | bits, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	else
		ok = __atomic_compare_exchange_n((u32 *)p, &want32, (u32)(old | bits), false,
						 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	if (ok)
		gpa_written(k->c->vm->map, gpa, n);
	return ok;
}

/* Are protection keys on for this kind of page? SDM vol. 3A section 4.6.2. */
static bool keys_on(const struct walk *k)
{
	const struct x86_vcpu *c = k->c;

	return (c->cr4 & (k->us ? CR4_PKE : CR4_PKS)) && x86_long_mode(c);
}

static bool key_denies(const struct walk *k, enum x86_access a)
{
	const struct x86_vcpu *c = k->c;
	u64 rights;

	if (a == X86_FETCH || !keys_on(k))
		return false;
	rights = (k->us ? c->pkru : c->pkrs) >> 2 * k->pkey;
	if (rights & PKEY_AD)
		return true;
	return (rights & PKEY_WD) && a == X86_WRITE && (k->user || (c->cr0 & CR0_WP));
}

static bool perm_ok(const struct walk *k, enum x86_access a)
{
	const struct x86_vcpu *c = k->c;

	if (unlikely(c->cr4 & (CR4_PKE | CR4_PKS)) && key_denies(k, a))
		return false;
	if (k->user)
		return k->us && (a != X86_WRITE || k->wr) && (a != X86_FETCH || !k->nx);
	if (a == X86_FETCH)
		return !k->nx && !(k->us && (c->cr4 & CR4_SMEP));
	if (k->us && k->smap)
		return false;
	return a != X86_WRITE || k->wr || !(c->cr0 & CR0_WP);
}

/* An entry's present and reserved checks; its rights are those of the entries above too. */
static bool entry_take(struct walk *k, u64 e, u64 rsvd)
{
	if (!(e & PTE_P) || e & rsvd) {
		k->fault = e & PTE_P ? PF_P | PF_RSVD : 0;
		return false;
	}
	k->wr = k->wr && (e & PTE_W);
	k->us = k->us && (e & PTE_U);
	k->nx = k->nx || ((e & PTE_NX) && (k->c->efer & EFER_NXE));
	return true;
}

/* A non-leaf entry: checks, accessed bit. */
static enum step walk_level(struct walk *k, u64 gpa, unsigned n, u64 e, u64 rsvd)
{
	if (!entry_take(k, e, rsvd))
		return STEP_FAULT;
	return entry_set(k, gpa, n, e, PTE_A) ? STEP_OK : STEP_RETRY;
}

/* The leaf: checks, permissions, accessed and dirty. */
static enum step walk_leaf(struct walk *k, u64 gpa, unsigned n, u64 e, u64 rsvd, struct x86_walk *w)
{
	bool write = k->access == X86_WRITE;
	u64 bits = write ? PTE_A | PTE_D : PTE_A;

	if (!entry_take(k, e, rsvd))
		return STEP_FAULT;
	k->pkey = e >> PTE_PKEY_SHIFT & 15;
	if (!k->probe && !perm_ok(k, k->access)) {
		k->fault = PF_P | (key_denies(k, k->access) ? PF_PK : 0);
		return STEP_FAULT;
	}
	if (!entry_set(k, gpa, n, e, bits))
		return STEP_RETRY;
	w->write_ok = ((e | bits) & PTE_D) && perm_ok(k, X86_WRITE);
	w->global = (e & PTE_G) && (k->c->cr4 & CR4_PGE);
	w->pkey = k->pkey;
	w->keyed = keys_on(k);
	w->pkru = k->us;
	return STEP_OK;
}

static u64 phys_rsvd(void)
{
	return PTE_ADDR & ~X86_PHYS_MASK;
}

/*
 * Levels `top`..0 of 8-byte entries below the table at `base`; top 3 for 4-level
 * paging, 1 below a PDPTE.
 */
static enum step walk_8(struct walk *k, u64 base, int top, struct x86_walk *w)
{
	struct x86_vcpu *c = k->c;
	u64 rsvd = phys_rsvd() | (c->efer & EFER_NXE ? 0 : PTE_NX);

	if (!x86_long_mode(c))
		rsvd |= BITS(52, 62);
	for (int level = top;; level--) {
		unsigned shift = 12 + 9 * (unsigned)level;
		u64 gpa = base + (k->linear >> shift & 511) * 8;
		u64 e = entry_load(k, gpa, 8);
		bool large = level && level < 3 && (e & PTE_PS);
		enum step s;

		if (!level || large) {
			/* Bits below the frame of a large page are reserved, but PAT (12). */
			s = walk_leaf(k, gpa, 8, e, rsvd | (level ? BITS(13, shift - 1) : 0), w);
			w->shift = shift;
			w->gpa =
				(e & PTE_ADDR & ~(BIT(shift) - 1)) | (k->linear & (BIT(shift) - 1));
			return s;
		}
		s = walk_level(k, gpa, 8, e, rsvd | (level == 3 ? PTE_PS : 0));
		if (s != STEP_OK)
			return s;
		base = e & PTE_ADDR;
	}
}

static enum step walk_pae(struct walk *k, struct x86_walk *w)
{
	u64 e = k->c->sys->pdpte[k->linear >> 30 & 3];

	if (!(e & PTE_P)) {
		k->fault = 0;
		return STEP_FAULT;
	}
	return walk_8(k, e & PTE_ADDR, 1, w);
}

static enum step walk_32(struct walk *k, struct x86_walk *w)
{
	struct x86_vcpu *c = k->c;
	u64 gpa = (c->cr3 & 0xfffff000) + (k->linear >> 22 & 1023) * 4;
	u64 e = entry_load(k, gpa, 4);
	enum step s;

	if ((e & PTE_PS) && (c->cr4 & CR4_PSE)) {
		/* PSE-36: bits 13..20 are address bits 32..39, bit 21 is reserved. */
		w->shift = 22;
		w->gpa = (e & 0xffc00000) | (e >> 13 & 0xff) << 32 | (k->linear & 0x3fffff);
		return walk_leaf(k, gpa, 4, e, BIT(21), w);
	}
	s = walk_level(k, gpa, 4, e, 0);
	if (s != STEP_OK)
		return s;
	gpa = (e & 0xfffff000) + (k->linear >> 12 & 1023) * 4;
	e = entry_load(k, gpa, 4);
	w->shift = 12;
	w->gpa = (e & 0xfffff000) | (k->linear & 0xfff);
	return walk_leaf(k, gpa, 4, e, 0, w);
}

static enum step walk_once(struct walk *k, struct x86_walk *w)
{
	struct x86_vcpu *c = k->c;

	k->wr = k->us = true;
	k->nx = false;
	if (x86_long_mode(c))
		return walk_8(k, c->cr3 & PTE_ADDR, 3, w);
	return c->cr4 & CR4_PAE ? walk_pae(k, w) : walk_32(k, w);
}

static int walk_run(struct walk *k, struct x86_walk *w)
{
	enum step s;

	if (!(k->c->cr0 & CR0_PG)) {
		*w = (struct x86_walk){.gpa = k->linear & 0xffffffff, .write_ok = true};
		return 0;
	}
	do
		s = walk_once(k, w);
	while (s == STEP_RETRY);
	return s == STEP_OK ? 0 : walk_fault(k, k->fault);
}

int x86_walk(struct x86_vcpu *c, u64 linear, enum x86_access a, enum x86_mmu mmu,
	     struct x86_walk *w)
{
	struct walk k = {.c = c,
			 .linear = linear,
			 .access = a,
			 .user = mmu == X86_MMU_USER,
			 .smap = mmu == X86_MMU_KERNEL && (c->cr4 & CR4_SMAP)};

	return walk_run(&k, w);
}

u64 x86_walk_probe(struct x86_vcpu *c, u64 linear)
{
	struct walk k = {.c = c, .linear = linear, .access = X86_READ, .probe = true};
	struct x86_walk w = {0};

	if (x86_long_mode(c) && !x86_canonical(linear))
		return ~0ULL;
	return walk_run(&k, &w) ? ~0ULL : w.gpa;
}

int x86_load_pdptes(struct x86_vcpu *c, u64 cr0, u64 cr3, u64 cr4)
{
	u64 e[4];

	if (!x86_pae_paging(cr0, cr4, c->efer))
		return 0;
	for (unsigned i = 0; i < 4; i++) {
		/* SDM vol. 3A section 4.4.1: bits 1-2, 5-8 and above MAXPHYADDR are reserved. */
		const void *p = gpa_ptr(c->vm->map, (cr3 & 0xffffffe0) + i * 8, 8, false);

		e[i] = p ? __atomic_load_n((const u64 *)p, __ATOMIC_RELAXED) : ~0ULL;
		if ((e[i] & PTE_P) && (e[i] & (0x1e6 | phys_rsvd() | BITS(52, 63))))
			return x86_raise_err(c, X86_GP, 0);
	}
	for (unsigned i = 0; i < 4; i++)
		c->sys->pdpte[i] = e[i];
	return 0;
}
