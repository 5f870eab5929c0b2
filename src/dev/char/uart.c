/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/char/uart.h"

/* Registers, PC16550D table II. DLAB selects the divisor at 0 and 1. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };
enum {
	IER_RX = 1 << 0,
	IER_THR_EMPTY = 1 << 1,
	IER_LINE = 1 << 2,
	IER_MODEM = 1 << 3,
	IIR_NONE = 1,
	IIR_MODEM = 0,
	IIR_THR_EMPTY = 2,
	IIR_RX = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 12,
	IIR_FIFOS = 0xc0,
	FCR_ENABLE = 1 << 0,
	FCR_CLEAR_RX = 1 << 1,
	FCR_CLEAR_TX = 1 << 2,
	FCR_TRIGGER_SHIFT = 6,
	LCR_DLAB = 1 << 7,
	LCR_BREAK = 1 << 6,
	MCR_DTR = 1 << 0,
	MCR_RTS = 1 << 1,
	MCR_OUT1 = 1 << 2,
	MCR_OUT2 = 1 << 3,
	MCR_LOOP = 1 << 4,
	LSR_READY = 1 << 0,
	LSR_OVERRUN = 1 << 1,
	LSR_BREAK = 1 << 4,
	LSR_THR_EMPTY = 1 << 5,
	LSR_TX_EMPTY = 1 << 6,
	MSR_CTS = 1 << 4,
	MSR_DSR = 1 << 5,
	MSR_RI = 1 << 6,
	MSR_DCD = 1 << 7,
};

static bool uart_fifos(const struct uart *u)
{
	return u->fcr & FCR_ENABLE;
}

static unsigned uart_rx_room(const struct uart *u)
{
	return (uart_fifos(u) ? UART_FIFO : 1) - u->rx_count;
}

static unsigned uart_trigger(const struct uart *u)
{
	static const u8 levels[4] = {1, 4, 8, 14};

	return uart_fifos(u) ? levels[u->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The highest pending interrupt, PC16550D table IV. */
static u8 uart_iir(const struct uart *u)
{
	if (u->ier & IER_LINE && u->line_errors)
		return IIR_LINE;
	if (u->ier & IER_RX && u->rx_count >= uart_trigger(u))
		return IIR_RX;
	if (u->ier & IER_RX && u->rx_count)
		return IIR_TIMEOUT; /* no more is coming just now: the wait is over at once */
	if (u->ier & IER_THR_EMPTY && u->thr_empty_pending)
		return IIR_THR_EMPTY;
	if (u->ier & IER_MODEM && u->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void uart_update(struct uart *u)
{
	irq_set(&u->irq, uart_iir(u) != IIR_NONE);
}

/* ---- receiving ------------------------------------------------------------------------ */

static void uart_rx_push(struct uart *u, u8 c)
{
	if (!uart_rx_room(u)) {
		u->line_errors |= LSR_OVERRUN;
		return;
	}
	u->rx[(u->rx_head + u->rx_count++) % UART_FIFO] = c;
}

static size_t uart_receive(void *opaque, const void *buf, size_t len)
{
	struct uart *u = opaque;
	const u8 *p = buf;
	size_t n = 0;

	if (u->mcr & MCR_LOOP) {
		u->refused = true;
		return 0;
	}
	while (n < len && uart_rx_room(u))
		uart_rx_push(u, p[n++]);
	u->refused = n < len;
	uart_update(u);
	return n;
}

/* Ask for more input when all of the last batch has been read. */
static void uart_rx_more(struct uart *u)
{
	if (!u->refused || u->rx_count || u->mcr & MCR_LOOP)
		return;
	u->refused = false;
	u->back->ops->rx_ready(u->back);
}

static u8 uart_read_data(struct uart *u)
{
	u8 c = 0;

	if (u->rx_count) {
		c = u->rx[u->rx_head];
		u->rx_head = (u->rx_head + 1) % UART_FIFO;
		u->rx_count--;
	}
	uart_update(u);
	uart_rx_more(u);
	return c;
}

/* ---- transmitting ---------------------------------------------------------------------- */

/* Everything in the transmit FIFO goes out; it is then empty, which may interrupt. */
static void uart_flush(struct uart *u)
{
	unsigned n = u->tx_count;

	if (!n)
		return;
	io_timer_cancel(u->clock, &u->flush);
	u->tx_count = 0;
	u->thr_empty_pending = true;
	if (u->mcr & MCR_LOOP) {
		for (unsigned i = 0; i < n; i++)
			uart_rx_push(u, u->tx[i]);
	} else if (u->back) {
		u->back->ops->write(u->back, u->tx, n);
	}
	uart_update(u);
}

static void uart_flush_timer(void *opaque)
{
	uart_flush(opaque);
}

static void uart_write_data(struct uart *u, u8 c)
{
	u->tx[u->tx_count++] = c;
	u->thr_empty_pending = false;
	if (!uart_fifos(u) || u->tx_count == UART_FIFO) {
		uart_flush(u);
		return;
	}
	if (u->tx_count == 1)
		io_timer_arm(u->clock, &u->flush, io_now(u->clock) + UART_FLUSH_NS);
	uart_update(u);
}

/* ---- modem lines ------------------------------------------------------------------------ */

static u8 uart_modem_lines(const struct uart *u)
{
	u8 m = u->mcr;

	if (!(m & MCR_LOOP))
		return u->back ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
	return (m & MCR_RTS ? MSR_CTS : 0) | (m & MCR_DTR ? MSR_DSR : 0) |
	       (m & MCR_OUT1 ? MSR_RI : 0) | (m & MCR_OUT2 ? MSR_DCD : 0);
}

static void uart_write_mcr(struct uart *u, u8 val)
{
	u8 was = uart_modem_lines(u), changed;

	uart_flush(u); /* to where it was meant to go */
	u->mcr = val & 0x1f;
	changed = was ^ uart_modem_lines(u);
	if (!(was & changed & MSR_RI)) /* only the end of a ring counts */
		changed &= ~MSR_RI;
	u->msr_delta |= changed >> 4;
	uart_rx_more(u);
}

/* ---- registers -------------------------------------------------------------------------- */

static u8 uart_read_iir(struct uart *u)
{
	u8 iir;

	uart_flush(u);
	iir = uart_iir(u);
	if (iir == IIR_THR_EMPTY)
		u->thr_empty_pending = false;
	uart_update(u);
	return iir | (uart_fifos(u) ? IIR_FIFOS : 0);
}

static u8 uart_read_lsr(struct uart *u)
{
	u8 lsr;

	uart_flush(u);
	lsr = LSR_THR_EMPTY | LSR_TX_EMPTY | u->line_errors | (u->rx_count ? LSR_READY : 0);
	u->line_errors = 0;
	uart_update(u);
	return lsr;
}

static u8 uart_read_msr(struct uart *u)
{
	u8 msr = uart_modem_lines(u) | u->msr_delta;

	u->msr_delta = 0;
	uart_update(u);
	return msr;
}

static u64 uart_read(void *dev, u64 offset, unsigned size)
{
	struct uart *u = dev;

	switch (offset) {
	case REG_DATA:
		return u->lcr & LCR_DLAB ? (u8)u->divisor : uart_read_data(u);
	case REG_IER:
		return u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier;
	case REG_IIR_FCR:
		return uart_read_iir(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return uart_read_lsr(u);
	case REG_MSR:
		return uart_read_msr(u);
	default:
		return u->scr;
	}
}

static void uart_write_ier(struct uart *u, u8 val)
{
	u8 rising = val & ~u->ier;

	u->ier = val & 0x0f;
	/* Enabling it while the holding register is empty raises it, as drivers test for. */
	if (rising & IER_THR_EMPTY && !u->tx_count)
		u->thr_empty_pending = true;
}

static void uart_write_fcr(struct uart *u, u8 val)
{
	bool toggled = (val ^ u->fcr) & FCR_ENABLE;

	if (toggled || (val & FCR_ENABLE && val & FCR_CLEAR_RX))
		u->rx_count = 0;
	if (toggled || (val & FCR_ENABLE && val & FCR_CLEAR_TX))
		uart_flush(u); /* already on the wire as far as anybody can tell */
	u->fcr = val & FCR_ENABLE ? val & (FCR_ENABLE | 3 << FCR_TRIGGER_SHIFT) : 0;
	uart_rx_more(u);
}

static void uart_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct uart *u = dev;
	u8 v = (u8)val;

	switch (offset) {
	case REG_DATA:
		if (u->lcr & LCR_DLAB)
			u->divisor = (u->divisor & 0xff00) | v;
		else
			uart_write_data(u, v);
		return;
	case REG_IER:
		if (u->lcr & LCR_DLAB)
			u->divisor = (u->divisor & 0xff) | v << 8;
		else
			uart_write_ier(u, v);
		break;
	case REG_IIR_FCR:
		uart_write_fcr(u, v);
		break;
	case REG_LCR:
		if (u->mcr & MCR_LOOP && v & ~u->lcr & LCR_BREAK) {
			uart_rx_push(u, 0);
			u->line_errors |= LSR_BREAK;
		}
		u->lcr = v;
		break;
	case REG_MCR:
		uart_write_mcr(u, v);
		break;
	case REG_SCR:
		u->scr = v;
		break;
	}
	uart_update(u);
}

static void uart_reset(void *dev)
{
	struct uart *u = dev;

	uart_flush(u);
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
	u->msr_delta = u->line_errors = 0;
	u->divisor = 12; /* 9600 */
	u->rx_count = u->rx_head = 0;
	u->thr_empty_pending = false;
	uart_update(u);
	uart_rx_more(u);
}

void uart_init(struct uart *u, struct io_char *back, const struct io_clock *clock,
	       struct irq_line irq)
{
	*u = (struct uart){.back = back, .clock = clock, .irq = irq};
	u->flush = (struct io_timer){.fn = uart_flush_timer, .opaque = u};
	uart_reset(u);
	if (back) {
		back->receive = uart_receive;
		back->opaque = u;
	}
}

void uart_fini(struct uart *u)
{
	uart_flush(u);
}

const struct device_ops uart_ops = {
	.name = "uart",
	.reset = uart_reset,
	.read = uart_read,
	.write = uart_write,
};
