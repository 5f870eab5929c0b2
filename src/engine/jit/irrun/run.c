/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running lifted code: finding and making units, the interpreter's loop. On the vCPU's thread, with
 * its state in memory.
 */
#include "engine/jit/irrun/private.h"

#include "base/bits.h"

static bool must_leave(struct irrun *r, struct irrun_cpu *c)
{
	return atomic_load_explicit(&c->kick, memory_order_relaxed) || c->leave ||
	       atomic_load_explicit(&r->flush_wanted, memory_order_relaxed);
}

/* ---- units ---- */

/* The current map of the page at pc; NULL: raised, no code there, or a flush. Takes the lock. */
static struct irrun_map *map_at(struct irrun *r, struct irrun_cpu *c, u64 pc, bool *no_code)
{
	u32 key = c->key, bank;
	unsigned i = irrun_xtlb_index(pc);
	struct irrun_map *m;
	const u8 *host = (const u8 *)(uintptr_t)(pc + c->flat_base);
	u64 lin = align_down(pc, IRRUN_PAGE), gpa = pc;

	irrun_lock(r);
	bank = irrun_bank(r, key);
	m = c->map[bank][i];
	if (m && c->xtlb[bank][i] == m->id && m->lin == lin && m->key == key && !m->dead)
		return m;
	irrun_unlock(r);
	if (r->ops->fetch && r->ops->fetch(c->self, pc, &gpa, &host) < 0) {
		c->leave = 1;
		return NULL;
	}
	if (!host) {
		*no_code = true;
		return NULL;
	}
	irrun_lock(r);
	m = irrun_map_get(r, lin, align_down(gpa, IRRUN_PAGE), host - (pc - lin), key);
	if (!m) {
		jit_flush_want(&r->flush_wanted);
		irrun_unlock(r);
		return NULL;
	}
	c->map[bank][i] = m;
	c->xtlb[bank][i] = m->id;
	if (c->xtlb_nused < ARRAY_LEN(c->xtlb_used))
		c->xtlb_used[c->xtlb_nused++] = (u16)(bank * IRRUN_XTLB + i);
	else
		c->xtlb_nused = ARRAY_LEN(c->xtlb_used) + 1;
	return m;
}

/* A copy of the lifted unit, to be interpreted. */
static struct ir_unit *keep(struct irrun *r, const struct ir_unit *u)
{
	u64 bytes = offsetof(struct ir_unit, op) + u->n * sizeof(u->op[0]);
	struct ir_unit *k = (struct ir_unit *)(void *)((u8 *)r->ir_arena + r->ir_used);

	k->target = u->target;
	k->pc = u->pc;
	k->n = u->n;
	k->nlabels = u->nlabels;
	k->npool = u->npool;
	k->full = false;
	for (u32 i = 0; i < u->npool; i++)
		k->pool[i] = u->pool[i];
	for (u32 i = 0; i < u->n; i++)
		k->op[i] = u->op[i];
	r->ir_used += align_up(bytes, 64);
	return k;
}

/* Bytes of the page from pc on that are before the next breakpoint; 0: there is one at pc. */
static u32 before_break(const struct irrun *r, u64 pc, u32 key)
{
	u64 bytes = IRRUN_PAGE - (pc & (IRRUN_PAGE - 1));

	for (u32 i = 0; i < r->nbreaks && !(key & r->ops->no_break); i++)
		bytes = min_u64(bytes, r->brk[i] - pc);
	return (u32)bytes;
}

/* A unit that does nothing but leave. */
static void lift_exit(struct irrun *r, u64 pc, u32 reason)
{
	ir_begin(r->work, r->target, pc);
	ir_insn(r->work, pc);
	ir_put(r->work, IR_I64, 8, r->target->pc_off, ir_const(r->work, pc));
	ir_exitrt(r->work, reason);
}

static void lift(struct irrun *r, const struct irrun_map *m, u64 pc)
{
	u32 off = (u32)(pc & (IRRUN_PAGE - 1)), bytes = before_break(r, pc, m->key);
	u32 at;

	if (!bytes) {
		lift_exit(r, pc, IRRUN_BREAK);
		return;
	}
	ir_begin(r->work, r->target, pc);
	r->ops->lift(r->work, m->host + off, bytes, pc, m->key);
	if (ir_verify(r->work, &at)) /* a lifter's fault, or too long a unit */
		lift_exit(r, pc, IRRUN_BAD_UNIT);
}

/* Under the lock. */
static struct irrun_unit *unit_make(struct irrun *r, struct irrun_map *m, u64 pc)
{
	struct irrun_unit *u;

	if (irrun_is_full(r)) {
		jit_flush_want(&r->flush_wanted);
		return NULL;
	}
	u = &r->unit[r->nunits];
	*u = (struct irrun_unit){.pc = pc, .map = m};
	if (r->ops->protect)
		r->ops->protect(r->cfg.vm, m->gpa);
	lift(r, m, pc);
	if (!r->no_passes)
		ir_optimise(r->work, r->passes);
	if (r->cfg.interpret) {
		u->ir = keep(r, r->work);
	} else if (!ir_x86_emit(r, u, r->work)) {
		u->ir = keep(r, r->work);
		ir_x86_emit_interp(r, u, r->work);
	}
	r->nunits++;
	irrun_unit_add(r, u);
	irrun_host_trace(r, u);
	return u;
}

/* Other threads empty entries, see jc_forget. */
static void jump_learn(struct irrun_cpu *c, u64 pc, u64 to)
{
	struct irrun_far *f = &c->far[irrun_far_index(pc)];

	c->jc[irrun_jc_index(pc)] = to;
	f->pc = pc;
	__atomic_store_n(&f->to, to, __ATOMIC_RELAXED);
}

static struct irrun_unit *unit_at(struct irrun *r, struct irrun_cpu *c, u64 pc, bool *no_code)
{
	struct irrun_map *m = map_at(r, c, pc, no_code);
	struct irrun_unit *u;

	if (!m)
		return NULL;
	u = irrun_unit_find(r, m, pc);
	if (!u)
		u = unit_make(r, m, pc);
	if (u)
		jump_learn(c, pc, (u64)(uintptr_t)(r->rx + u->e0));
	irrun_unlock(r);
	return u;
}

static const void *go_on(struct irrun *r, struct irrun_cpu *c)
{
	struct irrun_unit *u;
	bool no_code = false;

	if (must_leave(r, c))
		return NULL;
	u = unit_at(r, c, *irrun_pc_of(r, c->self), &no_code);
	if (no_code)
		c->reason = IRRUN_NO_CODE + 1;
	return u ? r->rx + u->e2 : NULL;
}

const void *irrun_on_miss(struct irrun_cpu *c, u64 pc)
{
	*irrun_pc_of(c->run, c->self) = pc;
	return go_on(c->run, c);
}

const void *irrun_on_link(struct irrun_cpu *c, u64 site)
{
	struct irrun *r = c->run;
	struct irrun_site *s = &r->site[site];
	struct irrun_map *from = r->unit[s->unit].map;
	struct irrun_unit *u;
	bool no_code = false;

	*irrun_pc_of(r, c->self) = s->imm;
	if (must_leave(r, c))
		return NULL;
	u = unit_at(r, c, s->imm, &no_code);
	if (no_code)
		c->reason = IRRUN_NO_CODE + 1;
	if (!u)
		return NULL;
	irrun_lock(r);
	if (!from->dead && !u->map->dead && u->map->key == from->key)
		irrun_link(r, (u32)site, u);
	irrun_unlock(r);
	return r->rx + u->e2;
}

/* ---- the interpreter ---- */

struct interp {
	struct irrun_cpu *c;
	struct ir_env env;
};

static int interp_access(void *ctx, u64 addr, u32 size, bool write, void *data)
{
	struct interp *t = ctx;
	struct irrun *r = t->c->run;
	u8 *host = (u8 *)(uintptr_t)(addr + t->c->flat_base);

	*irrun_pc_of(r, t->c->self) = t->env.pc;
	if (!r->ops->flat)
		return irrun_access(r, t->c, addr, size, write, r->ops->mmu(t->c->key),
				    IRRUN_SLOTS - 1, data);
	if (write)
		irrun_copy(host, data, size);
	else
		irrun_copy(data, host, size);
	return 0;
}

static int flat_cas(u64 host, u32 size, const void *old, const void *new)
{
	u64 o = 0, n = 0;

	irrun_copy(&o, old, size);
	irrun_copy(&n, new, size);
	switch (size) {
	case 1:
		return __sync_bool_compare_and_swap((u8 *)(uintptr_t)host, (u8)o, (u8)n);
	case 2:
		return __sync_bool_compare_and_swap((u16 *)(uintptr_t)host, (u16)o, (u16)n);
	case 4:
		return __sync_bool_compare_and_swap((u32 *)(uintptr_t)host, (u32)o, (u32)n);
	}
	return __sync_bool_compare_and_swap((u64 *)(uintptr_t)host, o, n);
}

static int interp_cas(void *ctx, u64 addr, u32 size, const void *old, const void *new)
{
	struct interp *t = ctx;
	struct irrun *r = t->c->run;

	*irrun_pc_of(r, t->c->self) = t->env.pc;
	if (r->ops->flat)
		return flat_cas(addr + t->c->flat_base, size, old, new);
	return r->ops->cas(t->c->self, addr, size, old, new);
}

/* One unit; false: the run loop is wanted. */
static bool interpret(struct irrun *r, struct irrun_cpu *c, const struct irrun_unit *u)
{
	struct interp t = {.c = c,
			   .env = {.cpu = c->self,
				   .access = interp_access,
				   .cas = interp_cas,
				   .leave = &c->leave,
				   .kick = &c->kick,
				   .cell = c->cell}};
	enum ir_end end;

	t.env.ctx = &t;
	end = ir_interp(u->ir, &t.env);
	if (end == IR_END_RT)
		c->reason = t.env.reason + 1;
	if (end == IR_END_FAULT)
		c->leave = 1;
	if (end != IR_END_EXIT && end != IR_END_KICK)
		return false;
	*irrun_pc_of(r, c->self) = t.env.pc;
	return true;
}

const void *irrun_on_interp(struct irrun_cpu *c, u64 unit)
{
	struct irrun *r = c->run;

	return interpret(r, c, &r->unit[unit]) ? go_on(r, c) : NULL;
}

/* With no generated code at all. */
static void run_interpreted(struct irrun *r, struct irrun_cpu *c)
{
	const struct irrun_unit *u;
	bool no_code = false;

	while (!must_leave(r, c)) {
		u = unit_at(r, c, *irrun_pc_of(r, c->self), &no_code);
		if (no_code)
			c->reason = IRRUN_NO_CODE + 1;
		if (!u || !interpret(r, c, u))
			break;
	}
}

void irrun_breaks(struct irrun *r, const u64 *pc, u32 n)
{
	bool same = n == r->nbreaks;

	for (u32 i = 0; same && i < n; i++)
		same = pc[i] == r->brk[i];
	if (same || n > IRRUN_BREAKS)
		return;
	for (u32 i = 0; i < n; i++)
		r->brk[i] = pc[i];
	r->nbreaks = n;
	jit_flush_want(&r->flush_wanted); /* units made so far know others */
}

/* ---- flush: everyone out of generated code, then forget it all ---- */

static bool others_outside(struct irrun *r, struct irrun_cpu *me)
{
	for (unsigned n = 0; n < IRRUN_CPUS; n++) {
		void *cpu = __atomic_load_n(&r->cpu[n], __ATOMIC_ACQUIRE);
		struct irrun_cpu *c = cpu ? irrun_cpu(r, cpu) : NULL;

		if (c && c != me && atomic_load(&c->inside)) {
			atomic_fetch_or(&c->kick, IRRUN_KICK_FLUSH);
			return false;
		}
	}
	return true;
}

static void safe_point(struct irrun *r, struct irrun_cpu *c)
{
	atomic_store(&c->inside, 0);
	if (jit_flush_take(&r->flush_wanted)) {
		while (!others_outside(r, c))
			irrun_host_yield();
		irrun_lock(r);
		irrun_reset(r);
		irrun_unlock(r);
		jit_flush_done(&r->flush_wanted);
	}
}

static void go_inside(struct irrun *r, struct irrun_cpu *c)
{
	for (;;) {
		atomic_store(&c->inside, 1);
		if (likely(!atomic_load(&r->flush_wanted)))
			break;
		safe_point(r, c);
		irrun_host_yield();
	}
	atomic_fetch_and(&c->kick, ~(u32)IRRUN_KICK_FLUSH);
}

/* ---- the loop ---- */

static void enter(struct irrun *r, struct irrun_cpu *c, const void *to)
{
	void (*fn)(void *, const void *) =
		(void (*)(void *, const void *))(uintptr_t)(r->rx + r->thunk.enter);

	fn(c->self, to);
}

/* The interpreter works with the guest's rounding mode and sticky flags too. */
static void interpret_all(struct irrun *r, struct irrun_cpu *c)
{
#ifdef __x86_64__
	__asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(c->host_mxcsr) : "m"(c->mxcsr));
#endif
	run_interpreted(r, c);
#ifdef __x86_64__
	__asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(c->mxcsr) : "m"(c->host_mxcsr));
#endif
}

/* What the guest's engine is to look at before anything else runs. */
static int outside(struct irrun *r, struct irrun_cpu *c)
{
	u32 reason = c->reason ? c->reason - 1 : (u32)IRRUN_LEFT;
	int ret;

	if (!c->reason && !c->leave)
		return 0;
	atomic_store(&c->inside, 0);
	ret = r->ops->exit(c->self, reason);
	go_inside(r, c);
	return ret;
}

int irrun_run(struct irrun_cpu *c)
{
	struct irrun *r = c->run;
	const void *to;
	int ret = 0;
	u32 kick;

	go_inside(r, c);
	while (!ret && !((kick = atomic_load_explicit(&c->kick, memory_order_relaxed)) &
			 ~(u32)IRRUN_KICK_FLUSH)) {
		if (unlikely(kick || atomic_load(&r->flush_wanted)))
			go_inside(r, c);
		c->leave = c->reason = 0;
		if (r->cfg.interpret)
			interpret_all(r, c);
		else if ((to = go_on(r, c)))
			enter(r, c, to);
		ret = outside(r, c);
	}
	atomic_store(&c->inside, 0);
	return ret;
}

void irrun_abandon(struct irrun_cpu *c)
{
#ifdef __x86_64__
	__asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(c->mxcsr) : "m"(c->host_mxcsr));
#endif
	atomic_store(&c->inside, 0);
}

/* ---- signals ---- */

void irrun_signal_state(struct irrun_cpu *c, u64 pc, const u64 *regs)
{
	const struct irrun *r = c->run;

	for (u32 i = 0; i < r->pins.n; i++)
		irrun_copy((u8 *)c->self + r->target->pin[i], &regs[r->pins.host[i]], 8);
	*irrun_pc_of(r, c->self) = pc;
}

void irrun_leave_at(const struct irrun_cpu *c, u64 *host_pc, u64 *host_sp)
{
	*host_pc = (u64)(uintptr_t)(c->run->rx + c->run->thunk.quit);
	*host_sp = c->host_sp;
}

/* ---- life ---- */

int irrun_create(struct irrun **out, const struct irrun_config *cfg)
{
	struct irrun *r;
	int ret;

	if (!irrun_host_usable())
		return -E_NOTSUP;
	ret = irrun_host_create(&r, cfg);
	if (ret < 0)
		return ret;
	r->cold_start = r->size / 2;
	r->hot = (struct emit){.base = r->rw, .end = r->cold_start};
	r->cold = (struct emit){.base = r->rw, .pos = r->cold_start, .end = r->size};
	ir_x86_pins(r->target, &r->pins);
	ir_x86_thunks(r);
	irrun_reset(r);
	*out = r;
	return 0;
}

void irrun_destroy(struct irrun *r)
{
	irrun_host_destroy(r);
}
