/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VM exit into the common exit record (SDM vol. 3C chapter 28, vol. 3D appendix
 * C). Reads the VMCS only.
 */
#include "core/cpu/vmx/vmx.h"

/* What the exit interrupted; INT n, INT3 and INTO run again by themselves. */
static void event_decode(struct hv_vcpu *v, u64 info)
{
	struct hv_event *e = &v->event;
	unsigned type = bits_get(info, 8, 3);

	e->valid = (info & VT_EVENT_VALID) && type < VT_EVENT_SOFT;
	if (!e->valid)
		return;
	e->kind = (u8)type;
	e->vector = (u8)info;
	e->has_error = info & VT_EVENT_ERROR;
	e->error = e->has_error ? (u32)vmx_read(VMCS_IDT_ERROR) : 0;
}

/* By basic exit reason; 0 is VT_EXIT_INTR, so what is not named is told apart by `known`. */
static const u8 kinds[] = {
	[1] = VT_EXIT_INTR,   [2] = VT_EXIT_SHUTDOWN, [3] = VT_EXIT_INIT,   [4] = VT_EXIT_INIT,
	[5] = VT_EXIT_INIT,   [6] = VT_EXIT_INIT,     [7] = VT_EXIT_WINDOW, [8] = VT_EXIT_WINDOW,
	[9] = VT_EXIT_TASK,   [10] = VT_EXIT_CPUID,   [11] = VT_EXIT_UD,    [12] = VT_EXIT_HLT,
	[13] = VT_EXIT_CACHE, [15] = VT_EXIT_TSC,     [17] = VT_EXIT_UD,    [18] = VT_EXIT_VMCALL,
	[19] = VT_EXIT_UD,    [20] = VT_EXIT_UD,      [21] = VT_EXIT_UD,    [22] = VT_EXIT_UD,
	[23] = VT_EXIT_UD,    [24] = VT_EXIT_UD,      [25] = VT_EXIT_UD,    [26] = VT_EXIT_UD,
	[27] = VT_EXIT_UD,    [28] = VT_EXIT_CR,      [29] = VT_EXIT_DR,    [30] = VT_EXIT_IO,
	[31] = VT_EXIT_MSR,   [32] = VT_EXIT_MSR,     [36] = VT_EXIT_MWAIT, [39] = VT_EXIT_MWAIT,
	[40] = VT_EXIT_PAUSE, [48] = VT_EXIT_NPF,     [50] = VT_EXIT_UD,    [53] = VT_EXIT_UD,
	[54] = VT_EXIT_CACHE, [55] = VT_EXIT_XSETBV,  [59] = VT_EXIT_UD,    [60] = VT_EXIT_UD,
};

static bool known(unsigned reason)
{
	return reason < ARRAY_LEN(kinds) && (reason == 1 || kinds[reason] != VT_EXIT_INTR);
}

static void exc_decode(struct hv_vcpu *v)
{
	u64 info = vmx_read(VMCS_EXIT_EVENT);
	struct vt_exit *x = &v->exit;

	if (bits_get(info, 8, 3) == VT_EVENT_NMI) {
		x->kind = VT_EXIT_NMI;
		return;
	}
	x->kind = VT_EXIT_EXC;
	x->len = 0; /* the faulting instruction is not over */
	x->exc.vector = (u8)info;
	x->exc.has_error = info & VT_EVENT_ERROR;
	x->exc.error = x->exc.has_error ? (u32)vmx_read(VMCS_EXIT_EVENT_ERROR) : 0;
	x->exc.qual = vmx_read(VMCS_QUAL);
}

static void npf_decode(struct vt_exit *x, u64 qual)
{
	x->npf.gpa = vmx_read(VMCS_GPA);
	x->npf.write = qual & 2;
	x->npf.exec = qual & 4;
	x->npf.present = qual & 0x38;
	x->npf.walk = (qual & 0x180) == 0x80;
	x->len = 0;
}

static void cr_decode(struct vt_exit *x, u64 qual)
{
	unsigned type = bits_get(qual, 4, 2);

	x->cr.cr = qual & 15;
	x->cr.write = type == 0;
	x->cr.gpr = type < 2 ? (u8)bits_get(qual, 8, 4) : 0xff;
}

static void detail(struct hv_vcpu *v, unsigned reason)
{
	struct vt_exit *x = &v->exit;
	u64 qual = 0;

	if (reason == VMX_REASON_CR || reason == VMX_REASON_IO || reason == VMX_REASON_EPT)
		qual = vmx_read(VMCS_QUAL);
	switch (reason) {
	case VMX_REASON_EPT:
		npf_decode(x, qual);
		break;
	case VMX_REASON_CR:
		cr_decode(x, qual);
		break;
	case VMX_REASON_IO:
		x->io.size = (u8)(bits_get(qual, 0, 3) + 1);
		x->io.in = qual & 8;
		x->io.string = qual & 16;
		x->io.port = (u16)(qual >> 16);
		break;
	case VMX_REASON_RDMSR:
	case VMX_REASON_WRMSR:
		x->msr.write = reason == VMX_REASON_WRMSR;
		break;
	}
	/* IRET had ended NMI blocking before it faulted (28.2.3): it goes on. */
	if ((reason == VMX_REASON_EPT && (qual & BIT(12)) && !v->event.valid) ||
	    (reason == VMX_REASON_EXC && (vmx_read(VMCS_EXIT_EVENT) & BIT(12)) && !v->event.valid))
		vmx_write(VMCS_GUEST_SHADOW, vmx_read(VMCS_GUEST_SHADOW) | SHADOW_NMI);
}

void vmx_exit_decode(struct hv_vcpu *v)
{
	u64 code = (u32)vmx_read(VMCS_REASON);
	unsigned reason = code & 0xffff;
	struct vt_exit *x = &v->exit;

	*x = (struct vt_exit){.kind = VT_EXIT_ERROR, .hw_code = code};
	event_decode(v, vmx_read(VMCS_IDT_EVENT));
	if (code & VMX_REASON_FAILED)
		return;
	if (reason == VMX_REASON_EXC) {
		exc_decode(v);
	} else if (known(reason)) {
		x->kind = kinds[reason];
		if (x->kind != VT_EXIT_INTR && x->kind != VT_EXIT_WINDOW)
			x->len = (u8)min_u64(vmx_read(VMCS_INSN_LEN), X86_INSN_LEN);
	}
	detail(v, reason);
}
