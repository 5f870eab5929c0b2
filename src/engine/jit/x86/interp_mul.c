/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: multiplication, division and decimal adjustment (SDM vol. 2).
 */
#include "engine/jit/x86/interp.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static u64 overflow_flags(bool set)
{
	return set ? RF_CF | RF_OF : 0;
}

/* A double-width result: AX for bytes, else rDX:rAX. */
static void set_wide(struct x86_vcpu *c, unsigned n, u64 lo, u64 hi)
{
	if (n == 1) {
		gpr_set(c, X86_RAX, 2, false, (lo & 0xff) | hi << 8);
		return;
	}
	gpr_set(c, X86_RAX, n, false, lo);
	gpr_set(c, X86_RDX, n, false, hi);
}

static int exec_mul(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, bits = n * 8;
	u64 b, m = mask_bytes(n);
	u128 r;

	if (opnd_read(c, in, 0, &b) < 0)
		return -1;
	r = (u128)(c->gpr[X86_RAX] & m) * b;
	set_wide(c, n, (u64)r & m, (u64)(r >> bits) & m);
	flags_set(c, RF_CF | RF_OF, overflow_flags((u64)(r >> bits) & m));
	return interp_next(c, in);
}

static int exec_imul1(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, bits = n * 8;
	u64 b, m = mask_bytes(n);
	s128 r;

	if (opnd_read(c, in, 0, &b) < 0)
		return -1;
	r = (s128)(s64)sext(c->gpr[X86_RAX] & m, n) * (s64)sext(b, n);
	set_wide(c, n, (u64)r & m, (u64)(r >> bits) & m);
	flags_set(c, RF_CF | RF_OF, overflow_flags(r != (s64)sext((u64)r & m, n)));
	return interp_next(c, in);
}

/* IMUL r, r/m and IMUL r, r/m, imm. */
static int exec_imul(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool three = in->map == X86_MAP_1B;
	unsigned n = in->opnd[0].size;
	u64 a, b, m = mask_bytes(n);
	s128 r;

	if (opnd_read(c, in, 1, &a) < 0)
		return -1;
	b = three ? (u64)in->imm : gpr_get(c, in->opnd[0].reg, n, false);
	r = (s128)(s64)sext(a, n) * (s64)sext(b & m, n);
	gpr_set(c, in->opnd[0].reg, n, false, (u64)r & m);
	flags_set(c, RF_CF | RF_OF, overflow_flags(r != (s64)sext((u64)r & m, n)));
	return interp_next(c, in);
}

/* hi:lo / d for hi < d: the one division C cannot say without a library. */
static u64 divide_wide(u64 hi, u64 lo, u64 d, u64 *rem)
{
	u64 q;

	__asm__("divq %4" : "=a"(q), "=d"(*rem) : "0"(lo), "1"(hi), "r"(d) : "cc");
	return q;
}

/* The dividend: AX, or rDX:rAX, as a 128-bit number (unsigned). */
static u128 dividend(const struct x86_vcpu *c, unsigned n)
{
	u64 m = mask_bytes(n);

	if (n == 1)
		return (u16)c->gpr[X86_RAX];
	return (u128)(c->gpr[X86_RDX] & m) << (n * 8) | (c->gpr[X86_RAX] & m);
}

static int exec_div(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	u64 d, q, rem;
	u128 a = dividend(c, n);

	if (opnd_read(c, in, 0, &d) < 0)
		return -1;
	if (!d || (u64)(a >> (n * 8)) >= d)
		return x86_raise(c, X86_DE);
	q = divide_wide((u64)(a >> 64), (u64)a, d, &rem);
	set_wide(c, n, q, rem);
	return interp_next(c, in);
}

static int exec_idiv(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, shift = 128 - n * 16;
	s128 a = (s128)(dividend(c, n) << shift) >> shift;
	u128 ua = a < 0 ? -(u128)a : (u128)a;
	u64 b, d, q, rem;
	bool neg;

	if (opnd_read(c, in, 0, &b) < 0)
		return -1;
	b = sext(b, n);
	d = (s64)b < 0 ? -b : b;
	neg = (a < 0) != ((s64)b < 0);
	if (!d || (u64)(ua >> 64) >= d)
		return x86_raise(c, X86_DE);
	q = divide_wide((u64)(ua >> 64), (u64)ua, d, &rem);
	/* The quotient must fit: down to -2^(bits-1), up to 2^(bits-1)-1. */
	if (q > BIT(n * 8 - 1) - !neg)
		return x86_raise(c, X86_DE);
	q = neg ? -q : q;
	rem = a < 0 ? -rem : rem;
	set_wide(c, n, q & mask_bytes(n), rem & mask_bytes(n));
	return interp_next(c, in);
}

/* DAA and DAS. */
static int exec_decimal(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool sub = in->opcode == 0x2f;
	u8 al = (u8)c->gpr[X86_RAX], r = al;
	bool cf = c->rflags & RF_CF, af = c->rflags & RF_AF, carry = false;

	if ((al & 15) > 9 || af) {
		carry = sub ? cf || al < 6 : cf;
		r = sub ? r - 6 : r + 6;
		af = true;
	}
	if (al > 0x99 || cf) {
		r = sub ? r - 0x60 : r + 0x60;
		carry = true;
	}
	gpr_set(c, X86_RAX, 1, false, r);
	flags_set(c, X86_F_STATUS, flags_szp(r, 1) | flag_if(carry, RF_CF) | flag_if(af, RF_AF));
	return interp_next(c, in);
}

/* AAA and AAS. */
static int exec_ascii_adjust(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool sub = in->opcode == 0x3f;
	u16 ax = (u16)c->gpr[X86_RAX];
	bool adjust = (ax & 15) > 9 || (c->rflags & RF_AF);

	if (adjust)
		ax = sub ? ax - 0x106 : ax + 0x106;
	ax &= 0xff0f;
	gpr_set(c, X86_RAX, 2, false, ax);
	flags_set(c, X86_F_STATUS, flags_szp((u8)ax, 1) | (adjust ? (u64)(RF_CF | RF_AF) : 0));
	return interp_next(c, in);
}

static int exec_aam(struct x86_vcpu *c, const struct x86_insn *in)
{
	u8 al = (u8)c->gpr[X86_RAX], base = (u8)in->imm;

	if (!base)
		return x86_raise(c, X86_DE);
	gpr_set(c, X86_RAX, 2, false, (u64)(al / base) << 8 | al % base);
	flags_set(c, X86_F_STATUS, flags_szp(al % base, 1));
	return interp_next(c, in);
}

static int exec_aad(struct x86_vcpu *c, const struct x86_insn *in)
{
	u16 ax = (u16)c->gpr[X86_RAX];
	u8 r = (u8)(ax + (ax >> 8) * (u8)in->imm);

	gpr_set(c, X86_RAX, 2, false, r);
	flags_set(c, X86_F_STATUS, flags_szp(r, 1));
	return interp_next(c, in);
}

static interp_fn mul_lookup_1b(const struct x86_insn *in)
{
	static const interp_fn group[4] = {exec_mul, exec_imul1, exec_div, exec_idiv};

	switch (in->opcode) {
	case 0x27:
	case 0x2f:
		return exec_decimal;
	case 0x37:
	case 0x3f:
		return exec_ascii_adjust;
	case 0x69:
	case 0x6b:
		return exec_imul;
	case 0xd4:
		return exec_aam;
	case 0xd5:
		return exec_aad;
	case 0xf6:
	case 0xf7:
		return (in->modrm >> 3 & 7) >= 4 ? group[(in->modrm >> 3) & 3] : NULL;
	default:
		return NULL;
	}
}

interp_fn interp_mul_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return mul_lookup_1b(in);
	return in->map == X86_MAP_0F && in->opcode == 0xaf ? exec_imul : NULL;
}
