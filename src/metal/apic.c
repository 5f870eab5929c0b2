/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/apic.h"

#include "core/cpu/hw.h"
#include "dev/irq/lapic.h"
#include "metal/metal.h"
#include "metal/paging.h"
#include "metal/trap.h"

enum { DIVIDE_BY_16 = 3, ICR_BUSY = 1 << 12 };

static u32 reg_read(u32 reg)
{
	if (metal.x2apic)
		return (u32)hw_rdmsr(MSR_X2APIC_FIRST + reg / 16);
	return *(volatile u32 *)(uintptr_t)(LAPIC_BASE_DEFAULT + reg);
}

static void reg_write(u32 reg, u32 v)
{
	if (metal.x2apic)
		hw_wrmsr(MSR_X2APIC_FIRST + reg / 16, v);
	else
		*(volatile u32 *)(uintptr_t)(LAPIC_BASE_DEFAULT + reg) = v;
}

/* Firmware leaves the 8259s with the timer open (Intel 8259A datasheet: OCW1). */
static void mask_pics(void)
{
	outb(0xa1, 0xff);
	outb(0x21, 0xff);
}

void apic_init(void)
{
	u32 r[4];

	mask_pics();
	hw_cpuid(1, 0, r);
	metal.x2apic = r[2] >> 21 & 1;
	if (!metal.x2apic)
		paging_map_device(LAPIC_BASE_DEFAULT, PAGE_SIZE);
	apic_enable();
}

void apic_enable(void)
{
	u64 base = hw_rdmsr(MSR_APIC_BASE) & 0xfff;

	hw_wrmsr(MSR_APIC_BASE, LAPIC_BASE_DEFAULT | base | LAPIC_BASE_MSR_ENABLE);
	if (metal.x2apic)
		hw_wrmsr(MSR_APIC_BASE,
			 LAPIC_BASE_DEFAULT | base | LAPIC_BASE_MSR_ENABLE | LAPIC_BASE_MSR_X2APIC);
	reg_write(LAPIC_REG_TPR, 0);
	reg_write(LAPIC_REG_LVT_LINT0, LVT_MASKED);
	reg_write(LAPIC_REG_LVT_LINT1, 0x400); /* NMI */
	reg_write(LAPIC_REG_TIMER_DIVIDE, DIVIDE_BY_16);
	reg_write(LAPIC_REG_LVT_TIMER, LVT_TIMER_PERIODIC | TRAP_TIMER);
	reg_write(LAPIC_REG_SVR, SVR_ENABLE | TRAP_SPURIOUS);
}

u32 apic_id(void)
{
	return metal.x2apic ? reg_read(LAPIC_REG_ID) : reg_read(LAPIC_REG_ID) >> 24;
}

void apic_eoi(void)
{
	reg_write(LAPIC_REG_EOI, 0);
}

void apic_send(u32 id, u32 icr)
{
	if (metal.x2apic) {
		__asm__ volatile("mfence; lfence" : : : "memory");
		hw_wrmsr(MSR_X2APIC_FIRST + LAPIC_REG_ICR / 16, (u64)id << 32 | icr);
		return;
	}
	while (reg_read(LAPIC_REG_ICR) & ICR_BUSY)
		cpu_relax();
	reg_write(LAPIC_REG_ICR2, id << 24);
	reg_write(LAPIC_REG_ICR, icr);
}

void apic_timer(u32 count)
{
	reg_write(LAPIC_REG_TIMER_INITIAL, count);
}

u32 apic_timer_left(void)
{
	return reg_read(LAPIC_REG_TIMER_CURRENT);
}
