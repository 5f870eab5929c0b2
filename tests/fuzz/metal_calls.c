/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the hypercalls of hull-metal's guests, Xen's and KVM's, and what they
 * lead to: event channels, grant frames, vCPU timers, clock, console ring, upcalls by
 * the local APIC. The input is a list of what a guest and its world do: a call with
 * its arguments in registers and memory, bytes written anywhere (the shared structures,
 * the page tables), an MSR, time that passes, input of the console, a reset.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/metal/xen_rig.h"

#define ARGS 0x6000u
#define SHARED 0x8000u
#define INFO 0x9000u
#define STEPS 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An argument: two small numbers, something known, or anything. */
static u64 word(struct input *in)
{
	static const u64 known[] = {ARGS,
				    SHARED,
				    INFO,
				    CONSOLE_GPA,
				    RIG_RAM - 8,
				    RIG_ROM,
				    XEN_RIG_TABLES,
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

static void call(struct input *in)
{
	static const u8 nr[] = {XEN_MEMORY_OP,	    XEN_XEN_VERSION,   XEN_CONSOLE_IO,
				XEN_GRANT_TABLE_OP, XEN_VCPU_OP,       XEN_SCHED_OP,
				XEN_HVM_OP,	    XEN_VM_ASSIST,     XEN_EVENT_CHANNEL_OP,
				PV_KVM_HC_KICK_CPU, PV_KVM_HC_SEND_IPI};
	u64 *r = rig.v[0].gpr;
	u8 how = (u8)take(in, 1);

	r[X86_RAX] = how & 0x80 ? word(in) : nr[how % ARRAY_LEN(nr)];
	if (xr.d.xen) {
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
	xen_rig_go(STEP_VMCALL);
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
				 XEN_RIG_TABLES,
				 XEN_RIG_TABLES + 4096};
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
		if (xr.d.xen)
			xen_console_input(xr.d.xen);
		break;
	case 1:
		if (xr.d.xen)
			xen_reset(xr.d.xen);
		break;
	case 2:
		rig.v[0].gpr[X86_RAX] = XEN_LEAF + (take(in, 1) & 7);
		xen_rig_go(STEP_CPUID);
		break;
	case 3:
		rig.v[0].rflags ^= FL_IF;
		break;
	case 4:
		rig.steal += take(in, 2);
		break;
	default:
		fake_clock_advance(&xr.time, take(in, 2) << 20);
		break;
	}
}

/* The domain's lock is free, and every port a virtual interrupt has is one of its kind. */
static void check(void)
{
	if (xr.d.loop.depth || rig.vm.lock.word[0])
		abort();
	for (unsigned i = 0; xr.d.xen && i < XEN_RIG_CPUS; i++)
		for (unsigned q = 0; q < XEN_VIRQS; q++) {
			unsigned p = xr.d.xen->vcpu[i].virq_port[q];
			const struct xen_port *port = &xr.d.xen->port[p];

			if (p && (p >= XEN_PORTS || port->kind != PORT_VIRQ || port->virq != q ||
				  port->vcpu != i))
				abort();
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	u8 mode = (u8)take(&in, 1);

	xen_rig_init(mode & 1 ? &vmx_ops : &svm_ops, mode & 2);
	if (!(mode & 8))
		xen_rig_long_mode(mode & 4);
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
	if (xr.d.xen)
		xen_stats(xr.d.xen);
	xen_rig_fini();
	if (rig.pages)
		abort();
	return 0;
}
