/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/jit/ppc_rig.h"

#include <stdlib.h>
#include <string.h>

static struct ppc_rig_seen seen;

/* ---- the run time's stand-in ---- */

void irrun_tlb_flush(struct irrun_cpu *c)
{
	seen.flushes++;
}

void irrun_tlb_flush_range(struct irrun_cpu *c, u64 addr, u64 bytes)
{
	seen.ranges++;
	seen.range_addr = addr;
	seen.range_bytes = bytes;
}

void irrun_page_written(struct irrun *r, u64 gpa)
{
	seen.pages++;
}

void irrun_tlb_protect(struct irrun_cpu *c, const u8 *host)
{
	seen.protects++;
}

void irrun_breaks(struct irrun *r, const u64 *pc, u32 n)
{
	seen.breaks = n;
}

/* "Runs" one unit that does nothing and lets the vCPU be stopped. */
int irrun_run(struct irrun_cpu *rt)
{
	ppc_kick_set(container_of(rt, struct ppc_vcpu, rt), PPC_KICK_EXIT);
	return 0;
}

struct ppc_rig_seen ppc_rig_look(void)
{
	struct ppc_rig_seen s = seen;

	seen = (struct ppc_rig_seen){0};
	return s;
}

/* ---- host and machine ---- */

static u64 timebase(void *opaque)
{
	return ((struct ppc_rig *)opaque)->tb;
}

static void wake(struct ppc_vcpu *c)
{
	((struct ppc_rig *)c->vm->host.opaque)->wakes++;
}

static void yield(void)
{
}

static u64 mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct ppc_rig *r = opaque;

	r->mmio_addr = gpa;
	r->mmio_size = size;
	return r->mmio_val;
}

static void mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct ppc_rig *r = opaque;

	r->mmio_addr = gpa;
	r->mmio_size = size;
	r->mmio_val = val;
}

static void papr(void *opaque, u64 r[PPC_HCALL_REGS])
{
	((struct ppc_rig *)opaque)->papr_op = r[0];
	r[0] = (u64)H_FUNCTION;
}

static void timer_arm(void *opaque, u64 ns)
{
	((struct ppc_rig *)opaque)->timer_ns = ns;
}

void ppc_rig_make(struct ppc_rig *r, unsigned ncpus)
{
	const struct vcpu_bus bus = {.mmio_read = mmio_read,
				     .mmio_write = mmio_write,
				     .papr = papr,
				     .timer_arm = timer_arm,
				     .opaque = r};
	struct gpa_slot slot = {.size = RIG_RAM, .page_flags = r->flags, .fd = -1};

	memset(r, 0, sizeof(*r));
	r->ram = slot.host = aligned_alloc(4096, RIG_RAM);
	memset(r->ram, 0, RIG_RAM);
	gpa_slot_add(&r->map, &slot);
	r->map.page_written = ppc_page_written;
	r->map.opaque = &r->vm;
	r->vm.map = &r->map;
	r->vm.ncpus = ncpus;
	r->vm.host =
		(struct ppc_host){.timebase = timebase, .wake = wake, .yield = yield, .opaque = r};
	r->vm.hpt_shift = RIG_HPT_SHIFT;
	r->vm.hpt = calloc(1, 1u << RIG_HPT_SHIFT);
	for (unsigned i = 0; i < ncpus; i++) {
		struct ppc_vcpu *c = aligned_alloc(4096, align_up(sizeof(*c), 4096));

		memset(c, 0, sizeof(*c));
		c->index = i;
		c->vm = &r->vm;
		c->sys = &r->sys[i];
		c->sys->bus = bus;
		r->c[i] = r->vm.vcpu[i] = c;
		ppc_reset(c);
		atomic_store(&c->sys->stopped, false);
	}
	ppc_rig_look();
}

void ppc_rig_free(struct ppc_rig *r)
{
	for (unsigned i = 0; i < r->vm.ncpus; i++)
		free(r->c[i]);
	free((void *)(uintptr_t)r->vm.hpt);
	free(r->ram);
}

void ppc_rig_put(struct ppc_rig *r, u64 gpa, u64 val)
{
	store_be64(r->ram + gpa, val);
}

u64 ppc_rig_get(const struct ppc_rig *r, u64 gpa)
{
	return load_be64(r->ram + gpa);
}
