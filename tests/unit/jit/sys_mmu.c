/* SPDX-License-Identifier: Apache-2.0 */
/* Page walks and the soft TLB (engine/jit/x86/mmu*.c) against hand-made tables. */
#include "tests/test.h"
#include "tests/unit/jit/sys_cpu.h"

/* 4-level tables: one chain for linear LIN; the page itself at DATA. */
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define PT 0x4000u
#define DATA 0x5000u
#define LIN 0x40201000u /* PML4 0, PDPT 1, PD 1, PT 1 */
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX BIT(63)

static struct sys_cpu *long_mode(void)
{
	struct sys_cpu *t = sys_cpu_create(1);

	*sys_q(t, PML4) = PDPT | P | W | U;
	*sys_q(t, PDPT + 8) = PD | P | W | U;
	*sys_q(t, PD + 8) = PT | P | W | U;
	*sys_q(t, PT + 8) = DATA | P | W | U;
	t->c->cr0 = CR0_PE | CR0_PG | CR0_WP;
	t->c->cr4 = CR4_PAE;
	t->c->cr3 = PML4;
	t->c->efer = EFER_LME | EFER_LMA | EFER_NXE;
	t->c->seg[X86_CS].attr = SEG_P | SEG_S | SEG_CODE | SEG_RW | SEG_L;
	x86_tlb_flush(t->c, true);
	x86_mode_update(t->c);
	return t;
}

/* The #PF error code of a walk, or -1 when it passes. */
static int fault(struct sys_cpu *t, enum x86_access a, enum x86_mmu m)
{
	struct x86_walk w;

	t->c->exc.pending = false;
	if (!x86_walk(t->c, LIN + 0x123, a, m, &w))
		return -1;
	if (t->c->exc.vector != X86_PF || t->c->cr2 != LIN + 0x123)
		return -2;
	return (int)t->c->exc.error;
}

static void t_walk_sets_bits(void)
{
	struct sys_cpu *t = long_mode();
	struct x86_walk w;

	CHECK_EQ(x86_walk(t->c, LIN + 0x123, X86_READ, X86_MMU_USER, &w), 0);
	CHECK_EQ(w.gpa, DATA + 0x123);
	CHECK_EQ(w.shift, 12);
	CHECK_EQ(w.write_ok, false); /* not dirty yet */
	CHECK_EQ(*sys_q(t, PML4) & (A | D), A);
	CHECK_EQ(*sys_q(t, PT + 8) & (A | D), A);
	CHECK_EQ(x86_walk(t->c, LIN, X86_WRITE, X86_MMU_USER, &w), 0);
	CHECK_EQ(*sys_q(t, PT + 8) & (A | D), A | D);
	CHECK_EQ(*sys_q(t, PD + 8) & (A | D), A);
	CHECK_EQ(w.write_ok, true);
	sys_cpu_destroy(t);
}

static void t_not_present(void)
{
	static const u32 at[] = {PML4, PDPT + 8, PD + 8, PT + 8};

	for (unsigned i = 0; i < 4; i++) {
		struct sys_cpu *t = long_mode();

		*sys_q(t, at[i]) &= ~(u64)P;
		CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), 0);
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), 2);
		CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 4);
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 6);
		CHECK_EQ(fault(t, X86_FETCH, X86_MMU_USER), 0x14);
		/* Levels above were walked. */
		if (i)
			CHECK_EQ(*sys_q(t, at[i - 1]) & A, A);
		sys_cpu_destroy(t);
	}
}

static void t_user_and_write(void)
{
	static const u32 at[] = {PML4, PDPT + 8, PD + 8, PT + 8};

	for (unsigned i = 0; i < 4; i++) {
		struct sys_cpu *t = long_mode();

		*sys_q(t, at[i]) &= ~(u64)W;
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 7);
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), 3);
		CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1);
		t->c->cr0 &= ~CR0_WP;
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), -1);
		CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 7);
		*sys_q(t, at[i]) = (*sys_q(t, at[i]) | W) & ~(u64)U;
		CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 5);
		CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), -1);
		sys_cpu_destroy(t);
	}
}

static void t_nx(void)
{
	static const u32 at[] = {PML4, PDPT + 8, PD + 8, PT + 8};

	for (unsigned i = 0; i < 4; i++) {
		struct sys_cpu *t = long_mode();

		*sys_q(t, at[i]) |= NX;
		CHECK_EQ(fault(t, X86_FETCH, X86_MMU_USER), 0x15);
		CHECK_EQ(fault(t, X86_FETCH, X86_MMU_KERNEL), 0x11);
		CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1);
		t->c->efer &= ~EFER_NXE; /* now the bit is reserved, and ID is not reported */
		CHECK_EQ(fault(t, X86_FETCH, X86_MMU_USER), 0xd);
		CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), 9);
		sys_cpu_destroy(t);
	}
}

static void t_smep_smap(void)
{
	struct sys_cpu *t = long_mode();

	t->c->cr4 |= CR4_SMEP;
	CHECK_EQ(fault(t, X86_FETCH, X86_MMU_KERNEL), 0x11);
	CHECK_EQ(fault(t, X86_FETCH, X86_MMU_USER), -1);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), -1);
	t->c->cr4 |= CR4_SMAP;
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), 1);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), 3);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL_OPEN), -1);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1);
	/* Which of the two the vCPU uses. */
	t->c->cpl = 0;
	x86_mode_update(t->c);
	CHECK_EQ(t->c->mmu, X86_MMU_KERNEL);
	t->c->rflags |= RF_AC;
	x86_mode_update(t->c);
	CHECK_EQ(t->c->mmu, X86_MMU_KERNEL_OPEN);
	CHECK_EQ(x86_mmu_implicit(t->c), X86_MMU_KERNEL);
	sys_cpu_destroy(t);
}

static void t_reserved(void)
{
	struct sys_cpu *t = long_mode();

	*sys_q(t, PT + 8) |= BIT(X86_PHYS_BITS);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 0xd);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), 0xb);
	*sys_q(t, PT + 8) &= ~BIT(X86_PHYS_BITS);
	*sys_q(t, PML4) |= PS; /* large bit in a PML4E */
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), 9);
	*sys_q(t, PML4) &= ~(u64)PS;
	*sys_q(t, PD + 8) = 0x2000 | P | W | U | PS; /* misaligned 2 MiB page */
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), 9);
	sys_cpu_destroy(t);
}

static void t_large_pages(void)
{
	struct sys_cpu *t = long_mode();
	struct x86_walk w;

	*sys_q(t, PD + 8) = MIB(4) | P | W | U | PS | 1 << 12; /* PAT bit is no address */
	CHECK_EQ(x86_walk(t->c, LIN + 0x123, X86_WRITE, X86_MMU_USER, &w), 0);
	CHECK_EQ(w.gpa, MIB(4) + 0x1123);
	CHECK_EQ(w.shift, 21);
	CHECK_EQ(*sys_q(t, PD + 8) & (A | D), A | D);
	*sys_q(t, PDPT + 8) = GIB(1) | P | W | U | PS;
	CHECK_EQ(x86_walk(t->c, LIN, X86_READ, X86_MMU_USER, &w), 0);
	CHECK_EQ(w.gpa, LIN);
	CHECK_EQ(w.shift, 30);
	sys_cpu_destroy(t);
}

static void t_paging_32(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_walk w;

	*sys_d(t, 0x1000 + 0x100 * 4) = 0x2000 | P | W | U; /* linear 0x40000000 */
	*sys_d(t, 0x2000 + 0x201 * 4) = DATA | P | W;
	t->c->cr0 = CR0_PE | CR0_PG;
	t->c->cr3 = 0x1000;
	t->c->efer = 0;
	CHECK_EQ(x86_walk(t->c, LIN + 4, X86_WRITE, X86_MMU_KERNEL, &w), 0);
	CHECK_EQ(w.gpa, DATA + 4);
	CHECK_EQ(*sys_d(t, 0x2000 + 0x201 * 4) & (A | D), A | D);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 5);
	/* PSE-36: address bits 32..39 in 13..20; ignored bit 7 without CR4.PSE. */
	*sys_d(t, 0x1000 + 0x100 * 4) = 0x00c00000 | 3 << 13 | P | W | U | PS;
	t->c->cr4 = CR4_PSE;
	CHECK_EQ(x86_walk(t->c, 0x40012345, X86_READ, X86_MMU_USER, &w), 0);
	CHECK_EQ(w.gpa, 0x300c12345ULL);
	CHECK_EQ(w.shift, 22);
	*sys_d(t, 0x1000 + 0x100 * 4) |= 1 << 21;
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 0xd);
	sys_cpu_destroy(t);
}

static void t_paging_pae(void)
{
	struct sys_cpu *t = sys_cpu_create(1);
	struct x86_walk w;

	*sys_q(t, 0x1020 + 8) = PD | P; /* PDPTE 1, table at 0x1020 */
	*sys_q(t, PD + 8) = PT | P | W | U;
	*sys_q(t, PT + 8) = DATA | P | W | U;
	t->c->cr4 = CR4_PAE;
	t->c->cr3 = 0x1020;
	t->c->cr0 = CR0_PE;
	CHECK_EQ(x86_set_cr0(t->c, CR0_PE | CR0_PG), 0);
	CHECK_EQ(x86_walk(t->c, LIN + 8, X86_READ, X86_MMU_USER, &w), 0);
	CHECK_EQ(w.gpa, DATA + 8);
	/* The PDPTEs are loaded, not walked. */
	*sys_q(t, 0x1020 + 8) = 0;
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1);
	CHECK_EQ(x86_set_cr3(t->c, 0x1020), 0);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 4);
	/* Reserved bits in one make the load #GP and change nothing. */
	*sys_q(t, 0x1020 + 8) = PD | P | W;
	CHECK_EQ(x86_set_cr3(t->c, 0x1020), -1);
	CHECK_EQ(t->c->exc.vector, X86_GP);
	*sys_q(t, 0x1020 + 8) = PD | P;
	CHECK_EQ(x86_set_cr3(t->c, 0x1020), 0);
	*sys_q(t, PT + 8) |= BIT(52); /* reserved outside long mode */
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 0xd);
	sys_cpu_destroy(t);
}

static bool cached(struct sys_cpu *t, enum x86_mmu m, u64 lin, bool write)
{
	struct x86_tlb_entry *e = write ? t->c->tlb[m].wr : t->c->tlb[m].rd;

	return e[(lin >> 8 & t->c->tlb_mask[m]) / 16].page == (lin & ~0xfffULL);
}

static void t_tlb_fill(void)
{
	struct sys_cpu *t = long_mode();
	u64 v = 0;

	t->c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_read(t->c, LIN, &v, 8), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, false));
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	v = 0x1122334455667788;
	CHECK_EQ(x86_write(t->c, LIN + 8, &v, 8), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, true));
	CHECK_EQ(*sys_q(t, DATA + 8), v);
	x86_tlb_flush_page(t->c, LIN);
	CHECK(!cached(t, X86_MMU_USER, LIN, false));
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	sys_cpu_destroy(t);
}

static void t_tlb_code_page(void)
{
	struct sys_cpu *t = long_mode();
	u64 v = 1;
	void *host;

	t->c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_write(t->c, LIN, &v, 8), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, true));
	t->flags[DATA >> 12] = GPA_PAGE_CODE;
	x86_tlb_protect(&t->vm, DATA);
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	/* The write goes the slow way and takes the flag (there is no translator to keep it). */
	CHECK_EQ(x86_tlb_fill(t->c, LIN, X86_WRITE, &host), 0);
	CHECK(!host);
	CHECK_EQ(x86_write(t->c, LIN, &v, 8), 0);
	CHECK_EQ(t->flags[DATA >> 12], 0);
	CHECK_EQ(x86_rmw_ptr(t->c, LIN, 8, &host), 0);
	CHECK(host == t->ram + DATA);
	sys_cpu_destroy(t);
}

static void t_tlb_large_invlpg(void)
{
	struct sys_cpu *t = long_mode();
	u64 v;

	*sys_q(t, PD + 8) = MIB(4) | P | W | U | PS;
	t->c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_read(t->c, LIN, &v, 8), 0);
	CHECK_EQ(x86_read(t->c, LIN + 0x5000, &v, 8), 0);
	/* INVLPG of any address of a large page drops all of it. */
	x86_tlb_flush_page(t->c, LIN + 0x9000);
	CHECK(!cached(t, X86_MMU_USER, LIN, false));
	CHECK(!cached(t, X86_MMU_USER, LIN + 0x5000, false));
	sys_cpu_destroy(t);
}

static void t_cross_page(void)
{
	struct sys_cpu *t = long_mode();
	u64 v = 0x8877665544332211, r = 0;

	t->c->mmu = X86_MMU_USER;
	/* Second page missing: nothing may be written to the first. */
	CHECK_EQ(x86_write(t->c, LIN + 0xffc, &v, 8), -1);
	CHECK_EQ(t->c->cr2, LIN + 0x1000);
	CHECK_EQ(*sys_d(t, DATA + 0xffc), 0);
	*sys_q(t, PT + 16) = 0x9000 | P | W | U;
	CHECK_EQ(x86_write(t->c, LIN + 0xffc, &v, 8), 0);
	CHECK_EQ(*sys_d(t, DATA + 0xffc), 0x44332211);
	CHECK_EQ(*sys_d(t, 0x9000), 0x88776655);
	CHECK_EQ(x86_read(t->c, LIN + 0xffc, &r, 8), 0);
	CHECK_EQ(r, v);
	sys_cpu_destroy(t);
}

static void t_global_pages(void)
{
	struct sys_cpu *t = long_mode();
	u64 v;

	t->c->cr4 |= CR4_PGE;
	*sys_q(t, PT + 8) = DATA | P | W | G;
	*sys_q(t, PT + 16) = 0x6000 | P | W;
	t->c->mmu = X86_MMU_KERNEL_OPEN;
	CHECK_EQ(x86_read(t->c, LIN, &v, 8), 0);
	CHECK_EQ(x86_read(t->c, LIN + 0x1000, &v, 8), 0);
	CHECK_EQ(x86_set_cr3(t->c, PML4), 0);
	CHECK(cached(t, X86_MMU_KERNEL_OPEN, LIN, false));
	CHECK(!cached(t, X86_MMU_KERNEL_OPEN, LIN + 0x1000, false));
	CHECK_EQ(x86_set_cr4(t->c, t->c->cr4 & ~CR4_PGE), 0);
	CHECK(!cached(t, X86_MMU_KERNEL_OPEN, LIN, false));
	sys_cpu_destroy(t);
}

static void t_pcid(void)
{
	struct sys_cpu *t = long_mode();
	u64 v = 7;

	CHECK_EQ(x86_set_cr4(t->c, t->c->cr4 | CR4_PCIDE), 0);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 1), 0);
	t->c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_write(t->c, LIN, &v, 8), 0);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 2 | CR3_NOFLUSH), 0);
	CHECK_EQ(t->c->cr3, PML4 | 2);
	CHECK(!cached(t, X86_MMU_USER, LIN, false)); /* another context */
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 1 | CR3_NOFLUSH), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, false)); /* kept while away */
	CHECK(cached(t, X86_MMU_USER, LIN, true));
	/* A page that became code meanwhile may not be writable when its context comes back. */
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 2 | CR3_NOFLUSH), 0);
	t->flags[DATA >> 12] = GPA_PAGE_CODE;
	x86_tlb_protect(&t->vm, DATA);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 1 | CR3_NOFLUSH), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, false));
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	/* Without NOFLUSH it starts empty; INVPCID's single-context form drops it too. */
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 2 | CR3_NOFLUSH), 0);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 1), 0);
	CHECK(!cached(t, X86_MMU_USER, LIN, false));
	CHECK_EQ(x86_read(t->c, LIN, &v, 8), 0);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 2 | CR3_NOFLUSH), 0);
	x86_tlb_flush_pcid(t->c, 1);
	CHECK_EQ(x86_set_cr3(t->c, PML4 | 1 | CR3_NOFLUSH), 0);
	CHECK(!cached(t, X86_MMU_USER, LIN, false));
	/* CR4.PCIDE: only with CR3[11:0] = 0; PG cannot go while it is on. */
	CHECK_EQ(x86_set_cr0(t->c, t->c->cr0 & ~CR0_PG), -1);
	CHECK_EQ(x86_set_cr4(t->c, t->c->cr4 & ~CR4_PCIDE), 0);
	CHECK_EQ(x86_set_cr4(t->c, t->c->cr4 | CR4_PCIDE), -1);
	sys_cpu_destroy(t);
}

static void t_tlb_grows(void)
{
	struct sys_cpu *t = long_mode();
	u64 v;

	*sys_q(t, PD + 8) = MIB(4) | P | W | U | PS;
	t->c->mmu = X86_MMU_USER;
	for (unsigned i = 0; i < 4096; i++)
		CHECK_EQ(x86_read(t->c, 0x40200000 + (i * 7919 % 512) * 4096, &v, 8), 0);
	CHECK(t->c->tlb_mask[X86_MMU_USER] > (X86_TLB_MIN - 1) * 16);
	CHECK(t->c->tlb_mask[X86_MMU_USER] <= (X86_TLB_MAX - 1) * 16);
	sys_cpu_destroy(t);
}

/* SDM vol. 3A section 4.6.2: keys narrow data accesses, never fetches. */
static void t_keys_walk(void)
{
	struct sys_cpu *t = long_mode();
	struct x86_vcpu *c = t->c;

	*sys_q(t, PT + 8) |= 5ULL << 59;
	c->pkru = 1u << 10;				/* AD of key 5 */
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1); /* CR4.PKE is off */
	c->cr4 |= CR4_PKE;
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), 0x25);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 0x27);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL_OPEN), 0x21);
	CHECK_EQ(fault(t, X86_FETCH, X86_MMU_USER), -1);
	c->pkru = 2u << 10; /* WD */
	CHECK_EQ(fault(t, X86_READ, X86_MMU_USER), -1);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 0x27);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL_OPEN), 0x23);
	c->cr0 &= ~CR0_WP;
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL_OPEN), -1);
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), 0x27);
	c->pkru = 3u << 8; /* of another key */
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_USER), -1);
	/* A supervisor page obeys PKRS. */
	c->cr0 |= CR0_WP;
	*sys_q(t, PT + 8) &= ~(u64)U;
	c->pkru = 3u << 10;
	c->pkrs = 2u << 10;
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), -1);
	c->cr4 |= CR4_PKS;
	CHECK_EQ(fault(t, X86_WRITE, X86_MMU_KERNEL), 0x23);
	CHECK_EQ(fault(t, X86_READ, X86_MMU_KERNEL), -1);
	sys_cpu_destroy(t);
}

/* What the TLB holds follows PKRU and IA32_PKRS, and survives changes that do not concern it. */
static void t_keys_tlb(void)
{
	struct sys_cpu *t = long_mode();
	struct x86_vcpu *c = t->c;
	u64 v = 0;

	*sys_q(t, PT + 8) |= 5ULL << 59;
	c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_set_cr4(c, c->cr4 | CR4_PKE | CR4_PKS), 0);
	c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_write(c, LIN, &v, 8), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, true));
	x86_set_pkru(c, 3u << 12); /* key 6 */
	CHECK(cached(t, X86_MMU_USER, LIN, true));
	x86_set_pkru(c, 2u << 10);
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	CHECK_EQ(x86_read(c, LIN, &v, 8), 0);
	CHECK(cached(t, X86_MMU_USER, LIN, false));
	CHECK(!cached(t, X86_MMU_USER, LIN, true));
	CHECK_EQ(x86_write(c, LIN, &v, 8), -1);
	CHECK_EQ(c->exc.error, 0x27);
	x86_set_pkru(c, 0);
	CHECK_EQ(x86_write(c, LIN, &v, 8), 0);
	*sys_q(t, PT + 8) &= ~(u64)U;
	x86_tlb_flush(c, true);
	c->mmu = X86_MMU_KERNEL;
	CHECK_EQ(x86_write(c, LIN, &v, 8), 0);
	CHECK_EQ(x86_wrmsr(c, 0x6e1, 1u << 10), 0);
	CHECK_EQ(x86_read(c, LIN, &v, 8), -1);
	CHECK_EQ(c->exc.error, 0x21);
	CHECK_EQ(x86_wrmsr(c, 0x6e1, BIT(32)), -1);
	sys_cpu_destroy(t);
}

/* A PCID that is away keeps its table; it must not come back with rights that are gone. */
static void t_keys_pcid(void)
{
	struct sys_cpu *t = long_mode();
	struct x86_vcpu *c = t->c;
	u64 v = 0;

	*sys_q(t, PT + 8) |= 5ULL << 59;
	CHECK_EQ(x86_set_cr4(c, c->cr4 | CR4_PKE | CR4_PCIDE), 0);
	CHECK_EQ(x86_set_cr3(c, PML4 | 1), 0);
	c->mmu = X86_MMU_USER;
	CHECK_EQ(x86_read(c, LIN, &v, 8), 0);
	CHECK_EQ(x86_set_cr3(c, PML4 | 2), 0);
	x86_set_pkru(c, 1u << 10);
	CHECK_EQ(x86_set_cr3(c, PML4 | 1 | CR3_NOFLUSH), 0);
	CHECK_EQ(x86_read(c, LIN, &v, 8), -1);
	sys_cpu_destroy(t);
}

int main(void)
{
	RUN(t_walk_sets_bits);
	RUN(t_not_present);
	RUN(t_user_and_write);
	RUN(t_nx);
	RUN(t_smep_smap);
	RUN(t_reserved);
	RUN(t_large_pages);
	RUN(t_paging_32);
	RUN(t_paging_pae);
	RUN(t_tlb_fill);
	RUN(t_tlb_code_page);
	RUN(t_tlb_large_invlpg);
	RUN(t_cross_page);
	RUN(t_global_pages);
	RUN(t_pcid);
	RUN(t_tlb_grows);
	RUN(t_keys_walk);
	RUN(t_keys_tlb);
	RUN(t_keys_pcid);
	return test_done();
}
