/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: xchg, xadd, cmpxchg, cmpxchg8b, cmpxchg16b. With memory and LOCK
 * (XCHG: always) they are really atomic on guest RAM shared with other vCPUs.
 */
#include "engine/jit/x86/interp.h"

static int rmw_open_locked(struct x86_vcpu *c, const struct x86_insn *in, bool lock,
			   struct interp_rmw *m)
{
	if (in->opnd[0].kind != X86_OPND_MEM)
		return interp_rmw_open(c, in, 0, m);
	return interp_rmw_mem(c, in->seg, interp_ea(c, in), in->opnd[0].size, lock, m);
}

static int exec_xchg(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned mem = in->opnd[1].kind == X86_OPND_MEM; /* which operand, if any */
	const struct x86_opnd *r = &in->opnd[!mem], *o = &in->opnd[mem];
	u64 v = gpr_get(c, r->reg, r->size, r->high);
	struct interp_rmw m;
	int done;

	if (o->kind != X86_OPND_MEM) {
		u64 w = gpr_get(c, o->reg, o->size, o->high);

		gpr_set(c, o->reg, o->size, o->high, v);
		gpr_set(c, r->reg, r->size, r->high, w);
		return interp_next(c, in);
	}
	if (interp_rmw_mem(c, in->seg, interp_ea(c, in), o->size, true, &m) < 0)
		return -1;
	do
		done = interp_rmw_put(c, &m, v);
	while (!done);
	if (done < 0)
		return -1;
	gpr_set(c, r->reg, r->size, r->high, m.val);
	return interp_next(c, in);
}

static int exec_xadd(struct x86_vcpu *c, const struct x86_insn *in)
{
	const struct x86_opnd *s = &in->opnd[1];
	u64 b = gpr_get(c, s->reg, s->size, s->high), fl, r, old;
	struct interp_rmw m;
	int done;

	if (rmw_open_locked(c, in, in->lock, &m) < 0)
		return -1;
	if (m.o) { /* XADD r, r of one register leaves the sum */
		r = alu_add(&fl, m.val, b, false, m.n);
		gpr_set(c, s->reg, s->size, s->high, m.val);
		gpr_set(c, m.o->reg, m.n, m.o->high, r);
		goto done;
	}
	do {
		old = m.val;
		r = alu_add(&fl, old, b, false, m.n);
		done = interp_rmw_put(c, &m, r);
	} while (!done);
	if (done < 0)
		return -1;
	gpr_set(c, s->reg, s->size, s->high, old);
done:
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

/* The destination is written in either case (SDM vol. 2, CMPXCHG). */
static int exec_cmpxchg(struct x86_vcpu *c, const struct x86_insn *in)
{
	const struct x86_opnd *s = &in->opnd[1];
	unsigned n = in->opnd[0].size;
	u64 want = gpr_get(c, X86_RAX, n, false), v = gpr_get(c, s->reg, n, s->high), fl, old;
	struct interp_rmw m;
	int done;

	if (rmw_open_locked(c, in, in->lock, &m) < 0)
		return -1;
	do {
		old = m.val;
		alu_sub(&fl, want, old, false, n);
		done = m.o && (fl & RF_ZF) == 0 ? 1 : interp_rmw_put(c, &m, fl & RF_ZF ? v : old);
	} while (!done);
	if (done < 0)
		return -1;
	/* 32-bit registers: the loaded one is zero-extended, the other left alone. */
	if (!(fl & RF_ZF))
		gpr_set(c, X86_RAX, n, false, old);
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

struct u128 {
	u64 lo, hi;
};

static bool host_cas16(void *p, struct u128 *old, struct u128 v)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*(struct u128 *)p), "+a"(old->lo), "+d"(old->hi)
			 : "b"(v.lo), "c"(v.hi)
			 : "memory");
	return done;
}

static bool host_cas8(void *p, u64 *old, u64 v)
{
	return __atomic_compare_exchange_n((u64 *)p, old, v, false, 5, 5);
}

/* 0, or -1 if it faulted. *old in: wanted, out: found; *equal: was it replaced? */
static int cas_wide(struct x86_vcpu *c, u64 linear, unsigned n, struct u128 *old, struct u128 v,
		    bool *equal)
{
	struct u128 found = {0, 0};
	void *host;

	if (x86_rmw_ptr(c, linear, n, &host) < 0)
		return -1;
	if (host) {
		*equal = n == 16 ? host_cas16(host, old, v) : host_cas8(host, &old->lo, v.lo);
		return 0;
	}
	while (atomic_exchange_explicit(&c->vm->split_lock, 1, memory_order_acquire))
		__builtin_ia32_pause();
	if (x86_read(c, linear, &found, n) < 0)
		goto fault;
	*equal = found.lo == old->lo && found.hi == old->hi;
	if (x86_write(c, linear, *equal ? &v : &found, n) < 0)
		goto fault;
	atomic_store_explicit(&c->vm->split_lock, 0, memory_order_release);
	*old = found;
	return 0;
fault:
	atomic_store_explicit(&c->vm->split_lock, 0, memory_order_release);
	return -1;
}

static int exec_cmpxchg_wide(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned half = in->opsize == 8 ? 8 : 4, n = half * 2;
	u64 a = gpr_get(c, X86_RAX, half, false), d = gpr_get(c, X86_RDX, half, false);
	u64 b = gpr_get(c, X86_RBX, half, false), cx = gpr_get(c, X86_RCX, half, false);
	struct u128 old = {a, d}, v = {b, cx};
	u64 linear;
	bool equal;

	if (half == 4) {
		old = (struct u128){a | d << 32, 0};
		v = (struct u128){b | cx << 32, 0};
	}
	if (interp_linear(c, in->seg, interp_ea(c, in), n, X86_WRITE, &linear) < 0)
		return -1;
	if (n == 16 && linear & 15)
		return x86_raise_err(c, X86_GP, 0);
	if (cas_wide(c, linear, n, &old, v, &equal) < 0)
		return -1;
	if (!equal) {
		gpr_set(c, X86_RAX, half, false, half == 8 ? old.lo : (u32)old.lo);
		gpr_set(c, X86_RDX, half, false, half == 8 ? old.hi : old.lo >> 32);
	}
	flags_set(c, RF_ZF, flag_if(equal, RF_ZF));
	return interp_next(c, in);
}

interp_fn interp_atomic_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return in->opcode == 0x86 || in->opcode == 0x87 ||
				       (in->opcode > 0x90 && in->opcode < 0x98) ||
				       (in->opcode == 0x90 && in->nopnds == 2)
			       ? exec_xchg
			       : NULL;
	if (in->map != X86_MAP_0F)
		return NULL;
	switch (in->opcode) {
	case 0xb0:
	case 0xb1:
		return exec_cmpxchg;
	case 0xc0:
	case 0xc1:
		return exec_xadd;
	case 0xc7:
		return in->has_mem && (in->modrm >> 3 & 7) == 1 ? exec_cmpxchg_wide : NULL;
	default:
		return NULL;
	}
}
