/* SPDX-License-Identifier: Apache-2.0 */
/* src/host/{err,loop,mem}.c */
#include "tests/test.h"

#include "host/err.h"
#include "host/loop.h"
#include "host/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

static void t_err_set_and_wrap(void)
{
	struct err e = {0};

	CHECK(err_set(&e, ENOENT, "no %s", "disk") == -ENOENT);
	CHECK(err_wrap(&e, "boot %d", 1) == -ENOENT);
	CHECK(!strcmp(e.msg, "boot 1: no disk"));
	CHECK(e.status == ENOENT);
	CHECK(err_set(NULL, EIO, "x") == -EIO);
}

struct fixture {
	struct loop *l;
	char order[16];
	unsigned n;
	struct io_timer a, b, c;
	struct loop_fd w, other;
	struct loop_work work;
	int pipe[2];
};

static void note(struct fixture *f, char ch)
{
	f->order[f->n++] = ch;
}

static void on_a(void *o)
{
	note(o, 'a');
}

static void on_b(void *o)
{
	struct fixture *f = o;

	note(f, 'b');
	loop_stop(f->l);
}

static void on_c(void *o)
{
	note(o, 'c');
}

static void t_timers_in_order_and_cancel(void)
{
	struct fixture f = {0};
	const struct io_clock *ck;
	u64 now;

	CHECK(!loop_create(&f.l, NULL));
	ck = loop_clock(f.l);
	f.a = (struct io_timer){.fn = on_a, .opaque = &f};
	f.b = (struct io_timer){.fn = on_b, .opaque = &f};
	f.c = (struct io_timer){.fn = on_c, .opaque = &f};
	now = io_now(ck);
	CHECK(now < 1000000000u);
	loop_lock(f.l);
	io_timer_arm(ck, &f.b, now + 3000000);
	io_timer_arm(ck, &f.c, now + 2000000);
	io_timer_arm(ck, &f.a, now + 9000000);
	io_timer_arm(ck, &f.a, now + 1000000); /* moves */
	io_timer_cancel(ck, &f.c);
	io_timer_cancel(ck, &f.c);
	loop_unlock(f.l);
	loop_run(f.l);
	CHECK(!strcmp(f.order, "ab"));
	CHECK(io_now(ck) >= now + 3000000);
	loop_destroy(f.l);
}

static void on_readable(void *o, u32 events)
{
	struct fixture *f = o;

	note(f, events & EPOLLIN ? 'r' : '?');
	loop_fd_del(f->l, &f->w);
	loop_fd_del(f->l, &f->w);
	loop_fd_del(f->l, &f->other);
	loop_stop(f->l);
}

static void on_never(void *o, u32 events)
{
	struct fixture *f = o;

	/* Whichever of the two comes first deletes the other. */
	note(f, 'o');
	loop_fd_del(f->l, &f->w);
	loop_fd_del(f->l, &f->other);
	loop_stop(f->l);
}

static void t_deleted_watch_is_not_called(void)
{
	struct fixture f = {0};
	int p2[2];

	CHECK(!loop_create(&f.l, NULL));
	CHECK(!pipe(f.pipe) && !pipe(p2));
	CHECK(write(f.pipe[1], "x", 1) == 1 && write(p2[1], "x", 1) == 1);
	CHECK(!loop_fd_add(f.l, &f.w, f.pipe[0], EPOLLIN, on_readable, &f, NULL));
	CHECK(!loop_fd_add(f.l, &f.other, p2[0], EPOLLIN, on_never, &f, NULL));
	loop_run(f.l);
	CHECK_EQ(f.n, 1);
	loop_destroy(f.l);
	close(f.pipe[0]), close(f.pipe[1]), close(p2[0]), close(p2[1]);
}

static void *poster(void *o)
{
	struct fixture *f = o;

	loop_post(f->l, &f->work);
	return NULL;
}

static void t_post_from_other_thread(void)
{
	struct fixture f = {0};
	pthread_t t;

	CHECK(!loop_create(&f.l, NULL));
	f.work = (struct loop_work){.fn = on_b, .opaque = &f};
	CHECK(!pthread_create(&t, NULL, poster, &f));
	loop_run(f.l);
	pthread_join(t, NULL);
	CHECK(!strcmp(f.order, "b"));
	loop_destroy(f.l);
}

static void t_pause_stops_time(void)
{
	struct fixture f = {0};
	const struct io_clock *ck;
	u64 t0, resumed, gone;

	CHECK(!loop_create(&f.l, NULL));
	ck = loop_clock(f.l);
	f.b = (struct io_timer){.fn = on_b, .opaque = &f};
	loop_lock(f.l);
	loop_pause(f.l);
	t0 = io_now(ck);
	usleep(5000);
	CHECK_EQ(io_now(ck), t0);
	io_timer_arm(ck, &f.b, t0 + 1000000);
	resumed = test_now();
	loop_resume(f.l);
	loop_unlock(f.l);
	gone = io_now(ck) - t0;
	CHECK(gone <= test_now() - resumed);
	loop_run(f.l);
	CHECK(!strcmp(f.order, "b"));
	loop_destroy(f.l);
}

static void t_mem_maps_with_hole(void)
{
	static struct gpa_map map;
	struct mem *m;
	u32 v = 0x12345678;

	CHECK(!mem_create("test-ram", 4 << 20, &m, NULL));
	CHECK(!mem_map(m, &map, 0, 0, 1 << 20, false, NULL));
	CHECK(!mem_map(m, &map, 1ULL << 32, 1 << 20, 3 << 20, false, NULL));
	CHECK(mem_map(m, &map, 1ULL << 33, 1 << 20, 4 << 20, false, NULL) == -EINVAL);
	CHECK(mem_map(m, &map, 0, 0, 1 << 20, false, NULL) == -EINVAL);
	CHECK(!gpa_write(&map, 1ULL << 32, &v, 4));
	CHECK(mem_host(m)[1 << 20] == 0x78);
	CHECK(gpa_write(&map, 1 << 20, &v, 4) == -E_FAULT);
	CHECK(!mem_discard(m, 1 << 20, 4096));
	CHECK(mem_host(m)[1 << 20] == 0);
	mem_destroy(m);
}

int main(void)
{
	RUN(t_err_set_and_wrap);
	RUN(t_timers_in_order_and_cancel);
	RUN(t_deleted_watch_is_not_called);
	RUN(t_post_from_other_thread);
	RUN(t_pause_stops_time);
	RUN(t_mem_maps_with_hole);
	return test_done();
}
