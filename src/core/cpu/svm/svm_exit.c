/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMCB after #VMEXIT into the common exit record (APM vol. 2 appendix C). Reads
 * the VMCB only.
 */
#include "core/cpu/svm/svm.h"
#include "core/pv_kvm.h"

/* What the exit interrupted; INT n and its like run again by themselves. */
static void event_decode(struct hv_vcpu *v, u64 info)
{
	struct hv_event *e = &v->event;
	unsigned type = bits_get(info, 8, 3);
	u8 vector = (u8)info;

	e->valid = false;
	if (!(info & VT_EVENT_VALID) || type == VT_EVENT_SOFT ||
	    (type == VT_EVENT_EXC && (vector == X86_EXC_BP || vector == 4)))
		return;
	*e = (struct hv_event){.kind = (u8)type,
			       .vector = vector,
			       .has_error = info & VT_EVENT_ERROR,
			       .error = (u32)(info >> 32),
			       .valid = true};
}

/* Exit codes 60h to 8Fh. IOIO and MSR are filled in further. */
static const u8 kinds[] = {
	[0x00] = VT_EXIT_INTR,	   [0x01] = VT_EXIT_INTR,   [0x02] = VT_EXIT_INIT,
	[0x03] = VT_EXIT_INIT,	   [0x04] = VT_EXIT_WINDOW, [0x0f] = VT_EXIT_TSC,
	[0x12] = VT_EXIT_CPUID,	   [0x14] = VT_EXIT_WINDOW, [0x16] = VT_EXIT_CACHE,
	[0x17] = VT_EXIT_PAUSE,	   [0x18] = VT_EXIT_HLT,    [0x1a] = VT_EXIT_UD,
	[0x1b] = VT_EXIT_IO,	   [0x1c] = VT_EXIT_MSR,    [0x1d] = VT_EXIT_TASK,
	[0x1f] = VT_EXIT_SHUTDOWN, [0x20] = VT_EXIT_UD,	    [0x21] = VT_EXIT_VMCALL,
	[0x22] = VT_EXIT_UD,	   [0x23] = VT_EXIT_UD,	    [0x24] = VT_EXIT_UD,
	[0x25] = VT_EXIT_UD,	   [0x26] = VT_EXIT_UD,	    [0x29] = VT_EXIT_CACHE,
	[0x2a] = VT_EXIT_MWAIT,	   [0x2b] = VT_EXIT_MWAIT,  [0x2c] = VT_EXIT_MWAIT,
	[0x2d] = VT_EXIT_XSETBV,
};

/* Those of them that nothing above sets are 0, as INTR itself is: tell them apart. */
static bool known(u64 code)
{
	return code == SVM_EXIT_INTR || code == SVM_EXIT_INTR + 1 ||
	       kinds[code - SVM_EXIT_INTR] != VT_EXIT_INTR;
}

static void io_decode(struct vt_exit *x, const struct vmcb *c)
{
	unsigned size = bits_get(c->info1, 4, 3);

	x->io.in = c->info1 & 1;
	x->io.string = c->info1 & 4;
	x->io.size = size == 1 || size == 2 ? (u8)size : 4;
	x->io.port = (u16)(c->info1 >> 16);
	/* EXITINFO2 is the next RIP, with or without NRIPS. */
	x->len = c->info2 - c->rip - 1 < X86_INSN_LEN ? (u8)(c->info2 - c->rip) : 0;
}

static void npf_decode(struct vt_exit *x, const struct vmcb *c)
{
	x->kind = VT_EXIT_NPF;
	x->npf.gpa = c->info2;
	x->npf.present = c->info1 & PF_P;
	x->npf.write = c->info1 & PF_W;
	x->npf.exec = c->info1 & PF_I;
	x->npf.walk = c->info1 & BIT(33);
}

static void exc_decode(struct vt_exit *x, const struct vmcb *c)
{
	x->kind = VT_EXIT_EXC;
	x->exc.vector = (u8)(c->exit_code - SVM_EXIT_EXC);
	x->exc.error = (u32)c->info1;
	x->exc.has_error = x->exc.vector == X86_EXC_DF ||
			   (x->exc.vector >= 10 && x->exc.vector <= 14) || x->exc.vector == 17;
	/* #DB: the VMCB's DR6 has the guest's already (15.12.2). */
	x->exc.qual = x->exc.vector == X86_EXC_DB ? c->dr6 & 0xe00f : c->info2;
}

static void cr_dr_decode(struct vt_exit *x, const struct vmcb *c)
{
	x->kind = c->exit_code < SVM_EXIT_DR_READ ? VT_EXIT_CR : VT_EXIT_DR;
	x->cr.cr = c->exit_code & 15;
	x->cr.write = c->exit_code & 0x10;
	x->cr.gpr = 0xff; /* no decode assists */
}

/* Done with an instruction in 64-bit code; nothing is injected at the next entry. */
static void step_past(struct hv_vcpu *v, struct vmcb *c, enum vt_exit_kind kind, unsigned len)
{
	c->rip += len;
	c->rflags &= ~(u64)FL_RF;
	c->shadow &= ~1ULL;
	c->event = 0;
	c->next_rip = 0;
	c->tlb_control = SVM_TLB_NOTHING;
	v->stats.entries++;
	v->stats.exits[kind]++;
}

static void answer_cpuid(struct hv_vcpu *v, struct vmcb *c)
{
	u32 out[4];

	v->have = 0; /* hv_cpuid may want control registers */
	hv_cpuid(v, (u32)c->rax, (u32)v->gpr[X86_RCX], out);
	c->rax = out[0];
	v->gpr[X86_RBX] = out[1];
	v->gpr[X86_RCX] = out[2];
	v->gpr[X86_RDX] = out[3];
}

/*
 * CPUID, and hypercalls that user space may not make, are answered with the guest's FS, GS, TR
 * and system-call MSRs still in the processor and GIF 0, so nothing here looks at the current
 * CPU. Whoever wants this CPU meanwhile sends an interrupt, and that ends the next entry.
 */
bool svm_again(struct hv_vcpu *v)
{
	struct vmcb *c = svm_vmcb(v);
	bool call = c->exit_code == SVM_EXIT_VMMCALL;
	enum vt_exit_kind kind = call ? VT_EXIT_VMCALL : VT_EXIT_CPUID;
	unsigned len;

	if (!v->vm->cfg.quick || (!call && c->exit_code != SVM_EXIT_CPUID) ||
	    (c->exit_event & VT_EVENT_VALID) || (c->rflags & FL_TF) || v->debugging ||
	    !(c->efer & EFER_LMA) || !(c->cs.attr & SVM_SEG_L) ||
	    (call && (v->vm->cfg.pv != HV_PV_KVM || !c->cpl)))
		return false;
	len = c->next_rip - c->rip - 1 < X86_INSN_LEN ? (unsigned)(c->next_rip - c->rip)
						      : hv_len_known(v, c->rip, c->cr3, kind);
	if (!len)
		return false;
	if (call) {
		c->rax = (u64)-PV_KVM_EPERM;
		v->stats.hypercalls++;
	} else {
		answer_cpuid(v, c);
	}
	step_past(v, c, kind, len);
	return true;
}

void svm_exit_decode(struct hv_vcpu *v)
{
	const struct vmcb *c = svm_vmcb(v);
	struct vt_exit *x = &v->exit;
	u64 code = c->exit_code;

	*x = (struct vt_exit){.kind = VT_EXIT_ERROR, .hw_code = code};
	event_decode(v, c->exit_event);
	if (c->next_rip - c->rip - 1 < X86_INSN_LEN)
		x->len = (u8)(c->next_rip - c->rip);
	if (code < SVM_EXIT_EXC) {
		cr_dr_decode(x, c);
	} else if (code < SVM_EXIT_INTR) {
		exc_decode(x, c);
	} else if (code == SVM_EXIT_NPF) {
		npf_decode(x, c);
	} else if (code - SVM_EXIT_INTR < ARRAY_LEN(kinds) && known(code)) {
		x->kind = kinds[code - SVM_EXIT_INTR];
		if (code == SVM_EXIT_IOIO)
			io_decode(x, c);
		else if (code == SVM_EXIT_MSR)
			x->msr.write = c->info1 & 1;
	}
	if (code == SVM_EXIT_INTR + 0x14) /* IRET: the NMI handler ends */
		v->nmi_unmask = true;
}
