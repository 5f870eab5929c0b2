/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code cache of lifted code. Private to irrun/ and to the emitter of a host.
 *
 * As in the x86 engine (rt/jit.h) a MAP is "guest page L shows physical page P, fetched with key K"
 * under an id never used twice, and a unit belongs to a map. A unit's entries:
 *
 *	e0	from an indirect jump: the target's guest pc in a register, nothing known
 *	e1	from a direct jump backwards or to another page: pc and key are right
 *	e2	from elsewhere in the same page, or after a check in C
 *
 * e1 looks whether someone wants this vCPU (kick) and whether the map is current. Links between
 * units are kept in lists, so a unit that is dropped is cut off from every unit that leads to it.
 * One lock guards all tables; generated code reads none of them.
 */
#ifndef HULL_ENGINE_JIT_IRRUN_PRIVATE_H
#define HULL_ENGINE_JIT_IRRUN_PRIVATE_H

#include "engine/jit/flush.h"
#include "engine/jit/host/x86_64/emit.h"
#include "engine/jit/irrun/irrun.h"

enum {
	IRRUN_HASH = 16384,
	IRRUN_ROOM = 131072, /* code bytes that must be free before a translation */
	IRRUN_CPUS = 64,
};

struct irrun_map {
	u64 lin, gpa;
	const u8 *host;
	u32 key, id;
	u32 bank;
	struct irrun_map *hash_next, *page_next;
	struct irrun_page *page;
	struct irrun_unit *units;
	bool dead;
};

struct irrun_page {
	u64 gpa;
	struct irrun_map *maps;
	struct irrun_page *hash_next;
};

struct irrun_unit {
	u64 pc;
	struct irrun_map *map;
	struct irrun_unit *hash_next, *map_next;
	u32 e0, e1, e2, end; /* offsets in the code area */
	u32 pcs, npcs;	     /* its entries in irrun.pc */
	u32 incoming;	     /* first LINK site that jumps here */
	struct ir_unit *ir;  /* to be interpreted */
	bool cut;	     /* nothing leads here any more */
};

struct irrun_pc {
	u32 host;  /* offset in the code area where the instruction begins */
	s32 guest; /* from the unit's pc */
};

enum { IRRUN_SITE_WANDERS = 1U << 31 }; /* with a site's number: its slot was refilled often */

enum irrun_site_kind { IRRUN_LINK, IRRUN_MEM, IRRUN_FIX };

/* A place where generated code may call out. */
struct irrun_site {
	u8 kind, size, flags; /* MEM: IR_SWAP, IR_SIGNED; */
	u8 op;		      /* MEM, FIX: enum ir_opcode */
	u8 type, slot, mmu;
	u32 unit;   /* index */
	s32 pc;	    /* MEM, FIX: the instruction; LINK: the target; from the unit's pc */
	u64 imm;    /* FIX: helper and extra; LINK: the target's pc */
	u32 at;	    /* LINK: position of the rel32 */
	u32 stub;   /* LINK: where it leads while unlinked */
	u32 next;   /* LINK: next site of the target's list */
	u32 target; /* LINK: index of the unit it leads to + 1, 0 = none */
};

struct irrun_thunks {
	u32 enter;    /* void enter(cpu, host address) */
	u32 miss;     /* jumped to: guest pc in rax, not found in the jump cache */
	u32 look;     /* jumped to: guest pc in rax; C looks for it */
	u32 link;     /* jumped to: site in eax */
	u32 interp;   /* jumped to: unit in eax */
	u32 leave;    /* jumped to: state is in memory */
	u32 leave_rt; /* jumped to: reason in eax */
	u32 out;      /* called: site in eax; operands and result in irrun_cpu.save */
	u32 quit;     /* to the caller of enter; signal handlers go on here */
};

/* Host registers of pinned guest registers and so on, for everyone who moves state. */
struct irrun_pins {
	u8 host[IR_PINS]; /* by index of ir_target.pin */
	u32 n;
};

struct irrun {
	struct irrun_config cfg;
	const struct irrun_ops *ops;
	const struct ir_target *target;
	_Atomic u32 lock;
	u8 *rw;
	const u8 *rx;
	u32 size, cold_start, code_begin;
	struct emit hot, cold;
	struct irrun_thunks thunk;
	struct irrun_pins pins;
	void *cpu[IRRUN_CPUS];
	struct irrun_unit *unit;
	u32 nunits, max_units;
	struct irrun_site *site;
	u32 nsites, max_sites;
	struct irrun_pc *pc;
	u32 npcs, max_pcs;
	struct irrun_map *map;
	u32 nmaps, max_maps;
	struct irrun_page *page;
	u32 npages, max_pages;
	struct irrun_unit *unit_hash[IRRUN_HASH];
	struct irrun_map *map_hash[IRRUN_HASH];
	struct irrun_page *page_hash[IRRUN_HASH];
	u32 bank_key[IRRUN_KEYS]; /* key + 1 of each bank of xtlb, 0 = free */
	u32 next_id;
	_Atomic u32 flush_wanted;
	u64 *ir_arena; /* interpret: the units' copies */
	u64 ir_used, ir_bytes;
	bool perf, no_passes, all_wander;
	u32 nbreaks;
	u64 brk[IRRUN_BREAKS];
	u64 wanderer[IRRUN_WANDERERS / 64];
	struct ir_unit *work; /* under the lock */
	void *passes;	      /* their work area */
	void *emitter;	      /* its work area, ir_x86_bytes */
};

static inline struct irrun_cpu *irrun_cpu(const struct irrun *r, void *cpu)
{
	return (struct irrun_cpu *)((char *)cpu + r->target->rt_off);
}

static inline u64 *irrun_pc_of(const struct irrun *r, void *cpu)
{
	return (u64 *)((char *)cpu + r->target->pc_off);
}

static inline unsigned irrun_xtlb_index(u64 lin)
{
	return (unsigned)(lin / IRRUN_PAGE) & (IRRUN_XTLB - 1);
}

static inline unsigned irrun_tlb_index(u64 addr)
{
	return (unsigned)(addr >> IRRUN_TLB_SHIFT) & (IRRUN_TLB - 1);
}

/* Of an access in irrun.wanderer. */
static inline unsigned irrun_wanderer_bit(u64 pc)
{
	return (unsigned)((pc >> 2) ^ (pc >> 16)) & (IRRUN_WANDERERS - 1);
}

static inline bool irrun_wanders(const struct irrun *r, u64 pc)
{
	unsigned bit = irrun_wanderer_bit(pc);

	return r->all_wander || (r->wanderer[bit / 64] >> (bit & 63) & 1);
}

static inline unsigned irrun_jc_index(u64 pc)
{
	return (unsigned)(pc >> 2) & (IRRUN_JC - 1);
}

static inline unsigned irrun_far_index(u64 pc)
{
	return (unsigned)((pc ^ pc >> 14) >> 2) & (IRRUN_FAR - 1);
}

/* tables.c, all under the lock but irrun_lock */
void irrun_lock(struct irrun *r);
void irrun_unlock(struct irrun *r);
bool irrun_is_full(const struct irrun *r);
struct irrun_map *irrun_map_get(struct irrun *r, u64 lin, u64 gpa, const u8 *host, u32 key);
struct irrun_unit *irrun_unit_find(struct irrun *r, const struct irrun_map *m, u64 pc);
void irrun_unit_add(struct irrun *r, struct irrun_unit *u);
void irrun_link(struct irrun *r, u32 site, struct irrun_unit *to);
void irrun_unit_forget(struct irrun *r, struct irrun_unit *u); /* who comes makes another */
void irrun_reset(struct irrun *r);
u32 irrun_bank(struct irrun *r, u32 key);

/* run.c: called by the thunks; where to go on, NULL: leave */
const void *irrun_on_miss(struct irrun_cpu *c, u64 pc);
const void *irrun_on_link(struct irrun_cpu *c, u64 site);
const void *irrun_on_interp(struct irrun_cpu *c, u64 unit);

/* mem.c: called by a thunk; 0: go on, else leave */
u64 irrun_on_out(struct irrun_cpu *c, u64 site);
/* An access of size bytes in guest order by the tables of the MMU index; 0, or < 0: raised. */
int irrun_access(struct irrun *r, struct irrun_cpu *c, u64 addr, u32 size, bool write, unsigned mmu,
		 unsigned slot, void *data);

static inline void irrun_copy(void *to, const void *from, unsigned n)
{
	u8 *t = to;
	const u8 *f = from;

	for (unsigned i = 0; i < n; i++)
		t[i] = f[i];
}

/* hosted.c */
int irrun_host_create(struct irrun **out, const struct irrun_config *cfg);
void irrun_host_destroy(struct irrun *r);
void *irrun_host_alloc(u64 bytes); /* zeroed; NULL if there is none */
void irrun_host_free(void *p, u64 bytes);
bool irrun_host_usable(void); /* the CPU has what the emitter uses */
void irrun_host_yield(void);
void irrun_host_trace(struct irrun *r, const struct irrun_unit *u);

/* The emitter of this host, host/x86_64/ir_*.c. */
u32 ir_x86_bytes(void);
u32 ir_x86_ticks(void); /* low half of the host's time stamp */
void ir_x86_pins(const struct ir_target *t, struct irrun_pins *p);
void ir_x86_thunks(struct irrun *r);
/* Code for the unit; fills its offsets, sites and pcs. False: no room. */
void ir_x86_konst(struct irrun_cpu *c);
void ir_x86_emit_interp(struct irrun *r, struct irrun_unit *u, struct ir_unit *ir);
bool ir_x86_emit(struct irrun *r, struct irrun_unit *u, struct ir_unit *ir);

#endif
