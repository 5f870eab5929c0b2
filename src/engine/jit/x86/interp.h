/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the interpreter (interp*.c, native*.c, fpu.c): operand, memory and
 * stack access with precise faults. Handlers compute everything first, do the
 * last thing that can fault, and only then change registers and flags.
 *
 * A handler returns interp_next() (or interp_goto()) when the instruction is
 * complete, -1 with c->exc when it must not have happened.
 */
#ifndef HULL_ENGINE_JIT_X86_INTERP_H
#define HULL_ENGINE_JIT_X86_INTERP_H

#include "base/bits.h"
#include "base/endian.h"
#include "engine/jit/x86/cpu.h"

/* Control register bits that decide whether x87 and vector instructions run (SDM vol. 3A, 2.5). */
enum {
	CTL_CR0_MP = 1 << 1,
	CTL_CR0_EM = 1 << 2,
	CTL_CR0_TS = 1 << 3,
	CTL_CR4_OSFXSR = 1 << 9,
	CTL_CR4_OSXMMEXCPT = 1 << 10,
	CTL_CR4_OSXSAVE = 1 << 18,
	CTL_EFER_FFXSR = 1 << 14,
};

typedef int (*interp_fn)(struct x86_vcpu *c, const struct x86_insn *in);

/* Handler of an instruction of each family, or NULL if it is of another one. */
interp_fn interp_alu_lookup(const struct x86_insn *in);
interp_fn interp_shift_lookup(const struct x86_insn *in);
interp_fn interp_mul_lookup(const struct x86_insn *in);
interp_fn interp_bits_lookup(const struct x86_insn *in);
interp_fn interp_mov_lookup(const struct x86_insn *in);
interp_fn interp_stack_lookup(const struct x86_insn *in);
interp_fn interp_flow_lookup(const struct x86_insn *in);
interp_fn interp_atomic_lookup(const struct x86_insn *in);
interp_fn interp_misc_lookup(const struct x86_insn *in);
int interp_string(struct x86_vcpu *c, const struct x86_insn *in);

/* Rows of x87 and vector instructions: only these may run natively. */
enum { ROW_VECTOR = X86_R_FPU | X86_R_MMX | X86_R_SSE | X86_R_AVX | X86_R_AVX512 };

/* Vector and x87 instructions, one at a time on the guest's state (native.c). */
int native_exec(struct x86_vcpu *c, const struct x86_insn *in);
/* fxsave, xsave and relatives (fpu.c). */
bool fpu_state_is(const struct x86_insn *in);

/* One decoded instruction kept for its next execution. */
struct interp_line {
	const u8 *host; /* where its bytes are in guest RAM; NULL: free */
	interp_fn fn;
	u64 raw[2]; /* the 16 bytes there when it was decoded */
	struct x86_insn in;
};

/* Which instruction a native stub slot holds. */
struct native_slot {
	u64 key[2]; /* its bytes, length and mode */
};

#define INTERP_LINES 4096u
#define NATIVE_SLOT 128u
#define NATIVE_SLOTS (X86_NATIVE_AREA / NATIVE_SLOT)

/* CPUID leaf 0xD, subleaf i >= 2, once asked. */
struct interp_xcomp {
	u16 off, size;
	bool align, known;
};

struct interp_data {
	u64 fetch_page; /* linear page the code pointer below is for */
	const u8 *fetch_host;
	u32 fetch_gen, fetch_key;
	u8 shown[256]; /* per x86_insn_row.feature: 0 not asked yet, else 1 + whether CPUID has it
			*/
	struct interp_xcomp xcomp[16];
	u64 native_flags; /* RFLAGS into and out of a native stub */
	struct native_slot slot[NATIVE_SLOTS];
	struct interp_line line[INTERP_LINES];
};
static_assert(sizeof(struct interp_data) <= X86_INTERP_BYTES, "interpreter data fits the vCPU");

static inline struct interp_data *interp_data(struct x86_vcpu *c)
{
	return (struct interp_data *)c->interp;
}

/* ---- registers --------------------------------------------------------------- */

static inline u64 gpr_get(const struct x86_vcpu *c, unsigned reg, unsigned n, bool high)
{
	return (c->gpr[reg] >> (high ? 8 : 0)) & mask_bytes(n);
}

/* 32-bit results zero-extend, 8- and 16-bit ones merge (SDM vol. 1, 3.4.1.1). */
static inline void gpr_set(struct x86_vcpu *c, unsigned reg, unsigned n, bool high, u64 v)
{
	u64 mask;

	if (n >= 4) {
		c->gpr[reg] = n == 4 ? (u32)v : v;
		return;
	}
	mask = mask_bytes(n) << (high ? 8 : 0);
	c->gpr[reg] = (c->gpr[reg] & ~mask) | ((v << (high ? 8 : 0)) & mask);
}

static inline void flags_set(struct x86_vcpu *c, u64 mask, u64 fl)
{
	c->rflags = (c->rflags & ~mask) | fl;
}

static inline u64 flag_if(bool cond, u64 flag)
{
	return cond ? flag : 0;
}

static inline bool sign_of(u64 v, unsigned n)
{
	return v >> ((n * 8 - 1) & 63) & 1;
}

/* ZF, SF and PF of an n-byte result that is already truncated. */
static inline u64 flags_szp(u64 r, unsigned n)
{
	u32 p = (u32)(r ^ r >> 4) & 15;

	return (u64)(r == 0) << 6 | flag_if(sign_of(r, n), 1 << 7) | (u64)(0x9669 >> p & 1) << 2;
}

static inline u64 sext(u64 v, unsigned n)
{
	unsigned s = 64 - n * 8;

	return (u64)((s64)(v << s) >> s);
}

static inline bool is_canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}

/* ---- instruction ends ----------------------------------------------------------- */

static inline u64 interp_next_rip(const struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 rip = c->rip + in->len;

	return in->mode == X86_MODE_64 ? rip : (u32)rip;
}

static inline int interp_next(struct x86_vcpu *c, const struct x86_insn *in)
{
	c->rip = interp_next_rip(c, in);
	return 0;
}

/* Is `target` a legal place to go? Else #GP(0). */
static inline int interp_check_target(struct x86_vcpu *c, const struct x86_insn *in, u64 target)
{
	bool ok = in->mode == X86_MODE_64 ? is_canonical(target) : target <= c->seg[X86_CS].limit;

	return likely(ok) ? 0 : x86_raise_err(c, X86_GP, 0);
}

/* ---- memory ----------------------------------------------------------------------- */

static inline void *tlb_probe(struct x86_vcpu *c, const struct x86_tlb_entry *table, u64 linear,
			      unsigned n)
{
	const struct x86_tlb_entry *e =
		(const void *)((const u8 *)table + ((linear >> 8) & c->tlb_mask[c->mmu]));
	u64 off = linear ^ e->page;

	return likely(off <= 4096 - n) ? (void *)(uintptr_t)(linear + e->add) : NULL;
}

static inline void *tlb_rd(struct x86_vcpu *c, u64 linear, unsigned n)
{
	return tlb_probe(c, c->tlb[c->mmu].rd, linear, n);
}

static inline void *tlb_wr(struct x86_vcpu *c, u64 linear, unsigned n)
{
	return tlb_probe(c, c->tlb[c->mmu].wr, linear, n);
}

/* Offset of the ModRM memory operand in its segment. */
static inline u64 interp_ea(const struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 ea = (u64)in->disp;

	if (in->mem_base == X86_REG_RIP)
		ea += c->rip + in->len;
	else if (in->mem_base != X86_REG_NONE)
		ea += c->gpr[in->mem_base];
	if (in->mem_index != X86_REG_NONE)
		ea += c->gpr[in->mem_index] * in->mem_scale;
	return ea & mask_bytes(in->adsize);
}

/* Linear address when no check beyond the TLB's is needed; false: ask x86_linear. */
static inline bool linear_quick(const struct x86_vcpu *c, unsigned seg, u64 off, unsigned n,
				u64 *linear)
{
	if (c->code_mode == X86_MODE_64) {
		*linear = off + (seg >= X86_FS ? c->seg_base[seg] : 0);
		return true;
	}
	*linear = off;
	return (c->mode_key & X86_KEY_FLAT) && seg < X86_FS && seg != X86_CS &&
	       off <= 0x100000000ULL - n;
}

int interp_read_slow(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 *v);
int interp_write_slow(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 v);
/* All checks of an access: segment, alignment. */
int interp_linear(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, enum x86_access a,
		  u64 *linear);

/* n is 1, 2, 4 or 8. */
static inline u64 host_load(const void *p, unsigned n)
{
	switch (n) {
	case 1:
		return *(const volatile u8 *)p;
	case 2:
		return *(const volatile u16 *)p;
	case 4:
		return *(const volatile u32 *)p;
	default:
		return *(const volatile u64 *)p;
	}
}

static inline void host_store(void *p, unsigned n, u64 v)
{
	switch (n) {
	case 1:
		*(volatile u8 *)p = (u8)v;
		break;
	case 2:
		*(volatile u16 *)p = (u16)v;
		break;
	case 4:
		*(volatile u32 *)p = (u32)v;
		break;
	default:
		*(volatile u64 *)p = v;
	}
}

/* n is 1, 2, 4 or 8. */
static inline int interp_read(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 *v)
{
	u64 linear;
	void *p;

	if (linear_quick(c, seg, off, n, &linear) && !(c->mode_key & X86_KEY_ALIGN) &&
	    (p = tlb_rd(c, linear, n))) {
		*v = host_load(p, n);
		return 0;
	}
	return interp_read_slow(c, seg, off, n, v);
}

static inline int interp_write(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 v)
{
	u64 linear;
	void *p;

	if (linear_quick(c, seg, off, n, &linear) && !(c->mode_key & X86_KEY_ALIGN) &&
	    (p = tlb_wr(c, linear, n))) {
		host_store(p, n, v);
		return 0;
	}
	return interp_write_slow(c, seg, off, n, v);
}

/* ---- operands --------------------------------------------------------------------- */

static inline int opnd_read(struct x86_vcpu *c, const struct x86_insn *in, unsigned i, u64 *v)
{
	const struct x86_opnd *o = &in->opnd[i];

	switch (o->kind) {
	case X86_OPND_GPR:
		*v = gpr_get(c, o->reg, o->size, o->high);
		return 0;
	case X86_OPND_MEM:
		return interp_read(c, in->seg, interp_ea(c, in), o->size, v);
	default:
		*v = (u64)in->imm;
		return 0;
	}
}

static inline int opnd_write(struct x86_vcpu *c, const struct x86_insn *in, unsigned i, u64 v)
{
	const struct x86_opnd *o = &in->opnd[i];

	if (o->kind == X86_OPND_MEM)
		return interp_write(c, in->seg, interp_ea(c, in), o->size, v);
	gpr_set(c, o->reg, o->size, o->high, v);
	return 0;
}

/*
 * A destination that is read, changed and written. interp_rmw_open raises
 * whatever a write could raise; val is the old value.
 */
struct interp_rmw {
	u64 val;
	void *host; /* NULL: a register, or memory only reachable by x86_write */
	u64 linear;
	const struct x86_opnd *o; /* the register, or NULL for memory */
	u8 n;
	bool locked; /* host: do it atomically; else the split lock is held */
};

int interp_rmw_mem(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, bool lock,
		   struct interp_rmw *m);
/*
 * Replace val by v. 1: done, 0: memory was changed by someone else meanwhile,
 * val is new, compute again; -1: faulted. After 1 or -1 the operand is closed.
 */
int interp_rmw_put_mem(struct x86_vcpu *c, struct interp_rmw *m, u64 v);

static inline int interp_rmw_open(struct x86_vcpu *c, const struct x86_insn *in, unsigned i,
				  struct interp_rmw *m)
{
	const struct x86_opnd *o = &in->opnd[i];
	u64 off, linear;
	void *p;

	m->n = o->size;
	if (o->kind == X86_OPND_GPR) {
		m->o = o;
		m->val = gpr_get(c, o->reg, o->size, o->high);
		return 0;
	}
	off = interp_ea(c, in);
	if (!in->lock && linear_quick(c, in->seg, off, o->size, &linear) &&
	    !(c->mode_key & X86_KEY_ALIGN) && (p = tlb_wr(c, linear, o->size))) {
		m->o = NULL;
		m->host = p;
		m->locked = false;
		m->val = host_load(p, o->size);
		return 0;
	}
	return interp_rmw_mem(c, in->seg, off, o->size, in->lock, m);
}

static inline int interp_rmw_put(struct x86_vcpu *c, struct interp_rmw *m, u64 v)
{
	if (m->o) {
		gpr_set(c, m->o->reg, m->n, m->o->high, v);
		return 1;
	}
	if (m->host && !m->locked) {
		host_store(m->host, m->n, v);
		return 1;
	}
	return interp_rmw_put_mem(c, m, v);
}

/* ---- stack ---------------------------------------------------------------------------- */

static inline unsigned stack_size(const struct x86_vcpu *c)
{
	return c->code_mode == X86_MODE_64 ? 8 : (c->mode_key & X86_KEY_SS32) ? 4 : 2;
}

static inline u64 stack_get(const struct x86_vcpu *c)
{
	return c->gpr[X86_RSP] & mask_bytes(stack_size(c));
}

/* Only the stack-size part of RSP changes. */
static inline void stack_set(struct x86_vcpu *c, u64 sp)
{
	gpr_set(c, X86_RSP, stack_size(c), false, sp);
}

static inline int interp_push(struct x86_vcpu *c, u64 v, unsigned n)
{
	u64 sp = (stack_get(c) - n) & mask_bytes(stack_size(c));

	if (interp_write(c, X86_SS, sp, n, v) < 0)
		return -1;
	stack_set(c, sp);
	return 0;
}

/* Reads the top of stack; the caller moves RSP (stack_set) once nothing can fault. */
static inline int interp_peek(struct x86_vcpu *c, u64 *v, unsigned n)
{
	return interp_read(c, X86_SS, stack_get(c), n, v);
}

static inline bool interp_cond(const struct x86_vcpu *c, unsigned cc)
{
	u64 f = c->rflags;
	bool r, lt = !(f & RF_SF) != !(f & RF_OF);

	switch (cc >> 1 & 7) {
	case 0:
		r = f & RF_OF;
		break;
	case 1:
		r = f & RF_CF;
		break;
	case 2:
		r = f & RF_ZF;
		break;
	case 3:
		r = f & (RF_CF | RF_ZF);
		break;
	case 4:
		r = f & RF_SF;
		break;
	case 5:
		r = f & RF_PF;
		break;
	case 6:
		r = lt;
		break;
	default:
		r = lt || (f & RF_ZF);
	}
	return r != (cc & 1);
}

/* ---- arithmetic with flags, shared by several families --------------------------------- */

static inline u64 alu_add(u64 *fl, u64 a, u64 b, bool carry, unsigned n)
{
	u64 m = mask_bytes(n), r = (a + b + carry) & m;
	u64 co = (a & b) | ((a | b) & ~r);

	*fl = flags_szp(r, n) | (u64)sign_of(co & m, n) | ((a ^ b ^ r) & RF_AF) |
	      (u64)sign_of((a ^ r) & (b ^ r) & m, n) << 11;
	return r;
}

static inline u64 alu_sub(u64 *fl, u64 a, u64 b, bool borrow, unsigned n)
{
	u64 m = mask_bytes(n), r = (a - b - borrow) & m;
	u64 bo = (~a & b) | ((~a | b) & r);

	*fl = flags_szp(r, n) | (u64)sign_of(bo & m, n) | ((a ^ b ^ r) & RF_AF) |
	      (u64)sign_of((a ^ b) & (a ^ r) & m, n) << 11;
	return r;
}

#endif
