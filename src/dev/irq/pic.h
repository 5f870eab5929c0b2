/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The PC's pair of 8259A interrupt controllers, slave on the master's input 2,
 * with the edge/level registers of later chip sets.
 * References: Intel 8259A datasheet (order 231468); Intel ICH9 datasheet
 * section 13.4 (ports) and 13.4.10 (ELCR).
 *
 * Not modelled: MCS-80/85 mode (ICW4.uPM is taken as 1), buffered mode pins.
 */
#ifndef HULL_DEV_IRQ_PIC_H
#define HULL_DEV_IRQ_PIC_H

#include "dev/device.h"
#include "io/irq.h"

#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT 0xa0
#define PIC_WINDOW 2
#define PIC_ELCR_PORT 0x4d0
#define PIC_ELCR_WINDOW 2
#define PIC_CASCADE 2 /* master input the slave drives */

struct pic_chip {
	u8 irr, imr, isr;		   /* request, mask, in service */
	u8 lines;			   /* levels at the inputs */
	u8 elcr;			   /* 1 = level triggered */
	u8 vector_base;			   /* ICW2 */
	u8 lowest;			   /* input of lowest priority, 7 after ICW1 */
	u8 init_step;			   /* 0 = operating, else the ICW expected next (2..4) */
	bool single, need_icw4, all_level; /* ICW1 */
	bool auto_eoi, rotate_auto_eoi, nested_special, mask_special;
	bool read_isr, poll;
};

struct pic {
	struct pic_chip chip[2]; /* master, slave */
	struct irq_line intr;
	bool intr_level;
};

/* intr follows the master's INT output. */
void pic_init(struct pic *p, struct irq_line intr);

/* Input 0..15; usable as irq_line.set with a struct pic. 2 is the cascade and ignored. */
void pic_set_irq(void *pic, unsigned n, bool level);

/* INTA cycle: the vector, a spurious 7 or 15 when nothing is pending any more. */
int pic_ack(struct pic *p);

/* Windows; the instance of all three is the struct pic. reset is in the first. */
extern const struct device_ops pic_master_ops, pic_slave_ops, pic_elcr_ops;

#endif
