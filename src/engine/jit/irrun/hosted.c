/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the run time of lifted code needs of the host OS. The only hosted file of irrun/.
 *
 * HULL_JIT (environment, for people who work on it), a list of
 *	perf      /tmp/perf-PID.map, so that `perf report` names units
 *	nopasses  units are emitted as they were lifted
 *	table     every access looks into the table of pages first
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/jit/code_area.h"
#include "engine/jit/irrun/private.h"

static int tables_create(struct irrun *r)
{
	r->max_units = r->size / 128;
	r->max_sites = r->size / 16;
	r->max_pcs = r->size / 8;
	r->max_maps = r->size / 256;
	r->max_pages = r->size / 256;
	r->ir_bytes = r->cfg.interpret ? MIB(512) : MIB(16);
	r->unit = code_area_table(r->max_units * sizeof(*r->unit));
	r->site = code_area_table(r->max_sites * sizeof(*r->site));
	r->pc = code_area_table(r->max_pcs * sizeof(*r->pc));
	r->map = code_area_table(r->max_maps * sizeof(*r->map));
	r->page = code_area_table(r->max_pages * sizeof(*r->page));
	r->ir_arena = code_area_table(r->ir_bytes);
	r->work = code_area_table(sizeof(*r->work));
	r->passes = code_area_table(ir_optimise_bytes());
	r->emitter = code_area_table(ir_x86_bytes());
	return r->unit && r->site && r->pc && r->map && r->page && r->ir_arena && r->work &&
			       r->passes && r->emitter
		       ? 0
		       : -ENOMEM;
}

int irrun_host_create(struct irrun **out, const struct irrun_config *cfg)
{
	struct irrun *r = code_area_table(sizeof(*r));
	const char *s = getenv("HULL_JIT");
	int ret;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	r->ops = cfg->ops;
	r->target = cfg->ops->target;
	r->perf = s && strstr(s, "perf");
	r->no_passes = s && strstr(s, "nopasses");
	r->all_wander = s && strstr(s, "table");
	if (!r->cfg.wander_ticks)
		r->cfg.wander_ticks = IRRUN_WANDER * 512; /* a mispredicted branch, a refill */
	r->size = (u32)code_area_size(cfg->cache_bytes);
	ret = code_area_map(r->size, &r->rw, &r->rx);
	if (!ret)
		ret = tables_create(r);
	if (ret) {
		irrun_host_destroy(r);
		return ret;
	}
	*out = r;
	return 0;
}

void irrun_host_destroy(struct irrun *r)
{
	if (!r)
		return;
	code_area_unmap(r->rw, r->size);
	code_area_unmap(r->rx, r->size);
	code_area_unmap(r->unit, r->max_units * sizeof(*r->unit));
	code_area_unmap(r->site, r->max_sites * sizeof(*r->site));
	code_area_unmap(r->pc, r->max_pcs * sizeof(*r->pc));
	code_area_unmap(r->map, r->max_maps * sizeof(*r->map));
	code_area_unmap(r->page, r->max_pages * sizeof(*r->page));
	code_area_unmap(r->ir_arena, r->ir_bytes);
	code_area_unmap(r->work, sizeof(*r->work));
	code_area_unmap(r->passes, ir_optimise_bytes());
	code_area_unmap(r->emitter, ir_x86_bytes());
	code_area_unmap(r, sizeof(*r));
}

void *irrun_host_alloc(u64 bytes)
{
	return code_area_table(bytes);
}

void irrun_host_free(void *p, u64 bytes)
{
	code_area_unmap(p, bytes);
}

/* FMA for the interpreter too: its results are to be the emitter's. */
bool irrun_host_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

void irrun_host_yield(void)
{
	sched_yield();
}

void irrun_host_trace(struct irrun *r, const struct irrun_unit *u)
{
	char path[64];
	FILE *f;

	if (!r->perf || r->cfg.interpret)
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "a");
	if (!f)
		return;
	fprintf(f, "%llx %x g_%llx\n", (unsigned long long)(uintptr_t)(r->rx + u->e0),
		u->end - u->e0, (unsigned long long)u->pc);
	fclose(f);
}
