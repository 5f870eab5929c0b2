/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/irq/pic.h"

/* 8259A datasheet, "Initialization Command Words" and "Operation Command Words". */
enum {
	ICW1_ICW4 = 1 << 0,
	ICW1_SINGLE = 1 << 1,
	ICW1_LEVEL = 1 << 3,
	ICW1 = 1 << 4, /* set: ICW1; clear: OCW2 or OCW3 */
	ICW4_AUTO_EOI = 1 << 1,
	ICW4_NESTED_SPECIAL = 1 << 4,
	OCW3 = 1 << 3, /* set: OCW3; clear: OCW2 */
	OCW3_READ_ISR = 1 << 0,
	OCW3_READ = 1 << 1,
	OCW3_POLL = 1 << 2,
	OCW3_MASK_SPECIAL = 1 << 5,
	OCW3_SET_MASK_SPECIAL = 1 << 6,
	OCW2_EOI = 1 << 5,
	OCW2_SPECIFIC = 1 << 6,
	OCW2_ROTATE = 1 << 7,
	POLL_PENDING = 1 << 7,
	SPURIOUS = 7,
};

/* Inputs that are always edge triggered: 0, 1, 2 and 8, 13 (ICH9 13.4.10). */
static const u8 elcr_allowed[2] = {0xf8, 0xde};

/* Rank of the highest set input, 0 highest, 8 if none. */
static unsigned pic_rank(const struct pic_chip *c, u8 inputs)
{
	unsigned rank;

	for (rank = 0; rank < 8; rank++)
		if (inputs >> ((c->lowest + 1 + rank) & 7) & 1)
			break;
	return rank;
}

/* The input to serve now, or -1. */
static int pic_pending(const struct pic_chip *c, bool master)
{
	unsigned want = pic_rank(c, c->irr & ~c->imr);
	u8 busy = c->isr;

	if (c->mask_special)
		busy &= ~c->imr;
	if (c->nested_special && master)
		busy &= ~(1 << PIC_CASCADE);
	if (want == 8 || want >= pic_rank(c, busy))
		return -1;
	return (c->lowest + 1 + want) & 7;
}

static bool pic_is_level(const struct pic_chip *c, unsigned n)
{
	return c->all_level || c->elcr >> n & 1;
}

static void chip_set_input(struct pic_chip *c, unsigned n, bool level)
{
	u8 bit = 1 << n;

	if (level && (pic_is_level(c, n) || !(c->lines & bit)))
		c->irr |= bit;
	if (!level && pic_is_level(c, n))
		c->irr &= ~bit;
	c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void pic_update(struct pic *p)
{
	bool level;

	chip_set_input(&p->chip[0], PIC_CASCADE, pic_pending(&p->chip[1], false) >= 0);
	level = pic_pending(&p->chip[0], true) >= 0;
	if (level != p->intr_level) {
		p->intr_level = level;
		irq_set(&p->intr, level);
	}
}

void pic_set_irq(void *pic, unsigned n, bool level)
{
	struct pic *p = pic;

	if (n >= 16 || n == PIC_CASCADE)
		return;
	chip_set_input(&p->chip[n >> 3], n & 7, level);
	pic_update(p);
}

/* Put the highest request in service; its input number, SPURIOUS if there is none. */
static unsigned chip_ack(struct pic_chip *c, bool master)
{
	int n = pic_pending(c, master);

	if (n < 0)
		return SPURIOUS;
	if (!c->auto_eoi)
		c->isr |= 1 << n;
	else if (c->rotate_auto_eoi)
		c->lowest = n;
	if (!pic_is_level(c, n))
		c->irr &= ~(1 << n);
	return n;
}

int pic_ack(struct pic *p)
{
	bool cascade = pic_pending(&p->chip[0], true) == PIC_CASCADE;
	unsigned n = chip_ack(&p->chip[0], true);
	int vector = p->chip[0].vector_base + n;

	if (cascade)
		vector = p->chip[1].vector_base + chip_ack(&p->chip[1], false);
	/* The cascade is a level between the two chips whatever its trigger mode. */
	chip_set_input(&p->chip[0], PIC_CASCADE, false);
	pic_update(p);
	return vector;
}

static void chip_ocw2(struct pic_chip *c, u8 val)
{
	unsigned n = val & 7;

	if (!(val & OCW2_EOI)) {
		if ((val & OCW2_SPECIFIC) && (val & OCW2_ROTATE))
			c->lowest = n;
		else if (!(val & OCW2_SPECIFIC))
			c->rotate_auto_eoi = val & OCW2_ROTATE;
		return;
	}
	if (!(val & OCW2_SPECIFIC)) {
		unsigned rank = pic_rank(c, c->mask_special ? c->isr & ~c->imr : c->isr);

		if (rank == 8)
			return;
		n = (c->lowest + 1 + rank) & 7;
	}
	c->isr &= ~(1 << n);
	if (val & OCW2_ROTATE)
		c->lowest = n;
}

static void chip_ocw3(struct pic_chip *c, u8 val)
{
	if (val & OCW3_POLL)
		c->poll = true;
	if (val & OCW3_READ)
		c->read_isr = val & OCW3_READ_ISR;
	if (val & OCW3_SET_MASK_SPECIAL)
		c->mask_special = val & OCW3_MASK_SPECIAL;
}

static void chip_icw1(struct pic_chip *c, u8 val)
{
	u8 lines = c->lines, elcr = c->elcr, base = c->vector_base;

	*c = (struct pic_chip){
		.lines = lines,
		.elcr = elcr,
		.vector_base = base,
		.lowest = 7,
		.init_step = 2,
		.single = val & ICW1_SINGLE,
		.need_icw4 = val & ICW1_ICW4,
		.all_level = val & ICW1_LEVEL,
	};
	c->irr = lines & (c->all_level ? 0xff : elcr);
}

static void chip_icw_next(struct pic_chip *c, u8 val)
{
	switch (c->init_step) {
	case 2:
		c->vector_base = val & 0xf8;
		c->init_step = !c->single ? 3 : c->need_icw4 ? 4 : 0;
		break;
	case 3: /* cascade wiring is fixed */
		c->init_step = c->need_icw4 ? 4 : 0;
		break;
	default:
		c->auto_eoi = val & ICW4_AUTO_EOI;
		c->nested_special = val & ICW4_NESTED_SPECIAL;
		c->init_step = 0;
	}
}

static void chip_write(struct pic *p, unsigned which, u64 offset, u8 val)
{
	struct pic_chip *c = &p->chip[which];

	if (offset && c->init_step)
		chip_icw_next(c, val);
	else if (offset)
		c->imr = val;
	else if (val & ICW1)
		chip_icw1(c, val);
	else if (val & OCW3)
		chip_ocw3(c, val);
	else
		chip_ocw2(c, val);
	pic_update(p);
}

static u8 chip_read(struct pic *p, unsigned which, u64 offset)
{
	struct pic_chip *c = &p->chip[which];

	if (c->poll) {
		bool pending = pic_pending(c, which == 0) >= 0;
		unsigned n = chip_ack(c, which == 0);

		c->poll = false;
		pic_update(p);
		return pending ? POLL_PENDING | n : 0;
	}
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static u64 pic_master_read(void *dev, u64 offset, unsigned size)
{
	return chip_read(dev, 0, offset);
}

static void pic_master_write(void *dev, u64 offset, unsigned size, u64 val)
{
	chip_write(dev, 0, offset, (u8)val);
}

static u64 pic_slave_read(void *dev, u64 offset, unsigned size)
{
	return chip_read(dev, 1, offset);
}

static void pic_slave_write(void *dev, u64 offset, unsigned size, u64 val)
{
	chip_write(dev, 1, offset, (u8)val);
}

static u64 pic_elcr_read(void *dev, u64 offset, unsigned size)
{
	struct pic *p = dev;

	return p->chip[offset & 1].elcr;
}

static void pic_elcr_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct pic *p = dev;

	p->chip[offset & 1].elcr = (u8)val & elcr_allowed[offset & 1];
	pic_update(p);
}

void pic_init(struct pic *p, struct irq_line intr)
{
	*p = (struct pic){.intr = intr, .chip = {{.lowest = 7}, {.lowest = 7}}};
}

/* Inputs keep their levels: they belong to the devices. */
static void pic_reset(void *dev)
{
	struct pic *p = dev;

	for (unsigned i = 0; i < 2; i++)
		p->chip[i] = (struct pic_chip){.lines = p->chip[i].lines, .lowest = 7};
	pic_update(p);
}

const struct device_ops pic_master_ops = {
	.name = "pic-master",
	.reset = pic_reset,
	.read = pic_master_read,
	.write = pic_master_write,
};

const struct device_ops pic_slave_ops = {
	.name = "pic-slave",
	.read = pic_slave_read,
	.write = pic_slave_write,
};

const struct device_ops pic_elcr_ops = {
	.name = "pic-elcr",
	.read = pic_elcr_read,
	.write = pic_elcr_write,
};
