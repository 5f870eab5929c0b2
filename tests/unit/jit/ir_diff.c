/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random units: what the interpreter makes of them and what optimised, emitted code does must be
 * the same state and the same memory, with flat memory and with the soft TLB.
 */
#include "ir_toy.h"
#include "../../test.h"
#include "engine/jit/ir/text.h"
#include "engine/jit/irrun/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MEMORY 65536u
#define START 0x10000000ULL

static unsigned count = 3000;
static u64 first = 1;
static bool verbose;
static struct ir_unit unit;
static struct toy_cpu *want, *got;
static u8 *memory, *memory0, *memory1;
static union ir_cell cell[IR_MAX_OPS];

static void lift(struct ir_unit *u, const u8 *code, u32 bytes, u64 pc, u32 key)
{
	(void)code;
	(void)bytes;
	(void)key;
	if (pc == unit.pc) {
		memcpy(u, &unit, sizeof(unit));
		return;
	}
	ir_begin(u, &toy_target, pc);
	ir_insn(u, pc);
	ir_put(u, IR_I64, 8, offsetof(struct toy_cpu, pc), ir_const(u, pc));
	ir_exitrt(u, 6);
}

static int done(void *cpu, u32 reason)
{
	(void)cpu;
	return (int)(reason & 0xff);
}

/* The soft TLB's guest memory is elsewhere than where the guest sees it. */
#define SEEN 0x200000ULL
static int fill(void *cpu, u64 addr, u32 size, bool write, struct irrun_fill *out)
{
	(void)cpu;
	(void)size;
	(void)write;
	if (addr - SEEN >= MEMORY)
		return -1;
	out->host = memory + (addr - SEEN);
	out->start = addr & ~0xfffULL;
	out->bytes = 4096;
	if ((addr >> 12 & 3) == 3)
		out->host = NULL; /* a device */
	return 0;
}

static int slow(void *cpu, u64 addr, u32 size, bool write, void *data)
{
	(void)cpu;
	if (addr - SEEN >= MEMORY)
		return -1;
	if (write)
		memcpy(memory + (addr - SEEN), data, size);
	else
		memcpy(data, memory + (addr - SEEN), size);
	return 0;
}

static int slow_cas(void *cpu, u64 addr, u32 size, const void *old, const void *new)
{
	(void)cpu;
	if (memcmp(memory + (addr - SEEN), old, size))
		return 0;
	memcpy(memory + (addr - SEEN), new, size);
	return 1;
}

static int fetch(void *cpu, u64 pc, u64 *gpa, const u8 **host)
{
	(void)cpu;
	*gpa = pc & 0xffffff;
	*host = memory;
	return 0;
}

static unsigned mmu(u32 key)
{
	return key & 1;
}

static const struct irrun_ops flat_ops = {
	.target = &toy_target, .flat = true, .lift = lift, .exit = done};
static const struct irrun_ops tlb_ops = {.target = &toy_target,
					 .lift = lift,
					 .fetch = fetch,
					 .fill = fill,
					 .access = slow,
					 .cas = slow_cas,
					 .exit = done,
					 .mmu = mmu};

/* ---- the interpreter's side ---- */

static int flat_access(void *ctx, u64 addr, u32 size, bool write, void *data)
{
	(void)ctx;
	if (write)
		memcpy((void *)(uintptr_t)addr, data, size);
	else
		memcpy(data, (void *)(uintptr_t)addr, size);
	return 0;
}

static int flat_cas(void *ctx, u64 addr, u32 size, const void *old, const void *new)
{
	(void)ctx;
	if (memcmp((void *)(uintptr_t)addr, old, size))
		return 0;
	memcpy((void *)(uintptr_t)addr, new, size);
	return 1;
}

static void interpret(bool flat)
{
	struct ir_env env = {.cpu = want,
			     .access = flat ? flat_access : slow,
			     .cas = flat ? flat_cas : slow_cas,
			     .leave = &want->rt.leave,
			     .cell = cell};
	enum ir_end end = ir_interp(&unit, &env);

	if (end == IR_END_EXIT)
		want->pc = env.pc & ~3ULL;
}

static void randomize(struct toy_cpu *t, struct toy_rng *r, u64 at)
{
	for (unsigned i = 0; i < 32; i++)
		t->gpr[i] = toy_number(r);
	t->lr = toy_number(r);
	t->ctr = at;
	for (unsigned i = 0; i < 40; i++)
		t->flag[i] = (u8)toy_rand(r, 2);
	for (unsigned i = 0; i < 16; i++)
		t->vr[i] = (struct ir_v128){toy_number(r), toy_number(r)};
	t->loops = 0;
	t->rt.leave = 0;
}

static int first_difference(void)
{
	const u8 *a = (const u8 *)want, *b = (const u8 *)got;

	for (u32 i = 0; i < toy_target.state_bytes; i++)
		if (a[i] != b[i] && i - toy_target.vtmp_off >= 16) /* vtmp is scratch */
			return (int)i;
	return -1;
}

static void compare_one(struct irrun *r, struct toy_rng *rng, bool flat)
{
	u64 at = flat ? (u64)(uintptr_t)memory : SEEN;
	u32 where;

	toy_unit(&unit, rng, 10 + toy_rand(rng, 150), START, at, MEMORY);
	CHECK(!ir_verify(&unit, &where));
	for (unsigned i = 0; i < MEMORY; i++)
		memory0[i] = (u8)toy_rand(rng, 256);
	randomize(want, rng, at);
	memcpy(got, want, toy_target.state_bytes);
	want->pc = got->pc = START;
	memcpy(memory, memory0, MEMORY);
	interpret(flat);
	memcpy(memory1, memory, MEMORY);
	memcpy(memory, memory0, MEMORY);
	atomic_store(&got->rt.kick, 0);
	irrun_page_written(r, flat ? START : START & 0xffffff);
	irrun_run(&got->rt);
	CHECK_EQ(first_difference(), -1);
	CHECK(!memcmp(memory, memory1, MEMORY));
}

/* The host code of the unit, for objdump -D -b binary -m i386:x86-64. */
static void dump(const struct irrun *r)
{
	FILE *f = fopen("/tmp/ir_diff.bin", "w");

	if (!f)
		return;
	for (u32 i = 0; i < r->nunits; i++)
		if (r->unit[i].pc == START)
			fwrite(r->rw + r->unit[i].e0, 1, r->unit[i].end - r->unit[i].e0, f);
	fclose(f);
}

static void many(bool flat, unsigned n, u64 seed)
{
	struct irrun_config cfg = {.ops = flat ? &flat_ops : &tlb_ops, .cache_bytes = MIB(64)};
	struct toy_rng rng;
	struct irrun *r;

	CHECK_EQ(irrun_create(&r, &cfg), 0);
	CHECK_EQ(irrun_cpu_add(r, got), 0);
	for (unsigned i = 0; i < n; i++) {
		rng = (struct toy_rng){.s = (seed + i) * 0x9e3779b97f4a7c15ULL + 1};
		compare_one(r, &rng, flat);
		if (test_state.why[0]) {
			fprintf(stderr, "# %s memory, seed %llu\n", flat ? "flat" : "soft TLB",
				(unsigned long long)(seed + i));
			if (verbose) {
				static char text[1 << 20];

				ir_print(&unit, text, sizeof(text));
				fputs(text, stderr);
				dump(r);
			}
			break;
		}
	}
	irrun_cpu_remove(r, got);
	irrun_destroy(r);
}

static void t_flat_memory(void)
{
	many(true, count, first);
}

static void t_soft_tlb(void)
{
	many(false, count, first);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		count = (unsigned)atoi(argv[1]);
	if (argc > 2)
		first = strtoull(argv[2], NULL, 0);
	verbose = argc > 3;
	want = calloc(1, sizeof(*want));
	got = calloc(1, sizeof(*got));
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory0 = malloc(MEMORY);
	memory1 = malloc(MEMORY);
	RUN(t_flat_memory);
	RUN(t_soft_tlb);
	return test_done();
}
