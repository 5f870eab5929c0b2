/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What engines tell of their vCPUs to whoever traces (engine_vm_config.trace). */
#ifndef HULL_CORE_ENGINE_TRACE_H
#define HULL_CORE_ENGINE_TRACE_H

#include "base/types.h"

/* Tracing: what happened on a vCPU, told on its thread without any lock held. */
enum vcpu_trace_kind {
	VCPU_TRACE_EXC,	 /* exception: where = vector, value = error code, aux = CR2 of #PF */
	VCPU_TRACE_INT,	 /* interrupt, NMI, INT n: where = vector; write = by instruction */
	VCPU_TRACE_MMIO, /* where = guest-physical address, value, size */
	VCPU_TRACE_PIO,	 /* where = port, value, size */
	VCPU_TRACE_MSR,	 /* where = MSR, value */
	VCPU_TRACE_CR,	 /* MOV to CRn: where = n, value */
	VCPU_TRACE_EXIT, /* vcpu_run returns: where = enum vcpu_exit_kind */
	VCPU_TRACE_KINDS
};

struct vcpu_trace_event {
	enum vcpu_trace_kind kind;
	unsigned cpu, size;
	bool write, failed; /* failed: the access raised #GP */
	u64 rip, where, value, aux;
};

struct engine_trace {
	u32 kinds; /* bit n: enum vcpu_trace_kind n is wanted */
	void (*event)(void *opaque, const struct vcpu_trace_event *ev);
	void *opaque;
};

#endif
