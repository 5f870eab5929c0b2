/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector and x87 instructions run on the host CPU itself, one at a time, with
 * the guest's state in the host's registers. For each distinct instruction a
 * stub is made in the vCPU's scratch code area (written through one mapping,
 * run through another):
 *
 *	push rdi                    (the vCPU)
 *	load the general registers it reads; flags if it reads them
 *	the instruction
 *	store flags and general registers it wrote
 *	pop rdi; eax = 0; ret
 *
 * An exception on the host (unmasked FP exception, reserved MXCSR bits, a page
 * of ours without access) arrives as a signal; the handler asks
 * x86_native_fixup and resumes at the stub's exit with the trap number, which
 * becomes the guest's exception.
 */
#include "engine/jit/x86/native.h"

enum { STUB_EXIT = 16, STUB_ENTRY = 32 };

/* First bytes of every slot; how a fault address is recognized as ours. */
#define STUB_MAGIC0 0x74616e2d6c6c7568ULL /* "hull-nat" */
#define STUB_MAGIC1 0x627574732d657669ULL /* "ive-stub" */

typedef struct native_result (*stub_fn)(struct x86_vcpu *c, void *mem);

u64 x86_native_fixup(u64 host_rip)
{
	/* A slot never crosses a page, so its head is as readable as the instruction is. */
	u64 slot = align_down(host_rip, NATIVE_SLOT);
	const u8 *p = (const u8 *)(uintptr_t)slot;

	if (load_le64(p) != STUB_MAGIC0 || load_le64(p + 8) != STUB_MAGIC1)
		return 0;
	return slot + STUB_EXIT;
}

/* ---- stub emission ------------------------------------------------------------------ */

struct emit {
	u8 *p;
	unsigned n;
};

static void emit(struct emit *e, u64 bytes, unsigned n)
{
	store_le(e->p + e->n, n, bytes);
	e->n += n;
}

/* mov host_reg, [rdi + gpr] or back; host_reg is 0..2 (itself) or 8. */
static void emit_gpr(struct emit *e, bool store, unsigned gpr, bool r8)
{
	u64 rex = r8 ? 0x4c : 0x48, op = store ? 0x89 : 0x8b;
	u64 modrm = 0x47 | (r8 ? 0 : gpr << 3);

	emit(e, rex | op << 8 | modrm << 16 | (u64)(gpr * 8) << 24, 4);
}

#define STUB_FLAGS (offsetof(struct x86_vcpu, interp) + offsetof(struct interp_data, native_flags))

/* General registers the instruction uses without naming them: bits of rax rcx rdx. */
static unsigned implicit_gprs(const struct x86_insn *in, bool write)
{
	unsigned mask = (write ? in->row->gpr_write : in->row->gpr_read) & 7;

	for (unsigned i = 0; i < in->nopnds; i++) {
		const struct x86_opnd *o = &in->opnd[i];

		if (o->kind == X86_OPND_GPR && o->reg < 3 && o != native_gpr(in) &&
		    (o->write || !write))
			mask |= 1u << o->reg;
	}
	return mask;
}

static void emit_loads(struct emit *e, const struct x86_insn *in)
{
	unsigned mask = implicit_gprs(in, false) | implicit_gprs(in, true);
	const struct x86_opnd *g = native_gpr(in);

	for (unsigned i = 0; i < 3; i++)
		if (mask >> i & 1)
			emit_gpr(e, false, i, false);
	if (g)
		emit_gpr(e, false, g->reg, true);
	if (in->row->f_read) {
		emit(e, 0xb7ff, 2); /* push [rdi + flags]; popfq */
		emit(e, STUB_FLAGS, 4);
		emit(e, 0x9d, 1);
	}
	if (native_is_maskmov(in))
		emit(e, 0xf78948, 3); /* mov rdi, rsi */
}

static void emit_stores(struct emit *e, const struct x86_insn *in)
{
	unsigned mask = implicit_gprs(in, true);
	const struct x86_opnd *g = native_gpr(in);

	if (in->row->f_written)
		emit(e, 0x5b419c, 3); /* pushfq; pop r11 */
	emit(e, 0x5f, 1);
	if (in->row->f_written) {
		emit(e, 0x9f894c, 3); /* mov [rdi + flags], r11 */
		emit(e, STUB_FLAGS, 4);
	}
	for (unsigned i = 0; i < 3; i++)
		if (mask >> i & 1)
			emit_gpr(e, true, i, false);
	if (g && g->write)
		emit_gpr(e, true, g->reg, true);
	emit(e, 0xc3c031, 3); /* xor eax, eax; ret */
}

/*
 * The CPU may have fetched ahead from the executable mapping: serialize after
 * writing through the other one (SDM vol. 3A, 8.1.3). IRET does, without the
 * cost of CPUID in a virtual machine.
 */
static void serialize(void)
{
	u64 tmp, rsp;

	__asm__ volatile("mov %%rsp, %1\n\t"
			 "lea -128(%%rsp), %%rsp\n\t"
			 "mov %%ss, %k0\n\t"
			 "push %0\n\t"
			 "push %1\n\t"
			 "pushfq\n\t"
			 "mov %%cs, %k0\n\t"
			 "push %0\n\t"
			 "lea 1f(%%rip), %0\n\t"
			 "push %0\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(tmp), "=&r"(rsp)
			 :
			 : "memory", "cc");
}

static void stub_build(const struct x86_insn *in, u8 *slot)
{
	struct emit e = {.p = slot};

	emit(&e, STUB_MAGIC0, 8);
	emit(&e, STUB_MAGIC1, 8);
	emit(&e, 0xc35f, 2); /* the way out of a fault: pop rdi; ret */
	e.n = STUB_ENTRY;
	emit(&e, 0x57, 1);
	emit_loads(&e, in);
	e.n += native_encode(in, e.p + e.n);
	emit_stores(&e, in);
	serialize();
}

static void stub_key(const struct x86_insn *in, u64 key[2])
{
	unsigned n = in->len;

	key[0] = load_le64(in->bytes) & mask_bytes(n);
	key[1] = n > 8 ? (load_le64(in->bytes + 7) >> 8) & mask_bytes(n - 8) : 0;
	key[1] |= (u64)(in->len | in->mode << 4) << 56;
}

static stub_fn stub_find(struct x86_vcpu *c, const struct x86_insn *in)
{
	struct native_slot *s;
	unsigned i;
	u64 key[2];

	stub_key(in, key);
	i = (key[0] * 0x9e3779b97f4a7c15ULL ^ key[1] * 0xc2b2ae3d27d4eb4fULL) >> 40 &
	    (NATIVE_SLOTS - 1);
	s = &interp_data(c)->slot[i];
	if (s->key[0] != key[0] || s->key[1] != key[1]) {
		stub_build(in, c->native_rw + i * NATIVE_SLOT);
		s->key[0] = key[0];
		s->key[1] = key[1];
	}
	return (stub_fn)(uintptr_t)(c->native_rx + i * NATIVE_SLOT + STUB_ENTRY);
}

/* ---- running it ------------------------------------------------------------------------ */

/* May this instruction run now? (SDM vol. 3A, table 2-2; vol. 2, 2.4 exception classes) */
static int native_check(struct x86_vcpu *c, const struct x86_insn *in)
{
	u32 f = in->row->flags, key = c->mode_key;

	if ((f & X86_R_NOT_PROT) && (key & X86_KEY_REAL))
		return x86_raise(c, X86_UD);
	if (f & (X86_R_AVX | X86_R_AVX512)) {
		if (!(key & X86_KEY_AVX) || ((f & X86_R_AVX512) && !(key & X86_KEY_AVX512)))
			return x86_raise(c, X86_UD);
	} else if (f & (X86_R_SSE | X86_R_MMX)) {
		if ((c->cr0 & CTL_CR0_EM) || ((f & X86_R_SSE) && (key & X86_KEY_NOSSE)))
			return x86_raise(c, X86_UD);
	} else if (in->map == X86_MAP_1B && in->opcode == 0x9b) { /* WAIT */
		if ((c->cr0 & CTL_CR0_TS) && (c->cr0 & CTL_CR0_MP))
			return x86_raise(c, X86_NM);
		return 0;
	} else if (c->cr0 & CTL_CR0_EM) {
		return x86_raise(c, X86_NM);
	}
	return c->cr0 & CTL_CR0_TS ? x86_raise(c, X86_NM) : 0;
}

static int native_trap(struct x86_vcpu *c, struct native_mem *m, struct native_result r)
{
	switch (r.trap) {
	case NATIVE_TRAP_MF:
		return x86_raise(c, X86_MF);
	case NATIVE_TRAP_XM:
		return x86_raise(c, c->cr4 & CTL_CR4_OSXMMEXCPT ? X86_XM : X86_UD);
	case NATIVE_TRAP_PF:
		return native_mem_fault(c, m, r.addr);
	case NATIVE_TRAP_AC:
		return x86_raise_err(c, X86_AC, 0);
	case NATIVE_TRAP_UD:
		return x86_raise(c, X86_UD);
	default:
		return x86_raise_err(c, X86_GP, 0);
	}
}

/*
 * The memory operand faulted. An x87 exception pending from before comes first
 * (SDM vol. 3A, table 6-2: it is a fault of the previous x87 instruction).
 */
static int native_mem_failed(struct x86_vcpu *c, const struct x86_insn *in, u64 cr2)
{
	u32 f = in->row->flags;

	if (!(f & X86_R_FPU) || (f & X86_R_FPU_NOWAIT))
		return -1;
	x86_fpu_park(c);
	if (!(load_le64(c->xsave + 512) & 1) || !(load_le16(c->xsave + 2) & 0x80))
		return -1; /* XSTATE_BV says initial, or FSW.ES is clear */
	c->cr2 = cr2;
	return x86_raise(c, X86_MF);
}

static int native_run(struct x86_vcpu *c, const struct x86_insn *in)
{
	struct native_mem m;
	struct native_result r;
	struct interp_data *d = interp_data(c);
	u64 cr2 = c->cr2;
	stub_fn fn;

	m.buffered = false;
	m.ptr = NULL;
	if ((in->has_mem || native_is_maskmov(in)) && native_mem_open(c, in, &m) < 0)
		return native_mem_failed(c, in, cr2);
	fn = stub_find(c, in);
	d->native_flags = (c->rflags & X86_F_STATUS) | RF_FIXED;
	x86_fpu_load(c);
	r = fn(c, m.ptr);
	if (unlikely(r.trap))
		return native_trap(c, &m, r);
	if (in->row->f_written)
		flags_set(c, in->row->f_written & X86_F_STATUS,
			  d->native_flags & in->row->f_written & X86_F_STATUS);
	if (m.buffered && native_mem_close(c, &m) < 0)
		return -1;
	return interp_next(c, in);
}

int native_exec(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (!(in->row->flags & ROW_VECTOR) || !c->native_rx)
		return x86_raise(c, X86_UD);
	if (native_check(c, in) < 0)
		return -1;
	if (in->enc == X86_ENC_VEX && in->map == X86_MAP_0F && in->opcode == 0x77 &&
	    in->mode != X86_MODE_64) {
		x86_fpu_vzero(c, in->vl == 32);
		return interp_next(c, in);
	}
	return in->row->flags & X86_R_VSIB ? native_vsib(c, in) : native_run(c, in);
}
