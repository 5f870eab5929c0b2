/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shared structures lie in the guest's own RAM where it asked for them; only a
 * grant table asked for outside of RAM gets a page of its own. Everything here
 * runs with the domain's lock. What a guest writes is read once and checked.
 */
#include "metal/xen_internal.h"

#include "base/endian.h"
#include "metal/console.h"

#include <stdlib.h>
#include <string.h>

/* The hypercall page: entry n loads n and does VMMCALL (or VMCALL; both are taken). */
int xen_msr_write(struct xen *x, u32 msr, u64 val)
{
	u8 *page = val & (PAGE_SIZE - 1) ? NULL : xen_guest(x, val, PAGE_SIZE);

	if (msr != XEN_MSR_PAGE || !page)
		return -E_NOENT;
	memset(page, 0xc3, PAGE_SIZE);
	for (unsigned i = 0; i < XEN_HYPERCALLS; i++) {
		u8 *p = page + i * 32;

		p[0] = 0xb8; /* mov eax, i */
		store_le32(p + 1, i);
		memcpy(p + 5, metal.vt == &svm_ops ? "\x0f\x01\xd9\xc3" : "\x0f\x01\xc1\xc3", 4);
	}
	return 0;
}

/* The interrupt just taken may be one that is never ended: Xen's vector callback. */
void xen_acked(struct xen *x, unsigned vcpu, int vector)
{
	if (vector > 0 && vector == x->callback && !x->vcpu[vcpu].vector)
		lapic_eoi(&xen_pc(x)->cpu[vcpu].lapic);
}

void xen_cpuid(struct xen *x, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	if (leaf < XEN_LEAF || leaf > XEN_LEAF_LAST)
		return;
	memset(out, 0, 16);
	switch (leaf - XEN_LEAF) {
	case 0:
		out[0] = XEN_LEAF_LAST;
		memcpy(out + 1, "XenVMMXenVMM", 12);
		break;
	case 1:
		out[0] = XEN_VERSION;
		break;
	case 2:
		out[0] = 1; /* hypercall pages */
		out[1] = XEN_MSR_PAGE;
		break;
	case 4:
		out[0] = XEN_LEAF4_VCPU_ID | XEN_LEAF4_DOMID | XEN_LEAF4_UPCALL_VECTOR;
		out[1] = v->index;
		out[2] = x->domain->id;
		break;
	default:
		break;
	}
}

static void on_timer(void *opaque)
{
	struct xen_vcpu *v = opaque;

	if (v->virq_port[VIRQ_TIMER])
		xen_notify(v->xen, v->virq_port[VIRQ_TIMER]);
}

/* Power-on state; with the domain's lock once it runs. */
void xen_reset(struct xen *x)
{
	const struct io_clock *clock = loop_clock(&x->domain->loop);

	xen_drop_grants(x);
	x->shared_gpa = ~0ULL;
	x->callback = 0;
	memset(x->port, 0, sizeof(x->port));
	memset(x->param, 0, sizeof(x->param));
	x->port[CONSOLE_PORT].kind = PORT_CONSOLE;
	x->param[HVM_PARAM_CONSOLE_PFN] = CONSOLE_GPA >> 12;
	x->param[HVM_PARAM_CONSOLE_EVTCHN] = CONSOLE_PORT;
	for (unsigned i = 0; i < CONFIG_CPUS_MAX; i++) {
		struct xen_vcpu *v = &x->vcpu[i];

		io_timer_cancel(clock, &v->timer);
		*v = (struct xen_vcpu){.xen = x,
				       .index = i,
				       .info_gpa = ~0ULL,
				       .timer = {.fn = on_timer, .opaque = v}};
	}
}

int xen_create(struct domain *d, struct xen **out)
{
	struct xen *x = calloc(1, sizeof(*x));

	if (!x)
		return -E_NOMEM;
	x->domain = d;
	xen_reset(x);
	*out = x;
	return 0;
}

void xen_destroy(struct xen *x)
{
	if (x)
		xen_drop_grants(x);
	free(x);
}

void xen_stats(const struct xen *x)
{
	for (unsigned i = 0; i < XEN_HYPERCALLS; i++)
		if (x->calls[i])
			console_print("  hypercall %-16s %8lu\n", xen_call_name(i), x->calls[i]);
	console_print("  hypercalls unknown %lu, upcalls %lu\n", x->unknown, x->upcalls);
}
