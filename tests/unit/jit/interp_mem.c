/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter's memory side: precise faults, page crossings, string
 * instructions, atomicity between two vCPUs, legacy modes, self-modified code.
 */
#include "flat.h"
#include "tests/test.h"

#include <pthread.h>

#define PAGE_A (FLAT_DATA + 0x1000) /* ordinary; the page after it is the test's to break */
#define PAGE_B (FLAT_DATA + 0x2000)

static struct flat *setup(enum flat_page b)
{
	struct flat *f = flat_create();

	if (f)
		flat_set_page(f, PAGE_B, b);
	return f;
}

static u64 *gpr(struct flat *f, unsigned r)
{
	return &f->c->gpr[r];
}

/* Runs code that must fault at its first instruction and leave every register alone. */
#define CHECK_FAULT(f, name, vec)                                                                  \
	do {                                                                                       \
		u64 before[16], fl = (f)->c->rflags;                                               \
		FLAT_LOAD(f, name);                                                                \
		if (rsp)                                                                           \
			(f)->c->gpr[X86_RSP] = rsp;                                                \
		memcpy(before, (f)->c->gpr, sizeof(before));                                       \
		CHECK_EQ(flat_run(f, 10), -1);                                                     \
		CHECK_EQ((f)->c->exc.vector, vec);                                                 \
		CHECK_EQ((f)->c->rip, FLAT_CODE);                                                  \
		CHECK_EQ((f)->c->rflags, fl);                                                      \
		CHECK(!memcmp(before, (f)->c->gpr, sizeof(before)));                               \
	} while (0)

FLAT_ASM(push_bad, "push rax; hlt")
FLAT_ASM(call_bad, "call 1f; 1: hlt")
FLAT_ASM(pop_mem_bad, "pop qword ptr [rbx]; hlt")
FLAT_ASM(xchg_bad, "xchg [rbx], rax; hlt")
FLAT_ASM(add_bad, "add [rbx], rax; hlt")
FLAT_ASM(cmpxchg_bad, "lock cmpxchg [rbx], rcx; hlt")
FLAT_ASM(enter_bad, "enter 32, 3; hlt")
FLAT_ASM(fstp_bad, "fstp qword ptr [rbx]; hlt")
FLAT_ASM(store_bad, "movups [rbx], xmm0; hlt")
FLAT_ASM(div_bad, "div rcx; hlt")
FLAT_ASM(ret_bad, "ret; hlt")

static void t_precise_faults(void)
{
	struct flat *f = setup(FLAT_RO);
	u64 rsp = PAGE_B + 8;

	CHECK(f);
	*gpr(f, X86_RBX) = PAGE_B - 4;
	*gpr(f, X86_RBP) = FLAT_STACK;
	CHECK_FAULT(f, push_bad, X86_PF);
	CHECK_EQ(f->c->cr2, PAGE_B);
	CHECK_FAULT(f, call_bad, X86_PF);
	CHECK_EQ(f->c->exc.error, 3);
	rsp = PAGE_B + 20;
	CHECK_FAULT(f, enter_bad, X86_PF);
	rsp = 0;
	CHECK_FAULT(f, pop_mem_bad, X86_PF);
	CHECK_FAULT(f, xchg_bad, X86_PF);
	CHECK_FAULT(f, add_bad, X86_PF);
	CHECK_FAULT(f, cmpxchg_bad, X86_PF);
	CHECK_FAULT(f, fstp_bad, X86_PF);
	CHECK_FAULT(f, store_bad, X86_PF);
	*gpr(f, X86_RCX) = 0;
	CHECK_FAULT(f, div_bad, X86_DE);
	*(u64 *)(f->ram + FLAT_STACK) = 1ULL << 63;
	CHECK_FAULT(f, ret_bad, X86_GP);
	*gpr(f, X86_RBX) = 0x1234567800000000;
	CHECK_FAULT(f, add_bad, X86_GP);
	flat_destroy(f);
}

FLAT_ASM(crossing, "mov rax, [rbx]; add [rbx], rcx; lock add [rbx], rcx; movups xmm1, [rbx-4];"
		   "movups [rbx+4], xmm1; push rax; pop rdx; hlt")

static void t_page_crossing(void)
{
	struct flat *f = setup(FLAT_RW);
	u64 v = 0x1122334455667788;
	u8 want[16];

	CHECK(f);
	memcpy(f->ram + PAGE_B - 3, &v, 8);
	*gpr(f, X86_RBX) = PAGE_B - 3;
	*gpr(f, X86_RCX) = 0x0101010101010101;
	FLAT_LOAD(f, crossing);
	*gpr(f, X86_RSP) = PAGE_B + 0x104;
	memcpy(want, f->ram + PAGE_B - 7, 16);
	CHECK_EQ(flat_run(f, 20), 0);
	CHECK_EQ(*gpr(f, X86_RDX), v);
	v += 0x0202020202020202;
	memcpy(want + 4, &v, 8);
	CHECK(!memcmp(f->ram + PAGE_B + 1, want, 16));
	flat_destroy(f);
}

FLAT_ASM(rep_movs, "rep movsb; hlt")
FLAT_ASM(rep_movsq_back, "std; rep movsq; hlt")
FLAT_ASM(rep_stosd, "rep stosd; hlt")
FLAT_ASM(repne_scasb, "repne scasb; hlt")
FLAT_ASM(repe_cmpsb, "repe cmpsb; hlt")
FLAT_ASM(rep_lodsw, "rep lodsw; hlt")
FLAT_ASM(rep_stos32, "addr32 rep stosb; hlt")

static void string_setup(struct flat *f, u64 si, u64 di, u64 n)
{
	*gpr(f, X86_RSI) = si;
	*gpr(f, X86_RDI) = di;
	*gpr(f, X86_RCX) = n;
	f->c->rflags &= ~(u64)RF_DF;
}

static void t_movs(void)
{
	struct flat *f = setup(FLAT_RW);
	u8 *d;

	CHECK(f);
	d = f->ram + FLAT_DATA;
	for (unsigned i = 0; i < 0x4000; i++)
		d[i] = (u8)(i * 7);
	string_setup(f, FLAT_DATA + 5, FLAT_DATA + 0x8003, 0x3001);
	FLAT_LOAD(f, rep_movs);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK(!memcmp(d + 5, d + 0x8003, 0x3001));
	CHECK_EQ(*gpr(f, X86_RCX), 0);
	CHECK_EQ(*gpr(f, X86_RSI), FLAT_DATA + 5 + 0x3001);
	/* Overlap propagates byte by byte. */
	string_setup(f, FLAT_DATA, FLAT_DATA + 1, 0x1800);
	FLAT_LOAD(f, rep_movs);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(d[0x1800], d[0]);
	/* Backwards, misaligned, over a page boundary. */
	for (unsigned i = 0; i < 0x4000; i++)
		d[i] = (u8)(i * 5);
	string_setup(f, FLAT_DATA + 0x2ff4, FLAT_DATA + 0x9ffc, 0x500);
	FLAT_LOAD(f, rep_movsq_back);
	CHECK_EQ(flat_run(f, 3), 0);
	CHECK(!memcmp(d + 0x2ffc - 0x2800, d + 0xa004 - 0x2800, 0x2800));
	flat_destroy(f);
}

static void t_movs_fault(void)
{
	struct flat *f = setup(FLAT_NONE);

	CHECK(f);
	string_setup(f, FLAT_DATA, PAGE_B - 0x123, 0x1000);
	FLAT_LOAD(f, rep_movs);
	CHECK_EQ(flat_run(f, 2), -1);
	CHECK_EQ(f->c->exc.vector, X86_PF);
	CHECK_EQ(f->c->cr2, PAGE_B);
	CHECK_EQ(f->c->rip, FLAT_CODE);
	CHECK_EQ(*gpr(f, X86_RDI), PAGE_B);
	CHECK_EQ(*gpr(f, X86_RSI), FLAT_DATA + 0x123);
	CHECK_EQ(*gpr(f, X86_RCX), 0x1000 - 0x123);
	flat_set_page(f, PAGE_B, FLAT_RW); /* and it goes on */
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(*gpr(f, X86_RCX), 0);
	flat_destroy(f);
}

static void t_string_interrupt(void)
{
	struct flat *f = setup(FLAT_RW);

	CHECK(f);
	string_setup(f, FLAT_DATA, FLAT_DATA + 0x10000, 0x8000);
	FLAT_LOAD(f, rep_movs);
	atomic_store(&f->c->kick, X86_KICK_IRQ);
	CHECK_EQ(flat_run(f, 1), 1);
	CHECK_EQ(f->c->rip, FLAT_CODE);
	CHECK(*gpr(f, X86_RCX) < 0x8000 && *gpr(f, X86_RCX) >= 0x7000);
	CHECK_EQ(*gpr(f, X86_RSI), FLAT_DATA + 0x8000 - *gpr(f, X86_RCX));
	/* Single step: one element at a time. */
	f->c->mode_key |= X86_KEY_STEP;
	atomic_store(&f->c->kick, 0);
	string_setup(f, FLAT_DATA, FLAT_DATA + 0x10000, 3);
	CHECK_EQ(flat_run(f, 2), 1);
	CHECK_EQ(*gpr(f, X86_RCX), 1);
	CHECK_EQ(f->c->rip, FLAT_CODE);
	CHECK_EQ(flat_run(f, 2), 0);
	flat_destroy(f);
}

static void t_stos_scas_cmps(void)
{
	struct flat *f = setup(FLAT_RW);
	u8 *d;

	CHECK(f);
	d = f->ram + FLAT_DATA;
	*gpr(f, X86_RAX) = 0xdeadbeefcafe;
	string_setup(f, 0, FLAT_DATA + 2, 0x900);
	FLAT_LOAD(f, rep_stosd);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(load_le32(d + 2 + 0x8ff * 4), 0xbeefcafe);
	CHECK_EQ(load_le32(d + 2 + 0x900 * 4), 0);
	d[0x1777] = 0x5a;
	*gpr(f, X86_RAX) = 0x5a;
	string_setup(f, 0, FLAT_DATA, 0x4000);
	FLAT_LOAD(f, repne_scasb);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(*gpr(f, X86_RDI), FLAT_DATA + 0x1778);
	CHECK(f->c->rflags & RF_ZF);
	memcpy(d + 0x5000, d, 0x3000);
	d[0x5000 + 0x2100] ^= 0x80;
	string_setup(f, FLAT_DATA, FLAT_DATA + 0x5000, 0x3000);
	FLAT_LOAD(f, repe_cmpsb);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(*gpr(f, X86_RSI), FLAT_DATA + 0x2101);
	CHECK_EQ(f->c->rflags & (RF_ZF | RF_CF), 0);
	/* No iteration: nothing changes, flags neither. */
	f->c->rflags = RF_FIXED | RF_PF;
	string_setup(f, FLAT_DATA, FLAT_DATA, 0);
	FLAT_LOAD(f, repe_cmpsb);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(f->c->rflags, RF_FIXED | RF_PF);
	store_le16(d + 0x20fe, 0xbabe);
	string_setup(f, FLAT_DATA + 0x100, 0, 0x1000);
	FLAT_LOAD(f, rep_lodsw);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ((u16)*gpr(f, X86_RAX), 0xbabe);
	/* 32-bit address size: upper halves are ignored, then zero. */
	string_setup(f, 0, 0xffff00000000 + FLAT_DATA, 0x700000010);
	FLAT_LOAD(f, rep_stos32);
	CHECK_EQ(flat_run(f, 2), 0);
	CHECK_EQ(*gpr(f, X86_RDI), FLAT_DATA + 16);
	CHECK_EQ(*gpr(f, X86_RCX), 0);
	flat_destroy(f);
}

#define ROUNDS 20000
FLAT_ASM(atomics, "mov ecx, 20000; 1: lock inc qword ptr [rbx]; lock add dword ptr [rbx+8], 3;"
		  "mov eax, 1; lock xadd [rbx+16], rax;"
		  "2: mov rax, [rbx+24]; lea rdx, [rax+5]; lock cmpxchg [rbx+24], rdx; jne 2b;"
		  "3: mov al, 1; xchg [rbx+32], al; test al, al; jne 3b; inc dword ptr [rbx+36];"
		  "mov byte ptr [rbx+32], 0; dec ecx; jne 1b; hlt")
FLAT_ASM(atomic16, "mov r8d, 20000; 1: mov rax, [rdi]; mov rdx, [rdi+8];"
		   "2: mov rbx, rax; mov rcx, rdx; add rbx, 1; adc rcx, 1;"
		   "lock cmpxchg16b [rdi]; jne 2b; lock inc dword ptr [rsi]; dec r8d; jne 1b; hlt")

static void *runner(void *arg)
{
	struct flat *f = arg;
	int ret = flat_run(f, 100 * 1000 * 1000);

	x86_fpu_park(f->c);
	return ret ? arg : NULL;
}

/* Two vCPUs run the same code on the same words. */
static bool run_two(struct flat *f, struct flat *g)
{
	pthread_t t;
	void *bad = f;

	if (pthread_create(&t, NULL, runner, g))
		return false;
	return runner(f) == NULL && pthread_join(t, &bad) == 0 && !bad;
}

static void t_atomicity(void)
{
	struct flat *f = setup(FLAT_RW), *g;
	u8 *d;

	CHECK(f);
	g = flat_clone(f);
	CHECK(g);
	d = f->ram + FLAT_DATA;
	FLAT_LOAD(f, atomics);
	FLAT_LOAD(g, atomics);
	*gpr(f, X86_RBX) = *gpr(g, X86_RBX) = FLAT_DATA;
	CHECK(run_two(f, g));
	CHECK_EQ(load_le64(d), 2 * ROUNDS);
	CHECK_EQ(load_le32(d + 8), 6 * ROUNDS);
	CHECK_EQ(load_le64(d + 16), 2 * ROUNDS);
	CHECK_EQ(load_le64(d + 24), 10 * ROUNDS);
	CHECK_EQ(load_le32(d + 36), 2 * ROUNDS);
	FLAT_LOAD(f, atomic16);
	FLAT_LOAD(g, atomic16);
	*gpr(f, X86_RDI) = *gpr(g, X86_RDI) = FLAT_DATA + 64;
	/* A counter over a page boundary takes the split lock. */
	*gpr(f, X86_RSI) = *gpr(g, X86_RSI) = PAGE_B - 2;
	CHECK(run_two(f, g));
	CHECK_EQ(load_le64(d + 64), 2 * ROUNDS);
	CHECK_EQ(load_le64(d + 72), 2 * ROUNDS);
	CHECK_EQ(load_le32(f->ram + PAGE_B - 2), 2 * ROUNDS);
	flat_destroy(f);
	flat_destroy(g);
}

FLAT_ASM(mmio, "mov eax, [rbx]; add eax, 1; mov [rbx+4], eax; lock or dword ptr [rbx], 8;"
	       "movd xmm3, [rbx]; movd ecx, xmm3; hlt")

static void t_mmio(void)
{
	struct flat *f = setup(FLAT_MMIO);

	CHECK(f);
	f->mmio_val = 0x41;
	*gpr(f, X86_RBX) = PAGE_B;
	FLAT_LOAD(f, mmio);
	CHECK_EQ(flat_run(f, 10), 0);
	CHECK_EQ(*gpr(f, X86_RCX), 0x4a);
	CHECK_EQ(f->mmio_writes, 2);
	CHECK_EQ(f->mmio_reads, 3);
	flat_destroy(f);
}

FLAT_ASM_MODE(code32, "code32",
	      "push esp; pop eax; pusha; popa; mov ecx, 7; inc ecx; push cx; pop dx;"
	      "lea esi, [eax+ecx*4]; mov bx, 0x1234; aam; daa; .byte 0xd6; hlt")
FLAT_ASM_MODE(code16, "code16",
	      "mov ax, 0x1234; push ax; pop bx; mov eax, 0x55667788; mov si, 0x10;"
	      "mov [bx+si+2], eax; mov cx, [bx+si+4]; call 1f; hlt; 1: ret")
FLAT_ASM_MODE(limit16, "code16", "mov eax, [bx]; hlt")

static void t_legacy_modes(void)
{
	struct flat *f = setup(FLAT_RW);

	CHECK(f);
	flat_mode(f, X86_MODE_32);
	*gpr(f, X86_RAX) = 0;
	FLAT_LOAD(f, code32);
	CHECK_EQ(flat_run(f, 50), 0);
	CHECK_EQ(*gpr(f, X86_RSI), FLAT_STACK + 32);
	CHECK_EQ((u16)*gpr(f, X86_RDX), 8);
	CHECK_EQ(*gpr(f, X86_RSP), FLAT_STACK);
	flat_mode(f, X86_MODE_16);
	FLAT_LOAD(f, code16);
	memcpy(f->ram + 0x200, f->ram + FLAT_CODE, 64);
	f->c->rip = 0x200;
	f->c->gpr[X86_RSP] = 0xabcd1000;
	CHECK_EQ(flat_run(f, 50), 0);
	CHECK_EQ((u16)*gpr(f, X86_RBX), 0x1234);
	CHECK_EQ((u16)*gpr(f, X86_RCX), 0x5566);
	CHECK_EQ(*gpr(f, X86_RSP), 0xabcd1000);
	CHECK_EQ(load_le32(f->ram + 0x1246), 0x55667788);
	FLAT_LOAD(f, limit16);
	memcpy(f->ram + 0x200, f->ram + FLAT_CODE, 64);
	f->c->rip = 0x200;
	*gpr(f, X86_RBX) = 0xfffe;
	CHECK_EQ(flat_run(f, 5), -1);
	CHECK_EQ(f->c->exc.vector, X86_GP);
	flat_destroy(f);
}

FLAT_ASM(smc, "mov rdi, rbx; mov byte ptr [rip+1f+1], 9; 1: mov al, 1; mov cl, al;"
	      "mov byte ptr [rip+2f+1], 5; 2: mov al, 1; hlt")

static void t_self_modifying(void)
{
	struct flat *f = setup(FLAT_RW);

	CHECK(f);
	for (unsigned i = 0; i < 2; i++) {
		FLAT_LOAD(f, smc);
		CHECK_EQ(flat_run(f, 10), 0);
		CHECK_EQ((u8)*gpr(f, X86_RCX), 9);
		CHECK_EQ((u8)*gpr(f, X86_RAX), 5);
	}
	flat_destroy(f);
}

FLAT_ASM(edge, "mov rax, 0x1122334455667788; hlt")

static void t_fetch_over_pages(void)
{
	struct flat *f = setup(FLAT_RW);
	size_t n = (size_t)(edge_end - edge_start);

	CHECK(f);
	for (unsigned k = 1; k < n; k++) {
		memcpy(f->ram + PAGE_B - k, edge_start, n);
		f->c->gpr[X86_RAX] = 0;
		f->c->rip = PAGE_B - k;
		CHECK_EQ(flat_run(f, 5), 0);
		CHECK_EQ(*gpr(f, X86_RAX), 0x1122334455667788);
		flat_set_page(f, PAGE_B, FLAT_NONE);
		f->c->rip = PAGE_B - k;
		CHECK_EQ(flat_run(f, 5), -1);
		CHECK_EQ(f->c->exc.vector, X86_PF);
		CHECK_EQ(f->c->cr2, PAGE_B);
		flat_set_page(f, PAGE_B, FLAT_RW);
	}
	flat_destroy(f);
}

int main(void)
{
	RUN(t_precise_faults);
	RUN(t_page_crossing);
	RUN(t_movs);
	RUN(t_movs_fault);
	RUN(t_string_interrupt);
	RUN(t_stos_scas_cmps);
	RUN(t_atomicity);
	RUN(t_mmio);
	RUN(t_legacy_modes);
	RUN(t_self_modifying);
	RUN(t_fetch_over_pages);
	return test_done();
}
