/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull boot --trace`: turns what engines tell of their vCPUs into lines,
 *
 *	cpu 0 ffffffff81020304 mmio write 4 fee000b0 = 0
 *
 * on standard error or in a file. Created before the sandbox; events come from
 * any vCPU's thread.
 */
#ifndef HULL_VM_TRACE_H
#define HULL_VM_TRACE_H

#include "core/engine.h"
#include "core/engine_trace.h"
#include "host/err.h"

#define TRACE_NAMES "exc, int, mmio, pio, msr, cr, exit"

struct trace;

/* An event's name to its enum vcpu_trace_kind, or -1. */
int trace_kind_by_name(const char *name);

/* kinds: bit n is enum vcpu_trace_kind n. file NULL: standard error. */
int trace_create(u32 kinds, const char *file, struct trace **out, struct err *e);
/* NULL ok. Writes out what is buffered; no vCPU runs any more. */
void trace_destroy(struct trace *t);

const struct engine_trace *trace_engine(const struct trace *t); /* NULL for NULL */

/* One line about an event, without a newline; its length as snprintf's. For trace.c and tests. */
int trace_format(const struct vcpu_trace_event *ev, char *buf, size_t size);

#endif
