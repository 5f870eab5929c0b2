/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/xen.h"

#include "metal/metal.h"

int xen_create(struct domain *d, struct xen **out)
{
	metal_log("pv = xen is not there yet");
	return -E_NOTSUP;
}

void xen_destroy(struct xen *x)
{
}

bool xen_hypercall(struct xen *x, struct hv_vcpu *v)
{
	return false;
}

void xen_cpuid(struct xen *x, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
}

void xen_console_input(struct xen *x)
{
}

void xen_stats(const struct xen *x)
{
}
