/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One local APIC: xAPIC page, x2APIC MSRs, timer, IPIs.
 * References: Intel SDM vol. 3A chapter 11 (sections named at each use).
 *
 * The board makes one per vCPU, routes the vCPU's accesses to the page at
 * lapic_base() to lapic_ops, and MSRs 1Bh, 6E0h and 800h..8FFh to
 * lapic_msr_read/write. Everything runs under the machine lock.
 *
 * Registers: enum lapic_reg below; x2APIC MSR = 800h + offset / 16. ISR, TMR and IRR
 * have eight each, the LVT six, 16 bytes apart.
 *
 * One departure from the SDM's reset state: the boot processor's LINT0 comes up
 * as an unmasked ExtINT, as firmware leaves it ("virtual wire"), because kernels
 * entered without firmware expect 8259 interrupts to arrive.
 *
 * Not modelled: CMCI, focus processor, SMI (dropped), EOI-broadcast suppression.
 */
#ifndef HULL_DEV_IRQ_LAPIC_H
#define HULL_DEV_IRQ_LAPIC_H

#include "dev/device.h"
#include "dev/irq/apic_bus.h"
#include "io/clock.h"

#define LAPIC_BASE_DEFAULT 0xfee00000u
#define LAPIC_WINDOW 0x1000u

/* IA32_APIC_BASE, SDM 11.4.4 and 11.12.1. */
enum {
	LAPIC_BASE_MSR_BSP = 1 << 8,
	LAPIC_BASE_MSR_X2APIC = 1 << 10,
	LAPIC_BASE_MSR_ENABLE = 1 << 11,
};
enum {
	MSR_APIC_BASE = 0x1b,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff
};

enum lapic_lvt {
	LAPIC_LVT_TIMER,
	LAPIC_LVT_THERMAL,
	LAPIC_LVT_PERF,
	LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1,
	LAPIC_LVT_ERROR,
	LAPIC_LVTS
};

/* What a local APIC asks of the board; cpu is the index given to lapic_init. */
struct lapic_wires {
	/* The processor's INTR pin: an interrupt can be acknowledged now. */
	void (*intr)(void *opaque, unsigned cpu, bool level);
	void (*nmi)(void *opaque, unsigned cpu);
	void (*init)(void *opaque, unsigned cpu);
	void (*sipi)(void *opaque, unsigned cpu, u8 vector);
	/* INTA cycle on the 8259 pair for ExtINT: a vector. */
	int (*pic_ack)(void *opaque);
	/* Virtual time (ns, rounded up) at which the vCPU's TSC reaches tsc; any past time if it
	 * has. */
	u64 (*tsc_to_ns)(void *opaque, unsigned cpu, u64 tsc);
	void *opaque;
};

struct lapic {
	struct apic_bus *bus;
	const struct io_clock *clock;
	struct lapic_wires wires;
	unsigned index; /* = the initial APIC id */

	u64 base_msr;
	u32 id; /* 8 bits at 24 in xAPIC mode are made on reading */
	u32 tpr, ldr, dfr, svr;
	u32 isr[8], tmr[8], irr[8];
	u32 esr, esr_pending; /* as read; collected since the last write */
	u32 lvt[LAPIC_LVTS];
	u64 icr;

	u32 timer_initial, timer_divide;
	u64 tsc_deadline;
	u64 timer_next; /* ns of the next expiry; valid while timer.armed */
	struct io_timer timer;

	bool lint[2]; /* input levels */
	bool extint;  /* an ExtINT message waits */
	bool intr_level;
};

/*
 * Puts the APIC in its power-on state and on the bus. bus, clock: not owned.
 * index < APIC_BUS_MAX; index 0 is the boot processor.
 */
void lapic_init(struct lapic *l, unsigned index, struct apic_bus *bus, const struct io_clock *clock,
		const struct lapic_wires *wires);

/* Physical address of the page, ~0 when there is none (disabled, or x2APIC mode). */
u64 lapic_base(const struct lapic *l);

/* The vCPU takes an interrupt: its vector, or -1 if there is none any more. */
int lapic_ack(struct lapic *l);

/* 0, or -E_NOENT when the access raises #GP. */
int lapic_msr_read(struct lapic *l, u32 msr, u64 *val);
int lapic_msr_write(struct lapic *l, u32 msr, u64 val);

/* CR8 is TPR bits 7:4 (SDM 11.8.6). */
u8 lapic_cr8_read(const struct lapic *l);
void lapic_cr8_write(struct lapic *l, u8 val);

/* LINT0 (pin 0: the 8259 pair) and LINT1 (pin 1: NMI button). */
void lapic_lint(struct lapic *l, unsigned pin, bool level);

/* reset: power-on. The page of 4 KiB; accesses other than aligned 32-bit ones are weak. */
extern const struct device_ops lapic_ops;

/* ---- between the files of the local APIC and the bus --------------------------- */

bool lapic_enabled(const struct lapic *l); /* by IA32_APIC_BASE */
bool lapic_x2apic(const struct lapic *l);
bool lapic_matches(const struct lapic *l, const struct apic_msg *msg);
u32 lapic_ppr(const struct lapic *l);
/* True if the message had an effect here. */
bool lapic_accept(struct lapic *l, enum apic_mode mode, u8 vector, bool level);
/* Recompute the INTR pin after any change. */
void lapic_update(struct lapic *l);
void lapic_eoi(struct lapic *l);
void lapic_error(struct lapic *l, u32 esr_bit);
void lapic_ipi(struct lapic *l);
void lapic_soft_reset(struct lapic *l); /* everything but IA32_APIC_BASE and the id */

u64 lapic_page_read(void *dev, u64 offset, unsigned size);
void lapic_page_write(void *dev, u64 offset, unsigned size, u64 val);

u32 lapic_timer_current(const struct lapic *l);
void lapic_timer_set_initial(struct lapic *l, u32 val);
void lapic_timer_set_divide(struct lapic *l, u32 val);
void lapic_timer_set_lvt(struct lapic *l, u32 val);
void lapic_timer_set_deadline(struct lapic *l, u64 tsc);
void lapic_timer_fire(void *lapic);

/* Offsets in the page, SDM table 11-1. Also for who programs a real one. */
enum lapic_reg {
	LAPIC_REG_ID = 0x020,
	LAPIC_REG_VERSION = 0x030,
	LAPIC_REG_TPR = 0x080,
	LAPIC_REG_APR = 0x090,
	LAPIC_REG_PPR = 0x0a0,
	LAPIC_REG_EOI = 0x0b0,
	LAPIC_REG_LDR = 0x0d0,
	LAPIC_REG_DFR = 0x0e0,
	LAPIC_REG_SVR = 0x0f0,
	LAPIC_REG_ISR = 0x100,
	LAPIC_REG_TMR = 0x180,
	LAPIC_REG_IRR = 0x200,
	LAPIC_REG_ESR = 0x280,
	LAPIC_REG_ICR = 0x300,
	LAPIC_REG_ICR2 = 0x310,
	LAPIC_REG_LVT_TIMER = 0x320,
	LAPIC_REG_LVT_LINT0 = 0x350,
	LAPIC_REG_LVT_LINT1 = 0x360,
	LAPIC_REG_LVT_ERROR = 0x370,
	LAPIC_REG_TIMER_INITIAL = 0x380,
	LAPIC_REG_TIMER_CURRENT = 0x390,
	LAPIC_REG_TIMER_DIVIDE = 0x3e0,
	LAPIC_REG_SELF_IPI = 0x3f0,
};
/* LVT bits, SDM 11.5.1. */
enum {
	LVT_MODE_SHIFT = 8,
	LVT_PENDING = 1 << 12,
	LVT_POLARITY = 1 << 13,
	LVT_REMOTE_IRR = 1 << 14,
	LVT_LEVEL = 1 << 15,
	LVT_MASKED = 1 << 16,
	LVT_TIMER_PERIODIC = 1 << 17,
	LVT_TIMER_DEADLINE = 2 << 17,
	LVT_TIMER_MODE = 3 << 17,
};
/* Error status, SDM 11.5.3. */
enum { ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7 };
enum { SVR_ENABLE = 1 << 8 };

#endif
