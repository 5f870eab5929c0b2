/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What boards ask of a host (host/loop.h, host/mem.h, host/err.h, host/log.h and
 * getrandom), for a host without an operating system: the lock is a spin lock, the
 * event thread is whichever CPU serves the domain (sched.c), memory is pages.
 */
#include "host/loop.h"
#include "host/log.h"
#include "host/mem.h"

#include "base/bits.h"
#include "metal/clock.h"
#include "metal/domain.h"
#include "metal/entropy.h"
#include "metal/smp.h"
#include "metal/switch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- errors and log ------------------------------------------------------------- */

int err_set(struct err *e, int status, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -status;
	e->status = status;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -status;
}

/* What a guest provokes: a few lines a second, in its name. */
void log_guest(enum log_level level, const char *fmt, ...)
{
	struct engine_vcpu *v = this_cpu()->current;
	struct domain *d = v ? v->domain : NULL;
	u64 now = clock_ns();
	char text[160];
	va_list ap;

	if (d && now - d->last_log_ns < 1000000000ull && d->logs >= 4)
		return;
	if (d && now - d->last_log_ns >= 1000000000ull) {
		d->last_log_ns = now;
		d->logs = 0;
	}
	if (d)
		d->logs++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	metal_log("guest %s: %s", d ? d->cfg->name : "?", text);
}

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	entropy_fill(buf, len);
	return (ssize_t)len;
}

/* ---- guest memory -------------------------------------------------------------------- */

struct mem {
	u8 *host;
	u64 size;
	unsigned owner;
	_Atomic u8 flags[]; /* a page each, for the map: never set by us */
};

int mem_create(const char *name, u64 size, struct mem **out, struct err *e)
{
	u64 pages = align_up(size, PAGE_SIZE) / PAGE_SIZE;
	struct mem *m = calloc(1, sizeof(*m) + pages);

	if (m)
		m->host = page_alloc_zeroed(pages);
	if (!m || !m->host) {
		free(m);
		return err_set(e, E_NOMEM,
			       "no %lu MiB of free memory in one piece for it (%lu MiB free)",
			       (size >> 20), (metal.pages.count[OWNER_FREE] >> 8));
	}
	m->size = pages * PAGE_SIZE;
	m->owner = this_cpu()->owner;
	*out = m;
	return 0;
}

void mem_destroy(struct mem *m)
{
	if (!m)
		return;
	pages_free(&metal.pages, (u64)m->host, m->size / PAGE_SIZE, m->owner);
	free(m);
}

u8 *mem_host(const struct mem *m)
{
	return m->host;
}

int mem_map(struct mem *m, struct gpa_map *map, u64 gpa, u64 offset, u64 size, bool readonly,
	    struct err *e)
{
	const struct gpa_slot s = {.gpa = gpa,
				   .size = size,
				   .host = m->host + offset,
				   .page_flags = m->flags + offset / PAGE_SIZE,
				   .readonly = readonly,
				   .fd = -1};
	int err = gpa_slot_add(map, &s);

	return err ? err_set(e, -err, "cannot place %lu bytes of memory at 0x%lx", size, gpa) : 0;
}

/* ---- the machine lock, time, work ----------------------------------------------------- */

/*
 * The board creates and resets under its lock, and the core then asks the board
 * for what it keeps (TPR), which locks: the CPU that has it may take it again.
 */
void loop_lock(struct loop *l)
{
	struct cpu *c = this_cpu();

	if (l->holder != c) {
		smp_lock(&l->lock);
		l->holder = c;
	}
	l->depth++;
}

void loop_unlock(struct loop *l)
{
	if (--l->depth)
		return;
	l->holder = NULL;
	spin_unlock(&l->lock);
}

static u64 clock_now(void *opaque)
{
	struct loop *l = opaque;

	return l->paused ? l->stopped_at : clock_ns() - l->offset;
}

static u64 clock_wall(void *opaque)
{
	return clock_wall_s();
}

static void set_next(struct loop *l)
{
	u64 next = ~0ULL;

	if (!l->paused && !list_empty(&l->timers)) {
		u64 first = list_entry(l->timers.next, struct io_timer, link)->deadline_ns;

		if (add_overflow(first, l->offset, &next))
			next = ~0ULL;
	}
	if (next < l->next && l->domain->home) {
		l->next = next;
		smp_kick(l->domain->home);
	}
	l->next = next;
}

static void timer_arm(void *opaque, struct io_timer *t, u64 deadline)
{
	struct loop *l = opaque;
	struct list *at = l->timers.next;

	if (t->armed)
		list_remove(&t->link);
	t->deadline_ns = deadline;
	t->armed = true;
	at = l->timers.next;
	while (at != &l->timers && list_entry(at, struct io_timer, link)->deadline_ns <= deadline)
		at = at->next;
	list_insert_before(at, &t->link);
	set_next(l);
}

static void timer_cancel(void *opaque, struct io_timer *t)
{
	if (!t->armed)
		return;
	list_remove(&t->link);
	t->armed = false;
	set_next(opaque);
}

void loop_init(struct loop *l, struct domain *d)
{
	static const struct io_clock_ops ops = {clock_now, clock_wall, timer_arm, timer_cancel};

	memset(l, 0, sizeof(*l));
	l->clock = (struct io_clock){&ops, l};
	list_init(&l->timers);
	list_init(&l->posted);
	l->next = ~0ULL;
	l->offset = clock_ns();
	l->domain = d;
}

const struct io_clock *loop_clock(struct loop *l)
{
	return &l->clock;
}

void loop_pause(struct loop *l)
{
	if (l->paused)
		return;
	l->stopped_at = clock_now(l);
	l->paused = true;
	l->next = ~0ULL;
}

void loop_resume(struct loop *l)
{
	if (!l->paused)
		return;
	l->offset = clock_ns() - l->stopped_at;
	l->paused = false;
	set_next(l);
}

void loop_ring(struct loop *l)
{
	if (!__atomic_exchange_n(&l->work, true, __ATOMIC_ACQ_REL) && l->domain->home)
		smp_kick(l->domain->home);
}

void loop_post(struct loop *l, struct loop_work *w)
{
	if (w->posted)
		return;
	w->posted = true;
	list_insert_before(&l->posted, &w->link);
	loop_ring(l);
}

static void run_timers(struct loop *l)
{
	u64 now = clock_now(l);

	while (!l->paused && !list_empty(&l->timers)) {
		struct io_timer *t = list_entry(l->timers.next, struct io_timer, link);

		if (t->deadline_ns > now)
			break;
		list_remove(&t->link);
		t->armed = false;
		t->fn(t->opaque);
	}
	set_next(l);
}

void loop_serve(struct loop *l, u64 now)
{
	loop_lock(l);
	__atomic_store_n(&l->work, false, __ATOMIC_RELEASE);
	while (!list_empty(&l->posted)) {
		struct loop_work *w = list_entry(l->posted.next, struct loop_work, link);

		list_remove(&w->link);
		w->posted = false;
		w->fn(w->opaque);
	}
	switch_serve(l->domain);
	if (l->next <= now)
		run_timers(l);
	loop_unlock(l);
}
