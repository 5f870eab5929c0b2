/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 8254 programmable interval timer with the PC's port 61h.
 * References: Intel 8254 datasheet (order 231164), "Mode Definitions" and
 * "Read Operations"; Intel ICH9 datasheet 13.3 (ports 40h-43h) and 13.7.1 (61h).
 *
 * Counters are computed from the clock when looked at; only channel 0 needs a
 * timer, for its interrupt. Not modelled: the one CLK delay between writing a
 * count and loading it.
 */
#ifndef HULL_DEV_TIMER_PIT_H
#define HULL_DEV_TIMER_PIT_H

#include "dev/device.h"
#include "io/clock.h"
#include "io/irq.h"

#define PIT_PORT 0x40
#define PIT_WINDOW 4
#define PIT_PORT61 0x61
#define PIT_PORT61_WINDOW 1
#define PIT_HZ 1193182u

/* Port 61h, ICH9 13.7.1. */
enum {
	PORT61_GATE2 = 1 << 0,
	PORT61_SPEAKER = 1 << 1,
	PORT61_NMI_MASKS = 3 << 2,
	PORT61_REFRESH = 1 << 4, /* toggles with each refresh, about 15 us */
	PORT61_OUT2 = 1 << 5,
};

struct pit_channel {
	u32 count; /* 1..65536 (10000 in BCD) */
	u8 mode;   /* 0..5 */
	u8 rw;	   /* 1 low byte, 2 high byte, 3 both */
	bool bcd, gate;
	bool loaded;	/* a count was written since the control word */
	bool triggered; /* modes 1 and 5: the gate has risen since then */
	bool stopped;	/* gate low in a mode that stops: `elapsed` holds */
	u64 start;	/* ns at which `elapsed` was 0 */
	u64 elapsed;
	bool write_high, read_high; /* second byte of a pair is next */
	u8 write_low;
	bool latched, status_latched;
	u16 latch;
	u8 status;
};

struct pit {
	struct pit_channel ch[3];
	u8 port61; /* bits a guest can write */
	const struct io_clock *clock;
	struct io_timer timer;
	struct irq_line irq; /* ISA line 0 */
	u64 fired;	     /* periodic modes: which period's interrupt was the last */
	bool waits;	     /* nobody has taken the last one */
	u8 missed;	     /* periods whose interrupt fell into one that waited */
};

void pit_init(struct pit *p, const struct io_clock *clock, struct irq_line irq);

/*
 * The interrupt was taken: what was missed while the guest did not run follows, one after
 * the other, so that a guest that counts ticks keeps its time. Under the machine's lock.
 */
void pit_acked(struct pit *p);

/* Instance of both windows is the struct pit; reset is in the first. */
extern const struct device_ops pit_ops, pit_port61_ops;

#endif
