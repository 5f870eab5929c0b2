/* SPDX-License-Identifier: Apache-2.0 */
/* src/vm/runner.c, on an engine that only counts. */
#include "tests/test.h"

#include "vm/runner.h"

#include <unistd.h>

struct engine_vcpu {
	_Atomic bool kick;
	_Atomic u64 runs, loops;
	_Atomic enum vcpu_exit_kind end; /* what the next run ends with, KICK = none */
	_Atomic int fail;
};

static int fake_run(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	v->runs++;
	for (;;) {
		v->loops++;
		if (v->fail)
			return v->fail;
		exit->kind = __atomic_exchange_n((int *)&v->end, VCPU_EXIT_KICK, __ATOMIC_SEQ_CST);
		if (exit->kind != VCPU_EXIT_KICK ||
		    __atomic_exchange_n((bool *)&v->kick, false, __ATOMIC_SEQ_CST))
			return 0;
		usleep(100);
	}
}

static void fake_kick(struct engine_vcpu *v)
{
	v->kick = true;
}

static const struct engine_ops fake_ops = {
	.name = "fake", .vcpu_run = fake_run, .vcpu_kick = fake_kick};

struct fixture {
	struct loop *l;
	struct runner *r;
	struct engine_vcpu cpu[4];
	struct engine_vcpu *cpus[4];
	_Atomic u64 exits;
	struct vcpu_exit last;
	unsigned last_cpu;
	bool go_on;
};

static bool on_exit_note(void *opaque, unsigned cpu, const struct vcpu_exit *exit)
{
	struct fixture *f = opaque;

	f->exits++;
	f->last = *exit;
	f->last_cpu = cpu;
	return f->go_on;
}

static bool start(struct fixture *f)
{
	struct runner_config cfg = {.ops = &fake_ops,
				    .vcpu = f->cpus,
				    .nvcpus = 4,
				    .on_exit = on_exit_note,
				    .opaque = f};

	for (unsigned i = 0; i < 4; i++)
		f->cpus[i] = &f->cpu[i];
	if (loop_create(&f->l, NULL))
		return false;
	cfg.loop = f->l;
	return !runner_create(&cfg, &f->r, NULL);
}

static void finish(struct fixture *f)
{
	runner_destroy(f->r);
	loop_destroy(f->l);
}

static u64 loops(struct fixture *f)
{
	u64 n = 0;

	for (unsigned i = 0; i < 4; i++)
		n += f->cpu[i].loops;
	return n;
}

/* Waits for *n to reach `least`, as long as a busy host may need. */
static bool reaches(const _Atomic u64 *n, u64 least)
{
	for (unsigned ms = 0; ms < 60000 && *n < least; ms++)
		usleep(1000);
	return *n >= least;
}

static void t_starts_held_and_ends(void)
{
	static struct fixture f;

	CHECK(start(&f));
	usleep(5000);
	CHECK_EQ(loops(&f), 0);
	CHECK(runner_is_held(f.r));
	finish(&f);
}

static void t_hold_stops_all(void)
{
	static struct fixture f;
	u64 n = 0;

	CHECK(start(&f));
	for (unsigned i = 0; i < 20; i++) {
		loop_lock(f.l);
		runner_release(f.r);
		loop_unlock(f.l);
		if (i % 2) /* also at once, while some have not even started */
			CHECK(reaches(&f.cpu[i % 4].loops, f.cpu[i % 4].loops + 1));
		loop_lock(f.l);
		runner_hold(f.r);
		n = loops(&f);
		loop_unlock(f.l);
		usleep(1000);
		CHECK_EQ(loops(&f), n);
	}
	CHECK(n > 0);
	finish(&f);
}

static void t_exit_parks_one_until_release(void)
{
	static struct fixture f;
	u64 n;

	CHECK(start(&f));
	loop_lock(f.l);
	runner_release(f.r);
	f.cpu[2].end = VCPU_EXIT_SHUTDOWN;
	loop_unlock(f.l);
	CHECK(reaches(&f.exits, 1));
	usleep(5000);
	loop_lock(f.l);
	CHECK_EQ(f.exits, 1);
	CHECK_EQ(f.last_cpu, 2);
	CHECK_EQ(f.last.kind, VCPU_EXIT_SHUTDOWN);
	n = f.cpu[2].runs;
	runner_hold(f.r);
	runner_release(f.r);
	loop_unlock(f.l);
	CHECK(reaches(&f.cpu[2].runs, n + 1));
	finish(&f);
}

static void t_engine_failure_is_an_error_exit(void)
{
	static struct fixture f;

	CHECK(start(&f));
	loop_lock(f.l);
	runner_release(f.r);
	f.cpu[0].fail = -E_IO;
	loop_unlock(f.l);
	CHECK(reaches(&f.exits, 1));
	loop_lock(f.l);
	CHECK_EQ(f.last.kind, VCPU_EXIT_ERROR);
	CHECK(strstr(f.last.reason, "fake"));
	loop_unlock(f.l);
	finish(&f);
}

int main(void)
{
	RUN(t_starts_held_and_ends);
	RUN(t_hold_stops_all);
	RUN(t_exit_parks_one_until_release);
	RUN(t_engine_failure_is_an_error_exit);
	return test_done();
}
