/* SPDX-License-Identifier: Apache-2.0 */
/* Segmentation, gates, events and task switches (engine/jit/x86/seg*.c, exc.c), called directly. */
#include "base/endian.h"
#include "tests/test.h"
#include "tests/unit/jit/sys_cpu.h"

#define GDT 0x1000u
#define IDT 0x2000u
#define TSS 0x3000u
#define TSS2 0x3200u
#define STACK0 0x8000u
#define STACK3 0xa000u

/* Selectors. */
enum {
	CODE0 = 0x08,
	DATA0 = 0x10,
	CODE3 = 0x1b,
	DATA3 = 0x23,
	TSSSEL = 0x28,
	TSS2SEL = 0x30,
	DOWN = 0x38,
	RO = 0x40,
	ABSENT = 0x48,
	GATE = 0x53,
	CONF = 0x58
};

static u64 desc(u32 base, u32 limit, u32 attr)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(attr & 0xf0ff) << 40 |
	       (u64)(limit >> 16 & 15) << 48 | (u64)(base >> 24) << 56;
}

static u64 gate(u16 sel, u32 off, u32 type, u32 dpl)
{
	return (off & 0xffff) | (u64)sel << 16 | (u64)(type | dpl << 5 | 0x80) << 40 |
	       (u64)(off >> 16) << 48;
}

#define FLAT (SEG_P | SEG_S | SEG_RW | SEG_G | SEG_DB)

static void set_gdt(struct sys_cpu *t, unsigned sel, u64 d)
{
	*sys_q(t, GDT + (sel & ~7u)) = d;
}

static struct sys_cpu *protected_mode(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_vcpu *c = t->c;

	set_gdt(t, CODE0, desc(0, 0xfffff, FLAT | SEG_CODE));
	set_gdt(t, DATA0, desc(0, 0xfffff, FLAT));
	set_gdt(t, CODE3, desc(0, 0xfffff, FLAT | SEG_CODE | 0x60));
	set_gdt(t, DATA3, desc(0, 0xfffff, FLAT | 0x60));
	set_gdt(t, TSSSEL, desc(TSS, 0x67, SEG_P | DESC_TSS32));
	set_gdt(t, TSS2SEL, desc(TSS2, 0x67, SEG_P | DESC_TSS32));
	set_gdt(t, DOWN, desc(0, 0xfff, SEG_P | SEG_S | SEG_RW | SEG_EC | SEG_DB));
	set_gdt(t, RO, desc(0, 0xfff, SEG_P | SEG_S));
	set_gdt(t, ABSENT, desc(0, 0xfff, SEG_S | SEG_RW));
	set_gdt(t, GATE, gate(CODE0, 0x5000, DESC_CALL32, 3));
	set_gdt(t, CONF, desc(0, 0xfffff, FLAT | SEG_CODE | SEG_EC));
	c->gdtr = (struct x86_dtr){.base = GDT, .limit = 0x5f};
	c->idtr = (struct x86_dtr){.base = IDT, .limit = 0x7ff};
	*sys_d(t, TSS + 4) = STACK0;
	*sys_d(t, TSS + 8) = DATA0;
	c->cr0 = CR0_PE | CR0_ET;
	x86_set_flat_cs_ss(c, CODE0, DATA0, 0, false);
	if (x86_ltr(c, TSSSEL) || x86_load_seg(c, X86_DS, DATA0) || x86_load_seg(c, X86_ES, DATA0))
		abort();
	c->gpr[X86_RSP] = STACK0 - 0x100;
	c->rip = 0x4000;
	return t;
}

static void ring3(struct sys_cpu *t)
{
	x86_set_flat_cs_ss(t->c, CODE3, DATA3, 3, false);
	if (x86_load_seg(t->c, X86_DS, DATA3) || x86_load_seg(t->c, X86_ES, DATA3))
		abort();
	t->c->gpr[X86_RSP] = STACK3;
}

/* vector << 16 | error, or 0. */
static u32 raised(struct sys_cpu *t, int r)
{
	u32 v = r ? (u32)t->c->exc.vector << 16 | t->c->exc.error : 0;

	t->c->exc.pending = false;
	return v;
}
#define EXC(vec, err) ((u32)(vec) << 16 | (err))

static void t_load_checks(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, 0x60)), EXC(X86_GP, 0x60)); /* past the limit */
	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, ABSENT)), EXC(X86_NP, ABSENT));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_SS, ABSENT)), EXC(X86_SS_EXC, ABSENT));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_SS, 0)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_SS, RO)), EXC(X86_GP, RO));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_SS, DATA3)), EXC(X86_GP, DATA3 & ~3));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, TSSSEL)), EXC(X86_GP, TSSSEL));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, 4)), EXC(X86_GP, 4)); /* no LDT */
	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, DATA0)), 0);
	CHECK_EQ(*sys_q(t, GDT + DATA0) >> 40 & 1, 1); /* accessed */
	CHECK_EQ(raised(t, x86_load_seg(c, X86_ES, 3)), 0);
	CHECK(c->seg[X86_ES].attr & X86_SEG_UNUSABLE);
	ring3(t);
	CHECK_EQ(raised(t, x86_load_seg(c, X86_DS, DATA0)), EXC(X86_GP, DATA0));
	sys_cpu_destroy(t);
}

static void t_linear(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;
	u64 lin;

	CHECK_EQ(raised(t, x86_load_seg(c, X86_ES, RO)), 0);
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0xffc, 4, X86_READ, &lin)), 0);
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0xffd, 4, X86_READ, &lin)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0, 4, X86_WRITE, &lin)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_linear(c, X86_CS, 0, 4, X86_WRITE, &lin)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_ES, DOWN)), 0);
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0xfff, 1, X86_READ, &lin)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0x1000, 4, X86_WRITE, &lin)), 0);
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0xfffffffd, 4, X86_READ, &lin)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_load_seg(c, X86_ES, 0)), 0);
	CHECK_EQ(raised(t, x86_linear(c, X86_ES, 0, 1, X86_READ, &lin)), EXC(X86_GP, 0));
	c->seg[X86_SS].limit = 0xff;
	CHECK_EQ(raised(t, x86_linear(c, X86_SS, 0xfe, 4, X86_READ, &lin)), EXC(X86_SS_EXC, 0));
	/* 64-bit mode: canonical checks. */
	c->efer = EFER_LME | EFER_LMA;
	x86_set_flat_cs_ss(c, CODE0, DATA0, 0, true);
	CHECK_EQ(raised(t, x86_linear(c, X86_DS, 0x7ffffffffff9, 8, X86_READ, &lin)),
		 EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_linear(c, X86_SS, 0x800000000000, 8, X86_READ, &lin)),
		 EXC(X86_SS_EXC, 0));
	CHECK_EQ(raised(t, x86_linear(c, X86_DS, 0xffff800000000000, 8, X86_READ, &lin)), 0);
	sys_cpu_destroy(t);
}

static void t_lar_lsl(void)
{
	struct sys_cpu *t = protected_mode();
	u32 v;
	bool ok;

	CHECK_EQ(x86_lar_lsl(t->c, DATA0, true, &v, &ok), 0);
	CHECK(ok && v == 0xffffffff);
	CHECK_EQ(x86_lar_lsl(t->c, RO, false, &v, &ok), 0);
	CHECK(ok);
	CHECK_EQ(v & 0xff00, 0x9000);
	CHECK_EQ(x86_lar_lsl(t->c, GATE, true, &v, &ok), 0);
	CHECK(!ok); /* LSL of a gate */
	CHECK_EQ(x86_lar_lsl(t->c, GATE, false, &v, &ok), 0);
	CHECK(ok);
	CHECK_EQ(x86_lar_lsl(t->c, 0x1000, false, &v, &ok), 0);
	CHECK(!ok);
	CHECK_EQ(x86_verr_verw(t->c, RO, true, &ok), 0);
	CHECK(!ok);
	CHECK_EQ(x86_verr_verw(t->c, RO, false, &ok), 0);
	CHECK(ok);
	ring3(t);
	CHECK_EQ(x86_verr_verw(t->c, DATA0, false, &ok), 0);
	CHECK(!ok);
	sys_cpu_destroy(t);
}

static void t_event_same_level(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;
	u64 sp = c->gpr[X86_RSP];

	*sys_q(t, IDT + 14 * 8) = gate(CODE0, 0x6000, DESC_INT32, 0);
	c->rflags |= RF_IF | RF_TF;
	CHECK_EQ(raised(t, x86_event(c, X86_PF, EVENT_HW, true, 6, c->rip)), 0);
	CHECK_EQ(c->rip, 0x6000);
	CHECK_EQ(c->gpr[X86_RSP], sp - 16);
	CHECK_EQ(*sys_d(t, sp - 16), 6);
	CHECK_EQ(*sys_d(t, sp - 12), 0x4000);
	CHECK_EQ(*sys_d(t, sp - 8), CODE0);
	CHECK_EQ(*sys_d(t, sp - 4), RF_FIXED | RF_IF | RF_TF | RF_RF);
	CHECK_EQ(c->rflags & (RF_IF | RF_TF), 0);
	/* And back. */
	c->gpr[X86_RSP] += 4;
	CHECK_EQ(raised(t, x86_iret(c, 4, 0)), 0);
	CHECK_EQ(c->rip, 0x4000);
	CHECK_EQ(c->gpr[X86_RSP], sp);
	CHECK_EQ(c->rflags & (RF_IF | RF_TF), RF_IF | RF_TF);
	sys_cpu_destroy(t);
}

static void t_event_from_ring3(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	*sys_q(t, IDT + 0x80 * 8) = gate(CODE0, 0x6000, DESC_TRAP32, 3);
	*sys_q(t, IDT + 0x81 * 8) = gate(CODE0, 0x6000, DESC_TRAP32, 0);
	*sys_q(t, IDT + 0x82 * 8) = gate(CODE0, 0x6000, DESC_TRAP32, 3) & ~(0x80ULL << 40);
	ring3(t);
	CHECK_EQ(raised(t, x86_event(c, 0x81, EVENT_SOFT, false, 0, c->rip)),
		 EXC(X86_GP, 0x81 * 8 + 2));
	CHECK_EQ(raised(t, x86_event(c, 0x81, EVENT_HW, false, 0, c->rip)), 0);
	ring3(t);
	CHECK_EQ(raised(t, x86_event(c, 0x82, EVENT_HW, false, 0, c->rip)),
		 EXC(X86_NP, 0x82 * 8 + 3));
	CHECK_EQ(raised(t, x86_event(c, 0x80, EVENT_SOFT, false, 0, 0x4444)), 0);
	CHECK_EQ(c->cpl, 0);
	CHECK_EQ(c->seg[X86_SS].sel, DATA0);
	CHECK_EQ(c->gpr[X86_RSP], STACK0 - 20);
	CHECK_EQ(*sys_d(t, STACK0 - 4), DATA3);
	CHECK_EQ(*sys_d(t, STACK0 - 8), STACK3);
	CHECK_EQ(*sys_d(t, STACK0 - 20), 0x4444);
	CHECK_EQ(raised(t, x86_iret(c, 4, 0)), 0);
	CHECK_EQ(c->cpl, 3);
	CHECK_EQ(c->gpr[X86_RSP], STACK3);
	CHECK_EQ(c->seg[X86_SS].sel, DATA3);
	/* A ring 0 stack selector that is no stack: #TS with EXT for a hardware event. */
	*sys_d(t, TSS + 8) = CODE0;
	CHECK_EQ(raised(t, x86_event(c, 0x80, EVENT_HW, false, 0, c->rip)), EXC(X86_TS, CODE0 | 1));
	sys_cpu_destroy(t);
}

static void t_double_and_triple(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	/* #GP with a not-present #GP gate: #NP on the way is contributory, so #DF. */
	*sys_q(t, IDT + 8 * 8) = gate(CODE0, 0x7000, DESC_INT32, 0);
	x86_raise_err(c, X86_GP, 0);
	x86_deliver_exception(c);
	CHECK_EQ(c->rip, 0x7000);
	CHECK(!c->shutdown);
	*sys_q(t, IDT + 8 * 8) = 0;
	x86_raise_err(c, X86_GP, 0);
	x86_deliver_exception(c);
	CHECK(c->shutdown);
	sys_cpu_destroy(t);
}

static void t_call_gate(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	set_gdt(t, GATE, gate(CODE0, 0x5000, DESC_CALL32, 3) | 2ULL << 32); /* two parameters */
	ring3(t);
	*sys_d(t, STACK3) = 0x1111;
	*sys_d(t, STACK3 + 4) = 0x2222;
	CHECK_EQ(raised(t, x86_far_jmp(c, GATE, 0, 4, 0x4007)), EXC(X86_GP, CODE0));
	CHECK_EQ(raised(t, x86_far_call(c, GATE, 0, 4, 0x4007)), 0);
	CHECK_EQ(c->cpl, 0);
	CHECK_EQ(c->rip, 0x5000);
	CHECK_EQ(c->gpr[X86_RSP], STACK0 - 24);
	CHECK_EQ(*sys_d(t, STACK0 - 24), 0x4007);
	CHECK_EQ(*sys_d(t, STACK0 - 20), CODE3);
	CHECK_EQ(*sys_d(t, STACK0 - 16), 0x1111);
	CHECK_EQ(*sys_d(t, STACK0 - 12), 0x2222);
	CHECK_EQ(*sys_d(t, STACK0 - 8), STACK3);
	/* retf 8 releases the parameters on both stacks and drops inner segments. */
	CHECK_EQ(raised(t, x86_load_seg(c, X86_ES, DATA0)), 0);
	CHECK_EQ(raised(t, x86_far_ret(c, 4, 8)), 0);
	CHECK_EQ(c->cpl, 3);
	CHECK_EQ(c->rip, 0x4007);
	CHECK_EQ(c->gpr[X86_RSP], STACK3 + 8);
	CHECK(c->seg[X86_ES].attr & X86_SEG_UNUSABLE);
	CHECK(!(c->seg[X86_DS].attr & X86_SEG_UNUSABLE));
	sys_cpu_destroy(t);
}

static void t_far_checks(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	CHECK_EQ(raised(t, x86_far_jmp(c, 0, 0, 4, 0)), EXC(X86_GP, 0));
	CHECK_EQ(raised(t, x86_far_jmp(c, DATA0, 0, 4, 0)), EXC(X86_GP, DATA0));
	CHECK_EQ(raised(t, x86_far_jmp(c, CODE3, 0, 4, 0)), EXC(X86_GP, CODE3 & ~3));
	CHECK_EQ(raised(t, x86_far_jmp(c, CONF, 0x123, 4, 0)), 0);
	CHECK_EQ(c->rip, 0x123);
	ring3(t);
	CHECK_EQ(raised(t, x86_far_jmp(c, CONF, 0x123, 4, 0)), 0); /* conforming: level stays */
	CHECK_EQ(c->cpl, 3);
	CHECK_EQ(c->seg[X86_CS].sel & 3, 3);
	sys_cpu_destroy(t);
}

static void t_task_switch(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;

	*sys_d(t, TSS2 + 0x20) = 0x7100;	   /* EIP */
	*sys_d(t, TSS2 + 0x24) = RF_FIXED | RF_CF; /* EFLAGS */
	*sys_d(t, TSS2 + 0x28) = 0xaaaa;	   /* EAX */
	*sys_d(t, TSS2 + 0x38) = STACK0 - 0x800;   /* ESP */
	*sys_d(t, TSS2 + 0x48) = DATA0;		   /* ES */
	*sys_d(t, TSS2 + 0x4c) = CODE0;
	*sys_d(t, TSS2 + 0x50) = DATA0;
	*sys_d(t, TSS2 + 0x54) = DATA0;
	c->gpr[X86_RAX] = 0x5555;
	CHECK_EQ(raised(t, x86_far_call(c, TSS2SEL, 0, 4, 0x4010)), 0);
	CHECK_EQ(c->rip, 0x7100);
	CHECK_EQ(c->gpr[X86_RAX], 0xaaaa);
	CHECK_EQ(c->rflags & (RF_NT | RF_CF), RF_NT | RF_CF);
	CHECK(c->cr0 & CR0_TS);
	CHECK_EQ(*sys_d(t, TSS2) & 0xffff, TSSSEL); /* back link */
	CHECK_EQ(*sys_d(t, TSS + 0x20), 0x4010);
	CHECK_EQ(*sys_d(t, TSS + 0x28), 0x5555);
	CHECK_EQ(*sys_q(t, GDT + TSSSEL) >> 40 & 15, DESC_TSS32_BUSY);
	CHECK_EQ(*sys_q(t, GDT + TSS2SEL) >> 40 & 15, DESC_TSS32_BUSY);
	CHECK_EQ(raised(t, x86_far_jmp(c, TSSSEL, 0, 4, 0)), EXC(X86_GP, TSSSEL)); /* busy */
	CHECK_EQ(raised(t, x86_iret(c, 4, 0x7200)), 0);
	CHECK_EQ(c->rip, 0x4010);
	CHECK_EQ(c->gpr[X86_RAX], 0x5555);
	CHECK_EQ(c->tr.sel, TSSSEL);
	CHECK_EQ(*sys_q(t, GDT + TSS2SEL) >> 40 & 15, DESC_TSS32);
	/* Through a task gate, with an error code on the new stack. */
	*sys_q(t, IDT + 13 * 8) = gate(TSS2SEL, 0, DESC_TASK, 0);
	CHECK_EQ(raised(t, x86_event(c, X86_GP, EVENT_HW, true, 0x77, c->rip)), 0);
	CHECK_EQ(c->rip, 0x7200);
	CHECK_EQ(*sys_d(t, c->gpr[X86_RSP]), 0x77);
	sys_cpu_destroy(t);
}

static void t_vm86(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;
	u64 sp = c->gpr[X86_RSP] - 36;
	const u32 frame[] = {0x100, 0x200, RF_VM | RF_FIXED | RF_IF, 0xfffe, 0x300, 0x400, 0x500,
			     0x600, 0x700};

	memcpy(t->ram + sp, frame, sizeof(frame));
	c->gpr[X86_RSP] = sp;
	CHECK_EQ(raised(t, x86_iret(c, 4, 0)), 0);
	CHECK(x86_vm86(c));
	CHECK_EQ(c->cpl, 3);
	CHECK_EQ(c->seg[X86_CS].base, 0x2000);
	CHECK_EQ(c->seg[X86_SS].base, 0x3000);
	CHECK_EQ(c->seg[X86_GS].base, 0x7000);
	CHECK_EQ(c->seg[X86_ES].limit, 0xffff);
	CHECK_EQ(c->code_mode, X86_MODE_16);
	/* INT n below IOPL 3 is #GP(0); a hardware event saves the data segments. */
	CHECK_EQ(raised(t, x86_event(c, 0x80, EVENT_SOFT, false, 0, 0x102)), EXC(X86_GP, 0));
	*sys_q(t, IDT + 32 * 8) = gate(CODE0, 0x6000, DESC_INT32, 0);
	CHECK_EQ(raised(t, x86_event(c, 32, EVENT_HW, false, 0, 0x102)), 0);
	CHECK_EQ(c->gpr[X86_RSP], STACK0 - 36);
	CHECK_EQ(*sys_d(t, STACK0 - 4), 0x700);
	CHECK_EQ(*sys_d(t, STACK0 - 16), 0x400);
	CHECK_EQ(*sys_d(t, STACK0 - 20), 0x300);
	CHECK_EQ(c->seg[X86_DS].sel, 0);
	CHECK(!x86_vm86(c));
	sys_cpu_destroy(t);
}

static void t_long_mode_event(void)
{
	struct sys_cpu *t = protected_mode();
	struct x86_vcpu *c = t->c;
	u64 sp;

	set_gdt(t, CODE0, desc(0, 0xfffff, SEG_P | SEG_S | SEG_RW | SEG_CODE | SEG_L));
	c->efer = EFER_LME | EFER_LMA;
	x86_set_flat_cs_ss(c, CODE0, DATA0, 0, true);
	store_le64(t->ram + TSS + 4, STACK0);
	store_le64(t->ram + TSS + 0x24, 0xc008); /* IST1, to be aligned to 16 */
	c->idtr.limit = 0xfff;
	*sys_q(t, IDT + 14 * 16) = gate(CODE0, 0x6000, DESC_INT32, 0);
	*sys_q(t, IDT + 2 * 16) = gate(CODE0, 0x6000, DESC_INT32, 0) | 1ULL << 32;
	*sys_q(t, IDT + 15 * 16) = gate(CODE0, 0x6000, DESC_INT16, 0);
	c->gpr[X86_RSP] = sp = STACK0 - 0x103;
	CHECK_EQ(raised(t, x86_event(c, X86_PF, EVENT_HW, true, 2, 0x4000)), 0);
	CHECK_EQ(c->gpr[X86_RSP], (sp & ~15ULL) - 48);
	CHECK_EQ(*sys_q(t, c->gpr[X86_RSP]), 2);
	CHECK_EQ(*sys_q(t, c->gpr[X86_RSP] + 32), sp);
	c->gpr[X86_RSP] += 8;
	CHECK_EQ(raised(t, x86_iret(c, 8, 0)), 0);
	CHECK_EQ(c->gpr[X86_RSP], sp);
	CHECK_EQ(raised(t, x86_event(c, X86_NMI, EVENT_HW, false, 0, 0x4000)), 0);
	CHECK_EQ(c->gpr[X86_RSP], 0xc000 - 40);
	CHECK_EQ(raised(t, x86_event(c, 15, EVENT_HW, false, 0, 0)), EXC(X86_GP, 15 * 8 + 3));
	/* From ring 3 the inner SS is null. */
	x86_set_flat_cs_ss(c, CODE3, DATA3, 3, true);
	c->gpr[X86_RSP] = STACK3;
	CHECK_EQ(raised(t, x86_event(c, X86_PF, EVENT_HW, true, 4, 0x4000)), 0);
	CHECK_EQ(c->cpl, 0);
	CHECK_EQ(c->seg[X86_SS].sel, 0);
	CHECK_EQ(c->gpr[X86_RSP], STACK0 - 48);
	sys_cpu_destroy(t);
}

int main(void)
{
	RUN(t_load_checks);
	RUN(t_linear);
	RUN(t_lar_lsl);
	RUN(t_event_same_level);
	RUN(t_event_from_ring3);
	RUN(t_double_and_triple);
	RUN(t_call_gate);
	RUN(t_far_checks);
	RUN(t_task_switch);
	RUN(t_vm86);
	RUN(t_long_mode_event);
	return test_done();
}
