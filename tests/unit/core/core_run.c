/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run loop, exits and events, the same on SVM and VMX: scripted stays in the
 * guest, and what the core makes of them.
 */
#include "tests/test.h"
#include "core/pv_kvm.h"
#include "tests/unit/core/rig.h"

static const struct vt_ops *const both[] = {&svm_ops, &vmx_ops};
static struct hv_exit e;
#define V (&rig.v[0])

/* Run a test on each; it uses CHECK itself. */
#define ON_BOTH(fn, pv)                                                                            \
	static void t_##fn(void)                                                                   \
	{                                                                                          \
		for (unsigned i = 0; i < 2; i++) {                                                 \
			CHECK(rig_init(both[i], 2, pv));                                           \
			test_state.why[0] = 0;                                                     \
			fn();                                                                      \
			if (test_state.why[0])                                                     \
				printf("# on %s\n", both[i]->name);                                \
			if (test_state.why[0])                                                     \
				return;                                                            \
			rig_fini();                                                                \
			CHECK_EQ(rig.pages, 0);                                                    \
		}                                                                                  \
	}

static unsigned event_vector(unsigned n)
{
	return rig.entry[n].event & BIT(31) ? rig.entry[n].event & 0xff : 0x1000;
}

static void cpuid_and_halt(void)
{
	V->gpr[X86_RAX] = 0x40000000;
	CODE(0x0f, 0xa2, 0xf4);
	rig_step(STEP_CPUID, 0, 0)->len = rig.intel ? 2 : 0;
	rig_step(STEP_HLT, 0, 0)->len = rig.intel;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->gpr[X86_RBX], 0x4b4d564b);
	CHECK_EQ(V->rip, 0x1003);
	CHECK_EQ(V->stats.exits[VT_EXIT_CPUID], 1);
	CHECK_EQ(V->mp, X86_MP_HALTED);
	CHECK(!hv_vcpu_ready(V));
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.nentries, 2);
}
ON_BOTH(cpuid_and_halt, HV_PV_KVM)

static void at_user(struct hv_vcpu *v)
{
	svm_vmcb(v)->cpl = 3;
}

/* 64-bit code: the first time the length is looked up, then the guest goes on at once. */
static void t_svm_answers_at_once(void)
{
	CHECK(rig_init(&svm_ops, 1, HV_PV_KVM));
	rig.vm.cfg.quick = true;
	V->st.efer = EFER_LMA | EFER_LME;
	V->st.seg[X86_CS].attr = SEG_L | 0x9b;
	V->dirty = HV_G_ALL;
	V->gpr[X86_RAX] = 0x40000000;
	CODE(0x0f, 0xa2, 0x0f, 0xa2, 0x0f, 0x01, 0xd9, 0xf4);
	rig_step(STEP_CPUID, 0, 0);
	rig_step(STEP_CPUID, 0, 0)->len = 2;
	rig_step(STEP_VMCALL, 0, 0)->len = 3;
	rig.step[2].also = at_user;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->stats.exits[VT_EXIT_CPUID], 2);
	CHECK_EQ(V->stats.exits[VT_EXIT_VMCALL], 1);
	CHECK_EQ(V->stats.entries, 4);
	CHECK_EQ(rig.leaves, 2); /* of those exits the first and the last came to the host */
	CHECK_EQ(rig.entry[3].rip, 0x1007);
	CHECK_EQ(V->gpr[X86_RAX], (u64)-1); /* EPERM */
	CHECK_EQ(V->rip, 0x1008);
	V->rip = 0x1000;
	V->mp = X86_MP_RUNNING;
	V->dirty |= HV_G_GPR;
	V->gpr[X86_RAX] = 0x40000000;
	rig.nsteps = rig.at = rig.leaves = 0;
	rig_step(STEP_CPUID, 0, 0); /* met before */
	rig_step(STEP_CPUID, 0, 0)->interrupted = 0x80000020;
	rig.step[1].len = 2;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.leaves, 2);
	CHECK_EQ(event_vector(6), 0x20); /* what the second one interrupted comes again */
	rig_fini();
}

static void ports(void)
{
	V->gpr[X86_RAX] = 0x1122334455667788;
	rig_step(STEP_IO, 0x3f8, 1)->len = 1;
	rig_step(STEP_IO, 0x64, 1)->in = true;
	rig.step[1].len = 2;
	rig_step(STEP_IO, 0xcfc, 4)->in = true;
	rig.step[2].len = 1;
	CODE(0xee, 0xe4, 0x64, 0xed, 0xf4);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK(rig.log[0].kind == 'o' && rig.log[0].val == 0x88 && rig.log[0].addr == 0x3f8);
	CHECK(rig.log[1].kind == 'i' && rig.log[1].addr == 0x64);
	CHECK_EQ(V->gpr[X86_RAX], 0x44332211);
	CHECK_EQ(rig.entry[3].rip, 0x1004);
}
ON_BOTH(ports, HV_PV_NONE)

static void string_ports(void)
{
	rig_step(STEP_IO, 0x60, 1)->string = true;
	CODE(0xf3, 0x6e, 0xf4);
	V->gpr[X86_RSI] = 0x3000;
	V->gpr[X86_RCX] = 3;
	V->gpr[X86_RDX] = 0x60;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.nlog, 3);
	CHECK_EQ(rig.entry[1].rip, 0x1002);
}
ON_BOTH(string_ports, HV_PV_NONE)

static void deferred_port(void)
{
	rig.defer = true;
	rig_step(STEP_IO, 0x60, 1)->in = true;
	rig.step[0].len = 1;
	CODE(0xec, 0xf4);
	V->gpr[X86_RAX] = 0xff00;
	CHECK_EQ(rig_run(&e), HV_EXIT_DEFER);
	CHECK_EQ(V->rip, 0x1000);
	/* An interrupt must not come between the access and its instruction. */
	V->rflags |= FL_IF;
	hv_vcpu_irq(V, true);
	hv_vcpu_answer(V, 0x42);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->gpr[X86_RAX], 0xff42);
	CHECK_EQ(rig.nlog, 1);
	CHECK_EQ(event_vector(1), 0x40);
	CHECK_EQ(rig.entry[1].rip, 0x1001);
	CHECK_EQ(V->stats.deferred, 1);
}
ON_BOTH(deferred_port, HV_PV_NONE)

static void memory_faults(void)
{
	/* RAM: mapped, and the instruction runs again by itself. */
	rig_step(STEP_NPF, 0x5000, 0);
	/* a device: emulated */
	rig_step(STEP_NPF, RIG_MMIO, 0);
	CODE(0x89, 0x03, 0xf4);
	V->gpr[X86_RBX] = RIG_MMIO;
	V->gpr[X86_RAX] = 7;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->stats.pages_mapped, 1);
	CHECK_EQ(rig.entry[1].rip, 0x1000);
	CHECK_EQ(rig.entry[2].rip, 0x1002);
	CHECK(rig.nlog == 1 && rig.log[0].kind == 'w' && rig.log[0].val == 7);
	CHECK_EQ(rig.vm.npt.pages[0] + rig.vm.npt.pages[1], 1);
}
ON_BOTH(memory_faults, HV_PV_NONE)

static void host_memory_fails(void)
{
	struct hv_slot s = {.id = 5, .gpa = MIB(16), .size = MIB(1), .pa = HV_PA_ASK};

	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	rig_step(STEP_NPF, MIB(16) + 0x3123, 0);
	rig.frame_err = -E_NOMEM;
	CHECK_EQ(rig_run(&e), HV_EXIT_MEMORY);
	CHECK_EQ(e.err, E_NOMEM);
	CHECK_EQ(e.addr, MIB(16) + 0x3123);
	CHECK_EQ(rig.frame_gpa, MIB(16) + 0x3000);
	rig.frame_err = 0;
	rig_step(STEP_NPF, MIB(16) + 0x3123, 0);
	rig_step(STEP_HLT, 0, 0)->len = 1;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
}
ON_BOTH(host_memory_fails, HV_PV_NONE)

static void interrupts(void)
{
	/* Not while IF is clear: a window is asked for; then delivered. */
	rig.vector = 0x55;
	hv_vcpu_irq(V, true);
	rig_step(STEP_WINDOW, 0, 0);
	CHECK(!(V->rflags & FL_IF));
	rig.step[0].also = NULL;
	rig_step(STEP_INTR, 0, 0);
	V->rflags |= FL_IF;
	V->sti_shadow = true;
	V->dirty |= HV_G_INTSHADOW;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(0), 0x1000);
	CHECK(rig.entry[0].window);
	CHECK(rig.entry[0].shadow & 1);
	CHECK_EQ(event_vector(1), 0x55);
	CHECK(!rig.entry[1].window);
	CHECK_EQ(event_vector(2), 0x1000);
	CHECK_EQ(V->stats.injected, 1);
}
ON_BOTH(interrupts, HV_PV_NONE)

static void cut_short_delivery(void)
{
	/* A nested fault while vector 41h is delivered: it is delivered again. */
	struct rig_step *s = rig_step(STEP_NPF, 0x7000, 0);

	s->interrupted = 0x41 | BIT(31);
	rig_step(STEP_NPF, 0x7000, 0)->interrupted = 0x10 | 4 << 8 | BIT(31); /* INT 10h: not */
	rig_step(STEP_NPF, 0x7000, 0)->interrupted =
		0xe | 3 << 8 | BIT(11) | BIT(31) | (rig.intel ? 0 : 6ULL << 32);
	rig.vmcs[VMCS_IDT_ERROR] = 6;
	rig_step(STEP_NPF, 0x7000, 0)->interrupted = 2 | 2 << 8 | BIT(31);
	V->rflags |= FL_IF;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(1), 0x41);
	CHECK_EQ(event_vector(2), 0x1000);
	CHECK_EQ(event_vector(3), 14);
	CHECK_EQ(bits_get(rig.entry[3].event, 8, 4), 0xb);
	CHECK_EQ(event_vector(4), 2);
}
ON_BOTH(cut_short_delivery, HV_PV_NONE)

static void mask_nmis(struct hv_vcpu *v)
{
	/* The handler's IRET: SVM exits, VMX's processor clears it by itself. */
}

static void nmi(void)
{
	hv_vcpu_nmi(V);
	rig_step(STEP_INTR, 0, 0)->also = mask_nmis;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(0), 2);
	CHECK_EQ(bits_get(rig.entry[0].event, 8, 3), 2);
	if (!rig.intel) {
		CHECK(V->nmi_masked);
		hv_vcpu_nmi(V);
		CHECK(!hv_vcpu_ready(V));
		V->mp = X86_MP_RUNNING;
		rig.nsteps = rig.at = 0;
		rig_step(STEP_CODE, 0x74, 0); /* IRET */
		CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
		CHECK_EQ(event_vector(rig.nentries - 1), 2);
	}
}
ON_BOTH(nmi, HV_PV_NONE)

static void exceptions(void)
{
	rig_step(STEP_EXC, 17, 0); /* #AC goes back in */
	rig_step(STEP_EXC, 1, 0);
	rig_step(STEP_EXC, 6, 0);  /* #UD of something */
	rig_step(STEP_EXC, 18, 0); /* machine checks are the host's */
	rig_step(STEP_EXC, 14, 7); /* not asked for, but known */
	CODE(0x0f, 0x0b, 0x90);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(1), 17);
	CHECK_EQ(event_vector(2), 1);
	CHECK_EQ(event_vector(3), 6);
	CHECK_EQ(event_vector(4), 0x1000);
	CHECK_EQ(event_vector(5), 14);
}
ON_BOTH(exceptions, HV_PV_NONE)

static void hypercalls(void)
{
	V->gpr[X86_RAX] = 100;
	CODE(0x0f, 0x01, 0xd9, 0xf4);
	rig_step(STEP_VMCALL, 0, 0)->len = rig.intel ? 3 : 0;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->gpr[X86_RAX], (u32)-PV_KVM_ENOSYS);
	CHECK_EQ(V->rip, 0x1004);
	CHECK_EQ(V->stats.hypercalls, 1);
	/* The other vendor's instruction is #UD, and a hypercall nevertheless. */
	V->mp = X86_MP_RUNNING;
	V->rip = 0x1000;
	V->gpr[X86_RAX] = PV_KVM_HC_VAPIC_POLL_IRQ;
	rig.nsteps = rig.at = 0;
	rig_step(STEP_EXC, 6, 0);
	CODE(0x0f, 0x01, rig.intel ? 0xd9 : 0xc1, 0xf4);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->gpr[X86_RAX], 0);
	CHECK_EQ(V->rip, 0x1004);
}
ON_BOTH(hypercalls, HV_PV_KVM)

static void msrs(void)
{
	CODE(0x0f, 0x32, 0x0f, 0x30, 0x0f, 0x32, 0xf4);
	V->gpr[X86_RCX] = 0x277;
	rig_step(STEP_MSR, 0, 0)->in = true;
	rig.step[0].len = 2;
	rig_step(STEP_MSR, 0, 0)->len = 2;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->gpr[X86_RAX], (u32)PAT_RESET);
	CHECK_EQ(V->gpr[X86_RDX], PAT_RESET >> 32);
	V->mp = X86_MP_RUNNING;
	V->gpr[X86_RCX] = 0x12345;
	rig.nsteps = rig.at = 0;
	rig_step(STEP_MSR, 0, 0)->in = true;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(rig.nentries - 1), 13);
}
ON_BOTH(msrs, HV_PV_NONE)

static void xsetbv(void)
{
	CODE(0x0f, 0x01, 0xd1, 0xf4);
	V->gpr[X86_RAX] = 7;
	V->gpr[X86_RDX] = 0;
	rig_step(STEP_CODE, rig.intel ? 55 : 0x8d, 0)->len = 3;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->xcr0, 7);
	static const u32 bad[] = {0, 4 | 1, 0x27, 1 << 9 | 1};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		V->mp = X86_MP_RUNNING;
		V->gpr[X86_RAX] = bad[i];
		rig.nsteps = rig.at = 0;
		rig_step(STEP_CODE, rig.intel ? 55 : 0x8d, 0)->len = 3;
		CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
		CHECK_EQ(event_vector(rig.nentries - 1), 13);
		CHECK_EQ(V->xcr0, 7);
	}
}
ON_BOTH(xsetbv, HV_PV_NONE)

static void other_exits(void)
{
	static const u16 ud[2][4] = {{0x80, 0x82, 0x8a, 0x86}, {19, 27, 36, 50}};
	static const u16 one[2][6] = {{0x7f, 0x7d, 0x77, 0x6f, 0x76, 0x63}, {2, 9, 40, 15, 13, 3}};

	for (unsigned i = 0; i < 4; i++)
		rig_step(STEP_CODE, ud[rig.intel][i], 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	for (unsigned i = 1; i <= 4; i++)
		CHECK_EQ(event_vector(i), 6);
	CODE(0x90, 0x0f, 0x08, 0xf4);
	V->rip = 0x1000;
	V->mp = X86_MP_RUNNING;
	rig.nsteps = rig.at = 0;
	rig_step(STEP_CODE, one[rig.intel][0], 0);
	rig_step(STEP_CODE, one[rig.intel][1], 0);
	rig_step(STEP_CODE, one[rig.intel][2], 0)->len = 1;
	rig_step(STEP_CODE, one[rig.intel][5], 0);
	rig_step(STEP_CODE, one[rig.intel][4], 0)->len = 2;
	rig_step(STEP_CODE, one[rig.intel][3], 0)->len = 2;
	CHECK_EQ(rig_run(&e), HV_EXIT_SHUTDOWN);
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
	CHECK(strstr(e.reason, "task switch"));
	CHECK_EQ(rig_run(&e), HV_EXIT_YIELD);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(rig.nentries - 1), 13);
	/* Codes nobody knows. */
	V->mp = X86_MP_RUNNING;
	rig.nsteps = rig.at = 0;
	rig_step(STEP_CODE, rig.intel ? 77 : 0x99, 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
	CHECK_EQ(e.hw_code, rig.intel ? 77 : 0x99);
	rig_step(STEP_CODE, rig.intel ? BIT(31) | 33 : ~0ULL, 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
}
ON_BOTH(other_exits, HV_PV_NONE)

static void control_registers(void)
{
	/* mov cr8, eax; mov eax, cr8; and VMX's masked CR0 and CR4. */
	V->gpr[X86_RAX] = 5;
	V->tsc_base = 3;
	V->tsc_adjust = 4;
	if (rig.intel) {
		rig_step(STEP_CODE, 28, 8)->len = 4;
		rig_step(STEP_CODE, 28, 8 | 1 << 4 | 3 << 8)->len = 4;
		rig_step(STEP_CODE, 28, 0 | 1 << 8)->len = 3;
		rig_step(STEP_CODE, 28, 4 | 1 << 8)->len = 3;
		V->gpr[X86_RCX] = CR0_PE | CR0_NE | CR0_ET;
	} else {
		V->st.efer = EFER_LMA;
		V->st.seg[X86_CS].attr = 0xa09b;
		hv_touch(V, HV_G_SEG | HV_G_CR);
		/* and mov cr4, ecx: what it may not set is a fault, not a processor that refuses */
		CODE(0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3, 0x0f, 0x22, 0xe1, 0xf4);
		rig_step(STEP_CODE, 0x18, 0);
		rig_step(STEP_CODE, 0x08, 0);
		rig_step(STEP_CODE, 0x14, 0);
		V->gpr[X86_RCX] = CR4_PAE | CR4_SMEP;
		CHECK(svm_vmcb(V)->cr_write & 1 << 4);
	}
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.cr8, 5);
	if (rig.intel) {
		CHECK_EQ(rig.vmcs[VMCS_TSC_OFFSET], V->vm->tsc_offset + 7);
		CHECK_EQ(V->gpr[X86_RBX], 5);
		CHECK_EQ(rig.vmcs[VMCS_CR0_SHADOW], CR0_PE | CR0_NE | CR0_ET);
		CHECK_EQ(rig.vmcs[VMCS_GUEST_CR4], (CR0_PE | CR0_NE | CR0_ET) | CR4_VMXE);
	}
}
ON_BOTH(control_registers, HV_PV_NONE)

static void control_register_rules(void)
{
	u64 pg = CR0_PG | CR0_PE | CR0_ET;

	CHECK(!hv_cr_write(V, 8, 16));
	CHECK(!hv_cr_write(V, 0, CR0_PG));
	CHECK(!hv_cr_write(V, 0, CR0_NW | CR0_PE));
	CHECK(!hv_cr_write(V, 0, BIT(40)));
	CHECK(!hv_cr_write(V, 4, CR4_VMXE));
	CHECK(!hv_cr_write(V, 4, BIT(40)));
	CHECK(!hv_cr_write(V, 4, CR4_LA57)); /* there in the processor, not in CPUID */
	CHECK(!hv_cr_write(V, 4, CR4_PCIDE));
	CHECK(hv_cr_write(V, 4, CR4_SMEP | 1 << 11 | 0x7ff) && hv_cr_write(V, 4, 0));
	CHECK(!hv_cr_write(V, 5, 0));
	V->st.efer = EFER_LME;
	CHECK(!hv_cr_write(V, 0, pg)); /* long mode without PAE */
	CHECK(hv_cr_write(V, 4, CR4_PAE));
	CHECK(hv_cr_write(V, 0, pg));
	CHECK(V->st.efer & EFER_LMA);
	CHECK(!hv_cr_write(V, 4, 0));
	V->st.cr3 = 1;
	CHECK(!hv_cr_write(V, 4, CR4_PAE | CR4_PCIDE));
	V->st.cr3 = 0x1000;
	CHECK(hv_cr_write(V, 4, CR4_PAE | CR4_PCIDE));
	CHECK(hv_cr_write(V, 4, CR4_PAE));
	CHECK(hv_cr_write(V, 0, CR0_PE));
	CHECK(!(V->st.efer & EFER_LMA));
	V->st.cr2 = 2;
	V->st.cr3 = 3;
	CHECK(hv_cr_read(V, 2) == 2 && hv_cr_read(V, 3) == 3 && hv_cr_read(V, 4) == CR4_PAE);
	CHECK(hv_cr_read(V, 0) == (CR0_PE | CR0_ET) && !hv_cr_read(V, 7));
}
ON_BOTH(control_register_rules, HV_PV_NONE)

static void debug_registers(void)
{
	rig_step(STEP_CODE, rig.intel ? 29 : 0x37, 0)->len = 3;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK(V->dr_live);
	CHECK_EQ(rig.entry[1].rip, 0x1000); /* it does it itself now */
	if (!rig.intel)
		CHECK_EQ(svm_vmcb(V)->dr_write, 0);
	hv_vcpu_put(V);
	CHECK(!V->dr_live);
	CHECK_EQ(V->st.dr[0], 0x1234);
}
ON_BOTH(debug_registers, HV_PV_NONE)

static void kicks(void)
{
	hv_vcpu_kick(V);
	CHECK(hv_vcpu_ready(V));
	CHECK_EQ(rig_run(&e), HV_EXIT_KICK);
	CHECK_EQ(rig.nentries, 0);
	rig.deny_enter = true;
	CHECK_EQ(rig_run(&e), HV_EXIT_KICK);
	rig.deny_enter = false;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
}
ON_BOTH(kicks, HV_PV_NONE)

static void second_cpu(void)
{
	struct hv_vcpu *ap = &rig.v[1];

	CHECK_EQ(ap->mp, X86_MP_WAIT_SIPI);
	CHECK(!hv_vcpu_ready(ap));
	hv_vcpu_irq(ap, true);
	CHECK(!hv_vcpu_ready(ap));
	hv_vcpu_irq(ap, false);
	hv_vcpu_sipi(ap, 0x9a);
	CHECK(hv_vcpu_ready(ap));
	rig_ram[0x9a000] = 0xf4;
	hv_vcpu_run(ap, &e);
	CHECK_EQ(e.kind, HV_EXIT_HALT);
	CHECK_EQ(rig.nentries, 1);
	CHECK_EQ(rig.entry[0].rip, 0);
	CHECK_EQ(ap->rip, 1);
	CHECK_EQ(ap->st.seg[X86_CS].base, 0x9a000);
	/* The first one runs here now: the other's registers were put. */
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK(ap->cpu == -1);
	hv_vcpu_init_signal(ap);
	hv_vcpu_run(ap, &e);
	CHECK_EQ(ap->mp, X86_MP_WAIT_SIPI);
	CHECK_EQ(ap->rip, 0xfff0);
	hv_vcpu_init_signal(V);
	rig.nentries = 0;
	rig_step(STEP_CODE, rig.intel ? 2 : 0x7f, 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_SHUTDOWN);
	CHECK_EQ(rig.entry[0].rip, 0xfff0);
}
ON_BOTH(second_cpu, HV_PV_NONE)

static void no_controllers_below(void)
{
	/* Interrupt controllers elsewhere: windows for the host. */
	hv_vcpu_want_window(V, true);
	rig_step(STEP_WINDOW, 0, 0);
	CHECK(!hv_vcpu_can_inject(V));
	CHECK_EQ(hv_vcpu_queue_irq(V, 0x30), (u64)-E_BUSY);
	V->rflags |= FL_IF;
	CHECK_EQ(rig_run(&e), HV_EXIT_WINDOW);
	CHECK_EQ(hv_vcpu_queue_irq(V, 0x30), 0);
	hv_vcpu_want_window(V, false);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(0), 0x30);
	hv_vcpu_queue_exc(V, 13, true, 8);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(event_vector(rig.nentries - 1), 13);
}
ON_BOTH(no_controllers_below, HV_PV_NONE)

static void tags_run_out(void)
{
	/* More vCPU switches than address-space tags: all start anew. */
	for (unsigned i = 0; i < 20; i++) {
		V->mp = X86_MP_RUNNING;
		V->rip = 0x1000;
		V->asid_gen = 0;
		rig.nentries = 0;
		CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
		CHECK(V->asid != 0);
	}
	CHECK(rig.intel || rig.cpu.asid_gen > 2);
}
ON_BOTH(tags_run_out, HV_PV_NONE)

static void stepping(void)
{
	struct vcpu_debug d = {.step = true};
	struct vcpu_debug hw = {.nbreaks = 1};

	CHECK_EQ(hv_vcpu_debug(V, &hw), (u64)-E_NOTSUP);
	CHECK_EQ(hv_vcpu_debug(V, &d), 0);
	CODE(0x0f, 0xa2, 0x90, 0xcc);
	rig_step(STEP_CPUID, 0, 0)->len = 2; /* the core's own step */
	rig_step(STEP_EXC, 1, 0);
	rig_step(STEP_EXC, 3, 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_DEBUG);
	CHECK_EQ(e.addr, 0x1002);
	CHECK_EQ(rig_run(&e), HV_EXIT_DEBUG);
	CHECK_EQ(e.vector, 1);
	CHECK(rig.entry[1].rflags & FL_TF);
	CHECK(!(V->rflags & FL_TF));
	CHECK_EQ(rig_run(&e), HV_EXIT_DEBUG);
	CHECK_EQ(e.vector, 3);
	CHECK_EQ(hv_vcpu_debug(V, NULL), 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK(!(rig.entry[rig.nentries - 1].rflags & FL_TF));
}
ON_BOTH(stepping, HV_PV_NONE)

static void impossible_emulation(void)
{
	rig_step(STEP_NPF, RIG_MMIO, 0)->interrupted = 0x41 | BIT(31);
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
	CHECK(strstr(e.reason, "event is delivered"));
	CODE(0x0f, 0xc7, 0x0b); /* cmpxchg8b */
	rig_step(STEP_NPF, RIG_MMIO, 0);
	V->event.valid = false;
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
	CHECK(strstr(e.reason, "cmpxchg8b"));
}
ON_BOTH(impossible_emulation, HV_PV_NONE)

static void t_names(void)
{
	CHECK(!strcmp(hv_exit_name(VT_EXIT_NPF), "npf"));
	CHECK(!strcmp(hv_exit_name(VT_EXIT_KINDS), "?"));
}

int main(void)
{
	RUN(t_cpuid_and_halt);
	RUN(t_svm_answers_at_once);
	RUN(t_ports);
	RUN(t_string_ports);
	RUN(t_deferred_port);
	RUN(t_memory_faults);
	RUN(t_host_memory_fails);
	RUN(t_interrupts);
	RUN(t_cut_short_delivery);
	RUN(t_nmi);
	RUN(t_exceptions);
	RUN(t_hypercalls);
	RUN(t_msrs);
	RUN(t_xsetbv);
	RUN(t_other_exits);
	RUN(t_control_registers);
	RUN(t_control_register_rules);
	RUN(t_debug_registers);
	RUN(t_kicks);
	RUN(t_second_cpu);
	RUN(t_no_controllers_below);
	RUN(t_tags_run_out);
	RUN(t_stepping);
	RUN(t_impossible_emulation);
	RUN(t_names);
	return test_done();
}
