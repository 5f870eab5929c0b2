/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * struct vt_ops for AMD SVM: VMCBs of a VM's vCPUs, their state in and out, what
 * is intercepted. With nested paging the guest owns CR0, CR3 and its page tables; CR4
 * is written for it so that it gets no bit its CPUID does not show, CR8 because the
 * local APIC is the host's. AMD APM vol. 2 chapter 15.
 */
#include "core/cpu/svm/svm.h"

static u8 *iopm(const struct hv_vm *vm)
{
	return vm->vt_data;
}

static u8 *msrpm(const struct hv_vm *vm)
{
	return (u8 *)vm->vt_data + SVM_IOPM_SIZE;
}

/* ---- VM --------------------------------------------------------------------------- */

/* Two bits an MSR: read, write (15.11). */
static void svm_msr_pass(struct hv_vm *vm, u32 msr)
{
	u32 n = msr < 0x2000 ? msr : msr - 0xc0000000 + 0x2000;

	msrpm(vm)[n / 4] &= (u8) ~(3u << (n % 4 * 2));
}

/* ---- vCPU --------------------------------------------------------------------------- */

static void svm_intercept(struct hv_vcpu *v, u32 exceptions, bool dr)
{
	struct vmcb *c = svm_vmcb(v);

	c->exceptions = exceptions;
	c->dr_read = c->dr_write = dr ? 0xffff : 0;
}

static int svm_vcpu_init(struct hv_vcpu *v)
{
	struct vmcb *c = port_page_alloc(0);

	if (!c)
		return -E_NOMEM;
	v->vt_data = c;
	c->cr_read = 1 << 8;
	c->cr_write = 1 << 8 | 1 << 4;
	c->misc1 = (u32)(SVM_1_INTR | SVM_1_NMI | SVM_1_INIT | SVM_1_RDPMC | SVM_1_CPUID |
			 SVM_1_INVD | SVM_1_HLT | SVM_1_INVLPGA | SVM_1_IOIO | SVM_1_MSR |
			 SVM_1_TASK | SVM_1_SHUTDOWN);
	c->misc2 = SVM_2_VMRUN | SVM_2_VMMCALL | SVM_2_VMLOAD | SVM_2_VMSAVE | SVM_2_STGI |
		   SVM_2_CLGI | SVM_2_SKINIT | SVM_2_WBINVD | SVM_2_MONITOR | SVM_2_MWAIT |
		   SVM_2_XSETBV;
	c->iopm = port_pa(iopm(v->vm));
	c->msrpm = port_pa(msrpm(v->vm));
	c->vintr = SVM_V_MASKING;
	c->nested = 1;
	c->ncr3 = port_pa(v->vm->npt.root);
	svm_intercept(v, HV_EXCEPTIONS, true);
	return 0;
}

static void svm_vcpu_fini(struct hv_vcpu *v)
{
	port_page_free(v->vt_data, 0);
	v->vt_data = NULL;
}

static void svm_load(struct hv_vcpu *v, struct hv_cpu *c)
{
	c->saved[1] = hw_rdmsr(MSR_TSC_AUX);
	hw_wrmsr(MSR_TSC_AUX, v->st.tsc_aux);
}

static void svm_put(struct hv_vcpu *v, struct hv_cpu *c)
{
	if (v->dr_live) {
		hw_dr_save(v->st.dr);
		v->dr_live = false;
		svm_intercept(v, svm_vmcb(v)->exceptions, true);
	}
	hw_wrmsr(MSR_TSC_AUX, c->saved[1]);
}

/* ---- state --------------------------------------------------------------------------- */

static void seg_out(struct svm_seg *d, const struct x86_seg *s)
{
	*d = (struct svm_seg){.sel = s->sel,
			      .attr = (u16)((s->attr & 0xff) | (s->attr >> 4 & 0xf00)),
			      .limit = s->limit,
			      .base = s->base};
	if (s->attr & X86_SEG_UNUSABLE)
		d->attr &= (u16)~SEG_P;
}

static void seg_in(struct x86_seg *s, const struct svm_seg *d)
{
	*s = (struct x86_seg){.sel = d->sel,
			      .attr = (d->attr & 0xffu) | (d->attr & 0xf00u) << 4,
			      .limit = d->limit,
			      .base = d->base};
	if (!(d->attr & SEG_P))
		s->attr |= X86_SEG_UNUSABLE;
}

static void segs_fetch(struct hv_regs *st, const struct vmcb *c)
{
	const struct svm_seg *d = &c->es;

	for (unsigned i = 0; i < X86_NSEGS; i++)
		seg_in(&st->seg[i], &d[i]);
	seg_in(&st->ldtr, &c->ldtr);
	seg_in(&st->tr, &c->tr);
	st->gdtr = (struct x86_dtr){.base = c->gdtr.base, .limit = (u16)c->gdtr.limit};
	st->idtr = (struct x86_dtr){.base = c->idtr.base, .limit = (u16)c->idtr.limit};
	st->cpl = c->cpl;
}

static void segs_store(const struct hv_regs *st, struct vmcb *c)
{
	struct svm_seg *d = &c->es;

	for (unsigned i = 0; i < X86_NSEGS; i++)
		seg_out(&d[i], &st->seg[i]);
	seg_out(&c->ldtr, &st->ldtr);
	seg_out(&c->tr, &st->tr);
	c->gdtr = (struct svm_seg){.base = st->gdtr.base, .limit = st->gdtr.limit};
	c->idtr = (struct svm_seg){.base = st->idtr.base, .limit = st->idtr.limit};
	c->cpl = st->cpl;
}

static void shadow_fetch(struct hv_vcpu *v, const struct vmcb *c)
{
	v->sti_shadow = c->shadow & 1;
	v->movss_shadow = false;
	if (v->nmi_unmask) {
		v->nmi_unmask = v->nmi_masked = false;
		v->dirty |= HV_G_INTSHADOW;
	}
}

static void svm_fetch(struct hv_vcpu *v, u32 groups)
{
	const struct vmcb *c = svm_vmcb(v);
	struct hv_regs *st = &v->st;

	v->have |= groups;
	if (groups & HV_G_GPR) {
		v->gpr[X86_RAX] = c->rax;
		v->gpr[X86_RSP] = c->rsp;
		v->rip = c->rip;
		v->rflags = c->rflags;
	}
	if (groups & HV_G_INTSHADOW)
		shadow_fetch(v, c);
	if (groups & HV_G_SEG)
		segs_fetch(st, c);
	if (groups & HV_G_CR) {
		st->cr0 = c->cr0;
		st->cr2 = c->cr2;
		st->cr3 = c->cr3;
		st->cr4 = c->cr4;
		st->efer = c->efer & ~(u64)EFER_SVME;
	}
	if (groups & HV_G_DR) {
		st->dr6 = c->dr6;
		st->dr7 = c->dr7;
	}
	if (groups & HV_G_SYSCALL) {
		st->sys = c->sys;
		st->pat = c->pat;
	}
}

static void svm_store(struct hv_vcpu *v, u32 groups)
{
	struct vmcb *c = svm_vmcb(v);
	const struct hv_regs *st = &v->st;

	if (groups & HV_G_INTSHADOW) {
		c->shadow = v->sti_shadow || v->movss_shadow;
		c->misc1 = v->nmi_masked ? c->misc1 | SVM_1_IRET : c->misc1 & ~(u32)SVM_1_IRET;
	}
	if (groups & HV_G_SEG)
		segs_store(st, c);
	if (groups & HV_G_CR) {
		c->cr0 = st->cr0;
		c->cr2 = st->cr2;
		c->cr3 = st->cr3;
		c->cr4 = st->cr4;
		c->efer = st->efer | EFER_SVME;
	}
	if (groups & HV_G_DR) {
		c->dr6 = st->dr6;
		c->dr7 = st->dr7;
		if (v->dr_live)
			hw_dr_load(st->dr);
		svm_intercept(v, c->exceptions, !v->dr_live);
	}
	if (groups & HV_G_SYSCALL) {
		c->sys = st->sys;
		c->pat = st->pat;
		hw_wrmsr(MSR_TSC_AUX, st->tsc_aux);
	}
}

/* ---- entry --------------------------------------------------------------------------------- */

static void svm_inject(struct hv_vcpu *v, const struct hv_event *e)
{
	u64 error = e->valid && e->has_error ? e->error : 0;

	svm_vmcb(v)->event = hv_event_word(e) | error << 32;
}

/* A virtual interrupt of highest priority that exits when it would be taken (15.21.4). */
static void svm_window(struct hv_vcpu *v, bool irq, bool nmi)
{
	struct vmcb *c = svm_vmcb(v);

	if (irq || (nmi && !v->nmi_masked)) {
		c->vintr = SVM_V_MASKING | SVM_V_IRQ | SVM_V_PRIO | SVM_V_IGN_TPR;
		c->misc1 |= SVM_1_VINTR;
	} else {
		c->vintr = SVM_V_MASKING;
		c->misc1 &= ~(u32)SVM_1_VINTR;
	}
}

static void svm_flush(struct hv_vcpu *v, struct hv_cpu *c)
{
	v->asid_gen = 0;
}

/* Address-space tags are this CPU's; when they run out all start anew. */
static void asid_assign(struct hv_vcpu *v, struct hv_cpu *c, struct vmcb *m)
{
	m->tlb_control = SVM_TLB_NOTHING;
	if (v->asid_cpu == (int)c->id && v->asid_gen == c->asid_gen)
		return;
	if (c->asid_next >= c->asid_max) {
		c->asid_gen++;
		c->asid_next = 1;
		m->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	v->asid_cpu = (int)c->id;
	v->asid_gen = c->asid_gen;
	v->asid = m->asid = c->asid_next++;
}

static void svm_enter(struct hv_vcpu *v, struct hv_cpu *c)
{
	struct vmcb *m = svm_vmcb(v);

	asid_assign(v, c, m);
	m->rax = v->gpr[X86_RAX];
	m->rsp = v->gpr[X86_RSP];
	m->rip = v->rip;
	m->rflags = v->rflags;
	m->tsc_offset = v->vm->tsc_offset + v->tsc_base + v->tsc_adjust;
	m->next_rip = 0;
	m->clean = 0;
	v->fail = svm_check(v);
	if (v->fail) {
		v->exit = (struct vt_exit){.kind = VT_EXIT_ERROR, .hw_code = ~0ULL};
		return;
	}
	svm_enter_asm(v, port_pa(m), port_pa(c->vt_host));
	svm_exit_decode(v);
}

const struct vt_ops svm_ops = {
	.name = "svm",
	.npt = &npt_format_amd,
	.lazy = true,
	.probe = svm_probe,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.npt_shape = svm_npt_shape,
	.maps_order = SVM_MAPS_ORDER,
	.msr_pass = svm_msr_pass,
	.vcpu_init = svm_vcpu_init,
	.vcpu_fini = svm_vcpu_fini,
	.load = svm_load,
	.put = svm_put,
	.fetch = svm_fetch,
	.store = svm_store,
	.enter = svm_enter,
	.inject = svm_inject,
	.window = svm_window,
	.flush = svm_flush,
	.intercept = svm_intercept,
};
