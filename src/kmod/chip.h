/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The interrupt controllers and the timer of a VM that has them in the module:
 * local APICs, I/O APIC, 8259s and 8254 of dev/, wired as KVM_CREATE_IRQCHIP
 * promises. Plain C without Linux' headers and without dev/'s, so that both sides
 * can include it.
 *
 * Every function takes the chip's lock (chip_lock) and may be called from any
 * context, also with interrupts off. CPUs are vCPU indices.
 */
#ifndef HULL_KMOD_CHIP_H
#define HULL_KMOD_CHIP_H

#include "base/types.h"

struct chip;
struct hv_vcpu;

/* ---- what the Linux side supplies (vm.c) ------------------------------------------ */

unsigned long chip_lock(void *host);
void chip_unlock(void *host, unsigned long flags);
u64 chip_now_ns(void); /* monotonic */
/* Call chip_tick at that time (chip_now_ns), ~0: not at all. Called locked. */
void chip_timer(void *host, u64 ns);

/* ---- life ---------------------------------------------------------------------------- */

struct chip *chip_create(void *host); /* NULL: no memory */
void chip_destroy(struct chip *c);    /* NULL ok; chip_tick is never called again */
int chip_cpu_add(struct chip *c, unsigned cpu, struct hv_vcpu *v);
/* speaker: port 61h is the timer's, too. */
int chip_pit_add(struct chip *c, bool speaker);
bool chip_has_pit(struct chip *c);
void chip_tick(struct chip *c);

/* ---- the guest's accesses; false: not of the chip -------------------------------------- */

bool chip_mmio(struct chip *c, unsigned cpu, u64 gpa, unsigned size, bool write, u64 *val);
bool chip_pio(struct chip *c, u16 port, unsigned size, bool write, u32 *val);
int chip_msr_read(struct chip *c, unsigned cpu, u32 msr, u64 *val);
int chip_msr_write(struct chip *c, unsigned cpu, u32 msr, u64 val);
int chip_ack(struct chip *c, unsigned cpu);
u8 chip_cr8(struct chip *c, unsigned cpu);
void chip_cr8_set(struct chip *c, unsigned cpu, u8 val);

/* Paravirtual EOI and IPI (core/hv.h). */
bool chip_eoi_skippable(struct chip *c, unsigned cpu);
void chip_eoi(struct chip *c, unsigned cpu);
bool chip_ipi(struct chip *c, u32 apic_id, u32 icr);

/* ---- interrupts from outside --------------------------------------------------------- */

enum chip_pin { CHIP_PIC_MASTER, CHIP_PIC_SLAVE, CHIP_IOAPIC, CHIP_MSI };

struct chip_route {
	u32 gsi;
	u8 to; /* enum chip_pin */
	u32 pin;
	u64 addr;
	u32 data;
};

/* The table is used, not copied, until the next one takes its place; returns the old one. */
struct chip_route *chip_routes(struct chip *c, struct chip_route *r, unsigned n);
/* A line changes its level; messages go when it rises. */
void chip_line(struct chip *c, u32 gsi, bool level);
/* 1 if a local APIC took it, else 0. */
int chip_msi(struct chip *c, u64 addr, u32 data);

/* ---- state, in the layouts of <asm/kvm.h> ------------------------------------------------ */

#define CHIP_LAPIC_BYTES 0x400u

struct chip_pic_state { /* kvm_pic_state */
	u8 last_irr, irr, imr, isr, priority_add, irq_base, read_reg_select, poll, special_mask;
	u8 init_state, auto_eoi, rotate_on_auto_eoi, special_fully_nested_mode, init4, elcr;
	u8 elcr_mask;
};

struct chip_ioapic_state { /* kvm_ioapic_state */
	u64 base;
	u32 select, id, irr, pad;
	u64 rte[24];
};

struct chip_pit_channel { /* kvm_pit_channel_state */
	u32 count;
	u16 latched_count;
	u8 count_latched, status_latched, status, read_state, write_state, write_latch, rw_mode;
	u8 mode, bcd, gate;
	s64 load_time;
};

void chip_lapic_get(struct chip *c, unsigned cpu, u8 *page);
void chip_lapic_set(struct chip *c, unsigned cpu, const u8 *page);
u64 chip_apic_base(struct chip *c, unsigned cpu);
/* 0 or -E_INVAL. */
int chip_apic_base_set(struct chip *c, unsigned cpu, u64 base);
void chip_pic_get(struct chip *c, unsigned n, struct chip_pic_state *s);
void chip_pic_set(struct chip *c, unsigned n, const struct chip_pic_state *s);
void chip_ioapic_get(struct chip *c, struct chip_ioapic_state *s);
void chip_ioapic_set(struct chip *c, const struct chip_ioapic_state *s);
void chip_pit_get(struct chip *c, struct chip_pit_channel ch[3]);
void chip_pit_set(struct chip *c, const struct chip_pit_channel ch[3]);

#endif
