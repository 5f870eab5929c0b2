/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whoever traces (core/engine.h) what happens on a vCPU. Off the fast paths. */
#include "engine/jit/x86/sys.h"

void x86_trace_event(struct x86_vcpu *c, struct vcpu_trace_event ev)
{
	const struct engine_trace *t = c->vm->trace;

	if (!(t->kinds >> ev.kind & 1))
		return;
	ev.cpu = c->index;
	ev.rip = c->rip;
	x86_fpu_park(c);
	t->event(t->opaque, &ev);
}
