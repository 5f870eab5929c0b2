/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The chip's state in the layouts of KVM's ioctls; contract in chip.h. */
#include "kmod/chip_internal.h"

#include "base/endian.h"
#include "base/ticks.h"

/* SDM vol. 3A table 11-1. */
enum {
	REG_ID = 0x20,
	REG_VERSION = 0x30,
	REG_TPR = 0x80,
	REG_PPR = 0xa0,
	REG_LDR = 0xd0,
	REG_DFR = 0xe0,
	REG_SVR = 0xf0,
	REG_ISR = 0x100,
	REG_TMR = 0x180,
	REG_IRR = 0x200,
	REG_ESR = 0x280,
	REG_ICR = 0x300,
	REG_ICR2 = 0x310,
	REG_LVT = 0x320,
	REG_INITIAL = 0x380,
	REG_CURRENT = 0x390,
	REG_DIVIDE = 0x3e0,
	LAPIC_VERSION = 0x50014,
};

void chip_lapic_get(struct chip *c, unsigned cpu, u8 *page)
{
	unsigned long flags = chip_lock(c->host);
	const struct lapic *l = &c->lapic[cpu];

	__builtin_memset(page, 0, CHIP_LAPIC_BYTES);
	store_le32(page + REG_ID, l->id << 24);
	store_le32(page + REG_VERSION, LAPIC_VERSION);
	store_le32(page + REG_TPR, l->tpr);
	store_le32(page + REG_PPR, lapic_ppr(l));
	store_le32(page + REG_LDR, l->ldr);
	store_le32(page + REG_DFR, l->dfr);
	store_le32(page + REG_SVR, l->svr);
	for (unsigned i = 0; i < 8; i++) {
		store_le32(page + REG_ISR + i * 16, l->isr[i]);
		store_le32(page + REG_TMR + i * 16, l->tmr[i]);
		store_le32(page + REG_IRR + i * 16, l->irr[i]);
	}
	store_le32(page + REG_ESR, l->esr);
	store_le32(page + REG_ICR, (u32)l->icr);
	store_le32(page + REG_ICR2, (u32)(l->icr >> 32));
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		store_le32(page + REG_LVT + i * 16, l->lvt[i]);
	store_le32(page + REG_INITIAL, l->timer_initial);
	store_le32(page + REG_CURRENT, lapic_timer_current(l));
	store_le32(page + REG_DIVIDE, l->timer_divide);
	chip_unlock(c->host, flags);
}

void chip_lapic_set(struct chip *c, unsigned cpu, const u8 *page)
{
	unsigned long flags = chip_lock(c->host);
	struct lapic *l = &c->lapic[cpu];

	io_timer_cancel(&c->clock, &l->timer);
	l->tpr = load_le32(page + REG_TPR) & 0xff;
	l->ldr = load_le32(page + REG_LDR);
	l->dfr = load_le32(page + REG_DFR) | 0x0fffffff;
	l->svr = load_le32(page + REG_SVR) & 0x1ff;
	for (unsigned i = 0; i < 8; i++) {
		l->isr[i] = load_le32(page + REG_ISR + i * 16);
		l->tmr[i] = load_le32(page + REG_TMR + i * 16);
		l->irr[i] = load_le32(page + REG_IRR + i * 16);
	}
	l->esr = load_le32(page + REG_ESR);
	l->icr = load_le32(page + REG_ICR) | (u64)load_le32(page + REG_ICR2) << 32;
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		l->lvt[i] = load_le32(page + REG_LVT + i * 16) & 0x7ffff;
	l->timer_divide = load_le32(page + REG_DIVIDE) & 0xb;
	lapic_timer_set_initial(l, load_le32(page + REG_INITIAL));
	lapic_update(l);
	chip_unlock(c->host, flags);
}

u64 chip_apic_base(struct chip *c, unsigned cpu)
{
	return c->lapic[cpu].base_msr;
}

/* What the guest could not do in one step is allowed here. */
int chip_apic_base_set(struct chip *c, unsigned cpu, u64 base)
{
	const u64 mode = LAPIC_BASE_MSR_ENABLE | LAPIC_BASE_MSR_X2APIC;
	struct lapic *l = &c->lapic[cpu];
	unsigned long flags;

	if ((base & mode) == LAPIC_BASE_MSR_X2APIC ||
	    base & ~(BITS(12, 36) | mode | LAPIC_BASE_MSR_BSP))
		return -E_INVAL;
	flags = chip_lock(c->host);
	l->base_msr = base;
	lapic_update(l);
	chip_unlock(c->host, flags);
	return 0;
}

/* ---- 8259 -------------------------------------------------------------------------- */

void chip_pic_get(struct chip *c, unsigned n, struct chip_pic_state *s)
{
	unsigned long flags = chip_lock(c->host);
	const struct pic_chip *p = &c->pic.chip[n];

	*s = (struct chip_pic_state){
		.last_irr = p->lines,
		.irr = p->irr,
		.imr = p->imr,
		.isr = p->isr,
		.priority_add = (p->lowest + 1) & 7,
		.irq_base = p->vector_base,
		.read_reg_select = p->read_isr,
		.poll = p->poll,
		.special_mask = p->mask_special,
		.init_state = p->init_step ? p->init_step - 1 : 0,
		.auto_eoi = p->auto_eoi,
		.rotate_on_auto_eoi = p->rotate_auto_eoi,
		.special_fully_nested_mode = p->nested_special,
		.init4 = p->need_icw4,
		.elcr = p->elcr,
		.elcr_mask = n ? 0xde : 0xf8, /* ICH9 13.4.10 */
	};
	chip_unlock(c->host, flags);
}

void chip_pic_set(struct chip *c, unsigned n, const struct chip_pic_state *s)
{
	unsigned long flags = chip_lock(c->host);
	struct pic_chip *p = &c->pic.chip[n];

	*p = (struct pic_chip){
		.lines = s->last_irr,
		.irr = s->irr,
		.imr = s->imr,
		.isr = s->isr,
		.lowest = (s->priority_add + 7) & 7,
		.vector_base = s->irq_base & 0xf8,
		.read_isr = s->read_reg_select,
		.poll = s->poll,
		.mask_special = s->special_mask,
		.init_step = s->init_state & 3 ? (s->init_state & 3) + 1 : 0,
		.auto_eoi = s->auto_eoi,
		.rotate_auto_eoi = s->rotate_on_auto_eoi,
		.nested_special = s->special_fully_nested_mode,
		.need_icw4 = s->init4,
		.elcr = s->elcr & (n ? 0xde : 0xf8),
	};
	pic_set_irq(&c->pic, n * 8, p->lines & 1); /* the same level: computes the output anew */
	chip_unlock(c->host, flags);
}

/* ---- I/O APIC ------------------------------------------------------------------------ */

static_assert(sizeof(((struct chip_ioapic_state *)0)->rte) == 8 * IOAPIC_PINS, "all pins");

void chip_ioapic_get(struct chip *c, struct chip_ioapic_state *s)
{
	unsigned long flags = chip_lock(c->host);

	*s = (struct chip_ioapic_state){.base = IOAPIC_BASE,
					.select = c->ioapic.select,
					.id = c->ioapic.id >> 24,
					.irr = c->ioapic.lines};
	__builtin_memcpy(s->rte, c->ioapic.rte, sizeof(s->rte));
	chip_unlock(c->host, flags);
}

void chip_ioapic_set(struct chip *c, const struct chip_ioapic_state *s)
{
	unsigned long flags = chip_lock(c->host);

	c->ioapic.select = (u8)s->select;
	c->ioapic.id = (s->id & 0xf) << 24;
	c->ioapic.lines = 0;
	__builtin_memcpy(c->ioapic.rte, s->rte, sizeof(s->rte));
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		ioapic_set_irq(&c->ioapic, i, s->irr >> i & 1);
	chip_unlock(c->host, flags);
}

/* ---- 8254 ---------------------------------------------------------------------------- */

void chip_pit_get(struct chip *c, struct chip_pit_channel ch[3])
{
	unsigned long flags = chip_lock(c->host);

	for (unsigned i = 0; i < 3; i++) {
		const struct pit_channel *p = &c->pit.ch[i];

		ch[i] = (struct chip_pit_channel){
			.count = p->count,
			.latched_count = p->latch,
			.count_latched = p->latched,
			.status_latched = p->status_latched,
			.status = p->status,
			.read_state = p->rw == 3 && p->read_high ? 4 : p->rw,
			.write_state = p->rw == 3 && p->write_high ? 4 : p->rw,
			.write_latch = p->write_low,
			.rw_mode = p->rw,
			.mode = p->mode,
			.bcd = p->bcd,
			.gate = p->gate,
			.load_time = (s64)p->start,
		};
	}
	chip_unlock(c->host, flags);
}

/* As if control word and count had just been written: then its interrupt comes again. */
void chip_pit_set(struct chip *c, const struct chip_pit_channel ch[3])
{
	unsigned long flags = chip_lock(c->host);

	for (unsigned i = 0; i < 3; i++) {
		u32 count = ch[i].count;

		if (!(ch[i].rw_mode & 3))
			continue; /* never programmed */
		pit_ops.write(&c->pit, 3, 1,
			      i << 6 | 3 << 4 | (ch[i].mode % 6u) << 1 | (ch[i].bcd & 1));
		if (count) {
			pit_ops.write(&c->pit, i, 1, count & 0xff);
			pit_ops.write(&c->pit, i, 1, count >> 8 & 0xff);
		}
	}
	chip_unlock(c->host, flags);
}
