/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software CPU as struct engine_ops (core/engine_ops.h): VM and vCPU memory,
 * the clock, sleeping while the guest halts, state in and out. Runs on each
 * vCPU's own thread; kick, irq, nmi, init and sipi come from any thread. The CPU
 * itself is x86/ and rt/, which know nothing of the host.
 */
#include "core/engine.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/jit/engine_state.h"
#include "engine/jit/native_area.h"
#include "engine/jit/x86/sys.h"

#define MAX_VCPUS 64u
#define GUARD 65536u
#define DEFAULT_CODE_CACHE MIB(64)

struct engine_vm {
	struct x86_vm vm;
	struct x86_host host;
};

/* c->wait: is the vCPU thread asleep on c->kick? */
struct sleeper {
	_Atomic u32 asleep;
};

struct engine_vcpu {
	struct x86_vcpu *c;
	struct engine_vm *evm;
	struct sleeper sleeper;
};

/* ---- clock ---- */

static u64 clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* TSC and monotonic clock read together: the tightest of a few tries. */
static void clock_pair(u64 *tsc, u64 *ns)
{
	u64 best = ~0ULL;

	for (unsigned i = 0; i < 8; i++) {
		u64 a = __builtin_ia32_rdtsc(), t = clock_ns(CLOCK_MONOTONIC),
		    b = __builtin_ia32_rdtsc();

		if (b - a < best) {
			best = b - a;
			*tsc = a + (b - a) / 2;
			*ns = t;
		}
	}
}

/* What a hypervisor below us or the CPU itself says (CPUID 0x40000010, 0x15), else measured. */
static u64 host_tsc_khz(void)
{
	u64 t0 = 0, n0 = 0, t1 = 0, n1 = 0;
	struct timespec nap = {.tv_nsec = 10000000};
	u32 a, b, c, d;

	__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0x40000000), "c"(0));
	if (a >= 0x40000010 && a < 0x40000100) {
		__asm__ volatile("cpuid"
				 : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
				 : "a"(0x40000010), "c"(0));
		if (a > 100000)
			return a;
	}
	clock_pair(&t0, &n0);
	nanosleep(&nap, NULL);
	clock_pair(&t1, &n1);
	return (t1 - t0) * 1000000 / (n1 - n0);
}

/* ---- VM ---- */

static void jit_probe(struct engine_info *info, const char *device)
{
	(void)device;
	*info = (struct engine_info){.name = "jit",
				     .caps = ENGINE_CAP_DIRTY_LOG | ENGINE_CAP_KVMCLOCK,
				     .traces = (1u << VCPU_TRACE_KINDS) - 1,
				     .max_vcpus = MAX_VCPUS,
				     .usable = true};
#if defined(__x86_64__)
	info->fast = true;
#else
	info->usable = false;
	snprintf(info->note, sizeof(info->note), "needs an x86-64 host");
#endif
}

static void jit_vm_destroy(struct engine_vm *e)
{
	if (!e)
		return;
	if (e->vm.jit)
		jit_destroy(e->vm.jit);
	free(e);
}

static void yield_cpu(void)
{
	sched_yield();
}

static int jit_vm_create(const struct engine_vm_config *cfg, struct engine_vm **out)
{
	struct engine_vm *e;
	int ret;

	if (!cfg->map || !cfg->ncpus || cfg->ncpus > MAX_VCPUS)
		return -E_INVAL;
	ret = native_signals_install();
	if (ret)
		return ret;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -E_NOMEM;
	e->vm.map = cfg->map;
	e->vm.ncpus = cfg->ncpus;
	e->vm.host = &e->host;
	e->vm.tsc_khz = host_tsc_khz();
	e->vm.wall_ns = clock_ns(CLOCK_REALTIME) + (u64)cfg->wall_offset * 1000000000;
	e->vm.tsc_base = __builtin_ia32_rdtsc();
	x86_cpuid_init(&e->vm, &e->host);
	e->vm.trace = cfg->trace && cfg->trace->kinds ? cfg->trace : NULL;
	e->vm.yield = cfg->ncpus > 1 ? yield_cpu : NULL;
	cfg->map->page_written = x86_page_written;
	cfg->map->opaque = &e->vm;
	if (!cfg->interpret)
		e->vm.jit =
			jit_create(&e->vm, cfg->code_cache ? cfg->code_cache : DEFAULT_CODE_CACHE);
	*out = e;
	return 0;
}

static void jit_vm_freeze(struct engine_vm *e, bool frozen)
{
	u64 since = atomic_load(&e->vm.tsc_frozen), gone;

	if (frozen == (since != 0))
		return;
	if (!frozen) {
		gone = __builtin_ia32_rdtsc() - since;
		e->vm.tsc_base += gone;
		e->vm.wall_ns += (u64)((unsigned __int128)gone * 1000000 / e->vm.tsc_khz);
	}
	atomic_store(&e->vm.tsc_frozen, frozen ? __builtin_ia32_rdtsc() : 0);
}

/* ---- vCPUs ---- */

static void *guarded_map(size_t size)
{
	size_t all = align_up(size, 4096) + 2 * GUARD;
	char *p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p + GUARD, align_up(size, 4096), PROT_READ | PROT_WRITE)) {
		munmap(p, all);
		return NULL;
	}
	return p + GUARD;
}

static void guarded_unmap(void *p, size_t size)
{
	if (p)
		munmap((char *)p - GUARD, align_up(size, 4096) + 2 * GUARD);
}

static void jit_vcpu_destroy(struct engine_vcpu *v)
{
	struct x86_vcpu *c;

	if (!v)
		return;
	c = v->c;
	if (c) {
		__atomic_store_n(&v->evm->vm.vcpu[c->index], NULL, __ATOMIC_RELEASE);
		if (v->evm->vm.jit)
			jit_vcpu_fini(c);
		native_area_destroy(c);
		guarded_unmap(c->sys, sizeof(*c->sys));
		guarded_unmap(c, sizeof(*c));
	}
	free(v);
}

static int vcpu_memory(struct engine_vcpu *v, unsigned index)
{
	struct x86_vcpu *c = guarded_map(sizeof(*c));

	if (!c)
		return -E_NOMEM;
	v->c = c;
	c->index = index;
	c->sys = guarded_map(sizeof(*c->sys));
	if (!c->sys)
		return -E_NOMEM;
	c->self = c;
	c->vm = &v->evm->vm;
	c->wait = &v->sleeper;
	return native_area_create(c);
}

static int jit_vcpu_create(struct engine_vm *e, unsigned index, const struct vcpu_bus *bus,
			   struct engine_vcpu **out)
{
	struct engine_vcpu *v;
	int ret;

	if (index >= e->vm.ncpus || e->vm.vcpu[index])
		return -E_INVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -E_NOMEM;
	v->evm = e;
	ret = vcpu_memory(v, index);
	if (ret)
		goto fail;
	v->c->bus = *bus;
	x86_tlb_init(v->c);
	x86_reset(v->c, false);
	if (e->vm.jit) {
		ret = jit_vcpu_init(v->c);
		if (ret)
			goto fail;
	}
	__atomic_store_n(&e->vm.vcpu[index], v->c, __ATOMIC_RELEASE);
	*out = v;
	return 0;
fail:
	jit_vcpu_destroy(v);
	return ret;
}

static void jit_vcpu_reset(struct engine_vcpu *v)
{
	x86_reset(v->c, false);
}

/* ---- events from other threads ---- */

static void wake(struct engine_vcpu *v)
{
	if (atomic_load(&v->sleeper.asleep))
		syscall(SYS_futex, &v->c->kick, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void kick_bits(struct engine_vcpu *v, u32 bits)
{
	atomic_fetch_or(&v->c->kick, bits);
	wake(v);
}

static void jit_vcpu_kick(struct engine_vcpu *v)
{
	kick_bits(v, X86_KICK_EXIT);
}

static void jit_vcpu_irq(struct engine_vcpu *v, bool level)
{
	atomic_store(&v->c->irq_pin, level);
	if (level)
		kick_bits(v, X86_KICK_IRQ);
}

/* One NMI waits for the handler of another to end; before that starts, one behind it. */
static void jit_vcpu_nmi(struct engine_vcpu *v)
{
	u32 max = __atomic_load_n(&v->c->nmi_masked, __ATOMIC_RELAXED) ? 1 : 2;
	u32 n = atomic_load(&v->c->sys->nmi_queued);

	while (n < max && !atomic_compare_exchange_weak(&v->c->sys->nmi_queued, &n, n + 1))
		;
	kick_bits(v, X86_KICK_NMI);
}

static void jit_vcpu_init_ipi(struct engine_vcpu *v)
{
	kick_bits(v, X86_KICK_INIT);
}

static void jit_vcpu_sipi(struct engine_vcpu *v, u8 vector)
{
	v->c->sipi_vector = vector;
	kick_bits(v, X86_KICK_SIPI);
}

/* ---- running ---- */

static void sleep_until_kick(struct engine_vcpu *v)
{
	atomic_store(&v->sleeper.asleep, 1);
	while (!atomic_load(&v->c->kick))
		syscall(SYS_futex, &v->c->kick, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	atomic_store(&v->sleeper.asleep, 0);
}

static int run_to_exit(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	struct x86_vcpu *c = v->c;

	*exit = (struct vcpu_exit){0};
	c->count.exits++;
	for (;;) {
		switch (x86_run(c)) {
		case X86_RUN_KICK:
			exit->kind = VCPU_EXIT_KICK;
			return 0;
		case X86_RUN_SHUTDOWN:
			exit->kind = VCPU_EXIT_SHUTDOWN;
			exit->addr = c->rip;
			return 0;
		case X86_RUN_DEBUG:
			exit->kind = VCPU_EXIT_DEBUG;
			exit->addr = c->sys->dbg_addr;
			return 0;
		case X86_RUN_HALT:
			sleep_until_kick(v);
			break;
		}
	}
}

static int jit_vcpu_run(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	int ret = run_to_exit(v, exit);

	x86_trace(v->c, (struct vcpu_trace_event){.kind = VCPU_TRACE_EXIT, .where = exit->kind});
	return ret;
}

static int jit_vcpu_debug(struct engine_vcpu *v, const struct vcpu_debug *dbg)
{
	struct x86_vcpu *c = v->c;

	c->dbg_on = dbg && (dbg->step || dbg->nbreaks || dbg->nwatch);
	if (dbg) {
		if (dbg->nbreaks > ARRAY_LEN(dbg->breaks) || dbg->nwatch > ARRAY_LEN(dbg->watch))
			return -E_INVAL;
		c->dbg = *dbg;
	}
	x86_debug_update(c);
	return 0;
}

static u64 jit_vcpu_translate(struct engine_vcpu *v, u64 linear)
{
	return x86_walk_probe(v->c, linear);
}

static u64 jit_vcpu_tsc(struct engine_vcpu *v, u64 *khz)
{
	*khz = v->c->vm->tsc_khz;
	return x86_tsc(v->c);
}

static void jit_vcpu_counters(struct engine_vcpu *v, struct engine_counters *out)
{
	*out = v->c->count;
}

static void jit_vcpu_cpuid(struct engine_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	x86_cpuid(v->c, leaf, sub, out);
}

/* ---- dirty log ---- */

static int jit_dirty_log(struct engine_vm *e, unsigned slot, u64 *bitmap, bool enable)
{
	struct gpa_slot *s;
	u64 pages;

	if (slot >= e->vm.map->nslots)
		return -E_INVAL;
	s = &e->vm.map->slot[slot];
	pages = s->size >> GPA_PAGE_SHIFT;
	for (u64 i = 0; i < pages; i++) {
		u8 was;

		if (bitmap && !(i & 63))
			bitmap[i / 64] = 0;
		was = enable ? atomic_fetch_or(&s->page_flags[i], GPA_PAGE_CLEAN)
			     : atomic_fetch_and(&s->page_flags[i], (u8)~GPA_PAGE_CLEAN);
		if (was & GPA_PAGE_CLEAN)
			continue;
		if (bitmap)
			bitmap[i / 64] |= BIT(i & 63);
		if (enable)
			x86_tlb_protect(&e->vm, s->gpa + (i << GPA_PAGE_SHIFT));
	}
	return 0;
}

static int jit_get_state(struct engine_vcpu *v, struct x86_state *s)
{
	return engine_jit_get_state(v->c, s);
}

static int jit_set_state(struct engine_vcpu *v, const struct x86_state *s)
{
	return engine_jit_set_state(v->c, s);
}

const struct engine_ops engine_jit_ops = {
	.name = "jit",
	.probe = jit_probe,
	.vm_create = jit_vm_create,
	.vm_destroy = jit_vm_destroy,
	.vm_freeze = jit_vm_freeze,
	.vcpu_create = jit_vcpu_create,
	.vcpu_destroy = jit_vcpu_destroy,
	.vcpu_reset = jit_vcpu_reset,
	.vcpu_get_state = jit_get_state,
	.vcpu_set_state = jit_set_state,
	.vcpu_run = jit_vcpu_run,
	.vcpu_kick = jit_vcpu_kick,
	.vcpu_irq = jit_vcpu_irq,
	.vcpu_nmi = jit_vcpu_nmi,
	.vcpu_init = jit_vcpu_init_ipi,
	.vcpu_sipi = jit_vcpu_sipi,
	.vcpu_debug = jit_vcpu_debug,
	.vcpu_translate = jit_vcpu_translate,
	.vcpu_tsc = jit_vcpu_tsc,
	.vcpu_counters = jit_vcpu_counters,
	.vcpu_cpuid = jit_vcpu_cpuid,
	.dirty_log = jit_dirty_log,
};
