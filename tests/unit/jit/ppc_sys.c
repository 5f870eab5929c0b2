/* SPDX-License-Identifier: Apache-2.0 */
/* POWER's interrupts, registers, TLB instructions and processor hypercalls. */
#include "tests/unit/jit/ppc_rig.h"

#include "tests/test.h"

#define ILLEGAL_SPR 1000u

static void raise_and_deliver(struct ppc_vcpu *c, enum ppc_vector vec, u64 srr1)
{
	ppc_raise(c, vec, srr1);
	ppc_deliver(c);
}

static void t_delivery(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;
	u64 user = PPC_MSR_SF | PPC_MSR_EE | PPC_MSR_PR | PPC_MSR_IR | PPC_MSR_DR | PPC_MSR_ME |
		   PPC_MSR_FP | PPC_MSR_RI | PPC_MSR_LE;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = user;
	c->nip = 0x1000;
	raise_and_deliver(c, PPC_PROGRAM, PPC_PROGRAM_TRAP);
	CHECK_EQ(c->nip, 0x700); /* no AIL: real mode, big-endian by ILE = 0 */
	CHECK_EQ(c->msr, PPC_MSR_SF | PPC_MSR_ME);
	CHECK_EQ(c->srr0, 0x1000);
	CHECK_EQ(c->srr1, user | PPC_PROGRAM_TRAP);
	CHECK(!c->exc.pending);
	c->lpcr = 3ull << 23 | PPC_LPCR_ILE;
	c->msr = user;
	raise_and_deliver(c, PPC_DSI, 0);
	CHECK_EQ(c->nip, 0xc000000000004300);
	CHECK_EQ(c->msr, PPC_MSR_SF | PPC_MSR_ME | PPC_MSR_IR | PPC_MSR_DR | PPC_MSR_LE);
	c->msr = user & ~PPC_MSR_DR & ~PPC_MSR_PR; /* not both on: the fixed place */
	raise_and_deliver(c, PPC_DSI, 0);
	CHECK_EQ(c->nip, 0x300);
	c->msr = user;
	raise_and_deliver(c, PPC_MCHECK, 0);
	CHECK_EQ(c->nip, 0x200);
	/* scv: LR, CTR, EE and RI kept. */
	c->msr = user;
	c->nip = 0x2000;
	c->exc = (struct ppc_exc){.pending = true, .vector = PPC_SYSCALL_VECTORED, .lev = 2};
	ppc_deliver(c);
	CHECK_EQ(c->nip, 0xc000000000003040);
	CHECK_EQ(c->lr, 0x2000);
	CHECK_EQ(c->ctr, user);
	CHECK(c->msr & PPC_MSR_EE && c->msr & PPC_MSR_RI && !(c->msr & PPC_MSR_PR));
	/* Facility unavailable tells which. */
	c->exc = (struct ppc_exc){.pending = true, .vector = PPC_FACILITY, .lev = 2};
	ppc_deliver(c);
	CHECK_EQ(c->fscr >> 56, 2);
	ppc_rig_free(&r);
}

static void t_return(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->srr0 = 0x123456789abcdef3;
	c->srr1 = PPC_MSR_SF | PPC_MSR_PR | PPC_MSR_HV | PPC_MSR_ME | BIT(32) | 0x783f0000;
	c->msr = PPC_MSR_SF;
	CHECK_EQ(ppc_rfid(c), 0);
	CHECK_EQ(c->nip, 0x123456789abcdef0);
	CHECK_EQ(c->msr, PPC_MSR_SF | PPC_MSR_PR | PPC_MSR_EE | PPC_MSR_IR | PPC_MSR_DR);
	CHECK(c->rt.key & PPC_KEY_PR);
	CHECK(!c->rt.leave); /* the unit's end looks at the key */
	c->srr1 = 0;
	ppc_rfid(c);
	CHECK_EQ(c->nip, 0x9abcdef0); /* 32-bit mode */
	c->msr = PPC_MSR_SF | PPC_MSR_ME;
	ppc_rfid(c);
	CHECK_EQ(c->msr, PPC_MSR_ME);
	/* mtmsrd: LE, ME and HV cannot be reached; L = 1 changes EE and RI alone. */
	c->msr = PPC_MSR_SF;
	ppc_mtmsr(c, ~0ull & ~PPC_MSR_PR, 0, true);
	CHECK(!(c->msr & (PPC_MSR_LE | PPC_MSR_ME | PPC_MSR_HV)));
	CHECK(c->msr & PPC_MSR_FP && c->msr & PPC_MSR_VEC);
	c->msr = PPC_MSR_SF;
	ppc_mtmsr(c, ~0ull, 1, true);
	CHECK_EQ(c->msr, PPC_MSR_SF | PPC_MSR_EE | PPC_MSR_RI);
	ppc_mtmsr(c, 0, 0, false); /* mtmsr leaves the upper half */
	CHECK_EQ(c->msr, PPC_MSR_SF);
	ppc_rig_free(&r);
}

/* System calls from generated code: at once, but for hypercalls and steps. */
static void t_syscall(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = PPC_MSR_SF | PPC_MSR_PR | PPC_MSR_EE | PPC_MSR_IR | PPC_MSR_DR;
	c->nip = 0x10004;
	CHECK_EQ(ppc_sc(c, PPC_SYSCALL, 0), 0);
	CHECK_EQ(c->srr0, 0x10004);
	CHECK_EQ(c->nip & 0xfff, 0xc00);
	CHECK(!(c->rt.key & PPC_KEY_PR) && !c->exc.pending && !c->rt.leave);
	c->nip = 0x10008;
	CHECK_EQ(ppc_sc(c, PPC_SYSCALL_VECTORED, 3), 0);
	CHECK_EQ(c->lr, 0x10008);
	CHECK(!c->exc.pending);
	CHECK_EQ(ppc_sc(c, PPC_SYSCALL, 1), -1);
	CHECK(c->exc.pending && c->exc.lev == 1 && c->rt.leave);
	c->exc.pending = false;
	c->msr |= PPC_MSR_SE;
	ppc_mode_changed(c);
	CHECK_EQ(ppc_sc(c, PPC_SYSCALL, 0), -1);
	CHECK(c->exc.pending);
	ppc_rig_free(&r);
}

static void t_irq_and_decrementer(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;
	u64 val = 0;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	r.tb = 1000;
	CHECK_EQ(ppc_spr_write(c, 22, 512), 0);
	CHECK_EQ(r.timer_ns, 1001);
	CHECK_EQ(ppc_spr_read(c, 22, &val), 0);
	CHECK_EQ(val, 512);
	r.timer_ns = 0;
	ppc_spr_write(c, 22, 1024); /* later: the armed timer will do */
	CHECK_EQ(r.timer_ns, 0);
	CHECK(!ppc_dec_pending(c));
	r.tb = 2024;
	CHECK(ppc_dec_pending(c));
	c->msr = PPC_MSR_SF;
	c->nip = 0x4000;
	CHECK_EQ(ppc_run(c), PPC_RUN_KICK);
	CHECK_EQ(c->nip, 0x4000); /* EE is off */
	c->msr |= PPC_MSR_EE;
	ppc_run(c);
	CHECK_EQ(c->nip, 0x900);
	atomic_store(&c->irq_pin, true);
	c->msr |= PPC_MSR_EE;
	ppc_run(c);
	CHECK_EQ(c->nip, 0x500); /* before the decrementer */
	/* Negative at once. */
	atomic_store(&c->irq_pin, false);
	ppc_spr_write(c, 22, 0x7fffffff);
	CHECK(!ppc_dec_pending(c));
	ppc_spr_write(c, 22, 0xffffffff);
	CHECK(ppc_dec_pending(c));
	ppc_rig_free(&r);
}

/* A debugger's step is no trace interrupt of the guest's, and takes no other one. */
static void t_step(void)
{
	const struct vcpu_debug step = {.step = true};
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = PPC_MSR_SF | PPC_MSR_EE;
	ppc_debug_set(c, &step);
	CHECK(c->rt.key & PPC_KEY_STEP);
	atomic_store(&c->irq_pin, true);
	c->nip = 0x4000;
	ppc_run(c);
	CHECK_EQ(c->nip, 0x4000);
	ppc_raise(c, PPC_TRACE, 0);
	CHECK_EQ(ppc_unit_exit(c, IRRUN_LEFT), 1);
	CHECK(!c->exc.pending);
	CHECK_EQ(c->nip, 0x4000);
	ppc_debug_set(c, NULL);
	CHECK(!(c->rt.key & PPC_KEY_STEP));
	c->msr |= PPC_MSR_SE; /* the guest's own */
	ppc_raise(c, PPC_TRACE, 0);
	CHECK_EQ(ppc_unit_exit(c, IRRUN_LEFT), 0);
	CHECK_EQ(c->nip, 0xd00);
	ppc_rig_free(&r);
}

static void t_cede(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c, *o;

	ppc_rig_make(&r, 2);
	c = r.c[0];
	o = r.c[1];
	c->msr = PPC_MSR_SF;
	c->gpr[3] = 0xe0;
	ppc_hcall(c);
	CHECK_EQ(c->gpr[3], 0);
	CHECK(c->msr & PPC_MSR_EE);
	CHECK_EQ(ppc_run(c), PPC_RUN_HALT);
	o->gpr[3] = 0xe8; /* H_PROD of vCPU 0 */
	o->gpr[4] = 0;
	ppc_hcall(o);
	CHECK_EQ(o->gpr[3], 0);
	CHECK(atomic_load(&c->rt.kick));
	CHECK_EQ(ppc_run(c), PPC_RUN_KICK);
	CHECK(!c->halted);
	o->gpr[3] = 0xe8;
	o->gpr[4] = 2;
	ppc_hcall(o);
	CHECK_EQ(o->gpr[3], (u64)H_PARAMETER);
	c->gpr[3] = 0xe0;
	ppc_hcall(c);
	r.tb = 1ull << 40; /* the decrementer ends it */
	ppc_run(c);
	CHECK(!c->halted);
	ppc_rig_free(&r);
}

static void t_start_stop(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	atomic_store(&c->sys->stopped, true);
	CHECK_EQ(ppc_run(c), PPC_RUN_STOPPED);
	atomic_store(&c->sys->start_arg, 77);
	atomic_store(&c->sys->start_nip, 0x100);
	CHECK_EQ(ppc_run(c), PPC_RUN_KICK);
	CHECK_EQ(c->nip, 0x100);
	CHECK_EQ(c->gpr[3], 77);
	CHECK_EQ(c->msr, PPC_MSR_SF | PPC_MSR_ME);
	ppc_rig_free(&r);
}

static void t_spr_rights(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;
	u64 val = 99;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = PPC_MSR_SF;
	CHECK_EQ(ppc_spr_read(c, ILLEGAL_SPR, &val), 0); /* a no-op */
	CHECK_EQ(val, 99);
	CHECK_EQ(ppc_spr_read(c, 287, &val), 0);
	CHECK_EQ(val, PPC_PVR);
	CHECK_EQ(ppc_spr_write(c, 272 + 3, 42), 0);
	c->msr |= PPC_MSR_PR;
	CHECK_EQ(ppc_spr_read(c, 259, &val), 0); /* SPRG3 may be read */
	CHECK_EQ(val, 42);
	c->nip = 0x104;
	CHECK_EQ(ppc_spr_write(c, 259, 1), -1);
	CHECK_EQ(c->nip, 0x100);
	CHECK_EQ(c->exc.vector, PPC_HEAI);
	CHECK_EQ(ppc_spr_read(c, 275, &val), -1);
	CHECK_EQ(c->exc.vector, PPC_PROGRAM);
	CHECK_EQ(c->exc.srr1, PPC_PROGRAM_PRIV);
	/* DSCR only if FSCR lets. */
	CHECK_EQ(ppc_spr_read(c, 3, &val), -1);
	CHECK_EQ(c->exc.vector, PPC_FACILITY);
	CHECK_EQ(c->exc.lev, PPC_FAC_DSCR);
	c->fscr = BIT(PPC_FAC_DSCR);
	CHECK_EQ(ppc_spr_read(c, 3, &val), 0);
	/* UAMOR says what of AMR a program may change. */
	c->uamor = 0xff;
	c->amr = 0xabcd00;
	CHECK_EQ(ppc_spr_write(c, 13, ~0ull), 0);
	CHECK_EQ(c->amr, 0xabcdff);
	/* Every number, both ways, both states: an answer or an interrupt. */
	for (u32 n = 0; n < 1024; n++) {
		c->msr ^= PPC_MSR_PR;
		c->exc.pending = false;
		CHECK_EQ(ppc_spr_read(c, n, &val), c->exc.pending ? -1 : 0);
		c->exc.pending = false;
		CHECK_EQ(ppc_spr_write(c, n, n * 0x0101010101ull), c->exc.pending ? -1 : 0);
	}
	ppc_rig_free(&r);
}

static u32 x_form(unsigned xo, unsigned t, unsigned b, unsigned extra)
{
	return 31u << 26 | t << 21 | extra << 16 | b << 11 | xo << 1;
}

static void t_tlbie(void)
{
	struct ppc_rig r;
	struct ppc_rig_seen s;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 2);
	c = r.c[0];
	r.vm.radix = true;
	c->pidr = r.c[1]->pidr = 3;
	c->gpr[4] = 3ull << 32;
	c->gpr[5] = 0x12345000 | 5 << 5;		       /* one page of 64 KiB */
	CHECK_EQ(ppc_sys_insn(c, x_form(306, 4, 5, 3), 0), 0); /* tlbie, PRS, R */
	s = ppc_rig_look();
	CHECK_EQ(s.ranges, 1);
	CHECK_EQ(s.range_addr, 0x12340000);
	CHECK_EQ(s.range_bytes, KIB(64));
	CHECK_EQ(atomic_load(&r.sys[1].flush_want), 1);
	CHECK(atomic_load(&r.c[1]->rt.kick) & PPC_KICK_FLUSH);
	ppc_flush_serve(r.c[1]);
	CHECK_EQ(ppc_rig_look().flushes, 1);
	/* Another process' pages concern nobody. */
	r.c[1]->pidr = 4;
	c->gpr[4] = 9ull << 32;
	ppc_sys_insn(c, x_form(306, 4, 5, 3), 0);
	s = ppc_rig_look();
	CHECK_EQ(s.ranges + s.flushes, 0);
	CHECK_EQ(atomic_load(&r.sys[1].flush_want), 1);
	/* tlbiel stays here. */
	c->gpr[4] = 3ull << 32;
	ppc_sys_insn(c, x_form(274, 4, 5, 3), 0);
	CHECK_EQ(ppc_rig_look().ranges, 1);
	CHECK_EQ(atomic_load(&r.sys[1].flush_want), 1);
	/* A change of PIDR drops quadrant 0. */
	ppc_spr_write(c, 48, 8);
	s = ppc_rig_look();
	CHECK_EQ(s.range_addr, 0);
	CHECK_EQ(s.range_bytes, BIT(62));
	c->nip = 4;
	CHECK_EQ(ppc_sys_insn(c, 31u << 26 | 1022 << 1, 0), -1);
	CHECK_EQ(c->nip, 0);
	ppc_rig_free(&r);
}

static void t_slb(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	for (u64 i = 0; i < 4; i++) {
		c->gpr[4] = (i + 7) << 12 | (i & 1 ? BIT(7) : 0);
		c->gpr[5] = i << 28 | BIT(27) | i;
		CHECK_EQ(ppc_sys_insn(c, x_form(402, 4, 5, 0), 0), 0); /* slbmte */
	}
	c->gpr[5] = 2;
	ppc_sys_insn(c, x_form(915, 6, 5, 0), 0); /* slbmfee */
	CHECK_EQ(c->gpr[6], 2ull << 28 | BIT(27));
	ppc_sys_insn(c, x_form(851, 6, 5, 0), 0); /* slbmfev */
	CHECK_EQ(c->gpr[6], 9 << 12);
	c->gpr[5] = 2ull << 28 | 0x123;
	ppc_sys_insn(c, x_form(979, 6, 5, 0) | 1, 0); /* slbfee. */
	CHECK_EQ(c->gpr[6], 9 << 12);
	CHECK_EQ(c->cr[2], 1);
	ppc_sys_insn(c, x_form(434, 0, 5, 0), 0); /* slbie */
	CHECK(!ppc_slb_find(c, c->gpr[5]));
	ppc_sys_insn(c, x_form(498, 3, 0, 0), 0); /* slbia 3: class 1 */
	CHECK(ppc_slb_find(c, 0));
	CHECK(!ppc_slb_find(c, 1ull << 28));
	ppc_sys_insn(c, x_form(498, 0, 0, 0), 0); /* all but entry 0 */
	CHECK(ppc_slb_find(c, 0));
	c->gpr[5] = 0xfff | BIT(27); /* no such entry */
	CHECK_EQ(ppc_sys_insn(c, x_form(402, 4, 5, 0), 0), 0);
	ppc_sys_insn(c, x_form(915, 6, 5, 0), 0);
	CHECK_EQ(c->gpr[6], 0);
	ppc_rig_free(&r);
}

static u64 hcall(struct ppc_vcpu *c, u64 op, u64 a, u64 b, u64 d, u64 e)
{
	const u64 arg[] = {op, a, b, d, e};

	for (unsigned i = 0; i < 5; i++)
		c->gpr[3 + i] = arg[i];
	ppc_hcall(c);
	return c->gpr[3];
}

static void t_modes(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 2);
	c = r.c[0];
	CHECK_EQ(hcall(c, 0x31c, 1, 4, 0, 0), 0);
	CHECK_EQ(hcall(c, 0x31c, 3, 3, 0, 0), 0);
	CHECK_EQ(r.c[1]->lpcr, 3ull << 23 | PPC_LPCR_ILE);
	CHECK_EQ(hcall(c, 0x31c, 1, 3, 0, 0), (u64)H_UNSUPPORTED_FLAG);
	CHECK_EQ(hcall(c, 0x31c, 0, 3, 1, 0), (u64)H_P3);
	CHECK_EQ(hcall(c, 0x31c, 0, 9, 0, 0), (u64)H_P2);
	CHECK_EQ(hcall(c, 0x37c, 0x1c, 0x10000, 0, 4), 0);
	CHECK(r.vm.radix);
	CHECK_EQ(r.vm.proc_table, 0x10000);
	CHECK_EQ(r.vm.proc_entries, 4096);
	CHECK_EQ(hcall(c, 0x37c, 0x1c, 0x10001, 0, 4), (u64)H_P2);
	CHECK_EQ(hcall(c, 0x37c, 0x1c, 0x10000, 0, 25), (u64)H_P4);
	CHECK_EQ(hcall(c, 0x58, 0, 0, 0, 0), (u64)H_FUNCTION); /* the machine's */
	CHECK_EQ(r.papr_op, 0x58);
	/* From a problem-state program: refused. */
	c->msr |= PPC_MSR_PR;
	c->exc = (struct ppc_exc){.pending = true, .vector = PPC_SYSCALL, .lev = 1};
	c->gpr[3] = 0xe0;
	ppc_deliver(c);
	CHECK_EQ(c->gpr[3], (u64)H_PRIVILEGE);
	CHECK(!c->halted);
	ppc_rig_free(&r);
}

enum { VPA = 1, DTL = 2, SHADOW = 3, GONE = 4 }; /* H_REGISTER_VPA's functions */

static u64 area(struct ppc_vcpu *c, u64 what, u64 cpu, u64 addr)
{
	return hcall(c, 0xdc, what << 45, cpu, addr, 0);
}

static void t_shared_areas(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 2);
	c = r.c[0];
	ppc_rig_put(&r, 0x3000, 640ull << 16); /* size of a VPA: 2 bytes at 4 */
	CHECK_EQ(area(c, VPA, 1, 0x3000), 0);
	CHECK_EQ(r.sys[1].vpa, 0x3000);
	CHECK_EQ(area(c, VPA, 1, RIG_RAM), (u64)H_PARAMETER);
	CHECK_EQ(area(c, VPA, 64, 0x3000), (u64)H_PARAMETER);
	CHECK_EQ(area(c, VPA, 1, 0x3008), (u64)H_PARAMETER);
	CHECK_EQ(area(c, 0, 1, 0x3000), (u64)H_PARAMETER);
	ppc_rig_put(&r, 0x3000, 639ull << 16);
	CHECK_EQ(area(c, VPA, 1, 0x3000), (u64)H_PARAMETER);
	CHECK_EQ(area(c, VPA | GONE, 1, 0), 0);
	CHECK_EQ(r.sys[1].vpa, 0);
	/* To the end of a page, and over it. */
	ppc_rig_put(&r, 0x3d80, 640ull << 16);
	CHECK_EQ(area(c, VPA, 1, 0x3d80), 0);
	ppc_rig_put(&r, 0x3dc0, 640ull << 16);
	CHECK_EQ(area(c, VPA, 1, 0x3dc0), (u64)H_PARAMETER);
	ppc_rig_put(&r, 0x4000, 47); /* of the others: 4 bytes at 4 */
	CHECK_EQ(area(c, SHADOW, 1, 0x4000), 0);
	CHECK_EQ(area(c, DTL, 1, 0x4000), (u64)H_PARAMETER);
	ppc_rig_put(&r, 0x4000, 8192);
	CHECK_EQ(area(c, SHADOW, 1, 0x4000), (u64)H_PARAMETER);
	CHECK_EQ(area(c, DTL, 1, 0x4000), 0); /* a log may be longer than a page */
	ppc_rig_put(&r, RIG_RAM - 4096, 8192);
	CHECK_EQ(area(c, DTL, 1, RIG_RAM - 4096), (u64)H_PARAMETER);
	ppc_rig_free(&r);
}

static void t_dispatches(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	ppc_rig_put(&r, 0x3000, 640ull << 16);
	ppc_rig_put(&r, 0x3100, 6ull << 32 | 0x1234);
	CHECK_EQ(area(c, VPA, 0, 0x3000), 0);
	hcall(c, 0xe0, 0, 0, 0, 0);
	CHECK_EQ(ppc_run(c), PPC_RUN_HALT);
	CHECK_EQ(ppc_rig_get(&r, 0x3100), 7ull << 32 | 0x1234);
	atomic_store(&c->sys->prodded, true);
	ppc_run(c);
	CHECK_EQ(ppc_rig_get(&r, 0x3100), 8ull << 32 | 0x1234);
	CHECK_EQ(area(c, VPA | GONE, 0, 0), 0);
	hcall(c, 0xe0, 0, 0, 0, 0);
	CHECK_EQ(ppc_rig_get(&r, 0x3100), 8ull << 32 | 0x1234);
	ppc_rig_free(&r);
}

int main(void)
{
	RUN(t_delivery);
	RUN(t_return);
	RUN(t_syscall);
	RUN(t_irq_and_decrementer);
	RUN(t_step);
	RUN(t_cede);
	RUN(t_start_stop);
	RUN(t_spr_rights);
	RUN(t_tlbie);
	RUN(t_slb);
	RUN(t_modes);
	RUN(t_shared_areas);
	RUN(t_dispatches);
	return test_done();
}
