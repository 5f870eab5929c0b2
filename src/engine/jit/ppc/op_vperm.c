/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Vector permutes, packs, splats, shifts of the whole, logic, VSCR (Book I 6.8, 6.9.4 and 6.3.2).
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/vec.h"

#define SIZE(n) ((n) << 8)

/* ---- pack and unpack ------------------------------------------------------------------------- */

enum { P_MODULO = 0, P_SATURATE = 1, P_SIGNED_IN = 2, P_SIGNED_OUT = 4 };

static u64 pack_one(u64 v, unsigned size, u32 how, bool *sat)
{
	unsigned bits = size * 4; /* of the result */
	s64 s = vec_sext(v, size), max = (s64)((BIT(bits) - 1) >> (how & P_SIGNED_OUT ? 1 : 0));
	s64 min = how & P_SIGNED_OUT ? -max - 1 : 0;

	if (!(how & P_SATURATE))
		return v;
	if (how & P_SIGNED_IN) {
		if (s >= min && s <= max)
			return v;
		*sat = true;
		return (u64)(s < min ? min : max);
	}
	if (v <= (u64)max)
		return v;
	*sat = true;
	return (u64)max;
}

/* size of the sources' elements in bits 8 up. */
static int op_pack(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15, n = 16 / size;
	union ppc_vsr r = {0};
	bool sat = false;

	for (unsigned i = 0; i < 2 * n; i++) {
		u64 v = i < n ? vec_get(vec_a(c, w), size, i) : vec_get(vec_b(c, w), size, i - n);

		vec_set(&r, size / 2, i, pack_one(v, size, arg & 7, &sat));
	}
	*vec_t(c, w) = r;
	if (sat)
		vec_saturated(c);
	return 0;
}

/* 1:5:5:5 pixels. */
static int op_packpx(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 8; i++) {
		u64 v = i < 4 ? vec_get(vec_a(c, w), 4, i) : vec_get(vec_b(c, w), 4, i - 4);

		vec_set(&r, 2, i,
			(v >> 24 & 1) << 15 | (v >> 19 & 31) << 10 | (v >> 11 & 31) << 5 |
				(v >> 3 & 31));
	}
	*vec_t(c, w) = r;
	return 0;
}

/* The high (arg bit 0 clear) or low half, sign-extended; size of the sources' elements. */
static int op_unpack(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15, n = 8 / size;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < n; i++) {
		u64 v = vec_get(vec_b(c, w), size, i + (arg & 1 ? n : 0));

		vec_set(&r, 2 * size, i, (u64)vec_sext(v, size));
	}
	*vec_t(c, w) = r;
	return 0;
}

static int op_unpackpx(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i++) {
		u64 v = vec_get(vec_b(c, w), 2, i + (arg ? 4 : 0));

		vec_set(&r, 4, i,
			(v >> 15 ? 0xff000000 : 0) | (v >> 10 & 31) << 16 | (v >> 5 & 31) << 8 |
				(v & 31));
	}
	*vec_t(c, w) = r;
	return 0;
}

/* ---- merges, splats -------------------------------------------------------------------------- */

static int op_merge(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg >> 8 & 15, n = 8 / size, from = arg & 1 ? n : 0;
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < n; i++) {
		vec_set(&r, size, 2 * i, vec_get(vec_a(c, w), size, from + i));
		vec_set(&r, size, 2 * i + 1, vec_get(vec_b(c, w), size, from + i));
	}
	*vec_t(c, w) = r;
	return 0;
}

/* vmrgew, vmrgow */
static int op_merge_words(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 4; i += 2) {
		vec_set(&r, 4, i, vec_get(vec_a(c, w), 4, i + arg));
		vec_set(&r, 4, i + 1, vec_get(vec_b(c, w), 4, i + arg));
	}
	*vec_t(c, w) = r;
	return 0;
}

static void splat(struct ppc_vcpu *c, u32 w, unsigned size, u64 v)
{
	for (unsigned i = 0; i < 16 / size; i++)
		vec_set(vec_t(c, w), size, i, v);
}

static int op_splat(struct ppc_vcpu *c, u32 w, u32 size)
{
	splat(c, w, size, vec_get(vec_b(c, w), size, ppc_ra(w) & (16 / size - 1)));
	return 0;
}

static int op_splat_imm(struct ppc_vcpu *c, u32 w, u32 size)
{
	splat(c, w, size, (u64)((s64)((u64)ppc_ra(w) << 59) >> 59));
	return 0;
}

/* ---- permutes ---------------------------------------------------------------------------------
 */

/* Byte i of a followed by b. */
static u64 byte_of(const union ppc_vsr *a, const union ppc_vsr *b, unsigned i)
{
	return vec_get(i & 16 ? b : a, 1, i & 15);
}

/* vperm; arg 1: vpermr, bytes counted from the right. */
static int op_perm(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		unsigned n = vec_get(vec_c(c, w), 1, i) & 31;

		vec_set(&r, 1, i, byte_of(vec_a(c, w), vec_b(c, w), arg ? 31 - n : n));
	}
	*vec_t(c, w) = r;
	return 0;
}

static int op_permxor(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		u64 n = vec_get(vec_c(c, w), 1, i);

		vec_set(&r, 1, i,
			vec_get(vec_a(c, w), 1, n >> 4) ^ vec_get(vec_b(c, w), 1, n & 15));
	}
	*vec_t(c, w) = r;
	return 0;
}

static int op_sldoi(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++)
		vec_set(&r, 1, i, byte_of(vec_a(c, w), vec_b(c, w), i + ppc_bits(w, 22, 25)));
	*vec_t(c, w) = r;
	return 0;
}

/* vsl, vsr by bits; vslo, vsro by bytes (arg 2); arg bit 0: right. */
static int op_shift_all(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 b = vec_get(vec_b(c, w), 1, 15);
	unsigned n = arg & 2 ? b & 0x78 : b & 7;
	u128 a = vec_128(vec_a(c, w));

	*vec_t(c, w) = vec_from(arg & 1 ? a >> n : a << n);
	return 0;
}

/* vslv, vsrv: each byte by its own count, bits come from its neighbour. */
static int op_shift_each(struct ppc_vcpu *c, u32 w, u32 right)
{
	union ppc_vsr r = {0};

	for (unsigned i = 0; i < 16; i++) {
		unsigned n = vec_get(vec_b(c, w), 1, i) & 7;
		u64 v = vec_get(vec_a(c, w), 1, i), other;

		if (right) {
			other = i ? vec_get(vec_a(c, w), 1, i - 1) : 0;
			vec_set(&r, 1, i, (other << 8 | v) >> n);
		} else {
			other = i < 15 ? vec_get(vec_a(c, w), 1, i + 1) : 0;
			vec_set(&r, 1, i, (v << 8 | other) << n >> 8);
		}
	}
	*vec_t(c, w) = r;
	return 0;
}

/* Element at byte UIM of b to doubleword 0. */
static int op_extract(struct ppc_vcpu *c, u32 w, u32 size)
{
	unsigned at = ppc_bits(w, 12, 15);
	u64 v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | (at + i < 16 ? vec_get(vec_b(c, w), 1, at + i) : 0);
	*vec_t(c, w) = (union ppc_vsr){.dw = {0, v}};
	return 0;
}

/* The low part of doubleword 0 of b to byte UIM. */
static int op_insert(struct ppc_vcpu *c, u32 w, u32 size)
{
	unsigned at = ppc_bits(w, 12, 15);
	u64 v = vec_b(c, w)->dw[PPC_DW0];

	for (unsigned i = 0; i < size && at + i < 16; i++)
		vec_set(vec_t(c, w), 1, at + i, v >> (8 * (size - 1 - i)));
	return 0;
}

/* vextu*lx, vextu*rx: byte RA (from the right: arg 16) to a GPR. */
static int op_extract_gpr(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned size = arg & 15, at = c->gpr[ppc_ra(w)] & 15;
	u128 v = vec_128(vec_b(c, w));

	if (arg & 16)
		v >>= 8 * at;
	else if (at + size <= 16)
		v >>= 8 * (16 - size - at);
	else
		v <<= 8 * (at + size - 16);
	c->gpr[ppc_rt(w)] = (u64)v & (BIT(8 * size) - 1);
	return 0;
}

/* Leading (arg 0) or trailing bytes whose low bit is 0. */
static int op_zlsbb(struct ppc_vcpu *c, u32 w, u32 arg)
{
	unsigned n = 0;

	while (n < 16 && !(vec_get(vec_b(c, w), 1, arg ? 15 - n : n) & 1))
		n++;
	c->gpr[ppc_rt(w)] = n;
	return 0;
}

/* Bit k of byte i of each doubleword to bit i of byte k. */
static int op_gbbd(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};

	for (unsigned d = 0; d < 2; d++)
		for (unsigned i = 0; i < 64; i++)
			r.dw[d] |= (vec_b(c, w)->dw[d] >> i & 1) << ((i & 7) * 8 + (i >> 3));
	*vec_t(c, w) = r;
	return 0;
}

/* Bits of a that bytes of b name; vbpermd (arg 1) within each doubleword. */
static int op_bperm(struct ppc_vcpu *c, u32 w, u32 arg)
{
	union ppc_vsr r = {0};
	u128 a = vec_128(vec_a(c, w));

	for (unsigned i = 0; i < 16; i++) {
		unsigned n = vec_get(vec_b(c, w), 1, i);
		u64 bit;

		if (arg) {
			bit = n < 64 ? vec_a(c, w)->dw[i < 8] >> (63 - n) & 1 : 0;
			r.dw[i < 8] |= bit << (7 - (i & 7));
		} else {
			bit = n < 128 ? (u64)(a >> (127 - n)) & 1 : 0;
			r.dw[PPC_DW0] |= bit << (15 - i);
		}
	}
	*vec_t(c, w) = r;
	return 0;
}

/* lvsl, lvsr: the permutation of a misaligned address. */
static int op_lvs(struct ppc_vcpu *c, u32 w, u32 right)
{
	u64 ra = ppc_ra(w) ? c->gpr[ppc_ra(w)] : 0;
	unsigned sh = (ra + c->gpr[ppc_rb(w)]) & 15, first = right ? 16 - sh : sh;

	for (unsigned i = 0; i < 16; i++)
		vec_set(vec_t(c, w), 1, i, first + i);
	return 0;
}

/* ---- logic of VMX and VSX, VSCR ----------------------------------------------------------------
 */

enum { L_AND, L_ANDC, L_OR, L_XOR, L_NOR, L_ORC, L_NAND, L_EQV, L_SEL, L_VSX = 16 };

static u64 logic(unsigned kind, u64 a, u64 b, u64 m)
{
	switch (kind) {
	case L_AND:
		return a & b;
	case L_ANDC:
		return a & ~b;
	case L_OR:
		return a | b;
	case L_XOR:
		return a ^ b;
	case L_NOR:
		return ~(a | b);
	case L_ORC:
		return a | ~b;
	case L_NAND:
		return ~(a & b);
	case L_EQV:
		return ~(a ^ b);
	default:
		return (a & ~m) | (b & m);
	}
}

static int op_logic(struct ppc_vcpu *c, u32 w, u32 arg)
{
	const union ppc_vsr *a = arg & L_VSX ? &c->vsr[ppc_xa(w)] : vec_a(c, w);
	const union ppc_vsr *b = arg & L_VSX ? &c->vsr[ppc_xb(w)] : vec_b(c, w);
	const union ppc_vsr *m = arg & L_VSX ? &c->vsr[ppc_xc(w)] : vec_c(c, w);
	union ppc_vsr *t = arg & L_VSX ? &c->vsr[ppc_xt(w)] : vec_t(c, w);

	for (unsigned i = 0; i < 2; i++)
		t->dw[i] = logic(arg & 15, a->dw[i], b->dw[i], m->dw[i]);
	return 0;
}

static int op_mfvscr(struct ppc_vcpu *c, u32 w, u32 arg)
{
	bool sat = c->vscr_sat.dw[0] | c->vscr_sat.dw[1];

	*vec_t(c, w) = (union ppc_vsr){.dw = {(u64)c->vscr_nj << 16 | sat, 0}};
	return 0;
}

static int op_mtvscr(struct ppc_vcpu *c, u32 w, u32 arg)
{
	u64 v = vec_b(c, w)->dw[0];

	c->vscr_nj = v >> 16 & 1;
	c->vscr_sat = (union ppc_vsr){.dw = {v & 1, 0}};
	fp_update_key(c);
	return 0;
}

static const struct ppc_op_row table[PPC_OP_COUNT] = {
	[PPC_OP_VPKUHUM] = {op_pack, SIZE(2) | P_MODULO},
	[PPC_OP_VPKUWUM] = {op_pack, SIZE(4) | P_MODULO},
	[PPC_OP_VPKUDUM] = {op_pack, SIZE(8) | P_MODULO},
	[PPC_OP_VPKUHUS] = {op_pack, SIZE(2) | P_SATURATE},
	[PPC_OP_VPKUWUS] = {op_pack, SIZE(4) | P_SATURATE},
	[PPC_OP_VPKUDUS] = {op_pack, SIZE(8) | P_SATURATE},
	[PPC_OP_VPKSHUS] = {op_pack, SIZE(2) | P_SATURATE | P_SIGNED_IN},
	[PPC_OP_VPKSWUS] = {op_pack, SIZE(4) | P_SATURATE | P_SIGNED_IN},
	[PPC_OP_VPKSDUS] = {op_pack, SIZE(8) | P_SATURATE | P_SIGNED_IN},
	[PPC_OP_VPKSHSS] = {op_pack, SIZE(2) | P_SATURATE | P_SIGNED_IN | P_SIGNED_OUT},
	[PPC_OP_VPKSWSS] = {op_pack, SIZE(4) | P_SATURATE | P_SIGNED_IN | P_SIGNED_OUT},
	[PPC_OP_VPKSDSS] = {op_pack, SIZE(8) | P_SATURATE | P_SIGNED_IN | P_SIGNED_OUT},
	[PPC_OP_VPKPX] = {op_packpx, 0},
	[PPC_OP_VUPKHSB] = {op_unpack, SIZE(1)},
	[PPC_OP_VUPKHSH] = {op_unpack, SIZE(2)},
	[PPC_OP_VUPKHSW] = {op_unpack, SIZE(4)},
	[PPC_OP_VUPKLSB] = {op_unpack, SIZE(1) | 1},
	[PPC_OP_VUPKLSH] = {op_unpack, SIZE(2) | 1},
	[PPC_OP_VUPKLSW] = {op_unpack, SIZE(4) | 1},
	[PPC_OP_VUPKHPX] = {op_unpackpx, 0},
	[PPC_OP_VUPKLPX] = {op_unpackpx, 1},
	[PPC_OP_VMRGHB] = {op_merge, SIZE(1)},
	[PPC_OP_VMRGHH] = {op_merge, SIZE(2)},
	[PPC_OP_VMRGHW] = {op_merge, SIZE(4)},
	[PPC_OP_VMRGLB] = {op_merge, SIZE(1) | 1},
	[PPC_OP_VMRGLH] = {op_merge, SIZE(2) | 1},
	[PPC_OP_VMRGLW] = {op_merge, SIZE(4) | 1},
	[PPC_OP_VMRGEW] = {op_merge_words, 0},
	[PPC_OP_VMRGOW] = {op_merge_words, 1},
	[PPC_OP_VSPLTB] = {op_splat, 1},
	[PPC_OP_VSPLTH] = {op_splat, 2},
	[PPC_OP_VSPLTW] = {op_splat, 4},
	[PPC_OP_VSPLTISB] = {op_splat_imm, 1},
	[PPC_OP_VSPLTISH] = {op_splat_imm, 2},
	[PPC_OP_VSPLTISW] = {op_splat_imm, 4},
	[PPC_OP_VPERM] = {op_perm, 0},
	[PPC_OP_VPERMR] = {op_perm, 1},
	[PPC_OP_VPERMXOR] = {op_permxor, 0},
	[PPC_OP_VSLDOI] = {op_sldoi, 0},
	[PPC_OP_VSL] = {op_shift_all, 0},
	[PPC_OP_VSR] = {op_shift_all, 1},
	[PPC_OP_VSLO] = {op_shift_all, 2},
	[PPC_OP_VSRO] = {op_shift_all, 3},
	[PPC_OP_VSLV] = {op_shift_each, 0},
	[PPC_OP_VSRV] = {op_shift_each, 1},
	[PPC_OP_VEXTRACTUB] = {op_extract, 1},
	[PPC_OP_VEXTRACTUH] = {op_extract, 2},
	[PPC_OP_VEXTRACTUW] = {op_extract, 4},
	[PPC_OP_VEXTRACTD] = {op_extract, 8},
	[PPC_OP_VINSERTB] = {op_insert, 1},
	[PPC_OP_VINSERTH] = {op_insert, 2},
	[PPC_OP_VINSERTW] = {op_insert, 4},
	[PPC_OP_VINSERTD] = {op_insert, 8},
	[PPC_OP_VEXTUBLX] = {op_extract_gpr, 1},
	[PPC_OP_VEXTUHLX] = {op_extract_gpr, 2},
	[PPC_OP_VEXTUWLX] = {op_extract_gpr, 4},
	[PPC_OP_VEXTUBRX] = {op_extract_gpr, 1 | 16},
	[PPC_OP_VEXTUHRX] = {op_extract_gpr, 2 | 16},
	[PPC_OP_VEXTUWRX] = {op_extract_gpr, 4 | 16},
	[PPC_OP_VCLZLSBB] = {op_zlsbb, 0},
	[PPC_OP_VCTZLSBB] = {op_zlsbb, 1},
	[PPC_OP_VGBBD] = {op_gbbd, 0},
	[PPC_OP_VBPERMQ] = {op_bperm, 0},
	[PPC_OP_VBPERMD] = {op_bperm, 1},
	[PPC_OP_LVSL] = {op_lvs, 0},
	[PPC_OP_LVSR] = {op_lvs, 1},
	[PPC_OP_VAND] = {op_logic, L_AND},
	[PPC_OP_VANDC] = {op_logic, L_ANDC},
	[PPC_OP_VOR] = {op_logic, L_OR},
	[PPC_OP_VXOR] = {op_logic, L_XOR},
	[PPC_OP_VNOR] = {op_logic, L_NOR},
	[PPC_OP_VORC] = {op_logic, L_ORC},
	[PPC_OP_VNAND] = {op_logic, L_NAND},
	[PPC_OP_VEQV] = {op_logic, L_EQV},
	[PPC_OP_VSEL] = {op_logic, L_SEL},
	[PPC_OP_XXLAND] = {op_logic, L_AND | L_VSX},
	[PPC_OP_XXLANDC] = {op_logic, L_ANDC | L_VSX},
	[PPC_OP_XXLOR] = {op_logic, L_OR | L_VSX},
	[PPC_OP_XXLXOR] = {op_logic, L_XOR | L_VSX},
	[PPC_OP_XXLNOR] = {op_logic, L_NOR | L_VSX},
	[PPC_OP_XXLORC] = {op_logic, L_ORC | L_VSX},
	[PPC_OP_XXLNAND] = {op_logic, L_NAND | L_VSX},
	[PPC_OP_XXLEQV] = {op_logic, L_EQV | L_VSX},
	[PPC_OP_XXSEL] = {op_logic, L_SEL | L_VSX},
	[PPC_OP_MFVSCR] = {op_mfvscr, 0},
	[PPC_OP_MTVSCR] = {op_mtvscr, 0},
};

struct ppc_op_row ppc_op_vperm(unsigned op)
{
	return op < PPC_OP_COUNT ? table[op] : (struct ppc_op_row){0};
}
