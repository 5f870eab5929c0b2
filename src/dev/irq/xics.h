/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The interrupt controller of a PAPR machine (PAPR, chapter "Interrupt
 * Controller"): one presentation controller a CPU ("server"), and sources that
 * are routed to a server with a priority, 0 the most favoured, 0xff off.
 *
 * The guest reaches servers by hypercalls (xics_accept, _cppr, _eoi, _ipi) and
 * sources by RTAS (xics_route...); which is the board's business. Sources are
 * numbered from XICS_BASE; each is a level (irq_line) or a message. Everything
 * under the machine lock. Freestanding.
 */
#ifndef HULL_DEV_IRQ_XICS_H
#define HULL_DEV_IRQ_XICS_H

#include "io/irq.h"

#define XICS_SERVERS 64u
#define XICS_BASE 0x1000u /* number of the first source */
#define XICS_SOURCES 1024u
#define XICS_IPI 2u	  /* what XIRR says for another server's call */
#define XICS_MASKED 0xffu /* priority: not delivered */
#define XICS_SPURIOUS 0u

struct xics_server {
	u8 cppr;    /* only what is more favoured interrupts the CPU */
	u8 mfrr;    /* priority of the call another server made */
	u8 pending; /* of xisr */
	u32 xisr;   /* waiting for the CPU: a source, XICS_IPI or 0 */
};

struct xics_source {
	u8 server, priority, saved; /* saved: what int-on goes back to */
	bool level;		    /* a line, not a message */
	bool asserted;		    /* level: the line is high */
	bool sent;		    /* level: presented, not ended yet */
	bool waiting;		    /* message: to be presented when there is room, or on */
};

struct xics {
	unsigned nservers;
	unsigned nwaiting; /* messages that wait */
	struct xics_server server[XICS_SERVERS];
	struct xics_source source[XICS_SOURCES];
	/* The external interrupt pin of a server's CPU. */
	void (*pin)(void *opaque, unsigned server, bool level);
	void *opaque;
};

void xics_init(struct xics *x, unsigned nservers,
	       void (*pin)(void *opaque, unsigned server, bool level), void *opaque);
void xics_reset(struct xics *x); /* all masked; what is level stays level */

/* Source n (XICS_BASE ..) is a line; before the machine runs. */
struct irq_line xics_line(struct xics *x, unsigned n);
/* A message on source n; numbers that are none are ignored. */
void xics_message(struct xics *x, unsigned n);

/* ---- hypercalls; server is the calling CPU unless stated ---- */

/* H_XIRR: takes the waiting interrupt: CPPR << 24 | number, 0 = spurious. */
u32 xics_accept(struct xics *x, unsigned server);
/* H_IPOLL: the same without taking it, of any server; *mfrr too. False: no such server. */
bool xics_poll(const struct xics *x, u64 server, u32 *xirr, u8 *mfrr);
void xics_cppr(struct xics *x, unsigned server, u8 cppr);
void xics_eoi(struct xics *x, unsigned server, u32 xirr);
/* H_IPI of any server. False: no such server. */
bool xics_ipi(struct xics *x, u64 server, u8 mfrr);

/* ---- RTAS; false: no such source or server ---- */

bool xics_route(struct xics *x, u32 n, u32 server, u32 priority);
bool xics_get_route(const struct xics *x, u32 n, u32 *server, u32 *priority);
bool xics_on(struct xics *x, u32 n, bool on);

#endif
