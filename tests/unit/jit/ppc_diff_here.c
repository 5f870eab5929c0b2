// SPDX-License-Identifier: Apache-2.0
/*
 * ppc_diff's own side: an instruction on a state by lifter, IR and helpers, in the IR's
 * interpreter, and as the run time and the emitter of this host have it (passes, generated code,
 * soft TLB, call-outs). Memory is the state itself, at its address in the guest; ppc_nosys.c is the
 * rest of sys.h.
 */
#include <signal.h>
#include <stdio.h>

#include "engine/jit/ir/interp.h"
#include "engine/jit/irrun/irrun.h"
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/sys.h"
#include "tests/unit/jit/ppc_diff.h"

#define PAGE 4096u
#define CODE_PAGE (INSN_ADDR & ~(u64)(PAGE - 1))

static struct ppc_vcpu cpu __attribute__((aligned(64)));
static struct ir_unit unit;
static union ir_cell cells[IR_MAX_OPS];
static u8 mem[PAGE] __attribute__((aligned(PAGE)));
static u8 code[PAGE] __attribute__((aligned(PAGE)));
static u64 start; /* of the code, which ends at the end of its page */
static struct irrun *engine;
static bool no_ram; /* every access of generated code calls out */

static_assert(sizeof(struct state) <= PAGE, "one page");
static_assert(INSN_ADDR % PAGE == PAGE - 4, "no unit has what is behind");

/* ---- memory ---- */

static int access_memory(void *ctx, u64 addr, u32 size, bool write, void *data)
{
	u8 *p = mem + (addr - STATE_ADDR);

	(void)ctx;
	if (addr < STATE_ADDR || addr - STATE_ADDR > sizeof(mem) - size)
		return ppc_raise(&cpu, PPC_DSI, 0);
	if (write)
		memcpy(p, data, size);
	else
		memcpy(data, p, size);
	return 0;
}

int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	return access_memory(c, ea, n, false, buf);
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	return access_memory(c, ea, n, true, (void *)(uintptr_t)buf);
}

static int cas(void *ctx, u64 addr, u32 size, const void *old, const void *new)
{
	u8 now[16];

	if (access_memory(ctx, addr, size, false, now))
		return -1;
	if (memcmp(now, old, size))
		return 0;
	return 1 + access_memory(ctx, addr, size, true, (void *)(uintptr_t) new);
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	return cas(c, ea, n, old, new);
}

/* ---- the state ---- */

static unsigned signal_of(const struct ppc_exc *e)
{
	switch (e->vector) {
	case PPC_PROGRAM:
		return e->srr1 & PPC_PROGRAM_FP	    ? SIGFPE
		       : e->srr1 & PPC_PROGRAM_TRAP ? SIGTRAP
						    : SIGILL;
	case PPC_ALIGN:
		return SIGBUS;
	case PPC_DSI:
		return SIGSEGV;
	default:
		return SIGILL;
	}
}

static void load_code(const struct here_code *c, enum here_mode mode)
{
	u8 *p = code + (INSN_ADDR - CODE_PAGE) + 4;

	memset(code, 0, sizeof(code));
	for (unsigned n = c->n; n--;)
		for (unsigned i = 0; i < 4; i++)
			*--p = (u8)(c->word[n] >> (mode & HERE_BE ? 8 * i : 24 - 8 * i));
	start = CODE_PAGE + (u64)(p - code);
}

static void load_cpu(const struct state *s, enum here_mode mode)
{
	memset(&cpu, 0, offsetof(struct ppc_vcpu, rt));
	atomic_store(&cpu.rt.kick, 0);
	cpu.rt.leave = cpu.rt.reason = 0;
	memcpy(cpu.gpr, s->gpr, sizeof(cpu.gpr));
	cpu.lr = s->lr;
	cpu.ctr = s->ctr;
	cpu.tar = s->tar;
	ppc_xer_write(&cpu, s->xer);
	ppc_cr_write(&cpu, (u32)s->cr);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			cpu.vsr[i].dw[PPC_DW(k)] = s->vsr[i][k];
	cpu.vscr_sat.dw[0] = s->vscr & 1;
	cpu.vscr_nj = s->vscr >> 16 & 1;
	cpu.msr = (mode & HERE_32 ? 0 : PPC_MSR_SF) | PPC_MSR_PR | PPC_MSR_FE0 | PPC_MSR_FE1 |
		  PPC_MSR_FP | PPC_MSR_VEC | PPC_MSR_VSX | (mode & HERE_BE ? 0 : PPC_MSR_LE);
	cpu.rt.key = PPC_KEY_ISA3 | PPC_KEY_FLAT;
	cpu.res_addr = PPC_NO_RESERVATION;
	cpu.nip = start;
	ppc_fpscr_write(&cpu, s->fpscr);
	memcpy(mem, s, sizeof(*s));
}

static void store_cpu(struct state *s)
{
	memcpy(s->mem, mem + STATE_MEM, sizeof(s->mem));
	memcpy(s->gpr, cpu.gpr, sizeof(cpu.gpr));
	s->lr = cpu.lr;
	s->ctr = cpu.ctr;
	s->xer = ppc_xer_read(&cpu);
	s->cr = ppc_cr_read(&cpu);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			s->vsr[i][k] = cpu.vsr[i].dw[PPC_DW(k)];
	s->fpscr = ppc_fpscr_read(&cpu);
	s->vscr = (u64)cpu.vscr_nj << 16 | ((cpu.vscr_sat.dw[0] | cpu.vscr_sat.dw[1]) != 0);
	s->tar = cpu.tar;
	s->signal = s->nip = 0;
	if (cpu.nip < start || cpu.nip > INSN_ADDR + 4) {
		s->nip = cpu.nip; /* perhaps there already is an interrupt of what is there */
	} else if (cpu.exc.pending) {
		s->signal = signal_of(&cpu.exc);
		s->nip = start == INSN_ADDR ? 0 : cpu.nip;
	}
}

/* Is there more of the code to run? */
static bool inside(void)
{
	return !cpu.exc.pending && cpu.nip >= start && cpu.nip <= INSN_ADDR;
}

/* ---- the interpreter ---- */

static const char *interpret_unit(enum here_mode mode, u32 *at)
{
	struct ir_env env = {.cpu = &cpu,
			     .access = access_memory,
			     .cas = cas,
			     .leave = &cpu.rt.leave,
			     .cell = cells};
	u32 bytes = mode & HERE_ONE ? 4 : (u32)(INSN_ADDR + 4 - cpu.nip);
	const char *wrong;

	cpu.rt.leave = 0;
	ppc_lift(&unit, code + (cpu.nip - CODE_PAGE), bytes, cpu.nip, cpu.rt.key);
	wrong = ir_verify(&unit, at);
	if (!wrong && ir_interp(&unit, &env) == IR_END_EXIT)
		cpu.nip = env.pc;
	return wrong;
}

bool here_interpret(struct state *s, const struct here_code *c, enum here_mode mode)
{
	const char *wrong = NULL;
	u32 host, at = 0;

	load_code(c, mode);
	load_cpu(s, mode);
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(host) : "m"(cpu.rt.mxcsr));
	while (!wrong && inside())
		wrong = interpret_unit(mode, &at);
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(cpu.rt.mxcsr) : "m"(host));
	if (wrong)
		printf("# %08x: op %u: %s\n", c->word[0], at, wrong);
	store_cpu(s);
	return !wrong;
}

/* ---- generated code ---- */

static int fetch(void *ctx, u64 pc, u64 *gpa, const u8 **host)
{
	(void)ctx;
	*gpa = pc;
	*host = pc - CODE_PAGE < PAGE ? code + (pc - CODE_PAGE) : NULL;
	return 0;
}

static int fill(void *ctx, u64 addr, u32 size, bool write, struct irrun_fill *out)
{
	(void)ctx;
	(void)size;
	(void)write;
	if (addr < STATE_ADDR || addr - STATE_ADDR >= sizeof(mem))
		return ppc_raise(&cpu, PPC_DSI, 0);
	out->host = no_ram ? NULL : mem + (addr - STATE_ADDR);
	out->start = STATE_ADDR;
	out->bytes = sizeof(mem);
	return 0;
}

static int leave(void *ctx, u32 reason)
{
	(void)ctx;
	return reason == IRRUN_NO_CODE || reason == IRRUN_BAD_UNIT || !inside();
}

static unsigned mmu(u32 key)
{
	(void)key;
	return 0;
}

static const struct irrun_ops ops = {.target = &ppc_target,
				     .lift = ppc_lift,
				     .fetch = fetch,
				     .fill = fill,
				     .access = access_memory,
				     .cas = cas,
				     .exit = leave,
				     .mmu = mmu};

bool here_start(void)
{
	const struct irrun_config cfg = {.ops = &ops, .cache_bytes = MIB(32), .one_cpu = true};

	return !irrun_create(&engine, &cfg) && !irrun_cpu_add(engine, &cpu);
}

void here_stop(void)
{
	irrun_cpu_remove(engine, &cpu);
	irrun_destroy(engine);
}

void here_emitted(struct state *s, const struct here_code *c, enum here_mode mode)
{
	load_code(c, mode);
	load_cpu(s, mode);
	irrun_page_written(engine, CODE_PAGE);
	if (no_ram != !!(mode & HERE_NO_RAM))
		irrun_tlb_flush(&cpu.rt);
	no_ram = mode & HERE_NO_RAM;
	irrun_run(&cpu.rt);
	store_cpu(s);
}
