/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/metal/xen_rig.h"

#include "metal/console.h"
#include "metal/sched.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metal metal;
struct xen_rig xr;

/* ---- what is below xen*.c --------------------------------------------------------- */

void loop_lock(struct loop *l)
{
	l->depth++;
}

void loop_unlock(struct loop *l)
{
	if (!l->depth--)
		abort();
}

const struct io_clock *loop_clock(struct loop *l)
{
	return &xr.time.clock;
}

void console_print(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	xr.seen += (u64)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}

void console_output(struct domain *d, const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		xr.seen += ((const u8 *)buf)[i];
}

size_t console_take(struct domain *d, void *buf, size_t cap)
{
	memset(buf, 'x', cap);
	return xr.seen++ % 50 ? cap : 0;
}

void sched_give_way(void)
{
}

void domain_end(struct domain *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
}

/* ---- the core's callbacks, as metal/engine.c has them -------------------------------- */

static bool on_hypercall(void *opaque, struct hv_vcpu *v)
{
	return xr.d.xen && xen_hypercall(xr.d.xen, v);
}

static void on_cpuid(void *opaque, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	if (xr.d.xen)
		xen_cpuid(xr.d.xen, v, leaf, sub, out);
}

static bool on_ipi(void *opaque, u32 apic_id, u32 icr)
{
	const struct apic_msg msg = {
		.dest = apic_id, .wide = true, .mode = icr >> 8 & 7, .vector = (u8)icr};

	return apic_bus_send(&xr.pc.apic_bus, &msg);
}

static void on_eoi(void *opaque, struct hv_vcpu *v)
{
	lapic_eoi(&xr.cpu[v->index].lapic);
}

static int on_msr_write(void *opaque, u32 msr, u64 val)
{
	struct hv_vcpu *v = opaque;
	int err = lapic_msr_write(&xr.cpu[v->index].lapic, msr, val);

	return err && xr.d.xen ? xen_msr_write(xr.d.xen, msr, val) : err;
}

static int on_irq_ack(void *opaque)
{
	struct hv_vcpu *v = opaque;
	int vector = lapic_ack(&xr.cpu[v->index].lapic);

	if (xr.d.xen)
		xen_acked(xr.d.xen, v->index, vector);
	return vector;
}

static void on_intr(void *opaque, unsigned cpu, bool level)
{
	hv_vcpu_irq(&rig.v[cpu], level);
}

static void on_nmi(void *opaque, unsigned cpu)
{
	hv_vcpu_nmi(&rig.v[cpu]);
}

static void on_init(void *opaque, unsigned cpu)
{
	hv_vcpu_init_signal(&rig.v[cpu]);
}

static void on_sipi(void *opaque, unsigned cpu, u8 vector)
{
	hv_vcpu_sipi(&rig.v[cpu], vector);
}

static int no_pic(void *opaque)
{
	return 0xff;
}

static u64 tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	return tsc;
}

/* ---- a guest ------------------------------------------------------------------------- */

/* Of the two structures around the core's, nothing but that is looked at. */
static void make_domain(bool xen)
{
	xr.d = (struct domain){.id = 1, .nvcpus = XEN_RIG_CPUS, .board = &xr.pc.board};
	xr.d.vm = container_of(&rig.vm, struct engine_vm, hv);
	for (unsigned i = 0; i < XEN_RIG_CPUS; i++)
		xr.d.vcpu[i] = container_of(&rig.v[i], struct engine_vcpu, hv);
	if (xen && xen_create(&xr.d, &xr.d.xen))
		abort();
}

static void make_board(void)
{
	static const struct gpa_slot slots[] = {
		{.size = RIG_RAM, .host = rig_ram, .page_flags = xr.ram_flags, .fd = -1},
		{.gpa = RIG_ROM,
		 .size = sizeof(rig_rom),
		 .host = rig_rom,
		 .page_flags = xr.rom_flags,
		 .readonly = true,
		 .fd = -1}};
	const struct lapic_wires wires = {.intr = on_intr,
					  .nmi = on_nmi,
					  .init = on_init,
					  .sipi = on_sipi,
					  .pic_ack = no_pic,
					  .tsc_to_ns = tsc_to_ns};

	memset(&xr.pc, 0, sizeof(xr.pc));
	fake_clock_init(&xr.time, 1700000000);
	xr.pc.cpu = xr.cpu;
	apic_bus_init(&xr.pc.apic_bus);
	for (unsigned i = 0; i < XEN_RIG_CPUS; i++) {
		lapic_init(&xr.cpu[i].lapic, i, &xr.pc.apic_bus, &xr.time.clock, &wires);
		lapic_ops.write(&xr.cpu[i].lapic, 0xf0, 4, SVR_ENABLE | 0xff);
	}
	if (gpa_slot_add(&xr.pc.map, &slots[0]) || gpa_slot_add(&xr.pc.map, &slots[1]) ||
	    bus_add(&xr.pc.mmio, LAPIC_BASE_DEFAULT, LAPIC_WINDOW, &lapic_ops, &xr.cpu[0].lapic))
		abort();
}

/* 64-bit code at XEN_RIG_CODE; what is at 0 up to 1 GiB is there by one large page. */
void xen_rig_long_mode(bool user)
{
	struct hv_vcpu *v = &rig.v[0];
	const u64 pdpt = (XEN_RIG_TABLES + 4096) | 7, page = 0x87;

	memcpy(rig_ram + XEN_RIG_TABLES, &pdpt, 8);
	memcpy(rig_ram + XEN_RIG_TABLES + 4096, &page, 8);
	v->st.cr0 = CR0_ET | CR0_PE | CR0_PG;
	v->st.cr3 = XEN_RIG_TABLES;
	v->st.cr4 |= CR4_PAE;
	v->st.efer = EFER_LME | EFER_LMA;
	v->st.seg[X86_CS].attr = 0xa09b;
	v->st.cpl = user ? 3 : 0;
	v->dirty = HV_G_ALL;
}

void xen_rig_init(const struct vt_ops *vt, bool xen)
{
	metal.vt = vt;
	if (!rig_init(vt, XEN_RIG_CPUS, xen ? HV_PV_NONE : HV_PV_KVM))
		abort();
	make_board();
	make_domain(xen);
	rig.ops.hypercall = on_hypercall;
	rig.ops.cpuid = on_cpuid;
	rig.ops.ipi = on_ipi;
	rig.ops.eoi = on_eoi;
	for (unsigned i = 0; i < XEN_RIG_CPUS; i++) {
		rig.v[i].bus.msr_write = on_msr_write;
		rig.v[i].bus.irq_ack = on_irq_ack;
		rig.v[i].bus.hypercall = NULL; /* the hosted machine's */
	}
}

void xen_rig_fini(void)
{
	xen_destroy(xr.d.xen);
	rig_fini();
}

void xen_rig_go(int what)
{
	struct hv_vcpu *v = &rig.v[0];
	struct hv_exit e;

	v->rip = XEN_RIG_CODE;
	v->mp = X86_MP_RUNNING;
	memcpy(rig_ram + XEN_RIG_CODE, what == STEP_VMCALL ? "\x0f\x01\xd9\xf4" : "\x0f\xa2\xf4",
	       4);
	rig.nsteps = rig.at = rig.nentries = 0;
	rig_step(what, 0, 0)->len = what == STEP_VMCALL ? 3 : 2;
	hv_vcpu_run(v, &e);
}
