/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/irq/xics.h"

#include "base/bits.h"

static struct xics_source *source_at(struct xics *x, u32 n)
{
	return n - XICS_BASE < XICS_SOURCES ? &x->source[n - XICS_BASE] : NULL;
}

static void wait_set(struct xics *x, struct xics_source *s, bool waiting)
{
	x->nwaiting += (unsigned)waiting - (unsigned)s->waiting;
	s->waiting = waiting;
}

/* What was presented to a server comes back: it is presented again later. */
static void reject(struct xics *x, u32 n)
{
	struct xics_source *s = source_at(x, n);

	if (s && s->level)
		s->sent = false;
	else if (s)
		wait_set(x, s, true);
}

static void pin_set(struct xics *x, unsigned server)
{
	x->pin(x->opaque, server, x->server[server].xisr != 0);
}

/* Puts n in front of the CPU in place of whatever less favoured waits there. */
static void present(struct xics *x, unsigned server, u32 n, u8 priority)
{
	struct xics_server *v = &x->server[server];
	u32 old = v->xisr;

	v->xisr = n;
	v->pending = priority;
	if (old)
		reject(x, old);
	pin_set(x, server);
}

static bool room(const struct xics_server *v, u8 priority)
{
	return priority < v->cppr && !(v->xisr && v->pending <= priority);
}

/* A source has something: present it, or have it wait. */
static void source_try(struct xics *x, struct xics_source *s)
{
	u32 n = (u32)(s - x->source) + XICS_BASE;
	bool has = s->level ? s->asserted && !s->sent : s->waiting;

	if (!has || s->priority == XICS_MASKED || !room(&x->server[s->server], s->priority))
		return;
	if (s->level)
		s->sent = true;
	else
		wait_set(x, s, false);
	present(x, s->server, n, s->priority);
}

static void ipi_try(struct xics *x, unsigned server)
{
	struct xics_server *v = &x->server[server];

	if (v->mfrr != XICS_MASKED && room(v, v->mfrr))
		present(x, server, XICS_IPI, v->mfrr);
}

/* A server became less busy. */
static void resend(struct xics *x, unsigned server)
{
	ipi_try(x, server);
	for (unsigned i = 0; i < XICS_SOURCES; i++)
		if (x->source[i].server == server && (x->source[i].level || x->nwaiting))
			source_try(x, &x->source[i]);
}

static void line_set(void *opaque, unsigned n, bool level)
{
	struct xics *x = opaque;
	struct xics_source *s = &x->source[n - XICS_BASE];

	s->asserted = level;
	source_try(x, s);
}

void xics_init(struct xics *x, unsigned nservers,
	       void (*pin)(void *opaque, unsigned server, bool level), void *opaque)
{
	*x = (struct xics){.nservers = nservers, .pin = pin, .opaque = opaque};
	xics_reset(x);
}

void xics_reset(struct xics *x)
{
	for (unsigned i = 0; i < x->nservers; i++) {
		x->server[i] = (struct xics_server){.mfrr = XICS_MASKED, .pending = XICS_MASKED};
		pin_set(x, i);
	}
	for (unsigned i = 0; i < XICS_SOURCES; i++)
		x->source[i] = (struct xics_source){.priority = XICS_MASKED,
						    .saved = XICS_MASKED,
						    .level = x->source[i].level,
						    .asserted = x->source[i].asserted};
	x->nwaiting = 0;
}

struct irq_line xics_line(struct xics *x, unsigned n)
{
	struct xics_source *s = source_at(x, n);

	if (!s)
		return (struct irq_line){0};
	s->level = true;
	return (struct irq_line){.set = line_set, .opaque = x, .n = n};
}

void xics_message(struct xics *x, unsigned n)
{
	struct xics_source *s = source_at(x, n);

	if (!s || s->level)
		return;
	wait_set(x, s, true);
	source_try(x, s);
}

u32 xics_accept(struct xics *x, unsigned server)
{
	struct xics_server *v = &x->server[server];
	u32 xirr = (u32)v->cppr << 24 | v->xisr;

	if (v->xisr)
		v->cppr = v->pending;
	v->xisr = 0;
	v->pending = XICS_MASKED;
	pin_set(x, server);
	return xirr;
}

bool xics_poll(const struct xics *x, u64 server, u32 *xirr, u8 *mfrr)
{
	const struct xics_server *v = &x->server[server % XICS_SERVERS];

	if (server >= x->nservers)
		return false;
	*xirr = (u32)v->cppr << 24 | v->xisr;
	*mfrr = v->mfrr;
	return true;
}

void xics_cppr(struct xics *x, unsigned server, u8 cppr)
{
	struct xics_server *v = &x->server[server];
	u32 old = v->xisr;
	bool more_favoured = cppr < v->cppr;

	v->cppr = cppr;
	if (more_favoured && old && cppr <= v->pending) {
		v->xisr = 0;
		v->pending = XICS_MASKED;
		pin_set(x, server);
		reject(x, old);
	} else if (!more_favoured && !old) {
		resend(x, server);
	}
}

void xics_eoi(struct xics *x, unsigned server, u32 xirr)
{
	u32 n = (xirr & 0xffffff) - XICS_BASE;
	bool known = n < XICS_SOURCES;

	if (known && x->source[n].level)
		x->source[n].sent = false;
	x->server[server].cppr = (u8)(xirr >> 24);
	if (known)
		source_try(x, &x->source[n]);
	if (!x->server[server].xisr)
		resend(x, server);
}

bool xics_ipi(struct xics *x, u64 server, u8 mfrr)
{
	if (server >= x->nservers)
		return false;
	x->server[server].mfrr = mfrr;
	ipi_try(x, (unsigned)server);
	return true;
}

bool xics_route(struct xics *x, u32 n, u32 server, u32 priority)
{
	struct xics_source *s = source_at(x, n);

	if (!s || server >= x->nservers || priority > XICS_MASKED)
		return false;
	s->server = (u8)server;
	s->priority = s->saved = (u8)priority;
	source_try(x, s);
	return true;
}

bool xics_get_route(const struct xics *x, u32 n, u32 *server, u32 *priority)
{
	if (n - XICS_BASE >= XICS_SOURCES)
		return false;
	*server = x->source[n - XICS_BASE].server;
	*priority = x->source[n - XICS_BASE].priority;
	return true;
}

bool xics_on(struct xics *x, u32 n, bool on)
{
	struct xics_source *s = source_at(x, n);

	if (!s)
		return false;
	if (!on && s->priority != XICS_MASKED)
		s->saved = s->priority;
	s->priority = on ? s->saved : XICS_MASKED;
	source_try(x, s);
	return true;
}
