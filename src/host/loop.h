/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's event thread: file descriptors (epoll), timers and virtual time
 * (io/clock.h), and work posted from other threads. Also the owner of the
 * machine lock, one plain mutex, held around every callback of the loop and
 * taken by vCPU threads around every device access.
 *
 * All functions are called with the machine lock held unless their comment
 * says otherwise. Knows nothing of machines or devices.
 */
#ifndef HULL_HOST_LOOP_H
#define HULL_HOST_LOOP_H

#include "host/err.h"
#include "io/clock.h"

#include <pthread.h>

struct loop;

/* Creates a loop whose virtual time starts at 0, running. No lock needed. */
int loop_create(struct loop **out, struct err *e);
/* NULL ok. Nobody may be inside; watches and timers are simply forgotten. No lock. */
void loop_destroy(struct loop *l);

/* The machine lock. Not recursive. */
void loop_lock(struct loop *l);
void loop_unlock(struct loop *l);
/* Waits on a condition with the machine lock released meanwhile. */
void loop_wait(struct loop *l, pthread_cond_t *cond);

/* Dispatches on the calling thread until loop_stop. Called without the lock. */
void loop_run(struct loop *l);
/* Makes loop_run return soon. Any thread, with or without the lock, also from signal handlers. */
void loop_stop(struct loop *l);

/*
 * A watched descriptor, embedded by its owner, who keeps the fd open until
 * loop_fd_del. fn gets EPOLLIN, EPOLLOUT, EPOLLHUP and so on (level-triggered).
 * After loop_fd_del, fn is not called any more.
 */
struct loop_fd {
	struct list link;
	u64 id;
	int fd;
	void (*fn)(void *opaque, u32 events);
	void *opaque;
};

int loop_fd_add(struct loop *l, struct loop_fd *w, int fd, u32 events,
		void (*fn)(void *opaque, u32 events), void *opaque, struct err *e);
/* New event mask; 0 keeps the watch but reports only errors and hang-ups. */
void loop_fd_mod(struct loop *l, struct loop_fd *w, u32 events);
/* Idempotent; a zeroed, never added watch is fine. */
void loop_fd_del(struct loop *l, struct loop_fd *w);

/*
 * Work for the event thread. Posting a posted item does nothing. loop_post may
 * be called from any thread, with or without the lock.
 */
struct loop_work {
	struct list link;
	bool posted;
	void (*fn)(void *opaque);
	void *opaque;
};

void loop_post(struct loop *l, struct loop_work *w);

/*
 * Virtual time. The clock is valid as long as the loop; now_ns may be read
 * without the lock. While paused time stands still and no timer fires;
 * descriptors and posted work go on. Idempotent.
 */
const struct io_clock *loop_clock(struct loop *l);
void loop_pause(struct loop *l);
void loop_resume(struct loop *l);

#endif
