/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running: lookup of translations, what generated code calls out for, the cold
 * tier. All functions here run on the vCPU's thread with its state in memory.
 */
#include "engine/jit/rt/jit.h"

#include "base/bits.h"

bool jit_translatable(u32 key)
{
	unsigned mode = key & 3;

	if (!(key & X86_KEY_FLAT) ||
	    (key & (X86_KEY_STEP | X86_KEY_REAL | X86_KEY_ALIGN | X86_KEY_RING12)))
		return false;
	return mode == X86_MODE_64 || (mode == X86_MODE_32 && (key & X86_KEY_SS32));
}

static bool heat_is_hot(struct jit *j, const struct jit_map *m, u64 rip)
{
	u8 *h = &j->heat[jit_heat_index(rip)];
	u32 wanted = j->hot_visits << m->page->drops;

	if (*h >= (wanted < 255 ? wanted : 255))
		return true;
	++*h;
	return false;
}

/* The current map of the page at rip, or NULL (fault raised, or not RAM). Takes the lock. */
static struct jit_map *map_at(struct jit *j, struct x86_vcpu *c, u64 rip)
{
	struct jit_cpu *x = jit_cpu(c);
	unsigned i = jit_xtlb_index(rip, c->mode_key);
	struct jit_map *m = x->xmap[i];
	u64 gpa;
	const u8 *host;

	if (m && x->xtlb[i] == m->id && m->lin == align_down(rip, GPA_PAGE_SIZE) &&
	    m->key == c->mode_key) {
		jit_lock(j);
		if (!m->dead)
			return m;
		jit_unlock(j);
	}
	if (x86_fetch_page(c, rip, &gpa, &host) < 0 || !host)
		return NULL;
	gpa = align_down(gpa, GPA_PAGE_SIZE);
	host = (const u8 *)align_down((u64)(uintptr_t)host, GPA_PAGE_SIZE);
	jit_lock(j);
	m = jit_map_get(j, align_down(rip, GPA_PAGE_SIZE), gpa, host, c->mode_key);
	if (!m) {
		jit_flush_want(&j->flush_wanted);
		jit_unlock(j);
		return NULL;
	}
	x->xmap[i] = m;
	x->xtlb[i] = m->id;
	if (!c->fetch_global) {
		if (x->nonglobals < ARRAY_LEN(x->nonglobal))
			x->nonglobal[x->nonglobals] = (u16)i;
		x->nonglobals += x->nonglobals <= ARRAY_LEN(x->nonglobal);
	}
	return m;
}

/* The unit for c->rip, made when it has earned it; NULL: interpret (or a fault, or a flush). */
static struct jit_unit *unit_at(struct jit *j, struct x86_vcpu *c, bool plain)
{
	struct jit_unit *u;
	struct jit_map *m;

	if (!jit_translatable(c->mode_key))
		return NULL;
	m = map_at(j, c, c->rip);
	if (!m)
		return NULL;
	u = jit_unit_find(j, m, c->rip, plain);
	if (!u && (plain || heat_is_hot(j, m, c->rip))) {
		if (jit_full(j))
			jit_flush_want(&j->flush_wanted);
		else
			u = jit_translate(j, c, m, c->rip,
					  plain	       ? JIT_UNIT_PLAIN
					  : j->all_hot ? JIT_UNIT_HOT
						       : JIT_UNIT_NORMAL);
		if (u) {
			c->count.blocks_translated++;
			c->count.code_bytes = j->hot.pos + (j->cold.pos - j->cold_start);
		}
	}
	jit_unlock(j);
	return u;
}

/* Something for the run loop, or for jit_run itself? */
static bool must_leave(struct jit *j, struct x86_vcpu *c)
{
	return atomic_load_explicit(&c->kick, memory_order_relaxed) || c->exc.pending ||
	       atomic_load_explicit(&j->flush_wanted, memory_order_relaxed);
}

/* The unit for c->rip: one that this vCPU was led to lately and that is still current, or unit_at.
 */
static struct jit_unit *unit_again(struct jit *j, struct x86_vcpu *c)
{
	struct jit_cpu *x = jit_cpu(c);
	struct jit_unit **q = &x->quick[jit_quick_index(c->rip)], *u = *q;

	if (u && u->rip == c->rip && u->map->key == c->mode_key &&
	    x->xtlb[jit_xtlb_index(u->map->lin, u->map->key)] == u->map->id)
		return u;
	u = unit_at(j, c, false);
	if (u)
		*q = u;
	return u;
}

/*
 * The vCPU was interrupted in u (or NULL) on the way to c->rip: where that happens again and again
 * the time is spent. What is at c->rip is translated once more, with windows.
 */
static void sample(struct jit *j, struct x86_vcpu *c, struct jit_unit *u)
{
	struct jit_unit *at;

	if (!u || u->plain || !jit_cpu(c)->windows || !(c->mode_key & X86_KEY_CPL3) ||
	    u->map->key != c->mode_key || ++u->samples < JIT_HOT_SAMPLES)
		return;
	u->samples = 0;
	jit_lock(j);
	if (!u->hot)
		jit_unit_again(j, c, u, true);
	at = u->map->dead ? NULL : jit_unit_find(j, u->map, c->rip, false);
	if (at && !at->hot)
		jit_unit_again(j, c, at, true);
	else if (!at && !u->map->dead && !jit_full(j) &&
		 align_down(c->rip, GPA_PAGE_SIZE) == u->map->lin)
		jit_translate(j, c, u->map, c->rip, JIT_UNIT_HOT);
	jit_unlock(j);
}

/* On at c->rip, with the flags of c->rflags. */
static const void *go_on(struct jit *j, struct x86_vcpu *c)
{
	struct jit_unit *u = must_leave(j, c) ? NULL : unit_again(j, c);

	return u ? jit_host(j, u->e2) : NULL;
}

static u64 recipe_flags(u8 op, u64 a, u64 b, unsigned size)
{
	unsigned up = 64 - 8 * size; /* flags of the top bytes are those of the operation */
	u32 f;

	a <<= up;
	b <<= up;
	if (op == JIT_RECIPE_AND)
		__asm__("test %1, %2; lahf; seto %%al" : "=&a"(f) : "r"(a), "r"(b) : "cc");
	else if (op == JIT_RECIPE_UNDO_ADD)
		__asm__("add %2, %1; lahf; seto %%al" : "=&a"(f), "+r"(a) : "r"(b) : "cc");
	else
		__asm__("cmp %2, %1; lahf; seto %%al" : "=&a"(f) : "r"(a), "r"(b) : "cc");
	return (f >> 8 & 0xff & X86_F_STATUS) | (f & 1) << 11;
}

/* PF and AF come from the low byte, so they need the operation on its own place. */
static u64 recipe_low_flags(u8 op, u64 a, u64 b)
{
	return recipe_flags(op, a & 0xff, b & 0xff, 8) & (X86_F_PF | X86_F_AF);
}

static u64 recipe_status(const struct x86_vcpu *c, const struct jit_recipe *r)
{
	u64 a = c->gpr[r->a & 15], b = r->b == EMIT_NONE ? (u64)(s64)r->imm : c->gpr[r->b & 15];
	u32 ax = ((const struct jit_cpu *)c->rt)->flags;

	if (r->op == JIT_RECIPE_SAVED)
		return (ax >> 8 & X86_F_STATUS) | (ax & 1) << 11;
	if (r->op == JIT_RECIPE_UNDO_ADD)
		a -= b;
	else if (r->op == JIT_RECIPE_UNDO_SUB)
		a += b;
	return (recipe_flags(r->op, a, b, r->size) & ~(u64)(X86_F_PF | X86_F_AF)) |
	       recipe_low_flags(r->op, a, b);
}

static void recipe_apply(struct x86_vcpu *c, const struct jit_recipe *r)
{
	if (r->size)
		c->rflags = (c->rflags & ~(u64)X86_F_STATUS) | recipe_status(c, r);
}

/* Put the status flags of the jump that led here into c->rflags. */
static void recipe_of_jump(struct jit *j, struct x86_vcpu *c)
{
	u32 site = jit_cpu(c)->recipe;

	if (site)
		recipe_apply(c, &j->site[site].recipe);
	jit_cpu(c)->recipe = 0;
}

/* The same for the instruction at which generated code was left by a fault of the host. */
static void recipe_of_fault(struct jit *j, struct x86_vcpu *c)
{
	u32 site = jit_cpu(c)->fault_recipe;

	if (unlikely(site))
		recipe_apply(c, &j->site[site].recipe);
	jit_cpu(c)->fault_recipe = 0;
}

/* An indirect jump came to a unit that looks at flags. */
const void *jit_on_flags(struct x86_vcpu *c, u64 rip, u32 unused)
{
	recipe_of_jump(c->vm->jit, c);
	return jit_on_miss(c, rip, unused);
}

const void *jit_on_miss(struct x86_vcpu *c, u64 rip, u32 unused)
{
	struct jit *j = c->vm->jit;
	struct jit_unit *u;

	c->rip = rip;
	recipe_of_jump(j, c);
	if (must_leave(j, c)) {
		sample(j, c, jit_cpu(c)->quick[jit_quick_index(rip)]);
		return NULL;
	}
	u = unit_again(j, c);
	if (!u)
		return NULL;
	jit_cpu(c)->jc[rip & (JIT_JC - 1)] = (u64)(uintptr_t)jit_host(j, u->e0);
	return jit_host(j, u->e2);
}

/* e1 of a unit whose page was written: lead later comers straight to the new unit. */
static void unit_forward(struct jit *j, struct jit_unit *old, const struct jit_unit *u)
{
	u64 *at = (u64 *)(j->rw + old->e1);
	u32 rel = u->e1 - (old->e1 + 5);
	u64 v = *at;

	v = (v & ~BITS(0, 39)) | 0xe9 | (u64)rel << 8;
	__atomic_store_n(at, v, __ATOMIC_RELEASE);
	old->forwarded = true;
}

const void *jit_on_stale(struct x86_vcpu *c, u64 rip, u32 index)
{
	struct jit *j = c->vm->jit;
	struct jit_unit *old = &j->unit[index], *u;

	c->rip = rip;
	if (must_leave(j, c))
		return NULL;
	u = unit_at(j, c, false);
	if (!u)
		return NULL;
	jit_lock(j);
	if (old->map->dead && !u->map->dead && !old->forwarded && u != old)
		unit_forward(j, old, u);
	jit_unlock(j);
	return jit_host(j, u->e2);
}

static u64 site_rip(const struct jit *j, const struct jit_site *s)
{
	const struct jit_unit *u = &j->unit[s->unit];
	u64 rip = u->rip + (u64)(s64)s->rip;

	return (u->map->key & 3) == X86_MODE_64 ? rip : (u32)rip;
}

const void *jit_on_link(struct x86_vcpu *c, u64 unused, u32 site)
{
	struct jit *j = c->vm->jit;
	struct jit_site *s = &j->site[site];
	struct jit_unit *from = &j->unit[s->unit], *u;

	c->rip = site_rip(j, s);
	recipe_apply(c, &s->recipe);
	if (s->ret)
		jit_call_seen(c, from->map, from->rip + (u64)(s64)s->ret);
	if (must_leave(j, c))
		return NULL;
	u = unit_at(j, c, s->plain);
	if (!u)
		return NULL;
	jit_lock(j);
	if (!s->recipe.size && !from->map->dead && !u->map->dead && u->map->key == s->to_key) {
		emit_patch(j->rw, s->retry, u->map == from->map ? u->e2 : u->e1);
		if (!s->linked) {
			s->next_link = u->links;
			u->links = site;
			s->linked = true;
		}
	}
	jit_unlock(j);
	return jit_host(j, u->e2);
}

/* After one interpreted instruction of a unit: on with the unit if nothing else changed. */
static const void *resume(struct jit *j, struct x86_vcpu *c, const struct jit_site *s)
{
	const struct jit_unit *u = &j->unit[s->unit];
	const struct jit_map *m = u->map;

	if (must_leave(j, c))
		return NULL;
	if (!s->next || c->rip != site_rip(j, s) + s->len || c->mode_key != m->key || m->dead ||
	    jit_cpu(c)->xtlb[jit_xtlb_index(m->lin, m->key)] != m->id)
		return go_on(j, c);
	if (u->fpu && !c->fpu_live)
		x86_fpu_load(c);
	return jit_host(j, s->next);
}

/* One instruction by the interpreter, fetched anew; it ends the interrupt shadow of the one before.
 */
static int step_one(struct x86_vcpu *c)
{
	c->sti_shadow = c->movss_shadow = false;
	return x86_interp_step(c);
}

static const void *step(struct jit *j, struct x86_vcpu *c, const struct jit_site *s)
{
	if (step_one(c) < 0)
		return NULL;
	return resume(j, c, s);
}

const void *jit_on_exec(struct x86_vcpu *c, u64 unused, u32 site)
{
	struct jit *j = c->vm->jit;
	const struct jit_site *s = &j->site[site];

	c->rip = site_rip(j, s);
	recipe_apply(c, &s->recipe);
	if (!s->insn)
		return step(j, c, s);
	c->sti_shadow = c->movss_shadow = false;
	c->insn_count++;
	if (x86_exec(c, &j->insn[s->insn]) < 0)
		return NULL;
	return resume(j, c, s);
}

static bool canonical(u64 v)
{
	return (u64)((s64)(v << 16) >> 16) == v;
}

/* Back to where the site makes its access. */
static const void *try_again(struct jit *j, struct x86_vcpu *c, const struct jit_site *s)
{
	if (j->unit[s->unit].fpu && !c->fpu_live) /* what was called may have parked it */
		x86_fpu_load(c);
	return jit_host(j, s->retry);
}

const void *jit_on_mem(struct x86_vcpu *c, u64 linear, u32 site)
{
	struct jit *j = c->vm->jit;
	const struct jit_site *s = &j->site[site];
	u64 cr2 = c->cr2;
	void *host;

	c->rip = site_rip(j, s);
	c->count.tlb_misses++;
	recipe_apply(c, &s->recipe);
	if (!canonical(linear) || (linear & (GPA_PAGE_SIZE - 1)) + s->size > GPA_PAGE_SIZE)
		return step(j, c, s);
	if (x86_tlb_fill(c, linear, (enum x86_access)s->access, &host) < 0) {
		if (!s->masked)
			return NULL;
		c->exc.pending = false; /* perhaps no enabled byte is there */
		c->cr2 = cr2;
		return step(j, c, s);
	}
	if (!host)
		return step(j, c, s);
	return try_again(j, c, s);
}

/* Every so many refills of slots: if they come thick and fast, this site may be one to blame. */
const void *jit_on_sample(struct x86_vcpu *c, u64 linear, u32 site)
{
	struct jit *j = c->vm->jit;
	struct jit_site *s = &j->site[site];
	struct jit_cpu *x = jit_cpu(c);
	u64 now = __builtin_ia32_rdtsc(), since = now - x->slot_stamp;

	(void)linear;
	x->slot_stamp = now;
	x->slot_credit = JIT_SLOT_CREDIT;
	if (since < JIT_SLOT_CREDIT * JIT_SLOT_THRASH) {
		jit_lock(j);
		if (++s->strikes == JIT_SLOT_STRIKES)
			jit_site_unslot(j, c, s);
		jit_unlock(j);
	}
	return try_again(j, c, s);
}

/* A site with a wide slot goes where that does not show. */
const void *jit_on_wide(struct x86_vcpu *c, u64 linear, u32 site)
{
	struct jit *j = c->vm->jit;
	struct jit_site *s = &j->site[site];
	struct jit_cpu *x = jit_cpu(c);
	enum jit_window_answer got = jit_window_at(c, linear);
	bool other = s->window == JIT_WINDOW_WIDE && x->wide[s->slot_no] != JIT_SLOT_EMPTY;

	x->wide_credit = got == JIT_WINDOW_LATER ? JIT_WIDE_PAUSE : JIT_WIDE_CREDIT;
	if (got == JIT_WINDOW_OPEN && s->window == JIT_WINDOW_WIDE)
		x->wide[s->slot_no] = align_down(linear, JIT_WINDOW);
	if (got == JIT_WINDOW_OPEN && linear < JIT_LOW_LIMIT)
		x->low_limit = JIT_LOW_LIMIT;
	if (got == JIT_WINDOW_NEVER || (s->window == JIT_WINDOW_LOW && linear >= JIT_LOW_LIMIT) ||
	    (other && ++s->strikes == JIT_WIDE_STRIKES)) {
		jit_lock(j);
		jit_site_no_window(j, c, s, got == JIT_WINDOW_OPEN ? linear : ~0ULL);
		jit_unlock(j);
	}
	return try_again(j, c, s);
}

const void *jit_on_poll(struct x86_vcpu *c, u64 unused, u32 site)
{
	struct jit *j = c->vm->jit;

	c->rip = site_rip(j, &j->site[site]);
	sample(j, c, &j->unit[j->site[site].unit]);
	return go_on(j, c);
}

const void *jit_on_fpu(struct x86_vcpu *c, u64 unused, u32 site)
{
	struct jit *j = c->vm->jit;

	x86_fpu_load(c);
	return jit_host(j, j->site[site].retry);
}

/* ---- flush: everyone out of generated code, then forget it all ---- */

static bool others_outside(struct jit *j, struct x86_vcpu *me)
{
	for (unsigned n = 0; n < ARRAY_LEN(j->vm->vcpu); n++) {
		struct x86_vcpu *c = __atomic_load_n(&j->vm->vcpu[n], __ATOMIC_ACQUIRE);

		if (c && c != me && atomic_load(&jit_cpu(c)->inside)) {
			atomic_fetch_or(&c->kick, X86_KICK_FLUSH);
			return false;
		}
	}
	return true;
}

static void safe_point(struct jit *j, struct x86_vcpu *c)
{
	atomic_store(&jit_cpu(c)->inside, 0);
	if (jit_flush_take(&j->flush_wanted)) {
		while (!others_outside(j, c))
			jit_host_yield();
		jit_lock(j);
		jit_reset(j);
		c->count.invalidations++;
		jit_unlock(j);
		jit_flush_done(&j->flush_wanted);
	}
}

/* Count this vCPU as inside; only once no flush is on. */
static void go_inside(struct jit *j, struct x86_vcpu *c)
{
	for (;;) {
		atomic_store(&jit_cpu(c)->inside, 1);
		if (likely(!atomic_load(&j->flush_wanted)))
			break;
		safe_point(j, c);
		jit_host_yield();
	}
	atomic_fetch_and(&c->kick, ~(u32)X86_KICK_FLUSH);
}

/* ---- the cold tier ---- */

/* What was interpreted at `at` went elsewhere and left rsp 8 lower: if it was a call, look at it.
 */
static void call_interpreted(struct x86_vcpu *c, u64 at)
{
	struct jit_map m = {.lin = align_down(at, GPA_PAGE_SIZE), .key = c->mode_key};
	u64 gpa;

	if (x86_fetch_page(c, m.lin, &gpa, &m.host) < 0 || !m.host) {
		c->exc.pending = false; /* changed under our feet */
		return;
	}
	m.host = (const u8 *)align_down((u64)(uintptr_t)m.host, GPA_PAGE_SIZE);
	jit_branch_seen(c, &m, at);
}

/* Interpret to the end of the basic block. False: the run loop is wanted. */
static bool interpret(struct jit *j, struct x86_vcpu *c)
{
	u32 key = c->mode_key;
	bool watch = !jit_ret_keeps_flags(j, key);

	for (unsigned n = 0; n < 256; n++) {
		u64 rip = c->rip, rsp = c->gpr[X86_RSP];

		if (step_one(c) < 0 || atomic_load_explicit(&c->kick, memory_order_relaxed))
			return false;
		if (c->mode_key != key)
			return true;
		if (!jit_translatable(key))
			continue;
		if ((c->rip ^ rip) < GPA_PAGE_SIZE && c->rip - rip <= X86_INSN_MAX)
			continue;
		if (watch && c->gpr[X86_RSP] == rsp - 8)
			call_interpreted(c, rip);
		return true;
	}
	return true;
}

static u64 gs_base(void)
{
	u64 v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

static void enter(struct jit *j, struct x86_vcpu *c, const struct jit_unit *u)
{
	void (*fn)(struct x86_vcpu *, const void *) =
		(void (*)(struct x86_vcpu *, const void *))(uintptr_t)jit_host(j, j->thunk.enter);

	if (unlikely(gs_base() != (u64)(uintptr_t)c)) {
		bool live = c->fpu_live; /* what was interpreted before may have left it so */

		x86_fpu_park(c);
		jit_host_thread();
		__asm__ volatile("wrgsbase %0" : : "r"(c));
		if (live)
			x86_fpu_load(c);
	}
	fn(c, jit_host(j, u->e2));
}

/* The instruction at which a window showed nothing, and what it needs of it. */
static int window_fault(struct x86_vcpu *c)
{
	struct jit_cpu *x = jit_cpu(c);
	int ret = step_one(c);

	x->window_fault = false;
	jit_window_show(c, x->window_at);
	return ret;
}

void jit_run(struct x86_vcpu *c)
{
	struct jit *j = c->vm->jit;
	struct jit_unit *u;

	go_inside(j, c);
	while (!atomic_load_explicit(&c->kick, memory_order_relaxed) && !c->exc.pending) {
		if (unlikely(atomic_load(&j->flush_wanted)))
			go_inside(j, c);
		u = unit_again(j, c);
		if (u) {
			enter(j, c, u);
			recipe_of_fault(j, c);
			if (unlikely(jit_cpu(c)->window_fault) && window_fault(c) < 0)
				break;
		} else if (c->exc.pending || (!atomic_load(&j->flush_wanted) && !interpret(j, c))) {
			break;
		}
	}
	atomic_store(&jit_cpu(c)->inside, 0);
}
