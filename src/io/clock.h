/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Time as devices see it. now_ns is the machine's virtual time in nanoseconds:
 * monotonic, starts near 0 at machine creation, stands still while the machine
 * is paused. wall_s is UTC in seconds since 1970 (RTC only).
 *
 * Timers are one-shot. The owner embeds struct io_timer, fills fn and opaque
 * once, and arms it; fn runs later on the machine's event thread with the
 * machine lock held. Arming an armed timer moves it; cancel is idempotent and,
 * called with the machine lock held, guarantees fn will not run.
 */
#ifndef HULL_IO_CLOCK_H
#define HULL_IO_CLOCK_H

#include "base/list.h"

struct io_timer {
	struct list link; /* the implementation's */
	u64 deadline_ns;
	bool armed;
	void (*fn)(void *opaque);
	void *opaque;
};

struct io_clock_ops {
	u64 (*now_ns)(void *opaque);
	u64 (*wall_s)(void *opaque);
	void (*timer_arm)(void *opaque, struct io_timer *t, u64 deadline_ns);
	void (*timer_cancel)(void *opaque, struct io_timer *t);
};

struct io_clock {
	const struct io_clock_ops *ops;
	void *opaque;
};

static inline u64 io_now(const struct io_clock *c)
{
	return c->ops->now_ns(c->opaque);
}

static inline void io_timer_arm(const struct io_clock *c, struct io_timer *t, u64 deadline_ns)
{
	c->ops->timer_arm(c->opaque, t, deadline_ns);
}

static inline void io_timer_cancel(const struct io_clock *c, struct io_timer *t)
{
	c->ops->timer_cancel(c->opaque, t);
}

#endif
