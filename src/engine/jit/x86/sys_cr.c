/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control, debug and extended control registers, INVPCID, CPUID, time stamp and
 * MSR instructions (SDM vol. 2).
 */
#include "engine/jit/x86/sys.h"

static int gp0(struct x86_vcpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

static u64 cr8_read(struct x86_vcpu *c)
{
	x86_fpu_park(c);
	return c->bus.cr8_read(c->bus.opaque);
}

static int cr8_write(struct x86_vcpu *c, u64 v)
{
	if (v & ~15ULL)
		return gp0(c);
	x86_fpu_park(c);
	c->bus.cr8_write(c->bus.opaque, (u8)v);
	return 0;
}

static void trace_value(struct x86_vcpu *c, enum vcpu_trace_kind kind, bool write, u64 where,
			u64 value, bool failed)
{
	x86_trace(c, (struct vcpu_trace_event){.kind = kind,
					       .where = where,
					       .value = value,
					       .write = write,
					       .failed = failed});
}

static int write_cr(struct x86_vcpu *c, unsigned n, u64 v)
{
	trace_value(c, VCPU_TRACE_CR, true, n, v, false);
	switch (n) {
	case 0:
		return x86_set_cr0(c, v);
	case 2:
		c->cr2 = v;
		return 0;
	case 3:
		return x86_set_cr3(c, v);
	case 4:
		return x86_set_cr4(c, v);
	}
	return cr8_write(c, v);
}

int sys_mov_cr(struct x86_vcpu *c, const struct x86_insn *in, bool to)
{
	unsigned size = in->mode == X86_MODE_64 ? 8 : 4, n = sys_regno(in);
	const u64 cr[] = {c->cr0, 0, c->cr2, c->cr3, c->cr4};

	if (in->lock && !(in->rex & 4)) /* AMD: LOCK MOV CR0 is CR8 */
		n |= 8;
	if (n == 1 || (n > 4 && n != 8))
		return x86_raise(c, X86_UD);
	if (c->cpl)
		return gp0(c);
	if (!to) {
		sys_set_gpr(c, sys_rmno(in), size, n == 8 ? cr8_read(c) : cr[n]);
		return sys_done(c, in);
	}
	return write_cr(c, n, sys_rm(c, in) & mask_bytes(size)) ? -1 : sys_done(c, in);
}

int sys_lmsw(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (c->cpl)
		return gp0(c);
	if (sys_read_rm(c, in, 2, &v))
		return -1;
	/* PE can be set, not cleared (SDM vol. 2 LMSW). */
	v = (c->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (v & 15);
	return write_cr(c, 0, v) ? -1 : sys_done(c, in);
}

int sys_mov_dr(struct x86_vcpu *c, const struct x86_insn *in, bool to)
{
	unsigned n = sys_regno(in), size = in->mode == X86_MODE_64 ? 8 : 4;
	u64 *r, v = sys_rm(c, in) & mask_bytes(size);

	if (n > 7 || ((n == 4 || n == 5) && (c->cr4 & CR4_DE)))
		return x86_raise(c, X86_UD);
	if (c->cpl)
		return gp0(c);
	if (c->dr7 & DR7_GD) {
		c->dr7 &= ~DR7_GD;
		return x86_raise_db(c, DR6_BD);
	}
	if (n == 4 || n == 5)
		n += 2;
	r = n == 6 ? &c->dr6 : n == 7 ? &c->dr7 : &c->dr[n & 3];
	if (!to) {
		sys_set_gpr(c, sys_rmno(in), size, *r);
		return sys_done(c, in);
	}
	if (n >= 6 && v >> 32)
		return gp0(c);
	if (n == 6)
		v = (v & 0xe00f) | DR6_INIT;
	else if (n == 7)
		v = (v & 0xffff2fff) | DR7_INIT;
	*r = v;
	x86_debug_update(c);
	return sys_done(c, in);
}

/* SDM vol. 2 INVPCID: type in the register, {PCID, address} in memory. */
int sys_invpcid(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned size = in->mode == X86_MODE_64 ? 8 : 4;
	u64 type = sys_reg(c, in) & mask_bytes(size), lin, d[2];

	if (!x86_has(c, 7, 0, 1, 10) || !sys_is_mem(in) || (!x86_protected(c) && !x86_real_mode(c)))
		return x86_raise(c, X86_UD);
	if (c->cpl)
		return gp0(c);
	if (sys_linear(c, in, 0, 16, X86_READ, &lin) || x86_read(c, lin, d, 16))
		return -1;
	if (type > 3 || (type < 2 && d[0] >> 12) || (!type && !x86_canonical(d[1])))
		return gp0(c);
	if (type < 2 && !(c->cr4 & CR4_PCIDE) && d[0])
		return gp0(c);
	switch (type) {
	case 0:
		if ((c->cr4 & CR4_PCIDE) && (d[0] & 0xfff) != (c->cr3 & 0xfff))
			x86_tlb_flush_pcid(c, d[0] & 0xfff);
		else
			x86_tlb_flush_page(c, d[1]);
		break;
	case 1:
		x86_tlb_flush_pcid(c, d[0] & 0xfff);
		break;
	default:
		x86_tlb_flush_images(c);
		x86_tlb_flush(c, type == 2);
	}
	return sys_done(c, in);
}

int sys_xgetbv(struct x86_vcpu *c, const struct x86_insn *in)
{
	u32 n = (u32)c->gpr[X86_RCX];
	u64 v = c->xcr0;

	if (!(c->cr4 & CR4_OSXSAVE))
		return x86_raise(c, X86_UD);
	if (n > 1 || (n == 1 && !x86_has(c, 0xd, 1, 0, 2)))
		return gp0(c);
	if (n == 1) { /* XINUSE: the host's, with the guest's state in its registers */
		u32 lo, hi, pkru = c->pkru ? X86_XCR0_PKRU : 0;

		x86_fpu_load(c);
		__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(1));
		v &= (lo & ~(u32)X86_XCR0_PKRU) | pkru | (u64)hi << 32;
	}
	c->gpr[X86_RAX] = (u32)v;
	c->gpr[X86_RDX] = v >> 32;
	return sys_done(c, in);
}

static bool xcr0_ok(const struct x86_vcpu *c, u64 v)
{
	if (!(v & 1) || (v & ~x86_xcr0_allowed(c->vm)))
		return false;
	if ((v & 4) && !(v & 2))
		return false;
	return !(v & 0xe0) || (v & 0xe6) == 0xe6;
}

int sys_xsetbv(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v = (u32)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32;

	if (!(c->cr4 & CR4_OSXSAVE))
		return x86_raise(c, X86_UD);
	if (c->cpl || (u32)c->gpr[X86_RCX] || !xcr0_ok(c, v))
		return gp0(c);
	x86_fpu_park(c);
	c->xcr0 = v;
	x86_mode_update(c);
	return sys_done(c, in);
}

/* SDM vol. 2 RDPKRU, WRPKRU. */
int sys_pkru(struct x86_vcpu *c, const struct x86_insn *in, bool write)
{
	if (!(c->cr4 & CR4_PKE) || in->lock)
		return x86_raise(c, X86_UD);
	if ((u32)c->gpr[X86_RCX] || (write && (u32)c->gpr[X86_RDX]))
		return gp0(c);
	if (write) {
		x86_set_pkru(c, (u32)c->gpr[X86_RAX]);
	} else {
		c->gpr[X86_RAX] = c->pkru;
		c->gpr[X86_RDX] = 0;
	}
	return sys_done(c, in);
}

int sys_cpuid(struct x86_vcpu *c, const struct x86_insn *in)
{
	u32 o[4];

	x86_cpuid(c, (u32)c->gpr[X86_RAX], (u32)c->gpr[X86_RCX], o);
	c->gpr[X86_RAX] = o[0];
	c->gpr[X86_RBX] = o[1];
	c->gpr[X86_RCX] = o[2];
	c->gpr[X86_RDX] = o[3];
	return sys_done(c, in);
}

u64 x86_tsc(const struct x86_vcpu *c)
{
	u64 now = atomic_load_explicit(&c->vm->tsc_frozen, memory_order_relaxed);
	u32 lo, hi;

	if (likely(!now)) {
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		now = (u64)hi << 32 | lo;
	}
	return now - c->vm->tsc_base + c->tsc_offset;
}

int sys_rdtsc(struct x86_vcpu *c, const struct x86_insn *in, bool p)
{
	u64 t;

	if (p && !x86_has(c, 0x80000001, 0, 3, 27))
		return x86_raise(c, X86_UD);
	if ((c->cr4 & CR4_TSD) && c->cpl)
		return gp0(c);
	t = x86_tsc(c);
	c->gpr[X86_RAX] = (u32)t;
	c->gpr[X86_RDX] = t >> 32;
	if (p)
		c->gpr[X86_RCX] = (u32)c->tsc_aux;
	return sys_done(c, in);
}

int sys_rdmsr(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (c->cpl)
		return gp0(c);
	if (x86_rdmsr(c, (u32)c->gpr[X86_RCX], &v)) {
		trace_value(c, VCPU_TRACE_MSR, false, (u32)c->gpr[X86_RCX], 0, true);
		return -1;
	}
	trace_value(c, VCPU_TRACE_MSR, false, (u32)c->gpr[X86_RCX], v, false);
	c->gpr[X86_RAX] = (u32)v;
	c->gpr[X86_RDX] = v >> 32;
	return sys_done(c, in);
}

int sys_wrmsr(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v = (u32)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32;

	if (c->cpl)
		return gp0(c);
	if (x86_wrmsr(c, (u32)c->gpr[X86_RCX], v)) {
		trace_value(c, VCPU_TRACE_MSR, true, (u32)c->gpr[X86_RCX], v, true);
		return -1;
	}
	trace_value(c, VCPU_TRACE_MSR, true, (u32)c->gpr[X86_RCX], v, false);
	return sys_done(c, in);
}

/* F3 0F AE register forms: rdfsbase, rdgsbase, wrfsbase, wrgsbase. */
static int fsgsbase(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned op = in->modrm >> 3 & 7, seg = op & 1 ? X86_GS : X86_FS;
	unsigned size = in->opsize == 8 ? 8 : 4;
	u64 v;

	if (in->mode != X86_MODE_64 || !(c->cr4 & CR4_FSGSBASE))
		return x86_raise(c, X86_UD);
	if (op < 2) {
		sys_set_gpr(c, sys_rmno(in), size, c->seg[seg].base);
		return sys_done(c, in);
	}
	v = sys_rm(c, in) & mask_bytes(size);
	if (!x86_canonical(v))
		return gp0(c);
	c->seg[seg].base = c->seg_base[seg] = v;
	return sys_done(c, in);
}

int sys_group15(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (in->rep && !sys_is_mem(in) && (in->modrm >> 3 & 7) < 4)
		return fsgsbase(c, in);
	return x86_exec_fpu_state(c, in);
}

int sys_group9(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned op = in->modrm >> 3 & 7;

	if (op == 7 && in->rep && !sys_is_mem(in)) { /* rdpid */
		if (!x86_has(c, 7, 0, 2, 22))
			return x86_raise(c, X86_UD);
		sys_set_gpr(c, sys_rmno(in), in->mode == X86_MODE_64 ? 8 : 4, c->tsc_aux);
		return sys_done(c, in);
	}
	return x86_exec_fpu_state(c, in);
}
