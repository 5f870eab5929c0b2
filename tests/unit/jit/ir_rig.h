/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit of the toy guest through the interpreter and as emitted code, to be compared. Memory is
 * flat, or behind a soft TLB with a device's pages in it. One at a time: it lives in statics.
 */
#ifndef HULL_TESTS_IR_RIG_H
#define HULL_TESTS_IR_RIG_H

#include <stdlib.h>
#include <sys/mman.h>

#include "ir_toy.h"

#define MEMORY 65536u
#define START 0x10000000ULL

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
	if (addr - SEEN > MEMORY - size)
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
	if (addr - SEEN > MEMORY - size)
		return -1;
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

static enum ir_end interpret(bool flat)
{
	struct ir_env env = {.cpu = want,
			     .access = flat ? flat_access : slow,
			     .cas = flat ? flat_cas : slow_cas,
			     .leave = &want->rt.leave,
			     .fuel = 1000,
			     .ctx = want,
			     .cell = cell};
	enum ir_end end = ir_interp(&unit, &env);

	if (end == IR_END_EXIT)
		want->pc = env.pc;
	return end;
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

static bool rig_create(void)
{
	want = calloc(1, sizeof(*want));
	got = calloc(1, sizeof(*got));
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory0 = malloc(MEMORY);
	memory1 = malloc(MEMORY);
	return want && got && memory != MAP_FAILED && memory0 && memory1;
}

static u64 rig_memory(bool flat)
{
	return flat ? (u64)(uintptr_t)memory : SEEN;
}

/* Compares `unit` both ways from a random state; NULL or what differs. */
static const char *rig_compare(struct irrun *r, struct toy_rng *rng, bool flat)
{
	enum ir_end end;

	for (unsigned i = 0; i < MEMORY; i++)
		memory0[i] = (u8)toy_rand(rng, 256);
	randomize(want, rng, rig_memory(flat));
	memcpy(got, want, toy_target.state_bytes);
	want->pc = got->pc = START;
	memcpy(memory, memory0, MEMORY);
	end = interpret(flat);
	if (end == IR_END_KICK || end == IR_END_FAULT)
		return NULL; /* endless, or state that may be older */
	memcpy(memory1, memory, MEMORY);
	memcpy(memory, memory0, MEMORY);
	atomic_store(&got->rt.kick, 0);
	got->rt.leave = 0;
	irrun_page_written(r, flat ? START : START & 0xffffff);
	irrun_run(&got->rt);
	if (first_difference() >= 0)
		return "the state differs";
	return memcmp(memory, memory1, MEMORY) ? "memory differs" : NULL;
}

#endif
