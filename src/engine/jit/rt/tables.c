/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the code cache: units, maps, code pages; invalidation. See jit.h.
 */
#include "engine/jit/rt/jit.h"

#include "base/bits.h"

void jit_lock(struct jit *j)
{
	unsigned spins = 0;

	while (atomic_exchange_explicit(&j->lock, 1, memory_order_acquire)) {
		if (++spins > 200)
			jit_host_yield();
		else
			__builtin_ia32_pause();
	}
}

void jit_unlock(struct jit *j)
{
	atomic_store_explicit(&j->lock, 0, memory_order_release);
}

static unsigned hash64(u64 v)
{
	return (unsigned)((v * 0x9e3779b97f4a7c15ULL) >> 40) & (JIT_HASH - 1);
}

static unsigned map_hash(u64 lin, u64 gpa, u32 key)
{
	return hash64(lin ^ (gpa << 7) ^ ((u64)key << 44));
}

static unsigned unit_hash(u32 id, u64 rip)
{
	return hash64(rip ^ ((u64)id << 36));
}

bool jit_full(const struct jit *j)
{
	return j->hot.pos + JIT_UNIT_ROOM > j->hot.end ||
	       j->cold.pos + JIT_UNIT_ROOM > j->cold.end || j->nunits + 2 > j->max_units ||
	       j->nsites + 10 * JIT_MAX_INSN > j->max_sites ||
	       j->npcs + 2 * JIT_MAX_INSN > j->max_pcs || j->nmaps + 2 > j->max_maps ||
	       j->npages + 2 > j->max_pages;
}

static struct jit_page *page_find(struct jit *j, u64 gpa)
{
	struct jit_page *p = j->page_hash[hash64(gpa)];

	while (p && p->gpa != gpa)
		p = p->hash_next;
	return p;
}

static struct jit_page *page_get(struct jit *j, u64 gpa)
{
	struct jit_page *p = page_find(j, gpa);

	if (p)
		return p;
	p = &j->page[j->npages++];
	p->gpa = gpa;
	p->maps = NULL;
	p->drops = 0;
	p->hash_next = j->page_hash[hash64(gpa)];
	j->page_hash[hash64(gpa)] = p;
	return p;
}

struct jit_map *jit_map_get(struct jit *j, u64 lin, u64 gpa, const u8 *host, u32 key)
{
	unsigned h = map_hash(lin, gpa, key);
	struct jit_map *m = j->map_hash[h];
	struct jit_page *p;

	while (m && !(m->lin == lin && m->gpa == gpa && m->key == key))
		m = m->hash_next;
	if (m)
		return m;
	if (jit_full(j))
		return NULL;
	p = page_get(j, gpa);
	m = &j->map[j->nmaps++];
	*m = (struct jit_map){.lin = lin, .gpa = gpa, .host = host, .key = key, .id = ++j->next_id};
	m->page = p;
	m->hash_next = j->map_hash[h];
	j->map_hash[h] = m;
	m->page_next = p->maps;
	p->maps = m;
	return m;
}

struct jit_unit *jit_unit_find(struct jit *j, const struct jit_map *m, u64 rip, bool plain)
{
	struct jit_unit *u = j->unit_hash[unit_hash(m->id, rip)];

	while (u && !(u->rip == rip && u->map == m && u->plain == plain))
		u = u->hash_next;
	return u;
}

void jit_unit_add(struct jit *j, struct jit_unit *u)
{
	unsigned h = unit_hash(u->map->id, u->rip);

	u->hash_next = j->unit_hash[h];
	j->unit_hash[h] = u;
	u->map_next = u->map->units;
	u->map->units = u;
}

u32 jit_site_new(struct jit *j, struct jit_unit *u, u64 rip)
{
	u32 n = j->nsites++;

	j->site[n] = (struct jit_site){
		.unit = (u32)(u - j->unit), .rip = (s32)(rip - u->rip), .to_key = u->map->key};
	return n;
}

static void unit_unhash(struct jit *j, struct jit_unit *u)
{
	struct jit_unit **pp = &j->unit_hash[unit_hash(u->map->id, u->rip)];

	while (*pp && *pp != u)
		pp = &(*pp)->hash_next;
	if (*pp)
		*pp = u->hash_next;
}

static void map_unhash(struct jit *j, struct jit_map *m)
{
	struct jit_map **pp = &j->map_hash[map_hash(m->lin, m->gpa, m->key)];

	while (*pp && *pp != m)
		pp = &(*pp)->hash_next;
	if (*pp)
		*pp = m->hash_next;
}

static void map_forget(struct jit *j, const struct jit_map *m)
{
	unsigned i = jit_xtlb_index(m->lin, m->key);

	for (unsigned n = 0; n < ARRAY_LEN(j->vm->vcpu); n++) {
		struct x86_vcpu *c = __atomic_load_n(&j->vm->vcpu[n], __ATOMIC_ACQUIRE);
		u32 id = m->id;

		if (c)
			__atomic_compare_exchange_n(&jit_cpu(c)->xtlb[i], &id, 0, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
}

static void map_drop(struct jit *j, struct jit_map *m)
{
	for (struct jit_unit *u = m->units; u; u = u->map_next) {
		unit_unhash(j, u);
		j->heat[jit_heat_index(u->rip)] = 0; /* has to earn it again */
	}
	map_unhash(j, m);
	m->dead = true;
	map_forget(j, m);
}

void jit_page_written(struct x86_vm *vm, u64 gpa)
{
	struct jit *j = vm->jit;
	struct gpa_slot *s = gpa_slot_find(vm->map, gpa);
	struct jit_page *p;

	if (!j || !s)
		return;
	gpa = align_down(gpa, GPA_PAGE_SIZE);
	jit_lock(j);
	p = page_find(j, gpa);
	if (p) {
		for (struct jit_map *m = p->maps; m; m = m->page_next)
			map_drop(j, m);
		if (p->maps && p->drops < JIT_DROPS_MAX)
			p->drops++;
		p->maps = NULL;
	}
	atomic_fetch_and(&s->page_flags[(gpa - s->gpa) >> GPA_PAGE_SHIFT], (u8)~GPA_PAGE_CODE);
	jit_unlock(j);
}

void jit_reset(struct jit *j)
{
	for (unsigned i = 0; i < JIT_HASH; i++) {
		j->unit_hash[i] = NULL;
		j->map_hash[i] = NULL;
		j->page_hash[i] = NULL;
	}
	for (unsigned i = 0; i < JIT_NOSLOT; i++)
		j->noslot[i] = 0;
	j->nunits = j->nsites = j->npcs = j->nmaps = j->npages = 0;
	j->ninsns = 1; /* 0 means none */
	j->nsites = JIT_SITE_SAVED + 1;
	j->site[JIT_SITE_SAVED].recipe = (struct jit_recipe){.op = JIT_RECIPE_SAVED, .size = 1};
	j->slot_next = JIT_SLOT_FIRST;
	j->hot.pos = j->code_begin;
	j->hot.full = j->cold.full = false;
	j->cold.pos = j->cold_start;
	for (unsigned n = 0; n < ARRAY_LEN(j->vm->vcpu); n++) {
		struct x86_vcpu *c = __atomic_load_n(&j->vm->vcpu[n], __ATOMIC_ACQUIRE);

		if (!c)
			continue;
		jit_cpu(c)->recipe = jit_cpu(c)->fault_recipe = 0;
		for (unsigned i = 0; i < JIT_QUICK; i++)
			jit_cpu(c)->quick[i] = NULL;
		for (unsigned i = 0; i < JIT_XTLB; i++)
			jit_cpu(c)->xtlb[i] = 0;
		for (unsigned i = 0; i < JIT_JC; i++)
			jit_cpu(c)->jc[i] = (u64)(uintptr_t)jit_host(j, j->thunk.miss);
	}
}

void jit_tlb_flushed(struct x86_vcpu *c, bool global_too)
{
	struct jit_cpu *x = jit_cpu(c);

	if (global_too || x->nonglobals > ARRAY_LEN(x->nonglobal)) {
		for (unsigned i = 0; i < JIT_XTLB; i++)
			x->xtlb[i] = 0;
	} else {
		for (unsigned i = 0; i < x->nonglobals; i++)
			x->xtlb[x->nonglobal[i]] = 0;
	}
	x->nonglobals = 0;
}

void jit_tlb_flushed_page(struct x86_vcpu *c, u64 linear)
{
	for (u32 mmu = 0; mmu < X86_MMU_COUNT; mmu++)
		jit_cpu(c)->xtlb[jit_xtlb_index(linear, mmu << 2)] = 0;
}

static void slot_clear(struct jit_slot *s)
{
	s->page = JIT_SLOT_EMPTY;
	s->add = 0;
}

void jit_slots_clear(struct x86_vcpu *c, enum x86_mmu mmu)
{
	struct jit_cpu *x = jit_cpu(c);

	for (u64 used = x->slot_used[mmu]; used; used &= used - 1)
		slot_clear(&x->slot[mmu][(unsigned)__builtin_ctzll(used)]);
	x->slot_used[mmu] = 0;
}

void jit_slots_clear_page(struct x86_vcpu *c, u64 linear)
{
	struct jit_cpu *x = jit_cpu(c);

	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		for (u64 used = x->slot_used[m]; used; used &= used - 1)
			if (x->slot[m][(unsigned)__builtin_ctzll(used)].page == linear)
				slot_clear(&x->slot[m][(unsigned)__builtin_ctzll(used)]);
}

void jit_slots_protect(struct x86_vcpu *c, u64 host)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		for (unsigned i = 0; i < JIT_SLOTS; i++) {
			struct jit_slot *s = &jit_cpu(c)->slot[m][i];

			if (__atomic_load_n(&s->page, __ATOMIC_RELAXED) +
				    __atomic_load_n(&s->add, __ATOMIC_RELAXED) ==
			    host)
				__atomic_store_n(&s->page, JIT_SLOT_EMPTY, __ATOMIC_RELAXED);
		}
	}
}

/* Units lie in the code area in the order of their numbers. */
static const struct jit_unit *unit_at_offset(const struct jit *j, u32 off)
{
	u32 lo = 0, hi = j->nunits;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (j->unit[mid].end <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < j->nunits && off >= j->unit[lo].e2 ? &j->unit[lo] : NULL;
}

bool jit_fault_rip(const struct jit *j, u64 host_rip, u64 *rip, u32 *site)
{
	u32 off = (u32)(host_rip - (u64)(uintptr_t)j->rx);
	const struct jit_unit *u = unit_at_offset(j, off);
	const struct jit_pc *p;

	if (!u)
		return false;
	p = &j->pc[u->pcs];
	for (unsigned n = u->ninsns; n-- > 0;) {
		if (p[n].host <= off - u->e2) {
			*rip = u->rip + p[n].guest;
			*site = p[n].site;
			return true;
		}
	}
	return false;
}

struct jit *jit_create(struct x86_vm *vm, u64 cache_bytes)
{
	struct jit *j;

	if (jit_host_create(&j, cache_bytes) < 0)
		return NULL;
	j->vm = vm;
	j->cold_start = j->size / 2;
	j->hot = (struct emit){.base = j->rw, .end = j->cold_start};
	j->cold = (struct emit){.base = j->rw, .pos = j->cold_start, .end = j->size};
	jit_thunks_emit(j);
	jit_reset(j);
	return j;
}

void jit_destroy(struct jit *j)
{
	jit_host_destroy(j);
}

int jit_vcpu_init(struct x86_vcpu *c)
{
	struct jit *j = c->vm->jit;
	struct jit_cpu *x = jit_cpu(c);

	c->self = c;
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		for (unsigned i = 0; i < JIT_SLOTS; i++)
			slot_clear(&x->slot[m][i]);
	if (!j)
		return 0;
	x->sites = (u64)(uintptr_t)j->site;
	x->code = (u64)(uintptr_t)j->rx;
	for (unsigned i = 0; i < JIT_SLOTS; i++)
		x->wide[i] = JIT_SLOT_EMPTY;
	if (c->vm->ncpus == 1 && !j->no_windows)
		jit_windows_create(c);
	jit_tlb_flushed(c, true);
	for (unsigned i = 0; i < JIT_JC; i++)
		x->jc[i] = (u64)(uintptr_t)jit_host(j, j->thunk.miss);
	return 0;
}

void jit_vcpu_fini(struct x86_vcpu *c)
{
	jit_windows_destroy(c);
}
