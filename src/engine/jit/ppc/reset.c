/* SPDX-License-Identifier: Apache-2.0 */
/* Starting states. */
#include "engine/jit/ppc/system.h"

void ppc_start_state(struct ppc_vcpu *c, u64 nip, u64 arg)
{
	for (unsigned i = 0; i < 32; i++)
		c->gpr[i] = 0;
	c->gpr[3] = arg;
	c->nip = nip;
	c->halted = false;
	c->msr = PPC_MSR_SF | PPC_MSR_ME;
	ppc_key_update(c);
}

void ppc_reset(struct ppc_vcpu *c)
{
	struct ppc_sys *sys = c->sys;

	c->lr = c->ctr = c->tar = 0;
	ppc_cr_write(c, 0);
	ppc_xer_write(c, 0);
	for (unsigned i = 0; i < 64; i++)
		c->vsr[i] = (union ppc_vsr){{0, 0}};
	c->vscr_sat = (union ppc_vsr){{0, 0}};
	c->vscr_nj = c->vrsave = 0;
	c->fpscr = 0;
	c->fp_op = c->fp_cmp = 0;
	c->res_addr = PPC_NO_RESERVATION;
	c->exc = (struct ppc_exc){0};
	c->srr0 = c->srr1 = c->dar = c->cfar = c->dscr = c->amr = c->iamr = c->uamor = 0;
	c->dsisr = c->pidr = 0;
	c->lpcr = 0;
	c->fscr = c->ctrl = 0;
	c->ppr = 4ull << 50; /* medium, ISA II 3.1 */
	c->pvr = PPC_PVR;
	c->pir = c->index;
	c->rt.key = PPC_KEY_ISA3;
	c->rt.mxcsr = 0x1f80; /* round to nearest, all masked: SDM vol. 1 10.2.3 */
	c->tb_offset = 0;
	c->dec_deadline = ppc_timebase(c) + 0x7fffffff;
	for (unsigned i = 0; i < PPC_SLB_SIZE; i++)
		sys->slb[i] = (struct ppc_slbe){0};
	sys->vpa = sys->slb_shadow = sys->dtl = 0;
	atomic_store(&sys->timer_armed, 0);
	atomic_store(&sys->prodded, false);
	atomic_store(&sys->reset_wanted, false);
	atomic_store(&sys->stopped, true);
	atomic_store(&sys->start_nip, ~0ULL);
	ppc_start_state(c, 0, 0);
	ppc_flush(c);
}
