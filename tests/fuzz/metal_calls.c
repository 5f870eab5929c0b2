/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the hypercalls of hull-metal's guests, Xen's and KVM's, and what they
 * lead to: event channels, grant frames, vCPU timers, clock, console ring, upcalls by
 * the local APIC. The input is a list of what a guest and its world do: a call with
 * its arguments in registers and memory, bytes written anywhere (the shared structures,
 * the page tables), an MSR, time that passes, input of the console, a reset. All calls
 * take the way they take on the machine: an exit of the core, and the guest's memory by
 * its own page tables. What is wired here is wired so in metal/engine.c and domain.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metal/console.h"
#include "metal/sched.h"
#include "metal/xen_internal.h"
#include "tests/fake_clock.h"
#include "tests/fuzz/input.h"
#include "tests/unit/core/rig.h"

#define CODE_AT 0x1000u
#define TABLES 0x2000u /* two pages */
#define ARGS 0x6000u
#define SHARED 0x8000u
#define INFO 0x9000u
#define CPUS 2u
#define STEPS 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct metal metal;

struct world {
	struct domain d;
	struct pc pc;
	struct pc_cpu cpu[CPUS];
	struct fake_clock time;
	_Atomic u8 ram_flags[RIG_RAM / GPA_PAGE_SIZE], rom_flags[1];
	u64 seen; /* sum of what reached the console */
};
static struct world w;

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
	return &w.time.clock;
}

void console_print(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	w.seen += (u64)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}

void console_output(struct domain *d, const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		w.seen += ((const u8 *)buf)[i];
}

size_t console_take(struct domain *d, void *buf, size_t cap)
{
	memset(buf, 'x', cap);
	return w.seen++ % 50 ? cap : 0;
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
	return w.d.xen && xen_hypercall(w.d.xen, v);
}

static void on_cpuid(void *opaque, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	if (w.d.xen)
		xen_cpuid(w.d.xen, v, leaf, sub, out);
}

static bool on_ipi(void *opaque, u32 apic_id, u32 icr)
{
	const struct apic_msg msg = {
		.dest = apic_id, .wide = true, .mode = icr >> 8 & 7, .vector = (u8)icr};

	return apic_bus_send(&w.pc.apic_bus, &msg);
}

static void on_eoi(void *opaque, struct hv_vcpu *v)
{
	lapic_eoi(&w.cpu[v->index].lapic);
}

static int on_msr_write(void *opaque, u32 msr, u64 val)
{
	struct hv_vcpu *v = opaque;
	int err = lapic_msr_write(&w.cpu[v->index].lapic, msr, val);

	return err && w.d.xen ? xen_msr_write(w.d.xen, msr, val) : err;
}

static int on_irq_ack(void *opaque)
{
	struct hv_vcpu *v = opaque;
	int vector = lapic_ack(&w.cpu[v->index].lapic);

	if (w.d.xen)
		xen_acked(w.d.xen, v->index, vector);
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
	w.d = (struct domain){.id = 1, .nvcpus = CPUS, .board = &w.pc.board};
	w.d.vm = container_of(&rig.vm, struct engine_vm, hv);
	for (unsigned i = 0; i < CPUS; i++)
		w.d.vcpu[i] = container_of(&rig.v[i], struct engine_vcpu, hv);
	if (xen && xen_create(&w.d, &w.d.xen))
		abort();
}

static void make_board(void)
{
	static const struct gpa_slot slots[] = {
		{.size = RIG_RAM, .host = rig_ram, .page_flags = w.ram_flags, .fd = -1},
		{.gpa = RIG_ROM,
		 .size = sizeof(rig_rom),
		 .host = rig_rom,
		 .page_flags = w.rom_flags,
		 .readonly = true,
		 .fd = -1}};
	const struct lapic_wires wires = {.intr = on_intr,
					  .nmi = on_nmi,
					  .init = on_init,
					  .sipi = on_sipi,
					  .pic_ack = no_pic,
					  .tsc_to_ns = tsc_to_ns};

	memset(&w.pc, 0, sizeof(w.pc));
	fake_clock_init(&w.time, 1700000000);
	w.pc.cpu = w.cpu;
	apic_bus_init(&w.pc.apic_bus);
	for (unsigned i = 0; i < CPUS; i++) {
		lapic_init(&w.cpu[i].lapic, i, &w.pc.apic_bus, &w.time.clock, &wires);
		lapic_ops.write(&w.cpu[i].lapic, 0xf0, 4, SVR_ENABLE | 0xff);
	}
	if (gpa_slot_add(&w.pc.map, &slots[0]) || gpa_slot_add(&w.pc.map, &slots[1]) ||
	    bus_add(&w.pc.mmio, LAPIC_BASE_DEFAULT, LAPIC_WINDOW, &lapic_ops, &w.cpu[0].lapic))
		abort();
}

/* 64-bit code at CODE_AT; what is at 0 up to 1 GiB is there by one large page. */
static void long_mode(struct hv_vcpu *v, u8 mode)
{
	const u64 pdpt = (TABLES + 4096) | 7, page = 0x87;

	memcpy(rig_ram + TABLES, &pdpt, 8);
	memcpy(rig_ram + TABLES + 4096, &page, 8);
	v->st.cr0 = CR0_ET | CR0_PE | CR0_PG;
	v->st.cr3 = TABLES;
	v->st.cr4 |= CR4_PAE;
	v->st.efer = EFER_LME | EFER_LMA;
	v->st.seg[X86_CS].attr = 0xa09b;
	v->st.cpl = mode & 4 ? 3 : 0;
	v->dirty = HV_G_ALL;
}

static void start(u8 mode)
{
	metal.vt = mode & 1 ? &vmx_ops : &svm_ops;
	if (!rig_init(metal.vt, CPUS, mode & 2 ? HV_PV_NONE : HV_PV_KVM))
		abort();
	make_board();
	make_domain(mode & 2);
	rig.ops.hypercall = on_hypercall;
	rig.ops.cpuid = on_cpuid;
	rig.ops.ipi = on_ipi;
	rig.ops.eoi = on_eoi;
	for (unsigned i = 0; i < CPUS; i++) {
		rig.v[i].bus.msr_write = on_msr_write;
		rig.v[i].bus.irq_ack = on_irq_ack;
		rig.v[i].bus.hypercall = NULL; /* the hosted machine's */
	}
	if (!(mode & 8))
		long_mode(&rig.v[0], mode);
}

/* ---- what it does ---------------------------------------------------------------------- */

/* An argument: two small numbers, something known, or anything. */
static u64 word(struct input *in)
{
	static const u64 known[] = {ARGS,
				    SHARED,
				    INFO,
				    CONSOLE_GPA,
				    RIG_RAM - 8,
				    RIG_ROM,
				    TABLES,
				    BIT(57) | 0xf3,
				    SHARED >> 12,
				    INFO >> 12,
				    RIG_ROM >> 12,
				    RIG_MMIO >> 12,
				    (RIG_MMIO >> 12) + 1,
				    LAPIC_BASE_DEFAULT >> 12,
				    BIT(34),
				    BIT(40) - 1,
				    BIT(52) - 1,
				    ~0ULL};
	u8 how = (u8)take(in, 1);

	if (how >= 0xe0)
		return take(in, 8);
	if (how & 0x80)
		return known[how % ARRAY_LEN(known)];
	return (how & 0x40 ? (take(in, 1) & 0x3f) << 32 : 0) | (how & 0x3f);
}

static void words(struct input *in, u64 at, unsigned n)
{
	for (; n && at <= RIG_RAM - 8; n--, at += 8) {
		u64 val = word(in);

		memcpy(rig_ram + at, &val, 8);
	}
}

static void go(int what)
{
	struct hv_vcpu *v = &rig.v[0];
	struct hv_exit e;

	v->rip = CODE_AT;
	v->mp = X86_MP_RUNNING;
	memcpy(rig_ram + CODE_AT, what == STEP_VMCALL ? "\x0f\x01\xd9\xf4" : "\x0f\xa2\xf4", 4);
	rig.nsteps = rig.at = rig.nentries = 0;
	rig_step(what, 0, 0)->len = what == STEP_VMCALL ? 3 : 2;
	hv_vcpu_run(v, &e);
}

static void call(struct input *in)
{
	static const u8 nr[] = {XEN_MEMORY_OP,	    XEN_XEN_VERSION,   XEN_CONSOLE_IO,
				XEN_GRANT_TABLE_OP, XEN_VCPU_OP,       XEN_SCHED_OP,
				XEN_HVM_OP,	    XEN_VM_ASSIST,     XEN_EVENT_CHANNEL_OP,
				PV_KVM_HC_KICK_CPU, PV_KVM_HC_SEND_IPI};
	u64 *r = rig.v[0].gpr;
	u8 how = (u8)take(in, 1);

	r[X86_RAX] = how & 0x80 ? word(in) : nr[how % ARRAY_LEN(nr)];
	if (w.d.xen) {
		r[X86_RDI] = take(in, 1) % 40;
		r[X86_RSI] = how & 0x40 ? word(in) : ARGS;
		r[X86_RDX] = how & 0x40 ? word(in) : ARGS;
		if (r[X86_RAX] == XEN_VCPU_OP && !(how & 0x40))
			r[X86_RSI] = take(in, 1) & 3;
	} else {
		r[X86_RBX] = word(in);
		r[X86_RCX] = word(in);
		r[X86_RDX] = word(in);
		r[X86_RSI] = word(in);
	}
	words(in, ARGS, (unsigned)take(in, 1) & 7);
	go(STEP_VMCALL);
}

/* Bytes of the guest's where something of ours reads them, or anywhere. */
static void scribble(struct input *in)
{
	static const u64 at[] = {SHARED,
				 SHARED + offsetof(struct xen_shared_info, pending),
				 SHARED + offsetof(struct xen_shared_info, mask),
				 INFO,
				 CONSOLE_GPA + offsetof(struct xen_console, in_cons),
				 CONSOLE_GPA + offsetof(struct xen_console, out_cons),
				 TABLES,
				 TABLES + 4096};
	u8 how = (u8)take(in, 1);

	words(in, how & 0x80 ? take(in, 3) % RIG_RAM : at[how % ARRAY_LEN(at)], 1 + (how >> 4 & 3));
}

static void msr(struct input *in)
{
	static const u32 list[] = {XEN_MSR_PAGE,	PV_KVM_MSR_WALL,  PV_KVM_MSR_TIME,
				   PV_KVM_MSR_STEAL,	PV_KVM_MSR_EOI,	  PV_KVM_MSR_POLL,
				   PV_KVM_MSR_WALL_OLD, PV_KVM_MSR_ASYNC, MSR_X2APIC_FIRST + 0xb};
	u32 msr = list[take(in, 1) % ARRAY_LEN(list)];

	hv_msr_write(&rig.v[0], msr, word(in), false);
}

static void world(struct input *in)
{
	switch (take(in, 1) & 7) {
	case 0:
		if (w.d.xen)
			xen_console_input(w.d.xen);
		break;
	case 1:
		if (w.d.xen)
			xen_reset(w.d.xen);
		break;
	case 2:
		rig.v[0].gpr[X86_RAX] = XEN_LEAF + (take(in, 1) & 7);
		go(STEP_CPUID);
		break;
	case 3:
		rig.v[0].rflags ^= FL_IF;
		break;
	case 4:
		rig.steal += take(in, 2);
		break;
	default:
		fake_clock_advance(&w.time, take(in, 2) << 20);
		break;
	}
}

/* The domain's lock is free, and every port a virtual interrupt has is one of its kind. */
static void check(void)
{
	if (w.d.loop.depth || rig.vm.lock.word[0])
		abort();
	for (unsigned i = 0; w.d.xen && i < CPUS; i++)
		for (unsigned q = 0; q < XEN_VIRQS; q++) {
			unsigned p = w.d.xen->vcpu[i].virq_port[q];
			const struct xen_port *port = &w.d.xen->port[p];

			if (p && (p >= XEN_PORTS || port->kind != PORT_VIRQ || port->virq != q ||
				  port->vcpu != i))
				abort();
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	start((u8)take(&in, 1));
	for (unsigned i = 0; in.n && i < STEPS; i++) {
		switch (take(&in, 1) & 7) {
		case 0:
			scribble(&in);
			break;
		case 1:
			msr(&in);
			break;
		case 2:
			world(&in);
			break;
		default:
			call(&in);
			break;
		}
		check();
	}
	if (w.d.xen)
		xen_stats(w.d.xen);
	xen_destroy(w.d.xen);
	rig_fini();
	if (rig.pages)
		abort();
	return 0;
}
