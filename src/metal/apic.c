/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/apic.h"

#include "core/cpu/hw.h"
#include "metal/metal.h"
#include "metal/paging.h"
#include "metal/trap.h"

enum {
	MSR_BASE = 0x1b,
	BASE_ENABLE = 1 << 11,
	BASE_X2 = 1 << 10,
	MSR_X2 = 0x800,
	REG_ID = 0x20,
	REG_TPR = 0x80,
	REG_EOI = 0xb0,
	REG_SVR = 0xf0,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_INITIAL = 0x380,
	REG_CURRENT = 0x390,
	REG_DIVIDE = 0x3e0,
	SVR_ON = 0x100,
	LVT_OFF = 1 << 16,
	LVT_PERIODIC = 1 << 17,
	DIVIDE_BY_16 = 3,
	ICR_BUSY = 1 << 12,
};
#define PAGE_ADDR 0xfee00000u

static u32 reg_read(u32 reg)
{
	if (metal.x2apic)
		return (u32)hw_rdmsr(MSR_X2 + reg / 16);
	return *(volatile u32 *)(uintptr_t)(PAGE_ADDR + reg);
}

static void reg_write(u32 reg, u32 v)
{
	if (metal.x2apic)
		hw_wrmsr(MSR_X2 + reg / 16, v);
	else
		*(volatile u32 *)(uintptr_t)(PAGE_ADDR + reg) = v;
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
		paging_map_device(PAGE_ADDR, PAGE_SIZE);
	apic_enable();
}

void apic_enable(void)
{
	u64 base = hw_rdmsr(MSR_BASE) & 0xfff;

	hw_wrmsr(MSR_BASE, PAGE_ADDR | base | BASE_ENABLE);
	if (metal.x2apic)
		hw_wrmsr(MSR_BASE, PAGE_ADDR | base | BASE_ENABLE | BASE_X2);
	reg_write(REG_TPR, 0);
	reg_write(REG_LVT_LINT0, LVT_OFF);
	reg_write(REG_LVT_LINT1, 0x400); /* NMI */
	reg_write(REG_DIVIDE, DIVIDE_BY_16);
	reg_write(REG_LVT_TIMER, LVT_PERIODIC | TRAP_TIMER);
	reg_write(REG_SVR, SVR_ON | TRAP_SPURIOUS);
}

u32 apic_id(void)
{
	return metal.x2apic ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void apic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

void apic_send(u32 id, u32 icr)
{
	if (metal.x2apic) {
		__asm__ volatile("mfence; lfence" : : : "memory");
		hw_wrmsr(MSR_X2 + REG_ICR / 16, (u64)id << 32 | icr);
		return;
	}
	while (reg_read(REG_ICR) & ICR_BUSY)
		cpu_relax();
	reg_write(REG_ICR_HIGH, id << 24);
	reg_write(REG_ICR, icr);
}

void apic_timer(u32 count)
{
	reg_write(REG_INITIAL, count);
}

u32 apic_timer_left(void)
{
	return reg_read(REG_CURRENT);
}
