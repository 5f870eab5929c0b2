/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power-on and INIT state (SDM vol. 3A table 10-1).
 */
#include "engine/jit/x86/sys.h"

static void reset_segments(struct x86_vcpu *c)
{
	u32 data = SEG_P | SEG_S | SEG_RW | SEG_A;

	for (unsigned i = 0; i < X86_NSEGS; i++)
		c->seg[i] = (struct x86_seg){.limit = 0xffff, .attr = data};
	c->seg[X86_CS] = (struct x86_seg){
		.sel = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attr = data | SEG_CODE};
	c->ldtr = (struct x86_seg){.limit = 0xffff, .attr = SEG_P | DESC_LDT};
	c->tr = (struct x86_seg){.limit = 0xffff, .attr = SEG_P | DESC_TSS32_BUSY};
	c->gdtr = c->idtr = (struct x86_dtr){.limit = 0xffff};
}

static void reset_registers(struct x86_vcpu *c, bool init)
{
	u32 sig[4];

	for (unsigned i = 0; i < 16; i++)
		c->gpr[i] = 0;
	x86_cpuid(c, 1, 0, sig);
	c->gpr[X86_RDX] = sig[0];
	c->rip = 0xfff0;
	c->rflags = RF_FIXED;
	c->cr0 = CR0_ET | (init ? c->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW);
	c->cr2 = c->cr3 = c->cr4 = 0;
	c->efer = 0;
	c->dr[0] = c->dr[1] = c->dr[2] = c->dr[3] = 0;
	c->dr6 = DR6_INIT;
	c->dr7 = DR7_INIT;
	c->cpl = 0;
}

/* What INIT leaves alone: FPU, time stamp, MTRRs, most MSRs. */
static void reset_cold(struct x86_vcpu *c)
{
	x86_fpu_park(c);
	x86_fill(c->xsave, 0, sizeof(c->xsave));
	store_le16(c->xsave, 0x40);	   /* FCW */
	c->xsave[4] = 0xff;		   /* tags: all +0.0, none empty */
	store_le32(c->xsave + 24, 0x1f80); /* MXCSR */
	store_le32(c->xsave + 28, 0xffff); /* its mask */
	c->xsave[512] = 3;		   /* XSTATE_BV: x87 and SSE are here */
	c->xcr0 = 1;
	c->pkru = 0;
	c->pkrs = 0;
	c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = c->tsc_aux = 0;
	c->tsc_offset = c->tsc_adjust = c->xss = 0;
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = c->spec_ctrl = 0;
	c->pat = 0x0007040600070406; /* SDM vol. 3A section 12.12.4 */
	c->misc_enable = BIT(0);     /* fast strings */
	c->mtrr_def = 0;
	for (unsigned i = 0; i < ARRAY_LEN(c->mtrr_fix); i++)
		c->mtrr_fix[i] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(c->mtrr_var); i++)
		c->mtrr_var[i] = 0;
	c->apic_base = 0xfee00000 | BIT(11) | (c->index ? 0 : BIT(8));
	c->sys->kvm_clock = c->sys->kvm_wall = 0;
	c->sys->mcg_status = c->sys->mcg_ctl = c->sys->debugctl = 0;
	c->sys->bios_sign = c->vm->host && c->vm->host->amd ? 0x1000065 : 0x100000000;
	c->sys->amd_hwcr = BIT(24); /* TscFreqSel: the TSC is constant (AMD PPR MSRC001_0015) */
	c->sys->amd_de_cfg = c->sys->amd_nb_cfg = c->sys->amd_syscfg = 0;
}

void x86_reset(struct x86_vcpu *c, bool init)
{
	if (!init) {
		reset_cold(c);
		/* Sent before the reset by a CPU that ran on for a moment. */
		atomic_fetch_and(&c->kick, ~(u32)(X86_KICK_INIT | X86_KICK_SIPI | X86_KICK_NMI));
	}
	reset_segments(c);
	reset_registers(c, init);
	c->exc = (struct x86_exc){0};
	c->sti_shadow = c->movss_shadow = c->nmi_masked = c->halted = c->shutdown = false;
	c->wait_sipi = c->index != 0;
	c->sys->db_bits = 0;
	c->sys->dbg_hit = false;
	atomic_store(&c->sys->nmi_queued, 0);
	x86_tlb_flush(c, true);
	x86_debug_update(c);
}
