/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/smp.h"

#include "metal/apic.h"
#include "metal/clock.h"
#include "metal/metal.h"
#include "metal/paging.h"
#include "metal/sched.h"
#include "metal/trap.h"

#include <string.h>

extern const u8 ap_start[], ap_start_end[];
/* boot.S: what the CPU that starts next needs. */
extern volatile u64 ap_handover[3];

void smp_ap_main(struct cpu *c);

/* A page below 640 KiB that is RAM: under UEFI not every page is. */
static u64 trampoline_page(void)
{
	for (u64 at = 0x8000; at < 0xa0000; at += PAGE_SIZE)
		if (pages_owner(&metal.pages, at) == OWNER_FREE)
			return at;
	return 0;
}

void smp_ap_main(struct cpu *c)
{
	paging_enable();
	cpu_setup(c, c->index, c->apic_id, c->tss.ist[0]);
	apic_enable();
	c->online = true;
	sched_run();
}

static bool start_one(struct cpu *c, u64 page)
{
	u64 stack = paging_stack_alloc(), fault_stack = paging_stack_alloc();

	if (!stack || !fault_stack)
		return false;
	c->tss.ist[0] = fault_stack;
	c->owner = OWNER_HYPERVISOR;
	c->deadline_ns = ~0ULL;
	ap_handover[0] = (u64)metal.tables;
	ap_handover[1] = stack;
	ap_handover[2] = (u64)c;
	apic_send(c->apic_id, ICR_INIT);
	clock_wait_us(10000);
	for (unsigned i = 0; i < 2 && !c->online; i++) {
		apic_send(c->apic_id, ICR_STARTUP | (u32)(page >> 12));
		for (unsigned ms = 0; ms < 200 && !c->online; ms++)
			clock_wait_us(i ? 1000 : 100);
	}
	return c->online;
}

void smp_start(void)
{
	u64 page = trampoline_page();
	u32 self = apic_id();

	if (metal.acpi.more)
		metal_log("%u CPUs more than the %u that can be used", metal.acpi.more, CPUS_MAX);
	if (!page && metal.acpi.ncpus > 1)
		metal_log("no page below 640 KiB to start other CPUs with");
	if (!page)
		return;
	memcpy((void *)page, ap_start, (size_t)(ap_start_end - ap_start));
	for (unsigned i = 0; i < metal.acpi.ncpus && metal.ncpus < CPUS_MAX; i++) {
		struct cpu *c = &metal.cpu[metal.ncpus];

		if (metal.acpi.apic_id[i] == self)
			continue;
		c->index = metal.ncpus;
		c->apic_id = metal.acpi.apic_id[i];
		/* Counted first: it looks at metal as soon as it runs. */
		metal.hv_cpu[metal.ncpus].id = metal.ncpus;
		if (start_one(c, page))
			metal.ncpus++;
		else
			metal_log("CPU with APIC id %u does not start; going on without it",
				  c->apic_id);
	}
}

void smp_kick(struct cpu *c)
{
	c->wake = true;
	c->resched = true;
	if (c != this_cpu())
		apic_send(c->apic_id, ICR_FIXED | TRAP_KICK);
}

void smp_kick_again(void)
{
	for (unsigned i = 0; i < metal.ncpus; i++)
		if (metal.cpu[i].wake && &metal.cpu[i] != this_cpu())
			apic_send(metal.cpu[i].apic_id, ICR_FIXED | TRAP_KICK);
}

/* ---- calls ------------------------------------------------------------------------------ */

struct call {
	void (*fn)(void *arg);
	void *arg;
	volatile bool done;
};

#define CALL_AGAIN (1u << 16) /* looks at `done` before the IPI is taken for lost */

/* One slot a CPU: whoever finds it taken waits for its turn. */
static struct call *volatile pending[CPUS_MAX];

void smp_serve(void)
{
	struct call *c = __atomic_exchange_n(&pending[this_cpu()->index], NULL, __ATOMIC_ACQ_REL);

	if (!c)
		return;
	c->fn(c->arg);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
}

void smp_call(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct call c = {.fn = fn, .arg = arg}, *none = NULL;

	if (cpu == this_cpu()->index) {
		fn(arg);
		return;
	}
	while (!__atomic_compare_exchange_n(&pending[cpu], &none, &c, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE)) {
		none = NULL;
		smp_serve();
		cpu_relax();
	}
	for (unsigned i = 0; !c.done; i++) {
		if (!(i % CALL_AGAIN))
			apic_send(metal.cpu[cpu].apic_id, ICR_FIXED | TRAP_KICK);
		smp_serve();
		cpu_relax();
	}
}

void smp_lock(struct spinlock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		while (l->held) {
			smp_serve();
			cpu_relax();
		}
}
