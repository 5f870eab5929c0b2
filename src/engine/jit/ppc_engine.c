/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software POWER CPU as struct engine_ops (core/engine_ops.h): VM and vCPU
 * memory, the time base, sleeping in H_CEDE, state in and out. Each vCPU runs on
 * its own thread; kick, irq, start and timer come from any thread. The CPU itself
 * is ppc/ (lifter and system half) and irrun/ (its run time).
 */
#include "core/engine.h"
#include "core/ppc_state.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/system.h"

struct engine_vm {
	struct ppc_vm vm;
	_Atomic u64 tb_base, tb_frozen; /* ns of the host's clock; frozen since, 0 = runs */
	size_t hpt_bytes;
};

struct engine_vcpu {
	struct ppc_vcpu *c;
	struct engine_vm *evm;
	struct ppc_sys sys;
	_Atomic u32 asleep;
	struct engine_counters count;
};

/* ---- clock ---- */

static u64 host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static u64 timebase(void *opaque)
{
	struct engine_vm *e = opaque;
	u64 frozen = atomic_load_explicit(&e->tb_frozen, memory_order_relaxed);
	u64 ns = (frozen ? frozen : host_ns()) -
		 atomic_load_explicit(&e->tb_base, memory_order_relaxed);

	return ns / 1000 * (PPC_TB_HZ / 1000000) + ns % 1000 * (PPC_TB_HZ / 1000000) / 1000;
}

static void ppc_vm_freeze(struct engine_vm *e, bool frozen)
{
	u64 since = atomic_load(&e->tb_frozen);

	if (frozen == (since != 0))
		return;
	if (!frozen)
		atomic_fetch_add(&e->tb_base, host_ns() - since);
	atomic_store(&e->tb_frozen, frozen ? host_ns() : 0);
}

/* ---- VM ---- */

static void ppc_probe(struct engine_info *info, const char *device)
{
	(void)device;
	*info = (struct engine_info){.name = "jit",
				     .max_vcpus = PPC_MAX_VCPUS,
				     .usable = true,
				     .fast = true,
				     .traces = 1u << VCPU_TRACE_EXC | 1u << VCPU_TRACE_INT |
					       1u << VCPU_TRACE_MMIO | 1u << VCPU_TRACE_EXIT};
}

static void ppc_wake(struct ppc_vcpu *c)
{
	struct engine_vcpu *v = c->wait;

	if (atomic_load(&v->asleep))
		syscall(SYS_futex, &c->rt.kick, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void yield(void)
{
	sched_yield();
}

static void ppc_vm_destroy(struct engine_vm *e)
{
	if (!e)
		return;
	irrun_destroy(e->vm.run);
	if (e->vm.hpt)
		munmap((void *)(uintptr_t)e->vm.hpt, e->hpt_bytes);
	free(e);
}

static int hpt_map(struct engine_vm *e, unsigned shift)
{
	void *p;

	if (!shift)
		return 0;
	if (shift < 18 || shift > 46)
		return -E_INVAL;
	e->hpt_bytes = 1ull << shift;
	p = mmap(NULL, e->hpt_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -E_NOMEM;
	e->vm.hpt = p;
	e->vm.hpt_shift = shift;
	return 0;
}

static const struct irrun_ops irrun_ops = {
	.target = &ppc_target,
	.lift = ppc_lift,
	.fetch = ppc_fetch,
	.fill = ppc_fill,
	.access = ppc_access_any,
	.cas = ppc_cas,
	.exit = ppc_unit_exit,
	.mmu = ppc_mmu_index,
	.no_break = PPC_KEY_STEP,
	.protect = ppc_protect,
};

static int ppc_vm_create(const struct engine_vm_config *cfg, struct engine_vm **out)
{
	struct irrun_config rc = {
		.ops = &irrun_ops, .cache_bytes = cfg->code_cache, .interpret = cfg->interpret};
	struct engine_vm *e;
	int ret;

	if (!cfg->map || !cfg->ncpus || cfg->ncpus > PPC_MAX_VCPUS)
		return -E_INVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -E_NOMEM;
	e->vm.map = cfg->map;
	e->vm.ncpus = cfg->ncpus;
	e->vm.trace = cfg->trace && cfg->trace->kinds ? cfg->trace : NULL;
	e->vm.host = (struct ppc_host){
		.timebase = timebase, .wake = ppc_wake, .yield = yield, .opaque = e};
	atomic_store(&e->tb_base, host_ns());
	rc.vm = &e->vm;
	rc.one_cpu = cfg->ncpus == 1;
	ret = hpt_map(e, cfg->hpt_shift);
	if (!ret)
		ret = irrun_create(&e->vm.run, &rc);
	if (ret) {
		ppc_vm_destroy(e);
		return ret;
	}
	cfg->map->page_written = ppc_page_written;
	cfg->map->opaque = &e->vm;
	*out = e;
	return 0;
}

/* ---- vCPUs ---- */

static void ppc_vcpu_destroy(struct engine_vcpu *v)
{
	if (!v)
		return;
	if (v->c && v->evm->vm.vcpu[v->c->index] == v->c) {
		__atomic_store_n(&v->evm->vm.vcpu[v->c->index], NULL, __ATOMIC_RELEASE);
		irrun_cpu_remove(v->evm->vm.run, v->c);
	}
	free(v->c);
	free(v);
}

static int ppc_vcpu_create(struct engine_vm *e, unsigned index, const struct vcpu_bus *bus,
			   struct engine_vcpu **out)
{
	struct engine_vcpu *v;
	int ret = -E_NOMEM;

	if (index >= e->vm.ncpus || e->vm.vcpu[index])
		return -E_INVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -E_NOMEM;
	v->evm = e;
	v->c = aligned_alloc(4096, align_up(sizeof(*v->c), 4096));
	if (!v->c)
		goto fail;
	memset(v->c, 0, sizeof(*v->c));
	v->sys.bus = *bus;
	v->c->index = index;
	v->c->vm = &e->vm;
	v->c->sys = &v->sys;
	v->c->self = v->c;
	v->c->wait = v;
	ret = irrun_cpu_add(e->vm.run, v->c);
	if (ret)
		goto fail;
	ppc_reset(v->c);
	__atomic_store_n(&e->vm.vcpu[index], v->c, __ATOMIC_RELEASE);
	*out = v;
	return 0;
fail:
	ppc_vcpu_destroy(v);
	return ret;
}

static void ppc_vcpu_reset(struct engine_vcpu *v)
{
	struct ppc_vm *vm = v->c->vm;

	vm->radix = false;
	vm->proc_entries = 0;
	if (vm->hpt && !v->c->index) /* gives the pages back, too */
		madvise((void *)(uintptr_t)vm->hpt, v->evm->hpt_bytes, MADV_DONTNEED);
	ppc_reset(v->c);
}

static void ppc_vcpu_kick(struct engine_vcpu *v)
{
	ppc_kick_set(v->c, PPC_KICK_EXIT);
}

static void ppc_vcpu_irq(struct engine_vcpu *v, bool level)
{
	atomic_store(&v->c->irq_pin, level);
	if (level)
		ppc_kick_set(v->c, PPC_KICK_IRQ);
}

/* What the button makes on POWER is a system reset interrupt. */
static void ppc_vcpu_nmi(struct engine_vcpu *v)
{
	atomic_store(&v->sys.reset_wanted, true);
	ppc_kick_set(v->c, PPC_KICK_IRQ);
}

static int ppc_vcpu_start(struct engine_vcpu *v, u64 nip, u64 arg)
{
	u64 none = ~0ULL;

	if (!atomic_load(&v->sys.stopped))
		return -E_BUSY;
	atomic_store(&v->sys.start_arg, arg);
	if (!atomic_compare_exchange_strong(&v->sys.start_nip, &none, nip & ~3ull))
		return -E_BUSY;
	ppc_kick_set(v->c, PPC_KICK_IRQ);
	return 0;
}

static void ppc_vcpu_stop(struct engine_vcpu *v)
{
	atomic_store(&v->sys.stopped, true);
	ppc_kick_set(v->c, PPC_KICK_LOOK);
}

static bool ppc_vcpu_stopped(const struct engine_vcpu *v)
{
	return atomic_load(&v->sys.stopped) && atomic_load(&v->sys.start_nip) == ~0ULL;
}

static void ppc_vcpu_timer(struct engine_vcpu *v)
{
	atomic_store(&v->sys.timer_armed, 0);
	ppc_kick_set(v->c, PPC_KICK_IRQ);
}

/* ---- running ---- */

static void sleep_until_kick(struct engine_vcpu *v)
{
	u32 kick;

	atomic_store(&v->asleep, 1);
	while (kick = atomic_load(&v->c->rt.kick), !(kick & ~(u32)IRRUN_KICK_FLUSH))
		syscall(SYS_futex, &v->c->rt.kick, FUTEX_WAIT_PRIVATE, kick, NULL, NULL, 0);
	atomic_store(&v->asleep, 0);
}

static int run(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	*exit = (struct vcpu_exit){0};
	v->count.exits++;
	for (;;) {
		switch (ppc_run(v->c)) {
		case PPC_RUN_KICK:
			exit->kind = VCPU_EXIT_KICK;
			return 0;
		case PPC_RUN_HALT:
		case PPC_RUN_STOPPED:
			sleep_until_kick(v);
			break;
		case PPC_RUN_DEBUG:
			exit->kind = VCPU_EXIT_DEBUG;
			exit->addr = v->sys.dbg_addr;
			v->sys.dbg_hit = false;
			return 0;
		case PPC_RUN_ERROR:
			exit->kind = VCPU_EXIT_ERROR;
			snprintf(exit->reason, sizeof(exit->reason),
				 "the translator's run time gave up at 0x%llx",
				 (unsigned long long)v->c->nip);
			return 0;
		}
	}
}

static int ppc_vcpu_run(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	int ret = run(v, exit);

	ppc_trace(v->c, (struct vcpu_trace_event){.kind = VCPU_TRACE_EXIT, .where = exit->kind});
	return ret;
}

/* ---- state ---- */

static int ppc_get(struct engine_vcpu *v, struct ppc_state *s)
{
	struct ppc_vcpu *c = v->c;

	ppc_start_serve(c);
	*s = (struct ppc_state){
		.nip = c->nip,
		.msr = c->msr,
		.lr = c->lr,
		.ctr = c->ctr,
		.xer = ppc_xer_read(c),
		.cr = ppc_cr_read(c),
		.vrsave = c->vrsave,
		.vscr = c->vscr_nj << 16 | ((c->vscr_sat.dw[0] | c->vscr_sat.dw[1]) != 0),
		.fpscr = ppc_fpscr_read(c),
		.srr0 = c->srr0,
		.srr1 = c->srr1,
		.dar = c->dar,
		.dsisr = c->dsisr,
		.sprg = {c->sprg[0], c->sprg[1], c->sprg[2], c->sprg[3]},
		.pidr = c->pidr,
		.lpcr = c->lpcr,
		.stopped = ppc_vcpu_stopped(v),
	};
	memcpy(s->gpr, c->gpr, sizeof(s->gpr));
	for (unsigned i = 0; i < 64; i++) {
		s->vsr[i].hi = c->vsr[i].dw[PPC_DW(0)];
		s->vsr[i].lo = c->vsr[i].dw[PPC_DW(1)];
	}
	return 0;
}

/* What a debugger may change: nip, MSR and the registers of programs. */
static int ppc_set(struct engine_vcpu *v, const struct ppc_state *s)
{
	struct ppc_vcpu *c = v->c;

	c->nip = s->nip & ~3ull;
	c->lr = s->lr;
	c->ctr = s->ctr;
	ppc_xer_write(c, s->xer);
	ppc_cr_write(c, s->cr);
	c->vrsave = s->vrsave;
	c->vscr_nj = s->vscr >> 16 & 1;
	c->vscr_sat = (union ppc_vsr){.dw = {s->vscr & 1, 0}};
	memcpy(c->gpr, s->gpr, sizeof(c->gpr));
	for (unsigned i = 0; i < 64; i++) {
		c->vsr[i].dw[PPC_DW(0)] = s->vsr[i].hi;
		c->vsr[i].dw[PPC_DW(1)] = s->vsr[i].lo;
	}
	ppc_fpscr_write(c, s->fpscr);
	if (c->msr != s->msr)
		ppc_mtmsr(c, s->msr, 0, true);
	ppc_key_update(c);
	return 0;
}

static u64 ppc_vcpu_translate(struct engine_vcpu *v, u64 ea)
{
	const struct ppc_exc exc = v->c->exc;
	struct ppc_xlate x;
	int err = ppc_translate(v->c, ea, PPC_READ, true, &x);

	v->c->exc = exc;
	return err ? ~0ULL : x.gpa;
}

static int ppc_vcpu_debug(struct engine_vcpu *v, const struct vcpu_debug *dbg)
{
	if (dbg && (dbg->nbreaks > ARRAY_LEN(dbg->breaks) || dbg->nwatch > ARRAY_LEN(dbg->watch)))
		return -E_INVAL;
	ppc_debug_set(v->c, dbg);
	return 0;
}

static void ppc_counters(struct engine_vcpu *v, struct engine_counters *out)
{
	*out = v->count;
}

const struct engine_ops engine_ppc_ops = {
	.name = "jit",
	.arch = ENGINE_ARCH_PPC64,
	.probe = ppc_probe,
	.vm_create = ppc_vm_create,
	.vm_destroy = ppc_vm_destroy,
	.vm_freeze = ppc_vm_freeze,
	.vcpu_create = ppc_vcpu_create,
	.vcpu_destroy = ppc_vcpu_destroy,
	.vcpu_reset = ppc_vcpu_reset,
	.vcpu_get_ppc = ppc_get,
	.vcpu_set_ppc = ppc_set,
	.vcpu_start = ppc_vcpu_start,
	.vcpu_stop = ppc_vcpu_stop,
	.vcpu_stopped = ppc_vcpu_stopped,
	.vcpu_timer = ppc_vcpu_timer,
	.vcpu_run = ppc_vcpu_run,
	.vcpu_kick = ppc_vcpu_kick,
	.vcpu_irq = ppc_vcpu_irq,
	.vcpu_nmi = ppc_vcpu_nmi,
	.vcpu_debug = ppc_vcpu_debug,
	.vcpu_translate = ppc_vcpu_translate,
	.vcpu_counters = ppc_counters,
};
