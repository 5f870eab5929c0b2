/* SPDX-License-Identifier: Apache-2.0 */
#include "host/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LOOP_BATCH 32

/* epoll's data of the loop's own descriptors; watches count up from LOOP_ID_FIRST. */
enum { LOOP_ID_WAKE, LOOP_ID_TIMER, LOOP_ID_FIRST };

struct loop {
	pthread_mutex_t lock;
	int epfd, wakefd, timerfd;
	_Atomic bool stop;
	struct list watches;
	u64 next_id;

	struct list timers; /* sorted by deadline */
	u64 programmed_ns;  /* deadline the timerfd is set to, ~0 = off */

	pthread_mutex_t work_lock;
	struct list work;

	struct io_clock clock;
	_Atomic u64 base_ns;   /* virtual = monotonic - base */
	_Atomic u64 frozen_ns; /* virtual time while paused */
	_Atomic bool paused;
};

static u64 monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* ---- clock ---- */

static u64 clock_now(void *opaque)
{
	struct loop *l = opaque;

	return l->paused ? l->frozen_ns : monotonic_ns() - l->base_ns;
}

static u64 clock_wall(void *opaque)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec;
}

/* Sets the timerfd when the first deadline is earlier than what it is set to. */
static void timer_program(struct loop *l)
{
	struct itimerspec its = {0};
	u64 first, abs;

	if (l->paused || list_empty(&l->timers))
		return; /* a late shot finds nothing due: cheaper than disarming */
	first = list_entry(l->timers.next, struct io_timer, link)->deadline_ns;
	if (first >= l->programmed_ns)
		return;
	l->programmed_ns = first;
	if (__builtin_add_overflow(first, l->base_ns, &abs) || abs > INT64_MAX)
		abs = INT64_MAX;
	its.it_value.tv_sec = (time_t)(abs / 1000000000u);
	its.it_value.tv_nsec = (long)(abs % 1000000000u);
	timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
}

static void clock_cancel(void *opaque, struct io_timer *t)
{
	if (t->armed)
		list_remove(&t->link);
	t->armed = false;
}

static void clock_arm(void *opaque, struct io_timer *t, u64 deadline_ns)
{
	struct loop *l = opaque;
	struct list *pos = l->timers.prev;

	clock_cancel(l, t);
	t->deadline_ns = deadline_ns;
	t->armed = true;
	pos = l->timers.prev;
	while (pos != &l->timers &&
	       list_entry(pos, struct io_timer, link)->deadline_ns > deadline_ns)
		pos = pos->prev;
	list_insert_after(pos, &t->link);
	timer_program(l);
}

static const struct io_clock_ops loop_clock_ops = {
	.now_ns = clock_now,
	.wall_s = clock_wall,
	.timer_arm = clock_arm,
	.timer_cancel = clock_cancel,
};

const struct io_clock *loop_clock(struct loop *l)
{
	return &l->clock;
}

/* Runs what is due now; a callback that re-arms itself in the past runs next round. */
static void timers_run(struct loop *l)
{
	u64 expirations, now = clock_now(l);

	if (read(l->timerfd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return;
	l->programmed_ns = ~0ULL;
	while (!l->paused && !list_empty(&l->timers)) {
		struct io_timer *t = list_entry(l->timers.next, struct io_timer, link);

		if (t->deadline_ns > now)
			break;
		clock_cancel(l, t);
		t->fn(t->opaque);
	}
	timer_program(l);
}

void loop_pause(struct loop *l)
{
	if (l->paused)
		return;
	l->frozen_ns = clock_now(l);
	l->paused = true;
}

void loop_resume(struct loop *l)
{
	if (!l->paused)
		return;
	l->base_ns = monotonic_ns() - l->frozen_ns;
	l->paused = false;
	l->programmed_ns = ~0ULL;
	timer_program(l);
}

/* ---- posted work ---- */

static void loop_wake(struct loop *l)
{
	u64 one = 1;

	if (write(l->wakefd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is full, so it is awake anyway */
}

void loop_post(struct loop *l, struct loop_work *w)
{
	bool wake = false;

	pthread_mutex_lock(&l->work_lock);
	if (!w->posted) {
		w->posted = true;
		wake = list_empty(&l->work);
		list_insert_before(&l->work, &w->link);
	}
	pthread_mutex_unlock(&l->work_lock);
	if (wake)
		loop_wake(l);
}

static struct loop_work *work_take(struct loop *l)
{
	struct loop_work *w = NULL;

	pthread_mutex_lock(&l->work_lock);
	if (!list_empty(&l->work)) {
		w = list_entry(l->work.next, struct loop_work, link);
		list_remove(&w->link);
		w->posted = false;
	}
	pthread_mutex_unlock(&l->work_lock);
	return w;
}

static void work_run(struct loop *l)
{
	struct loop_work *w;
	u64 count;

	if (read(l->wakefd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	while ((w = work_take(l)))
		w->fn(w->opaque);
}

/* ---- descriptors ---- */

int loop_fd_add(struct loop *l, struct loop_fd *w, int fd, u32 events,
		void (*fn)(void *opaque, u32 events), void *opaque, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.u64 = l->next_id};

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_errno(e, "cannot watch descriptor %d", fd);
	*w = (struct loop_fd){.id = l->next_id++, .fd = fd, .fn = fn, .opaque = opaque};
	list_insert_before(&l->watches, &w->link);
	return 0;
}

void loop_fd_mod(struct loop *l, struct loop_fd *w, u32 events)
{
	struct epoll_event ev = {.events = events, .data.u64 = w->id};

	if (w->id)
		epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev);
}

void loop_fd_del(struct loop *l, struct loop_fd *w)
{
	if (!w->id)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	list_remove(&w->link);
	w->id = 0;
}

/*
 * The kernel's batch may name a watch that was deleted after epoll_wait
 * returned: so it carries numbers that are never used twice, not pointers.
 */
static void watch_dispatch(struct loop *l, u64 id, u32 events)
{
	list_for_each_safe (it, tmp, &l->watches) {
		struct loop_fd *w = list_entry(it, struct loop_fd, link);

		if (w->id == id) {
			w->fn(w->opaque, events);
			return;
		}
	}
}

static void loop_dispatch(struct loop *l, u64 id, u32 events)
{
	if (id == LOOP_ID_WAKE)
		work_run(l);
	else if (id == LOOP_ID_TIMER)
		timers_run(l);
	else
		watch_dispatch(l, id, events);
}

void loop_run(struct loop *l)
{
	struct epoll_event ev[LOOP_BATCH];

	while (!l->stop) {
		int n = epoll_wait(l->epfd, ev, LOOP_BATCH, -1);

		for (int i = 0; i < n && !l->stop; i++) {
			loop_lock(l);
			loop_dispatch(l, ev[i].data.u64, ev[i].events);
			loop_unlock(l);
		}
	}
	l->stop = false;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	loop_wake(l);
}

void loop_lock(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
}

void loop_unlock(struct loop *l)
{
	pthread_mutex_unlock(&l->lock);
}

void loop_wait(struct loop *l, pthread_cond_t *cond)
{
	pthread_cond_wait(cond, &l->lock);
}

/* ---- life ---- */

static int loop_watch_own(struct loop *l, int fd, u64 id)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = id};

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev);
}

int loop_create(struct loop **out, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return err_set(e, ENOMEM, "no memory for the event loop");
	list_init(&l->watches);
	list_init(&l->timers);
	list_init(&l->work);
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->work_lock, NULL);
	l->next_id = LOOP_ID_FIRST;
	l->programmed_ns = ~0ULL;
	l->base_ns = monotonic_ns();
	l->clock = (struct io_clock){.ops = &loop_clock_ops, .opaque = l};
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epfd < 0 || l->wakefd < 0 || l->timerfd < 0 ||
	    loop_watch_own(l, l->wakefd, LOOP_ID_WAKE) < 0 ||
	    loop_watch_own(l, l->timerfd, LOOP_ID_TIMER) < 0) {
		ret = err_errno(e, "event loop");
		loop_destroy(l);
		return ret;
	}
	*out = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	if (l->epfd >= 0)
		close(l->epfd);
	if (l->wakefd >= 0)
		close(l->wakefd);
	if (l->timerfd >= 0)
		close(l->timerfd);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->work_lock);
	free(l);
}
