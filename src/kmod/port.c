// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* core/port.h on Linux. */
#include "kmod/kmod.h"

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ratelimit.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <asm/debugreg.h>
#include <asm/fpu/api.h>
#include <asm/tsc.h>

static DEFINE_PER_CPU(struct hv_cpu, cpus);

/* ---- pages ---------------------------------------------------------------------- */

/* Page-table pages are asked for with the core's spin lock held. */
void *port_page_alloc(unsigned order)
{
	gfp_t gfp = in_atomic() || irqs_disabled() ? GFP_ATOMIC : GFP_KERNEL;

	return (void *)__get_free_pages(gfp | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN, order);
}

void port_page_free(void *va, unsigned order)
{
	free_pages((unsigned long)va, order);
}

u64 port_pa(const void *va)
{
	return __pa(va);
}

void *port_va(u64 pa)
{
	return __va(pa);
}

/* ---- CPUs -------------------------------------------------------------------------- */

struct hv_cpu *port_cpu(void)
{
	return this_cpu_ptr(&cpus);
}

void port_cpu_call(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	smp_call_function_single(cpu, fn, arg, 1);
}

/* The guest's vector registers take the place of the process', which kernel_fpu_begin saves. */
bool port_guest_enter(struct hv_vcpu *v)
{
	preempt_disable();
	kernel_fpu_begin();
	local_irq_disable();
	if (likely(!signal_pending(current) && !need_resched()))
		return true;
	local_irq_enable();
	kernel_fpu_end();
	preempt_enable();
	return false;
}

void port_guest_leave(struct hv_vcpu *v)
{
	hv_vcpu_fpu_put(v);
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	local_irq_enable();
	kernel_fpu_end();
	preempt_enable();
}

void port_kick(struct hv_vcpu *v)
{
	int cpu = READ_ONCE(v->cpu);

	wake_up(&kmod_vcpu_of(v)->wq);
	if (READ_ONCE(v->in_guest) && cpu >= 0 && cpu != raw_smp_processor_id())
		smp_send_reschedule(cpu);
}

/* ---- time --------------------------------------------------------------------------- */

u64 chip_now_ns(void)
{
	return ktime_get_ns();
}

u64 port_wall_ns(void)
{
	return ktime_get_real_ns();
}

u32 port_tsc_khz(void)
{
	return tsc_khz;
}

u64 port_steal_ns(struct hv_vcpu *v)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* ---- the rest ------------------------------------------------------------------------- */

void port_lock(struct port_lock *l)
{
	BUILD_BUG_ON(sizeof(spinlock_t) > sizeof(*l));
	spin_lock((spinlock_t *)l);
}

void port_unlock(struct port_lock *l)
{
	spin_unlock((spinlock_t *)l);
}
