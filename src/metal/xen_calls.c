/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The hypercalls: numbers, arguments and errors as Xen has them (xen_abi.h). */
#include "metal/xen_internal.h"

#include "metal/console.h"
#include "metal/sched.h"

#include <string.h>

struct call {
	struct xen *x;
	struct hv_vcpu *v;
	u64 a[5]; /* rdi rsi rdx r10 r8 */
};

static int get(struct call *c, u64 from, void *buf, size_t len)
{
	return hv_vcpu_read(c->v, from, buf, len) ? -E_FAULT : 0;
}

static int put(struct call *c, u64 to, const void *buf, size_t len)
{
	return hv_vcpu_write(c->v, to, buf, len) ? -E_FAULT : 0;
}

/* Texts, zero to the end of the guest's structure (version.h). */
static s64 version_text(struct call *c, const char *text, size_t len)
{
	char buf[XENVER_TEXT_MAX] = "";

	memcpy(buf, text, strlen(text));
	return put(c, c->a[1], buf, len);
}

static s64 do_version(struct call *c)
{
	u32 f[2];

	switch (c->a[0]) {
	case XENVER_VERSION:
		return XEN_VERSION;
	case XENVER_EXTRAVERSION:
		return version_text(c, ".0-hull", 16);
	case XENVER_COMPILE_INFO:
		return version_text(c, "", XENVER_TEXT_MAX);
	case XENVER_CAPABILITIES: /* the rest of its 1024 bytes stays as it is */
		return version_text(c, "hvm-3.0-x86_64", 64);
	case XENVER_CHANGESET:
		return version_text(c, "", 64);
	case XENVER_PAGESIZE:
		return PAGE_SIZE;
	case XENVER_GET_FEATURES:
		if (get(c, c->a[1], f, sizeof(f)))
			return -E_FAULT;
		f[1] = f[0] ? 0
			    : XENFEAT_AUTO_TRANSLATED | XENFEAT_CALLBACK_VECTOR |
				       XENFEAT_SAFE_PVCLOCK | XENFEAT_VNODE;
		return put(c, c->a[1], f, sizeof(f));
	default:
		return -E_NOSYS;
	}
}

/* Frame idx of the grant table at gpa, which is usually outside of RAM. */
static int place_grants(struct call *c, unsigned idx, u64 gpa)
{
	struct xen *x = c->x;
	int err;

	if (gpa_slot_find(&xen_pc(x)->map, gpa))
		return 0; /* its own page serves: nobody else reads grants */
	if (gpa >= BIT(46) || bus_find(&xen_pc(x)->mmio, gpa))
		return -E_INVAL;
	if (x->grant[idx])
		return x->grant_gpa[idx] == gpa ? 0 : -E_BUSY;
	x->grant[idx] = port_page_alloc(0);
	if (!x->grant[idx])
		return -E_NOMEM;
	x->grant_gpa[idx] = gpa;
	err = hv_map(&x->domain->vm->hv, gpa, port_pa(x->grant[idx]), PAGE_SIZE,
		     NPT_READ | NPT_WRITE);
	if (err) {
		port_page_free(x->grant[idx], 0);
		x->grant[idx] = NULL;
	}
	return err;
}

void xen_drop_grants(struct xen *x)
{
	for (unsigned i = 0; i < XEN_GRANT_FRAMES; i++) {
		if (x->grant[i] && x->domain->vm)
			hv_unmap(&x->domain->vm->hv, x->grant_gpa[i], PAGE_SIZE);
		port_page_free(x->grant[i], 0);
		x->grant[i] = NULL;
	}
}

static s64 do_memory(struct call *c)
{
	struct {
		u16 domid, size;
		u32 space;
		u64 idx, gpfn;
	} m;
	u64 gpa;

	if (c->a[0] != XENMEM_ADD_TO_PHYSMAP)
		return -E_NOSYS;
	if (get(c, c->a[1], &m, sizeof(m)))
		return -E_FAULT;
	gpa = m.gpfn << 12;
	if (m.gpfn >> 40)
		return -E_INVAL;
	if (m.space == XENMAPSPACE_GRANT_TABLE)
		return m.idx < XEN_GRANT_FRAMES ? place_grants(c, (unsigned)m.idx, gpa) : -E_INVAL;
	if (m.space != XENMAPSPACE_SHARED_INFO || !xen_guest(c->x, gpa, PAGE_SIZE))
		return -E_INVAL;
	memset(xen_guest(c->x, gpa, PAGE_SIZE), 0, PAGE_SIZE);
	memset(((struct xen_shared_info *)xen_guest(c->x, gpa, PAGE_SIZE))->mask, 0xff, 512);
	c->x->shared_gpa = gpa;
	xen_put_wall(c->x);
	for (unsigned i = 0; i < c->x->domain->nvcpus && i < 32; i++) {
		c->x->vcpu[i].info_gpa = gpa + i * sizeof(struct xen_vcpu_info);
		xen_put_time(&c->x->vcpu[i]);
	}
	return 0;
}

static s64 do_console(struct call *c)
{
	char text[256];
	u64 n = min_u64(c->a[1], sizeof(text));

	if (c->a[0]) /* read: nothing there */
		return 0;
	if (get(c, c->a[2], text, n))
		return -E_FAULT;
	console_output(c->x->domain, text, n);
	return (s64)n;
}

static s64 do_grant(struct call *c)
{
	struct {
		u16 dom, pad;
		u32 frames, max;
		s16 status, pad2;
	} q;
	u32 version = 1;

	switch (c->a[0]) {
	case GNTTABOP_QUERY_SIZE:
		if (get(c, c->a[1], &q, sizeof(q)))
			return -E_FAULT;
		q.frames = 1;
		q.max = XEN_GRANT_FRAMES;
		q.status = 0;
		return put(c, c->a[1], &q, sizeof(q));
	case GNTTABOP_SET_VERSION:
		return put(c, c->a[1], &version, sizeof(version));
	default:
		return -E_NOSYS;
	}
}

static s64 set_singleshot(struct call *c, struct xen_vcpu *v)
{
	const struct io_clock *clock = loop_clock(&c->x->domain->loop);
	struct {
		u64 timeout;
		u32 flags, pad;
	} t;

	if (get(c, c->a[2], &t, sizeof(t)))
		return -E_FAULT;
	if (t.flags & VCPU_SSHOTTMR_FUTURE && t.timeout < io_now(clock))
		return -XEN_ETIME;
	io_timer_arm(clock, &v->timer, t.timeout);
	return 0;
}

static s64 register_info(struct call *c, struct xen_vcpu *v)
{
	struct {
		u64 mfn;
		u32 offset, pad;
	} r;
	struct xen_vcpu_info *old = xen_info(v), *now;

	if (get(c, c->a[2], &r, sizeof(r)))
		return -E_FAULT;
	if (r.mfn >> 40 || r.offset % 8 || r.offset > PAGE_SIZE - sizeof(*now))
		return -E_INVAL;
	now = xen_guest(c->x, (r.mfn << 12) + r.offset, sizeof(*now));
	if (!now)
		return -E_INVAL;
	if (old)
		memmove(now, old, sizeof(*now)); /* they may overlap */
	v->info_gpa = (r.mfn << 12) + r.offset;
	xen_put_time(v);
	/* Nothing that came meanwhile gets lost. */
	now->pending_sel = ~0ULL;
	now->upcall_pending = 1;
	xen_upcall(v);
	return 0;
}

static s64 do_vcpu(struct call *c)
{
	struct xen_vcpu *v;

	if (c->a[1] >= c->x->domain->nvcpus)
		return -E_NOENT;
	v = &c->x->vcpu[c->a[1]];
	switch (c->a[0]) {
	case VCPUOP_IS_UP:
		return c->x->domain->vcpu[c->a[1]]->hv.mp != X86_MP_WAIT_SIPI;
	case VCPUOP_REGISTER_RUNSTATE:
	case VCPUOP_STOP_PERIODIC:
		return 0;
	case VCPUOP_SET_SINGLESHOT:
		return set_singleshot(c, v);
	case VCPUOP_STOP_SINGLESHOT:
		io_timer_cancel(loop_clock(&c->x->domain->loop), &v->timer);
		return 0;
	case VCPUOP_REGISTER_INFO:
		return register_info(c, v);
	default:
		return -E_NOSYS;
	}
}

static s64 do_sched(struct call *c)
{
	static const char *const why[] = {"power off", "reset", "suspend", "its kernel crashed"};
	u32 reason;

	/* Poll and block may come back for no reason: they let others run, that is all. */
	if (c->a[0] == SCHEDOP_POLL || c->a[0] <= SCHEDOP_BLOCK)
		sched_give_way();
	if (c->a[0] != SCHEDOP_SHUTDOWN)
		return c->a[0] <= SCHEDOP_POLL ? 0 : -E_NOSYS;
	if (get(c, c->a[1], &reason, sizeof(reason)))
		return -E_FAULT;
	if (reason == 1)
		c->x->domain->reset_wanted = true;
	else
		domain_end(c->x->domain, "%s", reason < ARRAY_LEN(why) ? why[reason] : "shutdown");
	return 0;
}

static s64 bind(struct call *c, u32 *words, enum port_kind kind)
{
	unsigned virq = kind == PORT_VIRQ ? words[0] : 0;
	unsigned vcpu = words[kind == PORT_VIRQ], out = kind == PORT_VIRQ ? 2 : 1;
	int p;

	if (vcpu >= c->x->domain->nvcpus)
		return -E_NOENT;
	if (virq >= XEN_VIRQS)
		return -E_INVAL;
	if (kind == PORT_VIRQ && c->x->vcpu[vcpu].virq_port[virq])
		return -E_EXIST;
	p = xen_port_new(c->x, kind, vcpu, virq);
	if (p < 0)
		return p;
	if (kind == PORT_VIRQ)
		c->x->vcpu[vcpu].virq_port[virq] = (u16)p;
	words[out] = (u32)p;
	return put(c, c->a[1], words, (out + 1) * sizeof(u32));
}

/* A virtual interrupt and an IPI stay where they were bound (event_channel.h). */
static s64 bind_vcpu(struct call *c, struct xen_port *port, u32 vcpu)
{
	if (vcpu >= c->x->domain->nvcpus)
		return -E_NOENT;
	if (port->kind == PORT_VIRQ || port->kind == PORT_IPI)
		return -E_INVAL;
	port->vcpu = (u16)vcpu;
	return 0;
}

static s64 send(struct call *c, unsigned p)
{
	if (c->x->port[p].kind == PORT_CONSOLE)
		xen_console_drain(c->x);
	else if (c->x->port[p].kind == PORT_IPI)
		xen_notify(c->x, p);
	return 0;
}

static s64 port_status(struct call *c)
{
	struct {
		u16 dom, pad;
		u32 port, status, vcpu, u[2];
	} s;

	if (get(c, c->a[1], &s, sizeof(s)))
		return -E_FAULT;
	if (s.port >= XEN_PORTS)
		return -E_INVAL;
	/* closed 0, unbound 1, interdomain 2, virq 4, ipi 5 */
	s.status = "\0\1\2\4\5"[c->x->port[s.port].kind];
	s.vcpu = c->x->port[s.port].vcpu;
	return put(c, c->a[1], &s, sizeof(s));
}

static s64 do_event(struct call *c)
{
	u32 w[3] = {0};
	unsigned words = c->a[0] == EVTCHNOP_BIND_VIRQ ? 3
			 : c->a[0] == EVTCHNOP_BIND_IPI || c->a[0] == EVTCHNOP_BIND_VCPU ||
					 c->a[0] == EVTCHNOP_ALLOC_UNBOUND
				 ? 2
				 : 1;
	int p;

	if (c->a[0] > EVTCHNOP_RESET)
		return -E_NOSYS; /* FIFO: two levels it is */
	if (get(c, c->a[1], w, words * sizeof(u32)))
		return -E_FAULT;
	switch (c->a[0]) {
	case EVTCHNOP_BIND_VIRQ:
		return bind(c, w, PORT_VIRQ);
	case EVTCHNOP_BIND_IPI:
		return bind(c, w, PORT_IPI);
	case EVTCHNOP_ALLOC_UNBOUND:
		p = xen_port_new(c->x, PORT_UNBOUND, 0, 0);
		w[1] = (u32)p;
		return p < 0 ? p : put(c, c->a[1], w, 8);
	case EVTCHNOP_STATUS:
		return port_status(c);
	case EVTCHNOP_RESET:
		for (unsigned i = 1; i < XEN_PORTS; i++)
			xen_port_close(c->x, i);
		return 0;
	default:
		break;
	}
	if (!w[0] || w[0] >= XEN_PORTS || c->x->port[w[0]].kind == PORT_FREE)
		return -E_INVAL;
	switch (c->a[0]) {
	case EVTCHNOP_SEND:
		return send(c, w[0]);
	case EVTCHNOP_UNMASK:
		xen_unmask(c->x, w[0]);
		return 0;
	case EVTCHNOP_CLOSE:
		xen_port_close(c->x, w[0]);
		return 0;
	case EVTCHNOP_BIND_VCPU:
		return bind_vcpu(c, &c->x->port[w[0]], w[1]);
	default:
		return -E_NOSYS;
	}
}

static s64 do_param(struct call *c)
{
	struct {
		u16 domid, pad;
		u32 index;
		u64 value;
	} p;

	if (get(c, c->a[1], &p, sizeof(p)))
		return -E_FAULT;
	if (p.index >= HVM_PARAMS)
		return -E_INVAL;
	if (c->a[0] == HVMOP_GET_PARAM) {
		p.value = c->x->param[p.index];
		return put(c, c->a[1], &p, sizeof(p));
	}
	if (p.index != HVM_PARAM_CALLBACK_IRQ)
		return -E_PERM;
	c->x->param[p.index] = p.value;
	c->x->callback = p.value >> 56 == HVM_CALLBACK_VECTOR ? (u8)p.value : 0;
	xen_upcall_late(c->x);
	return 0;
}

static s64 do_hvm(struct call *c)
{
	u32 w[2];

	if (c->a[0] <= HVMOP_GET_PARAM)
		return do_param(c);
	if (c->a[0] != HVMOP_SET_UPCALL_VECTOR)
		return -E_NOSYS;
	if (get(c, c->a[1], w, sizeof(w)))
		return -E_FAULT;
	if (w[0] >= c->x->domain->nvcpus || (u8)w[1] < 16)
		return -E_INVAL;
	c->x->vcpu[w[0]].vector = (u8)w[1];
	xen_upcall_late(c->x);
	return 0;
}

static s64 do_nothing(struct call *c)
{
	return 0;
}

static const struct {
	const char *name;
	s64 (*run)(struct call *c);
} calls[XEN_HYPERCALLS] = {
	[XEN_MEMORY_OP] = {"memory_op", do_memory},
	[XEN_XEN_VERSION] = {"xen_version", do_version},
	[XEN_CONSOLE_IO] = {"console_io", do_console},
	[XEN_GRANT_TABLE_OP] = {"grant_table_op", do_grant},
	[XEN_VM_ASSIST] = {"vm_assist", do_nothing},
	[XEN_VCPU_OP] = {"vcpu_op", do_vcpu},
	[XEN_SCHED_OP] = {"sched_op", do_sched},
	[XEN_EVENT_CHANNEL_OP] = {"event_channel_op", do_event},
	[XEN_HVM_OP] = {"hvm_op", do_hvm},
};

bool xen_hypercall(struct xen *x, struct hv_vcpu *v)
{
	u64 nr = v->gpr[X86_RAX];
	struct call c = {.x = x,
			 .v = v,
			 .a = {v->gpr[X86_RDI], v->gpr[X86_RSI], v->gpr[X86_RDX], v->gpr[X86_R10],
			       v->gpr[X86_R8]}};
	s64 r = -E_NOSYS;

	loop_lock(&x->domain->loop);
	if (hv_vcpu_cpl(v)) {
		r = -E_PERM;
	} else if (hv_vcpu_code_size(v) == 8 && nr < XEN_HYPERCALLS && calls[nr].run) {
		x->calls[nr]++;
		r = calls[nr].run(&c);
	} else {
		x->unknown++;
	}
	loop_unlock(&x->domain->loop);
	v->gpr[X86_RAX] = (u64)r;
	return true;
}

const char *xen_call_name(unsigned nr)
{
	return calls[nr].name;
}
