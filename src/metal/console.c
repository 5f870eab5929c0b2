/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/console.h"

#include "base/bits.h"
#include "metal/domain.h"
#include "metal/power.h"
#include "metal/shell.h"
#include "metal/smp.h"
#include "metal/xen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	COM1 = 0x3f8,
	THR = 0,
	IER = 1,
	FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	LSR_DATA = 1,
	LSR_THRE = 0x20
};

static struct {
	struct spinlock lock;
	struct domain *volatile focus;
	bool present, mid_line;
} con;

void console_init(void)
{
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 0x83); /* divisor latch, 8n1 */
	outb(COM1 + THR, 1);	/* 115200 */
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 3);
	outb(COM1 + FCR, 7);
	outb(COM1 + MCR, 3);
	con.present = inb(COM1 + LSR) != 0xff;
}

static void send(char c)
{
	if (!con.present)
		return;
	for (unsigned tries = 1 << 20; !(inb(COM1 + LSR) & LSR_THRE) && tries; tries--)
		cpu_relax();
	outb(COM1 + THR, (u8)c);
	con.mid_line = c != '\n';
}

static void send_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			send('\r');
		send(*s);
	}
}

void metal_log(const char *fmt, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spin_lock(&con.lock);
	if (con.mid_line)
		send_text("\n");
	send_text("hull-metal: ");
	send_text(text);
	send_text("\n");
	spin_unlock(&con.lock);
	shell_redraw();
}

void metal_die(const char *fmt, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Whoever holds the lock may be the one that failed. */
	send_text(con.mid_line ? "\nhull-metal: " : "hull-metal: ");
	send_text(text);
	send_text("; halted\n");
	cpu_halt();
}

void console_print(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spin_lock(&con.lock);
	send_text(text);
	spin_unlock(&con.lock);
}

/* ---- guests' output ---------------------------------------------------------------- */

/* A line of a guest that is shown as it comes. */
static void log_byte(struct domain *d, char c)
{
	struct console_line *l = &d->console;
	char head[CONFIG_NAME_MAX + 4];

	if (c != '\n' && l->line_len + 1 < sizeof(l->line)) {
		if (c >= ' ' || c == '\t')
			l->line[l->line_len++] = c;
		return;
	}
	l->line[l->line_len] = 0;
	l->line_len = 0;
	snprintf(head, sizeof(head), "[%s] ", d->cfg->name);
	if (con.mid_line)
		send_text("\n");
	send_text(head);
	send_text(l->line);
	send_text("\n");
}

void console_output(struct domain *d, const void *buf, size_t len)
{
	struct console_line *l = &d->console;
	const char *p = buf;

	spin_lock(&con.lock);
	for (size_t i = 0; i < len; i++) {
		l->ring[l->head++ % CONSOLE_RING] = (u8)p[i];
		if (con.focus == d) {
			send(p[i]);
			l->shown = l->head;
		} else if (d->cfg->log) {
			log_byte(d, p[i]);
		}
	}
	spin_unlock(&con.lock);
}

static void on_write(struct io_char *c, const void *buf, size_t len)
{
	console_output(container_of(c, struct console_line, chr)->domain, buf, len);
}

/* ---- guests' input ------------------------------------------------------------------- */

size_t console_take(struct domain *d, void *buf, size_t cap)
{
	struct console_line *l = &d->console;
	u8 *to = buf;
	size_t n = 0;

	while (n < cap && l->in_tail != l->in_head)
		to[n++] = l->input[l->in_tail++ % CONSOLE_INPUT];
	return n;
}

/* Offers what waits to the device; with the domain's lock. */
static void on_rx_ready(struct io_char *c)
{
	struct console_line *l = container_of(c, struct console_line, chr);

	while (c->receive && l->in_tail != l->in_head) {
		u32 at = l->in_tail % CONSOLE_INPUT;
		u64 n = min_u64(l->in_head - l->in_tail, CONSOLE_INPUT - at);
		size_t took = c->receive(c->opaque, l->input + at, n);

		l->in_tail += (u32)took;
		if (took < n)
			return;
	}
}

static void give(struct domain *d, u8 byte)
{
	struct console_line *l = &d->console;

	loop_lock(&d->loop);
	if (l->in_head - l->in_tail < CONSOLE_INPUT)
		l->input[l->in_head++ % CONSOLE_INPUT] = byte;
	if (d->state == DOMAIN_RUNNING) {
		if (d->xen)
			xen_console_input(d->xen);
		on_rx_ready(&l->chr);
	}
	loop_unlock(&d->loop);
}

void console_attach(struct domain *d)
{
	static const struct io_char_ops ops = {on_write, on_rx_ready};
	struct console_line *l = &d->console;

	l->chr = (struct io_char){.ops = &ops};
	l->domain = d;
	l->head = l->shown = l->in_head = l->in_tail = l->line_len = 0;
}

void console_detach(struct domain *d)
{
	if (con.focus == d)
		console_focus(NULL);
}

void console_focus(struct domain *d)
{
	spin_lock(&con.lock);
	if (con.mid_line)
		send_text("\n");
	if (d) {
		struct console_line *l = &d->console;

		if (l->head - l->shown > CONSOLE_RING)
			l->shown = l->head - CONSOLE_RING;
		while (l->shown != l->head)
			send((char)l->ring[l->shown++ % CONSOLE_RING]);
	}
	con.focus = d;
	spin_unlock(&con.lock);
	if (!d)
		shell_prompt();
}

bool console_is_ours(void)
{
	return !con.focus;
}

void console_poll(void)
{
	if (metal.off_when_done && !domains_active())
		power_off();
	for (unsigned n = 0; con.present && n < 256 && inb(COM1 + LSR) & LSR_DATA; n++) {
		u8 c = inb(COM1 + THR);

		if (!con.focus)
			shell_input((char)c);
		else if (c == CONSOLE_LEAVE)
			console_focus(NULL);
		else
			give(con.focus, c);
	}
}
