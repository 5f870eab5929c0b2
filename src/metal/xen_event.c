/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Clock, event channels and console ring of a guest with Xen's interface. */
#include "metal/xen_internal.h"

#include "metal/console.h"

/* ---- time ------------------------------------------------------------------------------ */

void xen_put_time(struct xen_vcpu *v)
{
	struct xen_vcpu_info *i = xen_info(v);
	u64 khz, tsc = hv_vcpu_tsc(&v->xen->domain->vcpu[v->index]->hv, &khz);
	struct pvclock_time t = {.tsc = tsc,
				 .system_ns = io_now(loop_clock(&v->xen->domain->loop)),
				 .flags = XEN_TIME_STABLE};

	if (!i || !khz)
		return;
	pvclock_scale(khz, &t.mul, &t.shift);
	t.version = (i->time.version | 1) + 1;
	i->time = t;
}

void xen_put_wall(struct xen *x)
{
	struct xen_shared_info *s = xen_shared(x);
	const struct io_clock *c = loop_clock(&x->domain->loop);
	u64 boot = c->ops->wall_s(c->opaque) - io_now(c) / 1000000000;

	if (!s)
		return;
	s->wc_sec = (u32)boot;
	s->wc_sec_hi = (u32)(boot >> 32);
	s->wc_nsec = 0;
	s->wc_version += 2;
}

/* ---- event channels ----------------------------------------------------------------------- */

void xen_upcall(struct xen_vcpu *v)
{
	u8 vector = v->vector ? v->vector : v->xen->callback;

	if (!vector)
		return;
	v->xen->upcalls++;
	v->lost =
		!lapic_accept(&xen_pc(v->xen)->cpu[v->index].lapic, APIC_MODE_FIXED, vector, false);
}

void xen_upcall_late(struct xen *x)
{
	for (unsigned i = 0; i < x->domain->nvcpus; i++) {
		const struct xen_vcpu_info *in = xen_info(&x->vcpu[i]);

		if (in && in->upcall_pending)
			xen_upcall(&x->vcpu[i]);
	}
}

void xen_notify(struct xen *x, unsigned port)
{
	struct xen_shared_info *s = xen_shared(x);
	struct xen_vcpu *v = &x->vcpu[x->port[port].vcpu];
	struct xen_vcpu_info *i = xen_info(v);
	u64 bit = BIT(port % 64);

	if (!s || (__atomic_fetch_or(&s->pending[port / 64], bit, __ATOMIC_SEQ_CST) & bit))
		return;
	if (__atomic_load_n(&s->mask[port / 64], __ATOMIC_SEQ_CST) & bit || !i)
		return;
	__atomic_fetch_or(&i->pending_sel, BIT(port / 64), __ATOMIC_SEQ_CST);
	if (!__atomic_exchange_n(&i->upcall_pending, 1, __ATOMIC_SEQ_CST) || v->lost)
		xen_upcall(v);
}

int xen_port_new(struct xen *x, enum port_kind kind, unsigned vcpu, unsigned virq)
{
	for (unsigned p = 1; p < XEN_PORTS; p++) {
		if (x->port[p].kind != PORT_FREE)
			continue;
		x->port[p] = (struct xen_port){(u8)kind, (u8)virq, (u16)vcpu};
		return (int)p;
	}
	return -E_NOSPC;
}

void xen_port_close(struct xen *x, unsigned p)
{
	struct xen_port *port = &x->port[p];

	if (port->kind == PORT_VIRQ)
		x->vcpu[port->vcpu].virq_port[port->virq] = 0;
	if (port->kind != PORT_CONSOLE)
		*port = (struct xen_port){PORT_FREE};
}

void xen_unmask(struct xen *x, unsigned p)
{
	struct xen_shared_info *s = xen_shared(x);
	u64 bit = BIT(p % 64);

	if (!s)
		return;
	__atomic_fetch_and(&s->mask[p / 64], ~bit, __ATOMIC_SEQ_CST);
	if (__atomic_fetch_and(&s->pending[p / 64], ~bit, __ATOMIC_SEQ_CST) & bit)
		xen_notify(x, p); /* as if it came now */
}

/* ---- console ring -----------------------------------------------------------------------------
 */

void xen_console_drain(struct xen *x)
{
	struct xen_console *c = xen_guest(x, CONSOLE_GPA, sizeof(*c));
	u32 prod = __atomic_load_n(&c->out_prod, __ATOMIC_ACQUIRE);
	u32 cons = __atomic_load_n(&c->out_cons, __ATOMIC_RELAXED); /* once: others write it */
	char text[sizeof(c->out)];
	u32 n = 0;

	if (prod - cons > sizeof(c->out)) /* nonsense: start anew */
		cons = prod;
	while (cons != prod)
		text[n++] = c->out[cons++ % sizeof(c->out)];
	__atomic_store_n(&c->out_cons, cons, __ATOMIC_RELEASE);
	if (n)
		console_output(x->domain, text, n);
	xen_notify(x, CONSOLE_PORT);
}

void xen_console_input(struct xen *x)
{
	struct xen_console *c = xen_guest(x, CONSOLE_GPA, sizeof(*c));
	u32 prod = __atomic_load_n(&c->in_prod, __ATOMIC_RELAXED);
	u32 cons = __atomic_load_n(&c->in_cons, __ATOMIC_ACQUIRE);
	u8 byte;

	while (prod - cons < sizeof(c->in) && console_take(x->domain, &byte, 1))
		c->in[prod++ % sizeof(c->in)] = (char)byte;
	__atomic_store_n(&c->in_prod, prod, __ATOMIC_RELEASE);
	xen_notify(x, CONSOLE_PORT);
}
