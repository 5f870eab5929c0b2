/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: shifts, rotates and double shifts. A masked count of zero
 * changes no flag. OF is defined for a count of one only; for others it gets
 * the same formula.
 */
#include "engine/jit/x86/interp.h"

/* Result of `op` by cnt != 0; *fl in: old flags, out: new ones. */
typedef u64 (*shift_op)(u64 *fl, u64 a, unsigned cnt, unsigned n);

static u64 shift_flags(u64 r, unsigned n, bool carry, bool overflow)
{
	return flags_szp(r, n) | flag_if(carry, RF_CF) | flag_if(overflow, RF_OF);
}

static u64 op_shl(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	unsigned bits = n * 8;
	u64 r = (a << cnt) & mask_bytes(n);
	bool cf = cnt <= bits && (a >> (bits - cnt) & 1);

	*fl = shift_flags(r, n, cf, sign_of(r, n) != cf);
	return r;
}

static u64 op_shr(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	u64 r = a >> cnt;

	*fl = shift_flags(r, n, a >> (cnt - 1) & 1, sign_of(a, n));
	return r;
}

static u64 op_sar(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	s64 s = (s64)sext(a, n);
	u64 r = (u64)(s >> cnt) & mask_bytes(n);

	*fl = shift_flags(r, n, s >> (cnt - 1) & 1, false);
	return r;
}

static u64 rotate_flags(u64 old, bool carry, bool overflow)
{
	return (old & ~(u64)(RF_CF | RF_OF)) | flag_if(carry, RF_CF) | flag_if(overflow, RF_OF);
}

static u64 op_rol(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	unsigned bits = n * 8, k = cnt & (bits - 1);
	u64 r = k ? (a << k | a >> (bits - k)) & mask_bytes(n) : a;

	*fl = rotate_flags(*fl, r & 1, sign_of(r, n) != (r & 1));
	return r;
}

static u64 op_ror(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	unsigned bits = n * 8, k = cnt & (bits - 1);
	u64 r = k ? (a >> k | a << (bits - k)) & mask_bytes(n) : a;

	*fl = rotate_flags(*fl, sign_of(r, n), sign_of(r, n) != (r >> (bits - 2) & 1));
	return r;
}

static u64 op_rcl(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	bool cf = *fl & RF_CF;

	for (unsigned k = cnt % (n * 8 + 1); k; k--) {
		bool out = sign_of(a, n);

		a = ((a << 1) | cf) & mask_bytes(n);
		cf = out;
	}
	*fl = rotate_flags(*fl, cf, sign_of(a, n) != cf);
	return a;
}

static u64 op_rcr(u64 *fl, u64 a, unsigned cnt, unsigned n)
{
	bool cf = *fl & RF_CF;

	for (unsigned k = cnt % (n * 8 + 1); k; k--) {
		bool out = a & 1;

		a = a >> 1 | (u64)cf << (n * 8 - 1);
		cf = out;
	}
	*fl = rotate_flags(*fl, cf, sign_of(a, n) != (a >> (n * 8 - 2) & 1));
	return a;
}

static unsigned shift_count(const struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned cnt = 1;

	if (in->opcode == 0xc0 || in->opcode == 0xc1)
		cnt = (u8)in->imm;
	else if (in->opcode == 0xd2 || in->opcode == 0xd3)
		cnt = (u8)c->gpr[X86_RCX];
	return cnt & (in->opnd[0].size == 8 ? 63 : 31);
}

static inline __attribute__((always_inline)) int
shift_update(struct x86_vcpu *c, const struct x86_insn *in, shift_op op)
{
	unsigned cnt = shift_count(c, in);
	struct interp_rmw m;
	u64 fl = c->rflags & X86_F_STATUS;
	u64 r;

	if (interp_rmw_open(c, in, 0, &m) < 0)
		return -1;
	r = cnt ? op(&fl, m.val, cnt, m.n) : m.val;
	if (interp_rmw_put(c, &m, r) < 0)
		return -1;
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

#define SHIFT(name)                                                                                \
	static int exec_##name(struct x86_vcpu *c, const struct x86_insn *in)                      \
	{                                                                                          \
		return shift_update(c, in, op_##name);                                             \
	}
SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)
SHIFT(shl)
SHIFT(shr)
SHIFT(sar)

/* dst:src shifted left by cnt (1..bits-1, or up to 31 for words: then dst follows src again). */
static u64 double_left(u64 dst, u64 src, unsigned cnt, unsigned n)
{
	if (n == 8)
		return dst << cnt | src >> (64 - cnt);
	if (n == 4)
		return (u32)((dst << 32 | src) << cnt >> 32);
	return (u16)((dst << 32 | src << 16 | dst) << cnt >> 32);
}

static u64 double_right(u64 dst, u64 src, unsigned cnt, unsigned n)
{
	if (n == 8)
		return dst >> cnt | src << (64 - cnt);
	if (n == 4)
		return (u32)((src << 32 | dst) >> cnt);
	return (u16)((dst << 32 | src << 16 | dst) >> cnt);
}

static int exec_shiftd(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool right = in->opcode & 8; /* A4 A5 SHLD, AC AD SHRD */
	unsigned cnt = in->opcode & 1 ? (u8)c->gpr[X86_RCX] : (u8)in->imm;
	u64 src, fl = c->rflags & X86_F_STATUS, r;
	struct interp_rmw m;
	bool cf;

	if (opnd_read(c, in, 1, &src) < 0 || interp_rmw_open(c, in, 0, &m) < 0)
		return -1;
	cnt &= m.n == 8 ? 63 : 31;
	r = m.val;
	if (cnt) {
		r = right ? double_right(m.val, src, cnt, m.n) : double_left(m.val, src, cnt, m.n);
		if (right)
			cf = cnt == 1 ? m.val & 1 : double_right(m.val, src, cnt - 1, m.n) & 1;
		else
			cf = sign_of(cnt == 1 ? m.val : double_left(m.val, src, cnt - 1, m.n), m.n);
		fl = shift_flags(r, m.n, cf, sign_of(r ^ m.val, m.n));
	}
	if (interp_rmw_put(c, &m, r) < 0)
		return -1;
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

interp_fn interp_shift_lookup(const struct x86_insn *in)
{
	static const interp_fn group[8] = {exec_rol, exec_ror, exec_rcl, exec_rcr,
					   exec_shl, exec_shr, exec_shl, exec_sar};

	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B) {
		switch (in->opcode) {
		case 0xc0:
		case 0xc1:
		case 0xd0 ... 0xd3:
			return group[in->modrm >> 3 & 7];
		default:
			return NULL;
		}
	}
	if (in->map == X86_MAP_0F &&
	    (in->opcode == 0xa4 || in->opcode == 0xa5 || in->opcode == 0xac || in->opcode == 0xad))
		return exec_shiftd;
	return NULL;
}
