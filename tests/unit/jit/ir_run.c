/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run time of lifted code on a toy instruction set: chaining, indirect jumps, code that is
 * rewritten, kicks, faults, a full cache. The toy's words are op << 24 | operand.
 */
#include "ir_toy.h"
#include "engine/jit/flush.h"
#include "../../test.h"

#include <pthread.h>
#include <unistd.h>

enum {
	T_ADD = 1, /* r3 += operand */
	T_JUMP,	   /* to operand */
	T_LOOP,	   /* ctr -= 1, to operand unless it is 0 */
	T_END,	   /* EXITRT operand */
	T_STORE,   /* word [r4] = r5 */
	T_RET,	   /* to lr */
	T_LOAD,	   /* r6 = word [operand] */
	T_BAD,	   /* lifts to nonsense */
	T_WIDE,	   /* 16 bytes of constants at [r4] */
	T_SUM,	   /* r6 += word [r4] */
	T_FLIP,	   /* r4 ^= operand */
};
#define W(op, n) ((u32)(op) << 24 | (n))

#define CODE 65536u
static u32 code[CODE / 4];
static struct toy_cpu *cpu;
static struct irrun *run;
static unsigned lifted, exits, filled, slow;
static u32 exit_reason;
static u64 mapped;     /* guest page 0x8000 shows this physical page of code */
#define DATA 0x100000u /* guest address of data */
static u32 data[0x40000 / 4];
static u64 shown; /* its first page is this one */
static bool fetch_fails, code_watched;

static bool lift_one(struct ir_unit *u, u32 w, u64 pc)
{
	u32 n = w & 0xffffff, ctr = offsetof(struct toy_cpu, ctr);
	ir_val v;

	ir_insn(u, pc);
	switch (w >> 24) {
	case T_ADD:
		v = ir_make(u, IR_ADD, 8, ir_get(u, IR_I64, 8, TOY_GPR(3)), ir_const(u, n), 0);
		ir_put(u, IR_I64, 8, TOY_GPR(3), v);
		return false;
	case T_JUMP:
		ir_exit(u, IR_PLAIN, n);
		return true;
	case T_LOOP:
		v = ir_make(u, IR_SUB, 8, ir_get(u, IR_I64, 8, ctr), ir_const(u, 1), 0);
		ir_put(u, IR_I64, 8, ctr, v);
		ir_exitif(u, ir_set(u, IR_NE, 8, v, ir_const(u, 0)), n);
		return false;
	case T_STORE:
		ir_store(u, IR_I64, 4, 0, ir_get(u, IR_I64, 8, TOY_GPR(4)), 0,
			 ir_get(u, IR_I64, 8, TOY_GPR(5)));
		return false;
	case T_LOAD:
		ir_put(u, IR_I64, 8, TOY_GPR(6), ir_load(u, IR_I64, 4, 0, ir_const(u, n), 0));
		return false;
	case T_RET:
		ir_exitind(u, IR_RETURN, ir_get(u, IR_I64, 8, offsetof(struct toy_cpu, lr)));
		return true;
	case T_WIDE:
		ir_store(u, IR_V128, 16, 0, ir_get(u, IR_I64, 8, TOY_GPR(4)), 0,
			 ir_vconst(u, n, ~(u64)n));
		return false;
	case T_SUM:
		v = ir_load(u, IR_I64, 4, 0, ir_get(u, IR_I64, 8, TOY_GPR(4)), 0);
		v = ir_make(u, IR_ADD, 8, ir_get(u, IR_I64, 8, TOY_GPR(6)), v, 0);
		ir_put(u, IR_I64, 8, TOY_GPR(6), v);
		return false;
	case T_FLIP:
		v = ir_make(u, IR_XOR, 8, ir_get(u, IR_I64, 8, TOY_GPR(4)), ir_const(u, n), 0);
		ir_put(u, IR_I64, 8, TOY_GPR(4), v);
		return false;
	case T_BAD:
		ir_make(u, IR_ADD, 8, 0, 0, 0);
		return true;
	}
	ir_put(u, IR_I64, 8, offsetof(struct toy_cpu, pc), ir_const(u, pc));
	ir_exitrt(u, n);
	return true;
}

static void lift(struct ir_unit *u, const u8 *bytes, u32 left, u64 pc, u32 key)
{
	u32 w;

	(void)key;
	lifted++;
	for (u32 off = 0; off + 4 <= left && off < 400; off += 4) {
		memcpy(&w, bytes + off, 4);
		if (lift_one(u, w, pc + off))
			return;
	}
	ir_exit(u, IR_PLAIN, pc + (left < 400 ? left : 400));
}

static u64 physical(u64 addr)
{
	return (addr & ~0xfffULL) == 0x8000 ? mapped + (addr & 0xfff) : addr;
}

static int fetch(void *c, u64 pc, u64 *gpa, const u8 **host)
{
	(void)c;
	if (fetch_fails)
		return -1;
	*gpa = physical(pc);
	*host = *gpa < CODE ? (const u8 *)code + *gpa : NULL;
	return 0;
}

static u8 *ram(u64 addr)
{
	if (addr - DATA < 4096)
		return (u8 *)data + shown + (addr - DATA);
	if (addr - DATA < sizeof(data))
		return (u8 *)data + (addr - DATA);
	return addr < CODE ? (u8 *)code + physical(addr) : NULL;
}

static int fill(void *c, u64 addr, u32 size, bool write, struct irrun_fill *out)
{
	(void)c;
	(void)size;
	filled++;
	if (!ram(addr))
		return -1;
	out->host = write && code_watched ? NULL : ram(addr);
	out->start = addr & ~0xfffULL;
	out->bytes = 4096;
	return 0;
}

static int access_slow(void *c, u64 addr, u32 size, bool write, void *value)
{
	(void)c;
	slow++;
	if (!ram(addr))
		return -1;
	if (write) {
		memcpy(ram(addr), value, size);
		irrun_page_written(run, physical(addr) & ~0xfffULL);
	} else {
		memcpy(value, ram(addr), size);
	}
	return 0;
}

static int leave(void *c, u32 reason)
{
	(void)c;
	exits++;
	exit_reason = reason;
	return 1;
}

static unsigned mmu(u32 key)
{
	(void)key;
	return 0;
}

static const struct irrun_ops ops = {.target = &toy_target,
				     .lift = lift,
				     .fetch = fetch,
				     .fill = fill,
				     .access = access_slow,
				     .exit = leave,
				     .mmu = mmu};

static void begin(bool interpret, u64 cache)
{
	struct irrun_config cfg = {
		.ops = &ops, .interpret = interpret, .cache_bytes = cache, .wander_ticks = ~0u};

	memset(code, 0, sizeof(code));
	memset(data, 0, sizeof(data));
	shown = 0;
	memset(cpu, 0, sizeof(*cpu));
	lifted = exits = filled = slow = 0;
	exit_reason = 0;
	mapped = 0x8000;
	fetch_fails = code_watched = false;
	if (irrun_create(&run, &cfg) < 0 || irrun_cpu_add(run, cpu) < 0)
		exit(99);
}

static void end(void)
{
	irrun_cpu_remove(run, cpu);
	irrun_destroy(run);
}

static void put(u32 at, u32 w)
{
	code[at / 4] = w;
}

static int go(u32 pc)
{
	cpu->pc = pc;
	cpu->rt.kick = 0;
	return irrun_run(&cpu->rt);
}

static void chain(bool interpret)
{
	begin(interpret, 0);
	put(0x1000, W(T_ADD, 1));
	put(0x1004, W(T_JUMP, 0x2000)); /* another page */
	put(0x2000, W(T_ADD, 10));
	put(0x2004, W(T_LOOP, 0x1000));
	put(0x2008, W(T_END, 7));
	cpu->ctr = 100000;
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(exit_reason, 7);
	CHECK_EQ(cpu->gpr[3], 1100000);
	CHECK_EQ(cpu->pc, 0x2008);
	CHECK(lifted <= 3);
	end();
}

static void t_chained_units(void)
{
	chain(false);
}

static void t_interpreted_units(void)
{
	chain(true);
}

/* Units that are kept to be interpreted keep their constants, whatever is kept after them. */
static void t_interpreted_constants(void)
{
	u64 *stored = (u64 *)(void *)&code[0x3000 / 4];

	begin(true, 0);
	put(0x1000, W(T_WIDE, 0x1234));
	put(0x1004, W(T_JUMP, 0x2000));
	put(0x2000, W(T_ADD, 1));
	put(0x2004, W(T_END, 7));
	cpu->gpr[4] = 0x3000;
	for (unsigned i = 0; i < 2; i++) {
		stored[0] = stored[1] = 0;
		CHECK_EQ(go(0x1000), 1);
		CHECK_EQ(stored[0], 0x1234);
		CHECK_EQ(stored[1], ~0x1234ULL);
	}
	end();
}

static void t_indirect_jumps(void)
{
	begin(false, 0);
	put(0x1000, W(T_ADD, 1));
	put(0x1004, W(T_RET, 0));
	put(0x3000, W(T_LOOP, 0x1000));
	put(0x3004, W(T_END, 1));
	cpu->lr = 0x3000;
	cpu->ctr = 5000;
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[3], 5000);
	/* same place in the jump cache, another address: lr + 64 KiB has no code */
	cpu->lr = 0x13000;
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(exit_reason, IRRUN_NO_CODE);
	CHECK_EQ(cpu->pc, 0x13000);
	end();
}

/* A loop over two pages rewrites one of its own instructions half way. */
static void t_rewritten_code(void)
{
	begin(false, 0);
	code_watched = true;
	put(0x1000, W(T_STORE, 0));
	put(0x1004, W(T_JUMP, 0x2000));
	put(0x2000, W(T_ADD, 1));
	put(0x2004, W(T_LOOP, 0x1000));
	put(0x2008, W(T_END, 2));
	cpu->ctr = 50;
	cpu->gpr[4] = 0x3000; /* elsewhere at first */
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[3], 50);
	cpu->ctr = 50;
	cpu->gpr[4] = 0x2000;
	cpu->gpr[5] = W(T_ADD, 100);
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[3], 50 + 5000);
	end();
}

/* The same guest page shows other code: nothing is undone, the old map just stops to match. */
static void t_page_shows_other_code(void)
{
	begin(false, 0);
	put(0x1000, W(T_JUMP, 0x8000));
	put(0x8000, W(T_ADD, 1));
	put(0x8004, W(T_END, 3));
	put(0xa000, W(T_ADD, 1000));
	put(0xa004, W(T_END, 4));
	CHECK_EQ(go(0x1000), 1);
	mapped = 0xa000;
	irrun_tlb_flush_range(&cpu->rt, 0x8000, 4096);
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(exit_reason, 4);
	CHECK_EQ(cpu->gpr[3], 1001);
	mapped = 0x8000;
	irrun_tlb_flush(&cpu->rt);
	lifted = 0;
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[3], 1002);
	CHECK_EQ(lifted, 0);
	end();
}

static void t_data_follows_flushes(void)
{
	begin(false, 0);
	put(0x1000, W(T_LOAD, 0x8010));
	put(0x1004, W(T_END, 1));
	put(0x8010, 111);
	put(0xa010, 222);
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[6], 111);
	mapped = 0xa000;
	irrun_tlb_flush(&cpu->rt);
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[6], 222);
	/* a large flush elsewhere leaves this page to be flushed */
	irrun_tlb_flush_range(&cpu->rt, 0x100000, 1ULL << 62);
	mapped = 0x8000;
	irrun_tlb_flush_range(&cpu->rt, 0x8000, 4096);
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(cpu->gpr[6], 111);
	end();
}

static _Atomic bool kicked;

/* Again and again: the first may come before the vCPU runs, which clears it. */
static void *kicker(void *arg)
{
	(void)arg;
	while (!kicked) {
		usleep(20000);
		atomic_fetch_or(&cpu->rt.kick, 1);
	}
	return NULL;
}

static void t_kick_stops_an_endless_loop(void)
{
	pthread_t t;

	begin(false, 0);
	put(0x1000, W(T_ADD, 1));
	put(0x1004, W(T_JUMP, 0x1000));
	kicked = false;
	CHECK(!pthread_create(&t, NULL, kicker, NULL));
	CHECK_EQ(go(0x1000), 0);
	kicked = true;
	pthread_join(t, NULL);
	CHECK_EQ(cpu->pc, 0x1000);
	CHECK(cpu->gpr[3] > 0);
	end();
}

static void t_faults_are_precise(void)
{
	begin(false, 0);
	put(0x1000, W(T_ADD, 5));
	put(0x1004, W(T_LOAD, 0x20000)); /* not there */
	put(0x1008, W(T_ADD, 7));
	put(0x100c, W(T_END, 1));
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(exit_reason, IRRUN_LEFT);
	CHECK_EQ(cpu->pc, 0x1004);
	CHECK_EQ(cpu->gpr[3], 5);
	fetch_fails = true;
	CHECK_EQ(go(0x6000), 1);
	CHECK_EQ(exit_reason, IRRUN_LEFT);
	end();
}

static void t_bad_unit_is_an_exit(void)
{
	begin(false, 0);
	put(0x1000, W(T_BAD, 0));
	CHECK_EQ(go(0x1000), 1);
	CHECK_EQ(exit_reason, IRRUN_BAD_UNIT);
	CHECK_EQ(cpu->pc, 0x1000);
	end();
}

/* More code than the smallest cache holds, over and over. */
static void t_full_cache(void)
{
	begin(false, 1);
	for (u32 a = 0x1000; a < CODE - 0x1000; a += 8) {
		put(a, W(T_ADD, 1));
		put(a + 4, W(T_JUMP, a + 8));
	}
	put(CODE - 0x1000, W(T_LOOP, 0x1000));
	put(CODE - 0x1000 + 4, W(T_END, 9));
	cpu->ctr = 20;
	for (unsigned round = 0; round < 12; round++) {
		cpu->gpr[3] = 0;
		cpu->ctr = 2;
		CHECK_EQ(go(0x1000), 1);
		CHECK_EQ(exit_reason, 9);
		CHECK_EQ(cpu->gpr[3], 2 * (CODE - 0x2000) / 8);
		cpu->rt.key = round; /* all of it again */
	}
	CHECK(lifted > 12 * (CODE - 0x2000) / 8);
	end();
}

/* What is wanted while a flush is on is met by it: nobody else may take it. */
static void t_one_flush_at_a_time(void)
{
	_Atomic u32 flush = JIT_FLUSH_NONE;

	CHECK(!jit_flush_take(&flush));
	jit_flush_want(&flush);
	CHECK_EQ(flush, JIT_FLUSH_WANTED);
	CHECK(jit_flush_take(&flush));
	jit_flush_want(&flush);
	CHECK(!jit_flush_take(&flush));
	CHECK_EQ(flush, JIT_FLUSH_ON);
	jit_flush_done(&flush);
	CHECK(!jit_flush_take(&flush));
	CHECK_EQ(flush, JIT_FLUSH_NONE);
}

/* What the loop does first with a word of each of two pages in turn; `rounds` times. */
static void wander(u32 what, u32 from, u32 to, u32 rounds)
{
	put(0x1000, W(what, 0));
	put(0x1004, W(T_FLIP, from ^ to));
	put(0x1008, W(T_LOOP, 0x1000));
	put(0x100c, W(T_END, 1));
	irrun_page_written(run, 0x1000);
	lifted = 0;
	cpu->gpr[4] = DATA + from;
	cpu->gpr[6] = 0;
	cpu->ctr = rounds;
	CHECK_EQ(go(0x1000), 1);
}

/*
 * A site that goes to and fro between pages looks into the table of pages, and is right when they
 * change.
 */
static void t_a_wandering_load(void)
{
	begin(false, 0);
	shown = 0x8000;
	data[0x8010 / 4] = 7;
	data[0x9010 / 4] = 1000;
	data[0x30010 / 4] = 100;
	wander(T_SUM, 0x10, 0x30010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 107);
	CHECK(lifted > 1);
	filled = 0;
	wander(T_SUM, 0x10, 0x30010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 107);
	CHECK_EQ(filled, 0);
	shown = 0x9000;
	irrun_tlb_flush_range(&cpu->rt, DATA, 4096);
	wander(T_SUM, 0x10, 0x30010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 1100);
	CHECK_EQ(filled, 1);
	shown = 0x8000;
	irrun_tlb_flush(&cpu->rt);
	wander(T_SUM, 0x10, 0x30010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 107);
	end();
}

/* Addresses that share an entry of the table: each is found where it is. */
static void t_wandering_over_one_entry(void)
{
	begin(false, 0);
	shown = 0x8000;
	data[0x8010 / 4] = 7;
	data[0x1010 / 4] = 100;
	data[0x30010 / 4] = 1000;
	wander(T_SUM, 0x10, 0x30010, 1000);
	CHECK(lifted > 1);
	wander(T_SUM, 0x10, 0x1010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 107);
	end();
}

/* Such a store misses once its page is protected, and only that. */
static void t_a_wandering_store(void)
{
	begin(false, 0);
	shown = 0x8000;
	cpu->gpr[5] = 5;
	wander(T_STORE, 0x10, 0x30010, 1000);
	CHECK(lifted > 1);
	CHECK_EQ(slow, 0);
	CHECK_EQ(data[0x8010 / 4], 5);
	code_watched = true;
	irrun_tlb_protect(&cpu->rt, (u8 *)data + 0x8000);
	cpu->gpr[5] = 6;
	wander(T_STORE, 0x10, 0x30010, 1000);
	CHECK_EQ(slow, 500);
	CHECK_EQ(data[0x8010 / 4], 6);
	CHECK_EQ(data[0x30010 / 4], 6);
	end();
}

/* Pages beside one another that the host has so too are one range: nothing is made anew. */
static void t_pages_join(void)
{
	begin(false, 0);
	data[0x1fff0 / 4] = 1;
	data[0x20010 / 4] = 100;
	wander(T_SUM, 0x1fff0, 0x20010, 10000);
	CHECK_EQ(cpu->gpr[6], 5000 * 101);
	CHECK_EQ(lifted, 1);
	CHECK_EQ(filled, 2);
	end();
}

/* What is one range is forgotten with any of its pages. */
static void t_joined_pages_change(void)
{
	begin(false, 0);
	data[0x10 / 4] = 1;
	data[0x1010 / 4] = 100;
	data[0x8010 / 4] = 1000;
	wander(T_SUM, 0x10, 0x1010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 101);
	CHECK_EQ(filled, 2);
	shown = 0x8000;
	irrun_tlb_flush_range(&cpu->rt, DATA, 4096);
	wander(T_SUM, 0x10, 0x1010, 1000);
	CHECK_EQ(cpu->gpr[6], 500 * 1100);
	cpu->gpr[5] = 5;
	wander(T_STORE, 0x2010, 0x3010, 1000);
	CHECK_EQ(slow, 0);
	code_watched = true;
	irrun_tlb_protect(&cpu->rt, (u8 *)data + 0x2000);
	wander(T_STORE, 0x2010, 0x2010, 10);
	CHECK_EQ(slow, 10);
	end();
}

int main(void)
{
	cpu = calloc(1, sizeof(*cpu));
	RUN(t_chained_units);
	RUN(t_interpreted_units);
	RUN(t_interpreted_constants);
	RUN(t_indirect_jumps);
	RUN(t_rewritten_code);
	RUN(t_page_shows_other_code);
	RUN(t_data_follows_flushes);
	RUN(t_kick_stops_an_endless_loop);
	RUN(t_faults_are_precise);
	RUN(t_bad_unit_is_an_exit);
	RUN(t_full_cache);
	RUN(t_one_flush_at_a_time);
	RUN(t_a_wandering_load);
	RUN(t_wandering_over_one_entry);
	RUN(t_a_wandering_store);
	RUN(t_pages_join);
	RUN(t_joined_pages_change);
	return test_done();
}
