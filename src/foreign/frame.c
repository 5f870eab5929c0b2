/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal frames of 64-bit POWER: what a handler finds on its stack and
 * rt_sigreturn takes back. Layout: Linux arch/powerpc/kernel/signal_64.c
 * (struct rt_sigframe), asm/ucontext.h, asm/sigcontext.h, asm/ptrace.h.
 */
#include <errno.h>
#include <string.h>

#include "engine/jit/ppc/fp.h"
#include "foreign/task.h"

enum { /* elf_gregset_t by index, asm/ptrace.h PT_* */
       G_NIP = 32,
       G_MSR,
       G_ORIG_R3,
       G_CTR,
       G_LNK,
       G_XER,
       G_CCR,
       G_SOFTE,
       G_TRAP,
       G_DAR,
       G_DSISR,
       G_RESULT,
       PPC_NGREG = 48,
};

struct sigcontext_ppc {
	u64 unused[4];
	s32 signal, pad;
	u64 handler, oldmask, regs;
	u64 gp[PPC_NGREG];
	u64 fp[33];
	u64 v_regs; /* address of the first quadword in vmx */
	u64 vmx[101];
};
static_assert(sizeof(struct sigcontext_ppc) == 1528, "asm/sigcontext.h");

struct ucontext_ppc {
	u64 flags, link;
	struct foreign_stack stack;
	u64 mask, unused[15];
	struct sigcontext_ppc mc;
};
static_assert(offsetof(struct ucontext_ppc, mc) == 168, "asm/ucontext.h");

struct frame {
	struct ucontext_ppc uc;
	u64 transact[sizeof(struct ucontext_ppc) / 8]; /* of transactional memory, unused */
	u64 unused[2];
	u32 tramp[6];
	u64 pinfo, puc;
	u8 info[128];
	u8 gap[512]; /* below the stack pointer belongs to the interrupted function: ABI 2.2.3 */
};
static_assert(sizeof(((struct frame *)0)->info) == sizeof(siginfo_t), "siginfo_t is alike");

/* Room for the handler's caller's frame, __SIGNAL_FRAMESIZE; the red zone, ABI 2.2.3.4. */
enum { CALLER_FRAME = 128, RED_ZONE = 512 };

/* quadwords behind v_regs: VR 0-31, VSCR, VRSAVE; then doublewords 1 of VSR 0-31 */
enum { V_VSCR = 32, V_VRSAVE = 33, V_COUNT = 34 };

static u32 vscr_read(const struct ppc_vcpu *c)
{
	return (c->vscr_nj ? (u32)PPC_VSCR_NJ : 0) |
	       (c->vscr_sat.dw[0] | c->vscr_sat.dw[1] ? (u32)PPC_VSCR_SAT : 0);
}

static void vscr_write(struct ppc_vcpu *c, u32 v)
{
	c->vscr_nj = !!(v & PPC_VSCR_NJ);
	c->vscr_sat.dw[0] = v & PPC_VSCR_SAT;
	c->vscr_sat.dw[1] = 0;
	ppc_key_update(c);
}

static u8 *vector_area(struct sigcontext_ppc *mc)
{
	u64 off = (u64)((u8 *)mc->vmx - (u8 *)mc);

	return (u8 *)mc + align_up(off + 8, 16) -
	       8; /* mc sits at 8 modulo 16 of an aligned frame */
}

static void save_registers(struct task *t, struct sigcontext_ppc *mc, u64 at)
{
	struct ppc_vcpu *c = t->cpu;
	u8 *v = vector_area(mc);
	u32 vscr = vscr_read(c);

	memcpy(mc->gp, c->gpr, sizeof(c->gpr));
	mc->gp[G_NIP] = c->nip;
	mc->gp[G_MSR] = c->msr | PPC_MSR_FP | PPC_MSR_VEC | PPC_MSR_VSX;
	mc->gp[G_ORIG_R3] = c->gpr[3];
	mc->gp[G_CTR] = c->ctr;
	mc->gp[G_LNK] = c->lr;
	mc->gp[G_XER] = ppc_xer_read(c);
	mc->gp[G_CCR] = ppc_cr_read(c);
	mc->gp[G_SOFTE] = 1;
	mc->gp[G_DAR] = c->dar;
	for (unsigned i = 0; i < 32; i++) {
		u64 low = c->vsr[i].dw[PPC_DW(1)];

		mc->fp[i] = c->vsr[i].dw[PPC_DW0];
		memcpy(v + V_COUNT * 16 + i * 8, &low, 8);
	}
	mc->fp[32] = ppc_fpscr_read(c);
	memcpy(v, c->vsr + 32, 32 * 16);
	memset(v + V_VSCR * 16, 0, 32);
	memcpy(v + V_VSCR * 16 + 12, &vscr, 4);
	memcpy(v + V_VRSAVE * 16, &c->vrsave, 4);
	mc->v_regs = at + (u64)(v - (u8 *)mc);
	mc->regs = at + offsetof(struct sigcontext_ppc, gp);
}

static void load_registers(struct task *t, struct sigcontext_ppc *mc)
{
	struct ppc_vcpu *c = t->cpu;
	u8 *v = vector_area(mc);
	u32 vscr;

	memcpy(c->gpr, mc->gp, sizeof(c->gpr));
	c->nip = mc->gp[G_NIP];
	c->ctr = mc->gp[G_CTR];
	c->lr = mc->gp[G_LNK];
	ppc_xer_write(c, mc->gp[G_XER]);
	ppc_cr_write(c, (u32)mc->gp[G_CCR]);
	ppc_fpscr_write(c, mc->fp[32]);
	if (mc->v_regs && mc->gp[G_MSR] & PPC_MSR_VEC) {
		memcpy(c->vsr + 32, v, 32 * 16);
		memcpy(&vscr, v + V_VSCR * 16 + 12, 4);
		vscr_write(c, vscr);
		memcpy(&c->vrsave, v + V_VRSAVE * 16, 4);
	}
	for (unsigned i = 0; i < 32; i++) {
		c->vsr[i].dw[PPC_DW0] = mc->fp[i];
		if (mc->v_regs && mc->gp[G_MSR] & PPC_MSR_VSX)
			memcpy(&c->vsr[i].dw[PPC_DW(1)], v + V_COUNT * 16 + i * 8, 8);
	}
}

/* Where the frame goes: on the alternate stack if the action says so and it is not in use. */
static u64 frame_address(const struct task *t, const struct foreign_action *a)
{
	u64 sp = t->cpu->gpr[1];
	bool on_alt = sp - t->alt.sp < t->alt.size;

	if (a->flags & SA_ONSTACK && t->alt.size && !on_alt && !(t->alt.flags & SS_DISABLE))
		sp = t->alt.sp + t->alt.size;
	else
		sp -= RED_ZONE;
	return align_down(sp - sizeof(struct frame), 16);
}

int frame_push(struct task *t, const struct foreign_action *a, const siginfo_t *info)
{
	struct ppc_vcpu *c = t->cpu;
	u64 at = frame_address(t, a), sp = at - CALLER_FRAME, back = c->gpr[1];
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.uc.stack = t->alt;
	if (!t->alt.size)
		f.uc.stack.flags = SS_DISABLE;
	f.uc.mask = t->mask_saved ? t->saved_mask : t->mask;
	t->mask_saved = false;
	f.uc.mc.signal = info->si_signo;
	f.uc.mc.handler = a->handler;
	f.uc.mc.oldmask = f.uc.mask;
	save_registers(t, &f.uc.mc, at + offsetof(struct frame, uc.mc));
	f.pinfo = at + offsetof(struct frame, info);
	f.puc = at;
	memcpy(f.info, info, sizeof(*info));
	if (mem_write(t, at, &f, sizeof(f)) || mem_write(t, sp, &back, 8))
		return -EFAULT;
	c->gpr[1] = sp;
	c->gpr[3] = (u64)info->si_signo;
	c->gpr[4] = f.pinfo;
	c->gpr[5] = at;
	c->gpr[6] = at;
	c->gpr[12] = a->handler; /* ABI version 2: a function's own address */
	c->lr = t->sp->trampoline;
	c->nip = a->handler & ~3ULL;
	ppc_fpscr_write(c, 0);
	return 0;
}

int frame_pop(struct task *t)
{
	struct ucontext_ppc uc;

	if (mem_read(t, &uc, t->cpu->gpr[1] + CALLER_FRAME, sizeof(uc)))
		return -EFAULT;
	load_registers(t, &uc.mc);
	t->mask = uc.mask;
	t->alt = uc.stack;
	if (uc.stack.flags & SS_DISABLE)
		t->alt.size = 0;
	return 0;
}
