/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter's spine: fetch, the cache of decoded instructions, choice of
 * the handler, slow paths of memory operands. Called by the run loop for one
 * instruction at a time and by the translator for what it does not translate.
 * Knows no device and no host OS.
 */
#include "engine/jit/x86/interp.h"

/* ---- memory operands, slow paths ---------------------------------------------- */

int interp_linear(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, enum x86_access a,
		  u64 *linear)
{
	bool quick = linear_quick(c, seg, off, n, linear);

	if (quick && c->code_mode == X86_MODE_64)
		quick = is_canonical(*linear) && is_canonical(*linear + n - 1);
	if (!quick && x86_linear(c, seg, off, n, a, linear) < 0)
		return -1;
	if ((c->mode_key & X86_KEY_ALIGN) && (*linear & (n - 1)) && n <= 8)
		return x86_raise_err(c, X86_AC, 0);
	return 0;
}

int interp_read_slow(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 *v)
{
	u64 linear, buf = 0;

	if (interp_linear(c, seg, off, n, X86_READ, &linear) < 0 ||
	    x86_read(c, linear, &buf, n) < 0)
		return -1;
	*v = buf;
	return 0;
}

int interp_write_slow(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, u64 v)
{
	u64 linear;

	if (interp_linear(c, seg, off, n, X86_WRITE, &linear) < 0)
		return -1;
	return x86_write(c, linear, &v, n);
}

static void split_lock(struct x86_vm *vm)
{
	while (atomic_exchange_explicit(&vm->split_lock, 1, memory_order_acquire))
		__builtin_ia32_pause();
}

static void split_unlock(struct x86_vm *vm)
{
	atomic_store_explicit(&vm->split_lock, 0, memory_order_release);
}

int interp_rmw_mem(struct x86_vcpu *c, unsigned seg, u64 off, unsigned n, bool lock,
		   struct interp_rmw *m)
{
	m->o = NULL;
	m->n = (u8)n;
	m->locked = lock;
	m->val = 0;
	if (interp_linear(c, seg, off, n, X86_WRITE, &m->linear) < 0 ||
	    x86_rmw_ptr(c, m->linear, n, &m->host) < 0)
		return -1;
	if (m->host) {
		m->val = host_load(m->host, n);
		return 0;
	}
	if (lock)
		split_lock(c->vm);
	if (x86_read(c, m->linear, &m->val, n) == 0)
		return 0;
	if (lock)
		split_unlock(c->vm);
	return -1;
}

static bool host_cas(void *p, unsigned n, u64 *old, u64 v)
{
	u8 o8 = (u8)*old;
	u16 o16 = (u16)*old;
	u32 o32 = (u32)*old;
	bool done;

	switch (n) {
	case 1:
		done = __atomic_compare_exchange_n((u8 *)p, &o8, (u8)v, false, 5, 5);
		*old = o8;
		return done;
	case 2:
		done = __atomic_compare_exchange_n((u16 *)p, &o16, (u16)v, false, 5, 5);
		*old = o16;
		return done;
	case 4:
		done = __atomic_compare_exchange_n((u32 *)p, &o32, (u32)v, false, 5, 5);
		*old = o32;
		return done;
	default:
		return __atomic_compare_exchange_n((u64 *)p, old, v, false, 5, 5);
	}
}

int interp_rmw_put_mem(struct x86_vcpu *c, struct interp_rmw *m, u64 v)
{
	int ret;

	if (m->host && m->locked)
		return host_cas(m->host, m->n, &m->val, v);
	if (m->host) {
		host_store(m->host, m->n, v);
		return 1;
	}
	ret = x86_write(c, m->linear, &v, m->n);
	if (m->locked)
		split_unlock(c->vm);
	return ret < 0 ? -1 : 1;
}

/* ---- choice of the handler ------------------------------------------------------- */

/* None of the bits asked for here comes and goes with CR4 or XCR0. */
static bool feature_shown(struct x86_vcpu *c, u8 feature)
{
	u8 *known = &interp_data(c)->shown[feature];
	struct x86_cpuid_bit b;
	u32 out[4];

	if (!*known) {
		b = x86_feature_cpuid(feature);
		x86_cpuid(c, b.leaf, b.sub, out);
		*known = (u8)(1 + (out[b.reg & 3] >> (b.bit & 31) & 1));
	}
	return *known == 2;
}

bool x86_insn_shown(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (!in->row->feature)
		return true;
	/* VMCALL and VMMCALL are hypercalls here, whichever CPU it is and without VMX or SVM. */
	if (in->map == X86_MAP_0F && in->opcode == 0x01 && in->enc == X86_ENC_LEGACY &&
	    (in->modrm == 0xc1 || in->modrm == 0xd9))
		return true;
	return feature_shown(c, in->row->feature);
}

static int exec_ud(struct x86_vcpu *c, const struct x86_insn *in)
{
	(void)in;
	return x86_raise(c, X86_UD);
}

static interp_fn lookup_integer(const struct x86_insn *in)
{
	static interp_fn (*const family[])(const struct x86_insn *) = {
		interp_alu_lookup,   interp_mov_lookup,	   interp_stack_lookup,
		interp_shift_lookup, interp_atomic_lookup, interp_bits_lookup,
		interp_mul_lookup,   interp_misc_lookup,   interp_flow_lookup,
	};
	interp_fn fn = NULL;

	for (unsigned i = 0; i < ARRAY_LEN(family) && !fn; i++)
		fn = family[i](in);
	return fn;
}

/* Forms that do not exist in real and virtual-8086 mode, which the line cache cannot tell apart. */
static int exec_protected_only(struct x86_vcpu *c, const struct x86_insn *in)
{
	interp_fn fn = lookup_integer(in);

	if ((c->mode_key & X86_KEY_REAL) || !fn)
		return x86_raise(c, X86_UD);
	return fn(c, in);
}

static interp_fn lookup_ordinary(const struct x86_insn *in)
{
	interp_fn fn = lookup_integer(in);

	if (fn)
		return (in->row->flags & X86_R_NOT_PROT) ? exec_protected_only : fn;
	return (in->row->flags & ROW_VECTOR) ? native_exec : exec_ud;
}

static interp_fn interp_lookup(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (in->row->cls == X86_C_UD || !x86_insn_shown(c, in))
		return exec_ud;
	if (fpu_state_is(in))
		return x86_exec_fpu_state;
	switch (in->row->cls) {
	case X86_C_SYSTEM:
		return x86_exec_system;
	case X86_C_STRING:
		return interp_string;
	default:
		return lookup_ordinary(in);
	}
}

int x86_exec(struct x86_vcpu *c, const struct x86_insn *in)
{
	return interp_lookup(c, in)(c, in);
}

/* ---- fetch ------------------------------------------------------------------------- */

static int raise_decode(struct x86_vcpu *c, int err)
{
	return err == X86_DECODE_LONG ? x86_raise_err(c, X86_GP, 0) : x86_raise(c, X86_UD);
}

/* Code outside RAM (a device's window): byte by byte, as data. */
static int fetch_bytes(struct x86_vcpu *c, u64 linear, u8 *buf, unsigned n)
{
	const u8 *host;
	u64 gpa;

	if (x86_fetch_page(c, linear, &gpa, &host) < 0)
		return -1;
	if (!host)
		return x86_read_sys(c, linear, buf, n);
	for (unsigned i = 0; i < n; i++)
		buf[i] = host[(linear & (GPA_PAGE_SIZE - 1)) + i];
	return 0;
}

/* Run on an instruction that may touch the next page, or whose page is not RAM: not cached. */
static int step_edge(struct x86_vcpu *c, u64 linear)
{
	unsigned first = GPA_PAGE_SIZE - (linear & (GPA_PAGE_SIZE - 1));
	struct x86_insn in;
	u8 buf[X86_INSN_MAX];
	u64 next = linear + first;
	int err;

	if (first > X86_INSN_MAX)
		first = X86_INSN_MAX;
	if (fetch_bytes(c, linear, buf, first) < 0)
		return -1;
	err = x86_decode(&in, c->code_mode, buf, first);
	if (err == X86_DECODE_SHORT && first < X86_INSN_MAX) {
		if (c->code_mode != X86_MODE_64)
			next = (u32)next;
		if (fetch_bytes(c, next, buf + first, X86_INSN_MAX - first) < 0)
			return -1;
		err = x86_decode(&in, c->code_mode, buf, X86_INSN_MAX);
	}
	if (err)
		return raise_decode(c, err);
	if (c->code_mode != X86_MODE_64 && c->rip + in.len - 1 > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	return x86_exec(c, &in);
}

static int fetch_page(struct x86_vcpu *c, struct interp_data *d, u64 linear)
{
	const u8 *host;
	u64 gpa;

	d->fetch_host = NULL;
	if (x86_fetch_page(c, linear, &gpa, &host) < 0)
		return -1;
	if (host) /* of the byte or of its page: either way the page's */
		host = (const u8 *)align_down((uintptr_t)host, GPA_PAGE_SIZE);
	d->fetch_page = align_down(linear, GPA_PAGE_SIZE);
	d->fetch_gen = c->tlb_gen;
	d->fetch_key = c->mode_key;
	d->fetch_host = host;
	return 0;
}

static int line_fill(struct x86_vcpu *c, struct interp_line *l, const u8 *p, const u64 raw[2])
{
	int err = x86_decode(&l->in, c->code_mode, (const u8 *)raw, X86_INSN_MAX);

	l->host = NULL;
	if (err)
		return raise_decode(c, err);
	l->fn = interp_lookup(c, &l->in);
	l->raw[0] = raw[0];
	l->raw[1] = raw[1];
	l->host = p;
	return 0;
}

static inline struct interp_line *line_of(struct interp_data *d, const u8 *p)
{
	uintptr_t a = (uintptr_t)p;

	return &d->line[(a ^ a >> 12) & (INTERP_LINES - 1)];
}

/* RF lasts for one instruction (SDM vol. 3B, 18.3.1.1); those that load it are SYSTEM. */
static int exec_resumed(struct x86_vcpu *c, const struct interp_line *l)
{
	int ret = l->fn(c, &l->in);

	if (!ret && l->in.row->cls != X86_C_SYSTEM)
		c->rflags &= ~(u64)RF_RF;
	return ret;
}

/* One instruction whose linear address is known. */
static inline int step_at(struct x86_vcpu *c, u64 linear)
{
	struct interp_data *d = interp_data(c);
	unsigned off = linear & (GPA_PAGE_SIZE - 1);
	struct interp_line *l;
	const u8 *p;
	u64 raw[2];

	if (unlikely(align_down(linear, GPA_PAGE_SIZE) != d->fetch_page || !d->fetch_host ||
		     d->fetch_gen != c->tlb_gen || d->fetch_key != c->mode_key) &&
	    fetch_page(c, d, linear) < 0)
		return -1;
	if (unlikely(off > GPA_PAGE_SIZE - 16 || !d->fetch_host))
		return step_edge(c, linear);
	p = d->fetch_host + off;
	l = line_of(d, p);
	raw[0] = host_load(p, 8);
	raw[1] = host_load(p + 8, 8);
	if (unlikely(l->host != p || l->raw[0] != raw[0] || l->raw[1] != raw[1] ||
		     l->in.mode != c->code_mode) &&
	    line_fill(c, l, p, raw) < 0)
		return -1;
	if (c->code_mode != X86_MODE_64 && c->rip + l->in.len - 1 > c->seg[X86_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	if (unlikely(c->rflags & RF_RF))
		return exec_resumed(c, l);
	return l->fn(c, &l->in);
}

int x86_interp_step(struct x86_vcpu *c)
{
	u64 linear = c->rip;

	c->insn_count++;
	if (c->code_mode != X86_MODE_64) {
		if (linear > c->seg[X86_CS].limit)
			return x86_raise_err(c, X86_GP, 0);
		linear = (u32)(linear + c->seg_base[X86_CS]);
	}
	return step_at(c, linear);
}
