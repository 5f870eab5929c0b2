/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT in Intel's and AMD's
 * flavour, and SWAPGS (SDM vol. 2; APM vol. 3). The vendor is the guest CPUID's.
 */
#include "engine/jit/x86/sys.h"

static bool amd(const struct x86_vcpu *c)
{
	return c->vm->host && c->vm->host->amd;
}

static int gp0(struct x86_vcpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

/*
 * SYSCALL and SYSRET trap by the TF they load, not by the one they found (SDM
 * vol. 3B section 18.3.1.4 lists the exceptions to the rule).
 */
static void trap_by_new_tf(struct x86_vcpu *c)
{
	c->sys->event = true;
	if (!(c->rflags & RF_TF))
		return;
	c->sys->db_bits |= DR6_BS;
	x86_look(c);
}

static int syscall_long(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 cs = c->star >> 32 & 0xfffc;
	u64 target = c->code_mode == X86_MODE_64 ? c->lstar : c->cstar;

	c->gpr[X86_RCX] = sys_next(c, in);
	c->gpr[X86_R11] = c->rflags & ~(u64)RF_RF;
	c->rflags = (c->rflags & ~c->fmask & ~(u64)RF_RF) | RF_FIXED;
	x86_set_flat_cs_ss(c, cs, (u16)(cs + 8), 0, true);
	c->rip = target;
	trap_by_new_tf(c);
	return 0;
}

int sys_syscall(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 cs = c->star >> 32 & 0xfffc;

	if (!(c->efer & EFER_SCE) || !x86_protected(c) || (!amd(c) && c->code_mode != X86_MODE_64))
		return x86_raise(c, X86_UD);
	if (x86_long_mode(c))
		return syscall_long(c, in);
	/* AMD's legacy form: EIP from STAR, IF and VM cleared. */
	c->gpr[X86_RCX] = sys_next(c, in);
	c->rflags &= ~(u64)(RF_IF | RF_VM | RF_RF);
	x86_set_flat_cs_ss(c, cs, (u16)(cs + 8), 0, false);
	c->rip = (u32)c->star;
	return 0;
}

/* AMD's SYSRET leaves SS attributes as they are; Intel loads a flat one. */
static void sysret_segs(struct x86_vcpu *c, u16 cs, u16 ss, bool code64)
{
	struct x86_seg old = c->seg[X86_SS];

	x86_set_flat_cs_ss(c, cs, ss, 3, code64);
	if (amd(c) && !(old.attr & X86_SEG_UNUSABLE)) {
		old.sel = ss;
		old.attr |= 3 << 5;
		c->seg[X86_SS] = old;
	}
	x86_mode_update(c);
}

int sys_sysret(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 base = (u16)(c->star >> 48) | 3;
	bool to64 = in->opsize == 8;

	if (!(c->efer & EFER_SCE) || !x86_protected(c) || (!amd(c) && c->code_mode != X86_MODE_64))
		return x86_raise(c, X86_UD);
	if (c->cpl)
		return gp0(c);
	if (to64 && !x86_canonical(c->gpr[X86_RCX]))
		return gp0(c);
	if (x86_long_mode(c)) {
		c->rflags = (c->gpr[X86_R11] & 0x3c7fd7) | RF_FIXED;
		c->rip = to64 ? c->gpr[X86_RCX] : (u32)c->gpr[X86_RCX];
	} else {
		c->rflags |= RF_IF;
		c->rip = (u32)c->gpr[X86_RCX];
	}
	sysret_segs(c, to64 ? base + 16 : base, base + 8, to64);
	trap_by_new_tf(c);
	return 0;
}

int sys_sysenter(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 cs = c->sysenter_cs & 0xfffc;
	bool lm = x86_long_mode(c);

	if (lm && amd(c))
		return x86_raise(c, X86_UD);
	if (x86_real_mode(c) || !cs)
		return gp0(c);
	c->rflags &= ~(u64)(RF_VM | RF_IF | RF_RF);
	x86_set_flat_cs_ss(c, cs, (u16)(cs + 8), 0, lm);
	c->gpr[X86_RSP] = lm ? c->sysenter_esp : (u32)c->sysenter_esp;
	c->rip = lm ? c->sysenter_eip : (u32)c->sysenter_eip;
	(void)in;
	return 0;
}

int sys_sysexit(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 cs = c->sysenter_cs & 0xfffc;
	bool to64 = in->opsize == 8;
	u64 rip = c->gpr[X86_RDX], rsp = c->gpr[X86_RCX];

	if (x86_long_mode(c) && amd(c))
		return x86_raise(c, X86_UD);
	if (!x86_protected(c) || !cs || c->cpl)
		return gp0(c);
	if (to64 && (!x86_canonical(rip) || !x86_canonical(rsp)))
		return gp0(c);
	cs = (u16)(cs + (to64 ? 32 : 16)) | 3;
	x86_set_flat_cs_ss(c, cs, (u16)(cs + 8), 3, to64);
	c->gpr[X86_RSP] = to64 ? rsp : (u32)rsp;
	c->rip = to64 ? rip : (u32)rip;
	return 0;
}

int sys_swapgs(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 base = c->seg[X86_GS].base;

	if (in->mode != X86_MODE_64)
		return x86_raise(c, X86_UD);
	if (c->cpl)
		return gp0(c);
	c->seg[X86_GS].base = c->seg_base[X86_GS] = c->kernel_gs_base;
	c->kernel_gs_base = base;
	return sys_done(c, in);
}
