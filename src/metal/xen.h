/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Xen's interface for HVM and PVH guests, as far as a stock Linux kernel uses it:
 * CPUID leaves, hypercall page and instruction, shared info with the clock,
 * event channels of two levels, grant table version 1, vCPU timers, console
 * ring. For guests with `pv = xen`. Sources: Xen's public headers (xen/include/
 * public), docs/misc/pvh.pandoc.
 */
#ifndef HULL_METAL_XEN_H
#define HULL_METAL_XEN_H

#include "core/hv.h"

struct domain;
struct xen;

int xen_create(struct domain *d, struct xen **out);
void xen_destroy(struct xen *x); /* NULL ok */
bool xen_hypercall(struct xen *x, struct hv_vcpu *v);
void xen_cpuid(struct xen *x, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4]);
/* MSRs the core and the board do not know: 0 or -E_NOENT. With the domain's lock, as the next. */
int xen_msr_write(struct xen *x, u32 msr, u64 val);
/* A vCPU has acknowledged an interrupt. */
void xen_acked(struct xen *x, unsigned vcpu, int vector);
void xen_reset(struct xen *x);
/* The guest's console has input waiting; with the domain's lock. */
void xen_console_input(struct xen *x);
void xen_stats(const struct xen *x);

#endif
