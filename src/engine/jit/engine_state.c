/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU's state to and from struct x86_state. On the vCPU's thread, or while it
 * does not run. Makes no bus calls, because the caller may hold the machine
 * lock: cr8 and the local APIC's MSRs are the machine's to fill in. Both directions go through the
 * same MSR list; what a state says is checked as far as the engine's own safety needs.
 */
#include "engine/jit/engine_state.h"

#include <string.h>

#include "engine/jit/x86/sys.h"

static void get_msrs(struct x86_vcpu *c, struct x86_state *s)
{
	const u32 *list;
	unsigned n = x86_state_msrs(&list);
	struct x86_exc exc = c->exc;

	s->nmsrs = 0;
	c->sys->no_bus = true;
	for (unsigned i = 0; i < n; i++) {
		u64 v;

		if (x86_rdmsr(c, list[i], &v))
			continue; /* not on this vendor's CPU */
		s->msr[s->nmsrs].index = list[i];
		s->msr[s->nmsrs++].value = v;
	}
	c->sys->no_bus = false;
	c->exc = exc;
}

static void get_events(struct x86_vcpu *c, struct x86_state *s)
{
	s->mp_state = c->wait_sipi ? X86_MP_WAIT_SIPI : c->halted ? X86_MP_HALTED : X86_MP_RUNNING;
	s->nmi_pending = atomic_load(&c->sys->nmi_queued);
	s->nmi_masked = c->nmi_masked;
	s->sti_shadow = c->sti_shadow;
	s->movss_shadow = c->movss_shadow;
	s->exc_pending = c->exc.pending;
	s->exc_vector = c->exc.vector;
	s->exc_has_error = c->exc.has_error;
	s->exc_error = c->exc.error;
}

int engine_jit_get_state(struct x86_vcpu *c, struct x86_state *s)
{
	x86_fpu_settle(c);
	memset(s, 0, sizeof(*s));
	get_events(c, s);
	memcpy(s->gpr, c->gpr, sizeof(s->gpr));
	s->rip = c->rip;
	s->rflags = c->rflags;
	memcpy(s->seg, c->seg, sizeof(s->seg));
	s->ldtr = c->ldtr;
	s->tr = c->tr;
	s->gdtr = c->gdtr;
	s->idtr = c->idtr;
	s->cr0 = c->cr0;
	s->cr2 = c->cr2;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	memcpy(s->dr, c->dr, sizeof(s->dr));
	s->dr6 = c->dr6;
	s->dr7 = c->dr7;
	s->efer = c->efer;
	s->apic_base = c->apic_base;
	s->xcr0 = c->xcr0;
	s->tsc = x86_tsc(c);
	get_msrs(c, s);
	s->xsave_size = c->vm->xsave_size;
	memcpy(s->xsave, c->xsave, min_u64(s->xsave_size, sizeof(s->xsave)));
	return 0;
}

static int check_state(const struct x86_vcpu *c, const struct x86_state *s)
{
	bool lma = (s->efer & EFER_LMA) != 0;

	if (s->nmsrs > X86_STATE_MSRS || s->xsave_size > X86_XSAVE_MAX)
		return -E_INVAL;
	if ((s->cr0 & CR0_PG && !(s->cr0 & CR0_PE)) || s->cr4 & ~x86_cr4_allowed(c))
		return -E_INVAL;
	if (lma != ((s->efer & EFER_LME) && (s->cr0 & CR0_PG)) || (lma && !(s->cr4 & CR4_PAE)))
		return -E_INVAL;
	if (s->xcr0 & ~x86_xcr0_allowed(c->vm) || (s->xcr0 && !(s->xcr0 & 1)))
		return -E_INVAL;
	return 0;
}

static void set_events(struct x86_vcpu *c, const struct x86_state *s)
{
	c->wait_sipi = s->mp_state == X86_MP_WAIT_SIPI;
	c->halted = s->mp_state == X86_MP_HALTED;
	atomic_store(&c->sys->nmi_queued, s->nmi_pending);
	c->nmi_masked = s->nmi_masked;
	c->sti_shadow = s->sti_shadow;
	c->movss_shadow = s->movss_shadow;
	c->shutdown = false;
	c->sys->db_bits = 0;
	c->exc = (struct x86_exc){.pending = s->exc_pending,
				  .vector = s->exc_vector,
				  .has_error = s->exc_has_error,
				  .error = s->exc_error};
}

static void set_xsave(struct x86_vcpu *c, const struct x86_state *s)
{
	c->xcr0 = s->xcr0 ? s->xcr0 : 1;
	memset(c->xsave, 0, sizeof(c->xsave));
	memcpy(c->xsave, s->xsave, s->xsave_size);
	/* XRSTOR faults on components outside XCR0 and on reserved header bytes. */
	store_le64(c->xsave + 512, load_le64(c->xsave + 512) & x86_xcr0_allowed(c->vm));
	x86_fpu_replaced(c);
	memset(c->xsave + 520, 0, 56);
	store_le32(c->xsave + 24, load_le32(c->xsave + 24) & 0xffff);
}

static void set_msrs(struct x86_vcpu *c, const struct x86_state *s)
{
	c->sys->no_bus = true;
	for (u32 i = 0; i < s->nmsrs; i++) {
		/* TSC_ADJUST is set with the TSC below. */
		if (s->msr[i].index == 0x3b)
			c->tsc_adjust = s->msr[i].value;
		else if (x86_wrmsr(c, s->msr[i].index, s->msr[i].value))
			c->exc.pending = false;
	}
	c->sys->no_bus = false;
}

int engine_jit_set_state(struct x86_vcpu *c, const struct x86_state *s)
{
	int ret = check_state(c, s);

	if (ret)
		return ret;
	x86_fpu_park(c);
	memcpy(c->gpr, s->gpr, sizeof(c->gpr));
	c->rip = s->rip;
	c->rflags = s->rflags | RF_FIXED;
	memcpy(c->seg, s->seg, sizeof(c->seg));
	c->ldtr = s->ldtr;
	c->tr = s->tr;
	c->gdtr = s->gdtr;
	c->idtr = s->idtr;
	c->cr0 = s->cr0 | CR0_ET;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	memcpy(c->dr, s->dr, sizeof(c->dr));
	c->dr6 = s->dr6;
	c->dr7 = s->dr7;
	c->efer = s->efer;
	c->apic_base = s->apic_base;
	c->cpl = (u8)seg_dpl(s->seg[X86_SS].attr);
	set_xsave(c, s);
	c->tsc_offset += s->tsc - x86_tsc(c);
	set_msrs(c, s);
	set_events(c, s);
	x86_tlb_flush(c, true);
	if (x86_load_pdptes(c, c->cr0, c->cr3, c->cr4))
		c->exc.pending = s->exc_pending;
	x86_debug_update(c);
	return 0;
}
