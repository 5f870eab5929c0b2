/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/irq/{lapic,lapic_regs,lapic_timer,apic_bus}.c */
#include "tests/test.h"

#include "tests/unit/dev/apic_rig.h"

static struct apic_rig *rig_new(unsigned ncpus)
{
	static struct apic_rig r;

	apic_rig_init(&r, ncpus);
	return &r;
}

static void t_reset_values(void)
{
	struct apic_rig *r = rig_new(2);

	CHECK_EQ(lr(r, 1, 0x20), 1u << 24);
	CHECK_EQ(lr(r, 0, 0x30), 0x50014);
	CHECK_EQ(lr(r, 0, 0xf0), 0xff);
	CHECK_EQ(lr(r, 0, 0xe0), 0xffffffff);
	CHECK_EQ(lr(r, 0, 0x350), 0x700); /* virtual wire on the boot processor */
	CHECK_EQ(lr(r, 1, 0x350), 0x10000);
	CHECK_EQ(lr(r, 0, 0x320), 0x10000);
	CHECK_EQ(lapic_base(&r->cpu[0]), 0xfee00000);
}

static void t_self_ipi_ack_eoi(void)
{
	struct apic_rig *r = rig_new(1);

	lw(r, 0, 0x300, 0x40000 | 0x55);
	CHECK(!r->intr[0]); /* software-disabled */
	rig_enable(r, 1);
	lw(r, 0, 0x300, 0x40000 | 0x55);
	CHECK(r->intr[0]);
	CHECK_EQ(lr(r, 0, 0x220), 1u << (0x55 - 0x40));
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x55);
	CHECK(!r->intr[0]);
	CHECK_EQ(lapic_ack(&r->cpu[0]), (u64)-1);
	CHECK_EQ(lr(r, 0, 0x120), 1u << (0x55 - 0x40));
	CHECK_EQ(lr(r, 0, 0xa0), 0x50);
	lw(r, 0, 0x300, 0x40000 | 0x5f); /* same class waits */
	CHECK(!r->intr[0]);
	lw(r, 0, 0x300, 0x40000 | 0x61);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x61);
	lw(r, 0, 0xb0, 0);
	CHECK(!r->intr[0]);
	lw(r, 0, 0xb0, 0);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x5f);
	lw(r, 0, 0xb0, 0);
	CHECK_EQ(lr(r, 0, 0xa0), 0);
	CHECK_EQ(r->eois, 0); /* all were edges */
}

static void t_tpr_and_cr8(void)
{
	struct apic_rig *r = rig_new(1);

	rig_enable(r, 1);
	lapic_cr8_write(&r->cpu[0], 6);
	CHECK_EQ(lr(r, 0, 0x80), 0x60);
	lw(r, 0, 0x300, 0x40000 | 0x6f);
	CHECK(!r->intr[0]);
	lw(r, 0, 0x80, 0x5f);
	CHECK_EQ(lapic_cr8_read(&r->cpu[0]), 5);
	CHECK(r->intr[0]);
}

static void t_physical_and_shorthands(void)
{
	struct apic_rig *r = rig_new(4);

	rig_enable(r, 4);
	lw(r, 0, 0x310, 2u << 24);
	lw(r, 0, 0x300, 0x4040);
	CHECK(!r->intr[0] && !r->intr[1] && r->intr[2] && !r->intr[3]);
	lw(r, 0, 0x300, 0xc4041); /* all but self */
	CHECK(!r->intr[0] && r->intr[1] && r->intr[2] && r->intr[3]);
	lw(r, 1, 0x300, 0x84042); /* all */
	CHECK(r->intr[0]);
	CHECK_EQ(lapic_ack(&r->cpu[3]), 0x42);
	lw(r, 0, 0x310, 0xffu << 24);
	lw(r, 0, 0x300, 0x4051); /* broadcast */
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x51);
	CHECK_EQ(lapic_ack(&r->cpu[3]), 0x51);
}

static void t_logical_flat_and_cluster(void)
{
	struct apic_rig *r = rig_new(4);

	rig_enable(r, 4);
	for (unsigned i = 0; i < 4; i++)
		lw(r, i, 0xd0, 1u << (24 + i));
	lw(r, 0, 0x310, 0x0au << 24);
	lw(r, 0, 0x300, 0x4840);
	CHECK(!r->intr[0] && r->intr[1] && !r->intr[2] && r->intr[3]);

	r = rig_new(4);
	rig_enable(r, 4);
	for (unsigned i = 0; i < 4; i++) {
		lw(r, i, 0xe0, 0x0fffffff);
		lw(r, i, 0xd0, ((i / 2) << 4 | 1u << (i & 1)) << 24);
	}
	lw(r, 0, 0x310, 0x13u << 24);
	lw(r, 0, 0x300, 0x4840);
	CHECK(!r->intr[0] && !r->intr[1] && r->intr[2] && r->intr[3]);
}

static void t_lowest_priority(void)
{
	struct apic_rig *r = rig_new(4);
	unsigned hits[4] = {0};

	rig_enable(r, 4);
	lapic_cr8_write(&r->cpu[1], 3);
	for (unsigned i = 0; i < 9; i++) {
		apic_bus_msi(&r->bus, 0xfeeff008, 0x0071); /* redirection hint, everyone */
		for (unsigned k = 0; k < 4; k++)
			if (r->intr[k]) {
				hits[k]++;
				CHECK_EQ(lapic_ack(&r->cpu[k]), 0x71);
				lw(r, k, 0xb0, 0);
			}
	}
	CHECK_EQ(hits[0], 3);
	CHECK_EQ(hits[1], 0);
	CHECK_EQ(hits[2], 3);
	CHECK_EQ(hits[3], 3);
}

static void t_init_sipi_nmi(void)
{
	struct apic_rig *r = rig_new(2);

	rig_enable(r, 2);
	lw(r, 0, 0x310, 1u << 24);
	lw(r, 0, 0x300, 0xc500);
	CHECK_EQ(r->inits[1], 1);
	CHECK_EQ(lr(r, 1, 0xf0), 0xff); /* reset by INIT */
	lw(r, 0, 0x300, 0x8500);	/* de-assert */
	CHECK_EQ(r->inits[1], 1);
	lw(r, 0, 0x300, 0x4699);
	CHECK_EQ(r->sipis[1], 1);
	CHECK_EQ(r->sipi_vector, 0x99);
	lw(r, 0, 0x300, 0x4400);
	CHECK_EQ(r->nmis[1], 1);
	CHECK_EQ(r->nmis[0], 0);
}

static void t_error_status(void)
{
	struct apic_rig *r = rig_new(1);

	rig_enable(r, 1);
	lw(r, 0, 0x370, 0x33);
	lw(r, 0, 0x300, 0x4000f);
	CHECK_EQ(lr(r, 0, 0x280), 0);
	lw(r, 0, 0x280, 0);
	CHECK_EQ(lr(r, 0, 0x280), 0x20);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x33);
	lw(r, 0, 0xb0, 0);
	lr(r, 0, 0x40);
	apic_bus_msi(&r->bus, 0xfee00000, 0x0003);
	lw(r, 0, 0x280, 0);
	CHECK_EQ(lr(r, 0, 0x280), 0xc0);
	/* An error vector that is itself illegal is one more error. */
	lw(r, 0, 0x370, 0x05);
	lw(r, 0, 0x300, 0x4000f);
	lw(r, 0, 0x280, 0);
	CHECK_EQ(lr(r, 0, 0x280), 0x60);
}

static void t_timer_oneshot_and_periodic(void)
{
	struct apic_rig *r = rig_new(1);

	rig_enable(r, 1);
	lw(r, 0, 0x3e0, 0xb); /* divide by 1 */
	lw(r, 0, 0x320, 0x40);
	lw(r, 0, 0x380, 1000000);
	fake_clock_advance(&r->fc, 400000);
	CHECK_EQ(lr(r, 0, 0x390), 600000);
	fake_clock_advance(&r->fc, 599999);
	CHECK(!r->intr[0]);
	fake_clock_advance(&r->fc, 1);
	CHECK(r->intr[0]);
	CHECK_EQ(lr(r, 0, 0x390), 0);
	lapic_ack(&r->cpu[0]);
	lw(r, 0, 0xb0, 0);
	fake_clock_advance(&r->fc, 5000000);
	CHECK(!r->intr[0]);

	lw(r, 0, 0x3e0, 0x3); /* divide by 16 */
	lw(r, 0, 0x320, 0x20040);
	lw(r, 0, 0x380, 62500); /* 1 ms */
	for (unsigned i = 0; i < 10; i++) {
		fake_clock_advance(&r->fc, 1000000);
		CHECK(r->intr[0]);
		lapic_ack(&r->cpu[0]);
		lw(r, 0, 0xb0, 0);
		CHECK(!r->intr[0]);
	}
	lw(r, 0, 0x380, 0);
	fake_clock_advance(&r->fc, 5000000);
	CHECK(!r->intr[0]);
	lw(r, 0, 0x380, 1); /* 16 ns period must not storm */
	r->fc.fired = 0;
	fake_clock_advance(&r->fc, 1000000);
	CHECK(r->fc.fired <= 51);
}

static void t_timer_divide_change(void)
{
	struct apic_rig *r = rig_new(1);

	rig_enable(r, 1);
	lw(r, 0, 0x3e0, 0xb);
	lw(r, 0, 0x320, 0x40);
	lw(r, 0, 0x380, 1000000);
	fake_clock_advance(&r->fc, 500000);
	lw(r, 0, 0x3e0, 0x0); /* divide by 2: the other half takes twice as long */
	CHECK_EQ(lr(r, 0, 0x390), 500000);
	fake_clock_advance(&r->fc, 999999);
	CHECK(!r->intr[0]);
	fake_clock_advance(&r->fc, 1);
	CHECK(r->intr[0]);
}

static void t_timer_deadline(void)
{
	struct apic_rig *r = rig_new(1);
	u64 v;

	rig_enable(r, 1);
	CHECK_EQ(lapic_msr_write(&r->cpu[0], 0x6e0, 2000), 0);
	CHECK_EQ(lapic_msr_read(&r->cpu[0], 0x6e0, &v), 0);
	CHECK_EQ(v, 0); /* not in deadline mode */
	lw(r, 0, 0x320, 0x40040);
	lapic_msr_write(&r->cpu[0], 0x6e0, 2000);
	lapic_msr_read(&r->cpu[0], 0x6e0, &v);
	CHECK_EQ(v, 2000);
	fake_clock_advance(&r->fc, 999);
	CHECK(!r->intr[0]);
	fake_clock_advance(&r->fc, 1);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x40);
	lw(r, 0, 0xb0, 0);
	lapic_msr_read(&r->cpu[0], 0x6e0, &v);
	CHECK_EQ(v, 0);
	lapic_msr_write(&r->cpu[0], 0x6e0, 100); /* already past: at once */
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x40);
	lw(r, 0, 0xb0, 0);
	lapic_msr_write(&r->cpu[0], 0x6e0, 20000);
	lw(r, 0, 0x320, 0x40); /* leaving the mode disarms */
	fake_clock_advance(&r->fc, 100000);
	CHECK(!r->intr[0]);
}

static void t_x2apic(void)
{
	struct apic_rig *r = rig_new(2);
	struct lapic *l = &r->cpu[1];
	u64 v;

	rig_enable(r, 2);
	CHECK_EQ(lapic_msr_read(l, 0x802, &v), (u64)-E_NOENT);
	CHECK_EQ(rig_x2apic(r, 0), 0);
	CHECK_EQ(rig_x2apic(r, 1), 0);
	CHECK_EQ(lapic_base(l), ~0ULL);
	CHECK_EQ(lapic_ops.read(l, 0x20, 4), 0xffffffff);
	CHECK_EQ(lapic_msr_read(l, 0x802, &v), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(lapic_msr_read(l, 0x80d, &v), 0);
	CHECK_EQ(v, 2);
	CHECK_EQ(lapic_msr_read(l, 0x80e, &v), (u64)-E_NOENT);
	CHECK_EQ(lapic_msr_read(l, 0x831, &v), (u64)-E_NOENT);
	CHECK_EQ(lapic_msr_write(l, 0x80b, 1), (u64)-E_NOENT);
	CHECK_EQ(lapic_msr_write(l, 0x80b, 0), 0);
	CHECK_EQ(lapic_msr_write(l, 0x83f, 0x44), 0);
	CHECK(r->intr[1]);
	CHECK_EQ(lapic_ack(l), 0x44);
	/* 64-bit ICR, physical and logical cluster destination. */
	CHECK_EQ(lapic_msr_write(&r->cpu[0], 0x830, 1ULL << 32 | 0x60), 0);
	CHECK_EQ(lapic_ack(l), 0x60);
	CHECK_EQ(lapic_msr_write(&r->cpu[0], 0x830, 3ULL << 32 | 0x870), 0);
	CHECK(r->intr[0]);
	CHECK_EQ(lapic_ack(l), 0x70);
	CHECK_EQ(lapic_msr_write(&r->cpu[0], 0x830, 0xffffffffULL << 32 | 0x80), 0);
	CHECK_EQ(lapic_ack(l), 0x80);
	CHECK_EQ(lapic_msr_read(&r->cpu[0], 0x830, &v), 0);
	CHECK_EQ(v, 0xffffffff00000080);
	CHECK_EQ(lapic_msr_write(l, 0x1b, 0xfee00800), (u64)-E_NOENT); /* back to xAPIC: no */
	CHECK_EQ(lapic_msr_write(l, 0x1b, 0xfee00000), 0);
	CHECK_EQ(lapic_msr_write(l, 0x1b, 0xfee00c00), (u64)-E_NOENT); /* off to x2APIC: no */
	CHECK_EQ(lapic_msr_write(l, 0x1b, 0xfee00400), (u64)-E_NOENT);
	CHECK_EQ(lapic_msr_write(l, 0x1b, 0xfee00800), 0);
	CHECK_EQ(lr(r, 1, 0xf0), 0xff);
}

static void t_msi_decode(void)
{
	struct apic_rig *r = rig_new(2);

	rig_enable(r, 2);
	apic_bus_msi(&r->bus, 0xfee01000, 0x4045);
	CHECK(!r->intr[0]);
	CHECK_EQ(lapic_ack(&r->cpu[1]), 0x45);
	apic_bus_msi(&r->bus, 0xfed01000, 0x46);
	apic_bus_msi(&r->bus, 0x1fee01000, 0x46);
	CHECK(!r->intr[1]);
	apic_bus_msi(&r->bus, 0xfee00000, 0x0400); /* NMI */
	CHECK_EQ(r->nmis[0], 1);
}

static void t_pic_through_lint0(void)
{
	struct apic_rig *r = rig_new(2);

	pic_master_ops.write(&r->pic, 0, 1, 0x11);
	pic_master_ops.write(&r->pic, 1, 1, 0x20);
	pic_master_ops.write(&r->pic, 1, 1, 4);
	pic_master_ops.write(&r->pic, 1, 1, 1);
	gsi_set(&r->gsi, 0, true);
	CHECK(r->intr[0] && !r->intr[1]);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x20);
	CHECK(!r->intr[0]);
	pic_master_ops.write(&r->pic, 0, 1, 0x20);
	rig_enable(r, 1);
	lw(r, 0, 0x350, 0x10700);
	gsi_set(&r->gsi, 4, true);
	CHECK(!r->intr[0]); /* LINT0 masked */
	lw(r, 0, 0x350, 0x700);
	CHECK(r->intr[0]);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x24);
	pic_master_ops.write(&r->pic, 0, 1, 0x20);
	lapic_msr_write(&r->cpu[0], 0x1b, 0xfee00100); /* APIC off: straight to the pin */
	gsi_set(&r->gsi, 5, true);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x25);
}

static void t_lint_fixed_and_nmi(void)
{
	struct apic_rig *r = rig_new(1);

	rig_enable(r, 1);
	lw(r, 0, 0x360, 0x400);
	lapic_lint(&r->cpu[0], 1, true);
	lapic_lint(&r->cpu[0], 1, true);
	CHECK_EQ(r->nmis[0], 1);
	lw(r, 0, 0x350, 0x8034); /* fixed, level */
	lapic_lint(&r->cpu[0], 0, true);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x34);
	CHECK_EQ(lr(r, 0, 0x350), 0xc034);
	lw(r, 0, 0xb0, 0);
	CHECK_EQ(lapic_ack(&r->cpu[0]), 0x34); /* still held */
	lapic_lint(&r->cpu[0], 0, false);
	lw(r, 0, 0xb0, 0);
	CHECK(!r->intr[0]);
}

int main(void)
{
	RUN(t_reset_values);
	RUN(t_self_ipi_ack_eoi);
	RUN(t_tpr_and_cr8);
	RUN(t_physical_and_shorthands);
	RUN(t_logical_flat_and_cluster);
	RUN(t_lowest_priority);
	RUN(t_init_sipi_nmi);
	RUN(t_error_status);
	RUN(t_timer_oneshot_and_periodic);
	RUN(t_timer_divide_change);
	RUN(t_timer_deadline);
	RUN(t_x2apic);
	RUN(t_msi_decode);
	RUN(t_pic_through_lint0);
	RUN(t_lint_fixed_and_nmi);
	return test_done();
}
