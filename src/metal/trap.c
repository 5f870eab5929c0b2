/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/trap.h"

#include "core/cpu/hw.h"
#include "metal/apic.h"
#include "metal/metal.h"
#include "metal/smp.h"

struct idt_entry {
	u16 low, selector;
	u8 ist, type;
	u16 middle;
	u32 high, reserved;
};
static_assert(sizeof(struct idt_entry) == 16, "SDM vol. 3A figure 6-8");

static struct idt_entry idt[256];

extern char trap_stubs[];

void trap_init(void)
{
	enum { STUB = 16, INTERRUPT_GATE = 0x8e };

	for (unsigned i = 0; i < 256; i++) {
		u64 at = (u64)trap_stubs + i * STUB;
		bool own = i == TRAP_NMI || i == TRAP_DOUBLE_FAULT || i == TRAP_MACHINE_CHECK;

		idt[i] = (struct idt_entry){.low = (u16)at,
					    .selector = SEL_CODE,
					    .ist = own,
					    .type = INTERRUPT_GATE,
					    .middle = (u16)(at >> 16),
					    .high = (u32)(at >> 32)};
	}
}

void trap_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = {sizeof(idt) - 1, (u64)idt};

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static void __attribute__((noreturn)) exception(const struct trap_frame *f)
{
	/* SDM vol. 3A table 6-1. */
	static const char *const name[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
					   "#DF", "9",	 "#TS", "#NP", "#SS", "#GP", "#PF"};
	/* As struct trap_frame begins. */
	static const char *const reg[] = {"r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8",
					  "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax"};
	const u64 *r = (const u64 *)f;

	metal_log("exception %lu (%s), error %lx, on CPU %u", f->vector,
		  f->vector < ARRAY_LEN(name) ? name[f->vector] : "?", f->error, this_cpu()->index);
	metal_log("  rip %016lx rsp %016lx rflags %08lx cr2 %016lx", f->rip, f->rsp, f->rflags,
		  hw_cr_read(2));
	for (unsigned i = 0; i < ARRAY_LEN(reg); i += 3)
		metal_log("  %-3s %016lx %-3s %016lx %-3s %016lx", reg[i], r[i], reg[i + 1],
			  r[i + 1], reg[i + 2], r[i + 2]);
	metal_die("the hypervisor itself failed; this is a bug");
}

void trap_handle(struct trap_frame *f)
{
	switch (f->vector) {
	case TRAP_TIMER:
		this_cpu()->ticks++;
		this_cpu()->resched = true;
		this_cpu()->deadline_ns = 0; /* goes on until it is set anew */
		apic_eoi();
		return;
	case TRAP_KICK:
		this_cpu()->kicks++;
		smp_serve();
		apic_eoi();
		return;
	case TRAP_SPURIOUS:
	case TRAP_NMI: /* not ours; a guest's is delivered by the core */
		return;
	default:
		break;
	}
	if (f->vector < TRAP_EXCEPTIONS)
		exception(f);
	apic_eoi(); /* a device we did not program */
}
