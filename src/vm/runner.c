/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runner_cpu {
	struct runner *r;
	unsigned index;
	pthread_t thread;
};

struct runner {
	struct runner_config cfg;
	pthread_cond_t parked_cond, go_cond;
	unsigned nthreads, parked;
	bool held, quit;
	u64 generation; /* of runner_release: an exit parks its CPU until the next one */
	struct runner_cpu cpu[];
};

/* Sleeps until released; `since` is the generation the CPU may not run in. */
static void park(struct runner *r, u64 since)
{
	r->parked++;
	pthread_cond_broadcast(&r->parked_cond);
	while (!r->quit && (r->held || r->generation == since))
		loop_wait(r->cfg.loop, &r->go_cond);
	r->parked--;
}

static void name_thread(unsigned index)
{
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", index);
	pthread_setname_np(pthread_self(), name);
}

/* Hands an exit to the owner; a failing engine call becomes an error exit. */
static bool cpu_exit(struct runner_cpu *c, int ret, struct vcpu_exit *exit)
{
	struct runner *r = c->r;

	if (ret) {
		*exit = (struct vcpu_exit){.kind = VCPU_EXIT_ERROR};
		snprintf(exit->reason, sizeof(exit->reason), "engine %s: %s", r->cfg.ops->name,
			 strerror(-ret));
	}
	return exit->kind == VCPU_EXIT_KICK || r->cfg.on_exit(r->cfg.opaque, c->index, exit);
}

static void *cpu_thread(void *opaque)
{
	struct runner_cpu *c = opaque;
	struct runner *r = c->r;

	name_thread(c->index);
	loop_lock(r->cfg.loop);
	while (!r->quit) {
		struct vcpu_exit exit = {0};
		u64 since = r->generation;
		int ret;

		if (r->held) {
			park(r, ~0ULL);
			continue;
		}
		loop_unlock(r->cfg.loop);
		ret = r->cfg.ops->vcpu_run(r->cfg.vcpu[c->index], &exit);
		loop_lock(r->cfg.loop);
		if (!cpu_exit(c, ret, &exit) && !r->quit)
			park(r, since);
	}
	loop_unlock(r->cfg.loop);
	return NULL;
}

static void kick_all(struct runner *r)
{
	for (unsigned i = 0; i < r->nthreads; i++)
		r->cfg.ops->vcpu_kick(r->cfg.vcpu[i]);
}

void runner_hold_async(struct runner *r)
{
	if (r->held)
		return;
	r->held = true;
	kick_all(r);
}

void runner_hold(struct runner *r)
{
	runner_hold_async(r);
	while (r->parked < r->nthreads)
		loop_wait(r->cfg.loop, &r->parked_cond);
}

void runner_release(struct runner *r)
{
	r->held = false;
	r->generation++;
	pthread_cond_broadcast(&r->go_cond);
}

bool runner_is_held(const struct runner *r)
{
	return r->held;
}

int runner_create(const struct runner_config *cfg, struct runner **out, struct err *e)
{
	struct runner *r = calloc(1, sizeof(*r) + cfg->nvcpus * sizeof(r->cpu[0]));

	if (!r)
		return err_set(e, ENOMEM, "no memory for %u vCPU threads", cfg->nvcpus);
	r->cfg = *cfg;
	r->held = true;
	pthread_cond_init(&r->parked_cond, NULL);
	pthread_cond_init(&r->go_cond, NULL);
	for (; r->nthreads < cfg->nvcpus; r->nthreads++) {
		struct runner_cpu *c = &r->cpu[r->nthreads];
		int ret;

		c->r = r;
		c->index = r->nthreads;
		ret = pthread_create(&c->thread, NULL, cpu_thread, c);
		if (ret) {
			err_set(e, ret, "cannot start vCPU thread %u: %s", c->index, strerror(ret));
			runner_destroy(r);
			return -ret;
		}
	}
	*out = r;
	return 0;
}

void runner_destroy(struct runner *r)
{
	if (!r)
		return;
	loop_lock(r->cfg.loop);
	r->quit = true;
	r->held = true;
	kick_all(r);
	pthread_cond_broadcast(&r->go_cond);
	loop_unlock(r->cfg.loop);
	for (unsigned i = 0; i < r->nthreads; i++)
		pthread_join(r->cpu[i].thread, NULL);
	pthread_cond_destroy(&r->parked_cond);
	pthread_cond_destroy(&r->go_cond);
	free(r);
}
