/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 16550A UART. Reference: National PC16550D datasheet, section 8.
 *
 * It is infinitely fast, but not infinitely eager: with the FIFOs on, bytes
 * gather in the transmit FIFO until it is full, the guest looks at the line
 * status, or UART_FLUSH_NS pass; only then they go to the back end and the
 * transmitter-empty interrupt comes. So a driver gets one interrupt for 16
 * bytes. Input is taken only as fast as the FIFO empties (flow control through
 * io_char), so nothing is lost.
 *
 * Modem inputs read as a connected, ready peer (CTS, DSR, DCD). The interrupt
 * is not gated by OUT2: small kernels forget to set it.
 */
#ifndef HULL_DEV_CHAR_UART_H
#define HULL_DEV_CHAR_UART_H

#include "dev/device.h"
#include "io/char.h"
#include "io/clock.h"
#include "io/irq.h"

#define UART_COM1_PORT 0x3f8
#define UART_COM1_LINE 4
#define UART_WINDOW 8
#define UART_FIFO 16u
#define UART_FLUSH_NS 100000u

struct uart {
	struct io_char *back; /* may be NULL */
	const struct io_clock *clock;
	struct irq_line irq;
	struct io_timer flush;

	u8 ier, fcr, lcr, mcr, scr;
	u8 msr_delta;	/* bits 0..3 of MSR */
	u8 line_errors; /* OE and BI, cleared by reading LSR */
	u16 divisor;
	u8 rx[UART_FIFO], tx[UART_FIFO];
	u8 rx_head, rx_count, tx_count;
	bool thr_empty_pending; /* the THR-empty interrupt is due */
	bool refused;		/* the back end has more input waiting */
};

/* back and clock are not owned; back's receive is set to this device. */
void uart_init(struct uart *u, struct io_char *back, const struct io_clock *clock,
	       struct irq_line irq);

/* Sends what is left in the transmit FIFO; no timer of the device fires afterwards. */
void uart_fini(struct uart *u);

extern const struct device_ops uart_ops;

#endif
