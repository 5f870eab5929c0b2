/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPUID and MSRs (engine/jit/x86/cpuid.c, msr.c, pv.c) are consistent. */
#include "tests/test.h"
#include "engine/jit/engine_state.h"
#include "tests/unit/jit/sys_cpu.h"

enum { EAX, EBX, ECX, EDX };

static void t_topology(void)
{
	static const unsigned sizes[] = {1, 2, 3, 4, 64};

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct sys_cpu *t = sys_cpu_create(sizes[i]);
		u32 o[4];

		t->c->index = sizes[i] - 1;
		x86_cpuid(t->c, 1, 0, o);
		CHECK_EQ(o[EBX] >> 24, sizes[i] - 1);
		CHECK_EQ(o[EBX] >> 16 & 0xff, sizes[i]);
		x86_cpuid(t->c, 0xb, 1, o);
		CHECK_EQ(o[EBX], sizes[i]);
		CHECK((1u << o[EAX]) >= sizes[i]);
		CHECK_EQ(o[EDX], sizes[i] - 1);
		x86_cpuid(t->c, 0xb, 2, o);
		CHECK_EQ(o[EBX], 0);
		CHECK_EQ(o[ECX], 2);
		if (t->host.amd) {
			x86_cpuid(t->c, 0x80000008, 0, o);
			CHECK_EQ((o[ECX] & 0xff) + 1, sizes[i]);
		}
		sys_cpu_destroy(t);
	}
}

static void t_offered(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_vcpu *c = t->c;

	CHECK(x86_has(c, 1, 0, ECX, 31)); /* hypervisor */
	CHECK(x86_has(c, 1, 0, ECX, 21)); /* x2APIC */
	CHECK(x86_has(c, 1, 0, ECX, 24)); /* TSC deadline */
	CHECK(x86_has(c, 1, 0, ECX, 17)); /* PCID */
	CHECK(x86_has(c, 7, 0, EBX, 7));  /* SMEP */
	CHECK(x86_has(c, 7, 0, EBX, 20)); /* SMAP */
	CHECK(x86_has(c, 0x80000001, 0, EDX, 29));
	CHECK(x86_has(c, 0x80000007, 0, EDX, 8));
	CHECK(!x86_has(c, 1, 0, ECX, 3));   /* MONITOR */
	CHECK(!x86_has(c, 7, 0, EBX, 11));  /* RTM */
	CHECK(x86_has(c, 7, 0, ECX, 3));    /* PKU */
	CHECK(x86_has(c, 7, 0, ECX, 31));   /* PKS */
	CHECK(!x86_has(c, 7, 0, ECX, 7));   /* CET */
	CHECK(!x86_has(c, 7, 0, ECX, 16));  /* LA57 */
	CHECK(!x86_has(c, 7, 0, EDX, 24));  /* AMX */
	CHECK(!x86_has(c, 0xd, 1, EAX, 3)); /* XSAVES */
	sys_cpu_destroy(t);
}

static void t_dynamic_bits(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_vcpu *c = t->c;
	u32 o[4];

	CHECK(!x86_has(c, 1, 0, ECX, 27));
	c->cr4 |= CR4_OSXSAVE;
	CHECK(x86_has(c, 1, 0, ECX, 27));
	CHECK(x86_has(c, 1, 0, EDX, 9));
	c->apic_base &= ~BIT(11);
	CHECK(!x86_has(c, 1, 0, EDX, 9));
	x86_cpuid(c, 0xd, 0, o);
	CHECK_EQ(o[EBX], 576);
	CHECK(!x86_has(c, 7, 0, ECX, 4));
	c->cr4 |= CR4_PKE;
	CHECK(x86_has(c, 7, 0, ECX, 4)); /* OSPKE */
	c->xcr0 = x86_xcr0_allowed(&t->vm);
	x86_cpuid(c, 0xd, 0, o);
	CHECK_EQ(o[EBX], o[ECX]);
	CHECK_EQ(o[ECX], t->vm.xsave_size);
	CHECK(t->vm.xsave_size <= X86_XSAVE_MAX);
	x86_cpuid(c, 0xd, 9, o); /* PKRU */
	CHECK_EQ(o[EAX], 8);
	CHECK_EQ(o[EBX] + o[EAX], t->vm.xsave_size);
	sys_cpu_destroy(t);
}

static void t_hypervisor_leaf(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	u32 o[4];

	x86_cpuid(t->c, 0x40000000, 0, o);
	CHECK(!memcmp(&o[1], "KVMKVMKVM\0\0\0", 12));
	x86_cpuid(t->c, 0x40000010, 0, o);
	CHECK_EQ(o[EAX], 2000000);
	sys_cpu_destroy(t);
}

static void t_kvmclock(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	u64 tsc, ns, mul;
	s8 shift;

	t->vm.wall_ns = 1700000000123456789;
	CHECK_EQ(x86_wrmsr(t->c, 0x4b564d01, 0x5001), 0);
	CHECK_EQ(*sys_d(t, 0x5000) & 1, 0);
	CHECK(*sys_d(t, 0x5000) != 0);
	tsc = *sys_q(t, 0x5008);
	ns = *sys_q(t, 0x5010);
	mul = *sys_d(t, 0x5018);
	shift = (s8)t->ram[0x501c];
	CHECK_EQ(t->ram[0x501d], 1); /* stable */
	/* 2 GHz: half a nanosecond a tick. */
	CHECK_EQ((shift < 0 ? 2000000000ULL >> -shift : 2000000000ULL << shift) * mul >> 32,
		 1000000000);
	/* Another vCPU's page, later: the same time at the same TSC, to the nanosecond. */
	CHECK_EQ(x86_wrmsr(t->c, 0x4b564d01, 0x7001), 0);
	CHECK_EQ(*sys_q(t, 0x7008), tsc);
	CHECK_EQ(*sys_q(t, 0x7010), ns);
	CHECK(shift < 0 ? (mul >> -shift) <= BIT(31) : true);
	CHECK_EQ(x86_wrmsr(t->c, 0x4b564d00, 0x6000), 0);
	CHECK_EQ(*sys_d(t, 0x6004), 1700000000);
	CHECK_EQ(*sys_d(t, 0x6008), 123456789);
	/* Pages that are not there are no one's harm. */
	CHECK_EQ(x86_wrmsr(t->c, 0x4b564d01, 0x7ffffffff001), 0);
	sys_cpu_destroy(t);
}

static void t_msr_checks(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_vcpu *c = t->c;
	u64 v, a;

	CHECK_EQ(x86_wrmsr(c, 0xc0000082, 0x800000000000), -1); /* LSTAR not canonical */
	CHECK_EQ(c->exc.vector, X86_GP);
	CHECK_EQ(x86_wrmsr(c, 0xc0000082, 0xffff800000000000), 0);
	CHECK_EQ(x86_rdmsr(c, 0xc0000082, &v), 0);
	CHECK_EQ(v, 0xffff800000000000);
	CHECK_EQ(x86_wrmsr(c, 0x277, 0x0202020202020202), -1); /* PAT type 2 */
	CHECK_EQ(x86_wrmsr(c, 0xc0000080, BIT(1)), -1);	       /* EFER reserved */
	c->exc.pending = false;
	if (t->host.amd) { /* Linux calls it a firmware bug otherwise */
		CHECK_EQ(x86_rdmsr(c, 0xc0010015, &v), 0);
		CHECK(v & BIT(24));
	}
	CHECK_EQ(x86_rdmsr(c, 0x12345678, &v), -1);
	CHECK_EQ(x86_wrmsr(c, 0xfe, 0), -1); /* MTRRCAP is read only */
	CHECK(!x86_has(c, 7, 0, EDX, 28));   /* L1D_FLUSH: no IA32_FLUSH_CMD without it */
	CHECK_EQ(x86_wrmsr(c, 0x10b, 0), -1);
	CHECK_EQ(x86_wrmsr(c, 0x10b, 1), -1);
	/* TSC and TSC_ADJUST move together. */
	CHECK_EQ(x86_wrmsr(c, 0x3b, 1000000), 0);
	CHECK_EQ(x86_wrmsr(c, 0x10, 0), 0);
	CHECK_EQ(x86_rdmsr(c, 0x3b, &a), 0);
	CHECK((s64)a < 0);
	CHECK_EQ(x86_rdmsr(c, 0x10, &v), 0);
	CHECK(v < 1000000000);
	sys_cpu_destroy(t);
}

/* PKRU by its instructions and as a component of images, whatever the host has. */
static void t_pkru(void)
{
	static const u8 code[] = {0x0f, 0x01, 0xef, /* wrpkru */
				  0x0f, 0xc7, 0x24, /* xsavec [si] */
				  0x0f, 0xae, 0x2d, /* xrstor [di] */
				  0x0f, 0x01, 0xee, /* rdpkru */
				  0x0f, 0xae, 0x24 /* xsave [si] */};
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_vcpu *c = t->c;
	u32 o[4];

	x86_cpuid(c, 0xd, 9, o);
	memcpy(t->ram + 0x1000, code, sizeof(code));
	c->seg[X86_CS].base = 0;
	c->rip = 0x1000;
	c->cr4 |= CR4_OSXSAVE;
	c->xcr0 = x86_xcr0_allowed(&t->vm);
	x86_mode_update(c);
	CHECK_EQ(x86_interp_step(c), -1); /* CR4.PKE is off */
	CHECK_EQ(c->exc.vector, X86_UD);
	c->cr4 |= CR4_PKE;
	c->gpr[X86_RAX] = 0x55555554;
	c->gpr[X86_RDX] = 1;
	CHECK_EQ(x86_interp_step(c), -1);
	CHECK_EQ(c->exc.vector, X86_GP);
	c->gpr[X86_RDX] = 0;
	CHECK_EQ(x86_interp_step(c), 0);
	CHECK_EQ(c->pkru, 0x55555554);
	/* xsavec of PKRU alone: behind the header. */
	c->gpr[X86_RAX] = X86_XCR0_PKRU;
	c->gpr[X86_RSI] = 0x2000;
	CHECK_EQ(x86_interp_step(c), 0);
	CHECK_EQ(*sys_q(t, 0x2200), X86_XCR0_PKRU);
	CHECK_EQ(*sys_q(t, 0x2240), 0x55555554);
	/* xrstor of a standard image. */
	c->gpr[X86_RDI] = 0x4000;
	*sys_q(t, 0x4200) = X86_XCR0_PKRU;
	*sys_d(t, 0x4000 + o[EBX]) = 0x12;
	CHECK_EQ(x86_interp_step(c), 0);
	CHECK_EQ(x86_interp_step(c), 0);
	CHECK_EQ(c->gpr[X86_RAX], 0x12);
	c->gpr[X86_RAX] = X86_XCR0_PKRU;
	*sys_q(t, 0x2200) = 0;
	CHECK_EQ(x86_interp_step(c), 0);
	CHECK_EQ(*sys_q(t, 0x2200), X86_XCR0_PKRU);
	CHECK_EQ(*sys_d(t, 0x2000 + o[EBX]), 0x12);
	sys_cpu_destroy(t);
}

static struct sys_cpu *yielding;

static void count_yield(void)
{
	yielding->c->gpr[X86_RBX]++;
}

/* A spinning vCPU lets others run. */
static void t_pause_yields(void)
{
	struct sys_cpu *t = yielding = sys_cpu_create(2);

	t->ram[0x1000] = 0xf3;
	t->ram[0x1001] = 0x90;
	t->c->seg[X86_CS].base = 0;
	x86_mode_update(t->c);
	for (unsigned i = 0; i < 10 * X86_PAUSES; i++) {
		t->vm.yield = i ? count_yield : NULL;
		t->c->rip = 0x1000;
		CHECK_EQ(x86_interp_step(t->c), 0);
	}
	CHECK_EQ(t->c->gpr[X86_RBX], 9);
	sys_cpu_destroy(t);
}

/* A state carries PKRU in its image and IA32_PKRS among its MSRs. */
static void t_pkru_state(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_state *s = sys_zeroed(sizeof(*s));

	t->c->pkru = 0xabc;
	t->c->pkrs = 0xdef;
	CHECK_EQ(engine_jit_get_state(t->c, s), 0);
	x86_reset(t->c, false);
	CHECK_EQ(t->c->pkru, 0);
	CHECK_EQ(engine_jit_set_state(t->c, s), 0);
	CHECK_EQ(t->c->pkru, 0xabc);
	CHECK_EQ(t->c->pkrs, 0xdef);
	munmap(s, sizeof(*s));
	sys_cpu_destroy(t);
}

int main(void)
{
	RUN(t_topology);
	RUN(t_offered);
	RUN(t_dynamic_bits);
	RUN(t_hypervisor_leaf);
	RUN(t_kvmclock);
	RUN(t_msr_checks);
	RUN(t_pkru);
	RUN(t_pkru_state);
	RUN(t_pause_yields);
	return test_done();
}
