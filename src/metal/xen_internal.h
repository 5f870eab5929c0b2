/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the files of Xen's interface share: a guest's state, and its parts. Included by xen*.c only.
 */
#ifndef HULL_METAL_XEN_INTERNAL_H
#define HULL_METAL_XEN_INTERNAL_H

#include "base/bits.h"
#include "machine/pc_internal.h"
#include "metal/domain.h"
#include "metal/xen.h"
#include "metal/xen_abi.h"

#define CONSOLE_GPA 0xfe000u /* reserved in the guest's memory map, below its ROM area's end */
#define CONSOLE_PORT 1u

enum port_kind { PORT_FREE, PORT_UNBOUND, PORT_CONSOLE, PORT_VIRQ, PORT_IPI };

struct xen_port {
	u8 kind;
	u8 virq;
	u16 vcpu;
};

struct xen_vcpu {
	struct xen *xen;
	unsigned index;
	u64 info_gpa; /* vcpu_info; ~0: nowhere yet */
	u16 virq_port[XEN_VIRQS];
	u8 vector; /* upcall, by local APIC */
	bool lost; /* the APIC did not take the last one: it was off */
	struct io_timer timer;
};

struct xen {
	struct domain *domain;
	u64 shared_gpa; /* ~0: not placed */
	u8 callback;	/* vector for all vCPUs, without EOI */
	u64 param[HVM_PARAMS];
	struct xen_port port[XEN_PORTS];
	struct xen_vcpu vcpu[CONFIG_CPUS_MAX];
	void *grant[XEN_GRANT_FRAMES];
	u64 grant_gpa[XEN_GRANT_FRAMES];
	u64 calls[XEN_HYPERCALLS], unknown, upcalls;
};

static inline struct pc *xen_pc(const struct xen *x)
{
	return container_of(x->domain->board, struct pc, board);
}

static inline void *xen_guest(const struct xen *x, u64 gpa, u64 len)
{
	return gpa == ~0ULL ? NULL : gpa_ptr(&xen_pc(x)->map, gpa, len, true);
}

static inline struct xen_shared_info *xen_shared(const struct xen *x)
{
	return xen_guest(x, x->shared_gpa, sizeof(struct xen_shared_info));
}

static inline struct xen_vcpu_info *xen_info(const struct xen_vcpu *v)
{
	return xen_guest(v->xen, v->info_gpa, sizeof(struct xen_vcpu_info));
}

/* xen_event.c: clock, event channels, console ring. All with the domain's lock. */
void xen_put_time(struct xen_vcpu *v);
void xen_put_wall(struct xen *x);
void xen_upcall(struct xen_vcpu *v);
/* The guest said where upcalls go: what came before goes there now. */
void xen_upcall_late(struct xen *x);
void xen_notify(struct xen *x, unsigned port);
/* A new port, or -E_NOSPC. */
int xen_port_new(struct xen *x, enum port_kind kind, unsigned vcpu, unsigned virq);
void xen_port_close(struct xen *x, unsigned p);
void xen_unmask(struct xen *x, unsigned p);
void xen_console_drain(struct xen *x);

/* xen_calls.c: hypercalls. */
void xen_drop_grants(struct xen *x);
const char *xen_call_name(unsigned nr); /* NULL: there is no such call */

#endif
