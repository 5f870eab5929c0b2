/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The guest's own page tables, walked in software for the instruction emulator
 * and hypercall arguments: no paging, 32-bit, PAE, 4 and 5 levels (SDM vol. 3A
 * chapter 4). Sets accessed and dirty bits as the processor would.
 *
 * Reserved bits of entries are not checked: what gets here has passed the
 * processor's walk, or would only hurt the guest itself.
 */
#include "core/hv_internal.h"

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 32, PTE_D = 64, PTE_PS = 128 };
#define PTE_NX BIT(63)

struct walk {
	struct hv_vcpu *v;
	u32 access;
	bool nx, pae; /* entries have 8 bytes */
	u32 perm;     /* W and U of all levels and'ed */
	bool exec;
};

static bool allowed(const struct walk *w)
{
	const struct hv_regs *st = &w->v->st;
	bool user = w->access & PF_U, user_page = w->perm & PTE_U;

	if ((w->access & PF_I) && !w->exec)
		return false;
	if (user)
		return user_page && (!(w->access & PF_W) || (w->perm & PTE_W));
	if ((w->access & PF_W) && !(w->perm & PTE_W) && (st->cr0 & CR0_WP))
		return false;
	if (!user_page)
		return true;
	if (w->access & PF_I)
		return !(st->cr4 & CR4_SMEP);
	return !(st->cr4 & CR4_SMAP) || (w->v->rflags & FL_AC);
}

static void set_bits(struct walk *w, u64 gpa, u64 e, u8 bits)
{
	u8 byte = (u8)e | bits;

	if (byte != (u8)e)
		hv_write(w->v->vm, gpa, &byte, 1);
}

/* Read the entry at gpa and take its permissions in. False: not present. */
static bool step(struct walk *w, u64 gpa, u64 *e, bool pdpte)
{
	u32 half = 0;

	*e = 0;
	if (w->pae) {
		if (hv_read(w->v->vm, gpa, e, 8))
			return false;
	} else {
		if (hv_read(w->v->vm, gpa, &half, 4))
			return false;
		*e = half;
	}
	if (!(*e & PTE_P))
		return false;
	if (pdpte) /* PAE's four have no permissions */
		return true;
	w->perm &= (u32)*e;
	w->exec &= !(w->nx && (*e & PTE_NX));
	return true;
}

struct geometry {
	unsigned levels, shift, bits;
	bool pae_pdpt;
};

static struct geometry geometry_of(const struct hv_regs *st)
{
	if (st->efer & EFER_LMA)
		return (struct geometry){.levels = st->cr4 & CR4_LA57 ? 5 : 4,
					 .shift = st->cr4 & CR4_LA57 ? 48 : 39,
					 .bits = 9};
	if (st->cr4 & CR4_PAE)
		return (struct geometry){.levels = 3, .shift = 30, .bits = 9, .pae_pdpt = true};
	return (struct geometry){.levels = 2, .shift = 22, .bits = 10};
}

/* Is e, at the level whose pages have 2^shift bytes, a page itself? */
static bool is_large(const struct walk *w, const struct geometry *g, u64 e, unsigned shift)
{
	if (!(e & PTE_PS) || shift == 12)
		return false;
	if (!w->pae)
		return w->v->st.cr4 & CR4_PSE;
	return shift == 21 || (shift == 30 && !g->pae_pdpt);
}

static u64 page_base(const struct walk *w, u64 e, unsigned shift)
{
	u64 base = e & BITS(12, 51);

	if (!w->pae && shift == 22) /* PSE-36: bits 39:32 in 20:13 */
		return (e & BITS(22, 31)) | bits_get(e, 13, 8) << 32;
	return base & ~(BIT(shift) - 1);
}

static bool walk_tables(struct walk *w, u64 linear, u64 *gpa)
{
	struct geometry g = geometry_of(&w->v->st);
	u64 table = w->v->st.cr3 & (g.pae_pdpt ? BITS(5, 31) : BITS(12, 51)), at, e;
	unsigned shift = g.shift, esize = w->pae ? 8 : 4;
	bool last;

	for (unsigned l = 0; l < g.levels; l++, shift -= g.bits) {
		bool pdpte = g.pae_pdpt && l == 0;

		at = table + bits_get(linear, shift, pdpte ? 2 : g.bits) * esize;
		if (!step(w, at, &e, pdpte))
			return false;
		last = shift == 12 || is_large(w, &g, e, shift);
		if (last && !allowed(w)) {
			w->access |= PF_P;
			return false;
		}
		if (!pdpte)
			set_bits(w, at, e, PTE_A | (last && (w->access & PF_W) ? PTE_D : 0));
		if (last) {
			*gpa = page_base(w, e, shift) | (linear & (BIT(shift) - 1));
			return true;
		}
		table = e & BITS(12, 51);
	}
	return false;
}

int hv_walk(struct hv_vcpu *v, u64 linear, u32 access, u64 *gpa, u32 *error)
{
	const struct hv_regs *st = &v->st;
	struct walk w = {.v = v, .access = access, .perm = PTE_W | PTE_U, .exec = true};

	if (!(st->cr0 & CR0_PG)) {
		*gpa = (u32)linear;
		return 0;
	}
	w.pae = st->cr4 & CR4_PAE;
	w.nx = w.pae && (st->efer & EFER_NXE);
	if (walk_tables(&w, linear, gpa))
		return 0;
	*error = w.access & (PF_P | PF_W | PF_U);
	if ((access & PF_I) && (w.nx || (st->cr4 & CR4_SMEP)))
		*error |= PF_I;
	return -E_FAULT;
}

void hv_pdpte_load(struct hv_vcpu *v)
{
	struct hv_regs *st = &v->st;
	u64 pae = CR4_PAE;

	if ((st->cr0 & CR0_PG) && (st->cr4 & pae) && !(st->efer & EFER_LMA))
		hv_read(v->vm, st->cr3 & BITS(5, 31), st->pdpte, sizeof(st->pdpte));
}

static int linear_copy(struct hv_vcpu *v, u64 linear, u8 *buf, size_t len, bool write)
{
	u64 gpa, n;
	u32 error;
	int err;

	while (len) {
		n = min_u64(len, 4096 - (linear & 4095));
		if (hv_walk(v, linear, write ? PF_W : 0, &gpa, &error))
			return -E_FAULT;
		err = write ? hv_write(v->vm, gpa, buf, n) : hv_read(v->vm, gpa, buf, n);
		if (err)
			return err;
		linear += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int hv_vcpu_read(struct hv_vcpu *v, u64 linear, void *buf, size_t len)
{
	return linear_copy(v, linear, buf, len, false);
}

int hv_vcpu_write(struct hv_vcpu *v, u64 linear, const void *buf, size_t len)
{
	return linear_copy(v, linear, (u8 *)(uintptr_t)buf, len, true);
}
