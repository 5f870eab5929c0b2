/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A vCPU's state into its VMCS and out, by group. The VMCS is current. The
 * system-call MSRs are in the processor itself while the vCPU is loaded.
 */
#include "core/cpu/vmx/vmx.h"

/* ---- segments ---------------------------------------------------------------- */

static void seg_fetch(struct x86_seg *s, unsigned n)
{
	s->sel = (u16)vmx_read(VMCS_GUEST_SEL + n * 2);
	s->limit = (u32)vmx_read(VMCS_GUEST_LIMIT + n * 2);
	s->attr = (u32)vmx_read(VMCS_GUEST_AR + n * 2) & (X86_SEG_UNUSABLE | 0xf0ff);
	s->base = vmx_read(VMCS_GUEST_BASE + n * 2);
}

/* What VM entry insists on (27.3.1.2) where the state may be looser: accessed, G as the limit. */
static u32 access_rights(const struct x86_seg *s, bool system)
{
	u32 ar = s->attr & (X86_SEG_UNUSABLE | 0xf0ff);

	if (!(ar & SEG_P))
		ar |= X86_SEG_UNUSABLE;
	if (!system)
		ar |= 1;
	if ((s->limit & 0xfff) != 0xfff)
		ar &= ~(u32)SEG_G;
	if (s->limit >> 20)
		ar |= SEG_G;
	return ar;
}

static void seg_store(const struct x86_seg *s, unsigned n)
{
	vmx_write(VMCS_GUEST_SEL + n * 2, s->sel);
	vmx_write(VMCS_GUEST_LIMIT + n * 2, s->limit);
	vmx_write(VMCS_GUEST_AR + n * 2, access_rights(s, n >= X86_NSEGS));
	vmx_write(VMCS_GUEST_BASE + n * 2, s->base);
}

static void segs_fetch(struct hv_regs *st)
{
	for (unsigned i = 0; i < X86_NSEGS; i++)
		seg_fetch(&st->seg[i], i);
	seg_fetch(&st->ldtr, X86_NSEGS);
	seg_fetch(&st->tr, X86_NSEGS + 1);
	st->gdtr.base = vmx_read(VMCS_GUEST_GDTR_BASE);
	st->gdtr.limit = (u16)vmx_read(VMCS_GUEST_GDTR_LIMIT);
	st->idtr.base = vmx_read(VMCS_GUEST_IDTR_BASE);
	st->idtr.limit = (u16)vmx_read(VMCS_GUEST_IDTR_LIMIT);
	st->cpl = st->seg[X86_SS].attr >> 5 & 3;
}

static void segs_store(const struct hv_regs *st)
{
	struct x86_seg tr = st->tr;

	tr.attr |= 2; /* busy */
	for (unsigned i = 0; i < X86_NSEGS; i++)
		seg_store(&st->seg[i], i);
	seg_store(&st->ldtr, X86_NSEGS);
	seg_store(&tr, X86_NSEGS + 1);
	vmx_write(VMCS_GUEST_GDTR_BASE, st->gdtr.base);
	vmx_write(VMCS_GUEST_GDTR_LIMIT, st->gdtr.limit);
	vmx_write(VMCS_GUEST_IDTR_BASE, st->idtr.base);
	vmx_write(VMCS_GUEST_IDTR_LIMIT, st->idtr.limit);
}

/* ---- control registers ------------------------------------------------------------ */

static void cr_fetch(struct hv_regs *st)
{
	st->cr0 = (vmx_read(VMCS_GUEST_CR0) & ~VMX_CR0_MASK) |
		  (vmx_read(VMCS_CR0_SHADOW) & VMX_CR0_MASK);
	st->cr2 = hw_cr_read(2);
	st->cr3 = vmx_read(VMCS_GUEST_CR3);
	st->cr4 = (vmx_read(VMCS_GUEST_CR4) & ~VMX_CR4_MASK) |
		  (vmx_read(VMCS_CR4_SHADOW) & VMX_CR4_MASK);
	st->efer = vmx_read(VMCS_GUEST_EFER);
	for (unsigned i = 0; i < 4; i++)
		st->pdpte[i] = vmx_read(VMCS_GUEST_PDPTE + i * 2);
}

static void cr_store(struct hv_vcpu *v)
{
	const struct hv_regs *st = &v->st;
	struct vmx_vcpu *x = vmx_of(v);

	vmx_write(VMCS_GUEST_CR0, (st->cr0 & ~VMX_CR0_MASK) | CR0_NE);
	vmx_write(VMCS_CR0_SHADOW, st->cr0);
	hw_cr2_write(st->cr2);
	vmx_write(VMCS_GUEST_CR3, st->cr3);
	vmx_write(VMCS_GUEST_CR4, st->cr4 | CR4_VMXE);
	vmx_write(VMCS_CR4_SHADOW, st->cr4);
	vmx_write(VMCS_GUEST_EFER, st->efer);
	for (unsigned i = 0; i < 4; i++)
		vmx_write(VMCS_GUEST_PDPTE + i * 2, st->pdpte[i]);
	x->entry = (u32)vmx_read(VMCS_ENTRY) & ~(u32)ENTRY_LONG;
	x->entry |= st->efer & EFER_LMA ? ENTRY_LONG : 0;
	vmx_write(VMCS_ENTRY, x->entry);
}

/* ---- system calls ------------------------------------------------------------------- */

/* struct hv_syscalls: five MSRs that stay in the processor, three fields of the VMCS. */
static const u32 sys_msrs[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE};
static const u32 sys_fields[] = {VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP,
				 VMCS_GUEST_SYSENTER_EIP};
static_assert(sizeof(struct hv_syscalls) == 8 * sizeof(u64), "one each");

static void syscall_fetch(struct hv_regs *st)
{
	u64 *to = (u64 *)&st->sys;

	for (unsigned i = 0; i < ARRAY_LEN(sys_msrs); i++)
		*to++ = hw_rdmsr(sys_msrs[i]);
	for (unsigned i = 0; i < ARRAY_LEN(sys_fields); i++)
		*to++ = vmx_read(sys_fields[i]);
	st->pat = vmx_read(VMCS_GUEST_PAT);
}

static void syscall_store(const struct hv_regs *st)
{
	const u64 *from = (const u64 *)&st->sys;

	for (unsigned i = 0; i < ARRAY_LEN(sys_msrs); i++)
		hw_wrmsr(sys_msrs[i], *from++);
	for (unsigned i = 0; i < ARRAY_LEN(sys_fields); i++)
		vmx_write(sys_fields[i], *from++);
	hw_wrmsr(MSR_TSC_AUX, st->tsc_aux);
	vmx_write(VMCS_GUEST_PAT, st->pat);
}

/* ---- the rest ------------------------------------------------------------------------ */

static void shadow_fetch(struct hv_vcpu *v)
{
	u64 s = vmx_read(VMCS_GUEST_SHADOW);

	v->sti_shadow = s & SHADOW_STI;
	v->movss_shadow = s & SHADOW_MOVSS;
	v->nmi_masked = s & SHADOW_NMI;
}

static void dr_store(struct hv_vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	vmx_write(VMCS_GUEST_DR7, v->st.dr7);
	if (v->dr_live) {
		hw_dr_load(v->st.dr);
		hw_dr6_write(v->st.dr6);
	}
	x->proc = v->dr_live ? x->proc & ~(u32)PROC_MOV_DR : x->proc | PROC_MOV_DR;
	vmx_write(VMCS_PROC, x->proc);
}

void vmx_fetch(struct hv_vcpu *v, u32 groups)
{
	v->have |= groups;
	if (groups & HV_G_GPR) {
		v->gpr[X86_RSP] = vmx_read(VMCS_GUEST_RSP);
		v->rip = vmx_read(VMCS_GUEST_RIP);
		v->rflags = vmx_read(VMCS_GUEST_RFLAGS);
	}
	if (groups & HV_G_INTSHADOW)
		shadow_fetch(v);
	if (groups & HV_G_SEG)
		segs_fetch(&v->st);
	if (groups & HV_G_CR)
		cr_fetch(&v->st);
	if (groups & HV_G_DR) {
		v->st.dr7 = vmx_read(VMCS_GUEST_DR7);
		if (v->dr_live)
			v->st.dr6 = hw_dr6_read();
	}
	if (groups & HV_G_SYSCALL)
		syscall_fetch(&v->st);
}

void vmx_store(struct hv_vcpu *v, u32 groups)
{
	if (groups & HV_G_INTSHADOW)
		vmx_write(VMCS_GUEST_SHADOW, (v->sti_shadow ? SHADOW_STI : 0) |
						     (v->movss_shadow ? SHADOW_MOVSS : 0) |
						     (v->nmi_masked ? SHADOW_NMI : 0));
	if (groups & HV_G_SEG)
		segs_store(&v->st);
	if (groups & HV_G_CR)
		cr_store(v);
	if (groups & HV_G_DR)
		dr_store(v);
	if (groups & HV_G_SYSCALL)
		syscall_store(&v->st);
}
