/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID, MSRs, KVM's paravirtual interface. */
#include "tests/test.h"
#include "core/pv_kvm.h"
#include "tests/unit/core/rig.h"

#define V (&rig.v[0])

static u32 out[4];

static void cpuid(u32 leaf, u32 sub)
{
	hv_cpuid(V, leaf, sub, out);
}

static void t_cpuid(void)
{
	CHECK(rig_init(&svm_ops, 2, HV_PV_KVM));
	cpuid(0, 0);
	CHECK_EQ(out[0], 0xd);
	CHECK(!memcmp(&out[1], "AuthcAMDenti", 12));
	cpuid(1, 0);
	CHECK(out[2] & BIT(31)); /* a hypervisor */
	CHECK(out[2] & BIT(21)); /* x2APIC, as configured */
	CHECK(!(out[2] & (BIT(5) | BIT(3) | BIT(24) | BIT(27))));
	CHECK_EQ(out[1] >> 24, 0);
	CHECK_EQ(out[1] >> 16 & 0xff, 2);
	V->st.cr4 |= CR4_OSXSAVE;
	cpuid(1, 0);
	CHECK(out[2] & BIT(27));
	cpuid(7, 0);
	CHECK(!(out[2] & (BIT(3) | BIT(16)))); /* no protection keys, no 5 levels */
	CHECK(out[1] & BIT(1));
	cpuid(0x80000001, 0);
	CHECK(!(out[2] & BIT(2))); /* no SVM */
	CHECK(out[3] & BIT(29));
	cpuid(0x80000007, 0);
	CHECK_EQ(out[3], 0x100);
	cpuid(0xb, 1);
	CHECK_EQ(out[0], 1);
	CHECK_EQ(out[2], 0x201);
	hv_cpuid(&rig.v[1], 0xb, 0, out);
	CHECK_EQ(out[3], 1);
	cpuid(0xd, 0);
	CHECK_EQ(out[0], 0xe7);
	CHECK_EQ(out[1], 576);
	V->xcr0 = 7;
	cpuid(0xd, 0);
	CHECK_EQ(out[1], 832);
	V->xcr0 = 0x27;
	cpuid(0xd, 0);
	CHECK_EQ(out[1], 1152);
	cpuid(0xd, 9);
	CHECK(!(out[0] | out[1] | out[2] | out[3]));
	cpuid(0x40000001, 0);
	CHECK_EQ(out[0], PV_KVM_FEATURES);
	cpuid(0x40000010, 0);
	CHECK_EQ(out[0], 2500000);
	cpuid(0x8000000a, 0);
	CHECK(!out[0]);
	cpuid(0x4fffffff, 0); /* the host's last word */
	CHECK_EQ(out[0], 77);
	rig_fini();
}

static void t_cpuid_by_the_host(void)
{
	static const struct hv_cpuid mine[] = {{.leaf = 0, .out = {7}},
					       {.leaf = 7, .indexed = true, .sub = 1, .out = {5}}};
	static struct hv_cpuid many[HV_MAX_CPUID];
	struct hv_vm_config cfg = {.ncpus = 1};

	CHECK(rig_init(&vmx_ops, 1, HV_PV_NONE));
	cpuid(0x40000000, 0);
	CHECK(!out[1]);
	CHECK_EQ(hv_cpuid_set(&rig.vm, mine, 2), 0);
	cpuid(0, 5);
	CHECK_EQ(out[0], 7);
	cpuid(7, 1);
	CHECK_EQ(out[0], 5);
	cpuid(7, 0);
	CHECK_EQ(out[0], 0);
	CHECK_EQ(hv_xcr0_allowed(&rig.vm), 1);
	CHECK_EQ(hv_cpuid_set(&rig.vm, many, HV_MAX_CPUID + 1), (u64)-E_2BIG);
	CHECK(hv_cpuid_supported(&cfg, many, HV_MAX_CPUID) > 20);
	CHECK_EQ(hv_cpuid_supported(&cfg, many, 4), 4);
	rig_fini();
}

static void t_msrs(void)
{
	u64 val;

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_msr_write(V, MSR_LSTAR, 0xffffffff81000000, false), 0);
	CHECK_EQ(hv_msr_write(V, MSR_LSTAR, BIT(60), false), (u64)-E_NOENT);
	CHECK_EQ(hv_msr_read(V, MSR_LSTAR, &val), 0);
	CHECK_EQ(val, 0xffffffff81000000);
	CHECK(V->dirty & HV_G_SYSCALL);
	CHECK_EQ(hv_msr_write(V, MSR_PAT, 0x0201, false), (u64)-E_NOENT);
	CHECK_EQ(hv_msr_write(V, MSR_TSC_AUX, BIT(33), false), (u64)-E_NOENT);
	CHECK_EQ(hv_msr_write(V, MSR_FS_BASE, 0x1234, false), 0);
	CHECK_EQ(V->st.seg[X86_FS].base, 0x1234);
	/* EFER: LMA is not writable, LME not while paging. */
	CHECK_EQ(hv_msr_write(V, MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA, false), 0);
	CHECK_EQ(V->st.efer, EFER_SCE | EFER_LME);
	CHECK_EQ(hv_msr_write(V, MSR_EFER, EFER_SVME, false), (u64)-E_NOENT);
	V->st.cr0 |= CR0_PG;
	CHECK_EQ(hv_msr_write(V, MSR_EFER, 0, false), (u64)-E_NOENT);
	CHECK_EQ(hv_msr_write(V, MSR_EFER, EFER_LME | EFER_LMA, true), 0);
	CHECK_EQ(V->st.efer, EFER_LME | EFER_LMA);
	/* What is only remembered, what is fixed, what is nobody's. */
	CHECK_EQ(hv_msr_write(V, 0x200, 0x1234, false), 0);
	CHECK(!hv_msr_read(V, 0x200, &val) && val == 0x1234);
	CHECK_EQ(hv_msr_write(V, 0xfe, 0, false), 0);
	CHECK(!hv_msr_read(V, 0xfe, &val) && val == 0x508);
	CHECK_EQ(hv_msr_write(V, 0x79, 1, false), 0);
	CHECK_EQ(hv_msr_read(V, 0xdead, &val), (u64)-E_NOENT);
	CHECK(!hv_msr_read(V, 0x1b, &val) && val == 0xfee00900);
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_TIME, 1, false), (u64)-E_NOENT);
	/* TSC and its adjustment move together. */
	CHECK(!hv_msr_read(V, MSR_TSC, &val) && val == 0);
	CHECK_EQ(hv_msr_write(V, MSR_TSC, 5000, false), 0);
	CHECK(!hv_msr_read(V, MSR_TSC_ADJUST, &val) && val == 5000);
	CHECK_EQ(hv_msr_write(V, MSR_TSC_ADJUST, 100, false), 0);
	CHECK_EQ(hv_vcpu_tsc(V, &val), 100);
	CHECK_EQ(val, 2500000);
	CHECK(hv_msr_count() > 40);
	CHECK_EQ(hv_msr_index(hv_msr_count()), 0);
	CHECK_EQ(hv_msr_index(hv_msr_count() - 1), 0xc001102a); /* the last of the last row */
	rig_fini();
}

static void t_clock(void)
{
	struct pvclock_time p;
	struct pvclock_wall w;
	u64 val;

	CHECK(rig_init(&svm_ops, 1, HV_PV_KVM));
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_WALL, 0x5000, false), 0);
	memcpy(&w, rig_ram + 0x5000, sizeof(w));
	CHECK_EQ(w.sec, 1700000000);
	CHECK_EQ(w.nsec, 123456789);
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_TIME, 0x5101, false), 0);
	memcpy(&p, rig_ram + 0x5100, sizeof(p));
	CHECK(!(p.version & 1));
	CHECK_EQ(p.flags, 1);
	/* 2.5 GHz: a second's worth of ticks is a second. */
	val = 2500000000ULL;
	val = p.shift < 0 ? val >> -p.shift : val << p.shift;
	CHECK((u64)((unsigned __int128)val * p.mul >> 32) - 999999990 < 20);
	/* A moved TSC is written down. */
	CHECK_EQ(hv_msr_write(V, MSR_TSC_ADJUST, 77, false), 0);
	memcpy(&p, rig_ram + 0x5100, sizeof(p));
	CHECK_EQ(p.tsc, 77);
	CHECK(!hv_msr_read(V, PV_KVM_MSR_TIME_OLD, &val) && val == 0x5101);
	CHECK_EQ(hv_pv_clock_stopped(V), 0);
	memcpy(&p, rig_ram + 0x5100, sizeof(p));
	CHECK_EQ(p.flags, PVCLOCK_STABLE | PVCLOCK_STOPPED);
	CHECK_EQ(p.tsc, 77);
	/* An address in no memory costs only the guest. */
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_TIME, RIG_MMIO | 1, false), 0);
	CHECK_EQ(hv_pv_clock_stopped(V), (u64)-E_INVAL);
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_TIME, 0x5100, false), 0);
	CHECK_EQ(hv_pv_clock_stopped(V), (u64)-E_INVAL);
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_ASYNC, 1, false), (u64)-E_NOENT);
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_POLL, 1, false), 0);
	rig_fini();
}

static void t_steal_and_flush(void)
{
	struct pv_kvm_steal *s = (void *)(rig_ram + 0x6000);
	struct hv_exit e;

	CHECK(rig_init(&svm_ops, 1, HV_PV_KVM));
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_STEAL, 0x6001, false), 0);
	rig.steal = 500;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(s->steal, 500);
	CHECK(s->version && !(s->version & 1));
	CHECK_EQ(s->preempted, PV_KVM_PREEMPTED);
	/* Another vCPU left a flush for us. */
	s->preempted |= PV_KVM_FLUSH_TLB;
	V->mp = X86_MP_RUNNING;
	V->stats.flushes = 0;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->stats.flushes, 1);
	V->mp = X86_MP_RUNNING;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(V->stats.flushes, 1);
	rig_fini();
}

static void clear_eoi(struct hv_vcpu *v)
{
	rig_ram[0x7000] = 0; /* the guest's handler is done */
}

static void t_eoi(void)
{
	struct hv_exit e;

	CHECK(rig_init(&svm_ops, 1, HV_PV_KVM));
	CHECK_EQ(hv_msr_write(V, PV_KVM_MSR_EOI, 0x7001, false), 0);
	V->rflags |= FL_IF;
	hv_vcpu_irq(V, true);
	rig_step(STEP_INTR, 0, 0)->also = clear_eoi;
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.eois, 1);
	/* Interrupted before that: the bit goes, the guest tells the APIC itself. */
	V->mp = X86_MP_RUNNING;
	V->rflags |= FL_IF;
	hv_vcpu_irq(V, true);
	rig_step(STEP_INTR, 0, 0);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(rig.eois, 1);
	CHECK_EQ(rig_ram[0x7000], 0);
	rig_fini();
}

static u64 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	V->gpr[X86_RAX] = nr;
	V->gpr[X86_RBX] = a0;
	V->gpr[X86_RCX] = a1;
	V->gpr[X86_RDX] = a2;
	V->gpr[X86_RSI] = a3;
	hv_pv_hypercall(V);
	return V->gpr[X86_RAX];
}

static void t_hypercalls(void)
{
	CHECK(rig_init(&svm_ops, 2, HV_PV_KVM));
	CHECK_EQ(call(PV_KVM_HC_SEND_IPI, 7, 1, 0, 0x40), 2);
	CHECK_EQ(rig.ipis, 4);
	CHECK_EQ(call(PV_KVM_HC_SCHED_YIELD, 1, 0, 0, 0), 0);
	rig.v[1].mp = X86_MP_HALTED;
	CHECK(!hv_vcpu_ready(&rig.v[1]));
	CHECK_EQ(call(PV_KVM_HC_KICK_CPU, 0, 1, 0, 0), 0);
	CHECK(hv_vcpu_ready(&rig.v[1]));
	CHECK_EQ(call(PV_KVM_HC_KICK_CPU, 0, 1000, 0, 0), 0);
	CHECK_EQ(call(4711, 0, 0, 0, 0), (u32)-PV_KVM_ENOSYS);
	V->st.cpl = 3;
	CHECK_EQ(call(PV_KVM_HC_SCHED_YIELD, 0, 0, 0, 0), (u32)-PV_KVM_EPERM);
	rig.ops.ipi = NULL;
	V->st.cpl = 0;
	CHECK_EQ(call(PV_KVM_HC_SEND_IPI, 1, 0, 0, 0), (u32)-PV_KVM_ENOSYS);
	rig_fini();
	/* Without KVM's leaves it is the machine's. */
	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	V->gpr[X86_RDI] = 3;
	CHECK_EQ(call(1, 4, 0, 0, 0), 7);
	rig_fini();
}

int main(void)
{
	RUN(t_cpuid);
	RUN(t_cpuid_by_the_host);
	RUN(t_msrs);
	RUN(t_clock);
	RUN(t_steal_and_flush);
	RUN(t_eoi);
	RUN(t_hypercalls);
	return test_done();
}
