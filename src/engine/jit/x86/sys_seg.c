/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that move segment registers and look at descriptors, and the
 * table registers (SDM vol. 2: MOV, PUSH, POP, LDS.., LAR, LSL, SLDT.., SGDT..).
 */
#include "engine/jit/x86/sys.h"

int sys_mov_seg(struct x86_vcpu *c, const struct x86_insn *in, bool to)
{
	unsigned seg = in->modrm >> 3 & 7;
	u64 v;

	if (seg >= X86_NSEGS || (to && seg == X86_CS))
		return x86_raise(c, X86_UD);
	if (!to) {
		unsigned n = sys_is_mem(in) ? 2 : in->opsize;

		return sys_write_rm(c, in, n, c->seg[seg].sel) ? -1 : sys_done(c, in);
	}
	if (sys_read_rm(c, in, 2, &v) || x86_load_seg(c, seg, (u16)v))
		return -1;
	if (seg == X86_SS)
		c->movss_shadow = true;
	return sys_done(c, in);
}

int sys_push_seg(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg)
{
	struct x86_stack s = {0};

	x86_stack_current(c, &s);
	/* Zero-extended; some CPUs leave the upper half of a 32-bit slot alone. */
	if (x86_stack_push(c, &s, in->opsize, c->seg[seg].sel))
		return -1;
	x86_stack_commit(c, &s);
	return sys_done(c, in);
}

int sys_pop_seg(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg)
{
	struct x86_stack s = {0};
	u64 v;

	x86_stack_current(c, &s);
	if (x86_stack_pop(c, &s, in->opsize, &v) || x86_load_seg(c, seg, (u16)v))
		return -1;
	x86_stack_commit(c, &s);
	if (seg == X86_SS)
		c->movss_shadow = true;
	return sys_done(c, in);
}

int sys_load_far_ptr(struct x86_vcpu *c, const struct x86_insn *in, unsigned seg)
{
	unsigned n = in->opsize;
	u64 lin, off = 0;
	u16 sel;

	if (!sys_is_mem(in))
		return x86_raise(c, X86_UD);
	if (sys_linear(c, in, 0, n + 2, X86_READ, &lin) || x86_read(c, lin, &off, n) ||
	    sys_linear(c, in, n, 2, X86_READ, &lin) || x86_read(c, lin, &sel, 2) ||
	    x86_load_seg(c, seg, sel))
		return -1;
	sys_set_gpr(c, sys_regno(in), n, off);
	return sys_done(c, in);
}

int sys_lar_lsl(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool ok;
	u32 out;
	u64 sel;

	if (!x86_protected(c))
		return x86_raise(c, X86_UD);
	if (sys_read_rm(c, in, 2, &sel) || x86_lar_lsl(c, (u16)sel, in->opcode == 0x03, &out, &ok))
		return -1;
	if (ok)
		sys_set_gpr(c, sys_regno(in), in->opsize, out);
	c->rflags = ok ? c->rflags | RF_ZF : c->rflags & ~(u64)RF_ZF;
	return sys_done(c, in);
}

static int umip(struct x86_vcpu *c)
{
	return (c->cr4 & CR4_UMIP) && c->cpl ? x86_raise_err(c, X86_GP, 0) : 0;
}

static int store_sel(struct x86_vcpu *c, const struct x86_insn *in, u16 sel)
{
	if (umip(c))
		return -1;
	return sys_write_rm(c, in, sys_is_mem(in) ? 2 : in->opsize, sel) ? -1 : sys_done(c, in);
}

static int load_table_reg(struct x86_vcpu *c, const struct x86_insn *in, bool tr)
{
	u64 sel;

	if (c->cpl)
		return x86_raise_err(c, X86_GP, 0);
	if (sys_read_rm(c, in, 2, &sel) || (tr ? x86_ltr(c, (u16)sel) : x86_lldt(c, (u16)sel)))
		return -1;
	return sys_done(c, in);
}

static int verify(struct x86_vcpu *c, const struct x86_insn *in, bool write)
{
	bool ok;
	u64 sel;

	if (sys_read_rm(c, in, 2, &sel) || x86_verr_verw(c, (u16)sel, write, &ok))
		return -1;
	c->rflags = ok ? c->rflags | RF_ZF : c->rflags & ~(u64)RF_ZF;
	return sys_done(c, in);
}

int sys_table_group(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (!x86_protected(c))
		return x86_raise(c, X86_UD);
	switch (in->modrm >> 3 & 7) {
	case 0:
		return store_sel(c, in, c->ldtr.sel);
	case 1:
		return store_sel(c, in, c->tr.sel);
	case 2:
		return load_table_reg(c, in, false);
	case 3:
		return load_table_reg(c, in, true);
	case 4:
		return verify(c, in, false);
	case 5:
		return verify(c, in, true);
	}
	return x86_raise(c, X86_UD);
}

static int store_dtr(struct x86_vcpu *c, const struct x86_insn *in, const struct x86_dtr *d)
{
	unsigned n = in->mode == X86_MODE_64 ? 8 : 4;
	u64 lin = 0;

	if (umip(c))
		return -1;
	if (sys_linear(c, in, 0, 2, X86_WRITE, &lin) || x86_write(c, lin, &d->limit, 2) ||
	    sys_linear(c, in, 2, n, X86_WRITE, &lin) || x86_write(c, lin, &d->base, n))
		return -1;
	return sys_done(c, in);
}

static int load_dtr(struct x86_vcpu *c, const struct x86_insn *in, struct x86_dtr *d)
{
	unsigned n = in->mode == X86_MODE_64 ? 8 : 4;
	u64 lin, base = 0;
	u16 limit;

	if (c->cpl)
		return x86_raise_err(c, X86_GP, 0);
	if (sys_linear(c, in, 0, 2, X86_READ, &lin) || x86_read(c, lin, &limit, 2) ||
	    sys_linear(c, in, 2, n, X86_READ, &lin) || x86_read(c, lin, &base, n))
		return -1;
	if (n == 8 && !x86_canonical(base))
		return x86_raise_err(c, X86_GP, 0);
	if (in->opsize == 2)
		base &= 0xffffff;
	d->base = base;
	d->limit = limit;
	return sys_done(c, in);
}

static int sys_invlpg(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 lin = 0;

	if (c->cpl)
		return x86_raise_err(c, X86_GP, 0);
	/* No limit or canonical fault: an odd address is no translation at all. */
	lin = sys_ea(c, in) + c->seg_base[in->seg];
	if (c->code_mode != X86_MODE_64)
		lin &= 0xffffffff;
	x86_tlb_flush_page(c, lin);
	return sys_done(c, in);
}

static int sys_vmcall(struct x86_vcpu *c, const struct x86_insn *in)
{
	static const u8 reg[] = {X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI};
	u64 r[6];

	for (unsigned i = 0; i < 6; i++)
		r[i] = c->gpr[reg[i]];
	x86_fpu_park(c);
	if (c->cpl)
		r[0] = (u64)-E_PERM; /* KVM_EPERM: hypercalls are the kernel's */
	else
		c->bus.hypercall(c->bus.opaque, r);
	sys_set_gpr(c, X86_RAX, c->code_mode == X86_MODE_64 ? 8 : 4, r[0]);
	return sys_done(c, in);
}

static int sys_stac_clac(struct x86_vcpu *c, const struct x86_insn *in, bool set)
{
	if (c->cpl)
		return x86_raise(c, X86_UD);
	c->rflags = set ? c->rflags | RF_AC : c->rflags & ~(u64)RF_AC;
	x86_mode_update(c);
	return sys_done(c, in);
}

static int group7_reg(struct x86_vcpu *c, const struct x86_insn *in)
{
	switch (in->modrm) {
	case 0xc1: /* vmcall */
	case 0xd9: /* vmmcall */
		return sys_vmcall(c, in);
	case 0xca:
		return sys_stac_clac(c, in, false);
	case 0xcb:
		return sys_stac_clac(c, in, true);
	case 0xd0:
		return sys_xgetbv(c, in);
	case 0xd1:
		return sys_xsetbv(c, in);
	case 0xee:
	case 0xef:
		return sys_pkru(c, in, in->modrm & 1);
	case 0xf8:
		return sys_swapgs(c, in);
	case 0xf9:
		return sys_rdtsc(c, in, true);
	}
	return x86_raise(c, X86_UD);
}

int sys_group7(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned op = in->modrm >> 3 & 7;

	if (op == 4)
		return umip(c) || sys_write_rm(c, in, sys_is_mem(in) ? 2 : in->opsize, c->cr0)
			       ? -1
			       : sys_done(c, in);
	if (op == 6)
		return sys_lmsw(c, in);
	if (!sys_is_mem(in))
		return group7_reg(c, in);
	switch (op) {
	case 0:
		return store_dtr(c, in, &c->gdtr);
	case 1:
		return store_dtr(c, in, &c->idtr);
	case 2:
		return load_dtr(c, in, &c->gdtr);
	case 3:
		return load_dtr(c, in, &c->idtr);
	case 7:
		return sys_invlpg(c, in);
	}
	return x86_raise(c, X86_UD);
}
