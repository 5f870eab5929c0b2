/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "tests/unit/metal/xen_rig.h"

#define ARGS 0x6000u
#define SHARED 0x8000u

static s64 call(u64 nr, u64 a, u64 b, u64 c)
{
	u64 *r = rig.v[0].gpr;

	r[X86_RAX] = nr;
	r[X86_RDI] = a;
	r[X86_RSI] = b;
	r[X86_RDX] = c;
	xen_rig_go(STEP_VMCALL);
	return (s64)r[X86_RAX];
}

static u32 arg(unsigned n)
{
	u32 val;

	memcpy(&val, rig_ram + ARGS + n * 4, 4);
	return val;
}

static s64 event(u64 op, u32 w0, u32 w1)
{
	const u32 w[3] = {w0, w1};

	memcpy(rig_ram + ARGS, w, sizeof(w));
	return call(XEN_EVENT_CHANNEL_OP, op, ARGS, 0);
}

/* A physmap space's page idx at gpa. */
static s64 place(u32 space, u64 idx, u64 gpa)
{
	const u64 m[3] = {(u64)space << 32, idx, gpa >> 12};

	memcpy(rig_ram + ARGS, m, sizeof(m));
	return call(XEN_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, ARGS, 0);
}

static s64 info_at(unsigned cpu, u64 gpa)
{
	const u64 r[2] = {gpa >> 12, gpa & 0xfff};

	memcpy(rig_ram + ARGS, r, sizeof(r));
	return call(XEN_VCPU_OP, VCPUOP_REGISTER_INFO, cpu, ARGS);
}

static struct xen_shared_info *shared(void)
{
	return (struct xen_shared_info *)(rig_ram + SHARED);
}

static struct xen_console *ring(void)
{
	return (struct xen_console *)(rig_ram + CONSOLE_GPA);
}

static void begin(void)
{
	xen_rig_init(&svm_ops, true);
	xen_rig_long_mode(false);
	place(XENMAPSPACE_SHARED_INFO, 0, SHARED);
}

static void t_bound_ports_stay(void)
{
	CHECK_EQ(event(EVTCHNOP_BIND_VIRQ, VIRQ_TIMER, 0), 0);
	CHECK_EQ(arg(2), 2); /* port 1 is the console */
	CHECK_EQ(event(EVTCHNOP_BIND_IPI, 1, 0), 0);
	CHECK_EQ(arg(1), 3);
	CHECK_EQ(event(EVTCHNOP_BIND_VIRQ, VIRQ_TIMER, 0), -E_EXIST);
	CHECK_EQ(event(EVTCHNOP_BIND_VCPU, 2, 1), -E_INVAL);
	CHECK_EQ(event(EVTCHNOP_BIND_VCPU, 3, 0), -E_INVAL);
	CHECK_EQ(event(EVTCHNOP_BIND_VCPU, CONSOLE_PORT, 1), 0);
	CHECK_EQ(event(EVTCHNOP_BIND_VCPU, CONSOLE_PORT, XEN_RIG_CPUS), -E_NOENT);
	CHECK_EQ(event(EVTCHNOP_CLOSE, 2, 0), 0);
	CHECK_EQ(xr.d.xen->vcpu[0].virq_port[VIRQ_TIMER], 0);
}

static void t_timer_calls(void)
{
	const u64 at[2] = {5000};

	event(EVTCHNOP_BIND_VIRQ, VIRQ_TIMER, 0);
	event(EVTCHNOP_UNMASK, 2, 0);
	memcpy(rig_ram + ARGS, at, sizeof(at));
	CHECK_EQ(call(XEN_VCPU_OP, VCPUOP_SET_SINGLESHOT, 0, ARGS), 0);
	fake_clock_advance(&xr.time, 4999);
	CHECK_EQ(shared()->pending[0], 0);
	fake_clock_advance(&xr.time, 1);
	CHECK_EQ(shared()->pending[0], 1 << 2);
	CHECK_EQ(shared()->vcpu[0].upcall_pending, 1);
	CHECK_EQ(shared()->vcpu[0].pending_sel, 1);
}

/* What was there moves along, also where the two structures overlap. */
static void t_info_moves(void)
{
	struct xen_vcpu_info *v = &shared()->vcpu[0];

	v->cr2 = 0x1234;
	v->arch_pad = 0x5678;
	CHECK(v->time.mul);
	CHECK_EQ(info_at(0, SHARED + 8), 0);
	CHECK_EQ(((struct xen_vcpu_info *)(rig_ram + SHARED + 8))->cr2, 0x1234);
	CHECK_EQ(((struct xen_vcpu_info *)(rig_ram + SHARED + 8))->arch_pad, 0x5678);
	CHECK_EQ(info_at(0, SHARED + 4096 - 8), -E_INVAL);
	CHECK_EQ(info_at(0, RIG_MMIO), -E_INVAL);
	CHECK_EQ(info_at(XEN_RIG_CPUS, SHARED), -E_NOENT);
}

static void t_console_ring(void)
{
	ring()->out[2047] = 1;
	ring()->out[0] = 2;
	ring()->out_cons = 2047;
	ring()->out_prod = 2049;
	CHECK_EQ(event(EVTCHNOP_SEND, CONSOLE_PORT, 0), 0);
	CHECK_EQ(xr.seen, 3);
	CHECK_EQ(ring()->out_cons, 2049);
	ring()->out_prod = 2049 + 2049; /* more than it holds */
	CHECK_EQ(event(EVTCHNOP_SEND, CONSOLE_PORT, 0), 0);
	CHECK_EQ(xr.seen, 3);
	CHECK_EQ(ring()->out_cons, 4098);
}

/* Outside of RAM and of devices, a page each; xen_rig_fini gives them back. */
static void t_grant_frames(void)
{
	struct npt_walk n;

	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, 0, RIG_MMIO), 0);
	CHECK(npt_lookup(&rig.vm.npt, RIG_MMIO, &n));
	CHECK_EQ(n.prot & NPT_RWX, NPT_READ | NPT_WRITE);
	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, 0, RIG_MMIO), 0);
	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, 0, RIG_MMIO + 4096), -E_BUSY);
	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, 1, LAPIC_BASE_DEFAULT), -E_INVAL);
	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, XEN_GRANT_FRAMES, RIG_MMIO), -E_INVAL);
	CHECK_EQ(place(XENMAPSPACE_GRANT_TABLE, 1, BIT(46)), -E_INVAL);
	xen_reset(xr.d.xen);
	CHECK(!npt_lookup(&rig.vm.npt, RIG_MMIO, &n));
}

static void t_who_may_call(void)
{
	CHECK_EQ(call(XEN_XEN_VERSION, XENVER_VERSION, 0, 0), XEN_VERSION);
	CHECK_EQ(call(XEN_HYPERCALLS, 0, 0, 0), -E_NOSYS);
	CHECK_EQ(call(1ULL << 40, 0, 0, 0), -E_NOSYS);
	CHECK_EQ(call(XEN_XEN_VERSION, XENVER_GET_FEATURES, RIG_RAM * 2, 0), -E_FAULT);
	xen_rig_long_mode(true);
	CHECK_EQ(call(XEN_XEN_VERSION, XENVER_VERSION, 0, 0), -E_PERM);
}

/* One test in a world of its own, which has to end without a page lost. */
static void in_world(void (*t)(void))
{
	begin();
	t();
	xen_rig_fini();
	if (rig.pages && !test_state.why[0])
		snprintf(test_state.why, sizeof(test_state.why), "%u pages are lost", rig.pages);
}

#define WORLD(name)                                                                                \
	static void w_##name(void)                                                                 \
	{                                                                                          \
		in_world(t_##name);                                                                \
	}
WORLD(bound_ports_stay)
WORLD(timer_calls)
WORLD(info_moves)
WORLD(console_ring)
WORLD(grant_frames)
WORLD(who_may_call)

int main(void)
{
	RUN(w_bound_ports_stay);
	RUN(w_timer_calls);
	RUN(w_info_moves);
	RUN(w_console_ring);
	RUN(w_grant_frames);
	RUN(w_who_may_call);
	return test_done();
}
