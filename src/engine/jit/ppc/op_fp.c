/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Scalar floating point (Book I 4.6) and the scalar doubles and singles of VSX (7.6), exactly.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/op_fp.h"

struct operands {
	u64 a, b, c;
};

static u64 fpr(const struct ppc_vcpu *c, unsigned n)
{
	return c->vsr[n].dw[PPC_DW0];
}

static struct operands fetch(const struct ppc_vcpu *c, u32 w, u32 form)
{
	switch (form & F_FORM) {
	case F_AB:
		return (struct operands){fpr(c, ppc_ra(w)), fpr(c, ppc_rb(w)), 0};
	case F_AC:
		return (struct operands){fpr(c, ppc_ra(w)), fpr(c, ppc_rc(w)), 0};
	case F_ACB:
		return (struct operands){fpr(c, ppc_ra(w)), fpr(c, ppc_rb(w)), fpr(c, ppc_rc(w))};
	case F_B:
		return (struct operands){0, fpr(c, ppc_rb(w)), 0};
	case X_AB:
		return (struct operands){fpr(c, ppc_xa(w)), fpr(c, ppc_xb(w)), 0};
	case X_B:
		return (struct operands){
			0, fpr(c, ppc_xb(w)) >> ((form & 0xff) == FP_SPDP ? 32 : 0), 0};
	case X_MA:
		return (struct operands){fpr(c, ppc_xa(w)), fpr(c, ppc_xt(w)), fpr(c, ppc_xb(w))};
	default:
		return (struct operands){fpr(c, ppc_xa(w)), fpr(c, ppc_xb(w)), fpr(c, ppc_xt(w))};
	}
}

static bool is_vsx(u32 arg)
{
	return (arg & F_FORM) >= X_AB;
}

/* The other half of the target is undefined (2.07), 0 in practice. */
static void set_target(struct ppc_vcpu *c, u32 w, u32 arg, u64 v)
{
	union ppc_vsr *t = &c->vsr[is_vsx(arg) ? ppc_xt(w) : ppc_rt(w)];

	t->dw[PPC_DW0] = v;
	t->dw[PPC_DW(1)] = 0;
}

static int done(struct ppc_vcpu *c, u32 w, u32 arg)
{
	if (!is_vsx(arg) && (w & 1))
		fp_record(c);
	return fp_check_enabled(c);
}

static bool to_int(unsigned op)
{
	return op >= FP_CTID && op <= FP_CTIWUZ;
}

static int op_arith(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct operands o = fetch(c, w, arg);
	struct sfp_env e;
	u64 r;

	fp_sync(c);
	e = fp_env(c);
	r = fp_compute(&e, arg & 0xff, o.a, o.b, o.c);
	if (fp_finish(c, &e, to_int(arg & 0x3f) ? -1 : (s32)sfp_fprf(SFP_64, r)) == 0) {
		if (arg & F_WORD)
			r = (u32)r | r << 32;
		set_target(c, w, arg, r);
	}
	return done(c, w, arg);
}

/* The operation again for a result that the host could not give: flags now, FPRF when asked. */
static u64 redo(struct ppc_vcpu *c, u32 w)
{
	const struct ppc_row *row = ppc_decode(w);
	u32 arg = row ? ppc_op_fp(row->op).arg : 0;
	struct operands o = fetch(c, w, arg);
	struct sfp_env e = fp_env(c);
	u64 r = fp_compute(&e, arg & 0xff, o.a, o.b, o.c);

	fp_raise_flags(c, e.flags);
	return r;
}

u64 ppc_fp_fix(void *cpu, u64 w, u64 b, u64 c)
{
	return redo(cpu, (u32)w);
}

u64 ppc_fp_fix32(void *cpu, u64 w, u64 b, u64 c)
{
	return ppc_fp_stfs(cpu, redo(cpu, (u32)w), 0, 0);
}

/* ---- moves and the like: bits only -------------------------------------------------------- */

static bool not_negative(u64 v)
{
	int r = sfp_compare(sfp_unpack(SFP_64, v), sfp_unpack(SFP_64, 0));

	return r == 0 || r == 1;
}

static u64 moved(unsigned kind, struct operands o)
{
	switch (kind) {
	case MV_NEG:
		return o.b ^ BIT(63);
	case MV_ABS:
		return o.b & ~BIT(63);
	case MV_NABS:
		return o.b | BIT(63);
	case MV_CPSGN:
		return (o.b & ~BIT(63)) | (o.a & BIT(63));
	case MV_SEL: /* FRA >= 0, so no NaN: FRC */
		return not_negative(o.a) ? o.c : o.b;
	case MV_MRGEW:
		return (o.a & ~0xffffffffULL) | o.b >> 32;
	case MV_MRGOW:
		return o.a << 32 | (u32)o.b;
	default:
		return o.b;
	}
}

static int op_move(struct ppc_vcpu *c, u32 w, u32 arg)
{
	set_target(c, w, arg, moved(arg & 0xff, fetch(c, w, arg)));
	if (!is_vsx(arg) && (arg & 0xff) < MV_MRGEW && (w & 1)) {
		fp_sync(c);
		fp_record(c);
	}
	return 0;
}

/* ---- comparisons and tests ------------------------------------------------------------------ */

static void set_crf(struct ppc_vcpu *c, unsigned field, unsigned v)
{
	for (unsigned i = 0; i < 4; i++)
		c->cr[4 * field + i] = v >> (3 - i) & 1;
}

/* arg bit 0: ordered, invalid for any NaN (Book I 4.6.8). */
static int op_cmp(struct ppc_vcpu *c, u32 w, u32 arg)
{
	static const u8 crf[] = {8, 2, 4, 1}; /* less, equal, greater, unordered */
	struct operands o = fetch(c, w, arg);
	struct sfp a = sfp_unpack(SFP_64, o.a), b = sfp_unpack(SFP_64, o.b);
	unsigned r = crf[sfp_compare(a, b) + 1];
	u32 flags = 0;

	fp_sync(c);
	if (r == 1) {
		if (a.snan || b.snan)
			flags = PPC_FPSCR_VXSNAN;
		if ((arg & 1) && (!flags || !(c->fpscr & PPC_FPSCR_VE)))
			flags |= PPC_FPSCR_VXVC;
	}
	c->fpscr = (c->fpscr & ~(0xfULL << PPC_FPSCR_FPRF_SHIFT)) | (u64)r << PPC_FPSCR_FPRF_SHIFT;
	set_crf(c, ppc_bits(w, 6, 8), r);
	fp_raise_flags(c, flags);
	return fp_check_enabled(c);
}

/* For generated code that found its operands unordered: exceptions; 1 is CR's unordered bit. */
u64 ppc_fp_cmp(void *cpu, u64 word, u64 unused, u64 unused2)
{
	struct ppc_vcpu *c = cpu;
	const struct ppc_row *row = ppc_decode((u32)word);
	u32 arg = row ? ppc_op_fp(row->op).arg : 0;
	struct operands o = fetch(c, (u32)word, arg);
	bool snan = sfp_unpack(SFP_64, o.a).snan || sfp_unpack(SFP_64, o.b).snan;

	fp_raise_flags(c, (snan ? PPC_FPSCR_VXSNAN : 0) | (arg & 1 ? PPC_FPSCR_VXVC : 0));
	return 1;
}

/* ftdiv, xstdivdp: may software division go wrong (Book I 4.6.6, ftdiv). */
static int op_tdiv(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct operands o = fetch(c, w, arg);
	struct sfp a = sfp_unpack(SFP_64, o.a), b = sfp_unpack(SFP_64, o.b);
	unsigned r = 8;

	if (a.cls == SFP_INF || b.cls == SFP_INF || b.cls == SFP_ZERO_ || b.subnormal)
		r |= 4;
	if (r & 4 && (a.cls == SFP_INF || b.cls == SFP_INF || b.cls == SFP_ZERO_))
		r |= 2;
	else if (a.cls == SFP_NAN || b.cls == SFP_NAN || b.exp <= -1022 || b.exp >= 1021)
		r |= 2;
	else if (a.cls == SFP_NORMAL &&
		 (a.exp - b.exp >= 1023 || a.exp - b.exp <= -1021 || a.exp <= -970))
		r |= 2;
	set_crf(c, ppc_bits(w, 6, 8), r);
	return 0;
}

static int op_tsqrt(struct ppc_vcpu *c, u32 w, u32 arg)
{
	struct sfp b = sfp_unpack(SFP_64, fetch(c, w, arg).b);
	unsigned r = 8;

	if (b.cls == SFP_INF || b.cls == SFP_ZERO_ || b.subnormal)
		r |= 4;
	if (b.cls != SFP_NORMAL || b.sign || b.exp <= -970)
		r |= 2;
	set_crf(c, ppc_bits(w, 6, 8), r);
	return 0;
}

/* ---- FPSCR (Book I 4.6.9) ------------------------------------------------------------------- */

enum mffs { FS_ALL, FS_CE, FS_CDRN, FS_CDRNI, FS_CRN, FS_CRNI, FS_L };

/* What mffsl and those that change something show: DRN, exception enables, NI, RN, and of mffsl FR,
 * FI, FPRF. */
#define FPSCR_CONTROL (7ULL << 32 | 0xff)

static int op_mffs(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v, b = fpr(c, ppc_rb(w));

	fp_sync(c);
	v = c->fpscr;
	if (arg != FS_ALL && arg != FS_CE)
		v &= FPSCR_CONTROL | (arg == FS_L ? 0x7f000ULL : 0);
	c->vsr[ppc_rt(w)].dw[PPC_DW0] = v;
	c->vsr[ppc_rt(w)].dw[PPC_DW(1)] = 0;
	if (arg == FS_ALL && (w & 1))
		fp_record(c);
	if (arg == FS_CE)
		fp_write_fpscr(c, c->fpscr & ~0xf8ULL);
	else if (arg == FS_CDRN)
		fp_write_fpscr(c, (c->fpscr & ~(7ULL << 32)) | (b & 7ULL << 32));
	else if (arg == FS_CDRNI)
		fp_write_fpscr(c, (c->fpscr & ~(7ULL << 32)) | (u64)ppc_bits(w, 18, 20) << 32);
	else if (arg == FS_CRN)
		fp_write_fpscr(c, (c->fpscr & ~3ULL) | (b & 3));
	else if (arg == FS_CRNI)
		fp_write_fpscr(c, (c->fpscr & ~3ULL) | ppc_bits(w, 19, 20));
	return 0;
}

/* Exception bits; mcrfs clears those it copies. */
#define FPSCR_EXCEPTIONS 0x9ff80700ULL

static int op_mcrfs(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned sh = 28 - 4 * ppc_bits(w, 11, 13);

	fp_sync(c);
	set_crf(c, ppc_bits(w, 6, 8), c->fpscr >> sh & 15);
	fp_write_fpscr(c, c->fpscr & ~(FPSCR_EXCEPTIONS & 15ULL << sh));
	return 0;
}

/* Bits that software can set: all of the low word but FEX, VX and bit 20; DRN. */
#define FPSCR_SETTABLE (7ULL << 32 | 0x9ffff7ffULL)

static int write_masked(struct ppc_vcpu *c, u32 w, u64 v, u64 mask)
{
	mask &= FPSCR_SETTABLE;
	fp_write_fpscr(c, (c->fpscr & ~mask) | (v & mask));
	if (w & 1)
		fp_record(c);
	return fp_check_enabled(c);
}

static int op_mtfsf(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned flm = ppc_bits(w, 7, 14);
	u64 mask = 0;

	fp_sync(c);
	if (w >> 25 & 1)
		mask = ~0ULL;
	for (unsigned i = 0; i < 8; i++)
		if (flm >> i & 1)
			mask |= 15ULL << (4 * i + (w >> 16 & 1 ? 32 : 0));
	return write_masked(c, w, fpr(c, ppc_rb(w)), mask);
}

static int op_mtfsfi(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned sh = 28 - 4 * ppc_bits(w, 6, 8) + (w >> 16 & 1 ? 32 : 0);

	fp_sync(c);
	return write_masked(c, w, (u64)ppc_bits(w, 16, 19) << sh, 15ULL << sh);
}

static int op_mtfsb(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 bit = BIT(31 - ppc_rt(w)) & FPSCR_SETTABLE;

	fp_sync(c);
	if (!arg)
		return write_masked(c, w, 0, bit);
	if (bit & FPSCR_EXCEPTIONS & ~c->fpscr)
		c->fpscr |= PPC_FPSCR_FX;
	return write_masked(c, w, bit, bit);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define S FP_SINGLE

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_FMR] = {op_move, F_B | MV_MR},
	[PPC_OP_FNEG] = {op_move, F_B | MV_NEG},
	[PPC_OP_FABS] = {op_move, F_B | MV_ABS},
	[PPC_OP_FNABS] = {op_move, F_B | MV_NABS},
	[PPC_OP_FCPSGN] = {op_move, F_AB | MV_CPSGN},
	[PPC_OP_FSEL] = {op_move, F_ACB | MV_SEL},
	[PPC_OP_FMRGEW] = {op_move, F_AB | MV_MRGEW},
	[PPC_OP_FMRGOW] = {op_move, F_AB | MV_MRGOW},
	[PPC_OP_FADD] = {op_arith, F_AB | FP_ADD},
	[PPC_OP_FADDS] = {op_arith, F_AB | FP_ADD | S},
	[PPC_OP_FSUB] = {op_arith, F_AB | FP_SUB},
	[PPC_OP_FSUBS] = {op_arith, F_AB | FP_SUB | S},
	[PPC_OP_FMUL] = {op_arith, F_AC | FP_MUL},
	[PPC_OP_FMULS] = {op_arith, F_AC | FP_MUL | S},
	[PPC_OP_FDIV] = {op_arith, F_AB | FP_DIV},
	[PPC_OP_FDIVS] = {op_arith, F_AB | FP_DIV | S},
	[PPC_OP_FSQRT] = {op_arith, F_B | FP_SQRT},
	[PPC_OP_FSQRTS] = {op_arith, F_B | FP_SQRT | S},
	[PPC_OP_FRE] = {op_arith, F_B | FP_RE},
	[PPC_OP_FRES] = {op_arith, F_B | FP_RE | S},
	[PPC_OP_FRSQRTE] = {op_arith, F_B | FP_RSQRTE},
	[PPC_OP_FRSQRTES] = {op_arith, F_B | FP_RSQRTE | S},
	[PPC_OP_FMADD] = {op_arith, F_ACB | FP_MADD},
	[PPC_OP_FMADDS] = {op_arith, F_ACB | FP_MADD | S},
	[PPC_OP_FMSUB] = {op_arith, F_ACB | FP_MSUB},
	[PPC_OP_FMSUBS] = {op_arith, F_ACB | FP_MSUB | S},
	[PPC_OP_FNMADD] = {op_arith, F_ACB | FP_NMADD},
	[PPC_OP_FNMADDS] = {op_arith, F_ACB | FP_NMADD | S},
	[PPC_OP_FNMSUB] = {op_arith, F_ACB | FP_NMSUB},
	[PPC_OP_FNMSUBS] = {op_arith, F_ACB | FP_NMSUB | S},
	[PPC_OP_FRSP] = {op_arith, F_B | FP_RSP},
	[PPC_OP_FCFID] = {op_arith, F_B | FP_CFID},
	[PPC_OP_FCFIDU] = {op_arith, F_B | FP_CFIDU},
	[PPC_OP_FCFIDS] = {op_arith, F_B | FP_CFID | S},
	[PPC_OP_FCFIDUS] = {op_arith, F_B | FP_CFIDU | S},
	[PPC_OP_FRIN] = {op_arith, F_B | FP_RIN},
	[PPC_OP_FRIZ] = {op_arith, F_B | FP_RIZ},
	[PPC_OP_FRIP] = {op_arith, F_B | FP_RIP},
	[PPC_OP_FRIM] = {op_arith, F_B | FP_RIM},
	[PPC_OP_FCTID] = {op_arith, F_B | FP_CTID},
	[PPC_OP_FCTIDZ] = {op_arith, F_B | FP_CTIDZ},
	[PPC_OP_FCTIDU] = {op_arith, F_B | FP_CTIDU},
	[PPC_OP_FCTIDUZ] = {op_arith, F_B | FP_CTIDUZ},
	[PPC_OP_FCTIW] = {op_arith, F_B | FP_CTIW},
	[PPC_OP_FCTIWZ] = {op_arith, F_B | FP_CTIWZ},
	[PPC_OP_FCTIWU] = {op_arith, F_B | FP_CTIWU},
	[PPC_OP_FCTIWUZ] = {op_arith, F_B | FP_CTIWUZ},
	[PPC_OP_FCMPU] = {op_cmp, F_AB},
	[PPC_OP_FCMPO] = {op_cmp, F_AB | 1},
	[PPC_OP_FTDIV] = {op_tdiv, F_AB},
	[PPC_OP_FTSQRT] = {op_tsqrt, F_B},
	[PPC_OP_MFFS] = {op_mffs, FS_ALL},
	[PPC_OP_MFFSCE] = {op_mffs, FS_CE},
	[PPC_OP_MFFSCDRN] = {op_mffs, FS_CDRN},
	[PPC_OP_MFFSCDRNI] = {op_mffs, FS_CDRNI},
	[PPC_OP_MFFSCRN] = {op_mffs, FS_CRN},
	[PPC_OP_MFFSCRNI] = {op_mffs, FS_CRNI},
	[PPC_OP_MFFSL] = {op_mffs, FS_L},
	[PPC_OP_MCRFS] = {op_mcrfs, 0},
	[PPC_OP_MTFSF] = {op_mtfsf, 0},
	[PPC_OP_MTFSFI] = {op_mtfsfi, 0},
	[PPC_OP_MTFSB0] = {op_mtfsb, 0},
	[PPC_OP_MTFSB1] = {op_mtfsb, 1},
	/* VSX */
	[PPC_OP_XSADDDP] = {op_arith, X_AB | FP_ADD},
	[PPC_OP_XSADDSP] = {op_arith, X_AB | FP_ADD | S},
	[PPC_OP_XSSUBDP] = {op_arith, X_AB | FP_SUB},
	[PPC_OP_XSSUBSP] = {op_arith, X_AB | FP_SUB | S},
	[PPC_OP_XSMULDP] = {op_arith, X_AB | FP_MUL},
	[PPC_OP_XSMULSP] = {op_arith, X_AB | FP_MUL | S},
	[PPC_OP_XSDIVDP] = {op_arith, X_AB | FP_DIV},
	[PPC_OP_XSDIVSP] = {op_arith, X_AB | FP_DIV | S},
	[PPC_OP_XSSQRTDP] = {op_arith, X_B | FP_SQRT},
	[PPC_OP_XSSQRTSP] = {op_arith, X_B | FP_SQRT | S},
	[PPC_OP_XSREDP] = {op_arith, X_B | FP_RE},
	[PPC_OP_XSRESP] = {op_arith, X_B | FP_RE | S},
	[PPC_OP_XSRSQRTEDP] = {op_arith, X_B | FP_RSQRTE},
	[PPC_OP_XSRSQRTESP] = {op_arith, X_B | FP_RSQRTE | S},
	[PPC_OP_XSMADDADP] = {op_arith, X_MA | FP_MADD},
	[PPC_OP_XSMADDMDP] = {op_arith, X_MM | FP_MADD},
	[PPC_OP_XSMSUBADP] = {op_arith, X_MA | FP_MSUB},
	[PPC_OP_XSMSUBMDP] = {op_arith, X_MM | FP_MSUB},
	[PPC_OP_XSNMADDADP] = {op_arith, X_MA | FP_NMADD},
	[PPC_OP_XSNMADDMDP] = {op_arith, X_MM | FP_NMADD},
	[PPC_OP_XSNMSUBADP] = {op_arith, X_MA | FP_NMSUB},
	[PPC_OP_XSNMSUBMDP] = {op_arith, X_MM | FP_NMSUB},
	[PPC_OP_XSMADDASP] = {op_arith, X_MA | FP_MADD | S},
	[PPC_OP_XSMADDMSP] = {op_arith, X_MM | FP_MADD | S},
	[PPC_OP_XSMSUBASP] = {op_arith, X_MA | FP_MSUB | S},
	[PPC_OP_XSMSUBMSP] = {op_arith, X_MM | FP_MSUB | S},
	[PPC_OP_XSNMADDASP] = {op_arith, X_MA | FP_NMADD | S},
	[PPC_OP_XSNMADDMSP] = {op_arith, X_MM | FP_NMADD | S},
	[PPC_OP_XSNMSUBASP] = {op_arith, X_MA | FP_NMSUB | S},
	[PPC_OP_XSNMSUBMSP] = {op_arith, X_MM | FP_NMSUB | S},
	[PPC_OP_XSRSP] = {op_arith, X_B | FP_RSP},
	[PPC_OP_XSCVSPDP] = {op_arith, X_B | FP_SPDP},
	[PPC_OP_XSCVSXDDP] = {op_arith, X_B | FP_CFID},
	[PPC_OP_XSCVUXDDP] = {op_arith, X_B | FP_CFIDU},
	[PPC_OP_XSCVSXDSP] = {op_arith, X_B | FP_CFID | S},
	[PPC_OP_XSCVUXDSP] = {op_arith, X_B | FP_CFIDU | S},
	[PPC_OP_XSCVDPSXDS] = {op_arith, X_B | FP_CTIDZ},
	[PPC_OP_XSCVDPUXDS] = {op_arith, X_B | FP_CTIDUZ},
	[PPC_OP_XSCVDPSXWS] = {op_arith, X_B | FP_CTIWZ | F_WORD},
	[PPC_OP_XSCVDPUXWS] = {op_arith, X_B | FP_CTIWUZ | F_WORD},
	[PPC_OP_XSRDPI] = {op_arith, X_B | FP_RIN},
	[PPC_OP_XSRDPIZ] = {op_arith, X_B | FP_RIZ},
	[PPC_OP_XSRDPIP] = {op_arith, X_B | FP_RIP},
	[PPC_OP_XSRDPIM] = {op_arith, X_B | FP_RIM},
	[PPC_OP_XSRDPIC] = {op_arith, X_B | FP_RIC},
	[PPC_OP_XSABSDP] = {op_move, X_B | MV_ABS},
	[PPC_OP_XSNABSDP] = {op_move, X_B | MV_NABS},
	[PPC_OP_XSNEGDP] = {op_move, X_B | MV_NEG},
	[PPC_OP_XSCPSGNDP] = {op_move, X_AB | MV_CPSGN},
	[PPC_OP_XSCMPUDP] = {op_cmp, X_AB},
	[PPC_OP_XSCMPODP] = {op_cmp, X_AB | 1},
	[PPC_OP_XSTDIVDP] = {op_tdiv, X_AB},
	[PPC_OP_XSTSQRTDP] = {op_tsqrt, X_B},
};

struct ppc_op_row ppc_op_fp(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
