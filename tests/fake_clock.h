/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock for device tests that moves only when told: timers fire from
 * fake_clock_advance, in order of their deadlines, with now_ns set to each
 * timer's deadline. Also a recorder for interrupt lines.
 */
#ifndef HULL_TESTS_FAKE_CLOCK_H
#define HULL_TESTS_FAKE_CLOCK_H

#include "io/clock.h"
#include "io/irq.h"

struct fake_clock {
	struct io_clock clock; /* give &fc.clock to the device */
	u64 now, wall;	       /* wall: seconds since 1970 at now == 0 */
	struct list timers;
	unsigned fired;
};

static u64 fake_now(void *opaque)
{
	return ((struct fake_clock *)opaque)->now;
}

static u64 fake_wall(void *opaque)
{
	struct fake_clock *fc = opaque;

	return fc->wall + fc->now / 1000000000u;
}

static void fake_cancel(void *opaque, struct io_timer *t)
{
	if (t->armed)
		list_remove(&t->link);
	t->armed = false;
}

static void fake_arm(void *opaque, struct io_timer *t, u64 deadline_ns)
{
	struct fake_clock *fc = opaque;
	struct list *pos;

	fake_cancel(opaque, t);
	pos = fc->timers.next;
	while (pos != &fc->timers &&
	       list_entry(pos, struct io_timer, link)->deadline_ns <= deadline_ns)
		pos = pos->next;
	list_insert_before(pos, &t->link);
	t->deadline_ns = deadline_ns;
	t->armed = true;
}

static const struct io_clock_ops fake_clock_ops = {
	.now_ns = fake_now,
	.wall_s = fake_wall,
	.timer_arm = fake_arm,
	.timer_cancel = fake_cancel,
};

static inline void fake_clock_init(struct fake_clock *fc, u64 wall)
{
	*fc = (struct fake_clock){.clock = {.ops = &fake_clock_ops, .opaque = fc}, .wall = wall};
	list_init(&fc->timers);
}

/* Fire what is due up to now + ns, then stand at now + ns. At most max_fires timers run. */
static inline void fake_clock_advance_max(struct fake_clock *fc, u64 ns, unsigned max_fires)
{
	u64 end = fc->now + ns;

	while (max_fires-- && !list_empty(&fc->timers)) {
		struct io_timer *t = list_entry(fc->timers.next, struct io_timer, link);

		if (t->deadline_ns > end)
			break;
		fake_cancel(fc, t);
		if (t->deadline_ns > fc->now)
			fc->now = t->deadline_ns;
		fc->fired++;
		t->fn(t->opaque);
	}
	fc->now = end;
}

static inline void fake_clock_advance(struct fake_clock *fc, u64 ns)
{
	fake_clock_advance_max(fc, ns, ~0u);
}

/* Counts edges of up to 32 lines. */
struct fake_lines {
	bool level[32];
	unsigned rises[32];
};

static void fake_line_set(void *opaque, unsigned n, bool level)
{
	struct fake_lines *fl = opaque;

	if (level && !fl->level[n])
		fl->rises[n]++;
	fl->level[n] = level;
}

static inline struct irq_line fake_line(struct fake_lines *fl, unsigned n)
{
	return (struct irq_line){.set = fake_line_set, .opaque = fl, .n = n};
}

#endif
