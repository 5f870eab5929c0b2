/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector integer instructions (Book I 6.9): element by element.
 */
#include "engine/jit/ppc/vec.h"

/* What happens to a pair of elements; the low byte of the argument. Their size is in bits 8 up. */
enum kind {
	K_ADD,
	K_SUB,
	K_ADDC, /* carry out */
	K_SUBC,
	K_ADDUS,
	K_ADDSS,
	K_SUBUS,
	K_SUBSS,
	K_MAXU,
	K_MAXS,
	K_MINU,
	K_MINS,
	K_AVGU,
	K_AVGS,
	K_ABSDU,
	K_ROTL,
	K_SHL,
	K_SHR,
	K_SAR,
	K_MUL,
	K_EQ,
	K_GTU,
	K_GTS,
	K_NE,
	K_NEZ,
	/* of b alone */
	K_CLZ,
	K_CTZ,
	K_POPCNT,
	K_NEG,
	K_PRTY,
};
#define SIZE(n) ((n) << 8)
#define RECORDS (1u << 16) /* has an Rc bit */

static u64 ones(unsigned bits)
{
	return bits == 64 ? ~0ULL : BIT(bits) - 1;
}

static u64 clamp_signed(s64 v, unsigned bits, bool *sat)
{
	s64 max = (s64)(ones(bits) >> 1);

	if (v > max || v < -max - 1) {
		*sat = true;
		return (u64)(v > 0 ? max : -max - 1);
	}
	return (u64)v;
}

static u64 clamp_unsigned(s64 v, unsigned bits, bool *sat)
{
	if (v < 0 || (u64)v > ones(bits)) {
		*sat = true;
		return v < 0 ? 0 : ones(bits);
	}
	return (u64)v;
}

static u64 arithmetic(unsigned kind, unsigned size, u64 a, u64 b, bool *sat)
{
	s64 sa = vec_sext(a, size), sb = vec_sext(b, size);
	unsigned bits = size * 8;

	switch (kind) {
	case K_ADD:
		return a + b;
	case K_SUB:
		return a - b;
	case K_ADDC:
		return (a + b) >> bits;
	case K_SUBC:
		return a >= b;
	case K_ADDUS:
		return clamp_unsigned((s64)(a + b), bits, sat);
	case K_ADDSS:
		return clamp_signed(sa + sb, bits, sat);
	case K_SUBUS:
		return clamp_unsigned((s64)(a - b), bits, sat);
	case K_SUBSS:
		return clamp_signed(sa - sb, bits, sat);
	case K_MAXU:
		return a > b ? a : b;
	case K_MAXS:
		return sa > sb ? a : b;
	case K_MINU:
		return a < b ? a : b;
	case K_MINS:
		return sa < sb ? a : b;
	case K_AVGU:
		return (a + b + 1) >> 1;
	case K_AVGS:
		return (u64)((sa + sb + 1) >> 1);
	case K_ABSDU:
		return a > b ? a - b : b - a;
	default:
		return a * b;
	}
}

static u64 shift(unsigned kind, unsigned size, u64 a, u64 b)
{
	unsigned bits = size * 8, n = b & (bits - 1);

	switch (kind) {
	case K_ROTL:
		return n ? a << n | a >> (bits - n) : a;
	case K_SHL:
		return a << n;
	case K_SHR:
		return a >> n;
	default:
		return (u64)(vec_sext(a, size) >> n);
	}
}

static bool compare(unsigned kind, unsigned size, u64 a, u64 b)
{
	switch (kind) {
	case K_EQ:
		return a == b;
	case K_GTU:
		return a > b;
	case K_GTS:
		return vec_sext(a, size) > vec_sext(b, size);
	case K_NE:
		return a != b;
	default:
		return a != b || a == 0 || b == 0;
	}
}

static u64 unary(unsigned kind, unsigned size, u64 b)
{
	unsigned bits = size * 8;

	switch (kind) {
	case K_CLZ:
		return b ? (u64)__builtin_clzll(b) - (64 - bits) : bits;
	case K_CTZ:
		return b ? (u64)__builtin_ctzll(b) : bits;
	case K_POPCNT:
		b -= b >> 1 & 0x5555555555555555ULL;
		b = (b & 0x3333333333333333ULL) + (b >> 2 & 0x3333333333333333ULL);
		return ((b + (b >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
	case K_NEG:
		return -b;
	default: /* parity of the bytes' low bits */
		for (unsigned s = bits / 2; s >= 8; s /= 2)
			b ^= b >> s;
		return b & 1;
	}
}

static u64 element(unsigned kind, unsigned size, u64 a, u64 b, bool *sat)
{
	if (kind <= K_ABSDU || kind == K_MUL)
		return arithmetic(kind, size, a, b, sat);
	if (kind <= K_SAR)
		return shift(kind, size, a, b);
	if (kind <= K_NEZ)
		return compare(kind, size, a, b) ? ~0ULL : 0;
	return unary(kind, size, b);
}

static int op_elements(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *a = vec_a(c, w), *b = vec_b(c, w);
	unsigned size = arg >> 8 & 15;
	union ppc_vsr r = {0};
	bool sat = false;

	for (unsigned i = 0; i < 16 / size; i++)
		vec_set(&r, size, i,
			element(arg & 0xff, size, vec_get(a, size, i), vec_get(b, size, i), &sat));
	*vec_t(c, w) = r;
	if (sat)
		vec_saturated(c);
	if ((arg & RECORDS) && (w & 1 << 10))
		vec_cr6(c, &r);
	return 0;
}

/* Products of the even or odd elements, twice as wide. bits 12: odd, 13: signed. */
#define ODD (1u << 12)
#define SIGNED (1u << 13)
static int op_mul(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 8 / size; i++) {
		unsigned k = 2 * i + !!(arg & ODD);
		u64 a = vec_get(vec_a(c, w), size, k), b = vec_get(vec_b(c, w), size, k);

		if (arg & SIGNED)
			a = (u64)vec_sext(a, size), b = (u64)vec_sext(b, size);
		vec_set(&r, 2 * size, i, a * b);
	}
	*vec_t(c, w) = r;
	return 0;
}

/* ---- 128-bit sums --------------------------------------------------------------------------- */

enum { Q_ADD, Q_ADDC, Q_SUB = 2, Q_SUBC, Q_EXTENDED = 4 };

static int op_quad_sum(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u128 a = vec_128(vec_a(c, w)), b = vec_128(vec_b(c, w)), r;
	unsigned cin = arg & Q_SUB ? 1 : 0, carry;

	if (arg & Q_SUB)
		b = ~b;
	if (arg & Q_EXTENDED)
		cin = vec_c(c, w)->dw[0] & 1;
	r = a + b;
	carry = r < a;
	r += cin;
	carry |= r < cin;
	*vec_t(c, w) = vec_from(arg & 1 ? carry : r);
	return 0;
}

/* ---- multiply and add across elements ------------------------------------------------------- */

enum { M_HADD, M_HRADD, M_LADD, M_UBM, M_MBM, M_UHM, M_UHS, M_SHM, M_SHS };

static int op_madd_h(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};
	bool sat = false;

	for (unsigned i = 0; i < 8; i++) {
		s64 a = vec_sext(vec_get(vec_a(c, w), 2, i), 2);
		s64 b = vec_sext(vec_get(vec_b(c, w), 2, i), 2);
		s64 d = vec_sext(vec_get(vec_c(c, w), 2, i), 2);

		if (arg == M_LADD)
			vec_set(&r, 2, i, (u64)(a * b + d));
		else
			vec_set(&r, 2, i,
				clamp_signed(((a * b + (arg == M_HRADD ? 0x4000 : 0)) >> 15) + d,
					     16, &sat));
	}
	*vec_t(c, w) = r;
	if (sat)
		vec_saturated(c);
	return 0;
}

static s64 product(const struct ppc_vcpu *c, u32 w, u32 arg, unsigned size, unsigned i)
{
	u64 a = vec_get(vec_a(c, w), size, i), b = vec_get(vec_b(c, w), size, i);
	bool sa = arg == M_MBM || arg == M_SHM || arg == M_SHS, sb = arg == M_SHM || arg == M_SHS;

	return (sa ? vec_sext(a, size) : (s64)a) * (sb ? vec_sext(b, size) : (s64)b);
}

static int op_msum(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg == M_UBM || arg == M_MBM ? 1 : 2;
	union ppc_vsr r = {0};
	bool sat = false;

	for (unsigned i = 0; i < 4; i++) {
		u64 d = vec_get(vec_c(c, w), 4, i);
		s64 sum = arg == M_SHS || arg == M_SHM || arg == M_MBM ? vec_sext(d, 4) : (s64)d;

		for (unsigned k = 0; k < 4 / size; k++)
			sum += product(c, w, arg, size, i * (4 / size) + k);
		if (arg == M_UHS)
			sum = (s64)clamp_unsigned(sum, 32, &sat);
		else if (arg == M_SHS)
			sum = (s64)clamp_signed(sum, 32, &sat);
		vec_set(&r, 4, i, (u64)sum);
	}
	*vec_t(c, w) = r;
	if (sat)
		vec_saturated(c);
	return 0;
}

static int op_msumudm(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *a = vec_a(c, w), *b = vec_b(c, w);

	*vec_t(c, w) = vec_from((u128)a->dw[0] * b->dw[0] + (u128)a->dw[1] * b->dw[1] +
				vec_128(vec_c(c, w)));
	return 0;
}

/* vsum4*: four words; vsum2sws: two, vsumsws: one. size of the summed elements in bits 8 up. */
static int op_sum(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15, words = arg & 7, per = 16 / size / words;
	union ppc_vsr r = {0};
	bool sat = false;

	for (unsigned i = 0; i < words; i++) {
		unsigned at = (i + 1) * (4 / words) - 1;
		u64 b = vec_get(vec_b(c, w), 4, at);
		s64 sum = arg & SIGNED ? vec_sext(b, 4) : (s64)b;

		for (unsigned k = 0; k < per; k++) {
			u64 a = vec_get(vec_a(c, w), size, i * per + k);

			sum += arg & SIGNED ? vec_sext(a, size) : (s64)a;
		}
		vec_set(&r, 4, at,
			arg & SIGNED ? clamp_signed(sum, 32, &sat) : clamp_unsigned(sum, 32, &sat));
	}
	*vec_t(c, w) = r;
	if (sat)
		vec_saturated(c);
	return 0;
}

/* ---- rotates with masks (v3) ----------------------------------------------------------------- */

/* vrlwmi, vrldmi (insert), vrlwnm, vrldnm: begin, end and count of the mask stand in b. */
static int op_rotate_mask(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15, bits = size * 8;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16 / size; i++) {
		u64 a = vec_get(vec_a(c, w), size, i), b = vec_get(vec_b(c, w), size, i);
		unsigned mb = b >> 16 & (bits - 1), me = b >> 8 & (bits - 1);
		u64 from = ones(bits) >> mb, to = ones(bits) << (bits - 1 - me);
		u64 mask = mb <= me ? from & to : from | to;
		u64 old = arg & 1 ? vec_get(vec_t(c, w), size, i) : 0;

		vec_set(&r, size, i, (shift(K_ROTL, size, a, b) & mask) | (old & ~mask));
	}
	*vec_t(c, w) = r;
	return 0;
}

static int op_prtybq(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 b = vec_b(c, w)->dw[0] ^ vec_b(c, w)->dw[1];

	*vec_t(c, w) = vec_from(unary(K_PRTY, 8, b));
	return 0;
}

/* vexts*: the low part of each element of size (bits 8 up), from (bits 0..3) bytes. */
static int op_sign_extend(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16 / size; i++)
		vec_set(&r, size, i, (u64)vec_sext(vec_get(vec_b(c, w), size, i), arg & 15));
	*vec_t(c, w) = r;
	return 0;
}

#define E(kind, size)                                                                              \
	{                                                                                          \
		op_elements, (kind) | SIZE(size)                                                   \
	}
#define ER(kind, size)                                                                             \
	{                                                                                          \
		op_elements, (kind) | SIZE(size) | RECORDS                                         \
	}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_VADDUBM] = E(K_ADD, 1),
	[PPC_OP_VADDUHM] = E(K_ADD, 2),
	[PPC_OP_VADDUWM] = E(K_ADD, 4),
	[PPC_OP_VADDUDM] = E(K_ADD, 8),
	[PPC_OP_VSUBUBM] = E(K_SUB, 1),
	[PPC_OP_VSUBUHM] = E(K_SUB, 2),
	[PPC_OP_VSUBUWM] = E(K_SUB, 4),
	[PPC_OP_VSUBUDM] = E(K_SUB, 8),
	[PPC_OP_VADDCUW] = E(K_ADDC, 4),
	[PPC_OP_VSUBCUW] = E(K_SUBC, 4),
	[PPC_OP_VADDUBS] = E(K_ADDUS, 1),
	[PPC_OP_VADDUHS] = E(K_ADDUS, 2),
	[PPC_OP_VADDUWS] = E(K_ADDUS, 4),
	[PPC_OP_VADDSBS] = E(K_ADDSS, 1),
	[PPC_OP_VADDSHS] = E(K_ADDSS, 2),
	[PPC_OP_VADDSWS] = E(K_ADDSS, 4),
	[PPC_OP_VSUBUBS] = E(K_SUBUS, 1),
	[PPC_OP_VSUBUHS] = E(K_SUBUS, 2),
	[PPC_OP_VSUBUWS] = E(K_SUBUS, 4),
	[PPC_OP_VSUBSBS] = E(K_SUBSS, 1),
	[PPC_OP_VSUBSHS] = E(K_SUBSS, 2),
	[PPC_OP_VSUBSWS] = E(K_SUBSS, 4),
	[PPC_OP_VMAXUB] = E(K_MAXU, 1),
	[PPC_OP_VMAXUH] = E(K_MAXU, 2),
	[PPC_OP_VMAXUW] = E(K_MAXU, 4),
	[PPC_OP_VMAXUD] = E(K_MAXU, 8),
	[PPC_OP_VMAXSB] = E(K_MAXS, 1),
	[PPC_OP_VMAXSH] = E(K_MAXS, 2),
	[PPC_OP_VMAXSW] = E(K_MAXS, 4),
	[PPC_OP_VMAXSD] = E(K_MAXS, 8),
	[PPC_OP_VMINUB] = E(K_MINU, 1),
	[PPC_OP_VMINUH] = E(K_MINU, 2),
	[PPC_OP_VMINUW] = E(K_MINU, 4),
	[PPC_OP_VMINUD] = E(K_MINU, 8),
	[PPC_OP_VMINSB] = E(K_MINS, 1),
	[PPC_OP_VMINSH] = E(K_MINS, 2),
	[PPC_OP_VMINSW] = E(K_MINS, 4),
	[PPC_OP_VMINSD] = E(K_MINS, 8),
	[PPC_OP_VAVGUB] = E(K_AVGU, 1),
	[PPC_OP_VAVGUH] = E(K_AVGU, 2),
	[PPC_OP_VAVGUW] = E(K_AVGU, 4),
	[PPC_OP_VAVGSB] = E(K_AVGS, 1),
	[PPC_OP_VAVGSH] = E(K_AVGS, 2),
	[PPC_OP_VAVGSW] = E(K_AVGS, 4),
	[PPC_OP_VABSDUB] = E(K_ABSDU, 1),
	[PPC_OP_VABSDUH] = E(K_ABSDU, 2),
	[PPC_OP_VABSDUW] = E(K_ABSDU, 4),
	[PPC_OP_VRLB] = E(K_ROTL, 1),
	[PPC_OP_VRLH] = E(K_ROTL, 2),
	[PPC_OP_VRLW] = E(K_ROTL, 4),
	[PPC_OP_VRLD] = E(K_ROTL, 8),
	[PPC_OP_VSLB] = E(K_SHL, 1),
	[PPC_OP_VSLH] = E(K_SHL, 2),
	[PPC_OP_VSLW] = E(K_SHL, 4),
	[PPC_OP_VSLD] = E(K_SHL, 8),
	[PPC_OP_VSRB] = E(K_SHR, 1),
	[PPC_OP_VSRH] = E(K_SHR, 2),
	[PPC_OP_VSRW] = E(K_SHR, 4),
	[PPC_OP_VSRD] = E(K_SHR, 8),
	[PPC_OP_VSRAB] = E(K_SAR, 1),
	[PPC_OP_VSRAH] = E(K_SAR, 2),
	[PPC_OP_VSRAW] = E(K_SAR, 4),
	[PPC_OP_VSRAD] = E(K_SAR, 8),
	[PPC_OP_VMULUWM] = E(K_MUL, 4),
	[PPC_OP_VCMPEQUB] = ER(K_EQ, 1),
	[PPC_OP_VCMPEQUH] = ER(K_EQ, 2),
	[PPC_OP_VCMPEQUW] = ER(K_EQ, 4),
	[PPC_OP_VCMPEQUD] = ER(K_EQ, 8),
	[PPC_OP_VCMPGTUB] = ER(K_GTU, 1),
	[PPC_OP_VCMPGTUH] = ER(K_GTU, 2),
	[PPC_OP_VCMPGTUW] = ER(K_GTU, 4),
	[PPC_OP_VCMPGTUD] = ER(K_GTU, 8),
	[PPC_OP_VCMPGTSB] = ER(K_GTS, 1),
	[PPC_OP_VCMPGTSH] = ER(K_GTS, 2),
	[PPC_OP_VCMPGTSW] = ER(K_GTS, 4),
	[PPC_OP_VCMPGTSD] = ER(K_GTS, 8),
	[PPC_OP_VCMPNEB] = ER(K_NE, 1),
	[PPC_OP_VCMPNEH] = ER(K_NE, 2),
	[PPC_OP_VCMPNEW] = ER(K_NE, 4),
	[PPC_OP_VCMPNEZB] = ER(K_NEZ, 1),
	[PPC_OP_VCMPNEZH] = ER(K_NEZ, 2),
	[PPC_OP_VCMPNEZW] = ER(K_NEZ, 4),
	[PPC_OP_VCLZB] = E(K_CLZ, 1),
	[PPC_OP_VCLZH] = E(K_CLZ, 2),
	[PPC_OP_VCLZW] = E(K_CLZ, 4),
	[PPC_OP_VCLZD] = E(K_CLZ, 8),
	[PPC_OP_VCTZB] = E(K_CTZ, 1),
	[PPC_OP_VCTZH] = E(K_CTZ, 2),
	[PPC_OP_VCTZW] = E(K_CTZ, 4),
	[PPC_OP_VCTZD] = E(K_CTZ, 8),
	[PPC_OP_VPOPCNTB] = E(K_POPCNT, 1),
	[PPC_OP_VPOPCNTH] = E(K_POPCNT, 2),
	[PPC_OP_VPOPCNTW] = E(K_POPCNT, 4),
	[PPC_OP_VPOPCNTD] = E(K_POPCNT, 8),
	[PPC_OP_VNEGW] = E(K_NEG, 4),
	[PPC_OP_VNEGD] = E(K_NEG, 8),
	[PPC_OP_VPRTYBW] = E(K_PRTY, 4),
	[PPC_OP_VPRTYBD] = E(K_PRTY, 8),
	[PPC_OP_VPRTYBQ] = {op_prtybq, 0},
	[PPC_OP_VMULEUB] = {op_mul, SIZE(1)},
	[PPC_OP_VMULEUH] = {op_mul, SIZE(2)},
	[PPC_OP_VMULEUW] = {op_mul, SIZE(4)},
	[PPC_OP_VMULESB] = {op_mul, SIZE(1) | SIGNED},
	[PPC_OP_VMULESH] = {op_mul, SIZE(2) | SIGNED},
	[PPC_OP_VMULESW] = {op_mul, SIZE(4) | SIGNED},
	[PPC_OP_VMULOUB] = {op_mul, SIZE(1) | ODD},
	[PPC_OP_VMULOUH] = {op_mul, SIZE(2) | ODD},
	[PPC_OP_VMULOUW] = {op_mul, SIZE(4) | ODD},
	[PPC_OP_VMULOSB] = {op_mul, SIZE(1) | ODD | SIGNED},
	[PPC_OP_VMULOSH] = {op_mul, SIZE(2) | ODD | SIGNED},
	[PPC_OP_VMULOSW] = {op_mul, SIZE(4) | ODD | SIGNED},
	[PPC_OP_VADDUQM] = {op_quad_sum, Q_ADD},
	[PPC_OP_VADDCUQ] = {op_quad_sum, Q_ADDC},
	[PPC_OP_VSUBUQM] = {op_quad_sum, Q_SUB},
	[PPC_OP_VSUBCUQ] = {op_quad_sum, Q_SUBC},
	[PPC_OP_VADDEUQM] = {op_quad_sum, Q_ADD | Q_EXTENDED},
	[PPC_OP_VADDECUQ] = {op_quad_sum, Q_ADDC | Q_EXTENDED},
	[PPC_OP_VSUBEUQM] = {op_quad_sum, Q_SUB | Q_EXTENDED},
	[PPC_OP_VSUBECUQ] = {op_quad_sum, Q_SUBC | Q_EXTENDED},
	[PPC_OP_VMHADDSHS] = {op_madd_h, M_HADD},
	[PPC_OP_VMHRADDSHS] = {op_madd_h, M_HRADD},
	[PPC_OP_VMLADDUHM] = {op_madd_h, M_LADD},
	[PPC_OP_VMSUMUBM] = {op_msum, M_UBM},
	[PPC_OP_VMSUMMBM] = {op_msum, M_MBM},
	[PPC_OP_VMSUMUHM] = {op_msum, M_UHM},
	[PPC_OP_VMSUMUHS] = {op_msum, M_UHS},
	[PPC_OP_VMSUMSHM] = {op_msum, M_SHM},
	[PPC_OP_VMSUMSHS] = {op_msum, M_SHS},
	[PPC_OP_VMSUMUDM] = {op_msumudm, 0},
	[PPC_OP_VSUMSWS] = {op_sum, 1 | SIZE(4) | SIGNED},
	[PPC_OP_VSUM2SWS] = {op_sum, 2 | SIZE(4) | SIGNED},
	[PPC_OP_VSUM4SBS] = {op_sum, 4 | SIZE(1) | SIGNED},
	[PPC_OP_VSUM4SHS] = {op_sum, 4 | SIZE(2) | SIGNED},
	[PPC_OP_VSUM4UBS] = {op_sum, 4 | SIZE(1)},
	[PPC_OP_VRLWMI] = {op_rotate_mask, 1 | SIZE(4)},
	[PPC_OP_VRLDMI] = {op_rotate_mask, 1 | SIZE(8)},
	[PPC_OP_VRLWNM] = {op_rotate_mask, SIZE(4)},
	[PPC_OP_VRLDNM] = {op_rotate_mask, SIZE(8)},
	[PPC_OP_VEXTSB2W] = {op_sign_extend, 1 | SIZE(4)},
	[PPC_OP_VEXTSH2W] = {op_sign_extend, 2 | SIZE(4)},
	[PPC_OP_VEXTSB2D] = {op_sign_extend, 1 | SIZE(8)},
	[PPC_OP_VEXTSH2D] = {op_sign_extend, 2 | SIZE(8)},
	[PPC_OP_VEXTSW2D] = {op_sign_extend, 4 | SIZE(8)},
};

struct ppc_op_row ppc_op_vint(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
