/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A physical CPU: instructions that C has no words for, and the data each CPU
 * has of its own (behind its GS base). The hypervisor runs with interrupts off
 * everywhere except in cpu_idle and irq_window; nothing preempts anything.
 */
#ifndef HULL_METAL_CPU_H
#define HULL_METAL_CPU_H

#include "base/types.h"
#include "metal/layout.h"

#define CPUS_MAX 64u

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void write_cr3(u64 v)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause");
}

/* Lets pending interrupts in, and waits for the next one if `wait`. */
static inline void irq_window(bool wait)
{
	if (wait)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	else
		__asm__ volatile("sti; nop; cli" : : : "memory");
}

struct tss {
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));
static_assert(sizeof(struct tss) == 104, "SDM vol. 3A figure 8-11");

struct engine_vcpu;

struct cpu {
	struct cpu *self; /* at GS:0 */
	unsigned index;
	u32 apic_id;
	volatile bool online;
	unsigned owner; /* who pays for what is allocated now, pages.h */
	u64 gdt[6];
	struct tss tss;

	/* sched.c's */
	struct engine_vcpu *current;
	struct engine_vcpu *volatile runnable; /* list through vcpu->next */
	volatile bool resched;
	volatile bool wake; /* somebody made work for this CPU */
	u64 deadline_ns;    /* what the timer is set to, ~0 = off, 0 = set it anew */
	u64 idle_ns, busy_ns, ticks, kicks;
};

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/* Just so much that this_cpu() works, before memory does. */
void this_cpu_early(struct cpu *c);

/* Fills in c and makes it this CPU's: GDT, TSS, IDT, GS. stack_top: for double faults, NMI, #MC. */
void cpu_setup(struct cpu *c, unsigned index, u32 apic_id, u64 fault_stack_top);

/* Ends everything on this CPU. */
void __attribute__((noreturn)) cpu_halt(void);

/* A plain lock; with interrupts off everywhere that is all there is. */
struct spinlock {
	volatile u32 held;
};

static inline void spin_lock(struct spinlock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		while (l->held)
			cpu_relax();
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif
