/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Special purpose registers (ISA 3.0 III 5.4.4) as a guest in HV = 0 sees them:
 * hypervisor's and unknown ones do nothing when privileged software names them,
 * for a problem-state program they are privileged or illegal instructions.
 *
 * The decrementer counts by the VM's time base: it is pending while that has
 * passed dec_deadline (level-sensitive, as on POWER9), 32 bits wide.
 */
#include "engine/jit/ppc/system.h"

/* Who may do what: problem state, privileged. */
enum { PR = 1, PW = 2, SR = 4, SW = 8, S = SR | SW, P = PR | PW };

enum spr_number {
	SPR_DSCR_USER = 3,
	SPR_LR = 8,
	SPR_CTR = 9,
	SPR_AMR_USER = 13,
	SPR_DSCR = 17,
	SPR_DSISR = 18,
	SPR_DAR = 19,
	SPR_DEC = 22,
	SPR_SRR0 = 26,
	SPR_SRR1 = 27,
	SPR_CFAR = 28,
	SPR_AMR = 29,
	SPR_PIDR = 48,
	SPR_IAMR = 61,
	SPR_TFHAR = 128,
	SPR_TFIAR = 129,
	SPR_TEXASR = 130,
	SPR_TEXASRU = 131,
	SPR_CTRL_READ = 136,
	SPR_TIDR = 144,
	SPR_CTRL = 152,
	SPR_FSCR = 153,
	SPR_UAMOR = 157,
	SPR_PSPB = 159,
	SPR_VRSAVE = 256,
	SPR_SPRG3_USER = 259,
	SPR_TB = 268,
	SPR_TBU = 269,
	SPR_SPRG0 = 272,
	SPR_PVR = 287,
	SPR_SPURR = 308,
	SPR_PURR = 309,
	SPR_USER_PMU = 768,
	SPR_USER_PMU_LAST = 783,
	SPR_SIER = 784,
	SPR_MMCR2 = 785,
	SPR_MMCRA = 786,
	SPR_PMC1 = 787,
	SPR_MMCR0 = 795,
	SPR_SIAR = 796,
	SPR_SDAR = 797,
	SPR_MMCR1 = 798,
	SPR_BESCRS = 800,
	SPR_BESCRSU = 801,
	SPR_BESCRR = 802,
	SPR_BESCRRU = 803,
	SPR_EBBHR = 804,
	SPR_EBBRR = 805,
	SPR_BESCR = 806,
	SPR_NOOP_FIRST = 808, /* reserved no-ops, ISA III 5.4.4 */
	SPR_NOOP_LAST = 811,
	SPR_TAR = 815,
	SPR_PSSCR = 823,
	SPR_VTB = 849,
	SPR_WORT = 895,
	SPR_PPR = 896,
	SPR_PPR32 = 898,
	SPR_PIR = 1023,
};

struct spr {
	u16 n;
	u8 may, bytes; /* bytes 0: special, see special_read and special_write */
	u16 off;
	u8 facility; /* PPC_FAC_* that FSCR must allow problem state, or 0 */
};

#define AT(field) sizeof(((struct ppc_vcpu *)0)->field), offsetof(struct ppc_vcpu, field)
static_assert(offsetof(struct ppc_vcpu, rt) < 0x10000, "offsets of registers are 16 bits");

/* clang-format off */
static const struct spr sprs[] = {
	{SPR_DSCR_USER, P | S, AT(dscr), PPC_FAC_DSCR},
	{SPR_LR, P | S, AT(lr), 0},
	{SPR_CTR, P | S, AT(ctr), 0},
	{SPR_AMR_USER, P | S, 0, 0, 0},
	{SPR_DSCR, S, AT(dscr), 0},
	{SPR_DSISR, S, AT(dsisr), 0},
	{SPR_DAR, S, AT(dar), 0},
	{SPR_DEC, S, 0, 0, 0},
	{SPR_SRR0, S, AT(srr0), 0},
	{SPR_SRR1, S, AT(srr1), 0},
	{SPR_CFAR, S, AT(cfar), 0},
	{SPR_AMR, S, 0, 0, 0},
	{SPR_PIDR, S, 0, 0, 0},
	{SPR_IAMR, S, 0, 0, 0},
	{SPR_CTRL_READ, PR | SR, AT(ctrl), 0},
	{SPR_TIDR, S, AT(tidr), 0},
	{SPR_CTRL, SW, AT(ctrl), 0},
	{SPR_FSCR, S, 0, 0, 0},
	{SPR_UAMOR, S, AT(uamor), 0},
	{SPR_PSPB, S, AT(pspb), 0},
	{SPR_VRSAVE, P | S, AT(vrsave), 0},
	{SPR_SPRG3_USER, PR | SR, AT(sprg[3]), 0},
	{SPR_TB, PR | SR, 0, 0, 0},
	{SPR_TBU, PR | SR, 0, 0, 0},
	{SPR_SPRG0, S, AT(sprg[0]), 0},
	{SPR_SPRG0 + 1, S, AT(sprg[1]), 0},
	{SPR_SPRG0 + 2, S, AT(sprg[2]), 0},
	{SPR_SPRG0 + 3, S, AT(sprg[3]), 0},
	{SPR_PVR, SR, AT(pvr), 0},
	{SPR_SPURR, SR, 0, 0, 0},
	{SPR_PURR, SR, 0, 0, 0},
	{SPR_SIER, S, AT(sier), 0},
	{SPR_MMCR2, S, AT(mmcr2), 0},
	{SPR_MMCRA, S, AT(mmcra), 0},
	{SPR_PMC1, S, AT(pmc[0]), 0},
	{SPR_PMC1 + 1, S, AT(pmc[1]), 0},
	{SPR_PMC1 + 2, S, AT(pmc[2]), 0},
	{SPR_PMC1 + 3, S, AT(pmc[3]), 0},
	{SPR_PMC1 + 4, S, AT(pmc[4]), 0},
	{SPR_PMC1 + 5, S, AT(pmc[5]), 0},
	{SPR_MMCR0, S, AT(mmcr0), 0},
	{SPR_SIAR, S, AT(siar), 0},
	{SPR_SDAR, S, AT(sdar), 0},
	{SPR_MMCR1, S, AT(mmcr1), 0},
	{SPR_BESCRS, P | S, 0, 0, PPC_FAC_EBB},
	{SPR_BESCRSU, P | S, 0, 0, PPC_FAC_EBB},
	{SPR_BESCRR, P | S, 0, 0, PPC_FAC_EBB},
	{SPR_BESCRRU, P | S, 0, 0, PPC_FAC_EBB},
	{SPR_EBBHR, P | S, AT(ebbhr), PPC_FAC_EBB},
	{SPR_EBBRR, P | S, AT(ebbrr), PPC_FAC_EBB},
	{SPR_BESCR, P | S, AT(bescr), PPC_FAC_EBB},
	{SPR_TAR, P | S, AT(tar), PPC_FAC_TAR},
	{SPR_PSSCR, S, AT(psscr), 0},
	{SPR_VTB, SR, 0, 0, 0},
	{SPR_WORT, S, AT(wort), 0},
	{SPR_PPR, P | S, AT(ppr), 0},
	{SPR_PPR32, P | S, 0, 0, 0},
	{SPR_PIR, SR, AT(pir), 0},
};
/* clang-format on */

static const struct spr *spr_find(u32 n)
{
	unsigned lo = 0, hi = ARRAY_LEN(sprs);

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (sprs[mid].n == n)
			return &sprs[mid];
		if (sprs[mid].n < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int facility_fault(struct ppc_vcpu *c, unsigned facility)
{
	ppc_raise(c, PPC_FACILITY, 0);
	c->exc.lev = (u16)facility;
	return -1;
}

/* What is not there, or not for this state: 0 if it does nothing. */
static int refused(struct ppc_vcpu *c, u32 n, bool write)
{
	if (n >= SPR_TFHAR && n <= SPR_TEXASRU)
		return facility_fault(c, PPC_FAC_TM);
	if (!(c->msr & PPC_MSR_PR)) {
		bool illegal = n == 0 || (!write && n >= 4 && n <= 6);

		return illegal ? ppc_raise(c, PPC_HEAI, 0) : 0;
	}
	if (n >= SPR_NOOP_FIRST && n <= SPR_NOOP_LAST)
		return 0;
	if (n >= SPR_USER_PMU && n <= SPR_USER_PMU_LAST)
		return facility_fault(c, PPC_FAC_PMU);
	return n & 0x10 ? ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_PRIV) : ppc_raise(c, PPC_HEAI, 0);
}

/* The row if the access may go on; else NULL with *err as refused() says. */
static const struct spr *spr_check(struct ppc_vcpu *c, u32 n, bool write, int *err)
{
	const struct spr *r = spr_find(n);
	bool problem = c->msr & PPC_MSR_PR;
	u8 need = write ? (problem ? PW : SW) : (problem ? PR : SR);

	*err = 0;
	if (!r || !(r->may & need)) {
		*err = refused(c, n, write);
		return NULL;
	}
	if (problem && r->facility && !(c->fscr >> r->facility & 1)) {
		*err = facility_fault(c, r->facility);
		return NULL;
	}
	return r;
}

/* ---- time ---- */

u64 ppc_timebase(struct ppc_vcpu *c)
{
	return c->vm->host.timebase(c->vm->host.opaque) + c->tb_offset;
}

bool ppc_dec_pending(struct ppc_vcpu *c)
{
	return (s64)(ppc_timebase(c) - c->dec_deadline) >= 0;
}

void ppc_dec_arm(struct ppc_vcpu *c)
{
	const struct vcpu_bus *bus = &c->sys->bus;
	u64 armed = atomic_load(&c->sys->timer_armed), now = ppc_timebase(c);
	s64 left = (s64)(c->dec_deadline - now);

	if (left <= 0 || (armed && armed <= c->dec_deadline))
		return;
	atomic_store(&c->sys->timer_armed, c->dec_deadline);
	bus->timer_arm(bus->opaque, (u64)left * 1000 / (PPC_TB_HZ / 1000000) + 1);
}

static void dec_write(struct ppc_vcpu *c, u32 val)
{
	c->dec_deadline = ppc_timebase(c) + (u64)(s64)(s32)val;
	if (ppc_dec_pending(c))
		ppc_kick_set(c, PPC_KICK_IRQ);
	else
		ppc_dec_arm(c);
}

/* ---- registers that are more than storage ---- */

static u64 special_read(struct ppc_vcpu *c, u32 n)
{
	switch (n) {
	case SPR_AMR_USER:
	case SPR_AMR:
		return c->amr;
	case SPR_DEC:
		return (u32)(c->dec_deadline - ppc_timebase(c));
	case SPR_PIDR:
		return c->pidr;
	case SPR_IAMR:
		return c->iamr;
	case SPR_FSCR:
		return c->fscr;
	case SPR_TBU:
		return ppc_timebase(c) >> 32;
	case SPR_BESCRS:
	case SPR_BESCRR:
		return c->bescr;
	case SPR_BESCRSU:
	case SPR_BESCRRU:
		return c->bescr >> 32;
	case SPR_PPR32:
		return c->ppr >> 32;
	default: /* TB, VTB, PURR and SPURR run alike: no vCPU is ever preempted by us */
		return ppc_timebase(c);
	}
}

static void amr_write(struct ppc_vcpu *c, u64 val)
{
	u64 mask = c->msr & PPC_MSR_PR ? c->uamor : ~0ULL, new = (c->amr & ~mask) | (val & mask);
	bool changed = new != c->amr;

	c->amr = new;
	if (changed && !c->vm->radix)
		ppc_flush(c);
}

static void pidr_write(struct ppc_vcpu *c, u32 val)
{
	bool changed = c->pidr != val;

	__atomic_store_n(&c->pidr, val, __ATOMIC_SEQ_CST); /* see ppc_flush_all */
	if (changed && c->vm->radix) /* quadrant 3 is process 0's whoever runs */
		irrun_tlb_flush_range(&c->rt, 0, BIT(62));
}

static void fscr_write(struct ppc_vcpu *c, u64 val)
{
	c->fscr = val & ~BIT(PPC_FAC_TM);
	ppc_mode_changed(c);
}

static void special_write(struct ppc_vcpu *c, u32 n, u64 val)
{
	switch (n) {
	case SPR_AMR_USER:
	case SPR_AMR:
		amr_write(c, val);
		break;
	case SPR_DEC:
		dec_write(c, (u32)val);
		break;
	case SPR_PIDR:
		pidr_write(c, (u32)val);
		break;
	case SPR_IAMR:
		if (c->iamr != val)
			ppc_flush(c);
		c->iamr = val;
		break;
	case SPR_FSCR:
		fscr_write(c, val);
		break;
	case SPR_BESCRS:
		c->bescr |= val;
		break;
	case SPR_BESCRSU:
		c->bescr |= val << 32;
		break;
	case SPR_BESCRR:
		c->bescr &= ~val;
		break;
	case SPR_BESCRRU:
		c->bescr &= ~(val << 32);
		break;
	case SPR_PPR32:
		c->ppr = (u64)(u32)val << 32;
		break;
	}
}

int ppc_spr_read(struct ppc_vcpu *c, u32 n, u64 *val)
{
	int err;
	const struct spr *r = spr_check(c, n, false, &err);
	const u8 *p = (const u8 *)c;

	if (!r)
		return err;
	if (!r->bytes)
		*val = special_read(c, n);
	else
		*val = load_le(p + r->off, r->bytes);
	return 0;
}

int ppc_spr_write(struct ppc_vcpu *c, u32 n, u64 val)
{
	int err;
	const struct spr *r = spr_check(c, n, true, &err);
	u8 *p = (u8 *)c;

	if (err) {
		c->nip -= 4;
		return err;
	}
	if (r && r->bytes)
		store_le(p + r->off, r->bytes, val);
	else if (r)
		special_write(c, n, val);
	return 0;
}
