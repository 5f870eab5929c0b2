/* SPDX-License-Identifier: Apache-2.0 */
/* POWER's address translation on hand-made tables: radix trees, SLB and hash table. */
#include "tests/unit/jit/ppc_rig.h"

#include "tests/test.h"

#include <string.h>

#include <unistd.h>

/* ---- radix ---- */

enum {
	PROC_TABLE = 0x10000,
	ROOT = 0x20000, /* 13 bits of the address: 2^16 bytes */
	LEVEL2 = 0x40000,
	LEVEL3 = 0x41000,
	LEVEL4 = 0x42000,
	KERNEL_ROOT = 0x50000,
	KERNEL_LEVEL2 = 0x60000,
};

#define V BIT(63)
#define LEAF (V | BIT(62))
#define R BIT(8)
#define C BIT(7)
#define PRIV 8
#define READ 4
#define RW 6
#define EXEC 1
#define USER_EA 0x0000123456789abcull
#define KERNEL_EA 0xc000000000345678ull

static u64 index_of(u64 ea, unsigned shift, unsigned bits)
{
	return (ea >> shift & (BIT(bits) - 1)) * 8;
}

/* 52 bits: 13, 9, 9, 9 and a page of 4 KiB. */
static void radix_make(struct ppc_rig *r)
{
	struct ppc_vcpu *c = r->c[0];

	r->vm.radix = true;
	r->vm.proc_table = PROC_TABLE;
	r->vm.proc_entries = 256;
	c->pidr = 5;
	c->msr = PPC_MSR_SF | PPC_MSR_IR | PPC_MSR_DR | PPC_MSR_PR;
	/* RTS is 21 = 0b10101: bits 61 and 7..5. */
	ppc_rig_put(r, PROC_TABLE + 5 * 16, 2ull << 61 | 5 << 5 | ROOT | 13);
	ppc_rig_put(r, PROC_TABLE, 2ull << 61 | 5 << 5 | KERNEL_ROOT | 13);
	ppc_rig_put(r, ROOT + index_of(USER_EA, 39, 13), V | LEVEL2 | 9);
	ppc_rig_put(r, LEVEL2 + index_of(USER_EA, 30, 9), V | LEVEL3 | 9);
	ppc_rig_put(r, LEVEL3 + index_of(USER_EA, 21, 9), V | LEVEL4 | 9);
	ppc_rig_put(r, KERNEL_ROOT + index_of(KERNEL_EA, 39, 13), V | KERNEL_LEVEL2 | 9);
	/* A leaf of 1 GiB in the kernel's part. */
	ppc_rig_put(r, KERNEL_LEVEL2 + index_of(KERNEL_EA, 30, 9), LEAF | PRIV | RW | EXEC);
}

static u64 leaf_at(void)
{
	return LEVEL4 + index_of(USER_EA, 12, 9);
}

static int go(struct ppc_rig *r, u64 ea, enum ppc_access kind, struct ppc_xlate *x)
{
	r->c[0]->exc = (struct ppc_exc){0};
	return ppc_translate(r->c[0], ea, kind, false, x);
}

static void t_radix_walk(void)
{
	struct ppc_rig r;
	struct ppc_xlate x;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	ppc_rig_put(&r, leaf_at(), LEAF | 0x7000 | RW | EXEC);
	CHECK_EQ(go(&r, USER_EA, PPC_READ, &x), 0);
	CHECK_EQ(x.gpa, 0x7abc);
	CHECK_EQ(x.shift, 12);
	CHECK(!x.writable); /* C is not set yet */
	CHECK_EQ(ppc_rig_get(&r, leaf_at()), LEAF | 0x7000 | RW | EXEC | R);
	CHECK_EQ(go(&r, USER_EA, PPC_WRITE, &x), 0);
	CHECK(x.writable);
	CHECK_EQ(ppc_rig_get(&r, leaf_at()), LEAF | 0x7000 | RW | EXEC | R | C);
	CHECK_EQ(go(&r, USER_EA, PPC_FETCH, &x), 0);
	r.c[0]->msr &= ~PPC_MSR_PR;
	CHECK_EQ(go(&r, KERNEL_EA, PPC_WRITE, &x), 0);
	CHECK_EQ(x.gpa, 0x345678);
	CHECK_EQ(x.shift, 30);
	/* 32-bit mode uses the low word alone. */
	r.c[0]->msr &= ~PPC_MSR_SF;
	CHECK_EQ(go(&r, USER_EA, PPC_READ, &x), -1);
	CHECK_EQ(r.c[0]->exc.vector, PPC_DSI);
	/* Real mode does not translate. */
	r.c[0]->msr = PPC_MSR_SF;
	CHECK_EQ(go(&r, 0xc000000000001234, PPC_READ, &x), 0);
	CHECK_EQ(x.gpa, 0x1234);
	ppc_rig_free(&r);
}

static void t_radix_protection(void)
{
	static const struct {
		u64 eaa;
		bool problem;
		enum ppc_access kind;
		u32 why;
	} row[] = {
		{READ, true, PPC_READ, 0},
		{READ, true, PPC_WRITE, PPC_DSISR_PROTECTED | PPC_DSISR_STORE},
		{READ, true, PPC_FETCH, PPC_DSISR_NOEXEC},
		{EXEC, true, PPC_FETCH, 0},
		{EXEC, true, PPC_READ, PPC_DSISR_PROTECTED},
		{RW, true, PPC_WRITE, 0},
		{RW | PRIV, true, PPC_READ, PPC_DSISR_PROTECTED},
		{EXEC | PRIV, true, PPC_FETCH, PPC_DSISR_PROTECTED},
		{RW | PRIV, false, PPC_WRITE, 0},
		{EXEC | RW | 0x20, false, PPC_FETCH, PPC_DSISR_NOEXEC},
	};
	struct ppc_rig r;
	struct ppc_xlate x;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
		struct ppc_vcpu *c = r.c[0];

		c->msr = (c->msr & ~PPC_MSR_PR) | (row[i].problem ? PPC_MSR_PR : 0);
		ppc_rig_put(&r, leaf_at(), LEAF | 0x7000 | row[i].eaa);
		CHECK_EQ(go(&r, USER_EA, row[i].kind, &x), row[i].why ? -1 : 0);
		if (!row[i].why)
			continue;
		CHECK_EQ(c->exc.vector, row[i].kind == PPC_FETCH ? PPC_ISI : PPC_DSI);
		CHECK_EQ(row[i].kind == PPC_FETCH ? c->exc.srr1 : c->exc.dsisr, row[i].why);
		CHECK_EQ(c->exc.dar, row[i].kind == PPC_FETCH ? 0 : USER_EA);
		CHECK_EQ(ppc_rig_get(&r, leaf_at()), LEAF | 0x7000 | row[i].eaa);
	}
	/* The kernel may not run user pages when IAMR's key 0 says so. */
	ppc_rig_put(&r, leaf_at(), LEAF | 0x7000 | EXEC);
	r.c[0]->msr &= ~PPC_MSR_PR;
	CHECK_EQ(go(&r, USER_EA, PPC_FETCH, &x), 0);
	r.c[0]->iamr = BIT(62);
	CHECK_EQ(go(&r, USER_EA, PPC_FETCH, &x), -1);
	ppc_rig_free(&r);
}

static u32 dsisr(struct ppc_rig *r, u64 ea)
{
	struct ppc_xlate x;

	return go(r, ea, PPC_READ, &x) && r->c[0]->exc.vector == PPC_DSI ? r->c[0]->exc.dsisr : 0;
}

static void t_radix_hostile(void)
{
	struct ppc_rig r;
	struct ppc_xlate x;
	u64 l2 = LEVEL2 + index_of(USER_EA, 30, 9);

	ppc_rig_make(&r, 1);
	radix_make(&r);
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_NOTFOUND);
	for (u64 q = 1; q < 3; q++) { /* quadrants that are the hypervisor's */
		CHECK_EQ(go(&r, q << 62, PPC_READ, &x), -1);
		CHECK_EQ(r.c[0]->exc.vector, PPC_DSEG);
		CHECK_EQ(r.c[0]->exc.dar, q << 62);
	}
	CHECK_EQ(go(&r, BIT(52), PPC_FETCH, &x), -1); /* beyond the tree */
	CHECK_EQ(r.c[0]->exc.vector, PPC_ISEG);
	ppc_rig_put(&r, l2, V | RIG_RAM | 9); /* outside RAM */
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_NOTFOUND);
	ppc_rig_put(&r, l2, V | LEVEL3 | 31); /* larger than what is left of the address */
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_CONFIG);
	ppc_rig_put(&r, l2, V | LEVEL3);
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_CONFIG);
	ppc_rig_put(&r, l2, V | LEVEL3 | 7); /* no page has 23 bits */
	ppc_rig_put(&r, LEVEL3 + index_of(USER_EA, 23, 7), LEAF | RW);
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_CONFIG);
	r.c[0]->pidr = 256;
	CHECK_EQ(dsisr(&r, USER_EA), PPC_DSISR_PROCTABLE);
	ppc_rig_free(&r);
}

/* Trees of random numbers: the walk ends, inside RAM or with a fault. */
static void t_radix_random(void)
{
	struct ppc_rig r;
	struct ppc_xlate x;
	u64 seed = 1;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	for (u64 at = 0; at < MIB(1); at += 8) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		ppc_rig_put(&r, at, (seed & 0xc0000000000fffff) | V);
	}
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		r.c[0]->pidr = seed >> 40 & 255;
		if (go(&r, seed, i % 3, &x))
			CHECK(r.c[0]->exc.pending);
		else
			CHECK(x.shift <= 30);
	}
	ppc_rig_free(&r);
}

/* ---- hash ---- */

#define VSID 0x123456ull
#define PTE_V BIT(0)

static u64 hcall(struct ppc_rig *r, u64 op, u64 a, u64 b, u64 c, u64 d)
{
	const u64 arg[] = {op, a, b, c, d, 0, 0, 0, 0, 0};

	for (unsigned i = 0; i < 10; i++)
		r->c[0]->gpr[3 + i] = arg[i];
	ppc_hcall(r->c[0]);
	return r->c[0]->gpr[3];
}

static void slb_set(struct ppc_rig *r, unsigned n, u64 esid, u64 vsid)
{
	r->sys[0].slb[n] = (struct ppc_slbe){esid | BIT(27), vsid};
}

static void hash_make(struct ppc_rig *r)
{
	r->c[0]->msr = PPC_MSR_SF | PPC_MSR_IR | PPC_MSR_DR;
	slb_set(r, 3, 0x10000000, VSID << 12);
}

/* 4 KiB page at 0x10005000 of segment VSID, primary hash: ISA III 5.7.9.2. */
static u64 group_4k(u64 vsid)
{
	return ((vsid ^ 5) & ((1 << (RIG_HPT_SHIFT - 7)) - 1)) * 8;
}

static void t_hash_walk(void)
{
	struct ppc_rig r;
	struct ppc_xlate x;
	u64 group = group_4k(VSID);

	ppc_rig_make(&r, 1);
	hash_make(&r);
	CHECK_EQ(go(&r, 0x20005678, PPC_READ, &x), -1);
	CHECK_EQ(r.c[0]->exc.vector, PPC_DSEG);
	CHECK_EQ(go(&r, 0x10005678, PPC_READ, &x), -1);
	CHECK_EQ(r.c[0]->exc.dsisr, PPC_DSISR_NOTFOUND);
	CHECK_EQ(hcall(&r, 0x08, 0, group + 3, VSID << 12 | PTE_V, 0x7000 | 2), H_SUCCESS);
	CHECK_EQ(r.c[0]->gpr[4], group);
	CHECK_EQ(go(&r, 0x10005678, PPC_READ, &x), 0);
	CHECK_EQ(x.gpa, 0x7678);
	CHECK_EQ(x.shift, 12);
	CHECK(!x.writable);
	CHECK_EQ(go(&r, 0x10005678, PPC_WRITE, &x), 0);
	CHECK(x.writable);
	CHECK_EQ(hcall(&r, 0x0c, 0, group, 0, 0), H_SUCCESS); /* H_READ */
	CHECK_EQ(r.c[0]->gpr[5], 0x7000 | 2 | PPC_HPTE_R | PPC_HPTE_C);
	/* Gone, and the soft TLB with it. */
	ppc_rig_look();
	CHECK_EQ(hcall(&r, 0x04, BIT(31), group, VSID << 12, 0), H_SUCCESS);
	CHECK(ppc_rig_look().flushes > 0);
	CHECK_EQ(hcall(&r, 0x04, 0, group, 0, 0), (u64)H_NOT_FOUND);
	CHECK_EQ(go(&r, 0x10005678, PPC_READ, &x), -1);
	/* The secondary group, with H. */
	CHECK_EQ(hcall(&r, 0x08, BIT(39), (~group & ((1 << (RIG_HPT_SHIFT - 4)) - 8)) + 6,
		       VSID << 12 | PTE_V | PPC_HPTE_H, 0x9000 | 2),
		 H_SUCCESS);
	CHECK_EQ(go(&r, 0x10005678, PPC_READ, &x), 0);
	CHECK_EQ(x.gpa, 0x9678);
	ppc_rig_free(&r);
}

static void t_hash_64k_1t(void)
{
	struct ppc_rig r;
	struct ppc_xlate x;
	u64 ea = 0xc000000012345678, off = ea & (BIT(40) - 1);
	u64 group = (VSID ^ VSID << 25 ^ off >> 16) & ((1 << (RIG_HPT_SHIFT - 7)) - 1);
	u64 avpn = BIT(62) | VSID << 24 | off >> 23 << 7;

	ppc_rig_make(&r, 1);
	hash_make(&r);
	/* A segment of 1 TiB with 64 KiB pages: B = 1, L = 1, LP = 1. */
	slb_set(&r, 0, ea & ~(BIT(40) - 1), BIT(62) | VSID << 24 | BIT(8) | 1 << 4);
	CHECK_EQ(hcall(&r, 0x08, 0, group * 8, avpn | PPC_HPTE_L | PTE_V, 0x120000 | 0x1000 | 2),
		 H_SUCCESS);
	CHECK_EQ(go(&r, ea, PPC_READ, &x), 0);
	CHECK_EQ(x.gpa, 0x125678);
	CHECK_EQ(x.shift, 16);
	/* A page of another size does not match. */
	slb_set(&r, 0, ea & ~(BIT(40) - 1), BIT(62) | VSID << 24);
	CHECK_EQ(go(&r, ea, PPC_READ, &x), -1);
	ppc_rig_free(&r);
}

static void t_hash_protection(void)
{
	/* Rights by key (Ks or Kp) and PP, ISA III figure "Storage protection": r 1, w 2. */
	static const u8 want[2][7] = {{3, 3, 3, 1, 0, 0, 1}, {0, 1, 3, 1, 0, 0, 0}};
	struct ppc_rig r;
	struct ppc_xlate x;
	u64 group = group_4k(VSID);

	ppc_rig_make(&r, 1);
	hash_make(&r);
	for (unsigned key = 0; key < 2; key++) {
		for (u64 pp = 0; pp < 7; pp++) {
			u64 pte = 0x7000 | (pp & 3) | (pp & 4 ? BIT(63) : 0);

			slb_set(&r, 3, 0x10000000, VSID << 12 | (key ? BIT(11) : 0));
			hcall(&r, 0x04, 0, group, 0, 0);
			CHECK_EQ(hcall(&r, 0x08, BIT(39), group, VSID << 12 | PTE_V, pte), 0);
			CHECK_EQ(!go(&r, 0x10005000, PPC_READ, &x), want[key][pp] & 1);
			CHECK_EQ(!go(&r, 0x10005000, PPC_WRITE, &x), want[key][pp] >> 1);
		}
	}
	/* N of the segment, N and G of the page, storage keys. */
	slb_set(&r, 3, 0x10000000, VSID << 12);
	hcall(&r, 0x04, 0, group, 0, 0);
	hcall(&r, 0x08, BIT(39), group, VSID << 12 | PTE_V, 0x7000 | 2 | BIT(60) | 5 << 9);
	CHECK_EQ(go(&r, 0x10005000, PPC_FETCH, &x), 0);
	r.c[0]->amr = 2ull << 2 * (31 - 13); /* key 13: no writes */
	CHECK_EQ(go(&r, 0x10005000, PPC_READ, &x), 0);
	CHECK(!x.writable);
	CHECK_EQ(go(&r, 0x10005000, PPC_WRITE, &x), -1);
	CHECK_EQ(r.c[0]->exc.dsisr, PPC_DSISR_KEY | PPC_DSISR_STORE);
	r.c[0]->iamr = 1ull << 2 * (31 - 13);
	CHECK_EQ(go(&r, 0x10005000, PPC_FETCH, &x), -1);
	CHECK_EQ(r.c[0]->exc.srr1, PPC_DSISR_KEY);
	r.c[0]->iamr = 0;
	slb_set(&r, 3, 0x10000000, VSID << 12 | BIT(9));
	CHECK_EQ(go(&r, 0x10005000, PPC_FETCH, &x), -1);
	CHECK_EQ(r.c[0]->exc.srr1, PPC_DSISR_NOEXEC);
	/* H_PROTECT to N and read-only. */
	slb_set(&r, 3, 0x10000000, VSID << 12);
	r.c[0]->amr = 0;
	CHECK_EQ(hcall(&r, 0x18, 4 | 3, group, 0, 0), H_SUCCESS);
	CHECK_EQ(go(&r, 0x10005000, PPC_FETCH, &x), -1);
	CHECK_EQ(go(&r, 0x10005000, PPC_WRITE, &x), -1);
	CHECK_EQ(go(&r, 0x10005000, PPC_READ, &x), 0);
	ppc_rig_free(&r);
}

static void t_hpt_calls(void)
{
	struct ppc_rig r;
	struct ppc_vcpu *c;
	u64 entries = 1 << (RIG_HPT_SHIFT - 4);

	ppc_rig_make(&r, 1);
	hash_make(&r);
	c = r.c[0];
	CHECK_EQ(hcall(&r, 0x08, 0, entries, PTE_V, 0), (u64)H_PARAMETER);
	CHECK_EQ(hcall(&r, 0x08, 0, ~0ull, PTE_V, 0), (u64)H_PARAMETER);
	CHECK_EQ(hcall(&r, 0x08, 0, 0, PTE_V | PPC_HPTE_L, 0x5000), (u64)H_PARAMETER);
	CHECK_EQ(hcall(&r, 0x0c, 0, entries, 0, 0), (u64)H_PARAMETER);
	for (u64 i = 0; i < 8; i++) {
		CHECK_EQ(hcall(&r, 0x08, 0, 8, i << 12 | PTE_V, i << 12), H_SUCCESS);
		CHECK_EQ(c->gpr[4], 8 + i);
	}
	CHECK_EQ(hcall(&r, 0x08, 0, 8, PTE_V, 0), (u64)H_PTEG_FULL);
	CHECK_EQ(hcall(&r, 0x0c, BIT(37), 13, 0, 0), H_SUCCESS); /* four of them */
	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(c->gpr[4 + 2 * i], (4 + i) << 12 | PTE_V);
	/* Bulk remove: one that is there, one whose AVPN differs, the end. */
	CHECK_EQ(hcall(&r, 0x124, 1ull << 62 | 8, 0, 0, 0), (u64)H_PARAMETER); /* no end */
	CHECK_EQ(c->gpr[4] >> 60, 8);
	hcall(&r, 0x08, BIT(39), 8, PTE_V, 0);
	for (unsigned i = 0; i < 5; i++)
		c->gpr[3 + i] = (const u64[]){0x124, 1ull << 62 | 8, 0, 1ull << 62 | BIT(57) | 9,
					      0xabc000}[i];
	c->gpr[8] = 3ull << 62;
	ppc_hcall(c);
	CHECK_EQ(c->gpr[3], H_SUCCESS);
	CHECK_EQ(c->gpr[4] >> 60, 8);
	CHECK_EQ(c->gpr[6] >> 60, 9);
	CHECK_EQ(hcall(&r, 0x04, 0, 8, 0, 0), (u64)H_NOT_FOUND);
	CHECK_EQ(hcall(&r, 0x04, 0, 9, 0, 0), H_SUCCESS);
	ppc_rig_free(&r);
}

/* ---- soft TLB fills and accesses ---- */

static void t_fill(void)
{
	struct ppc_rig r;
	struct irrun_fill f;
	u64 gpa;
	const u8 *host;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	r.c[0]->msr &= ~PPC_MSR_PR;
	CHECK_EQ(ppc_fill(r.c[0], KERNEL_EA, 8, false, &f), 0);
	CHECK(f.host == r.ram + 0x345678);
	CHECK_EQ(f.start, 0xc000000000000000);
	CHECK_EQ(f.bytes, RIG_RAM);
	/* A code page is filled for reading only, and cuts stretches for writing. */
	ppc_protect(&r.vm, 0x345000);
	CHECK_EQ(ppc_rig_look().protects, 1);
	ppc_protect(&r.vm, 0x345000); /* another unit of the page: soft TLBs need no second look */
	CHECK_EQ(ppc_rig_look().protects, 0);
	CHECK_EQ(ppc_fill(r.c[0], KERNEL_EA, 8, true, &f), 0);
	CHECK(!f.host);
	CHECK_EQ(ppc_fill(r.c[0], KERNEL_EA + 0x1000, 8, true, &f), 0);
	CHECK(f.host == r.ram + 0x346678);
	CHECK_EQ(f.start, 0xc000000000346000);
	/* A store to it by the slow way tells the run time once. */
	CHECK_EQ(ppc_access_any(r.c[0], KERNEL_EA, 8, true, &gpa), 0);
	CHECK_EQ(ppc_rig_look().pages, 1);
	CHECK_EQ(ppc_access_any(r.c[0], KERNEL_EA, 8, true, &gpa), 0);
	CHECK_EQ(ppc_rig_look().pages, 0);
	CHECK_EQ(ppc_fetch(r.c[0], KERNEL_EA & ~3ull, &gpa, &host), 0);
	CHECK_EQ(gpa, 0x345678);
	CHECK(host == r.ram + 0x345678);
	CHECK_EQ(ppc_fetch(r.c[0], 0xc000000000000000 + RIG_RAM, &gpa, &host), 0);
	CHECK(!host);
	CHECK_EQ(ppc_fill(r.c[0], BIT(63), 8, false, &f), -1);
	CHECK(r.c[0]->exc.pending);
	ppc_rig_free(&r);
}

static void t_cas(void)
{
	struct ppc_rig r;
	u64 ea = 0xc000000000345670, old = 5, new = 7;
	u32 old4 = 7, new4 = 9;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	r.c[0]->msr &= ~PPC_MSR_PR;
	CHECK_EQ(ppc_cas(r.c[0], ea, 8, &old, &new), 0);
	store_le64(r.ram + 0x345670, 5);
	ppc_protect(&r.vm, 0x345000);
	ppc_rig_look();
	CHECK_EQ(ppc_cas(r.c[0], ea, 8, &old, &new), 1);
	CHECK_EQ(load_le64(r.ram + 0x345670), 7);
	CHECK_EQ(ppc_rig_look().pages, 1);
	CHECK_EQ(ppc_cas(r.c[0], ea, 4, &old4, &new4), 1);
	CHECK_EQ(load_le64(r.ram + 0x345670), 9);
	CHECK_EQ(ppc_cas(r.c[0], ea + 2, 4, &old4, &new4), 0); /* unaligned */
	CHECK_EQ(ppc_cas(r.c[0], BIT(63), 8, &old, &new), -1);
	CHECK_EQ(ppc_cas(r.c[0], 0xc000000000000000 + RIG_RAM, 8, &old, &new), 0);
	ppc_rig_free(&r);
}

/* A page table that lies among translated code is written by the slow way alone. */
/* stqcx. and the atomic memory operations: one of two that meet wins. */
static void t_cas_wide(void)
{
	u8 old[16], new[16];
	struct ppc_rig r;
	struct ppc_vcpu *c;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = PPC_MSR_SF;
	for (unsigned i = 0; i < 16; i++) {
		r.ram[0x4000 + i] = old[i] = (u8)i;
		new[i] = (u8)(0x80 + i);
	}
	ppc_protect(&r.vm, 0x4000);
	ppc_rig_look();
	CHECK_EQ(ppc_mem_cas(c, 0x4000, old, new, 16), 1);
	CHECK(!memcmp(r.ram + 0x4000, new, 16));
	CHECK_EQ(ppc_rig_look().pages, 1); /* code there is forgotten */
	CHECK_EQ(ppc_mem_cas(c, 0x4000, old, new, 16), 0);
	new[15] = 0; /* the upper half alone differs */
	CHECK_EQ(ppc_mem_cas(c, 0x4000, new, old, 16), 0);
	CHECK_EQ(r.ram[0x400f], 0x8f);
	CHECK_EQ(ppc_mem_cas(c, 0x4000, new, old, 8), 1);
	CHECK(!memcmp(r.ram + 0x4000, old, 8) && r.ram[0x4008] == 0x88);
	CHECK_EQ(ppc_mem_cas(c, RIG_RAM, old, new, 8), 0); /* no RAM */
	ppc_rig_free(&r);
}

static void t_fill_defers(void)
{
	struct ppc_rig r;
	struct irrun_fill f;
	u64 val;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	ppc_rig_put(&r, leaf_at(), LEAF | 0x7000 | RW);
	ppc_protect(&r.vm, leaf_at());
	ppc_rig_look();
	CHECK_EQ(ppc_fill(r.c[0], USER_EA, 4, false, &f), 0);
	CHECK(!f.host);
	CHECK_EQ(ppc_rig_look().pages, 0);
	CHECK_EQ(ppc_rig_get(&r, leaf_at()), LEAF | 0x7000 | RW);
	CHECK_EQ(ppc_access_any(r.c[0], USER_EA, 4, false, &val), 0);
	CHECK_EQ(ppc_rig_look().pages, 1);
	CHECK_EQ(ppc_rig_get(&r, leaf_at()), LEAF | 0x7000 | RW | R);
	CHECK_EQ(ppc_fill(r.c[0], USER_EA, 4, false, &f), 0);
	CHECK(f.host == r.ram + 0x7abc);
	ppc_rig_free(&r);
}

static void t_device(void)
{
	struct ppc_rig r;
	u32 val = 0x11223344;
	u64 big = 0;
	u64 ea = 0xc000000000000000 + RIG_RAM + 0x100;

	ppc_rig_make(&r, 1);
	radix_make(&r);
	r.c[0]->msr &= ~PPC_MSR_PR;
	CHECK_EQ(ppc_access_any(r.c[0], ea, 4, true, &val), 0);
	CHECK_EQ(r.mmio_addr, RIG_RAM + 0x100);
	CHECK_EQ(r.mmio_size, 4);
	CHECK_EQ(r.mmio_val, 0x11223344);
	r.mmio_val = 0x1020304050607080;
	CHECK_EQ(ppc_access_any(r.c[0], ea, 8, false, &big), 0);
	CHECK_EQ(big, 0x1020304050607080);
	/* Across the end of RAM: both halves, in order. */
	big = 0x8877665544332211;
	CHECK_EQ(ppc_access_any(r.c[0], 0xc000000000000000 + RIG_RAM - 4, 8, true, &big), 0);
	CHECK_EQ(load_le32(r.ram + RIG_RAM - 4), 0x44332211);
	CHECK_EQ(r.mmio_val, 0x88776655);
	CHECK_EQ(r.mmio_addr, RIG_RAM);
	ppc_rig_free(&r);
}

/* A debugger's watchpoints: their pages are not filled, their accesses not made. */
static void t_watch(void)
{
	struct vcpu_debug d = {
		.nbreaks = 1, .nwatch = 1, .watch = {{.addr = 0x5004, .len = 4, .on_write = true}}};
	struct irrun_fill f;
	struct ppc_rig r;
	struct ppc_vcpu *c;
	u64 v = ~0ULL;

	ppc_rig_make(&r, 1);
	c = r.c[0];
	c->msr = PPC_MSR_SF;
	ppc_rig_look();
	ppc_debug_set(c, &d);
	CHECK_EQ(ppc_rig_look().flushes, 1);
	CHECK_EQ(ppc_fill(c, 0x5800, 8, false, &f), 0);
	CHECK(!f.host);
	CHECK_EQ(ppc_fill(c, 0x4800, 8, false, &f), 0);
	CHECK(f.host && f.start == 0x4000 && f.bytes == GPA_PAGE_SIZE);
	CHECK_EQ(ppc_access_any(c, 0x5000, 4, true, &v), 0);
	CHECK_EQ(ppc_access_any(c, 0x5004, 4, false, &v), 0);
	CHECK(!ppc_debug_exit(c, IRRUN_LEFT));
	CHECK_EQ(ppc_access_any(c, 0x5000, 8, true, &v), -1);
	CHECK_EQ(load_le64(r.ram + 0x5000), 0xffffffff);
	CHECK(ppc_debug_exit(c, IRRUN_LEFT));
	CHECK_EQ(c->sys->dbg_addr, 0x5004);
	ppc_debug_set(c, &d);
	v = 0;
	CHECK_EQ(ppc_cas(c, 0x5004, 4, &v, &v), -1);
	CHECK(c->sys->dbg_hit);
	ppc_debug_set(c, NULL);
	CHECK_EQ(ppc_access_any(c, 0x5000, 8, true, &v), 0);
	CHECK(!ppc_debug_exit(c, IRRUN_LEFT));
	c->nip = 0x700;
	CHECK(ppc_debug_exit(c, IRRUN_BREAK));
	CHECK_EQ(c->sys->dbg_addr, 0x700);
	ppc_rig_free(&r);
}

int main(void)
{
	RUN(t_radix_walk);
	RUN(t_radix_protection);
	RUN(t_radix_hostile);
	RUN(t_radix_random);
	RUN(t_hash_walk);
	RUN(t_hash_64k_1t);
	RUN(t_hash_protection);
	RUN(t_hpt_calls);
	RUN(t_fill);
	RUN(t_cas);
	RUN(t_cas_wide);
	RUN(t_fill_defers);
	RUN(t_device);
	RUN(t_watch);
	return test_done();
}
