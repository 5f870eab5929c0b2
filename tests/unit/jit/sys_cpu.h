/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare vCPU for tests of the system half: RAM at 0, no translator, no bus to
 * speak of. Functions of cpu.h and sys.h are called on it directly.
 */
#ifndef HULL_TESTS_UNIT_JIT_SYS_CPU_H
#define HULL_TESTS_UNIT_JIT_SYS_CPU_H

#include <sys/mman.h>

#include "engine/jit/x86/sys.h"

#define SYS_RAM MIB(16)

struct sys_cpu {
	struct gpa_map map;
	struct x86_vm vm;
	struct x86_host host;
	struct x86_vcpu *c;
	u8 *ram;
	_Atomic u8 *flags;
};

static inline u64 sys_bus_read(void *o, u64 gpa, unsigned size)
{
	(void)o;
	(void)gpa;
	return size == 8 ? ~0ULL : BIT(8 * size) - 1;
}

static inline void sys_bus_write(void *o, u64 gpa, unsigned size, u64 v)
{
	(void)o;
	(void)gpa;
	(void)size;
	(void)v;
}

static inline int sys_bus_rdmsr(void *o, u32 msr, u64 *v)
{
	(void)o;
	(void)msr;
	(void)v;
	return -E_NOENT;
}

static inline int sys_bus_wrmsr(void *o, u32 msr, u64 v)
{
	(void)o;
	(void)msr;
	(void)v;
	return -E_NOENT;
}

static inline void *sys_zeroed(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Reset state, real mode. */
static inline struct sys_cpu *sys_cpu_create(unsigned ncpus)
{
	struct sys_cpu *t = sys_zeroed(sizeof(*t));
	struct gpa_slot s = {.size = SYS_RAM, .fd = -1};

	t->ram = s.host = sys_zeroed(SYS_RAM);
	t->flags = s.page_flags = sys_zeroed(SYS_RAM / 4096);
	gpa_slot_add(&t->map, &s);
	t->map.page_written = x86_page_written;
	t->map.opaque = &t->vm;
	t->vm.map = &t->map;
	t->vm.ncpus = ncpus;
	t->vm.host = &t->host;
	t->vm.tsc_khz = 2000000;
	x86_cpuid_init(&t->vm, &t->host);
	t->c = sys_zeroed(sizeof(*t->c));
	t->c->sys = sys_zeroed(sizeof(*t->c->sys));
	t->c->self = t->c;
	t->c->vm = &t->vm;
	t->c->bus = (struct vcpu_bus){.mmio_read = sys_bus_read,
				      .mmio_write = sys_bus_write,
				      .msr_read = sys_bus_rdmsr,
				      .msr_write = sys_bus_wrmsr,
				      .opaque = t};
	x86_tlb_init(t->c);
	x86_reset(t->c, false);
	t->vm.vcpu[0] = t->c;
	return t;
}

static inline void sys_cpu_destroy(struct sys_cpu *t)
{
	munmap(t->ram, SYS_RAM);
	munmap((void *)t->flags, SYS_RAM / 4096);
	munmap(t->c->sys, sizeof(*t->c->sys));
	munmap(t->c, sizeof(*t->c));
	munmap(t, sizeof(*t));
}

static inline u64 *sys_q(struct sys_cpu *t, u64 gpa)
{
	return (u64 *)(t->ram + gpa);
}

static inline u32 *sys_d(struct sys_cpu *t, u64 gpa)
{
	return (u32 *)(t->ram + gpa);
}

#endif
