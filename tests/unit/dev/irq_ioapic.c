/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/irq/ioapic.c */
#include "tests/test.h"

#include "tests/unit/dev/apic_rig.h"

static struct apic_rig *rig_new(void)
{
	static struct apic_rig r;

	apic_rig_init(&r, 2);
	rig_enable(&r, 2);
	return &r;
}

static void iow(struct apic_rig *r, u8 reg, u32 val)
{
	ioapic_ops.write(&r->ioapic, 0, 4, reg);
	ioapic_ops.write(&r->ioapic, 0x10, 4, val);
}

static u32 ior(struct apic_rig *r, u8 reg)
{
	ioapic_ops.write(&r->ioapic, 0, 4, reg);
	return (u32)ioapic_ops.read(&r->ioapic, 0x10, 4);
}

static void pin(struct apic_rig *r, unsigned n, u32 low, u8 dest)
{
	iow(r, 0x11 + 2 * n, (u32)dest << 24);
	iow(r, 0x10 + 2 * n, low);
}

static void t_identity(void)
{
	struct apic_rig *r = rig_new();

	CHECK_EQ(ior(r, 1), 0x170020);
	CHECK_EQ(ior(r, 0x10), 0x10000);
	iow(r, 0, 0xff000000);
	CHECK_EQ(ior(r, 0), 0x0f000000);
	CHECK_EQ(ior(r, 0x40), 0xffffffff);
	iow(r, 0xff, 0);
	ioapic_ops.reset(&r->ioapic);
	CHECK_EQ(ior(r, 0), 0);
}

static void t_timer(void)
{
	struct apic_rig *r = rig_new();

	r->gsi.pic->chip[0].vector_base = 0x30;
	CHECK(gsi_is_timer(&r->gsi, 0x30) && !gsi_is_timer(&r->gsi, 0x31));
	CHECK(!gsi_is_timer(&r->gsi, -1));
	pin(r, 2, 0x41 | 1 << 16, 1);
	CHECK(!gsi_is_timer(&r->gsi, 0x41));
	pin(r, 2, 0x41, 1);
	CHECK(gsi_is_timer(&r->gsi, 0x41) && !gsi_is_timer(&r->gsi, 0x42));
}

static void t_edge(void)
{
	struct apic_rig *r = rig_new();

	gsi_set(&r->gsi, 4, true);
	gsi_set(&r->gsi, 4, false);
	pin(r, 4, 0x45, 1);
	CHECK(!r->intr[1]); /* an edge while masked is lost */
	gsi_set(&r->gsi, 4, true);
	CHECK_EQ(lapic_ack(&r->cpu[1]), 0x45);
	lw(r, 1, 0xb0, 0);
	CHECK(!r->intr[1]);
	gsi_set(&r->gsi, 4, true);
	CHECK(!r->intr[1]);
	CHECK_EQ(r->eois, 0);
}

static void t_timer_override(void)
{
	struct apic_rig *r = rig_new();

	pin(r, 2, 0x30, 0);
	lw(r, 0, 0x350, 0x10000);
	gsi_set(&r->gsi, 0, true);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x30);
}

static void t_level(void)
{
	struct apic_rig *r = rig_new();

	pin(r, 18, 0x8000 | 0x50, 0);
	gsi_set(&r->gsi, 18, true);
	CHECK_EQ(ior(r, 0x10 + 36) & 0x4000, 0x4000);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x50);
	CHECK(!r->intr[0]);
	lw(r, 0, 0xb0, 0);
	CHECK_EQ(r->eois, 1);
	CHECK(r->intr[0]); /* still held: sent again */
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x50);
	gsi_set(&r->gsi, 18, false);
	lw(r, 0, 0xb0, 0);
	CHECK(!r->intr[0]);
	CHECK_EQ(ior(r, 0x10 + 36) & 0x4000, 0);
}

static void t_level_while_masked(void)
{
	struct apic_rig *r = rig_new();

	pin(r, 17, 0x18000 | 0x51, 0);
	gsi_set(&r->gsi, 17, true);
	CHECK(!r->intr[0]);
	pin(r, 17, 0x8000 | 0x51, 0);
	CHECK(r->intr[0]);
}

static void t_eoi_register_and_edge_switch(void)
{
	struct apic_rig *r = rig_new();

	pin(r, 16, 0x8000 | 0x52, 0);
	gsi_set(&r->gsi, 16, true);
	gsi_set(&r->gsi, 16, false);
	CHECK_EQ(ior(r, 0x30) & 0x4000, 0x4000);
	ioapic_ops.write(&r->ioapic, 0x40, 4, 0x53);
	CHECK_EQ(ior(r, 0x30) & 0x4000, 0x4000);
	ioapic_ops.write(&r->ioapic, 0x40, 4, 0x52);
	CHECK_EQ(ior(r, 0x30) & 0x4000, 0);
	gsi_set(&r->gsi, 16, true);
	iow(r, 0x30, 0x10052);
	CHECK_EQ(ior(r, 0x30) & 0x4000, 0);
}

static void t_extint(void)
{
	struct apic_rig *r = rig_new();

	pic_master_ops.write(&r->pic, 0, 1, 0x11);
	pic_master_ops.write(&r->pic, 1, 1, 0x20);
	pic_master_ops.write(&r->pic, 1, 1, 4);
	pic_master_ops.write(&r->pic, 1, 1, 1);
	lw(r, 0, 0x350, 0x10000);
	pin(r, 3, 0x700, 1);
	gsi_set(&r->gsi, 3, true);
	CHECK(!r->intr[0] && r->intr[1]);
	CHECK_EQ(lapic_ack(&r->cpu[1]), 0x23);
	CHECK(!r->intr[1]);
}

int main(void)
{
	RUN(t_identity);
	RUN(t_timer);
	RUN(t_edge);
	RUN(t_timer_override);
	RUN(t_level);
	RUN(t_level_while_masked);
	RUN(t_eoi_register_and_edge_switch);
	RUN(t_extint);
	return test_done();
}
