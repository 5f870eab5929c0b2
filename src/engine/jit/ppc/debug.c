/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debugger's breakpoints, watchpoints and steps, which the guest cannot see.
 * Breakpoints are the run time's (irrun_breaks). A step is a unit of one
 * instruction, as MSR.SE makes them. Pages with watchpoints stay out of the soft
 * TLB; the vCPU stops before the access, as POWER's own watchpoints do.
 * And what is told to whoever traces (core/engine_trace.h).
 */
#include "engine/jit/ppc/system.h"

void ppc_trace(struct ppc_vcpu *c, struct vcpu_trace_event ev)
{
	const struct engine_trace *t = c->vm->trace;

	if (likely(!t) || !(t->kinds >> ev.kind & 1))
		return;
	ev.cpu = c->index;
	ev.rip = c->nip;
	t->event(t->opaque, &ev);
}

static bool overlap(u64 a, u64 alen, u64 b, u64 blen)
{
	return a < b + blen && b < a + alen;
}

static void debug_hit(struct ppc_vcpu *c, u64 addr)
{
	c->sys->dbg_hit = true;
	c->sys->dbg_addr = addr;
}

void ppc_debug_set(struct ppc_vcpu *c, const struct vcpu_debug *dbg)
{
	struct ppc_sys *s = c->sys;

	s->dbg = dbg ? *dbg : (struct vcpu_debug){0};
	s->dbg_hit = false;
	c->dbg_step = s->dbg.step;
	ppc_key_update(c);
	ppc_flush(c);
	irrun_breaks(c->vm->run, s->dbg.breaks, s->dbg.nbreaks);
}

bool ppc_debug_watched(const struct ppc_vcpu *c, u64 ea)
{
	const struct vcpu_debug *d = &c->sys->dbg;
	u64 page = align_down(ea, GPA_PAGE_SIZE);

	for (unsigned i = 0; i < d->nwatch; i++)
		if (overlap(d->watch[i].addr, d->watch[i].len, page, GPA_PAGE_SIZE))
			return true;
	return false;
}

int ppc_debug_access(struct ppc_vcpu *c, u64 ea, u32 size, bool write)
{
	const struct vcpu_debug *d = &c->sys->dbg;

	for (unsigned i = 0; i < d->nwatch; i++) {
		if (!(write ? d->watch[i].on_write : d->watch[i].on_read) ||
		    !overlap(d->watch[i].addr, d->watch[i].len, ea, size))
			continue;
		debug_hit(c, d->watch[i].addr);
		c->rt.leave = 1;
		return -1;
	}
	return 0;
}

bool ppc_debug_exit(struct ppc_vcpu *c, u32 reason)
{
	if (reason == IRRUN_BREAK)
		debug_hit(c, c->nip);
	else if (c->dbg_step && !c->sys->dbg_hit)
		debug_hit(c, c->nip);
	return c->sys->dbg_hit;
}
