/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The devices of dev/ as a VM's in-kernel interrupt controllers; contract in chip.h. */
#include "kmod/chip_internal.h"

#define CHIP_ORDER 4u /* pages of struct chip, as a power of two */
#define TIMER_LINE 0u

static_assert(sizeof(struct chip) <= 4096u << CHIP_ORDER, "fits its pages");

/* ---- time ------------------------------------------------------------------------------ */

static u64 clock_now(void *opaque)
{
	return chip_now_ns();
}

static u64 clock_wall(void *opaque)
{
	return port_wall_ns() / 1000000000u;
}

static void clock_update(struct chip *c)
{
	struct list *first = c->timers.next;

	chip_timer(c->host, list_empty(&c->timers)
				    ? ~0ULL
				    : list_entry(first, struct io_timer, link)->deadline_ns);
}

static void clock_arm(void *opaque, struct io_timer *t, u64 deadline_ns)
{
	struct chip *c = opaque;
	struct list *pos;

	if (t->armed)
		list_remove(&t->link);
	t->armed = true;
	t->deadline_ns = deadline_ns;
	for (pos = c->timers.next; pos != &c->timers; pos = pos->next)
		if (list_entry(pos, struct io_timer, link)->deadline_ns > deadline_ns)
			break;
	list_insert_before(pos, &t->link);
	if (c->timers.next == &t->link)
		clock_update(c);
}

static void clock_cancel(void *opaque, struct io_timer *t)
{
	if (!t->armed)
		return;
	t->armed = false;
	list_remove(&t->link); /* a tick too early finds nothing to do */
}

static const struct io_clock_ops clock_ops = {
	.now_ns = clock_now,
	.wall_s = clock_wall,
	.timer_arm = clock_arm,
	.timer_cancel = clock_cancel,
};

void chip_tick(struct chip *c)
{
	unsigned long flags = chip_lock(c->host);
	u64 now = chip_now_ns();

	while (!list_empty(&c->timers)) {
		struct io_timer *t = list_entry(c->timers.next, struct io_timer, link);

		if (t->deadline_ns > now)
			break;
		clock_cancel(c, t);
		t->fn(t->opaque);
	}
	clock_update(c);
	chip_unlock(c->host, flags);
}

/* ---- wires -------------------------------------------------------------------------------- */

static void wire_intr(void *opaque, unsigned cpu, bool level)
{
	struct chip *c = opaque;

	if (c->vcpu[cpu])
		hv_vcpu_irq(c->vcpu[cpu], level);
}

static void wire_nmi(void *opaque, unsigned cpu)
{
	struct chip *c = opaque;

	hv_vcpu_nmi(c->vcpu[cpu]);
}

static void wire_init(void *opaque, unsigned cpu)
{
	struct chip *c = opaque;

	hv_vcpu_init_signal(c->vcpu[cpu]);
}

static void wire_sipi(void *opaque, unsigned cpu, u8 vector)
{
	struct chip *c = opaque;

	hv_vcpu_sipi(c->vcpu[cpu], vector);
}

static int wire_pic_ack(void *opaque)
{
	struct chip *c = opaque;

	return pic_ack(&c->pic);
}

/* A guest may name any value: saturates. */
static u64 wire_tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	struct chip *c = opaque;
	u64 khz, now = chip_now_ns(), at = hv_vcpu_tsc(c->vcpu[cpu], &khz), ms, rest;

	if (tsc <= at || !khz)
		return now;
	ms = (tsc - at) / khz;
	rest = ((tsc - at) % khz * 1000000 + khz - 1) / khz;
	return ms > ~0ULL / 2000000 ? ~0ULL / 2 : now + ms * 1000000 + rest;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct chip *chip_create(void *host)
{
	struct chip *c = port_page_alloc(CHIP_ORDER);

	if (!c)
		return NULL;
	c->host = host;
	c->clock = (struct io_clock){.ops = &clock_ops, .opaque = c};
	list_init(&c->timers);
	apic_bus_init(&c->bus);
	pic_init(&c->pic, (struct irq_line){.set = apic_bus_pic_intr, .opaque = &c->bus});
	ioapic_init(&c->ioapic, &c->bus);
	c->wiring = (struct gsi_wiring){.pic = &c->pic, .ioapic = &c->ioapic};
	return c;
}

void chip_destroy(struct chip *c)
{
	port_page_free(c, CHIP_ORDER);
}

int chip_cpu_add(struct chip *c, unsigned cpu, struct hv_vcpu *v)
{
	const struct lapic_wires wires = {
		.intr = wire_intr,
		.nmi = wire_nmi,
		.init = wire_init,
		.sipi = wire_sipi,
		.pic_ack = wire_pic_ack,
		.tsc_to_ns = wire_tsc_to_ns,
		.opaque = c,
	};
	unsigned long flags;

	if (cpu >= APIC_BUS_MAX)
		return -E_INVAL;
	flags = chip_lock(c->host);
	c->vcpu[cpu] = v;
	lapic_init(&c->lapic[cpu], cpu, &c->bus, &c->clock, &wires);
	chip_unlock(c->host, flags);
	return 0;
}

/* The timer's line reaches both controllers by the routes of GSI 0. */
static void pit_line(void *opaque, unsigned n, bool level);

int chip_pit_add(struct chip *c, bool speaker)
{
	unsigned long flags = chip_lock(c->host);
	int err = c->has_pit ? -E_EXIST : 0;

	if (!err) {
		pit_init(&c->pit, &c->clock, (struct irq_line){.set = pit_line, .opaque = c});
		c->has_pit = true;
		c->has_speaker = speaker;
	}
	chip_unlock(c->host, flags);
	return err;
}

bool chip_has_pit(struct chip *c)
{
	return c->has_pit;
}

/* ---- accesses ------------------------------------------------------------------------------ */

/* One window: [base, base + len) of a device. */
static bool window(const struct device_ops *ops, void *dev, u64 at, u64 base, u64 len,
		   unsigned size, bool write, u64 *val)
{
	if (at - base >= len || size > len - (at - base))
		return false;
	if (write)
		ops->write(dev, at - base, size, *val);
	else
		*val = ops->read(dev, at - base, size);
	return true;
}

bool chip_mmio(struct chip *c, unsigned cpu, u64 gpa, unsigned size, bool write, u64 *val)
{
	unsigned long flags = chip_lock(c->host);
	struct lapic *l = &c->lapic[cpu];
	bool mine;

	mine = window(&lapic_ops, l, gpa, lapic_base(l), LAPIC_WINDOW, size, write, val) ||
	       window(&ioapic_ops, &c->ioapic, gpa, IOAPIC_BASE, IOAPIC_WINDOW, size, write, val);
	chip_unlock(c->host, flags);
	return mine;
}

bool chip_pio(struct chip *c, u16 port, unsigned size, bool write, u32 *val)
{
	unsigned long flags = chip_lock(c->host);
	u64 v = *val;
	bool mine;

	mine = window(&pic_master_ops, &c->pic, port, PIC_MASTER_PORT, PIC_WINDOW, size, write,
		      &v) ||
	       window(&pic_slave_ops, &c->pic, port, PIC_SLAVE_PORT, PIC_WINDOW, size, write, &v) ||
	       window(&pic_elcr_ops, &c->pic, port, PIC_ELCR_PORT, PIC_ELCR_WINDOW, size, write,
		      &v) ||
	       (c->has_pit &&
		window(&pit_ops, &c->pit, port, PIT_PORT, PIT_WINDOW, size, write, &v)) ||
	       (c->has_pit && c->has_speaker &&
		window(&pit_port61_ops, &c->pit, port, PIT_PORT61, PIT_PORT61_WINDOW, size, write,
		       &v));
	chip_unlock(c->host, flags);
	*val = (u32)v;
	return mine;
}

int chip_msr_read(struct chip *c, unsigned cpu, u32 msr, u64 *val)
{
	unsigned long flags = chip_lock(c->host);
	int err = lapic_msr_read(&c->lapic[cpu], msr, val);

	chip_unlock(c->host, flags);
	return err;
}

int chip_msr_write(struct chip *c, unsigned cpu, u32 msr, u64 val)
{
	unsigned long flags = chip_lock(c->host);
	int err = lapic_msr_write(&c->lapic[cpu], msr, val);

	chip_unlock(c->host, flags);
	return err;
}

int chip_ack(struct chip *c, unsigned cpu)
{
	unsigned long flags = chip_lock(c->host);
	int vector = lapic_ack(&c->lapic[cpu]);

	if (c->has_pit && gsi_is_timer(&c->wiring, vector))
		pit_acked(&c->pit);
	chip_unlock(c->host, flags);
	return vector;
}

u8 chip_cr8(struct chip *c, unsigned cpu)
{
	return lapic_cr8_read(&c->lapic[cpu]);
}

void chip_cr8_set(struct chip *c, unsigned cpu, u8 val)
{
	unsigned long flags = chip_lock(c->host);

	lapic_cr8_write(&c->lapic[cpu], val);
	chip_unlock(c->host, flags);
}

bool chip_eoi_skippable(struct chip *c, unsigned cpu)
{
	unsigned long flags = chip_lock(c->host);
	const struct lapic *l = &c->lapic[cpu];
	bool edge = true, more = false;

	for (unsigned i = 0; i < 8; i++) {
		edge &= !(l->isr[i] & l->tmr[i]);
		more |= l->irr[i] != 0;
	}
	chip_unlock(c->host, flags);
	return edge && !more;
}

void chip_eoi(struct chip *c, unsigned cpu)
{
	unsigned long flags = chip_lock(c->host);

	lapic_eoi(&c->lapic[cpu]);
	chip_unlock(c->host, flags);
}

bool chip_ipi(struct chip *c, u32 apic_id, u32 icr)
{
	unsigned long flags;
	bool there = apic_id < APIC_BUS_MAX && c->vcpu[apic_id];

	if (!there)
		return false;
	flags = chip_lock(c->host);
	lapic_accept(&c->lapic[apic_id], (icr >> 8) & 7, (u8)icr, false);
	chip_unlock(c->host, flags);
	return true;
}

/* ---- interrupts --------------------------------------------------------------------------------
 */

struct chip_route *chip_routes(struct chip *c, struct chip_route *r, unsigned n)
{
	unsigned long flags = chip_lock(c->host);
	struct chip_route *old = c->route;

	c->route = r;
	c->nroutes = n;
	chip_unlock(c->host, flags);
	return old;
}

static void line_locked(struct chip *c, u32 gsi, bool level)
{
	for (unsigned i = 0; i < c->nroutes; i++) {
		const struct chip_route *r = &c->route[i];

		if (r->gsi != gsi)
			continue;
		if (r->to == CHIP_MSI && level)
			apic_bus_msi(&c->bus, r->addr, r->data);
		else if (r->to == CHIP_IOAPIC)
			ioapic_set_irq(&c->ioapic, r->pin, level);
		else if (r->to != CHIP_MSI)
			pic_set_irq(&c->pic, r->pin + (r->to == CHIP_PIC_SLAVE ? 8 : 0), level);
	}
}

static void pit_line(void *opaque, unsigned n, bool level)
{
	line_locked(opaque, TIMER_LINE, level);
}

void chip_line(struct chip *c, u32 gsi, bool level)
{
	unsigned long flags = chip_lock(c->host);

	line_locked(c, gsi, level);
	chip_unlock(c->host, flags);
}

int chip_msi(struct chip *c, u64 addr, u32 data)
{
	unsigned long flags = chip_lock(c->host);

	apic_bus_msi(&c->bus, addr, data);
	chip_unlock(c->host, flags);
	return 1;
}
