/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out the steps of raw.c: by io_uring, whose completion queue the event
 * loop watches, or by RAW_THREADS threads that post their results to it.
 */
#include "block/raw_internal.h"
#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- io_uring --- */

static void ring_prepare(struct raw *r, struct io_uring_sqe *sqe, struct raw_slot *s)
{
	const struct raw_step *t = &s->step;

	switch (t->kind) {
	case RAW_READV:
		io_uring_prep_readv(sqe, r->fd, t->iov, t->niov, t->offset);
		break;
	case RAW_WRITEV:
		io_uring_prep_writev(sqe, r->fd, t->iov, t->niov, t->offset);
		break;
	case RAW_FDATASYNC:
		io_uring_prep_fsync(sqe, r->fd, IORING_FSYNC_DATASYNC);
		break;
	case RAW_FALLOCATE:
		io_uring_prep_fallocate(sqe, r->fd, t->mode, (off_t)t->offset, (off_t)t->len);
		break;
	}
	io_uring_sqe_set_data(sqe, s);
}

/* The submission queue has as many entries as there are slots, so one is always free. */
static void ring_step(struct raw *r, struct raw_slot *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (!sqe) {
		io_uring_submit(&r->ring);
		sqe = io_uring_get_sqe(&r->ring);
	}
	ring_prepare(r, sqe, s);
}

static void ring_reap(struct raw *r)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&r->ring, &cqe)) {
		struct raw_slot *s = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&r->ring, cqe);
		raw_step_done(r, s, res);
	}
	/* Further steps of the same requests. */
	if (io_uring_sq_ready(&r->ring))
		io_uring_submit(&r->ring);
}

static void ring_ready(void *opaque, u32 events)
{
	ring_reap(opaque);
}

static bool ring_init(struct raw *r)
{
	if (io_uring_queue_init(RAW_SLOTS, &r->ring, IORING_SETUP_CLAMP))
		return false;
	if (loop_fd_add(r->loop, &r->watch, r->ring.ring_fd, EPOLLIN, ring_ready, r, NULL)) {
		io_uring_queue_exit(&r->ring);
		return false;
	}
	r->ring_used = true;
	return true;
}

/* --- threads --- */

static int step_run(int fd, const struct raw_step *t)
{
	ssize_t n = -1;

	switch (t->kind) {
	case RAW_READV:
		n = preadv(fd, t->iov, (int)t->niov, (off_t)t->offset);
		break;
	case RAW_WRITEV:
		n = pwritev(fd, t->iov, (int)t->niov, (off_t)t->offset);
		break;
	case RAW_FDATASYNC:
		n = fdatasync(fd);
		break;
	case RAW_FALLOCATE:
		n = fallocate(fd, t->mode, (off_t)t->offset, (off_t)t->len);
		break;
	}
	return n < 0 ? -errno : (int)n;
}

static struct raw_slot *todo_take(struct raw *r)
{
	struct raw_slot *s = r->todo;

	if (s) {
		r->todo = s->next;
		if (!r->todo)
			r->todo_end = &r->todo;
	}
	return s;
}

/* Hands the result to the event thread. r->mutex is held. */
static void step_finished(struct raw *r, struct raw_slot *s, int res)
{
	s->result = res;
	s->next = r->finished;
	r->finished = s;
	pthread_cond_signal(&r->finished_some);
	if (eventfd_write(r->wake, 1))
		log_debug("disk %s: wake-up failed", r->path);
}

static void *thread_main(void *opaque)
{
	struct raw *r = opaque;
	struct raw_slot *s;
	int res;

	pthread_mutex_lock(&r->mutex);
	while (!r->stop) {
		s = todo_take(r);
		if (!s) {
			pthread_cond_wait(&r->work, &r->mutex);
			continue;
		}
		pthread_mutex_unlock(&r->mutex);
		res = step_run(r->fd, &s->step);
		pthread_mutex_lock(&r->mutex);
		step_finished(r, s, res);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

/*
 * Threads start with the first request, not when the image is opened: the
 * sandbox is entered in between, and every thread has to be born inside it.
 */
static void threads_start(struct raw *r)
{
	while (r->nthreads < RAW_THREADS &&
	       !pthread_create(&r->thread[r->nthreads], NULL, thread_main, r))
		r->nthreads++;
}

static void thread_step(struct raw *r, struct raw_slot *s)
{
	if (!r->nthreads)
		threads_start(r);
	pthread_mutex_lock(&r->mutex);
	if (!r->nthreads) { /* no thread to be had: slow, but it works */
		step_finished(r, s, step_run(r->fd, &s->step));
		pthread_mutex_unlock(&r->mutex);
		return;
	}
	s->next = NULL;
	*r->todo_end = s;
	r->todo_end = &s->next;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->mutex);
}

static void thread_reap(struct raw *r)
{
	struct raw_slot *s, *next;

	pthread_mutex_lock(&r->mutex);
	s = r->finished;
	r->finished = NULL;
	pthread_mutex_unlock(&r->mutex);
	for (; s; s = next) {
		next = s->next;
		raw_step_done(r, s, s->result);
	}
}

static void thread_ready(void *opaque, u32 events)
{
	struct raw *r = opaque;
	eventfd_t count;

	if (!eventfd_read(r->wake, &count))
		thread_reap(r);
}

static void thread_wait(struct raw *r)
{
	pthread_mutex_lock(&r->mutex);
	while (!r->finished)
		pthread_cond_wait(&r->finished_some, &r->mutex);
	pthread_mutex_unlock(&r->mutex);
	thread_reap(r);
}

static void threads_stop(struct raw *r)
{
	pthread_mutex_lock(&r->mutex);
	r->stop = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->mutex);
	for (unsigned i = 0; i < r->nthreads; i++)
		pthread_join(r->thread[i], NULL);
	loop_fd_del(r->loop, &r->watch);
	close(r->wake);
	pthread_cond_destroy(&r->work);
	pthread_cond_destroy(&r->finished_some);
	pthread_mutex_destroy(&r->mutex);
}

static int threads_init(struct raw *r, struct err *e)
{
	int err;

	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake < 0)
		return err_errno(e, "disk %s: no event descriptor", r->path);
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->work, NULL);
	pthread_cond_init(&r->finished_some, NULL);
	r->todo_end = &r->todo;
	err = loop_fd_add(r->loop, &r->watch, r->wake, EPOLLIN, thread_ready, r, e);
	if (err) {
		threads_stop(r);
		return err;
	}
	return 0;
}

/* --- either --- */

int raw_exec_init(struct raw *r, bool threads, struct err *e)
{
	int err = 0;

	if (threads || !ring_init(r)) {
		if (!threads)
			log_debug("disk %s: no io_uring, using threads", r->path);
		err = threads_init(r, e);
	}
	r->exec_ready = !err;
	return err;
}

void raw_exec_fini(struct raw *r)
{
	if (r->ring_used) {
		loop_fd_del(r->loop, &r->watch);
		io_uring_queue_exit(&r->ring);
	} else {
		threads_stop(r);
	}
}

void raw_exec_step(struct raw *r, struct raw_slot *s)
{
	if (r->ring_used)
		ring_step(r, s);
	else
		thread_step(r, s);
}

void raw_exec_commit(struct raw *r)
{
	if (r->ring_used && io_uring_sq_ready(&r->ring))
		io_uring_submit(&r->ring);
}

void raw_exec_wait(struct raw *r)
{
	if (r->ring_used) {
		io_uring_submit_and_wait(&r->ring, 1);
		ring_reap(r);
	} else {
		thread_wait(r);
	}
}
