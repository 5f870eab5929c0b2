/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the code cache needs of the host OS: memory mapped twice, signal stacks,
 * signals raised by generated code, traces. The only hosted file of rt/.
 *
 * HULL_JIT (environment, for people who work on the translator): a list of
 *	trace=FILE  guest and host bytes of every unit
 *	perf        /tmp/perf-PID.map, so that `perf report` names units
 *	nogroups    one check for each memory access
 *	nowindows   no windows (hosted_window.c)
 *	allhot      windows for every unit from the start
 *	kinds=MASK  enum xl_kind bits left to the interpreter
 *	ops=LO-HI   (map << 8 | opcode) left to the interpreter
 *	hot=N       visits before code is translated
 */
#include "engine/jit/rt/fault.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/jit/code_area.h"
#include "engine/jit/native_area.h"
#include "engine/jit/rt/jit.h"
#include "engine/jit/x86/translate.h"

static int tables_create(struct jit *j)
{
	j->max_units = j->size / 128;
	j->max_sites = j->size / 16;
	j->max_pcs = j->size / 8;
	j->max_insns = j->size / 512;
	j->max_maps = j->size / 256;
	j->max_pages = j->size / 256;
	j->unit = code_area_table(j->max_units * sizeof(*j->unit));
	j->site = code_area_table(j->max_sites * sizeof(*j->site));
	j->pc = code_area_table(j->max_pcs * sizeof(*j->pc));
	j->insn = code_area_table(j->max_insns * sizeof(*j->insn));
	j->map = code_area_table(j->max_maps * sizeof(*j->map));
	j->page = code_area_table(j->max_pages * sizeof(*j->page));
	j->xl = code_area_table(sizeof(struct xl));
	return j->unit && j->site && j->pc && j->insn && j->map && j->page && j->xl ? 0 : -ENOMEM;
}

static void options_read(struct jit *j)
{
	const char *s = getenv("HULL_JIT"), *hot = s ? strstr(s, "hot=") : NULL;

	j->trace = s && strstr(s, "trace=");
	j->perf = s && strstr(s, "perf");
	j->no_groups = s && strstr(s, "nogroups");
	j->no_windows = s && strstr(s, "nowindows");
	j->all_hot = s && strstr(s, "allhot");
	if (s && strstr(s, "kinds="))
		j->exec_kinds = (u32)strtoul(strstr(s, "kinds=") + 6, NULL, 16);
	if (s && strstr(s, "ops=")) {
		char *end;

		j->exec_lo = (u32)strtoul(strstr(s, "ops=") + 4, &end, 16);
		j->exec_hi = (u32)strtoul(end + 1, NULL, 16);
	}
	if (hot)
		j->hot_visits = (u32)strtoul(hot + 4, NULL, 10) & 0xff;
}

int jit_host_create(struct jit **out, u64 cache_bytes)
{
	struct jit *j = code_area_table(sizeof(*j));
	int ret;

	if (!j)
		return -ENOMEM;
	j->hot_visits = 4;
	j->have_bmi2 = __builtin_cpu_supports("bmi2");
	options_read(j);
	j->size = (u32)code_area_size(cache_bytes);
	ret = code_area_map(j->size, &j->rw, &j->rx);
	if (!ret)
		ret = tables_create(j);
	if (ret) {
		jit_host_destroy(j);
		return ret;
	}
	*out = j;
	return 0;
}

void jit_host_destroy(struct jit *j)
{
	if (!j)
		return;
	code_area_unmap(j->rw, j->size);
	code_area_unmap(j->rx, j->size);
	code_area_unmap(j->unit, j->max_units * sizeof(*j->unit));
	code_area_unmap(j->site, j->max_sites * sizeof(*j->site));
	code_area_unmap(j->pc, j->max_pcs * sizeof(*j->pc));
	code_area_unmap(j->insn, j->max_insns * sizeof(*j->insn));
	code_area_unmap(j->map, j->max_maps * sizeof(*j->map));
	code_area_unmap(j->page, j->max_pages * sizeof(*j->page));
	code_area_unmap(j->xl, sizeof(struct xl));
	code_area_unmap(j, sizeof(*j));
}

void jit_host_yield(void)
{
	sched_yield();
}

#define SIGNAL_STACK KIB(64)

void jit_host_thread(void)
{
	stack_t now, mine = {.ss_size = SIGNAL_STACK};

	native_signals_install();
	if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
		return;
	mine.ss_sp = code_area_table(SIGNAL_STACK);
	if (mine.ss_sp)
		sigaltstack(&mine, NULL);
}

/* ---- signals raised by generated code ---- */

static u64 gs_base(void)
{
	u64 v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

static void state_from(struct x86_vcpu *c, const greg_t *r)
{
	static const u8 reg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				   REG_R12, REG_R13, REG_R14, REG_R15};
	const u64 mine = X86_F_STATUS | X86_F_DF;

	for (unsigned i = 0; i < 16; i++)
		if (i != JIT_S1 && i != JIT_S2)
			c->gpr[i] = (u64)r[reg[i]];
	c->rflags = (c->rflags & ~mine) | ((u64)r[REG_EFL] & mine);
}

/* trap: the host's own exception number, as the guest would have seen it. */
static bool raise_for(struct x86_vcpu *c, u64 trap)
{
	switch (trap) {
	case X86_DE:
	case X86_UD:
	case X86_MF:
	case X86_XM:
		x86_raise(c, (enum x86_vector)trap);
		return true;
	case X86_GP:
		x86_raise_err(c, X86_GP, 0);
		return true;
	}
	return false; /* a page fault is ours to answer for */
}

bool jit_signal(void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct x86_vcpu *c = (struct x86_vcpu *)gs_base();
	u64 pc = (u64)r[REG_RIP], rip;
	u32 site;
	struct jit *j;

	if (!c || c->self != c || !c->vm || !c->vm->jit)
		return false;
	j = c->vm->jit;
	if (pc - (u64)(uintptr_t)j->rx >= j->size || !jit_fault_rip(j, pc, &rip, &site))
		return false;
	state_from(c, r);
	c->rip = rip;
	jit_cpu(c)->fault_recipe = site;
	if (r[REG_TRAPNO] == X86_PF &&
	    jit_window_linear(c, (u64)r[REG_CR2], &jit_cpu(c)->window_at))
		jit_cpu(c)->window_fault = true;
	else if (!raise_for(c, (u64)r[REG_TRAPNO]))
		return false;
	r[REG_RIP] = (greg_t)(uintptr_t)jit_host(j, j->thunk.leave);
	r[REG_RSP] = (greg_t)c->host_rsp;
	r[REG_EFL] &= ~(greg_t)X86_F_DF;
	return true;
}

/* ---- traces ---- */

static void hex(FILE *f, const char *what, const u8 *p, unsigned n)
{
	fprintf(f, "%s", what);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%02x", p[i]);
	fputc('\n', f);
}

static void trace_unit(const struct jit *j, const struct jit_unit *u, const u8 *guest, unsigned len)
{
	char path[256] = "";
	const char *options = getenv("HULL_JIT"), *s = options ? strstr(options, "trace=") : NULL;
	FILE *f;

	if (!s)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(s + 6, ","), s + 6);
	f = fopen(path, "a");
	if (!f)
		return;
	fprintf(f, "unit %llx key %x gpa %llx insns %u fpu %d at %p\n", (unsigned long long)u->rip,
		u->map->key, (unsigned long long)u->map->gpa, u->ninsns, u->fpu,
		jit_host(j, u->e2));
	hex(f, "guest ", guest, len);
	hex(f, "host ", j->rw + u->e2, u->end - u->e2);
	fclose(f);
}

static void perf_unit(const struct jit *j, const struct jit_unit *u)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "a");
	if (!f)
		return;
	fprintf(f, "%llx %x g_%llx\n", (unsigned long long)(uintptr_t)jit_host(j, u->e0),
		u->end - u->e0, (unsigned long long)u->rip);
	fclose(f);
}

void jit_host_trace(struct jit *j, const struct jit_unit *u, const u8 *guest, unsigned len)
{
	if (j->trace)
		trace_unit(j, u, guest, len);
	if (j->perf)
		perf_unit(j, u);
}
