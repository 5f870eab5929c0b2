/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The machine hull-metal runs on: one object, filled in as it starts. Every
 * file of metal/ may read it; who writes what stands at the members.
 */
#ifndef HULL_METAL_METAL_H
#define HULL_METAL_METAL_H

#include "core/vt.h"
#include "metal/bootinfo.h"
#include "metal/cpu.h"
#include "metal/hostacpi.h"
#include "metal/pages.h"

struct metal {
	struct bootinfo boot; /* main.c */
	u64 memory_end;	      /* main.c: end of the highest RAM */
	struct pages pages;   /* main.c sets up, then pages.c */
	struct hostacpi acpi; /* main.c */

	struct cpu cpu[CPUS_MAX]; /* smp.c */
	struct hv_cpu hv_cpu[CPUS_MAX];
	unsigned ncpus;
	const struct vt_ops *vt;

	u64 *tables;   /* paging.c: top of the page tables */
	u64 audited;   /* entries the W^X audit looked at */
	bool use_1g;   /* the CPU has 1 GiB pages */
	bool x2apic;   /* apic.c */
	u32 tsc_khz;   /* clock.c */
	u64 apic_hz;   /* clock.c: of the APIC timer at divisor 1 */
	u64 tsc_start; /* clock.c */
	u64 wall_start_s;
	bool off_when_done; /* main.c: option `poweroff` */
};

extern struct metal metal; /* main.c */

/* One line on the console. */
void metal_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and the end: for what the machine lacks and for our own bugs. */
void __attribute__((noreturn)) metal_die(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* Memory for the hypervisor or, while a CPU works for a VM, for that: this_cpu()->owner. */
void *page_alloc_zeroed(u64 n);

#endif
