/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an exit means, for SVM and VMX alike: one handler a kind. Runs unpinned on
 * the vCPU's thread.
 */
#include "core/hv_internal.h"

typedef enum hv_next (*exit_fn)(struct hv_vcpu *v, struct hv_exit *e);

static enum hv_next give_up(struct hv_vcpu *v, struct hv_exit *e, const char *what)
{
	const char *parts[] = {what, v->fail ? ": " : "", v->fail ? v->fail : ""};
	size_t n = 0;

	e->kind = HV_EXIT_ERROR;
	e->hw_code = v->exit.hw_code;
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		for (const char *p = parts[i]; *p && n < sizeof(e->reason) - 1; p++)
			e->reason[n++] = *p;
	e->reason[n] = 0;
	v->fail = NULL;
	return HV_TO_HOST;
}

static enum hv_next defer(struct hv_exit *e)
{
	e->kind = HV_EXIT_DEFER;
	return HV_TO_HOST;
}

static enum hv_next emulate(struct hv_vcpu *v, struct hv_exit *e)
{
	hv_want(v, HV_G_SEG | HV_G_CR);
	if (v->event.valid)
		return give_up(v, e, "an event is delivered through device memory");
	switch (hv_emulate(v)) {
	case EMUL_DEFER:
		return defer(e);
	case EMUL_CANNOT:
		return give_up(v, e, "no emulation of an instruction on device memory");
	case EMUL_DONE:
	case EMUL_FAULT:
	default:
		return HV_RESUME;
	}
}

/* Done with an instruction; if its length cannot be known the guest has its fault. */
static enum hv_next done(struct hv_vcpu *v)
{
	unsigned len = hv_insn_len(v);

	if (len)
		hv_advance(v, len);
	return HV_RESUME;
}

static enum hv_next on_resume(struct hv_vcpu *v, struct hv_exit *e)
{
	return HV_RESUME;
}

static enum hv_next on_io(struct hv_vcpu *v, struct hv_exit *e)
{
	const struct vt_exit x = v->exit;
	u64 val = v->gpr[X86_RAX] & mask_bytes(x.io.size), keep;

	if (x.io.string || !x.len)
		return emulate(v, e);
	v->replay_at = 0;
	if (!hv_bus_access(v, x.io.in ? HV_PIO_IN : HV_PIO_OUT, x.io.port, x.io.size, &val))
		return defer(e);
	hv_replay_reset(v);
	if (x.io.in) {
		keep = x.io.size == 4 ? 0 : ~mask_bytes(x.io.size);
		v->gpr[X86_RAX] = (v->gpr[X86_RAX] & keep) | val;
	}
	hv_advance(v, x.len);
	return HV_RESUME;
}

static enum hv_next on_npf(struct hv_vcpu *v, struct hv_exit *e)
{
	const struct vt_exit x = v->exit;
	int err;

	/* A redone access was a device's before and is one now. */
	err = v->nreplay ? 1 : hv_fault(v, x.npf.gpa, x.npf.write);
	if (!err)
		return HV_RESUME;
	if (err < 0) {
		e->kind = HV_EXIT_MEMORY;
		e->err = -err;
		e->addr = x.npf.gpa;
		return HV_TO_HOST;
	}
	if (x.npf.walk)
		return give_up(v, e, "the guest's page tables are not in its memory");
	return emulate(v, e);
}

static enum hv_next on_cpuid(struct hv_vcpu *v, struct hv_exit *e)
{
	u32 out[4];

	hv_cpuid(v, (u32)v->gpr[X86_RAX], (u32)v->gpr[X86_RCX], out);
	v->gpr[X86_RAX] = out[0];
	v->gpr[X86_RBX] = out[1];
	v->gpr[X86_RCX] = out[2];
	v->gpr[X86_RDX] = out[3];
	return done(v);
}

static int guest_msr(struct hv_vcpu *v, u32 msr, bool write, u64 *val)
{
	const struct hv_vm_config *cfg = &v->vm->cfg;
	int err = cfg->ops->msr ? cfg->ops->msr(cfg->opaque, v, msr, write, val) : 1;

	if (err == 1 && hv_pv_msr_hidden(v, msr))
		return -E_NOENT;
	if (err != 1)
		return err;
	return write ? hv_msr_write(v, msr, *val, false) : hv_msr_read(v, msr, val);
}

static enum hv_next on_msr(struct hv_vcpu *v, struct hv_exit *e)
{
	u32 msr = (u32)v->gpr[X86_RCX];
	u64 val = (u32)v->gpr[X86_RAX] | v->gpr[X86_RDX] << 32;
	int err;

	hv_want(v, HV_G_ALL);
	err = guest_msr(v, msr, v->exit.msr.write, &val);
	if (v->deferred)
		return defer(e);
	if (err) {
		hv_gp(v);
		return HV_RESUME;
	}
	if (!v->exit.msr.write) {
		v->gpr[X86_RAX] = (u32)val;
		v->gpr[X86_RDX] = val >> 32;
	}
	return done(v);
}

/* ---- control and debug registers --------------------------------------------------- */

static bool cr0_valid(u64 val)
{
	return !(val >> 32) && (!(val & CR0_PG) || (val & CR0_PE)) &&
	       (!(val & CR0_NW) || (val & CR0_CD));
}

/* CR0.PG going on enters long mode if EFER.LME wants it (SDM vol. 3A 10.8.5). False: #GP. */
static bool paging_switch(struct hv_vcpu *v, u64 cr0)
{
	struct hv_regs *st = &v->st;

	if (!(cr0 & CR0_PG)) {
		st->efer &= ~(u64)EFER_LMA;
	} else if (!(st->cr0 & CR0_PG) && (st->efer & EFER_LME)) {
		if (!(st->cr4 & CR4_PAE))
			return false;
		st->efer |= EFER_LMA;
	}
	return true;
}

/* SDM vol. 3A 2.5: features that are there, PAE and LA57 as long mode wants them, PCIDE. */
static bool cr4_valid(struct hv_vcpu *v, u64 val)
{
	const struct hv_regs *st = &v->st;
	u64 changed = val ^ st->cr4;

	if (val & ~hv_cr4_allowed(v->vm))
		return false;
	if ((st->efer & EFER_LMA) && (!(val & CR4_PAE) || (changed & CR4_LA57)))
		return false;
	return !(changed & val & CR4_PCIDE) || ((st->efer & EFER_LMA) && !(st->cr3 & 0xfff));
}

bool hv_cr_write(struct hv_vcpu *v, unsigned cr, u64 val)
{
	hv_want(v, HV_G_CR);
	if (cr == 8 && !(val & ~15ULL)) {
		v->bus.cr8_write(v->bus.opaque, (u8)val);
		return true;
	}
	if (cr == 0 && cr0_valid(val) && paging_switch(v, val)) {
		v->st.cr0 = val | CR0_ET;
		hv_pdpte_load(v);
		hv_touch(v, HV_G_CR);
		hv_request(v, HV_REQ_FLUSH);
		return true;
	}
	if (cr == 4 && cr4_valid(v, val)) {
		v->st.cr4 = val;
		hv_pdpte_load(v);
		hv_touch(v, HV_G_CR);
		hv_request(v, HV_REQ_FLUSH);
		return true;
	}
	hv_gp(v);
	return false;
}

u64 hv_cr_read(struct hv_vcpu *v, unsigned cr)
{
	hv_want(v, HV_G_CR);
	switch (cr) {
	case 0:
		return v->st.cr0;
	case 2:
		return v->st.cr2;
	case 3:
		return v->st.cr3;
	case 4:
		return v->st.cr4;
	case 8:
		return v->bus.cr8_read(v->bus.opaque) & 15;
	default:
		return 0;
	}
}

static enum hv_next on_cr(struct hv_vcpu *v, struct hv_exit *e)
{
	const struct vt_exit x = v->exit;

	if (x.cr.gpr >= 16)
		return emulate(v, e);
	if (!x.cr.write)
		v->gpr[x.cr.gpr] = hv_cr_read(v, x.cr.cr);
	else if (!hv_cr_write(v, x.cr.cr, v->gpr[x.cr.gpr]))
		return HV_RESUME;
	return done(v);
}

/* The guest uses its debug registers: they stay in the processor until the next put. */
static enum hv_next on_dr(struct hv_vcpu *v, struct hv_exit *e)
{
	hv_want(v, HV_G_DR);
	v->dr_live = true;
	hv_touch(v, HV_G_DR);
	return HV_RESUME;
}

/* ---- the rest ---------------------------------------------------------------------------- */

static enum hv_next on_hlt(struct hv_vcpu *v, struct hv_exit *e)
{
	enum hv_next next = done(v);

	v->mp = X86_MP_HALTED;
	return next;
}

static enum hv_next on_pause(struct hv_vcpu *v, struct hv_exit *e)
{
	done(v);
	e->kind = HV_EXIT_YIELD;
	return HV_TO_HOST;
}

static enum hv_next on_vmcall(struct hv_vcpu *v, struct hv_exit *e)
{
	const struct hv_vm *vm = v->vm;
	unsigned len;

	hv_want(v, HV_G_SEG | HV_G_CR);
	len = hv_insn_len(v);
	if (!len)
		return HV_RESUME;
	v->stats.hypercalls++;
	if (!vm->cfg.ops->hypercall || !vm->cfg.ops->hypercall(vm->cfg.opaque, v))
		hv_pv_hypercall(v);
	if (v->deferred)
		return defer(e);
	hv_advance(v, len);
	return HV_RESUME;
}

/* VMCALL on AMD or VMMCALL on Intel, as a kernel that took the other road has it. */
static bool other_vendors_call(struct hv_vcpu *v)
{
	static const u8 calls[2][3] = {{0x0f, 0x01, 0xc1}, {0x0f, 0x01, 0xd9}};
	u64 base = hv_vcpu_code_size(v) == 8 ? 0 : v->st.seg[X86_CS].base;
	u8 code[3];

	if (hv_vcpu_read(v, base + v->rip, code, 3))
		return false;
	return !__builtin_memcmp(code, calls[0], 3) || !__builtin_memcmp(code, calls[1], 3);
}

/* #DB and #AC are taken so that delivering them cannot loop for ever in the processor. */
static enum hv_next on_exception(struct hv_vcpu *v, struct hv_exit *e)
{
	const struct vt_exit x = v->exit;

	hv_want(v, HV_G_CR | HV_G_DR);
	if (v->debugging && (x.exc.vector == X86_EXC_DB || x.exc.vector == X86_EXC_BP)) {
		e->kind = HV_EXIT_DEBUG;
		e->vector = x.exc.vector;
		e->addr = v->rip;
		e->dr6 = x.exc.qual;
		return HV_TO_HOST;
	}
	if (x.exc.vector == X86_EXC_MC)
		return HV_RESUME;
	if (x.exc.vector == X86_EXC_UD && other_vendors_call(v)) {
		v->exit.len = 3;
		return on_vmcall(v, e);
	}
	if (x.exc.vector == X86_EXC_DB) {
		v->st.dr6 = (v->st.dr6 & ~15ULL) | x.exc.qual | DR6_FIXED;
		v->st.dr7 &= ~(u64)DR7_GD;
		hv_touch(v, HV_G_DR);
	}
	if (x.exc.vector == X86_EXC_PF) {
		v->st.cr2 = x.exc.qual;
		hv_touch(v, HV_G_CR);
	}
	hv_raise(v, x.exc.vector, x.exc.has_error, x.exc.error);
	return HV_RESUME;
}

static enum hv_next on_cache(struct hv_vcpu *v, struct hv_exit *e)
{
	return done(v);
}

static bool xcr0_valid(struct hv_vcpu *v, u64 val)
{
	bool avx512 = val & 0xe0;

	if (!(val & 1) || (val & ~hv_xcr0_allowed(v->vm)))
		return false;
	return (!(val & 4) || (val & 2)) && (!avx512 || (val & 0xe6) == 0xe6);
}

static enum hv_next on_xsetbv(struct hv_vcpu *v, struct hv_exit *e)
{
	u64 val = (u32)v->gpr[X86_RAX] | v->gpr[X86_RDX] << 32;

	if (hv_vcpu_cpl(v) || (u32)v->gpr[X86_RCX] || !xcr0_valid(v, val)) {
		hv_gp(v);
		return HV_RESUME;
	}
	v->xcr0 = val;
	return done(v);
}

static enum hv_next on_tsc(struct hv_vcpu *v, struct hv_exit *e)
{
	hv_gp(v); /* RDPMC: no counters */
	return HV_RESUME;
}

static enum hv_next on_ud(struct hv_vcpu *v, struct hv_exit *e)
{
	hv_raise(v, X86_EXC_UD, false, 0);
	return HV_RESUME;
}

/* Waiting is always over at once. MISC_ENABLE[18] shows the feature as CPUID does (SDM vol. 4). */
static enum hv_next on_mwait(struct hv_vcpu *v, struct hv_exit *e)
{
	u64 misc = 0;

	hv_msr_read(v, 0x1a0, &misc);
	if (v->vm->cfg.mwait_nop || (misc & BIT(18)) || hv_cpuid_has(v->vm, 1, 0, 2, 3))
		return done(v);
	return on_ud(v, e);
}

static enum hv_next on_task(struct hv_vcpu *v, struct hv_exit *e)
{
	return give_up(v, e, "hardware task switches are not supported");
}

static enum hv_next on_shutdown(struct hv_vcpu *v, struct hv_exit *e)
{
	e->kind = HV_EXIT_SHUTDOWN;
	return HV_TO_HOST;
}

static enum hv_next on_error(struct hv_vcpu *v, struct hv_exit *e)
{
	return give_up(v, e, "the processor refused to run the guest");
}

struct exit_row {
	const char *name;
	exit_fn fn;
	u32 needs; /* groups its handler is going to want */
};

static const struct exit_row exit_rows[] = {
	[VT_EXIT_INTR] = {"interrupt", on_resume, 0},
	[VT_EXIT_NMI] = {"nmi", on_resume, 0},
	[VT_EXIT_WINDOW] = {"window", on_resume, 0},
	[VT_EXIT_IO] = {"io", on_io, HV_G_SEG | HV_G_CR},
	[VT_EXIT_NPF] = {"npf", on_npf, HV_G_SEG | HV_G_CR},
	[VT_EXIT_CPUID] = {"cpuid", on_cpuid, HV_G_CR},
	[VT_EXIT_MSR] = {"msr", on_msr, 0},
	[VT_EXIT_CR] = {"cr", on_cr, HV_G_SEG | HV_G_CR},
	[VT_EXIT_DR] = {"dr", on_dr, HV_G_DR},
	[VT_EXIT_HLT] = {"hlt", on_hlt, 0},
	[VT_EXIT_PAUSE] = {"pause", on_pause, 0},
	[VT_EXIT_VMCALL] = {"hypercall", on_vmcall, HV_G_SEG | HV_G_CR},
	[VT_EXIT_EXC] = {"exception", on_exception, HV_G_CR | HV_G_DR},
	[VT_EXIT_CACHE] = {"cache", on_cache, 0},
	[VT_EXIT_XSETBV] = {"xsetbv", on_xsetbv, HV_G_SEG | HV_G_CR},
	[VT_EXIT_TSC] = {"rdpmc", on_tsc, HV_G_CR},
	[VT_EXIT_MWAIT] = {"mwait", on_mwait, HV_G_CR},
	[VT_EXIT_TASK] = {"task", on_task, 0},
	[VT_EXIT_SHUTDOWN] = {"shutdown", on_shutdown, 0},
	[VT_EXIT_UD] = {"undefined", on_ud, HV_G_CR},
	[VT_EXIT_INIT] = {"init", on_resume, 0},
	[VT_EXIT_ERROR] = {"error", on_error, 0},
};
static_assert(ARRAY_LEN(exit_rows) == VT_EXIT_KINDS, "a handler for every kind of exit");

u32 hv_exit_needs(const struct vt_exit *x)
{
	return exit_rows[x->kind].needs;
}

enum hv_next hv_exit_handle(struct hv_vcpu *v, struct hv_exit *e)
{
	return exit_rows[v->exit.kind].fn(v, e);
}

const char *hv_exit_name(enum vt_exit_kind k)
{
	return k < VT_EXIT_KINDS ? exit_rows[k].name : "?";
}
