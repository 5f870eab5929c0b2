/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Text of an instruction word, for traces, the debugger and error messages:
 * what `objdump -M raw` prints (no extended mnemonics).
 */
#include "isa/ppc/tables.h"

struct text {
	char *buf;
	size_t size, len;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->buf[t->len] = c;
	t->len++;
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_dec(struct text *t, s64 v)
{
	if (v < 0) {
		put_char(t, '-');
		v = -v;
	}
	if (v >= 10)
		put_dec(t, v / 10);
	put_char(t, (char)('0' + v % 10));
}

static void put_hex(struct text *t, u64 v)
{
	int sh = 60;

	put(t, "0x");
	while (sh && !(v >> sh & 15))
		sh -= 4;
	for (; sh >= 0; sh -= 4)
		put_char(t, "0123456789abcdef"[v >> sh & 15]);
}

static void put_reg(struct text *t, const char *kind, unsigned n)
{
	put(t, kind);
	put_dec(t, n);
}

static void put_ra0(struct text *t, u32 w)
{
	if (ppc_ra(w))
		put_reg(t, "r", ppc_ra(w));
	else
		put_char(t, '0');
}

/* A bit of the condition register: "eq" or "4*cr7+eq". */
static void put_crbit(struct text *t, unsigned bit)
{
	static const char *const names[] = {"lt", "gt", "eq", "so"};

	if (bit >= 4) {
		put(t, "4*cr");
		put_dec(t, bit >> 2);
		put_char(t, '+');
	}
	put(t, names[bit & 3]);
}

static void put_disp(struct text *t, s64 d, u32 w, bool ra0)
{
	put_dec(t, d);
	put_char(t, '(');
	if (ra0)
		put_ra0(t, w);
	else
		put_reg(t, "r", ppc_ra(w));
	put_char(t, ')');
}

static s64 sign(u32 v, unsigned bits)
{
	return (s64)((u64)v << (64 - bits)) >> (64 - bits);
}

/* Registers and condition bits; false: another kind. */
static bool put_register(struct text *t, enum ppc_opnd k, u32 w)
{
	switch (k) {
	case PPC_OPND_RT:
	case PPC_OPND_RS:
	case PPC_OPND_RTP:
	case PPC_OPND_RSP:
		return put_reg(t, "r", ppc_rt(w)), true;
	case PPC_OPND_RA:
		return put_reg(t, "r", ppc_ra(w)), true;
	case PPC_OPND_RB:
		return put_reg(t, "r", ppc_rb(w)), true;
	case PPC_OPND_RC:
		return put_reg(t, "r", ppc_rc(w)), true;
	case PPC_OPND_RA0:
		return put_ra0(t, w), true;
	case PPC_OPND_FRT:
	case PPC_OPND_FRS:
	case PPC_OPND_FRTP:
	case PPC_OPND_FRSP:
		return put_reg(t, "f", ppc_rt(w)), true;
	case PPC_OPND_FRA:
		return put_reg(t, "f", ppc_ra(w)), true;
	case PPC_OPND_FRB:
		return put_reg(t, "f", ppc_rb(w)), true;
	case PPC_OPND_FRC:
		return put_reg(t, "f", ppc_rc(w)), true;
	case PPC_OPND_VRT:
	case PPC_OPND_VRS:
		return put_reg(t, "v", ppc_rt(w)), true;
	case PPC_OPND_VRA:
		return put_reg(t, "v", ppc_ra(w)), true;
	case PPC_OPND_VRB:
		return put_reg(t, "v", ppc_rb(w)), true;
	case PPC_OPND_VRC:
		return put_reg(t, "v", ppc_rc(w)), true;
	case PPC_OPND_XT:
		return put_reg(t, "vs", ppc_xt(w)), true;
	case PPC_OPND_XTQ:
		return put_reg(t, "vs", ppc_xtq(w)), true;
	case PPC_OPND_XA:
		return put_reg(t, "vs", ppc_xa(w)), true;
	case PPC_OPND_XB:
		return put_reg(t, "vs", ppc_xb(w)), true;
	case PPC_OPND_XC:
		return put_reg(t, "vs", ppc_xc(w)), true;
	case PPC_OPND_BF:
		return put_reg(t, "cr", ppc_bits(w, 6, 8)), true;
	case PPC_OPND_BFA:
		return put_reg(t, "cr", ppc_bits(w, 11, 13)), true;
	case PPC_OPND_BT:
		return put_crbit(t, ppc_rt(w)), true;
	case PPC_OPND_BA:
	case PPC_OPND_BI:
		return put_crbit(t, ppc_ra(w)), true;
	case PPC_OPND_BB:
		return put_crbit(t, ppc_rb(w)), true;
	case PPC_OPND_BC:
		return put_crbit(t, ppc_rc(w)), true;
	default:
		return false;
	}
}

/* Displacements and branch targets. */
static bool put_address(struct text *t, enum ppc_opnd k, u32 w, u64 pc)
{
	u64 base = w & 2 ? 0 : pc;

	switch (k) {
	case PPC_OPND_D_RA0:
		return put_disp(t, ppc_si(w), w, true), true;
	case PPC_OPND_D_RA:
		return put_disp(t, ppc_si(w), w, false), true;
	case PPC_OPND_DS_RA0:
		return put_disp(t, (s16)(w & 0xfffc), w, true), true;
	case PPC_OPND_DS_RA:
		return put_disp(t, (s16)(w & 0xfffc), w, false), true;
	case PPC_OPND_DQ_RA0:
		return put_disp(t, (s16)(w & 0xfff0), w, true), true;
	case PPC_OPND_BD:
		return put_hex(t, base + (u64)(s64)(s16)(w & 0xfffc)), true;
	case PPC_OPND_LI:
		return put_hex(t, base + (u64)sign(w & 0x3fffffc, 26)), true;
	default:
		return false;
	}
}

/* Numbers whose field is not one run of bits of the word, or signed. */
static bool put_odd(struct text *t, enum ppc_opnd k, u32 w)
{
	switch (k) {
	case PPC_OPND_SI:
		return put_dec(t, ppc_si(w)), true;
	case PPC_OPND_DX:
		return put_dec(t, (s16)((w >> 6 & 0x3ff) << 6 | ppc_ra(w) << 1 | (w & 1))), true;
	case PPC_OPND_SIM:
		return put_dec(t, sign(ppc_ra(w), 5)), true;
	case PPC_OPND_SI5:
		return put_dec(t, sign(ppc_rb(w), 5)), true;
	case PPC_OPND_SH6:
		return put_dec(t, ppc_sh6(w)), true;
	case PPC_OPND_MB6:
	case PPC_OPND_ME6:
		return put_dec(t, ppc_mb6(w)), true;
	case PPC_OPND_SPR:
		return put_dec(t, ppc_spr(w)), true;
	case PPC_OPND_DCMXS:
		return put_dec(t, ppc_ra(w) | (w >> 2 & 1) << 5 | (w >> 6 & 1) << 6), true;
	case PPC_OPND_NB:
		return put_dec(t, ppc_rb(w) ? ppc_rb(w) : 32), true;
	default:
		return false;
	}
}

/* A run of bits, as first and last bit of the ISA, by operand. */
static const struct {
	u8 first, last;
} plain[] = {
	[PPC_OPND_BFF] = {6, 8},     [PPC_OPND_UI] = {16, 31},	  [PPC_OPND_L] = {10, 10},
	[PPC_OPND_BH] = {19, 20},    [PPC_OPND_BO] = {6, 10},	  [PPC_OPND_TO] = {6, 10},
	[PPC_OPND_SH] = {16, 20},    [PPC_OPND_MB] = {21, 25},	  [PPC_OPND_ME] = {26, 30},
	[PPC_OPND_FXM] = {12, 19},   [PPC_OPND_FLM] = {7, 14},	  [PPC_OPND_W] = {15, 15},
	[PPC_OPND_LB] = {6, 6},	     [PPC_OPND_U] = {16, 19},	  [PPC_OPND_BTF] = {6, 10},
	[PPC_OPND_UIM5] = {11, 15},  [PPC_OPND_UIM4] = {12, 15},  [PPC_OPND_UIM3] = {13, 15},
	[PPC_OPND_UIM2] = {14, 15},  [PPC_OPND_SHB] = {22, 25},	  [PPC_OPND_ST] = {16, 16},
	[PPC_OPND_SIX] = {17, 20},   [PPC_OPND_PS] = {22, 22},	  [PPC_OPND_DM] = {22, 23},
	[PPC_OPND_SHW] = {22, 23},   [PPC_OPND_IMM8] = {13, 20},  [PPC_OPND_DCMX] = {9, 15},
	[PPC_OPND_LS] = {9, 10},     [PPC_OPND_LF] = {9, 10},	  [PPC_OPND_WC] = {9, 10},
	[PPC_OPND_LM] = {15, 15},    [PPC_OPND_LDARN] = {14, 15}, [PPC_OPND_TH] = {6, 10},
	[PPC_OPND_CT] = {7, 10},     [PPC_OPND_EH] = {31, 31},	  [PPC_OPND_LEV] = {20, 26},
	[PPC_OPND_RQ] = {15, 15},    [PPC_OPND_RMC] = {21, 22},	  [PPC_OPND_RIC] = {12, 13},
	[PPC_OPND_PRS] = {14, 14},   [PPC_OPND_R] = {15, 15},	  [PPC_OPND_FC] = {16, 20},
	[PPC_OPND_BHRBE] = {11, 20}, [PPC_OPND_A25] = {6, 6},	  [PPC_OPND_R21] = {10, 10},
	[PPC_OPND_L21] = {10, 10},   [PPC_OPND_CY] = {21, 22},	  [PPC_OPND_S] = {20, 20},
	[PPC_OPND_IH] = {8, 10},     [PPC_OPND_DRM] = {18, 20},	  [PPC_OPND_RM] = {19, 20},
};

static void put_operand(struct text *t, enum ppc_opnd k, u32 w, u64 pc)
{
	if (put_register(t, k, w) || put_address(t, k, w, pc) || put_odd(t, k, w))
		return;
	if (k < ARRAY_LEN(plain))
		put_dec(t, ppc_bits(w, plain[k].first, plain[k].last));
}

static void put_name(struct text *t, const struct ppc_row *r, u32 w)
{
	put(t, r->name);
	if ((r->flags & PPC_F_OE) && (w & 1 << 10))
		put_char(t, 'o');
	if ((r->flags & PPC_F_LK) && (w & 1))
		put_char(t, 'l');
	if ((r->flags & PPC_F_AA) && (w & 2))
		put_char(t, 'a');
	if ((r->flags & PPC_F_RO) && (w & 1))
		put_char(t, 'o');
	if ((r->flags & PPC_F_RX) && (w & 1))
		put_char(t, 'x');
	if (((r->flags & PPC_F_RC) && (w & 1)) || ((r->flags & PPC_F_RC21) && (w & 1 << 10)))
		put_char(t, '.');
}

size_t ppc_disasm(u32 word, u64 pc, char *buf, size_t size)
{
	struct text t = {buf, size, 0};
	const struct ppc_row *r = ppc_decode(word);

	if (!r) {
		put(&t, ".long ");
		put_hex(&t, word);
	} else {
		word = ppc_canonical(r, word);
		put_name(&t, r, word);
		for (unsigned i = 0; i < ARRAY_LEN(r->opnd) && r->opnd[i]; i++) {
			put_char(&t, i ? ',' : ' ');
			put_operand(&t, r->opnd[i], word, pc);
		}
	}
	if (size)
		buf[t.len < size ? t.len : size - 1] = 0;
	return t.len;
}
