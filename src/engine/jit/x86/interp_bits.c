/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: bit tests, scans and counts, BMI1, BMI2, CRC32. Flags that the
 * manual leaves undefined keep their value, except where noted.
 */
#include "engine/jit/x86/interp.h"

static inline unsigned bit_log2(unsigned n)
{
	return n == 8 ? 3 : n == 4 ? 2 : n == 2 ? 1 : 0;
}

/*
 * BT, BTS, BTR, BTC. A bit number in a register reaches beyond a memory
 * operand: it selects the n-byte word too (SDM vol. 2, BT).
 */
static int exec_bt(struct x86_vcpu *c, const struct x86_insn *in)
{
	const struct x86_opnd *o = &in->opnd[0];
	unsigned n = o->size, op = in->opcode == 0xba ? in->modrm >> 3 & 3 : in->opcode >> 3 & 3;
	u64 bit, off, word, r;
	struct interp_rmw m;
	int done;

	if (opnd_read(c, in, 1, &bit) < 0)
		return -1;
	off = interp_ea(c, in);
	if (o->kind == X86_OPND_MEM && in->opnd[1].kind == X86_OPND_GPR) {
		word = (u64)((s64)sext(bit, n) >> (3 + bit_log2(n))) * n;
		off = (off + word) & mask_bytes(in->adsize);
	}
	bit &= n * 8 - 1;
	if (op == 0) {
		r = 0;
		if (o->kind == X86_OPND_MEM ? interp_read(c, in->seg, off, n, &r) < 0
					    : opnd_read(c, in, 0, &r) < 0)
			return -1;
		flags_set(c, RF_CF, r >> bit & 1);
		return interp_next(c, in);
	}
	if (o->kind == X86_OPND_MEM ? interp_rmw_mem(c, in->seg, off, n, in->lock, &m) < 0
				    : interp_rmw_open(c, in, 0, &m) < 0)
		return -1;
	do {
		word = m.val;
		r = op == 1 ? word | BIT(bit) : op == 2 ? word & ~BIT(bit) : word ^ BIT(bit);
		done = interp_rmw_put(c, &m, r);
	} while (!done);
	if (done < 0)
		return -1;
	flags_set(c, RF_CF, word >> bit & 1);
	return interp_next(c, in);
}

/* BSF and BSR: a zero source sets ZF and leaves the destination as it was. */
static int exec_bs(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	flags_set(c, RF_ZF, flag_if(!v, RF_ZF));
	if (v)
		gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false,
			in->opcode == 0xbc ? (u64)__builtin_ctzll(v)
					   : 63 - (u64)__builtin_clzll(v));
	return interp_next(c, in);
}

/* TZCNT and LZCNT. */
static int exec_zcnt(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned bits = in->opnd[0].size * 8;
	u64 v, r = bits;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	if (v)
		r = in->opcode == 0xbc ? (u64)__builtin_ctzll(v)
				       : (u64)__builtin_clzll(v) - (64 - bits);
	gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false, r);
	flags_set(c, RF_CF | RF_ZF, flag_if(!v, RF_CF) | flag_if(!r, RF_ZF));
	return interp_next(c, in);
}

static int exec_popcnt(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 v, r = 0;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	flags_set(c, X86_F_STATUS, flag_if(!v, RF_ZF));
	for (; v; v &= v - 1)
		r++;
	gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false, r);
	return interp_next(c, in);
}

/* CRC-32C, reflected polynomial 0x11EDC6F41 (SDM vol. 2, CRC32). */
static int exec_crc32(struct x86_vcpu *c, const struct x86_insn *in)
{
	u32 crc = (u32)c->gpr[in->opnd[0].reg];
	u64 v;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	for (unsigned i = 0; i < in->opnd[1].size; i++, v >>= 8) {
		crc ^= (u8)v;
		for (unsigned b = 0; b < 8; b++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	c->gpr[in->opnd[0].reg] = crc;
	return interp_next(c, in);
}

static int exec_bswap(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned reg = in->opnd[0].reg, n = in->opnd[0].size;
	u64 v = c->gpr[reg];

	/* A 16-bit BSWAP is undefined; processors give zero. */
	v = n == 8 ? __builtin_bswap64(v) : n == 4 ? __builtin_bswap32((u32)v) : 0;
	gpr_set(c, reg, n, false, v);
	return interp_next(c, in);
}

/* ---- BMI1, BMI2 (VEX) ------------------------------------------------------------ */

static void bmi_flags(struct x86_vcpu *c, u64 r, unsigned n, bool carry)
{
	flags_set(c, RF_CF | RF_ZF | RF_SF | RF_OF,
		  flag_if(carry, RF_CF) | (flags_szp(r, n) & (RF_ZF | RF_SF)));
}

static int exec_andn(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	u64 a, b;

	if (opnd_read(c, in, 1, &a) < 0 || opnd_read(c, in, 2, &b) < 0)
		return -1;
	a = ~a & b;
	gpr_set(c, in->opnd[0].reg, n, false, a);
	bmi_flags(c, a, n, false);
	return interp_next(c, in);
}

/* BLSR /1, BLSMSK /2, BLSI /3. */
static int exec_bls(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, op = in->modrm >> 3 & 7;
	u64 v, r;

	if (opnd_read(c, in, 1, &v) < 0)
		return -1;
	r = op == 1 ? v & (v - 1) : op == 2 ? v ^ (v - 1) : v & -v;
	r &= mask_bytes(n);
	gpr_set(c, in->opnd[0].reg, n, false, r);
	bmi_flags(c, r, n, op == 3 ? v != 0 : v == 0);
	return interp_next(c, in);
}

static int exec_bextr(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, start, len;
	u64 v, ctl;

	if (opnd_read(c, in, 1, &v) < 0 || opnd_read(c, in, 2, &ctl) < 0)
		return -1;
	start = (u8)ctl;
	len = (u8)(ctl >> 8);
	v = start < 64 ? v >> start : 0;
	v = len < 64 ? v & (BIT(len) - 1) : v;
	gpr_set(c, in->opnd[0].reg, n, false, v);
	flags_set(c, RF_CF | RF_ZF | RF_OF, flag_if(!v, RF_ZF));
	return interp_next(c, in);
}

static int exec_bzhi(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, bits = n * 8;
	u64 v, idx;

	if (opnd_read(c, in, 1, &v) < 0 || opnd_read(c, in, 2, &idx) < 0)
		return -1;
	idx = (u8)idx;
	if (idx < bits)
		v &= BIT(idx) - 1;
	gpr_set(c, in->opnd[0].reg, n, false, v);
	bmi_flags(c, v, n, idx > bits - 1);
	return interp_next(c, in);
}

enum { VEX_PP_NONE, VEX_PP_66, VEX_PP_F3, VEX_PP_F2 };

/* The pp field of a VEX prefix, i.e. the low bits of its last byte. */
static unsigned vex_pp(const struct x86_insn *in)
{
	return in->bytes[in->op_off - 1] & 3;
}

/* PDEP (F2) and PEXT (F3). */
static int exec_pdep(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool deposit = vex_pp(in) == VEX_PP_F2;
	u64 v, mask, r = 0;

	if (opnd_read(c, in, 1, &v) < 0 || opnd_read(c, in, 2, &mask) < 0)
		return -1;
	for (unsigned k = 0; mask; mask &= mask - 1, k++) {
		unsigned at = (unsigned)__builtin_ctzll(mask);

		r |= deposit ? (v >> k & 1) << at : (v >> at & 1) << k;
	}
	gpr_set(c, in->opnd[0].reg, in->opnd[0].size, false, r);
	return interp_next(c, in);
}

static int exec_mulx(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	unsigned __int128 r;
	u64 b;

	if (opnd_read(c, in, 2, &b) < 0)
		return -1;
	r = (unsigned __int128)gpr_get(c, X86_RDX, n, false) * b;
	gpr_set(c, in->opnd[1].reg, n, false, (u64)r & mask_bytes(n));
	gpr_set(c, in->opnd[0].reg, n, false, (u64)(r >> (n * 8)));
	return interp_next(c, in);
}

/* SHLX (66), SARX (F3), SHRX (F2), and RORX with its immediate. */
static int exec_shiftx(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size, pp = vex_pp(in);
	u64 v, cnt;

	if (opnd_read(c, in, 1, &v) < 0 || opnd_read(c, in, 2, &cnt) < 0)
		return -1;
	cnt &= n * 8 - 1;
	if (in->map == X86_MAP_0F3A)
		v = cnt ? v >> cnt | v << (n * 8 - cnt) : v;
	else if (pp == VEX_PP_66)
		v <<= cnt;
	else if (pp == VEX_PP_F3)
		v = (u64)((s64)sext(v, n) >> cnt);
	else
		v >>= cnt;
	gpr_set(c, in->opnd[0].reg, n, false, v);
	return interp_next(c, in);
}

static interp_fn bits_lookup_vex(const struct x86_insn *in)
{
	unsigned pp = vex_pp(in);

	if (in->map == X86_MAP_0F3A)
		return in->opcode == 0xf0 && pp == VEX_PP_F2 ? exec_shiftx : NULL;
	if (in->map != X86_MAP_0F38)
		return NULL;
	switch (in->opcode) {
	case 0xf2:
		return exec_andn;
	case 0xf3:
		return exec_bls;
	case 0xf5:
		return pp == VEX_PP_NONE ? exec_bzhi : exec_pdep;
	case 0xf6:
		return exec_mulx;
	case 0xf7:
		return pp == VEX_PP_NONE ? exec_bextr : exec_shiftx;
	default:
		return NULL;
	}
}

static interp_fn bits_lookup_0f(const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xba:
	case 0xbb:
		return exec_bt;
	case 0xb8:
		return in->rep ? exec_popcnt : NULL;
	case 0xbc:
	case 0xbd:
		return in->rep ? exec_zcnt : exec_bs;
	case 0xc8 ... 0xcf:
		return exec_bswap;
	default:
		return NULL;
	}
}

interp_fn interp_bits_lookup(const struct x86_insn *in)
{
	if (in->enc == X86_ENC_VEX)
		return bits_lookup_vex(in);
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_0F)
		return bits_lookup_0f(in);
	if (in->map == X86_MAP_0F38 && in->repne && (in->opcode == 0xf0 || in->opcode == 0xf1))
		return exec_crc32;
	return NULL;
}
