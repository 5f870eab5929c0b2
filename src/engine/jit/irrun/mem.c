/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory, the long way: what generated code calls out for when neither a site's range nor the
 * table of pages has the address, what fills them, and which sites look into the table first. On
 * the vCPU's thread, with its state in memory.
 */
#include "engine/jit/irrun/private.h"

#include "base/bits.h"
#include "base/endian.h"

/*
 * A range grows by those beside it that are in the table and lie in host memory the same way: pages
 * that the guest's system gives out one after the other are mostly so, and a site that wanders over
 * them has them all in its slot. Under the lock.
 */
static bool join(const struct irrun_tlb_entry *table, u64 at, u64 add, u64 *start, u64 *bytes)
{
	const struct irrun_tlb_entry *e = &table[irrun_tlb_index(at)];
	u64 from = min_u64(e->start, *start), to = max_u64(e->start + e->bytes, *start + *bytes);

	if (at - e->start >= e->bytes || e->add != add || to - from > IRRUN_JOINED ||
	    to - from <= *bytes) /* at the end of all addresses */
		return false;
	*start = from;
	*bytes = to - from;
	return true;
}

static void join_both(const struct irrun_tlb_entry *table, u64 add, u64 *start, u64 *bytes)
{
	while (*start && join(table, *start - 1, add, start, bytes))
		;
	while (*start + *bytes && join(table, *start + *bytes, add, start, bytes))
		;
}

/* What was filled, into the entry that is looked at for addr. Under the lock. */
static void remember(struct irrun_cpu *c, unsigned mmu, bool write, u64 addr, u64 add,
		     struct irrun_fill *f)
{
	unsigned i = irrun_tlb_index(addr);
	struct irrun_tlb_entry *t = &c->tlb[mmu][write][i];
	u32 *n = &c->tlb_used[mmu][write].n;

	if (!t->bytes && *n < IRRUN_TLB)
		c->tlb_used[mmu][write].at[(*n)++] = (u16)i;
	else if (!t->bytes)
		*n = IRRUN_TLB + 1;
	join_both(c->tlb[mmu][write], add, &f->start, &f->bytes);
	*t = (struct irrun_tlb_entry){f->start, f->bytes - 15, add, f->bytes};
	c->mmu_used |= 1u << mmu;
}

/* A host pointer for an access on one page; NULL in *host: only ops.access can do it. */
static int translate(struct irrun *r, struct irrun_cpu *c, u64 addr, u32 size, bool write,
		     unsigned mmu, unsigned slot, u8 **host)
{
	struct irrun_slot *s = &c->slot[mmu][write][slot];
	struct irrun_fill f = {0};

	irrun_lock(r);
	if (r->ops->fill(c->self, addr, size, write, &f) < 0) {
		irrun_unlock(r);
		return -1;
	}
	*host = f.host;
	if (f.host && f.bytes >= IRRUN_PAGE) {
		s->add = (u64)(uintptr_t)f.host - addr;
		remember(c, mmu, write, addr, s->add, &f);
		s->start = f.start;
		s->limit = f.bytes - 15;
	}
	irrun_unlock(r);
	return 0;
}

int irrun_access(struct irrun *r, struct irrun_cpu *c, u64 addr, u32 size, bool write, unsigned mmu,
		 unsigned slot, void *data)
{
	const struct irrun_tlb_entry *t = &c->tlb[mmu][write][irrun_tlb_index(addr)];
	u8 *host = NULL;

	if ((addr & (IRRUN_PAGE - 1)) + size > IRRUN_PAGE)
		return r->ops->access(c->self, addr, size, write, data);
	if (addr - t->start < t->bytes)
		host = (u8 *)(uintptr_t)(addr + t->add);
	else if (translate(r, c, addr, size, write, mmu, slot, &host) < 0)
		return -1;
	if (!host)
		return r->ops->access(c->self, addr, size, write, data);
	if (write)
		irrun_copy(host, data, size);
	else
		irrun_copy(data, host, size);
	return 0;
}

static void reverse(u8 *b, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		u8 t = b[i];

		b[i] = b[n - 1 - i];
		b[n - 1 - i] = t;
	}
}

static u64 extended(const struct irrun_site *s, u64 v)
{
	unsigned n = (64 - 8 * s->size) & 63;

	return s->flags & IR_SIGNED ? (u64)((s64)(v << n) >> n) : v << n >> n;
}

static u64 out_load(struct irrun *r, struct irrun_cpu *c, const struct irrun_site *s)
{
	struct ir_v128 v = {0, 0};

	if (irrun_access(r, c, c->save[16], s->size, false, s->mmu, s->slot, &v) < 0)
		return c->leave = 1;
	if (s->flags & IR_SWAP)
		reverse((u8 *)&v, s->size);
	if (s->type == IR_I64)
		c->save[17] = extended(s, v.lo);
	else
		c->vsave[16] = v;
	return 0;
}

static u64 out_store(struct irrun *r, struct irrun_cpu *c, const struct irrun_site *s)
{
	u8 v[16] = {0};

	if (s->type == IR_I64)
		store_le(v, 8, c->save[17]);
	else
		irrun_copy(v, &c->vsave[16], sizeof(v));
	if (s->flags & IR_SWAP)
		reverse(v, s->size);
	if (irrun_access(r, c, c->save[16], s->size, true, s->mmu, s->slot, v) < 0)
		return c->leave = 1;
	return 0;
}

static u64 out_cas(struct irrun *r, struct irrun_cpu *c, const struct irrun_site *s)
{
	u64 old = c->save[17], new = c->vsave[16].lo, addr = c->save[16];
	u8 *host;
	int ret;

	/* So that the next one is made in line. */
	if ((addr & (IRRUN_PAGE - 1)) + s->size <= IRRUN_PAGE &&
	    translate(r, c, addr, s->size, true, s->mmu, s->slot, &host) < 0)
		return c->leave = 1;
	if (s->flags & IR_SWAP) {
		reverse((u8 *)&old, s->size);
		reverse((u8 *)&new, s->size);
	}
	ret = r->ops->cas(c->self, addr, s->size, &old, &new);
	c->save[17] = ret > 0;
	return ret < 0 ? c->leave = 1 : 0;
}

static u64 out_fix(struct irrun *r, struct irrun_cpu *c, const struct irrun_site *s)
{
	const struct ir_helper *h = &r->target->helper[(u32)s->imm];

	c->vsave[16].lo = h->fn(c->self, s->imm >> 32, 0, 0);
	c->vsave[16].hi = 0;
	if (s->op == IR_VFIX)
		irrun_copy(&c->vsave[16], (u8 *)c->self + r->target->vtmp_off, 16);
	return 0;
}

/* ---- sites that wander ---- */

/* Entries of what the slot could hold get all of it; false: they have. Under the lock. */
static bool widen(struct irrun_tlb_entry *table, const struct irrun_slot *slot)
{
	u64 start = slot->start, bytes = slot->limit ? slot->limit + 15 : 0, end;
	bool any = false;

	join_both(table, slot->add, &start, &bytes);
	end = start + bytes;
	for (u64 at = start; at - start < bytes && bytes <= IRRUN_JOINED; at += IRRUN_TLB_GRANULE) {
		struct irrun_tlb_entry *e = &table[irrun_tlb_index(at)];

		if (e->add != slot->add || e->start - start >= bytes || !e->bytes ||
		    (e->start == start && e->start + e->bytes == end))
			continue;
		*e = (struct irrun_tlb_entry){start, bytes - 15, slot->add, bytes};
		any = true;
	}
	return any;
}

/*
 * IRRUN_WANDER times the site's slot had another range, or that of a site it shares the slot with.
 * If that took no longer than so many mispredicted branches and refills, and the ranges cannot be
 * one, the site's unit is made anew, with this access by the table.
 */
static u64 wander(struct irrun *r, struct irrun_cpu *c, const struct irrun_site *s)
{
	bool write = s->op != IR_LOAD;
	struct irrun_slot *slot = &c->slot[s->mmu][write][s->slot];
	struct irrun_unit *u = &r->unit[s->unit];
	u64 pc = u->pc + (u64)(s64)s->pc;
	u32 now = ir_x86_ticks(), took = now - slot->since, bit = irrun_wanderer_bit(pc);

	slot->since = now;
	slot->left = IRRUN_WANDER;
	if (took > r->cfg.wander_ticks)
		return 0;
	irrun_lock(r);
	if (!widen(c->tlb[s->mmu][write], slot) && !u->cut && !irrun_wanders(r, pc)) {
		r->wanderer[bit / 64] |= 1ULL << (bit & 63);
		irrun_unit_forget(r, u);
		atomic_fetch_or(&c->kick, IRRUN_KICK_FLUSH); /* out of a loop inside the unit */
	}
	irrun_unlock(r);
	return 0;
}

u64 irrun_on_out(struct irrun_cpu *c, u64 site)
{
	struct irrun *r = c->run;
	const struct irrun_site *s = &r->site[site & ~(u64)IRRUN_SITE_WANDERS];

	*irrun_pc_of(r, c->self) = r->unit[s->unit].pc + (u64)(s64)s->pc;
	if (site & IRRUN_SITE_WANDERS)
		return wander(r, c, s);
	if (s->kind == IRRUN_FIX)
		return out_fix(r, c, s);
	switch (s->op) {
	case IR_LOAD:
		return out_load(r, c, s);
	case IR_STORE:
		return out_store(r, c, s);
	}
	return out_cas(r, c, s);
}
