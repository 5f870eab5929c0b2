/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SYSTEM class of instructions: dispatch by opcode map and opcode, and what
 * all of them share (operands, effective addresses). The instructions are in
 * sys_*.c by family. Decoded forms come from isa/x86; feature and privilege
 * checks are here.
 */
#include "engine/jit/x86/sys.h"

/* ---- operands ---- */

u64 sys_next(const struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 next = c->rip + in->len;

	if (c->code_mode == X86_MODE_64)
		return next;
	return c->code_mode == X86_MODE_32 ? next & 0xffffffff : next & 0xffff;
}

int sys_done(struct x86_vcpu *c, const struct x86_insn *in)
{
	c->rip = sys_next(c, in);
	return 0;
}

u64 sys_ea(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 ea = (u64)in->disp;

	if (in->mem_base == X86_REG_RIP)
		ea += sys_next(c, in);
	else if (in->mem_base != X86_REG_NONE)
		ea += c->gpr[in->mem_base & 15];
	if (in->mem_index != X86_REG_NONE)
		ea += c->gpr[in->mem_index & 15] * in->mem_scale;
	return ea & mask_bytes(in->adsize);
}

int sys_linear(struct x86_vcpu *c, const struct x86_insn *in, u64 add, unsigned n,
	       enum x86_access a, u64 *lin)
{
	u64 ea = (sys_ea(c, in) + add) & mask_bytes(in->adsize);

	return x86_linear(c, in->seg, ea, n, a, lin);
}

u64 sys_reg(const struct x86_vcpu *c, const struct x86_insn *in)
{
	return c->gpr[sys_regno(in)];
}

u64 sys_rm(const struct x86_vcpu *c, const struct x86_insn *in)
{
	return c->gpr[sys_rmno(in)];
}

void sys_set_gpr(struct x86_vcpu *c, unsigned r, unsigned size, u64 v)
{
	u64 *g = &c->gpr[r];

	if (size >= 4)
		*g = v & mask_bytes(size);
	else
		*g = (*g & ~mask_bytes(size)) | (v & mask_bytes(size));
}

int sys_read_rm(struct x86_vcpu *c, const struct x86_insn *in, unsigned n, u64 *v)
{
	u64 lin = 0;

	*v = 0;
	if (!sys_is_mem(in)) {
		*v = sys_rm(c, in) & mask_bytes(n);
		return 0;
	}
	return sys_linear(c, in, 0, n, X86_READ, &lin) || x86_read(c, lin, v, n) ? -1 : 0;
}

int sys_write_rm(struct x86_vcpu *c, const struct x86_insn *in, unsigned n, u64 v)
{
	u64 lin = 0;

	if (!sys_is_mem(in)) {
		sys_set_gpr(c, sys_rmno(in), n, v);
		return 0;
	}
	return sys_linear(c, in, 0, n, X86_WRITE, &lin) || x86_write(c, lin, &v, n) ? -1 : 0;
}

/* ---- dispatch ---- */

static int ud(struct x86_vcpu *c)
{
	return x86_raise(c, X86_UD);
}

static int need_cpl0(struct x86_vcpu *c)
{
	return c->cpl ? x86_raise_err(c, X86_GP, 0) : 0;
}

static int sys_hlt(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (need_cpl0(c))
		return -1;
	c->halted = true;
	x86_look(c);
	return sys_done(c, in);
}

static int sys_iret(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (x86_iret(c, in->opsize, sys_next(c, in)))
		return -1;
	/* An NMI that was held back may come now. */
	if (atomic_load(&c->sys->nmi_queued))
		x86_look(c);
	return 0;
}

static int sys_into(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (!(c->rflags & RF_OF))
		return sys_done(c, in);
	return x86_event(c, X86_OF, EVENT_SOFT, false, 0, sys_next(c, in));
}

static int sys_icebp(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (x86_event(c, X86_DB, EVENT_ICEBP, false, 0, sys_next(c, in)))
		return -1;
	/* One #DB reports what MOV SS held back, too. */
	c->dr6 = (c->dr6 & ~0xfULL) | c->sys->db_bits;
	c->sys->db_bits = 0;
	return 0;
}

static int sys_bound(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize == 2 ? 2 : 4;
	u64 lin, b = 0;
	s64 idx, lo, hi;

	if (!sys_is_mem(in))
		return ud(c);
	if (sys_linear(c, in, 0, 2 * n, X86_READ, &lin) || x86_read(c, lin, &b, 2 * n))
		return -1;
	idx = n == 2 ? (s16)sys_reg(c, in) : (s32)sys_reg(c, in);
	lo = n == 2 ? (s16)b : (s32)b;
	hi = n == 2 ? (s16)(b >> 16) : (s32)(b >> 32);
	return idx < lo || idx > hi ? x86_raise(c, X86_BR) : sys_done(c, in);
}

/* FF /3 and /5: far pointer in memory. */
static int sys_far_indirect(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	u64 lin, off = 0, next = sys_next(c, in);
	u16 sel;

	if (!sys_is_mem(in))
		return ud(c);
	if (sys_linear(c, in, 0, n + 2, X86_READ, &lin) || x86_read(c, lin, &off, n) ||
	    sys_linear(c, in, n, 2, X86_READ, &lin) || x86_read(c, lin, &sel, 2))
		return -1;
	return (in->modrm >> 3 & 7) == 3 ? x86_far_call(c, sel, off, n, next)
					 : x86_far_jmp(c, sel, off, n, next);
}

/* 9A and EA: the operand is off:sel; imm holds the offset, imm2 the selector. */
int sys_far(struct x86_vcpu *c, const struct x86_insn *in, bool call)
{
	u64 off = (u64)in->imm & mask_bytes(in->opsize), next = sys_next(c, in);
	u16 sel = (u16)in->imm2;

	return call ? x86_far_call(c, sel, off, in->opsize, next)
		    : x86_far_jmp(c, sel, off, in->opsize, next);
}

/* Far transfers, interrupts, and what else leaves the straight line. */
static int exec_1b_flow(struct x86_vcpu *c, const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x9a:
		return sys_far(c, in, true);
	case 0xca:
		return x86_far_ret(c, in->opsize, (u16)in->imm);
	case 0xcb:
		return x86_far_ret(c, in->opsize, 0);
	case 0xcc:
		return x86_event(c, X86_BP, EVENT_SOFT, false, 0, sys_next(c, in));
	case 0xcd:
		return sys_int(c, in, (u8)in->imm);
	case 0xce:
		return sys_into(c, in);
	case 0xcf:
		return sys_iret(c, in);
	case 0xea:
		return sys_far(c, in, false);
	case 0xf1:
		return sys_icebp(c, in);
	case 0xf4:
		return sys_hlt(c, in);
	case 0xff:
		return sys_far_indirect(c, in);
	}
	return ud(c);
}

/* Segment registers, flags, I/O. */
static int exec_1b(struct x86_vcpu *c, const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x06:
	case 0x0e:
	case 0x16:
	case 0x1e:
		return sys_push_seg(c, in, in->opcode >> 3);
	case 0x07:
	case 0x17:
	case 0x1f:
		return sys_pop_seg(c, in, in->opcode >> 3);
	case 0x62:
		return sys_bound(c, in);
	case 0x6c ... 0x6f:
		return sys_ins_outs(c, in);
	case 0x8c:
		return sys_mov_seg(c, in, false);
	case 0x8e:
		return sys_mov_seg(c, in, true);
	case 0x9c:
		return sys_pushf(c, in);
	case 0x9d:
		return sys_popf(c, in);
	case 0xc4:
		return sys_load_far_ptr(c, in, X86_ES);
	case 0xc5:
		return sys_load_far_ptr(c, in, X86_DS);
	case 0xd9: /* fldenv, fnstenv */
	case 0xdd: /* frstor, fnsave */
		return x86_exec_fpu_state(c, in);
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef:
		return sys_io(c, in);
	case 0xfa:
		return sys_cli_sti(c, in, false);
	case 0xfb:
		return sys_cli_sti(c, in, true);
	}
	return exec_1b_flow(c, in);
}

static int sys_clts(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (need_cpl0(c))
		return -1;
	c->cr0 &= ~CR0_TS;
	x86_mode_update(c);
	return sys_done(c, in);
}

/* INVD, WBINVD, WBNOINVD: caches are the host's. */
static int sys_wbinvd(struct x86_vcpu *c, const struct x86_insn *in)
{
	return need_cpl0(c) ? -1 : sys_done(c, in);
}

static int sys_rdpmc(struct x86_vcpu *c, const struct x86_insn *in)
{
	u32 n = (u32)c->gpr[X86_RCX];

	if (c->cpl && !(c->cr4 & CR4_PCE) && !x86_real_mode(c))
		return x86_raise_err(c, X86_GP, 0);
	/* Four legacy counters that stand still; nothing is offered beyond (SDM vol. 3B 20.6.1). */
	if (n > 3)
		return x86_raise_err(c, X86_GP, 0);
	c->gpr[X86_RAX] = c->gpr[X86_RDX] = 0;
	return sys_done(c, in);
}

static int exec_0f(struct x86_vcpu *c, const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x00:
		return sys_table_group(c, in);
	case 0x01:
		return sys_group7(c, in);
	case 0x02:
	case 0x03:
		return sys_lar_lsl(c, in);
	case 0x05:
		return sys_syscall(c, in);
	case 0x06:
		return sys_clts(c, in);
	case 0x07:
		return sys_sysret(c, in);
	case 0x08:
	case 0x09:
		return sys_wbinvd(c, in);
	case 0x20:
		return sys_mov_cr(c, in, false);
	case 0x21:
		return sys_mov_dr(c, in, false);
	case 0x22:
		return sys_mov_cr(c, in, true);
	case 0x23:
		return sys_mov_dr(c, in, true);
	case 0x30:
		return sys_wrmsr(c, in);
	case 0x31:
		return sys_rdtsc(c, in, false);
	case 0x32:
		return sys_rdmsr(c, in);
	case 0x33:
		return sys_rdpmc(c, in);
	case 0x34:
		return sys_sysenter(c, in);
	case 0x35:
		return sys_sysexit(c, in);
	case 0xa0:
		return sys_push_seg(c, in, X86_FS);
	case 0xa1:
		return sys_pop_seg(c, in, X86_FS);
	case 0xa2:
		return sys_cpuid(c, in);
	case 0xa8:
		return sys_push_seg(c, in, X86_GS);
	case 0xa9:
		return sys_pop_seg(c, in, X86_GS);
	case 0xae:
		return sys_group15(c, in);
	case 0xb2:
		return sys_load_far_ptr(c, in, X86_SS);
	case 0xb4:
		return sys_load_far_ptr(c, in, X86_FS);
	case 0xb5:
		return sys_load_far_ptr(c, in, X86_GS);
	case 0xc7:
		return sys_group9(c, in);
	}
	return ud(c);
}

int x86_exec_system(struct x86_vcpu *c, const struct x86_insn *in)
{
	int r;

	if (in->lock && !(in->map == X86_MAP_0F && (in->opcode & 0xfd) == 0x20))
		return ud(c);
	if (in->enc != X86_ENC_LEGACY)
		return ud(c);
	if (in->map == X86_MAP_1B)
		r = exec_1b(c, in);
	else if (in->map == X86_MAP_0F)
		r = exec_0f(c, in);
	else if (in->map == X86_MAP_0F38 && in->opcode == 0x82 && in->p66)
		r = sys_invpcid(c, in);
	else
		r = ud(c);
	x86_irq_recheck(c);
	return r;
}
