/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction emulator: every kind of instruction it knows against device
 * memory, what it does when something fails in the middle, and its arithmetic
 * against the processor this runs on.
 */
#include "tests/test.h"
#include "core/emul.h"
#include "tests/unit/core/rig.h"

#define RAX rig.v[0].gpr[X86_RAX]
#define RCX rig.v[0].gpr[X86_RCX]
#define RDX rig.v[0].gpr[X86_RDX]
#define RBX rig.v[0].gpr[X86_RBX]
#define RSI rig.v[0].gpr[X86_RSI]
#define RDI rig.v[0].gpr[X86_RDI]
#define FLAGS (rig.v[0].rflags & FL_STATUS)

static bool start(void)
{
	if (!rig_init(&svm_ops, 1, HV_PV_NONE))
		return false;
	RBX = RIG_MMIO;
	return true;
}

static bool logged(unsigned n, char kind, unsigned size, u64 addr, u64 val)
{
	const struct rig_access *a = &rig.log[n];

	if (n < rig.nlog && a->kind == kind && a->size == size && a->addr == addr && a->val == val)
		return true;
	printf("# access %u is %c %u 0x%llx 0x%llx\n", n, a->kind ? a->kind : '-', a->size,
	       (unsigned long long)a->addr, (unsigned long long)a->val);
	return false;
}

/* One instruction of n bytes that must succeed and end at the next. */
#define DO(...)                                                                                    \
	do {                                                                                       \
		u64 rip_ = rig.v[0].rip;                                                           \
		CHECK_EQ(EMUL(__VA_ARGS__), EMUL_DONE);                                            \
		CHECK_EQ(rig.v[0].rip - rip_, sizeof((const u8[]){__VA_ARGS__}));                  \
	} while (0)

static void t_moves(void)
{
	CHECK(start());
	RAX = 0xffffffffffffffff;
	DO(0x8a, 0x03); /* mov al, [ebx] */
	CHECK_EQ(RAX, 0xffffffffffffff11);
	DO(0x8a, 0x63, 0x01); /* mov ah, [ebx+1] */
	CHECK_EQ(RAX, 0xffffffffffff1111);
	DO(0x66, 0x8b, 0x03);
	CHECK_EQ(RAX, 0xffffffffffff2211);
	DO(0x8b, 0x03);
	CHECK_EQ(RAX, 0x44332211);
	DO(0x88, 0x63, 0x05);	    /* mov [ebx+5], ah */
	DO(0x66, 0x89, 0x43, 0x06); /* mov [ebx+6], ax */
	DO(0x89, 0x43, 0x08);
	DO(0xc7, 0x43, 0x0c, 0x78, 0x56, 0x34, 0x12);
	DO(0xa1, 0x10, 0x00, 0x00, 0xd0); /* mov eax, moffs */
	DO(0x0f, 0xb6, 0x03);		  /* movzx */
	CHECK_EQ(RAX, 0x11);
	rig.read_value = 0x8899;
	DO(0x0f, 0xbe, 0x03); /* movsx */
	CHECK_EQ(RAX, 0xffffff99);
	DO(0x0f, 0xbf, 0x03);
	CHECK_EQ(RAX, 0xffff8899);
	rig.read_value = 0x01020304;
	DO(0x0f, 0x38, 0xf0, 0x03); /* movbe */
	CHECK_EQ(RAX, 0x04030201);
	DO(0x0f, 0xc3, 0x03); /* movnti */
	DO(0x8c, 0x1b);	      /* mov [ebx], ds */
	CHECK(logged(0, 'r', 1, RIG_MMIO, 0x8877665544332211));
	CHECK(logged(4, 'w', 1, RIG_MMIO + 5, 0x22));
	CHECK(logged(5, 'w', 2, RIG_MMIO + 6, 0x2211));
	CHECK(logged(6, 'w', 4, RIG_MMIO + 8, 0x44332211));
	CHECK(logged(7, 'w', 4, RIG_MMIO + 12, 0x12345678));
	CHECK(logged(13, 'w', 4, RIG_MMIO, 0x04030201));
	CHECK(logged(14, 'w', 2, RIG_MMIO, 16));
	rig_fini();
}

static void t_arithmetic(void)
{
	CHECK(start());
	rig.read_value = 0xffffffff;
	RAX = 1;
	DO(0x01, 0x03); /* add [ebx], eax */
	CHECK(logged(1, 'w', 4, RIG_MMIO, 0));
	CHECK_EQ(FLAGS, FL_CF | FL_ZF | FL_AF | FL_PF);
	DO(0x13, 0x03); /* adc eax, [ebx]: 1 + ffffffff + 1 */
	CHECK_EQ(RAX, 1);
	CHECK_EQ(FLAGS, FL_CF | FL_AF);
	DO(0x83, 0x2b, 0x01); /* sub dword [ebx], 1 */
	CHECK(logged(4, 'w', 4, RIG_MMIO, 0xfffffffe));
	rig_fini();
}

static void t_logic(void)
{
	CHECK(start());
	rig.read_value = 0xf0f0f0f0;
	RAX = 0x0ff00ff0;
	DO(0x21, 0x03); /* and */
	DO(0x09, 0x03); /* or */
	DO(0x31, 0x03); /* xor */
	DO(0xf7, 0x13); /* not */
	DO(0xf7, 0x1b); /* neg */
	DO(0xff, 0x03); /* inc */
	DO(0xff, 0x0b); /* dec */
	DO(0x19, 0x03); /* sbb */
	CHECK(logged(1, 'w', 4, RIG_MMIO, 0x00f000f0));
	CHECK(logged(3, 'w', 4, RIG_MMIO, 0xfff0fff0));
	CHECK(logged(5, 'w', 4, RIG_MMIO, 0xff00ff00));
	CHECK(logged(7, 'w', 4, RIG_MMIO, 0x0f0f0f0f));
	CHECK(logged(9, 'w', 4, RIG_MMIO, 0x0f0f0f10));
	CHECK(logged(11, 'w', 4, RIG_MMIO, 0xf0f0f0f1));
	CHECK(logged(13, 'w', 4, RIG_MMIO, 0xf0f0f0ef));
	rig.nlog = 0;
	DO(0x39, 0x03);				/* cmp */
	DO(0xf7, 0x03, 0x00, 0x00, 0x00, 0x80); /* test */
	CHECK_EQ(FLAGS, FL_SF | FL_PF);
	DO(0x80, 0x3b, 0xf0); /* cmp byte [ebx], f0 */
	CHECK_EQ(FLAGS, FL_ZF | FL_PF);
	CHECK_EQ(rig.nlog, 3);
	rig_fini();
}

static void t_exchange(void)
{
	CHECK(start());
	rig.read_value = 5;
	RCX = 9;
	DO(0x87, 0x0b); /* xchg [ebx], ecx */
	CHECK_EQ(RCX, 5);
	CHECK(logged(1, 'w', 4, RIG_MMIO, 9));
	RCX = 3;
	DO(0xf0, 0x0f, 0xc1, 0x0b); /* lock xadd */
	CHECK_EQ(RCX, 5);
	CHECK(logged(3, 'w', 4, RIG_MMIO, 8));
	RAX = 4;
	RCX = 1;
	DO(0xf0, 0x0f, 0xb1, 0x0b); /* lock cmpxchg: 4 is not 5 */
	CHECK_EQ(RAX, 5);
	CHECK(logged(5, 'w', 4, RIG_MMIO, 5));
	DO(0x0f, 0xb1, 0x0b);
	CHECK(rig.v[0].rflags & FL_ZF);
	CHECK(logged(7, 'w', 4, RIG_MMIO, 1));
	rig_fini();
}

static void t_bits(void)
{
	CHECK(start());
	rig.read_value = 4;
	DO(0x0f, 0xba, 0x23, 0x02); /* bt [ebx], 2 */
	CHECK(rig.v[0].rflags & FL_CF);
	RCX = 33;
	DO(0x0f, 0xab, 0x0b); /* bts: the next dword, bit 1 */
	CHECK(!(rig.v[0].rflags & FL_CF));
	CHECK(logged(2, 'w', 4, RIG_MMIO + 4, 6));
	RCX = 0xffffffff; /* one bit before */
	DO(0x0f, 0xb3, 0x0b);
	CHECK(logged(3, 'r', 4, RIG_MMIO - 4, 4));
	DO(0x0f, 0xba, 0x3b, 0x02); /* btc */
	CHECK(logged(6, 'w', 4, RIG_MMIO, 0));
	rig_fini();
}

static void t_strings(void)
{
	CHECK(start());
	RSI = RIG_MMIO;
	RDI = 0x2000;
	RCX = 3;
	DO(0xf3, 0xa5); /* rep movsd */
	CHECK_EQ(RCX, 0);
	CHECK_EQ(RSI, RIG_MMIO + 12);
	CHECK_EQ(rig_ram[0x2000 + 8], 0x11);
	RDI = RIG_MMIO + 0x10;
	RAX = 0xabcd;
	RCX = 2;
	rig.v[0].rflags |= FL_DF;
	DO(0xf3, 0x66, 0xab); /* rep stosw, down */
	CHECK_EQ(RDI, RIG_MMIO + 0xc);
	rig.v[0].rflags &= ~(u64)FL_DF;
	DO(0xf3, 0xa4); /* no count */
	RSI = RIG_MMIO;
	DO(0xac); /* lodsb */
	CHECK_EQ(RAX & 0xff, 0x11);
	RDI = RIG_MMIO;
	RCX = 5;
	DO(0xf2, 0xae); /* repne scasb: found at once */
	CHECK_EQ(RCX, 4);
	RSI = RDI = RIG_MMIO;
	DO(0xf3, 0xa6); /* repe cmpsb: all equal */
	CHECK_EQ(RCX, 0);
	RDX = 0x60;
	RDI = 0x3000;
	RCX = 2;
	DO(0xf3, 0x6d); /* rep insd */
	CHECK_EQ(rig_ram[0x3004], 0x11);
	RSI = 0x3000;
	DO(0x6e); /* outsb */
	CHECK(logged(rig.nlog - 1, 'o', 1, 0x60, 0x11));
	DO(0xe4, 0x71); /* in al, 71h */
	DO(0xef);	/* out dx, eax */
	CHECK(logged(rig.nlog - 2, 'i', 1, 0x71, rig.read_value));
	CHECK(logged(rig.nlog - 1, 'o', 4, 0x60, RAX));
	rig_fini();
}

/* A long string goes on where it stopped, and lets interrupts in between. */
static void t_bursts(void)
{
	CHECK(start());
	RDI = RIG_MMIO;
	RCX = 700;
	CHECK_EQ(EMUL(0xf3, 0xaa), EMUL_DONE);
	CHECK_EQ(RCX, 700 - 512);
	CHECK_EQ(rig.v[0].rip, 0x1000);
	rig.v[0].irq_level = true;
	CHECK_EQ(EMUL(0xf3, 0xaa), EMUL_DONE);
	CHECK_EQ(RCX, 700 - 513);
	rig.v[0].irq_level = false;
	rig.v[0].request = 0;
	CHECK_EQ(EMUL(0xf3, 0xaa), EMUL_DONE);
	CHECK_EQ(RCX, 0);
	CHECK_EQ(rig.v[0].rip, 0x1002);
	rig_fini();
}

/* Twice deferred, the RAM written once, at the end. */
static void t_deferred(void)
{
	CHECK(start());
	rig.defer = true;
	RSI = RIG_MMIO + 2; /* misaligned: four accesses */
	RDI = 0x2000;
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(EMUL(0xa5), EMUL_DEFER);
		CHECK_EQ(RSI, RIG_MMIO + 2);
		CHECK_EQ(rig_ram[0x2000], 0);
		CHECK_EQ(rig.nlog, i + 1);
		hv_vcpu_answer(&rig.v[0], 0xa0 + i);
	}
	CHECK_EQ(EMUL(0xa5), EMUL_DONE);
	CHECK_EQ(rig.nlog, 4);
	CHECK(!memcmp(rig_ram + 0x2000, "\xa0\xa1\xa2\xa3", 4));
	/* Read, then write of one instruction. */
	rig.nlog = 0;
	RAX = 1;
	CHECK_EQ(EMUL(0x01, 0x03), EMUL_DEFER);
	hv_vcpu_answer(&rig.v[0], 41);
	CHECK_EQ(EMUL(0x01, 0x03), EMUL_DEFER);
	CHECK(logged(1, 'w', 4, RIG_MMIO, 42));
	hv_vcpu_answer(&rig.v[0], 0);
	CHECK_EQ(EMUL(0x01, 0x03), EMUL_DONE);
	CHECK_EQ(rig.nlog, 2);
	/* An answer to something else than what is asked now is not used. */
	CHECK_EQ(EMUL(0x8b, 0x03), EMUL_DEFER);
	hv_vcpu_answer(&rig.v[0], 1);
	CHECK_EQ(EMUL(0x8b, 0x43, 0x04), EMUL_DEFER);
	CHECK_EQ(rig.nlog, 4);
	rig_fini();
}

static bool raised(u8 vector, bool has_error, u32 error)
{
	const struct hv_event *e = &rig.v[0].event;

	return e->valid && e->kind == VT_EVENT_EXC && e->vector == vector &&
	       e->has_error == has_error && (!has_error || e->error == error);
}

static void t_faults(void)
{
	CHECK(start());
	CHECK_EQ(EMUL(0x0f, 0x0b), EMUL_CANNOT);      /* ud2 decodes; it is not one of ours */
	CHECK_EQ(EMUL(0xf0, 0x8b, 0x03), EMUL_FAULT); /* lock mov */
	CHECK(raised(X86_EXC_UD, false, 0));
	CHECK_EQ(EMUL(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		      0x66, 0x66, 0x90),
		 EMUL_FAULT);
	CHECK(raised(X86_EXC_GP, true, 0));
	CHECK_EQ(EMUL(0x0f, 0xa2), EMUL_CANNOT);
	CHECK(rig.v[0].fail && !strcmp(rig.v[0].fail, "cpuid"));
	/* Limits: at the end, past it, expand-down. */
	rig.v[0].st.seg[X86_DS].limit = 0xd0000003;
	DO(0x8b, 0x03);
	RBX = RIG_MMIO + 1;
	CHECK_EQ(EMUL(0x8b, 0x03), EMUL_FAULT);
	CHECK(raised(X86_EXC_GP, true, 0));
	rig.v[0].st.seg[X86_DS].attr = 0xc097; /* expand down */
	CHECK_EQ(EMUL(0x8b, 0x43, 0x10), EMUL_DONE);
	CHECK_EQ(EMUL(0x8b, 0x43, 0xf0), EMUL_FAULT);
	rig.v[0].st.seg[X86_DS] = rig.v[0].st.seg[X86_SS];
	rig.v[0].st.seg[X86_DS].attr = 0xc091; /* read only */
	CHECK_EQ(EMUL(0x89, 0x03), EMUL_FAULT);
	CHECK_EQ(EMUL(0x36, 0x8b, 0x04, 0x24), EMUL_DONE);
	rig.v[0].st.seg[X86_SS].attr |= X86_SEG_UNUSABLE;
	CHECK_EQ(EMUL(0x36, 0x8b, 0x04, 0x24), EMUL_FAULT);
	CHECK(raised(X86_EXC_SS, true, 0));
	/* Code that is not there. */
	rig.v[0].rip = RIG_MMIO;
	CHECK_EQ(rig_emulate(), EMUL_CANNOT);
	rig_fini();
}

static void put64(u64 at, u64 val)
{
	memcpy(rig_ram + at, &val, 8);
}

/* Long mode: 4K pages for the first 2 MiB, device memory at 40000000h, user at 80000000h. */
static void long_mode(void)
{
	struct hv_regs *st = &rig.v[0].st;

	put64(0x10000, 0x11007);
	put64(0x11000, 0x12007);
	put64(0x11008, RIG_MMIO | 0x83); /* 1G page: not aligned, but 2M of it is used */
	put64(0x11008, 0x13003);
	put64(0x13000, RIG_MMIO | 0x83);
	put64(0x11010, 0x14007);
	put64(0x14000, 0x15007);
	put64(0x15000, 0x2007);		    /* user page */
	put64(0x15008, 0x3005);		    /* user, read only */
	put64(0x15010, 0x8000000000004007); /* user, no code */
	put64(0x12000, 0x83);		    /* 2M at 0 */
	st->cr0 |= CR0_PG | CR0_WP;
	st->cr3 = 0x10000;
	st->cr4 = CR4_PAE;
	st->efer = EFER_LME | EFER_LMA | EFER_NXE;
	st->seg[X86_CS].attr = 0xa09b;
}

static void t_paging(void)
{
	struct hv_vcpu *v = &rig.v[0];

	CHECK(start());
	long_mode();
	RBX = 0x40000000;
	DO(0x48, 0x8b, 0x43, 0x08); /* mov rax, [rbx+8] */
	CHECK_EQ(RAX, rig.read_value);
	CHECK(logged(0, 'r', 8, RIG_MMIO + 8, rig.read_value));
	DO(0x48, 0x63, 0x03); /* movsxd */
	CHECK_EQ(RAX, 0x44332211);
	/* Accessed bits everywhere, dirty where written. */
	CHECK_EQ(rig_ram[0x13000] & 0x60, 0x20);
	DO(0x89, 0x03);
	CHECK_EQ(rig_ram[0x13000] & 0x60, 0x60);
	/* Across pages: RAM to RAM that is not mapped any more. */
	RSI = 0x40000000;
	RDI = 0x80000ffc;
	RCX = 2;
	CHECK_EQ(EMUL(0xf3, 0x48, 0xa5), EMUL_FAULT); /* rep movsq over into a read-only page */
	CHECK(raised(X86_EXC_PF, true, PF_P | PF_W));
	CHECK_EQ(v->st.cr2, 0x80001000);
	CHECK_EQ(RCX, 2);
	v->event.valid = false;
	v->st.cr0 &= ~(u64)CR0_WP;
	CHECK_EQ(EMUL(0xf3, 0x48, 0xa5), EMUL_DONE);
	CHECK_EQ(rig_ram[0x3000], 0x55);
	CHECK_EQ(rig_ram[0x2ffc], 0x11);
	v->st.cr0 |= CR0_WP;
	/* SMAP, SMEP, user, not canonical, no code. */
	RBX = 0x80000000;
	v->st.cr4 |= CR4_SMAP | CR4_SMEP;
	CHECK_EQ(EMUL(0x8b, 0x03), EMUL_FAULT);
	CHECK(raised(X86_EXC_PF, true, PF_P));
	v->event.valid = false;
	v->rflags |= FL_AC;
	DO(0x8b, 0x03);
	RBX = 1ULL << 47;
	CHECK_EQ(EMUL(0x8b, 0x03), EMUL_FAULT);
	CHECK(raised(X86_EXC_GP, true, 0));
	v->event.valid = false;
	v->rip = 0x80000000;
	CHECK_EQ(rig_emulate(), EMUL_FAULT);
	CHECK(raised(X86_EXC_PF, true, PF_P | PF_I));
	v->event.valid = false;
	v->st.cr4 = CR4_PAE;
	v->rip = 0x80002000;
	CHECK_EQ(rig_emulate(), EMUL_FAULT);
	CHECK(raised(X86_EXC_PF, true, PF_P | PF_I));
	v->event.valid = false;
	/* User mode: its own pages only. */
	v->st.cpl = 3;
	v->rip = 0x1000;
	CHECK_EQ(rig_emulate(), EMUL_FAULT);
	CHECK(raised(X86_EXC_PF, true, PF_P | PF_U | PF_I));
	/* An instruction that begins in a page and ends in none. */
	v->event.valid = false;
	v->st.cpl = 0;
	put64(0x15018, 0x5007);
	v->rip = 0x80003ffe;
	rig_ram[0x5ffe] = 0x8b;
	rig_ram[0x5fff] = 0x83;
	CHECK_EQ(rig_emulate(), EMUL_FAULT);
	CHECK_EQ(v->st.cr2, 0x80004000);
	rig_fini();
}

static void put32(u64 at, u32 val)
{
	memcpy(rig_ram + at, &val, 4);
}

static void t_other_paging(void)
{
	struct hv_vcpu *v = &rig.v[0];
	u64 gpa = 0;
	u32 error = 0;

	CHECK(start());
	v->st.cr0 |= CR0_PG;
	v->st.cr3 = 0x10000;
	put32(0x10000, 0x11003);
	put32(0x11000 + 4, 0x1003);
	put32(0x10004, 0x00402083 | 1 << 13); /* PSE-36: bit 32 */
	CHECK_EQ(hv_walk(v, 0x1234, 0, &gpa, &error), 0);
	CHECK_EQ(gpa, 0x1234);
	v->st.cr4 = CR4_PSE;
	CHECK_EQ(hv_walk(v, 0x400005, PF_W, &gpa, &error), 0);
	CHECK_EQ(gpa, 0x100400005);
	CHECK(hv_walk(v, 0x800000, PF_W, &gpa, &error) && error == PF_W);
	CHECK_EQ(hv_vcpu_translate(v, 0x800000), ~0ULL);
	/* PAE: four entries without permissions, 2M pages. */
	v->st.cr4 = CR4_PAE;
	v->st.cr3 = 0x20020;
	put64(0x20020, 0x21001);
	put64(0x20038, 0x22001);
	put64(0x21000, 0x83);
	put64(0x22ff8, 0x600083);
	hv_pdpte_load(v);
	CHECK_EQ(v->st.pdpte[3], 0x22001);
	CHECK_EQ(hv_vcpu_translate(v, 0xffe00123), 0x600123);
	CHECK_EQ(hv_vcpu_translate(v, 0x123), 0x123);
	CHECK_EQ(hv_vcpu_translate(v, 0x40000000), ~0ULL);
	/* 5 levels. */
	v->st.efer = EFER_LMA | EFER_LME;
	v->st.cr4 = CR4_PAE | CR4_LA57;
	v->st.cr3 = 0x30000;
	put64(0x30008, 0x31003);
	put64(0x31000, 0x32003);
	put64(0x32000, 0x83); /* 1G */
	CHECK_EQ(hv_vcpu_translate(v, BIT(48) + 0x4321), 0x4321);
	v->st.cr3 = RIG_MMIO; /* tables in no memory */
	CHECK_EQ(hv_vcpu_translate(v, 0), ~0ULL);
	rig_fini();
}

static void t_copies(void)
{
	u32 val = 0;

	CHECK(start());
	memcpy(rig_ram + 0x4ffe, "\1\2\3\4", 4);
	CHECK_EQ(hv_vcpu_read(&rig.v[0], 0x4ffe, &val, 4), 0);
	CHECK_EQ(val, 0x04030201);
	CHECK_EQ(hv_vcpu_write(&rig.v[0], 0x5ffe, &val, 4), 0);
	CHECK_EQ(rig_ram[0x6001], 4);
	CHECK_EQ(hv_vcpu_write(&rig.v[0], RIG_MMIO, &val, 4), (u64)-E_FAULT);
	long_mode();
	CHECK_EQ(hv_vcpu_read(&rig.v[0], 0x80003000, &val, 4), (u64)-E_FAULT);
	rig_fini();
}

/* ---- arithmetic beside the processor ---------------------------------------------- */

#define NATIVE(insn, type)                                                                         \
	static u64 native_##insn##_##type(u64 a, u64 b, u64 *fl)                                   \
	{                                                                                          \
		type x = (type)a, y = (type)b;                                                     \
		u64 f = *fl;                                                                       \
		__asm__("push %1; popf; " #insn " %2, %0; pushf; pop %1"                           \
			: "+r"(x), "+r"(f)                                                         \
			: "r"(y)                                                                   \
			: "cc");                                                                   \
		*fl = f & FL_STATUS;                                                               \
		return x;                                                                          \
	}
#define NATIVES(insn) NATIVE(insn, u8) NATIVE(insn, u16) NATIVE(insn, u32) NATIVE(insn, u64)
NATIVES(add)
NATIVES(adc)
NATIVES(sub)
NATIVES(sbb)
NATIVES(and)
NATIVES(or)
NATIVES(xor)

struct native {
	unsigned op;
	u64 (*fn[4])(u64 a, u64 b, u64 *fl);
	bool no_af;
};
#define ROW(op, insn, no_af)                                                                       \
	{                                                                                          \
		op,                                                                                \
			{native_##insn##_u8, native_##insn##_u16, native_##insn##_u32,             \
			 native_##insn##_u64},                                                     \
			no_af                                                                      \
	}

static void t_like_the_processor(void)
{
	static const struct native rows[] = {
		ROW(X86_OP_ADD, add, false), ROW(X86_OP_ADC, adc, false),
		ROW(X86_OP_SUB, sub, false), ROW(X86_OP_SBB, sbb, false),
		ROW(X86_OP_AND, and, true),  ROW(X86_OP_OR, or, true),
		ROW(X86_OP_XOR, xor, true),  ROW(X86_OP_CMP, sub, false)};
	static const u64 edge[] = {0,
				   1,
				   0x7f,
				   0x80,
				   0xff,
				   0x7fff,
				   0x8000,
				   0x7fffffff,
				   0x80000000,
				   ~0ULL,
				   0x8000000000000000,
				   0x123456789abcdef0};
	u64 seed = 88172645463325252ULL;

	for (unsigned i = 0; i < 20000; i++) {
		const struct native *r = &rows[i % ARRAY_LEN(rows)];
		unsigned s = i / 8 % 4, n = 1u << s;
		u64 a, b, f1, f2, want, got;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		a = i & 64 ? seed : edge[seed % ARRAY_LEN(edge)];
		b = i & 128 ? seed >> 5 : edge[(seed >> 8) % ARRAY_LEN(edge)];
		a &= mask_bytes(n);
		b &= mask_bytes(n);
		f1 = f2 = seed >> 20 & 1;
		want = r->fn[s](a, b, &f1);
		got = emul_alu(r->op, n, a, b, &f2) & mask_bytes(n);
		if (r->no_af)
			f1 &= ~(u64)FL_AF;
		CHECK_EQ(got, want);
		CHECK_EQ(f2, f1);
	}
}

static void t_single_step_and_shadow(void)
{
	CHECK(start());
	rig.v[0].rflags |= FL_TF;
	DO(0x8b, 0x03);
	CHECK(raised(X86_EXC_DB, false, 0));
	CHECK(rig.v[0].st.dr6 & DR6_BS);
	rig.v[0].event.valid = false;
	rig.v[0].rflags &= ~(u64)FL_TF;
	rig.v[0].sti_shadow = true;
	DO(0x8b, 0x03);
	CHECK(!rig.v[0].sti_shadow);
	rig_fini();
}

static void t_rom(void)
{
	CHECK(start());
	rig_rom[8] = 0x42;
	RBX = RIG_ROM;
	DO(0x8a, 0x43, 0x08);
	CHECK_EQ(RAX & 0xff, 0x42);
	CHECK_EQ(rig.nlog, 0);
	DO(0x88, 0x43, 0x09); /* a write is the bus's */
	CHECK(logged(0, 'w', 1, RIG_ROM + 9, 0x42));
	rig_fini();
}

int main(void)
{
	RUN(t_moves);
	RUN(t_arithmetic);
	RUN(t_logic);
	RUN(t_exchange);
	RUN(t_bits);
	RUN(t_strings);
	RUN(t_bursts);
	RUN(t_deferred);
	RUN(t_faults);
	RUN(t_paging);
	RUN(t_other_paging);
	RUN(t_copies);
	RUN(t_like_the_processor);
	RUN(t_single_step_and_shadow);
	RUN(t_rom);
	return test_done();
}
