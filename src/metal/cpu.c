/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/cpu.h"

#include "core/cpu/hw.h"
#include "core/x86_bits.h"
#include "metal/trap.h"

#include <string.h>

void this_cpu_early(struct cpu *c)
{
	c->self = c;
	hw_wrmsr(MSR_GS_BASE, (u64)c);
}

void cpu_setup(struct cpu *c, unsigned index, u32 apic_id, u64 fault_stack_top)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) gdtr = {sizeof(c->gdt) - 1, (u64)c->gdt};
	u64 base = (u64)&c->tss;

	c->index = index;
	c->apic_id = apic_id;
	c->tss.ist[0] = fault_stack_top;
	c->tss.iomap = sizeof(c->tss);
	/* SDM vol. 3A 3.4.5 and 8.2.3: code, data, 32-bit code, TSS in two entries. */
	c->gdt[SEL_CODE / 8] = 0x00af9b000000ffff;
	c->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	c->gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	c->gdt[SEL_TSS / 8] = (sizeof(c->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			      (base >> 24 & 0xff) << 56;
	c->gdt[SEL_TSS / 8 + 1] = base >> 32;
	__asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	hw_wrmsr(MSR_FS_BASE, 0);
	this_cpu_early(c);
	trap_load();
}

void cpu_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}
