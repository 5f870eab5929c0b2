/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operating modes: the mode key that translated code depends on, and writes of
 * the control registers with their checks and consequences (SDM vol. 3A
 * sections 2.5, 4.1, 4.10.4, 9.8).
 */
#include "engine/jit/x86/sys.h"

enum x86_mmu x86_mmu_of(const struct x86_vcpu *c, unsigned cpl)
{
	if (cpl == 3)
		return X86_MMU_USER;
	if (!(c->cr4 & CR4_SMAP) || ((c->rflags & RF_AC) && c->cpl < 3))
		return X86_MMU_KERNEL_OPEN;
	return X86_MMU_KERNEL;
}

enum x86_mmu x86_mmu_implicit(const struct x86_vcpu *c)
{
	return c->cr4 & CR4_SMAP ? X86_MMU_KERNEL : X86_MMU_KERNEL_OPEN;
}

static enum x86_mode code_mode(const struct x86_vcpu *c)
{
	u32 attr = c->seg[X86_CS].attr;

	if (x86_long_mode(c) && (attr & SEG_L))
		return X86_MODE_64;
	return attr & SEG_DB ? X86_MODE_32 : X86_MODE_16;
}

static bool seg_flat(const struct x86_seg *s, bool data)
{
	u32 need = SEG_P | SEG_S | SEG_RW, care = need | SEG_CODE | SEG_EC | X86_SEG_UNUSABLE;

	if (!data)
		return !s->base && s->limit == ~0U;
	return !s->base && s->limit == ~0U && (s->attr & care) == need;
}

static bool all_flat(const struct x86_vcpu *c)
{
	return seg_flat(&c->seg[X86_CS], false) && seg_flat(&c->seg[X86_DS], true) &&
	       seg_flat(&c->seg[X86_ES], true) && seg_flat(&c->seg[X86_SS], true);
}

static u32 key_fpu(const struct x86_vcpu *c)
{
	u32 k = 0;

	if (c->cr0 & (CR0_TS | CR0_EM))
		k |= X86_KEY_NOFPU;
	if (!(c->cr4 & CR4_OSFXSR))
		k |= X86_KEY_NOSSE;
	if ((c->cr4 & CR4_OSXSAVE) && (c->xcr0 & 6) == 6)
		k |= (c->xcr0 & 0xe0) == 0xe0 ? X86_KEY_AVX | X86_KEY_AVX512 : X86_KEY_AVX;
	return k;
}

/* Effective bases: 64-bit mode ignores all but FS and GS. */
static void mirror_bases(struct x86_vcpu *c)
{
	bool m64 = c->code_mode == X86_MODE_64;

	for (unsigned i = 0; i < X86_NSEGS; i++)
		c->seg_base[i] = m64 && i < X86_FS ? 0 : c->seg[i].base;
}

void x86_mode_update(struct x86_vcpu *c)
{
	u32 k = key_fpu(c);

	if (x86_real_mode(c))
		c->cpl = 0;
	else if (x86_vm86(c))
		c->cpl = 3;
	c->code_mode = (u8)code_mode(c);
	c->mmu = (u8)x86_mmu_of(c, c->cpl);
	mirror_bases(c);
	k |= c->code_mode | (u32)c->mmu << 2;
	if (c->code_mode == X86_MODE_64)
		k |= X86_KEY_FLAT;
	else
		k |= (all_flat(c) ? X86_KEY_FLAT : 0) |
		     (c->seg[X86_SS].attr & SEG_DB ? X86_KEY_SS32 : 0);
	if (c->cpl == 3)
		k |= X86_KEY_CPL3;
	if (c->cpl == 3 && (c->cr0 & CR0_AM) && (c->rflags & RF_AC))
		k |= X86_KEY_ALIGN;
	if ((c->rflags & RF_TF) || x86_debug_active(c))
		k |= X86_KEY_STEP;
	if (!x86_protected(c))
		k |= X86_KEY_REAL;
	if (c->cr0 & CR0_PG)
		k |= X86_KEY_PAGING;
	if (x86_iopl(c) < c->cpl)
		k |= 1u << 15;
	if (c->cpl == 1 || c->cpl == 2)
		k |= X86_KEY_RING12;
	if (c->mode_key != k)
		c->tlb_gen++;
	if ((k & ~c->mode_key) & X86_KEY_STEP)
		x86_look(c); /* the run loop takes over instruction by instruction */
	c->mode_key = k;
}

/* CR0.PG 0 -> 1 or 1 -> 0 with EFER.LME: long mode starts or ends. */
static int check_paging_change(struct x86_vcpu *c, u64 v)
{
	bool on = v & CR0_PG, was = c->cr0 & CR0_PG;

	if (on && !was && (c->efer & EFER_LME)) {
		if (!(c->cr4 & CR4_PAE) || (c->seg[X86_CS].attr & SEG_L) ||
		    (c->tr.attr & 15) == DESC_TSS16_BUSY)
			return x86_raise_err(c, X86_GP, 0);
	}
	if (!on && was) {
		if (c->code_mode == X86_MODE_64 || (c->cr4 & CR4_PCIDE))
			return x86_raise_err(c, X86_GP, 0);
	}
	return 0;
}

int x86_set_cr0(struct x86_vcpu *c, u64 v)
{
	u64 changed;

	if (v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)))
		return x86_raise_err(c, X86_GP, 0);
	if (check_paging_change(c, v))
		return -1;
	v = (v & (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |
		  CR0_PG)) |
	    CR0_ET;
	changed = c->cr0 ^ v;
	if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && (v & CR0_PG) &&
	    !((c->efer & EFER_LME) && !(c->cr0 & CR0_PG)) && x86_load_pdptes(c, v, c->cr3, c->cr4))
		return -1;
	c->cr0 = v;
	if (changed & CR0_PG) {
		if ((v & CR0_PG) && (c->efer & EFER_LME))
			c->efer |= EFER_LMA;
		else
			c->efer &= ~EFER_LMA;
	}
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		x86_tlb_flush(c, true);
	x86_mode_update(c);
	return 0;
}

int x86_set_cr3(struct x86_vcpu *c, u64 v)
{
	bool pcide = c->cr4 & CR4_PCIDE, noflush = pcide && (v & CR3_NOFLUSH);

	if (x86_long_mode(c)) {
		if (pcide)
			v &= ~CR3_NOFLUSH;
		if (v & ~X86_PHYS_MASK)
			return x86_raise_err(c, X86_GP, 0);
	} else {
		v &= 0xffffffff;
		if (x86_load_pdptes(c, c->cr0, v, c->cr4))
			return -1;
	}
	x86_tlb_switch(c, v, noflush);
	c->cr3 = v;
	return 0;
}

u64 x86_cr4_allowed(const struct x86_vcpu *c)
{
	u64 v = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
		CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP | CR4_SMAP |
		CR4_PKE | CR4_PKS;

	return c->vm->xcr0_host ? v | CR4_OSXSAVE : v;
}

int x86_set_cr4(struct x86_vcpu *c, u64 v)
{
	u64 changed = c->cr4 ^ v;

	if (v & ~x86_cr4_allowed(c))
		return x86_raise_err(c, X86_GP, 0);
	if (x86_long_mode(c) && !(v & CR4_PAE))
		return x86_raise_err(c, X86_GP, 0);
	if ((changed & v & CR4_PCIDE) && (!x86_long_mode(c) || (c->cr3 & 0xfff)))
		return x86_raise_err(c, X86_GP, 0);
	if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) &&
	    x86_load_pdptes(c, c->cr0, c->cr3, v))
		return -1;
	c->cr4 = v;
	if (changed &
	    (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS))
		x86_tlb_flush(c, true);
	x86_mode_update(c);
	return 0;
}

int x86_set_efer(struct x86_vcpu *c, u64 v)
{
	u64 allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	if (c->vm->host && c->vm->host->amd)
		allowed |= EFER_FFXSR | EFER_AUTOIBRS;
	if (v & ~allowed)
		return x86_raise_err(c, X86_GP, 0);
	if ((c->cr0 & CR0_PG) && ((v ^ c->efer) & EFER_LME))
		return x86_raise_err(c, X86_GP, 0);
	v = (v & ~EFER_LMA) | (c->efer & EFER_LMA);
	if ((v ^ c->efer) & EFER_NXE)
		x86_tlb_flush(c, true);
	c->efer = v;
	x86_mode_update(c);
	return 0;
}
