/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlbie from another vCPU, on the whole engine. One vCPU reads and writes two pages in turn, by a
 * load and a store that wander and so look into the table of pages. The other one changes one
 * page's translation, invalidates it and at once poisons the memory that it was: the poison must
 * never be read, nor written over.
 */
#include "core/engine.h"
#include "core/ppc_state.h"
#include "tests/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/endian.h"

#define RAM MIB(16)
#define PROC_TABLE 0x10000u
#define ROOT 0x20000u	/* 13 bits, each entry 256 KiB */
#define TABLES 0x40000u /* 64 entries each */
/* Addresses in process 1, and where they are; the page that moves is at one of two places. */
#define MOVES 0x100000u
#define STAYS 0x201000u
#define SHARED 0x300000u /* the reader's rounds, then whether it is to end */
#define PLACE_1 0x400000u
#define PLACE_2 0x480000u
#define STAYS_AT 0x612000u
#define SHARED_AT 0x700000u
#define CODE 0x1000u

/* ISA III 5.7.10: valid, a leaf, referenced, changed, to be read and written. */
#define LEAF (BIT(63) | BIT(62) | 0x180 | 6)
#define ROUNDS 100

enum { SEEN_PLACE_1 = 1, SEEN_PLACE_2 = 2, SEEN_STAYS = 4, POISON = 8, STORED = 16 };

struct rig {
	struct gpa_map map;
	u8 *ram;
	_Atomic u8 flags[RAM / GPA_PAGE_SIZE];
	struct engine_vm *vm;
	struct cpu {
		struct engine_vcpu *v;
		bool done; /* its program has ended */
	} cpu[2];
};

/* ---- the machine ---- */

/* A hypercall that nobody knows ends a program. */
static void papr(void *opaque, u64 r[PPC_HCALL_REGS])
{
	struct cpu *c = opaque;

	(void)r;
	c->done = true;
	engine_ppc_ops.vcpu_kick(c->v);
}

static void timer_arm(void *opaque, u64 ns)
{
	(void)opaque;
	(void)ns;
}

static void pte_put(struct rig *r, u32 va, u32 table, u64 pa)
{
	store_be64(r->ram + ROOT + 8 * (va >> 18), BIT(63) | table | 6);
	store_be64(r->ram + table + 8 * (va >> 12 & 63), LEAF | pa);
}

static void rig_make(struct rig *r, bool interpret)
{
	struct gpa_slot slot = {.size = RAM, .page_flags = r->flags, .fd = -1};
	struct engine_vm_config cfg = {.map = &r->map, .ncpus = 2, .interpret = interpret};

	memset(r, 0, sizeof(*r));
	r->ram = slot.host = aligned_alloc(4096, RAM);
	memset(r->ram, 0, RAM);
	gpa_slot_add(&r->map, &slot);
	store_be64(r->ram + PROC_TABLE + 16, ROOT | 13); /* of addresses of 31 bits */
	pte_put(r, MOVES, TABLES, PLACE_1);
	pte_put(r, STAYS, TABLES + 0x1000, STAYS_AT);
	pte_put(r, SHARED, TABLES + 0x2000, SHARED_AT);
	store_be32(r->ram + PLACE_1, SEEN_PLACE_1);
	store_be32(r->ram + PLACE_2, SEEN_PLACE_2);
	store_be32(r->ram + STAYS_AT, SEEN_STAYS);
	CHECK_EQ(engine_ppc_ops.vm_create(&cfg, &r->vm), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct vcpu_bus bus = {.papr = papr, .timer_arm = timer_arm, .opaque = &r->cpu[i]};

		CHECK_EQ(engine_ppc_ops.vcpu_create(r->vm, i, &bus, &r->cpu[i].v), 0);
	}
}

static void rig_free(struct rig *r)
{
	for (unsigned i = 0; i < 2; i++)
		engine_ppc_ops.vcpu_destroy(r->cpu[i].v);
	engine_ppc_ops.vm_destroy(r->vm);
	free(r->ram);
}

/* ---- programs ---- */

#define D(op, t, a, d) ((u32)(op) << 26 | (t) << 21 | (a) << 16 | ((d)&0xffff))
#define X(xo, t, a, b) (31u << 26 | (t) << 21 | (a) << 16 | (b) << 11 | (xo) << 1)
#define SC1 0x44000022u
#define MTCTR(r) X(467, r, 9, 0)
#define MTPIDR(r) X(467, r, 16, 1)
#define BDNZ(words) D(16, 16, 0, 4 * (words))
#define BLT(words) D(16, 12, 0, 4 * (words))
#define BEQ(words) D(16, 12, 2, 4 * (words))
#define PTESYNC 0x7c4004acu
#define EIEIO 0x7c0006acu
#define TLBSYNC 0x7c00046cu
#define TLBIE(rb, rs) X(306, rs, 3, rb) /* RIC 0, PRS, R */

/* r3 to r6: H_REGISTER_PROC_TBL and its arguments. */
static const u32 set_up[] = {SC1, D(14, 3, 0, 0x7ff0), SC1};

/*
 * r8 is the address, and the other one with r10; r7 collects what is read; r14 counts rounds of
 * r13 accesses at r15.
 */
static const u32 reader[] = {
	MTPIDR(17),	  MTCTR(13),
	X(316, 8, 8, 10), /* xor: from here */
	D(32, 5, 8, 0),	  /* lwz */
	X(444, 7, 7, 5),  /* or */
	D(36, 11, 8, 64), /* stw */
	BDNZ(-4),	  D(14, 14, 14, 1),
	D(36, 14, 15, 0), D(32, 16, 15, 4),
	D(11, 0, 16, 0), /* cmpwi */
	BEQ(-10),	  SC1,
};

/*
 * The page goes to another place: its entry is new at r20. What was the page, at old, gets r26 and
 * r29 (0). When the reader at r23 has begun and ended a round since, r12 collects what it stored
 * there.
 */
#define MOVE(new, old, good)                                                                       \
	D(62, new, 20, 0), PTESYNC, TLBIE(24, 25), EIEIO, TLBSYNC, PTESYNC, D(36, 26, old, 0),     \
		D(36, 29, old, 64), D(32, 5, 23, 0), D(14, 5, 5, 2), D(32, 6, 23, 0),              \
		X(40, 6, 5, 6), D(11, 0, 6, 0), BLT(-3), D(32, 5, old, 64), X(444, 5, 12, 12),     \
		D(36, good, old, 0)

static const u32 changer[] = {
	MTCTR(13), MOVE(19, 21, 27), MOVE(18, 22, 28), BDNZ(-34), D(36, 11, 23, 4), SC1,
};

/* Each program has its own place: the engine is not told of what is written here. */
static void start(struct rig *r, unsigned n, u32 at, const u32 *code, u32 words,
		  struct ppc_state *s)
{
	struct ppc_state now;

	for (u32 i = 0; i < words; i++)
		store_be32(r->ram + at + 4 * i, code[i]);
	if (engine_ppc_ops.vcpu_stopped(r->cpu[n].v))
		CHECK_EQ(engine_ppc_ops.vcpu_start(r->cpu[n].v, at, 0), 0);
	engine_ppc_ops.vcpu_get_ppc(r->cpu[n].v, &now);
	s->nip = at;
	s->msr |= now.msr; /* big-endian */
	engine_ppc_ops.vcpu_set_ppc(r->cpu[n].v, s);
	r->cpu[n].done = false;
}

static void *run(void *opaque)
{
	struct cpu *c = opaque;
	struct vcpu_exit exit = {0};

	while (!c->done && exit.kind == VCPU_EXIT_KICK)
		engine_ppc_ops.vcpu_run(c->v, &exit);
	return NULL;
}

/* ---- tests ---- */

static void use_process_table(struct rig *r)
{
	struct ppc_state s = {.gpr = {[3] = 0x37c, [4] = 0x1d, [5] = PROC_TABLE}};

	start(r, 0, CODE, set_up, ARRAY_LEN(set_up), &s);
	run(&r->cpu[0]);
	CHECK(r->cpu[0].done);
}

static void race(bool interpret, u64 rb, u64 rs)
{
	static struct rig r;
	struct ppc_state read = {.gpr = {[3] = 0x7ff0,
					 [8] = MOVES,
					 [10] = MOVES ^ STAYS,
					 [11] = STORED,
					 [13] = 300,
					 [15] = SHARED,
					 [17] = 1},
				 .msr = BIT(4)};
	struct ppc_state change = {.gpr = {[3] = 0x7ff0,
					   [11] = 1,
					   [13] = ROUNDS,
					   [18] = LEAF | PLACE_1,
					   [19] = LEAF | PLACE_2,
					   [20] = TABLES,
					   [21] = PLACE_1,
					   [22] = PLACE_2,
					   [23] = SHARED_AT,
					   [24] = rb,
					   [25] = rs,
					   [26] = POISON,
					   [27] = SEEN_PLACE_1,
					   [28] = SEEN_PLACE_2}};
	pthread_t t;

	rig_make(&r, interpret);
	use_process_table(&r);
	start(&r, 1, CODE + 0x1000, reader, ARRAY_LEN(reader), &read);
	start(&r, 0, CODE + 0x2000, changer, ARRAY_LEN(changer), &change);
	CHECK_EQ(pthread_create(&t, NULL, run, &r.cpu[1]), 0);
	run(&r.cpu[0]);
	pthread_join(t, NULL);
	CHECK(r.cpu[0].done && r.cpu[1].done);
	engine_ppc_ops.vcpu_get_ppc(r.cpu[0].v, &change);
	engine_ppc_ops.vcpu_get_ppc(r.cpu[1].v, &read);
	CHECK_EQ(read.gpr[7], SEEN_PLACE_1 | SEEN_PLACE_2 | SEEN_STAYS);
	CHECK_EQ(change.gpr[12], 0);
	CHECK_EQ(load_be32(r.ram + STAYS_AT + 64), STORED);
	rig_free(&r);
}

static void t_one_page(void)
{
	race(false, MOVES, 1ull << 32);
}

static void t_a_process(void)
{
	race(false, 1 << 10, 1ull << 32);
}

static void t_everything(void)
{
	race(false, 3 << 10, 0);
}

static void t_interpreted(void)
{
	race(true, MOVES, 1ull << 32);
}

int main(void)
{
	RUN(t_one_page);
	RUN(t_a_process);
	RUN(t_everything);
	RUN(t_interpreted);
	return test_done();
}
