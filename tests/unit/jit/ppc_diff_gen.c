// SPDX-License-Identifier: Apache-2.0
/*
 * Random states and instruction words for ppc_diff: values at the edges, operands that exist,
 * addresses inside the state.
 */
#include "tests/unit/jit/ppc_diff.h"

static u64 rng = 1;

void diff_seed(u64 seed)
{
	rng = seed ? seed : 1;
}

static u64 random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static unsigned below(unsigned n)
{
	return (unsigned)(random64() >> 20) % n;
}

static u64 random_int(void)
{
	static const u64 edge[] = {0,
				   1,
				   ~0ULL,
				   1ULL << 63,
				   ~(1ULL << 63),
				   0x80000000,
				   0x7fffffff,
				   0xffffffff,
				   0xffffffff80000000ULL,
				   64,
				   32,
				   31,
				   63};

	switch (below(5)) {
	case 0:
		return edge[below(ARRAY_LEN(edge))];
	case 1:
		return random64() >> below(64);
	case 2:
		return (u64)((s64)random64() >> below(64));
	default:
		return random64();
	}
}

static u64 random_double(void)
{
	u64 r = random64(), sign = r & BIT(63), frac = random64() & (BIT(52) - 1);

	switch (below(12)) {
	case 0:
		return sign;
	case 1:
		return sign | 0x7ffULL << 52;
	case 2:
		return sign | 0x7ffULL << 52 | frac;
	case 3:
		return sign | frac >> below(52);
	case 4:
		return sign | BIT(52);
	case 5:
		return sign | 0x7feULL << 52 | frac;
	case 6: /* around single's least */
		return sign | (u64)(0x3ff - 126 - 26 + below(30)) << 52 | frac;
	case 7: /* a single */
		return sign | (u64)(0x3ff - 30 + below(60)) << 52 | (frac & ~0x1fffffffULL);
	case 8: /* an integer or nearly */
		return sign | (u64)(0x3ff + below(66)) << 52 | (frac & ~(BIT(below(52)) - 1));
	case 9:
		return sign | (u64)(1 + below(60)) << 52 | frac;
	default:
		return sign | (u64)(0x3ff - 8 + below(16)) << 52 | frac;
	}
}

static u32 random_single(void)
{
	u64 r = random64();
	u32 sign = (u32)r & 0x80000000, frac = (u32)(r >> 32) & 0x7fffff;

	switch (below(9)) {
	case 0:
		return sign;
	case 1:
		return sign | 0x7f800000;
	case 2:
		return sign | 0x7f800000 | frac;
	case 3:
		return sign | frac >> below(23);
	case 4:
		return sign | 0x7f000000 | frac;
	case 5:
		return sign | (127 + below(40)) << 23 | (frac & ~((1u << below(23)) - 1));
	default:
		return sign | (127 - 8 + below(16)) << 23 | frac;
	}
}

static u64 random_element(void)
{
	static const u64 edge[] = {0,
				   ~0ULL,
				   0x8080808080808080ULL,
				   0x7f7f7f7f7f7f7f7fULL,
				   0x8000800080008000ULL,
				   0x7fff7fff7fff7fffULL,
				   0x8000000080000000ULL,
				   0x7fffffff7fffffffULL,
				   0x0001000200040008ULL};

	switch (below(8)) {
	case 0:
		return edge[below(ARRAY_LEN(edge))];
	case 1:
	case 2:
		return random_double();
	case 3:
	case 4:
		return (u64)random_single() << 32 | random_single();
	case 5: { /* decimal digits */
		u64 v = 0;

		for (unsigned i = 0; i < 16; i++)
			v = v << 4 | below(10);
		return below(4) ? v : v >> 4 * below(16);
	}
	default:
		return random64();
	}
}

static u64 random_fpscr(void)
{
	u64 v = below(4);

	if (below(3) == 0)
		v |= random64() & 0x1ff80700; /* sticky bits */
	if (below(3) == 0)
		v |= random64() & 0x7f000;
	if (v & 0x1ff80700)
		v |= BIT(31);
	return v;
}

static void random_state(struct state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < 32; i++)
		s->gpr[i] = random_int();
	s->gpr[1] = STATE_ADDR;
	s->gpr[13] = 0;
	s->lr = random_int();
	s->ctr = random_int();
	s->tar = random_int();
	s->xer = random64() & 0xe00c007f;
	s->cr = (u32)random64();
	s->fpscr = random_fpscr();
	s->vscr = random64() & 1;
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			s->vsr[i][k] = i < 32 && k == 0 ? random_double() : random_element();
	for (unsigned i = 0; i < sizeof(s->mem); i += 8) {
		u64 v = random_element();

		memcpy(s->mem + i, &v, 8);
	}
}

static bool taken(unsigned reg)
{
	return reg == 1 || reg == 13;
}

/* Does the word name GPR 1 or 13? */
static bool names_taken(const struct ppc_row *r, u32 w)
{
	static const u8 at_rt[] = {PPC_OPND_RT, PPC_OPND_RS, PPC_OPND_RTP, PPC_OPND_RSP};
	static const u8 at_ra[] = {PPC_OPND_RA,	   PPC_OPND_RA0,    PPC_OPND_D_RA,  PPC_OPND_D_RA0,
				   PPC_OPND_DS_RA, PPC_OPND_DS_RA0, PPC_OPND_DQ_RA0};
	bool bad = (has_operand(r, PPC_OPND_RB) && taken(ppc_rb(w))) ||
		   (has_operand(r, PPC_OPND_RC) && taken(ppc_rc(w)));

	for (unsigned i = 0; i < ARRAY_LEN(at_rt); i++)
		bad |= has_operand(r, at_rt[i]) && (taken(ppc_rt(w)) || taken(ppc_rt(w) + 1));
	for (unsigned i = 0; i < ARRAY_LEN(at_ra); i++)
		bad |= has_operand(r, at_ra[i]) && taken(ppc_ra(w));
	/* Multiple and string accesses reach over them. */
	if (ONE_OF(r->op, PPC_OP_LMW, PPC_OP_STMW))
		bad |= ppc_rt(w) < 14 || ppc_ra(w) >= ppc_rt(w);
	if (ONE_OF(r->op, PPC_OP_LSWI, PPC_OP_STSWI))
		bad |= ppc_rt(w) < 14 || ppc_rt(w) > 22;
	if (ONE_OF(r->op, PPC_OP_LSWX, PPC_OP_STSWX)) /* up to 31 bytes, see aim() */
		bad |= ppc_rt(w) < 14 || ppc_rt(w) > 22;
	return bad;
}

static bool is_branch(const struct ppc_row *r)
{
	return ONE_OF(r->op, PPC_OP_B, PPC_OP_BC, PPC_OP_BCLR, PPC_OP_BCCTR, PPC_OP_BCTAR);
}

/* Instructions that this way of trying cannot judge. */
bool diff_skipped(const struct ppc_row *r, bool big_endian)
{
	static const u16 ops[] = {PPC_OP_DARN, PPC_OP_MFTB, PPC_OP_COPY, PPC_OP_PASTE_,
				  PPC_OP_CP_ABORT, PPC_OP_ICBT, PPC_OP_WAIT, PPC_OP_MFBHRBE,
				  PPC_OP_CLRBHRB, PPC_OP_LQARX, PPC_OP_STQCX_, PPC_OP_LQ,
				  PPC_OP_STQ, PPC_OP_DCBST, PPC_OP_DCBF, PPC_OP_LWAT, PPC_OP_LDAT,
				  PPC_OP_STWAT, PPC_OP_STDAT,
				  /* estimates: any of several values */
				  PPC_OP_VEXPTEFP, PPC_OP_VLOGEFP,
				  /* QEMU 7.2 loses the old value of elements */
				  PPC_OP_VRLDMI};

	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		if (r->op == ops[i])
			return true;
	/* QEMU's user emulation dies of the alignment interrupt that little-endian mode has here.
	 */
	if (!big_endian && (r->op == PPC_OP_LMW || r->op == PPC_OP_STMW || r->op == PPC_OP_LSWI ||
			    r->op == PPC_OP_LSWX || r->op == PPC_OP_STSWI || r->op == PPC_OP_STSWX))
		return true;
	return (r->flags & (PPC_F_TM | PPC_F_PRIV | PPC_F_HV)) ||
	       ((r->flags & PPC_F_END) && !is_branch(r) && r->op != PPC_OP_MTVSCR &&
		r->op != PPC_OP_MTSPR);
}

/* Bits that the decoder does not look at, but QEMU does. */
static u32 hints(const struct ppc_row *r)
{
	switch (r->op) {
	case PPC_OP_XSMADDQP: /* QEMU 7.2 has inexact results rounded to odd that are even */
	case PPC_OP_XSMSUBQP:
	case PPC_OP_XSNMADDQP:
	case PPC_OP_XSNMSUBQP:
		return 1;
	case PPC_OP_SYNC:
	case PPC_OP_EIEIO:
	case PPC_OP_DCBST:
	case PPC_OP_DCBF:
	case PPC_OP_DCBZ:
		return 0x03e00000 | (r->op == PPC_OP_EIEIO || r->op == PPC_OP_SYNC ? 0x1ff800 : 0);
	default:
		return 0;
	}
}

/* Make the storage operand lie in state.mem. */
static void aim(const struct ppc_row *r, u32 w, struct state *s)
{
	unsigned ra = ppc_ra(w), rb = ppc_rb(w);
	u64 at = STATE_ADDR + STATE_MEM + 128 + below(128);
	bool x_form = has_operand(r, PPC_OPND_RB);
	s64 d = 0;

	if (has_operand(r, PPC_OPND_D_RA) || has_operand(r, PPC_OPND_D_RA0))
		d = (s16)w;
	else if (has_operand(r, PPC_OPND_DS_RA) || has_operand(r, PPC_OPND_DS_RA0))
		d = (s16)(w & 0xfffc);
	else if (has_operand(r, PPC_OPND_DQ_RA0))
		d = (s16)(w & 0xfff0);
	if (r->op >= PPC_OP_LBARX && r->op <= PPC_OP_LDARX)
		at &= ~7ULL;
	if (strstr(r->name, "cx."))
		at &= ~7ULL;
	if (ONE_OF(r->op, PPC_OP_LSWX, PPC_OP_STSWX))
		s->xer &= ~0x60ULL;
	if (!x_form) {
		s->gpr[ra] = at - (u64)d;
	} else if (strstr(r->name, "xvl")) {
		s->gpr[rb] = random64() & ~(0xe0ULL << 56);
		s->gpr[ra] = at;
	} else if (ra == 0 || ra == rb) {
		s->gpr[rb] = ra ? at / 2 : at;
	} else {
		s->gpr[rb] = random_int();
		s->gpr[ra] = at - s->gpr[rb];
	}
}

static bool is_single(const struct ppc_row *r)
{
	size_t n = strlen(r->name);

	if (!strncmp(r->name, "xs", 2))
		return !strcmp(r->name + n - 2, "sp") && strncmp(r->name, "xscv", 4) &&
		       r->op != PPC_OP_XSRSP;
	return r->name[0] == 'f' && r->name[n - 1] == 's' && strncmp(r->name, "fcfid", 5) &&
	       r->op != PPC_OP_FABS && r->op != PPC_OP_FNABS;
}

static bool wants_singles(const struct ppc_row *r)
{
	return is_single(r) || !strncmp(r->name, "stfs", 4) || !strncmp(r->name, "stxss", 5);
}

/* What instructions ask of their operands; and what QEMU 7.2 gets wrong otherwise. */
static void fp_operands(const struct ppc_row *r, u32 w, struct state *s)
{
	/* Single arithmetic and stores want singles (Book I 4.3.5). */
	if (wants_singles(r))
		for (unsigned i = 0; i < 64; i++)
			s->vsr[i][0] = fp_single_to_double(random_single());
	/* Negated after rounding (Book I 4.6.6.1, fnmadd); QEMU 7.2 rounds after negating. */
	if (strstr(r->name, "nmadd") || strstr(r->name, "nmsub"))
		s->fpscr &= ~2ULL;
	/* QEMU 7.2 takes FPSCR.RN for its own rounding mode here. */
	if (r->op == PPC_OP_XSRQPI || r->op == PPC_OP_XSRQPXP)
		s->fpscr &= ~3ULL;
}

static void decimal_operands(u32 w, struct state *s)
{
	const unsigned regs[] = {ppc_ra(w) + 32, ppc_rb(w) + 32};

	for (unsigned i = 0; i < 2; i++) {
		unsigned digits = below(32);

		for (unsigned k = 0; k < 2; k++)
			for (unsigned n = 0; n < 16; n++) {
				bool in = (1 - k) * 16 + n <= digits;

				s->vsr[regs[i]][k] &= ~(15ULL << 4 * n);
				s->vsr[regs[i]][k] |= (u64)(in ? below(10) : 0) << 4 * n;
			}
		s->vsr[regs[i]][1] = (s->vsr[regs[i]][1] & ~15ULL) | (10 + below(6));
	}
}

/* Where branches go there is no code: near the instruction, or where nothing is mapped. */
static u64 branch_target(void)
{
	u64 near = INSN_ADDR - 4080 + below(8160);

	return below(2) && (near & ~3ULL) != INSN_ADDR ? near : random_int() | BIT(40);
}

/* The word of a branch; targets and count. */
static u32 branch(const struct ppc_row *r, u32 w, struct state *s)
{
	u32 near = w & 2 ? 0 : r->op == PPC_OP_B ? 0x3fffffc : 0xfffc; /* AA: anywhere */

	if (near && ONE_OF(r->op, PPC_OP_B, PPC_OP_BC)) {
		u32 d = 4 + 4 * below(1019);

		w = (w & ~near) | ((below(2) ? d : -d) & near);
	}
	if (r->op == PPC_OP_BCCTR)
		w |= 4u << 21; /* one that counts is an invalid form */
	s->lr = branch_target();
	s->tar = branch_target();
	if (r->op == PPC_OP_BCCTR)
		s->ctr = branch_target();
	else if (below(3) == 0)
		s->ctr = (random64() << 32 & ~(below(2) - 1ULL)) | below(3);
	return w;
}

/* The two halves of the field are exchanged (Book I 3.3.17). */
static u32 spr_field(unsigned spr)
{
	return (spr & 31) << 16 | spr >> 5 << 11;
}

/* XER, LR, CTR, TAR: those of the state. */
static u32 some_spr(u32 w)
{
	static const u16 spr[] = {1, 8, 9, 815};

	return (w & ~0x1ff800u) | spr_field(spr[below(4)]);
}

/* Rounding that is none (Book I 7.6, R and RMC of xsrqpi and xsrqpxp). */
static bool reserved_rounding(const struct ppc_row *r, u32 w)
{
	unsigned rmc = ppc_bits(w, 21, 22);

	return ONE_OF(r->op, PPC_OP_XSRQPI, PPC_OP_XSRQPXP) && !ppc_bits(w, 15, 15) &&
	       (rmc == 1 || rmc == 2);
}

/*
 * An odd register pair is invalid (QEMU 7.2 takes it). QEMU 7.2's decimal instructions look at
 * their operand after they wrote the result.
 */
static bool odd_pair(const struct ppc_row *r, u32 w)
{
	if (!strncmp(r->name, "bcd", 3) && (ppc_rt(w) == ppc_rb(w) || ppc_rt(w) == ppc_ra(w)))
		return true;
	return (has_operand(r, PPC_OPND_FRTP) || has_operand(r, PPC_OPND_FRSP)) && (ppc_rt(w) & 1);
}

/* Rc, OE, LK, AA, RO and EX as far as the row has them. */
static u32 form_bits(const struct ppc_row *r)
{
	u32 last = PPC_F_RC | PPC_F_LK | PPC_F_RO | PPC_F_RX;
	u32 bits = (r->flags & last ? 1 : 0) | (r->flags & PPC_F_AA ? 2 : 0) |
		   (r->flags & (PPC_F_OE | PPC_F_RC21) ? BIT(10) : 0);

	return bits & ~hints(r);
}

unsigned diff_forms(const struct ppc_row *r)
{
	return 1u << __builtin_popcount(form_bits(r));
}

/* The bits of n, spread over the bits of mask. */
static u32 deposit(u32 n, u32 mask)
{
	u32 v = 0;

	for (; mask; mask &= mask - 1, n >>= 1)
		v |= n & 1 ? mask & -mask : 0;
	return v;
}

void diff_case(const struct ppc_row *r, unsigned form, struct state *s)
{
	u32 w, bits = form_bits(r), chosen = deposit(form, bits);

	random_state(s);
	do
		w = ((u32)random64() & ~r->mask & ~hints(r) & ~bits) | r->value | chosen;
	while (names_taken(r, w) || odd_pair(r, w) || reserved_rounding(r, w));
	if (is_branch(r))
		w = branch(r, w, s);
	if (ONE_OF(r->op, PPC_OP_MTSPR, PPC_OP_MFSPR))
		w = some_spr(w);
	if (r->flags & (PPC_F_LD | PPC_F_ST))
		aim(r, w, s);
	if (!strncmp(r->name, "bcd", 3))
		decimal_operands(w, s);
	fp_operands(r, w, s);
	s->insn = w;
}

/* ---- sequences ---- */

/* Base and index that no instruction of a sequence changes: GPR 1 and 13. */
static u32 aim_fixed(const struct ppc_row *r, u32 w)
{
	u32 at = STATE_MEM + 64 * (1 + below(6)) + 16 * below(3);

	w = (w & ~(31u << 16)) | 1u << 16;
	if (has_operand(r, PPC_OPND_RB))
		return (w & ~(31u << 11)) | 13u << 11;
	if (has_operand(r, PPC_OPND_D_RA0))
		at += below(16);
	return (w & ~0xfff0u & ~(has_operand(r, PPC_OPND_D_RA0) ? 15u : 0)) | at;
}

/*
 * Single arithmetic on what is no single is undefined (Book I 4.3.5): there are sequences without
 * it, and sequences in which nothing else touches FPRs and VSRs.
 */
static bool kind_fits(const struct ppc_row *r, bool singles)
{
	if (!singles)
		return !wants_singles(r);
	return r->facility == PPC_FAC_NONE || wants_singles(r) || !strncmp(r->name, "lfs", 3) ||
	       !strncmp(r->name, "lxssp", 5) ||
	       ONE_OF(r->op, PPC_OP_XSCVSXDSP, PPC_OP_XSCVUXDSP, PPC_OP_FMR, PPC_OP_FNEG,
		      PPC_OP_FABS);
}

static bool in_sequence(const struct ppc_row *r, bool big_endian)
{
	bool base = has_operand(r, PPC_OPND_RA0) || has_operand(r, PPC_OPND_D_RA0) ||
		    has_operand(r, PPC_OPND_DS_RA0) || has_operand(r, PPC_OPND_DQ_RA0);

	if (diff_skipped(r, big_endian) || strstr(r->name, "xvl"))
		return false;
	if (ONE_OF(r->op, PPC_OP_LMW, PPC_OP_STMW, PPC_OP_LSWI, PPC_OP_STSWI, PPC_OP_LSWX,
		   PPC_OP_STSWX))
		return false;
	if (r->flags & (PPC_F_LD | PPC_F_ST))
		return base;
	return !is_branch(r) || ONE_OF(r->op, PPC_OP_B, PPC_OP_BC);
}

/* One word with `left` behind it, to the last of which branches go at most. */
static u32 sequence_word(bool big_endian, bool singles, unsigned left)
{
	const struct ppc_row *r;
	u32 w;

	do
		r = &ppc_rows[below(ppc_nrows)];
	while (!in_sequence(r, big_endian) || !kind_fits(r, singles) ||
	       (singles && r->facility == PPC_FAC_NONE && below(4)));
	do
		w = ((u32)random64() & ~r->mask & ~hints(r)) | r->value;
	while (names_taken(r, w) || odd_pair(r, w));
	if (r->flags & (PPC_F_LD | PPC_F_ST))
		return aim_fixed(r, w);
	if (is_branch(r))
		return (w & ~((r->op == PPC_OP_B ? 0x3fffffcu : 0xfffcu) | 2)) |
		       (4 + 4 * below(left + 1));
	return ONE_OF(r->op, PPC_OP_MTSPR, PPC_OP_MFSPR) ? some_spr(w) : w;
}

void diff_sequence(struct here_code *c, bool big_endian, struct state *s)
{
	bool singles = below(2);

	random_state(s);
	for (unsigned i = 0; singles && i < 64; i++)
		s->vsr[i][0] = fp_single_to_double(random_single());
	s->gpr[13] = STATE_MEM + 64 + below(256);
	c->n = 2 + below(ARRAY_LEN(c->word) - 1);
	for (unsigned i = 0; i < c->n; i++)
		c->word[i] = sequence_word(big_endian, singles, c->n - 1 - i);
}
