/* SPDX-License-Identifier: Apache-2.0 */
/* src/dev/irq/pic.c */
#include "tests/test.h"

#include "dev/irq/pic.h"
#include "tests/fake_clock.h"

struct rig {
	struct pic pic;
	struct fake_lines out;
};

static void master(struct rig *r, unsigned off, u8 v)
{
	pic_master_ops.write(&r->pic, off, 1, v);
}

static void slave(struct rig *r, unsigned off, u8 v)
{
	pic_slave_ops.write(&r->pic, off, 1, v);
}

/* As a PC BIOS or Linux does it. */
static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	pic_init(&r->pic, fake_line(&r->out, 0));
	master(r, 0, 0x11);
	master(r, 1, 0x30);
	master(r, 1, 0x04);
	master(r, 1, 0x01);
	slave(r, 0, 0x11);
	slave(r, 1, 0x38);
	slave(r, 1, 0x02);
	slave(r, 1, 0x01);
	master(r, 1, 0);
	slave(r, 1, 0);
}

static void t_edge_ack_eoi(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 4, true);
	CHECK(r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x34);
	CHECK(!r.out.level[0]);
	pic_set_irq(&r.pic, 4, false);
	pic_set_irq(&r.pic, 4, true);
	CHECK(!r.out.level[0]); /* in service */
	master(&r, 0, 0x20);
	CHECK(r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x34);
	master(&r, 0, 0x64); /* specific EOI of 4 */
	pic_master_ops.write(&r.pic, 0, 1, 0x0b);
	CHECK_EQ(pic_master_ops.read(&r.pic, 0, 1), 0);
}

static void t_priority(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 6, true);
	pic_set_irq(&r.pic, 1, true);
	CHECK_EQ(pic_ack(&r.pic), 0x31);
	CHECK(!r.out.level[0]);
	pic_set_irq(&r.pic, 0, true);
	CHECK_EQ(pic_ack(&r.pic), 0x30);
	master(&r, 0, 0x20);
	master(&r, 0, 0x20);
	CHECK_EQ(pic_ack(&r.pic), 0x36);
	master(&r, 0, 0xa0); /* rotate on non-specific EOI: 6 becomes lowest */
	pic_set_irq(&r.pic, 6, false);
	pic_set_irq(&r.pic, 6, true);
	pic_set_irq(&r.pic, 7, true);
	CHECK_EQ(pic_ack(&r.pic), 0x37);
}

static void t_cascade(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 12, true);
	CHECK(r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x3c);
	CHECK_EQ(r.pic.chip[0].isr, 1 << 2);
	CHECK_EQ(r.pic.chip[1].isr, 1 << 4);
	pic_set_irq(&r.pic, 8, true); /* higher, but the master waits for its EOI */
	CHECK(!r.out.level[0]);
	master(&r, 0, 0x20);
	CHECK(r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x38);
	pic_set_irq(&r.pic, 2, true); /* there is no such line */
	CHECK_EQ(r.pic.chip[0].irr & 4, 0);
}

static void t_mask_and_spurious(void)
{
	struct rig r;

	rig_init(&r);
	master(&r, 1, 0x02);
	pic_set_irq(&r.pic, 1, true);
	CHECK(!r.out.level[0]);
	master(&r, 1, 0);
	CHECK(r.out.level[0]);
	master(&r, 1, 0x02);
	CHECK(!r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x37);
	CHECK_EQ(r.pic.chip[0].isr, 0);
}

static void t_level_triggered(void)
{
	struct rig r;

	rig_init(&r);
	pic_elcr_ops.write(&r.pic, 0, 1, 0xff);
	pic_elcr_ops.write(&r.pic, 1, 1, 0xff);
	CHECK_EQ(pic_elcr_ops.read(&r.pic, 0, 1), 0xf8);
	CHECK_EQ(pic_elcr_ops.read(&r.pic, 1, 1), 0xde);
	pic_set_irq(&r.pic, 10, true);
	CHECK_EQ(pic_ack(&r.pic), 0x3a);
	slave(&r, 0, 0x20);
	master(&r, 0, 0x20);
	CHECK(r.out.level[0]); /* still held */
	CHECK_EQ(pic_ack(&r.pic), 0x3a);
	pic_set_irq(&r.pic, 10, false);
	slave(&r, 0, 0x20);
	master(&r, 0, 0x20);
	CHECK(!r.out.level[0]);
}

static void t_poll_and_auto_eoi(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 3, true);
	master(&r, 0, 0x0c);
	CHECK_EQ(pic_master_ops.read(&r.pic, 0, 1), 0x83);
	CHECK_EQ(r.pic.chip[0].isr, 8);
	master(&r, 0, 0x11);
	master(&r, 1, 0x30);
	master(&r, 1, 0x04);
	master(&r, 1, 0x03);
	pic_set_irq(&r.pic, 5, true);
	CHECK_EQ(pic_ack(&r.pic), 0x35);
	CHECK_EQ(r.pic.chip[0].isr, 0);
}

static void t_special_mask(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 1, true);
	CHECK_EQ(pic_ack(&r.pic), 0x31);
	pic_set_irq(&r.pic, 5, true);
	CHECK(!r.out.level[0]);
	master(&r, 0, 0x68);
	master(&r, 1, 0x02);
	CHECK(r.out.level[0]);
	CHECK_EQ(pic_ack(&r.pic), 0x35);
}

static void t_reset(void)
{
	struct rig r;

	rig_init(&r);
	pic_set_irq(&r.pic, 1, true);
	pic_master_ops.reset(&r.pic);
	CHECK(!r.out.level[0]);
	CHECK_EQ(r.pic.chip[0].vector_base, 0);
}

int main(void)
{
	RUN(t_edge_ack_eoi);
	RUN(t_priority);
	RUN(t_cascade);
	RUN(t_mask_and_spurious);
	RUN(t_level_triggered);
	RUN(t_poll_and_auto_eoi);
	RUN(t_special_mask);
	RUN(t_reset);
	return test_done();
}
