/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/sched.h"

#include "base/bits.h"
#include "metal/clock.h"
#include "metal/console.h"
#include "metal/domain.h"
#include "metal/smp.h"

#define SLICE_NS 10000000ull
#define PERIOD_NS 100000000ull
#define POLL_NS 10000000ull /* the serial port, by the boot CPU */
#define YIELD_NS 500000ull
#define STRIDE 65536ull
#define FAIR_NS (20000000ull * STRIDE / 256) /* how far one that slept may be ahead */

/* List lock: one for all CPUs, taken by creation, destruction and picks. */
static struct spinlock list_lock;

struct slice {
	u64 start, end; /* clock_ns; end ~0: no limit */
	u64 poll;
};
static struct slice slice[CPUS_MAX];

/* ---- lists --------------------------------------------------------------------------- */

void sched_add(struct engine_vcpu *v, struct cpu *c, unsigned weight, unsigned cap)
{
	u64 pass = 0;

	spin_lock(&list_lock);
	for (struct engine_vcpu *o = c->runnable; o; o = o->next)
		pass = max_u64(pass, o->pass);
	v->cpu = c;
	v->pass = pass;
	v->weight = weight;
	v->cap = cap;
	v->next = c->runnable;
	c->runnable = v;
	spin_unlock(&list_lock);
}

void sched_remove(struct engine_vcpu *v)
{
	struct engine_vcpu **at;

	if (!v->cpu)
		return;
	spin_lock(&list_lock);
	at = (struct engine_vcpu **)&v->cpu->runnable;
	while (*at && *at != v)
		at = &(*at)->next;
	if (*at)
		*at = v->next;
	spin_unlock(&list_lock);
	v->cpu = NULL;
}

struct cpu *sched_place(void)
{
	struct cpu *best = NULL;
	unsigned least = ~0u;

	spin_lock(&list_lock);
	for (unsigned i = metal.ncpus; i-- > 0;) {
		unsigned n = 0;

		for (struct engine_vcpu *v = metal.cpu[i].runnable; v; v = v->next)
			n += v->domain->cfg->dedicated ? 1000 : 1;
		if (n < least && n < 1000) {
			least = n;
			best = &metal.cpu[i];
		}
	}
	spin_unlock(&list_lock);
	return best;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static bool throttled(struct engine_vcpu *v, u64 now, u64 *until)
{
	if (!v->cap)
		return false;
	if (v->period != now / PERIOD_NS) {
		v->period = now / PERIOD_NS;
		v->period_ns = 0;
	}
	if (v->period_ns < PERIOD_NS * v->cap / 100)
		return false;
	*until = min_u64(*until, (v->period + 1) * PERIOD_NS);
	return true;
}

static bool wants(struct engine_vcpu *v)
{
	return v->state == VCPU_RUNNABLE && v->domain->state == DOMAIN_RUNNING &&
	       !v->domain->reset_wanted;
}

/* The next vCPU, and how many others want this CPU; until: when a cap ends. */
static struct engine_vcpu *pick(struct cpu *c, u64 now, unsigned *others, u64 *until)
{
	struct engine_vcpu *best = NULL;

	*others = 0;
	spin_lock(&list_lock);
	for (struct engine_vcpu *v = c->runnable; v; v = v->next) {
		if (!wants(v) || throttled(v, now, until))
			continue;
		if (best)
			++*others;
		if (!best || v->pass < best->pass)
			best = v;
	}
	if (best)
		best->running = true;
	spin_unlock(&list_lock);
	return best;
}

void sched_wake(struct engine_vcpu *v)
{
	struct cpu *c = v->cpu;
	u32 blocked = VCPU_BLOCKED;

	if (!c)
		return;
	if (__atomic_compare_exchange_n((u32 *)&v->state, &blocked, VCPU_RUNNABLE, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		struct engine_vcpu *cur = c->current;

		v->ready_ns = clock_ns();
		/* One that slept does not come with a whole sleep's credit. */
		if (cur && cur != v && v->pass + FAIR_NS < cur->pass)
			v->pass = cur->pass - FAIR_NS;
		smp_kick(c);
	} else if (v->running) {
		if (c != this_cpu())
			smp_kick(c);
	}
}

/* ---- timers and work of the domains whose home this CPU is -------------------------------------
 */

static u64 serve_domains(struct cpu *c)
{
	u64 next = ~0ULL, now = clock_ns();

	for (unsigned i = 0; i < DOMAINS_MAX; i++) {
		struct domain *d = &domains.d[i];

		if (d->home != c || (d->state != DOMAIN_RUNNING && d->state != DOMAIN_PAUSED))
			continue;
		if (d->reset_wanted)
			domain_reset(d);
		if (d->loop.work || d->loop.next <= now)
			loop_serve(&d->loop, now);
		next = min_u64(next, d->loop.next);
	}
	return next;
}

void sched_give_way(void)
{
	slice[this_cpu()->index].end = 0;
	this_cpu()->resched = true;
}

bool sched_stay(struct engine_vcpu *v)
{
	struct cpu *c = this_cpu();
	struct slice *s = &slice[c->index];
	u64 next, now, until = ~0ULL;

	if (v->domain->loop.work)
		loop_serve(&v->domain->loop, clock_ns());
	if (!c->resched && !c->wake)
		return v->domain->state == DOMAIN_RUNNING && !v->domain->reset_wanted;
	c->resched = c->wake = false;
	smp_serve();
	next = serve_domains(c);
	now = clock_ns();
	if (!wants(v) || now >= s->poll)
		return false;
	if (v->cap) {
		v->period_ns += now - s->start;
		v->ran_ns += now - s->start;
		v->pass += (now - s->start) * STRIDE / v->weight;
		s->start = now;
		if (throttled(v, now, &until))
			return false;
	}
	/* Does another one want to run that has had less? */
	for (struct engine_vcpu *o = c->runnable; o; o = o->next)
		if (o != v && wants(o) && (now >= s->end || o->pass + FAIR_NS / 2 <= v->pass))
			return false;
		else if (o != v && wants(o) && s->end == ~0ULL)
			s->end = now + SLICE_NS;
	clock_deadline(min_u64(min_u64(s->end, next), s->poll));
	return true;
}

/* ---- running
 * -------------------------------------------------------------------------------------- */

static void run(struct cpu *c, struct engine_vcpu *v, unsigned others, u64 deadline)
{
	struct slice *s = &slice[c->index];
	struct hv_exit e;
	u64 now = clock_ns();
	struct hv_vcpu *loaded = metal.hv_cpu[c->index].loaded;

	if (loaded && loaded != &v->hv)
		hv_vcpu_put(loaded);
	s->start = now;
	s->end = others ? now + SLICE_NS : ~0ULL;
	if (v->cap)
		s->end = min_u64(s->end, now + PERIOD_NS / 20);
	v->waited_ns += v->ready_ns ? now - v->ready_ns : 0;
	v->ready_ns = 0;
	c->current = v;
	c->owner = v->domain->owner;
	clock_deadline(min_u64(s->end, deadline));
	hv_vcpu_run(&v->hv, &e);
	c->owner = OWNER_HYPERVISOR;
	c->current = NULL;
	now = clock_ns();
	v->ran_ns += now - s->start;
	v->period_ns += now - s->start;
	v->pass += (now - s->start) * STRIDE / v->weight;
	c->busy_ns += now - s->start;
	switch (e.kind) {
	case HV_EXIT_HALT:
		v->state = VCPU_BLOCKED;
		if (hv_vcpu_ready(&v->hv))
			v->state = VCPU_RUNNABLE;
		break;
	case HV_EXIT_YIELD: /* it spins: whoever it waits for should run */
		v->pass += YIELD_NS * STRIDE / v->weight;
		break;
	case HV_EXIT_KICK:
		break;
	case HV_EXIT_SHUTDOWN:
		domain_end(v->domain, "CPU %u: triple fault", v->hv.index);
		break;
	default:
		domain_end(v->domain, "CPU %u: %s", v->hv.index,
			   e.kind == HV_EXIT_ERROR ? e.reason : "an exit nobody expected");
		break;
	}
	v->ready_ns = v->state == VCPU_RUNNABLE ? now : 0;
	__atomic_store_n(&v->running, false, __ATOMIC_RELEASE);
}

/* A CPU that others put to work while it slept must not sleep: look before, with interrupts off. */
static void idle(struct cpu *c, u64 deadline)
{
	u64 start = clock_ns();

	clock_deadline(deadline);
	if (!c->wake && !c->resched)
		irq_window(true);
	c->idle_ns += clock_ns() - start;
}

void sched_run(void)
{
	struct cpu *c = this_cpu();
	struct slice *s = &slice[c->index];

	s->poll = c->index ? ~0ULL : 0;
	for (;;) {
		struct engine_vcpu *v;
		unsigned others;
		u64 deadline;

		irq_window(false);
		smp_serve();
		c->resched = c->wake = false;
		if (clock_ns() >= s->poll) {
			smp_kick_again();
			console_poll();
			s->poll = clock_ns() + POLL_NS;
		}
		deadline = min_u64(serve_domains(c), s->poll);
		v = pick(c, clock_ns(), &others, &deadline);
		if (v)
			run(c, v, others, deadline);
		else
			idle(c, deadline);
	}
}

void sched_stop(struct domain *d)
{
	for (unsigned i = 0; i < d->nvcpus; i++) {
		struct engine_vcpu *v = d->vcpu[i];

		if (!v || !v->cpu)
			continue;
		while (__atomic_load_n(&v->running, __ATOMIC_ACQUIRE) && v->cpu != this_cpu()) {
			smp_kick(v->cpu);
			for (unsigned k = 0; k < 1000 && v->running; k++) {
				smp_serve();
				cpu_relax();
			}
		}
	}
}
