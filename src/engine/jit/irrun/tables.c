/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the code cache: units, maps, code pages, links; invalidation. See private.h.
 */
#include "engine/jit/irrun/private.h"

#include "base/bits.h"

void irrun_lock(struct irrun *r)
{
	unsigned spins = 0;

	while (atomic_exchange_explicit(&r->lock, 1, memory_order_acquire))
		if (++spins > 200)
			irrun_host_yield();
}

void irrun_unlock(struct irrun *r)
{
	atomic_store_explicit(&r->lock, 0, memory_order_release);
}

static unsigned hash64(u64 v)
{
	return (unsigned)((v * 0x9e3779b97f4a7c15ULL) >> 40) & (IRRUN_HASH - 1);
}

static unsigned map_hash(u64 lin, u64 gpa, u32 key)
{
	return hash64(lin ^ (gpa << 7) ^ ((u64)key << 33));
}

static unsigned unit_hash(u32 id, u64 pc)
{
	return hash64(pc ^ ((u64)id << 36));
}

bool irrun_is_full(const struct irrun *r)
{
	return r->hot.pos + IRRUN_ROOM > r->hot.end || r->cold.pos + IRRUN_ROOM > r->cold.end ||
	       r->nunits + 2 > r->max_units || r->nsites + IR_MAX_OPS > r->max_sites ||
	       r->npcs + IR_MAX_OPS > r->max_pcs || r->nmaps + 2 > r->max_maps ||
	       r->npages + 2 > r->max_pages || r->ir_used + sizeof(struct ir_unit) > r->ir_bytes;
}

/* ---- pages and maps ---- */

static struct irrun_page *page_find(struct irrun *r, u64 gpa)
{
	struct irrun_page *p = r->page_hash[hash64(gpa)];

	while (p && p->gpa != gpa)
		p = p->hash_next;
	return p;
}

static struct irrun_page *page_get(struct irrun *r, u64 gpa)
{
	struct irrun_page *p = page_find(r, gpa);

	if (p)
		return p;
	p = &r->page[r->npages++];
	*p = (struct irrun_page){.gpa = gpa, .hash_next = r->page_hash[hash64(gpa)]};
	r->page_hash[hash64(gpa)] = p;
	return p;
}

/* Every vCPU's entries of the bank: it changes hands. */
static void bank_clear(struct irrun *r, u32 bank)
{
	for (unsigned n = 0; n < IRRUN_CPUS; n++) {
		void *cpu = __atomic_load_n(&r->cpu[n], __ATOMIC_ACQUIRE);

		for (unsigned i = 0; cpu && i < IRRUN_XTLB; i++)
			__atomic_store_n(&irrun_cpu(r, cpu)->xtlb[bank][i], 0, __ATOMIC_RELAXED);
	}
}

/* Keys that share a bank only cost each other look-ups: ids are unique. */
u32 irrun_bank(struct irrun *r, u32 key)
{
	u32 h = (key ^ key >> 8 ^ key >> 16) % IRRUN_KEYS;

	for (u32 n = 0; n < IRRUN_KEYS; n++) {
		u32 b = (h + n) % IRRUN_KEYS;

		if (r->bank_key[b] == key + 1)
			return b;
		if (!r->bank_key[b]) {
			r->bank_key[b] = key + 1;
			bank_clear(r, b);
			return b;
		}
	}
	return h;
}

struct irrun_map *irrun_map_get(struct irrun *r, u64 lin, u64 gpa, const u8 *host, u32 key)
{
	unsigned h = map_hash(lin, gpa, key);
	struct irrun_map *m = r->map_hash[h];
	struct irrun_page *p;

	while (m && !(m->lin == lin && m->gpa == gpa && m->key == key))
		m = m->hash_next;
	if (m)
		return m;
	if (irrun_is_full(r))
		return NULL;
	p = page_get(r, gpa);
	m = &r->map[r->nmaps++];
	*m = (struct irrun_map){
		.lin = lin, .gpa = gpa, .host = host, .key = key, .id = ++r->next_id, .page = p};
	m->bank = irrun_bank(r, key);
	m->hash_next = r->map_hash[h];
	r->map_hash[h] = m;
	m->page_next = p->maps;
	p->maps = m;
	return m;
}

/* ---- units ---- */

struct irrun_unit *irrun_unit_find(struct irrun *r, const struct irrun_map *m, u64 pc)
{
	struct irrun_unit *u = r->unit_hash[unit_hash(m->id, pc)];

	while (u && !(u->pc == pc && u->map == m))
		u = u->hash_next;
	return u;
}

void irrun_unit_add(struct irrun *r, struct irrun_unit *u)
{
	unsigned h = unit_hash(u->map->id, u->pc);

	u->hash_next = r->unit_hash[h];
	r->unit_hash[h] = u;
	u->map_next = u->map->units;
	u->map->units = u;
}

/* The jump of a LINK site goes to the unit from now on: by e2 when nothing needs a look. */
void irrun_link(struct irrun *r, u32 site, struct irrun_unit *to)
{
	struct irrun_site *s = &r->site[site];
	struct irrun_unit *from = &r->unit[s->unit];
	bool forward = to->map == from->map && to->pc > from->pc;

	if (s->target)
		return;
	s->target = (u32)(to - r->unit) + 1;
	s->next = to->incoming;
	to->incoming = site;
	emit_patch(r->rw, s->at, forward ? to->e2 : to->e1);
}

/* Whatever leads to the unit asks again. */
static void unit_cut(struct irrun *r, struct irrun_unit *u)
{
	for (u32 n = u->incoming; n;) {
		struct irrun_site *s = &r->site[n];

		emit_patch(r->rw, s->at, s->stub);
		s->target = 0;
		n = s->next;
	}
	u->incoming = 0;
}

static void unit_unhash(struct irrun *r, struct irrun_unit *u)
{
	struct irrun_unit **pp = &r->unit_hash[unit_hash(u->map->id, u->pc)];

	while (*pp && *pp != u)
		pp = &(*pp)->hash_next;
	if (*pp)
		*pp = u->hash_next;
}

static void map_unhash(struct irrun *r, struct irrun_map *m)
{
	struct irrun_map **pp = &r->map_hash[map_hash(m->lin, m->gpa, m->key)];

	while (*pp && *pp != m)
		pp = &(*pp)->hash_next;
	if (*pp)
		*pp = m->hash_next;
}

static void jc_forget(struct irrun *r, const struct irrun_unit *u)
{
	u64 e0 = (u64)(uintptr_t)(r->rx + u->e0), miss = (u64)(uintptr_t)(r->rx + r->thunk.miss);
	u64 look = (u64)(uintptr_t)(r->rx + r->thunk.look);
	unsigned i = irrun_jc_index(u->pc), f = irrun_far_index(u->pc);

	for (unsigned n = 0; n < IRRUN_CPUS; n++) {
		void *cpu = __atomic_load_n(&r->cpu[n], __ATOMIC_ACQUIRE);
		u64 want = e0, far = e0;

		if (!cpu)
			continue;
		__atomic_compare_exchange_n(&irrun_cpu(r, cpu)->jc[i], &want, miss, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
		__atomic_compare_exchange_n(&irrun_cpu(r, cpu)->far[f].to, &far, look, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
}

void irrun_unit_forget(struct irrun *r, struct irrun_unit *u)
{
	unit_unhash(r, u);
	unit_cut(r, u);
	jc_forget(r, u);
	u->cut = true;
}

static void map_drop(struct irrun *r, struct irrun_map *m)
{
	unsigned i = irrun_xtlb_index(m->lin);

	for (struct irrun_unit *u = m->units; u; u = u->map_next)
		if (!u->cut)
			irrun_unit_forget(r, u);
	map_unhash(r, m);
	m->dead = true;
	for (unsigned n = 0; n < IRRUN_CPUS; n++) {
		void *cpu = __atomic_load_n(&r->cpu[n], __ATOMIC_ACQUIRE);
		u32 id = m->id;

		if (cpu)
			__atomic_compare_exchange_n(&irrun_cpu(r, cpu)->xtlb[m->bank][i], &id, 0,
						    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
}

void irrun_page_written(struct irrun *r, u64 gpa)
{
	struct irrun_page *p;

	irrun_lock(r);
	p = page_find(r, align_down(gpa, IRRUN_PAGE));
	if (p) {
		for (struct irrun_map *m = p->maps; m; m = m->page_next)
			map_drop(r, m);
		p->maps = NULL;
	}
	irrun_unlock(r);
}

/* ---- everything anew ---- */

static void cpu_reset(struct irrun *r, void *cpu)
{
	struct irrun_cpu *c = irrun_cpu(r, cpu);

	for (unsigned b = 0; b < IRRUN_KEYS; b++) {
		for (unsigned i = 0; i < IRRUN_XTLB; i++) {
			c->xtlb[b][i] = 0;
			c->map[b][i] = NULL;
		}
	}
	c->xtlb_nused = 0;
	for (unsigned i = 0; i < IRRUN_JC; i++)
		c->jc[i] = (u64)(uintptr_t)(r->rx + r->thunk.miss);
	for (unsigned i = 0; i < IRRUN_FAR; i++)
		c->far[i].pc = 1;
}

void irrun_reset(struct irrun *r)
{
	for (unsigned i = 0; i < IRRUN_HASH; i++) {
		r->unit_hash[i] = NULL;
		r->map_hash[i] = NULL;
		r->page_hash[i] = NULL;
	}
	r->nunits = r->npcs = r->nmaps = r->npages = 0;
	r->nsites = 1; /* 0 means none */
	r->ir_used = 0;
	for (unsigned i = 0; i < ARRAY_LEN(r->wanderer); i++)
		r->wanderer[i] = 0;
	r->hot.pos = r->code_begin;
	r->cold.pos = r->cold_start;
	r->hot.full = r->cold.full = false;
	for (unsigned n = 0; n < IRRUN_CPUS; n++)
		if (r->cpu[n])
			cpu_reset(r, r->cpu[n]);
}

/* ---- vCPUs ---- */

static void slot_clear(struct irrun_slot *s)
{
	__atomic_store_n(&s->limit, 0, __ATOMIC_RELAXED);
}

void irrun_tlb_flush(struct irrun_cpu *c)
{
	irrun_tlb_flush_range(c, 0, ~0ULL);
}

static bool overlaps(u64 a, u64 alen, u64 b, u64 blen)
{
	return a < b ? b - a < alen : a - b < blen;
}

static void entry_clear(struct irrun_tlb_entry *e)
{
	__atomic_store_n(&e->limit, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&e->bytes, 0, __ATOMIC_SEQ_CST);
}

static bool slot_in(const struct irrun_slot *s, u64 start, u64 addr, u64 bytes)
{
	return s->limit && overlaps(start, s->limit + 15, addr, bytes);
}

static bool entry_in(const struct irrun_tlb_entry *e, u64 start, u64 addr, u64 bytes)
{
	return e->bytes && overlaps(start, e->bytes, addr, bytes);
}

/* Entries of a table that are of the range. */
static void tlb_forget(struct irrun_cpu *c, unsigned m, unsigned w, u64 addr, u64 bytes)
{
	u32 n = c->tlb_used[m][w].n, kept = 0;
	bool all = n > IRRUN_TLB;

	for (u32 i = 0; i < (all ? (u32)IRRUN_TLB : n); i++) {
		u16 at = all ? (u16)i : c->tlb_used[m][w].at[i];
		struct irrun_tlb_entry *e = &c->tlb[m][w][at];

		if (entry_in(e, e->start, addr, bytes))
			entry_clear(e);
		else if (e->bytes)
			c->tlb_used[m][w].at[kept++] = at;
	}
	c->tlb_used[m][w].n = kept;
}

static void tlb_flush(struct irrun_cpu *c, u64 addr, u64 bytes)
{
	for (unsigned m = 0; m < IRRUN_MMUS; m++) {
		if (!(c->mmu_used >> m & 1))
			continue;
		for (unsigned w = 0; w < 2; w++) {
			tlb_forget(c, m, w, addr, bytes);
			for (unsigned i = 0; i < IRRUN_SLOTS; i++) {
				struct irrun_slot *s = &c->slot[m][w][i];

				if (slot_in(s, s->start, addr, bytes))
					slot_clear(s);
			}
		}
	}
}

static void xtlb_forget(struct irrun_cpu *c, unsigned bank, unsigned i)
{
	__atomic_store_n(&c->xtlb[bank][i], 0, __ATOMIC_RELAXED);
}

/* Every entry, whatever it is of. */
static void xtlb_clear(struct irrun_cpu *c)
{
	for (unsigned b = 0; b < IRRUN_KEYS; b++)
		for (unsigned i = 0; c->run->bank_key[b] && i < IRRUN_XTLB; i++)
			xtlb_forget(c, b, i);
	c->xtlb_nused = 0;
}

static void xtlb_flush(struct irrun_cpu *c, u64 addr, u64 bytes)
{
	u32 kept = 0;

	if (c->xtlb_nused > ARRAY_LEN(c->xtlb_used)) {
		xtlb_clear(c);
		return;
	}
	for (u32 n = 0; n < c->xtlb_nused; n++) {
		u16 at = c->xtlb_used[n];
		unsigned b = at / IRRUN_XTLB, i = at % IRRUN_XTLB;

		if (!c->xtlb[b][i])
			continue;
		if (overlaps(c->map[b][i]->lin, IRRUN_PAGE, addr, bytes))
			xtlb_forget(c, b, i);
		else
			c->xtlb_used[kept++] = at;
	}
	c->xtlb_nused = kept;
}

void irrun_tlb_flush_range(struct irrun_cpu *c, u64 addr, u64 bytes)
{
	tlb_flush(c, addr, bytes);
	xtlb_flush(c, addr, bytes);
	if (bytes == ~0ULL)
		c->mmu_used = 0;
}

void irrun_tlb_protect(struct irrun_cpu *c, const u8 *host)
{
	u64 page = align_down((u64)(uintptr_t)host, IRRUN_PAGE);

	for (unsigned m = 0; m < IRRUN_MMUS; m++) {
		u32 n = c->tlb_used[m][1].n;
		bool all = n > IRRUN_TLB || !c->run->cfg.one_cpu; /* others shorten the list */

		if (!(__atomic_load_n(&c->mmu_used, __ATOMIC_ACQUIRE) >> m & 1))
			continue;
		for (u32 i = 0; i < (all ? (u32)IRRUN_TLB : n); i++) {
			u32 at = all ? i : c->tlb_used[m][1].at[i];
			struct irrun_tlb_entry *e = &c->tlb[m][1][at];

			if (entry_in(e, e->start + e->add, page, IRRUN_PAGE))
				entry_clear(e);
		}
		for (unsigned i = 0; i < IRRUN_SLOTS; i++) {
			struct irrun_slot *s = &c->slot[m][1][i];

			if (slot_in(s, s->start + s->add, page, IRRUN_PAGE))
				slot_clear(s);
		}
	}
}

int irrun_cpu_add(struct irrun *r, void *cpu)
{
	struct irrun_cpu *c = irrun_cpu(r, cpu);
	unsigned n = 0;

	while (n < IRRUN_CPUS && r->cpu[n])
		n++;
	if (n == IRRUN_CPUS)
		return -E_NOSPC;
	c->self = cpu;
	c->run = r;
	c->flat_base = r->cfg.flat_base;
	if (!c->cell)
		c->cell = irrun_host_alloc(IR_MAX_OPS * sizeof(*c->cell));
	if (!c->cell)
		return -E_NOMEM;
	if (!c->mxcsr)
		c->mxcsr = 0x1f80; /* all exceptions masked, SDM vol. 1, 11.6.4 */
	ir_x86_konst(c);
	for (unsigned m = 0; m < IRRUN_MMUS; m++) {
		for (unsigned w = 0; w < 2; w++) {
			for (unsigned i = 0; i < IRRUN_TLB; i++)
				entry_clear(&c->tlb[m][w][i]);
			c->tlb_used[m][w].n = 0;
			for (unsigned i = 0; i < IRRUN_SLOTS; i++)
				slot_clear(&c->slot[m][w][i]);
		}
	}
	cpu_reset(r, cpu);
	__atomic_store_n(&r->cpu[n], cpu, __ATOMIC_RELEASE);
	return 0;
}

void irrun_cpu_remove(struct irrun *r, void *cpu)
{
	irrun_lock(r);
	for (unsigned n = 0; n < IRRUN_CPUS; n++)
		if (r->cpu[n] == cpu)
			r->cpu[n] = NULL;
	irrun_unlock(r);
	irrun_host_free(irrun_cpu(r, cpu)->cell, IR_MAX_OPS * sizeof(union ir_cell));
	irrun_cpu(r, cpu)->cell = NULL;
}

/* ---- which instruction was it ---- */

static const struct irrun_unit *unit_at(const struct irrun *r, u32 off)
{
	u32 lo = 0, hi = r->nunits;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (r->unit[mid].end <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->nunits && off >= r->unit[lo].e2 ? &r->unit[lo] : NULL;
}

bool irrun_fault_pc(const struct irrun *r, u64 host_pc, u64 *pc)
{
	u64 off = host_pc - (u64)(uintptr_t)r->rx;
	const struct irrun_unit *u = off < r->size ? unit_at(r, (u32)off) : NULL;

	for (u32 n = u ? u->npcs : 0; n-- > 0;) {
		if (r->pc[u->pcs + n].host <= off) {
			*pc = u->pc + (u64)(s64)r->pc[u->pcs + n].guest;
			return true;
		}
	}
	return false;
}
