/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code cache of a VM and what hangs off it. Private to rt/ and x86/translate*.
 *
 * A UNIT is a piece of guest code of one page, translated for one linear address
 * and one mode key. A MAP is "linear page L shows guest-physical page P, fetched
 * with mode key K"; it has an id that is never used twice. Each vCPU's xtlb says
 * which map is current for a linear page; a unit's entry compares that with its
 * own map's id, so jumps into a unit from another page, from the jump table or
 * from a chain need no undoing when the guest changes its page tables: the
 * small xtlb is cleared and everything that was stale stops matching.
 *
 *	e0   from an indirect jump: r15 = target rip, nothing known
 *	e1   from a direct jump of another page: rip and mode are right
 *	e2   from the same page, or after a check in C
 *
 * When a code page is written its maps are dropped: the ids vanish from all
 * xtlbs, so no entry matches again. Memory is only reused after a flush of
 * everything, at a moment when no vCPU is inside generated code.
 *
 * One lock guards all tables; generated code reads none of them.
 */
#ifndef HULL_ENGINE_JIT_RT_JIT_H
#define HULL_ENGINE_JIT_RT_JIT_H

#include "engine/jit/flush.h"
#include "engine/jit/host/x86_64/emit.h"
#include "engine/jit/x86/cpu.h"

#define JIT_XTLB 1024u	/* entries, a power of two */
#define JIT_QUICK 1024u /* the same */
#define JIT_JC 65536u	/* jump table: one entry per low 16 bits of rip */
#define JIT_HASH 32768u /* unit and map hash heads */
#define JIT_HEAT 16384u /* visit counters of cold code */
#define JIT_DROPS_MAX                                                                              \
	5u /* each write that costs a page its translations doubles the visits it needs */
#define JIT_SLOTS 64u	     /* per mmu mode, one bit each in jit_cpu.slot_used */
#define JIT_NOSLOT 16384u    /* marks of sites without a slot */
#define JIT_MAX_INSN 96u     /* guest instructions of a unit */
#define JIT_UNIT_ROOM 65536u /* code bytes that must be free before a translation */

/* Host registers that generated code uses; the guest's r14 and r15 live in memory. */
enum { JIT_S1 = 15, JIT_S2 = 14 };

struct jit_map {
	u64 lin, gpa; /* page addresses */
	const u8 *host;
	u32 key, id;
	struct jit_map *hash_next, *page_next;
	struct jit_unit *units;
	struct jit_page *page;
	bool dead;
};

struct jit_page {
	u64 gpa;
	u32 drops; /* times its translations were lost to a write */
	struct jit_map *maps;
	struct jit_page *hash_next;
};

struct jit_unit {
	u64 rip;
	struct jit_map *map;
	struct jit_unit *hash_next, *map_next;
	u32 e0, e1, e2, end; /* offsets in the code area */
	u32 pcs;	     /* first of its ninsns entries in jit.pcs */
	u32 links;	     /* site of a jump to here, and on by jit_site.next_link */
	u16 ninsns;
	bool fpu;	/* needs the guest's vector state in the host's registers */
	bool plain;	/* without grouped memory checks and windows, see x86/translate_group.c */
	bool hot;	/* its accesses go by windows where they can */
	u8 samples;	/* times the vCPU was found there when it was interrupted */
	bool forwarded; /* its entries jump to the unit that replaced it */
};

/* Where a guest instruction's own code begins, for faults of the host. */
struct jit_pc {
	u16 guest; /* offset from the unit's rip */
	u16 host;  /* offset from the unit's e2 */
	u32 site;  /* whose recipe gives the flags there, 0 = as they are */
};

/*
 * How to find the status flags again that code before an indirect jump did not keep: they
 * are those of `a op b` (b = imm if b_reg is none) on size bytes, computed from
 * the registers at the jump. UNDO_ADD, UNDO_SUB: a holds the result.
 */
enum jit_recipe_op {
	JIT_RECIPE_AND,
	JIT_RECIPE_CMP,
	JIT_RECIPE_UNDO_ADD,
	JIT_RECIPE_UNDO_SUB,
	JIT_RECIPE_SAVED /* in jit_cpu.flags, as lahf and seto al leave them in ax */
};
struct jit_recipe {
	u8 op, size, a, b; /* b: register or EMIT_NONE */
	s32 imm;
};

/* Site 0 means none; the next one stands for a jump whose flags are in jit_cpu.flags. */
enum { JIT_SITE_SAVED = 1 };

/*
 * The page an access went to last. Every memory access of generated code has one of these slots
 * of its vCPU, by its place in the code (x86/translate_slot.c), and looks at nothing else as long
 * as it stays on that page; thunk.refill copies another page from the soft TLB. What empties a TLB
 * entry empties the slots that may hold it. Empty: a page no canonical address is on, and which
 * faults on the host as it does in the guest.
 */
struct jit_slot {
	u64 page, add; /* as in struct x86_tlb_entry */
};
#define JIT_SLOT_EMPTY (1ULL << 63)
/* Even numbers are of accesses that read, odd ones of those that write. */
enum {
	JIT_SLOT_STACK = 0,    /* and 1: accesses by rsp, to read and to write */
	JIT_SLOT_SEGMENT = 2,  /* and 7 more: off FS and GS, by page */
	JIT_SLOT_CONST = 10,   /* and 15 more: known addresses, by page */
	JIT_SLOT_FIRST = 26,   /* of those dealt out */
	JIT_SLOT_CREDIT = 64,  /* refills between two looks at the clock */
	JIT_SLOT_THRASH = 250, /* TSC ticks: refills that come faster than this do not pay */
	JIT_SLOT_STRIKES = 2,  /* times a site is seen among those before it loses its slot */
};

/*
 * In user code of a VM with one vCPU the sites of hot units, and those that go from page to page,
 * are made by windows: 2 GiB of linear addresses that the host's MMU shows JIT_WINDOW_BIAS further
 * up (rt/hosted_window.c). A wide slot says which 2 GiB may be had so; for the lowest there is
 * jit_cpu.low_limit instead. Where that does not help the plain unit goes on, and every so often
 * the window is asked for first.
 */
#define JIT_WINDOW GIB(2)
#define JIT_WINDOW_BIAS GIB(1)
#define JIT_LOW_LIMIT (JIT_WINDOW - GPA_PAGE_SIZE) /* no access is larger than a page */
enum {
	JIT_WIDE_CREDIT = 16,	/* times the plain unit goes on between two requests */
	JIT_WIDE_PAUSE = 4096,	/* the same while there is nothing to be had */
	JIT_WIDE_STRIKES = 200, /* times a site asks for another window before it gets none */
	JIT_HOT_SAMPLES = 1,	/* interruptions that make a unit hot */
};
enum jit_window_answer { JIT_WINDOW_OPEN, JIT_WINDOW_LATER, JIT_WINDOW_NEVER };

/* Marks of sites, in jit.noslot. */
enum {
	JIT_WAY_LOOKUP = 1, /* goes from page to page: no slot */
	JIT_WAY_WIDE = 2,   /* a window, even if the unit is not hot */
	JIT_WAY_HIGH = 4,   /* not the lowest one */
	JIT_WAY_NEVER = 8,  /* no window */
};
enum jit_window_kind { JIT_NO_WINDOW, JIT_WINDOW_LOW, JIT_WINDOW_WIDE };

/* What a check leaves in its scratch register. */
enum jit_form {
	JIT_FORM_ADD, /* what to add to the linear address: the access is [base + scratch + disp] */
	JIT_FORM_PTR, /* the host pointer */
	JIT_FORM_CONST, /* as ADD; the linear address is known to the translator */
};

/* A place where generated code may call out; r14 holds its index. */
struct jit_site {
	u32 unit; /* index */
	s32 rip;  /* guest address concerned, relative to the unit's rip */
	s32 ret; /* LINK of a call that may never return: the return address, relative to the unit's
		    rip; or 0 */
	u32 retry; /* MEM: code offset to try again; LINK: position of the rel32 */
	u32 next;  /* MEM, EXEC: where the next guest instruction starts, 0 = look it up */
	u8 len;	   /* MEM, EXEC: length of the guest instruction */
	u16 size;  /* MEM: bytes */
	u32 slot;  /* MEM: gs offset of its slot, 0 = none */
	u32 slot_no;
	u32 fail;      /* MEM: where to go when the soft TLB does not help, a code offset */
	u32 stub;      /* MEM: its way out of line, a code offset */
	u32 next_link; /* LINK: the next one to the same unit, 0 = none */
	u32 check;     /* MEM: where the look at the slot begins */
	u8 check_len;
	u8 dst;	 /* MEM: the scratch register it uses */
	u8 form; /* MEM: enum jit_form */
	u8 strikes;
	u8 window;		  /* MEM: enum jit_window_kind */
	u8 access;		  /* MEM: enum x86_access */
	u32 insn;		  /* EXEC: its decoded form in jit.insn, 0 = decode it again */
	struct jit_recipe recipe; /* on the way to an indirect jump, or of the jump itself */
	/* MEM: a page fault is for the interpreter to judge, as bytes of the operand may be
	 * disabled by a mask, or #GP for misalignment or a pending #MF come first. */
	bool may_wide; /* MEM: a host fault of the access leaves the guest's state exact */
	bool plain;    /* LINK: to the plain unit */
	bool linked;   /* LINK: in the list of its target */
	u32 to_key;    /* LINK: mode key there */
	bool masked;
};

/* Per-vCPU part, in x86_vcpu.rt. */
struct jit_cpu {
	u32 xtlb[JIT_XTLB];
	struct jit_map *xmap[JIT_XTLB]; /* valid where xtlb[i] == xmap[i]->id */
	u64 add[16];			/* of grouped accesses, by base register */
	/* Entries of xtlb that are not global, by index; more than the array holds: unknown. */
	u16 nonglobal[64];
	u32 nonglobals;
	u64 temp[8]; /* scratch of generated code; from 3 on of thunk.refill */
	struct jit_slot slot[X86_MMU_COUNT][JIT_SLOTS];
	u64 slot_used[X86_MMU_COUNT]; /* bit n: slot n is perhaps not empty */
	u64 wide[JIT_SLOTS];	      /* which 2 GiB, or JIT_SLOT_EMPTY */
	u64 low_limit;		      /* accesses below it go by the lowest window; 0: none do */
	s32 wide_credit;
	bool window_fault; /* at window_at: to be interpreted and shown */
	u64 window_at;
	struct jit_windows *windows; /* NULL: none */
	s32 slot_credit;
	u64 slot_stamp;	    /* TSC when it was renewed */
	u64 sites, code;    /* jit.site, jit.rx, for thunk.refill */
	u16 flags;	    /* see JIT_RECIPE_SAVED */
	u32 recipe;	    /* site whose recipe gives the flags at an e0, 0 = as they are */
	u32 fault_recipe;   /* site whose recipe gives the flags at a fault of the host, or 0 */
	_Atomic u32 inside; /* in jit_run and not parked */
	struct jit_unit *quick[JIT_QUICK]; /* units C led to lately, by jit_quick_index */
	u64 jc[JIT_JC];			   /* host entry by low bits of rip */
};
static_assert(sizeof(struct jit_cpu) <= sizeof(((struct x86_vcpu *)0)->rt), "rt area too small");

/* Offsets from gs */
#define GS_RT(field) ((u32)(offsetof(struct x86_vcpu, rt) + offsetof(struct jit_cpu, field)))
#define GS_GPR(n) ((u32)offsetof(struct x86_vcpu, gpr) + 8u * (n))
#define GS_OFF(field) ((u32)offsetof(struct x86_vcpu, field))

struct jit_thunks {
	u32 miss, stale, flags, link, mem, exec, poll, fpu; /* code offsets, entered by jumps */
	u32 sample, wide;
	u32 refill[X86_MMU_COUNT][2]; /* by enum x86_access */
	u32 leave;		      /* to the caller of enter */
	u32 enter;		      /* void enter(vcpu, host address) */
};

/* What the translator needs while it works; under the lock. */
struct xl_insn;

struct jit {
	struct x86_vm *vm;
	_Atomic u32 lock;
	u8 *rw;	      /* writable view of the code area */
	const u8 *rx; /* executable view */
	u32 size, cold_start;
	struct emit hot, cold;
	u32 code_begin; /* first byte after the thunks */
	struct jit_thunks thunk;

	struct jit_unit *unit;
	u32 nunits, max_units;
	struct jit_site *site;
	u32 nsites, max_sites;
	struct x86_insn *insn; /* [0] is unused */
	u32 ninsns, max_insns;
	struct jit_pc *pc;
	u32 npcs, max_pcs;
	struct jit_map *map;
	u32 nmaps, max_maps;
	struct jit_page *page;
	u32 npages, max_pages;
	struct jit_unit *unit_hash[JIT_HASH];
	struct jit_map *map_hash[JIT_HASH];
	struct jit_page *page_hash[JIT_HASH];
	u32 next_id; /* of maps, never reused before 2^32 */
	u8 heat[JIT_HEAT];
	u8 noslot[JIT_NOSLOT];

	_Atomic u32 flush_wanted;
	u32 slot_next;	    /* to be dealt out */
	bool strict_ret[2]; /* a caller in 64-bit code looks at the flags its callee leaves; by CPL
			       3 */
	bool have_bmi2;
	bool no_groups;	      /* check every access (bug hunting) */
	bool no_windows;      /* the same */
	bool all_hot;	      /* every unit is hot from the start (tests) */
	u32 exec_kinds;	      /* bit n: enum xl_kind n is left to the interpreter (bug hunting) */
	u32 exec_lo, exec_hi; /* opcodes (map << 8 | opcode) the same */
	u32 hot_visits;	      /* visits before a translation */
	bool trace, perf;
	struct xl_insn *xl; /* the translator's work area */
};

/* Does a return of code with this mode key hand the status flags to its caller? */
static inline bool jit_ret_keeps_flags(const struct jit *j, u32 key)
{
	return (key & 3) != X86_MODE_64 || j->strict_ret[!!(key & X86_KEY_CPL3)];
}

static inline struct jit_cpu *jit_cpu(struct x86_vcpu *c)
{
	return (struct jit_cpu *)c->rt;
}

static inline const void *jit_host(const struct jit *j, u32 off)
{
	return j->rx + off;
}

/* Maps of one page for different mmu modes (stac, clac) have entries of their own. */
static inline unsigned jit_xtlb_index(u64 lin, u32 key)
{
	return ((unsigned)(lin >> 12) ^ (key >> 2 & 3) * 341) & (JIT_XTLB - 1);
}

static inline unsigned jit_quick_index(u64 rip)
{
	return (unsigned)(rip ^ rip >> 10 ^ rip >> 20) & (JIT_QUICK - 1);
}

static inline unsigned jit_heat_index(u64 rip)
{
	return (unsigned)((rip * 0x9e3779b97f4a7c15ULL) >> 40) & (JIT_HEAT - 1);
}

/* Can code of this mode be translated at all? */
bool jit_translatable(u32 key);

/* rt/tables.c: all under the lock */
void jit_lock(struct jit *j);
void jit_unlock(struct jit *j);
struct jit_map *jit_map_get(struct jit *j, u64 lin, u64 gpa, const u8 *host, u32 key);
struct jit_unit *jit_unit_find(struct jit *j, const struct jit_map *m, u64 rip, bool plain);
void jit_unit_add(struct jit *j, struct jit_unit *u);
void jit_reset(struct jit *j); /* forget everything; no vCPU is inside */
bool jit_full(const struct jit *j);
u32 jit_site_new(struct jit *j, struct jit_unit *u, u64 rip);

/* rt/thunk.c */
void jit_thunks_emit(struct jit *j);

/* rt/run.c: handlers called from the thunks; they return where to go on, NULL = leave */
const void *jit_on_miss(struct x86_vcpu *c, u64 rip, u32 unused);
const void *jit_on_flags(struct x86_vcpu *c, u64 rip, u32 unit);
const void *jit_on_stale(struct x86_vcpu *c, u64 rip, u32 unit);
const void *jit_on_link(struct x86_vcpu *c, u64 unused, u32 site);
const void *jit_on_mem(struct x86_vcpu *c, u64 linear, u32 site);
const void *jit_on_sample(struct x86_vcpu *c, u64 linear, u32 site);
const void *jit_on_wide(struct x86_vcpu *c, u64 linear, u32 site);
const void *jit_on_exec(struct x86_vcpu *c, u64 unused, u32 site);
const void *jit_on_poll(struct x86_vcpu *c, u64 unused, u32 site);
const void *jit_on_fpu(struct x86_vcpu *c, u64 unused, u32 site);

/* x86/translate.c: a new unit for rip in map m, or NULL (leave it to the interpreter). */
enum jit_unit_kind { JIT_UNIT_NORMAL, JIT_UNIT_PLAIN, JIT_UNIT_HOT };
struct jit_unit *jit_translate(struct jit *j, struct x86_vcpu *c, struct jit_map *m, u64 rip,
			       enum jit_unit_kind kind);
/*
 * x86/translate_slot.c: translate the unit again as what is known of its sites now demands; whoever
 * comes to it is led to the new one. Under the lock.
 */
void jit_unit_again(struct jit *j, struct x86_vcpu *c, struct jit_unit *u, bool hot);
/* A site has asked for a window in vain, or for one that is not for it. Under the lock. */
void jit_site_no_window(struct jit *j, struct x86_vcpu *c, struct jit_site *s, u64 linear);
/* x86/translate_slot.c: from now on the site looks into the soft TLB itself. Under the lock. */
void jit_site_unslot(struct jit *j, struct x86_vcpu *c, struct jit_site *s);

/*
 * x86/translate_flags.c: a call that will return to `back`, near the end of m or in it, is about
 * to be made or translated. If the code there looks at flags, jit.strict_ret.
 */
void jit_call_seen(struct x86_vcpu *c, const struct jit_map *m, u64 back);
/* The same for the instruction at `at` in m, if it is a branch. */
void jit_branch_seen(struct x86_vcpu *c, const struct jit_map *m, u64 at);

/* rt/hosted_window.c; without windows these do nothing. */
void jit_windows_create(struct x86_vcpu *c);
void jit_windows_destroy(struct x86_vcpu *c);
/* Open the window for a linear address if there is none. */
enum jit_window_answer jit_window_at(struct x86_vcpu *c, u64 lin);
/* The host faulted at `host`: is it in a window, and for which linear address? */
bool jit_window_linear(const struct x86_vcpu *c, u64 host, u64 *lin);
/* Show the page at lin as the soft TLB has it now. */
void jit_window_show(struct x86_vcpu *c, u64 lin);

/* rt/hosted.c: services of the host OS */
int jit_host_create(struct jit **out, u64 cache_bytes);
void jit_host_destroy(struct jit *j);
void jit_host_thread(void); /* on the vCPU's thread: signal stack and handlers */
void jit_host_yield(void);
void jit_host_trace(struct jit *j, const struct jit_unit *u, const u8 *guest, unsigned len);
/*
 * For the signal handler: the guest address of the instruction at host_rip, and the site with the
 * recipe of its flags (0 = none), or false.
 */
bool jit_fault_rip(const struct jit *j, u64 host_rip, u64 *rip, u32 *site);

#endif
