/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port I/O: in, out, ins, outs with IOPL and the I/O permission bitmap (SDM
 * vol. 1 chapter 19).
 */
#include "engine/jit/x86/sys.h"

/* The bitmap in the TSS; a byte past the limit denies. */
static int bitmap_check(struct x86_vcpu *c, u16 port, unsigned n)
{
	u16 at, bits;

	if ((c->tr.attr & 0x9f) != (SEG_P | DESC_TSS32_BUSY) || c->tr.limit < 0x67)
		return x86_raise_err(c, X86_GP, 0);
	if (x86_read_sys(c, c->tr.base + 0x66, &at, 2))
		return -1;
	if ((u32)at + port / 8 + 1 > c->tr.limit)
		return x86_raise_err(c, X86_GP, 0);
	if (x86_read_sys(c, c->tr.base + at + port / 8, &bits, 2))
		return -1;
	if (bits >> (port & 7) & ((1u << n) - 1))
		return x86_raise_err(c, X86_GP, 0);
	return 0;
}

static int port_check(struct x86_vcpu *c, u16 port, unsigned n)
{
	if (x86_real_mode(c) || (!x86_vm86(c) && c->cpl <= x86_iopl(c)))
		return 0;
	return bitmap_check(c, port, n);
}

static u32 port_in(struct x86_vcpu *c, u16 port, unsigned n)
{
	u32 v;

	x86_fpu_park(c);
	v = c->bus.pio_read(c->bus.opaque, port, n);
	x86_trace(c, (struct vcpu_trace_event){
			     .kind = VCPU_TRACE_PIO, .where = port, .size = n, .value = v});
	x86_debug_io(c, port, n);
	return n == 4 ? v : v & ((1u << 8 * n) - 1);
}

static void port_out(struct x86_vcpu *c, u16 port, unsigned n, u32 v)
{
	x86_fpu_park(c);
	v = n == 4 ? v : v & ((1u << 8 * n) - 1);
	x86_trace(c, (struct vcpu_trace_event){.kind = VCPU_TRACE_PIO,
					       .where = port,
					       .size = n,
					       .value = v,
					       .write = true});
	c->bus.pio_write(c->bus.opaque, port, n, v);
	x86_debug_io(c, port, n);
}

static unsigned io_size(const struct x86_insn *in)
{
	if (!(in->opcode & 1))
		return 1;
	return in->opsize == 2 ? 2 : 4;
}

int sys_io(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool imm = in->opcode < 0xe8, out = in->opcode & 2;
	u16 port = imm ? (u8)in->imm : (u16)c->gpr[X86_RDX];
	unsigned n = io_size(in);

	if (port_check(c, port, n))
		return -1;
	if (out)
		port_out(c, port, n, (u32)c->gpr[X86_RAX]);
	else
		sys_set_gpr(c, X86_RAX, n, port_in(c, port, n));
	return sys_done(c, in);
}

/* One element; the registers move only when it is done. */
static int ins_outs_one(struct x86_vcpu *c, const struct x86_insn *in, unsigned n, bool out)
{
	unsigned r = out ? X86_RSI : X86_RDI;
	u64 off = c->gpr[r] & mask_bytes(in->adsize), lin;
	u16 port = (u16)c->gpr[X86_RDX];
	u32 v = 0;

	if (x86_linear(c, out ? in->seg : X86_ES, off, n, out ? X86_READ : X86_WRITE, &lin))
		return -1;
	if (out) {
		if (x86_read(c, lin, &v, n))
			return -1;
		port_out(c, port, n, v);
	} else {
		void *host;

		/* A page fault must come before the device is read. */
		if (x86_rmw_ptr(c, lin, n, &host))
			return -1;
		v = port_in(c, port, n);
		if (x86_write(c, lin, &v, n))
			return -1;
	}
	sys_set_gpr(c, r, in->adsize, c->gpr[r] + (c->rflags & RF_DF ? -(u64)n : n));
	return 0;
}

int sys_ins_outs(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool rep = in->rep || in->repne, out = in->opcode & 2;
	unsigned n = io_size(in);

	if (port_check(c, (u16)c->gpr[X86_RDX], n))
		return -1;
	if (!rep)
		return ins_outs_one(c, in, n, out) ? -1 : sys_done(c, in);
	for (unsigned done = 0; c->gpr[X86_RCX] & mask_bytes(in->adsize); done++) {
		/* Interrupts and traps come between elements; rip still points here. */
		if (done && (atomic_load_explicit(&c->kick, memory_order_relaxed) ||
			     (c->mode_key & X86_KEY_STEP)))
			return 0;
		if (ins_outs_one(c, in, n, out))
			return -1;
		sys_set_gpr(c, X86_RCX, in->adsize, c->gpr[X86_RCX] - 1);
	}
	return sys_done(c, in);
}
