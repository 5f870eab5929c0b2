/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * core/port.h for bare metal. Interrupts are off all the time; they get in
 * between guest and bus calls, in port_guest_leave, and while a CPU idles.
 */
#include "core/port.h"

#include "metal/clock.h"
#include "metal/domain.h"
#include "metal/sched.h"
#include "metal/smp.h"

void *port_page_alloc(unsigned order)
{
	return page_alloc_zeroed(1ull << order);
}

void port_page_free(void *va, unsigned order)
{
	unsigned owner = pages_owner(&metal.pages, (u64)va);

	if (va && !pages_free(&metal.pages, (u64)va, 1ull << order, owner))
		metal_die("free of page %p, which is not allocated", va);
}

u64 port_pa(const void *va)
{
	return (u64)va;
}

void *port_va(u64 pa)
{
	return (void *)pa;
}

struct hv_cpu *port_cpu(void)
{
	return &metal.hv_cpu[this_cpu()->index];
}

void port_cpu_call(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	smp_call(cpu, fn, arg);
}

bool port_guest_enter(struct hv_vcpu *v)
{
	return sched_stay(container_of(v, struct engine_vcpu, hv));
}

void port_guest_leave(struct hv_vcpu *v)
{
	irq_window(false);
}

void port_kick(struct hv_vcpu *v)
{
	sched_wake(container_of(v, struct engine_vcpu, hv));
}

u64 port_wall_ns(void)
{
	return metal.wall_start_s * 1000000000ull + clock_ns();
}

u32 port_tsc_khz(void)
{
	return metal.tsc_khz;
}

u64 port_steal_ns(struct hv_vcpu *v)
{
	return container_of(v, struct engine_vcpu, hv)->waited_ns;
}

void port_lock(struct port_lock *l)
{
	smp_lock((struct spinlock *)l);
}

void port_unlock(struct port_lock *l)
{
	spin_unlock((struct spinlock *)l);
}
static_assert(sizeof(struct spinlock) <= sizeof(struct port_lock), "a lock of ours fits in it");
