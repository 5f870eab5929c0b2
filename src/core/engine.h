/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Engines as their owner on a host sees them: what each is, why a vCPU came back,
 * debugging, counters. The interface itself is core/engine_ops.h.
 */
#ifndef HULL_CORE_ENGINE_H
#define HULL_CORE_ENGINE_H

#include "core/engine_ops.h"

enum vcpu_exit_kind {
	VCPU_EXIT_KICK,	    /* vcpu_kick was called; nothing happened */
	VCPU_EXIT_SHUTDOWN, /* triple fault */
	VCPU_EXIT_DEBUG,    /* breakpoint, watchpoint or step asked for by vcpu_debug */
	VCPU_EXIT_ERROR,    /* the engine cannot go on; `reason` says why */
	VCPU_EXIT_RESET,    /* in-kernel system event: reset (kvm only) */
};

struct vcpu_exit {
	enum vcpu_exit_kind kind;
	u64 addr;	  /* DEBUG: linear address of the watchpoint, or rip */
	char reason[160]; /* ERROR: one line for a person */
};

struct engine_info {
	const char *name; /* "jit", "kvm" */
	u32 caps;
	u32 traces; /* bit n: it can tell of enum vcpu_trace_kind n */
	unsigned max_vcpus;
	char note[160];	   /* why it is unusable or slow, for a person; empty if fine */
	bool usable, fast; /* fast: really virtualizes (kvm) or translates (jit) */
};

struct vcpu_debug {
	bool step;	  /* exit after one instruction */
	unsigned nbreaks; /* software-invisible execution breakpoints */
	u64 breaks[32];	  /* linear addresses */
	unsigned nwatch;
	struct {
		u64 addr;
		u32 len;
		bool on_read, on_write;
	} watch[4];
};

struct engine_counters { /* monotonic, for `hull inspect` and the bench; may be approximate */
	u64 instructions, blocks_translated, tlb_misses, exits, interrupts, invalidations;
	u64 code_bytes; /* code cache in use */
};

extern const struct engine_ops engine_jit_ops; /* engine/jit */
extern const struct engine_ops engine_ppc_ops; /* engine/jit, POWER */
extern const struct engine_ops engine_kvm_ops; /* engine/kvm */

#endif
