/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * struct vt_ops for Intel VMX with EPT, VPID and unrestricted guests (SDM vol. 3C
 * chapters 24 to 28). The guest owns CR3, CR4 but VMXE, and CR0 but NE and the
 * cache bits, which a VM exit would leave as the guest had them.
 */
#include "core/cpu/vmx/vmx.h"

static const u32 host_msrs[] = {MSR_STAR,   MSR_LSTAR,		MSR_CSTAR,
				MSR_SFMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX};
static_assert(ARRAY_LEN(host_msrs) + 1 <= ARRAY_LEN(((struct hv_cpu *)0)->saved), "a place each");

/* ---- VM ----------------------------------------------------------------------- */

/* Read bitmap for low MSRs, for high ones, then the same for writes (25.6.9). */
static void vmx_msr_pass(struct hv_vm *vm, u32 msr)
{
	u8 *map = vm->vt_data;
	u32 n = (msr & 0x1fff) / 8 + (msr >= 0xc0000000 ? 1024 : 0);

	map[n] &= (u8) ~(1u << msr % 8);
	map[n + 2048] &= (u8) ~(1u << msr % 8);
}

/* ---- vCPU ------------------------------------------------------------------------ */

static void vmx_vcpu_fini(struct hv_vcpu *v)
{
	port_page_free(vmx_of(v)->vmcs, 0);
	port_page_free(v->vt_data, 0);
	v->vt_data = NULL;
}

static int vmx_vcpu_init(struct hv_vcpu *v)
{
	v->vt_data = port_page_alloc(0);
	if (!v->vt_data)
		return -E_NOMEM;
	vmx_of(v)->vmcs = port_page_alloc(0);
	if (vmx_of(v)->vmcs)
		return 0;
	vmx_vcpu_fini(v);
	return -E_NOMEM;
}

static void controls_write(struct hv_vcpu *v)
{
	/* The "true" controls let CR3 accesses go without an exit (A.3.2). */
	u32 off = (hw_rdmsr(MSR_VMX_BASIC) & BIT(55)) ? 0x48d : 0x481;
	struct vmx_vcpu *x = vmx_of(v);

	x->proc = vmx_control(off + 1, PROC_TSC_OFFSET | PROC_HLT | PROC_MWAIT | PROC_RDPMC |
					       PROC_CR8_LOAD | PROC_CR8_STORE | PROC_MOV_DR |
					       PROC_IO | PROC_MSR_BITMAP | PROC_MONITOR |
					       (u32)PROC_SECONDARY);
	x->entry = vmx_control(off + 3, ENTRY_DEBUG | ENTRY_PAT | ENTRY_EFER);
	vmx_write(VMCS_PIN, vmx_control(off, PIN_INTR | PIN_NMI | PIN_VNMI));
	vmx_write(VMCS_PROC, x->proc);
	vmx_write(VMCS_PROC2, vmx_control(MSR_VMX_PROC2, PROC2_EPT | PROC2_RDTSCP | PROC2_VPID |
								 PROC2_WBINVD | PROC2_UNRESTRICTED |
								 PROC2_PLE | PROC2_INVPCID));
	vmx_write(VMCS_EXIT,
		  vmx_control(off + 2, EXIT_DEBUG | EXIT_HOST64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
					       EXIT_SAVE_EFER | EXIT_LOAD_EFER));
	vmx_write(VMCS_ENTRY, x->entry);
	vmx_write(VMCS_PLE_GAP, 128);
	vmx_write(VMCS_PLE_WINDOW, 4096);
}

/* Everything a new VMCS needs once. */
static void vmcs_write(struct hv_vcpu *v)
{
	controls_write(v);
	vmx_write(VMCS_EXCEPTIONS, HV_EXCEPTIONS);
	vmx_write(VMCS_CR3_TARGETS, 0);
	vmx_write(VMCS_MSR_BITMAP, port_pa(v->vm->vt_data));
	vmx_write(VMCS_EPTP, vmx_eptp(v->vm));
	vmx_write(VMCS_LINK, ~0ULL);
	vmx_write(VMCS_CR0_MASK, VMX_CR0_MASK);
	vmx_write(VMCS_CR4_MASK, VMX_CR4_MASK);
	vmx_write(VMCS_GUEST_DEBUGCTL, 0);
	vmx_write(VMCS_GUEST_ACTIVITY, 0);
	vmx_write(VMCS_GUEST_PENDING, 0);
	vmx_store(v, HV_G_ALL);
}

static void vmx_load(struct hv_vcpu *v, struct hv_cpu *c)
{
	struct vmx_vcpu *x = vmx_of(v);

	for (unsigned i = 0; i < ARRAY_LEN(host_msrs); i++)
		c->saved[1 + i] = hw_rdmsr(host_msrs[i]);
	if (!x->written) {
		*(u32 *)x->vmcs = (u32)hw_rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
		vmx_clear(port_pa(x->vmcs));
	}
	x->launched = false;
	vmx_ptrld(port_pa(x->vmcs));
	vmx_host_tables_save(c->vt_host);
	vmx_host_save();
	if (!x->written)
		vmcs_write(v);
	else
		vmx_store(v, HV_G_SYSCALL | HV_G_CR);
	x->written = true;
	vmx_invept(vmx_eptp(v->vm)); /* it may have run here long ago */
}

static void vmx_put(struct hv_vcpu *v, struct hv_cpu *c)
{
	if (v->dr_live) {
		hw_dr_save(v->st.dr);
		v->dr_live = false;
		v->dirty |= HV_G_DR;
	}
	vmx_clear(port_pa(vmx_of(v)->vmcs));
	vmx_host_tables_restore(c->vt_host);
	for (unsigned i = 0; i < ARRAY_LEN(host_msrs); i++)
		hw_wrmsr(host_msrs[i], c->saved[1 + i]);
}

/* ---- entry ---------------------------------------------------------------------------- */

static void vmx_inject(struct hv_vcpu *v, const struct hv_event *e)
{
	vmx_write(VMCS_ENTRY_EVENT, hv_event_word(e));
	if (e->valid && e->has_error)
		vmx_write(VMCS_ENTRY_ERROR, e->error);
}

static void vmx_window(struct hv_vcpu *v, bool irq, bool nmi)
{
	struct vmx_vcpu *x = vmx_of(v);
	u32 proc = x->proc & ~(u32)(PROC_IRQ_WINDOW | PROC_NMI_WINDOW);

	proc |= (irq ? PROC_IRQ_WINDOW : 0) | (nmi ? PROC_NMI_WINDOW : 0);
	if (proc == x->proc)
		return;
	x->proc = proc;
	vmx_write(VMCS_PROC, proc);
}

static void vmx_flush(struct hv_vcpu *v, struct hv_cpu *c)
{
	vmx_invept(vmx_eptp(v->vm));
}

/* VPIDs are this CPU's; when they run out all start anew, under tags nobody has used. */
static void vpid_assign(struct hv_vcpu *v, struct hv_cpu *c)
{
	if (v->asid_cpu == (int)c->id && v->asid_gen == c->asid_gen)
		return;
	if (c->asid_next >= c->asid_max) {
		c->asid_gen++;
		c->asid_next = 1;
	}
	v->asid_cpu = (int)c->id;
	v->asid_gen = c->asid_gen;
	v->asid = c->asid_next++;
	vmx_write(VMCS_VPID, v->asid);
	vmx_invept(vmx_eptp(v->vm)); /* whoever had the tag before */
}

static void vmx_enter(struct hv_vcpu *v, struct hv_cpu *c)
{
	struct vmx_vcpu *x = vmx_of(v);

	vpid_assign(v, c);
	vmx_host_refresh();
	vmx_write(VMCS_GUEST_RSP, v->gpr[X86_RSP]);
	vmx_write(VMCS_GUEST_RIP, v->rip);
	vmx_write(VMCS_GUEST_RFLAGS, v->rflags);
	/* A pending single step must be marked where STI or MOV SS hold it back (27.3.1.5). */
	if ((v->rflags & FL_TF) && (v->sti_shadow || v->movss_shadow))
		vmx_write(VMCS_GUEST_PENDING, BIT(14));
	vmx_write(VMCS_TSC_OFFSET, v->vm->tsc_offset + v->tsc_base + v->tsc_adjust);
	v->fail = vmx_check(v);
	if (v->fail || vmx_enter_asm(v->gpr, x->launched)) {
		v->exit = (struct vt_exit){.kind = VT_EXIT_ERROR,
					   .hw_code = vmx_read(VMCS_INSN_ERROR)};
		return;
	}
	x->launched = true;
	vmx_exit_decode(v);
	if (v->exit.kind == VT_EXIT_NMI)
		vmx_host_nmi();
}

static void vmx_intercept(struct hv_vcpu *v, u32 exceptions, bool dr)
{
	vmx_write(VMCS_EXCEPTIONS, exceptions);
}

const struct vt_ops vmx_ops = {
	.name = "vmx",
	.npt = &npt_format_ept,
	.probe = vmx_probe,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.npt_shape = vmx_npt_shape,
	.msr_pass = vmx_msr_pass,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_fini = vmx_vcpu_fini,
	.load = vmx_load,
	.put = vmx_put,
	.fetch = vmx_fetch,
	.store = vmx_store,
	.enter = vmx_enter,
	.inject = vmx_inject,
	.window = vmx_window,
	.flush = vmx_flush,
	.intercept = vmx_intercept,
};
