/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A vCPU's whole state to struct x86_state and back; for snapshots, KVM's ioctls
 * and boot loaders. Contract in hv.h.
 */
#include "core/hv_internal.h"
#include "core/cpu/hw.h"

/* Segments, tables and control registers lie alike in both. */
#define SHARED offsetof(struct hv_regs, efer)
#define SHARED_AT offsetof(struct x86_state, seg)
static_assert(offsetof(struct x86_state, cr8) - SHARED_AT == SHARED &&
		      offsetof(struct x86_state, cr0) - SHARED_AT == offsetof(struct hv_regs, cr0),
	      "alike");

/* struct x86_state has room for 64; the rest are rows nobody changes. */
static void get_msrs(struct hv_vcpu *v, struct x86_state *s)
{
	struct x86_msr m;

	s->nmsrs = 0;
	for (unsigned i = 0; i < hv_msr_count() && s->nmsrs < X86_STATE_MSRS; i++) {
		m.index = hv_msr_index(i);
		if (!hv_msr_read(v, m.index, &m.value) && (i < 16 || m.value))
			s->msr[s->nmsrs++] = m;
	}
}

static int set_msrs(struct hv_vcpu *v, const struct x86_state *s)
{
	int err = 0;

	for (unsigned i = 0; i < s->nmsrs && i < X86_STATE_MSRS && !err; i++)
		if (s->msr[i].index != MSR_TSC)
			err = hv_msr_write(v, s->msr[i].index, s->msr[i].value, true);
	return err ? -E_INVAL : 0;
}

static void get_events(struct hv_vcpu *v, struct x86_state *s)
{
	s->mp_state = v->mp;
	s->nmi_pending = atomic_load(&v->request) & HV_REQ_NMI;
	s->nmi_masked = v->nmi_masked;
	s->sti_shadow = v->sti_shadow;
	s->movss_shadow = v->movss_shadow;
	s->exc_pending = v->event.valid && v->event.kind == VT_EVENT_EXC;
	s->exc_vector = s->exc_pending ? v->event.vector : 0;
	s->exc_has_error = s->exc_pending && v->event.has_error;
	s->exc_error = s->exc_pending ? v->event.error : 0;
}

static void set_events(struct hv_vcpu *v, const struct x86_state *s)
{
	v->mp = s->mp_state;
	atomic_fetch_and(&v->request, ~(u32)HV_REQ_NMI);
	if (s->nmi_pending)
		hv_vcpu_nmi(v);
	v->nmi_masked = s->nmi_masked;
	v->sti_shadow = s->sti_shadow;
	v->movss_shadow = s->movss_shadow;
	if (v->event.valid && v->event.kind == VT_EVENT_EXC)
		v->event.valid = false;
	if (s->exc_pending)
		v->event = (struct hv_event){.kind = VT_EVENT_EXC,
					     .vector = s->exc_vector,
					     .has_error = s->exc_has_error,
					     .error = s->exc_error,
					     .valid = true};
}

int hv_vcpu_get(struct hv_vcpu *v, struct x86_state *s)
{
	const struct hv_regs *st = &v->st;

	hv_vcpu_to_memory(v);
	hv_want(v, HV_G_ALL);
	__builtin_memset(s, 0, sizeof(*s));
	__builtin_memcpy(s->gpr, v->gpr, sizeof(s->gpr));
	s->rip = v->rip;
	s->rflags = v->rflags;
	__builtin_memcpy((u8 *)s + SHARED_AT, st, SHARED);
	s->cr8 = v->bus.cr8_read ? v->bus.cr8_read(v->bus.opaque) : 0;
	__builtin_memcpy(s->dr, st->dr, sizeof(s->dr));
	s->dr6 = st->dr6;
	s->dr7 = st->dr7;
	s->efer = st->efer;
	if (v->bus.msr_read(v->bus.opaque, 0x1b, &s->apic_base))
		s->apic_base = 0;
	s->xcr0 = v->xcr0;
	s->tsc = hv_vcpu_tsc(v, NULL);
	get_msrs(v, s);
	s->xsave_size = X86_XSAVE_MAX;
	__builtin_memcpy(s->xsave, v->xsave, X86_XSAVE_MAX);
	get_events(v, s);
	return 0;
}

/* CPL as the hardware keeps it: SS.DPL (SDM vol. 3C 26.4.1.2). */
static u8 cpl_of(const struct x86_state *s)
{
	if (!(s->cr0 & CR0_PE))
		return 0;
	return s->rflags & FL_VM ? 3 : s->seg[X86_SS].attr >> 5 & 3;
}

static bool state_valid(struct hv_vcpu *v, const struct x86_state *s)
{
	return !(s->xcr0 & ~hv_xcr0_allowed(v->vm)) && s->nmsrs <= X86_STATE_MSRS &&
	       s->mp_state <= X86_MP_WAIT_SIPI && !(s->cr0 >> 32) &&
	       !(s->efer & ~(u64)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR));
}

static void set_xsave(struct hv_vcpu *v, const struct x86_state *s)
{
	u64 *header = (u64 *)(v->xsave + 512);
	u32 *mxcsr = (u32 *)(v->xsave + 24);

	v->xcr0 = s->xcr0 | 1;
	if (s->xsave_size < 576 || s->xsave_size > X86_XSAVE_MAX)
		return;
	__builtin_memset(v->xsave, 0, X86_XSAVE_MAX);
	__builtin_memcpy(v->xsave, s->xsave, s->xsave_size);
	/* What XRSTOR would refuse (SDM vol. 1, 13.8) must not reach it. */
	header[0] &= hv_xcr0_allowed(v->vm) | 3;
	for (unsigned i = 1; i < 8; i++)
		header[i] = 0;
	*mxcsr &= 0xffff;
}

int hv_vcpu_set(struct hv_vcpu *v, const struct x86_state *s)
{
	struct hv_regs *st = &v->st;
	u64 old_tsc;

	if (!state_valid(v, s))
		return -E_INVAL;
	hv_vcpu_to_memory(v);
	hv_want(v, HV_G_ALL);
	__builtin_memcpy(v->gpr, s->gpr, sizeof(v->gpr));
	v->rip = s->rip;
	v->rflags = s->rflags | FL_FIXED;
	__builtin_memcpy(st, (const u8 *)s + SHARED_AT, SHARED);
	st->cr0 |= CR0_ET;
	st->cr4 &= ~(u64)CR4_VMXE;
	__builtin_memcpy(st->dr, s->dr, sizeof(st->dr));
	st->dr6 = (u32)s->dr6 | DR6_FIXED;
	st->dr7 = (u32)s->dr7 | DR7_FIXED;
	st->efer = s->efer;
	st->cpl = cpl_of(s);
	hv_pdpte_load(v);
	v->have = v->dirty = HV_G_ALL;
	old_tsc = hv_vcpu_tsc(v, NULL);
	if (s->tsc)
		v->tsc_base += s->tsc - old_tsc;
	set_xsave(v, s);
	set_events(v, s);
	hv_replay_reset(v);
	v->redo = false;
	hv_request(v, HV_REQ_FLUSH);
	if (v->bus.cr8_write)
		v->bus.cr8_write(v->bus.opaque, (u8)(s->cr8 & 15));
	return set_msrs(v, s);
}
