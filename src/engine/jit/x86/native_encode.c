/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-encoding of a vector or x87 instruction for a native stub: always 64-bit
 * code, memory operand [rsi], general register operand r8, everything else as
 * the guest wrote it. Prefixes: SDM vol. 2, 2.1 to 2.7.
 */
#include "engine/jit/x86/native.h"

static bool is_x87(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_1B;
}

const struct x86_opnd *native_gpr(const struct x86_insn *in)
{
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR && !in->opnd[i].implicit && !is_x87(in))
			return &in->opnd[i];
	return NULL;
}

/* The forms whose general register is ModRM.reg; in all others it is ModRM.rm. */
static bool gpr_in_reg_field(const struct x86_insn *in)
{
	if (in->map != X86_MAP_0F && in->map != X86_MAP_5)
		return false;
	switch (in->opcode) {
	case 0x2c: /* cvtt*2si */
	case 0x2d:
	case 0x50: /* movmskp* */
	case 0x78: /* vcvtt*2usi */
	case 0x79:
	case 0x93: /* kmov r, k */
	case 0xc5: /* pextrw */
	case 0xd7: /* pmovmskb */
		return true;
	default:
		return false;
	}
}

enum gpr_field { GPR_NONE, GPR_REG, GPR_RM };

static enum gpr_field gpr_field(const struct x86_insn *in)
{
	if (!native_gpr(in))
		return GPR_NONE;
	return gpr_in_reg_field(in) ? GPR_REG : GPR_RM;
}

static u8 new_modrm(const struct x86_insn *in)
{
	u8 m = in->modrm;

	if (in->has_mem)
		m = (m & 0x38) | 6; /* [rsi] */
	if (gpr_field(in) == GPR_REG)
		m &= ~0x38; /* r8 with the extension bit */
	if (gpr_field(in) == GPR_RM)
		m &= ~7;
	return m;
}

/* Memory in place of a general register whose size W gives; pp as VEX encodes it. */
static bool gpr_sized_memory(const struct x86_insn *in, u8 pp)
{
	if (!in->has_mem)
		return false;
	if (in->map == X86_MAP_0F3A)
		return in->opcode == 0x16 || in->opcode == 0x22;
	if (in->map != X86_MAP_0F)
		return false;
	if (in->opcode == 0x2a || in->opcode == 0x7b) /* vcvtsi2s*, vcvtusi2s* */
		return pp >= 2;
	return (in->opcode == 0x6e || in->opcode == 0x7e) && pp == 1;
}

/* vpcmpestri, vpcmpestrm: W says how long the lengths in rAX and rDX are. */
static bool is_cmpestr(const struct x86_insn *in)
{
	return in->map == X86_MAP_0F3A && (in->opcode == 0x60 || in->opcode == 0x61);
}

/* In 32-bit code W does not widen a general register operand. */
static bool w_ignored(const struct x86_insn *in, u8 pp)
{
	return in->mode != X86_MODE_64 &&
	       (native_gpr(in) || gpr_sized_memory(in, pp) || is_cmpestr(in));
}

static u8 *put_legacy_prefixes(const struct x86_insn *in, u8 *p)
{
	unsigned reg = in->modrm >> 3 & 7;
	u8 rex = in->rex;

	if (is_x87(in)) {
		/* Only fldenv, fnstenv, frstor, fnsave have two formats. */
		if (in->has_mem && in->opsize == 2 && (reg == 4 || reg == 6) &&
		    (in->opcode == 0xd9 || in->opcode == 0xdd))
			*p++ = 0x66;
		return p;
	}
	for (unsigned i = 0; i < in->pfx_len; i++)
		if (in->bytes[i] == 0x66 || in->bytes[i] == 0xf2 || in->bytes[i] == 0xf3)
			*p++ = in->bytes[i];
	if (in->has_mem)
		rex &= ~3;
	if (gpr_field(in) == GPR_REG)
		rex |= 0x44;
	if (gpr_field(in) == GPR_RM)
		rex = (rex & ~2) | 0x41;
	if (rex)
		*p++ = rex;
	return p;
}

static u8 *put_legacy(const struct x86_insn *in, u8 *p)
{
	p = put_legacy_prefixes(in, p);
	if (in->map != X86_MAP_1B)
		*p++ = 0x0f;
	if (in->map == X86_MAP_0F38)
		*p++ = 0x38;
	if (in->map == X86_MAP_0F3A)
		*p++ = 0x3a;
	if (in->map == X86_MAP_3DNOW)
		*p++ = 0x0f;
	else
		*p++ = in->opcode;
	return p;
}

/* Inverted register extension bits R X B of VEX and EVEX byte 1, for our operands. */
static u8 patch_rxb(const struct x86_insn *in, u8 rxb)
{
	if (in->mode != X86_MODE_64)
		rxb |= 0xe0;
	if (in->has_mem)
		rxb |= 0x60;
	if (gpr_field(in) == GPR_REG)
		rxb &= ~0x80;
	if (gpr_field(in) == GPR_RM)
		rxb = (rxb | 0x40) & ~0x20;
	return rxb;
}

/* W, vvvv, and below: registers 8 and up do not exist outside 64-bit mode. */
static u8 patch_w_vvvv(const struct x86_insn *in, u8 b)
{
	if (in->mode != X86_MODE_64)
		b |= 0x40;
	return w_ignored(in, b & 3) ? b & ~0x80 : b;
}

static u8 *put_vex(const struct x86_insn *in, u8 *p)
{
	const u8 *v = in->bytes + in->pfx_len;
	u8 rxb, w;

	if (v[0] == 0xc5) {
		rxb = (v[1] & 0x80) | 0x61; /* X and B not extended, map 0F */
		w = v[1] & 0x7f;
	} else {
		rxb = v[1];
		w = v[2];
	}
	*p++ = 0xc4;
	*p++ = patch_rxb(in, rxb);
	*p++ = patch_w_vvvv(in, w);
	*p++ = in->opcode;
	return p;
}

static u8 *put_evex(const struct x86_insn *in, u8 *p)
{
	const u8 *v = in->bytes + in->pfx_len;
	u8 p0 = patch_rxb(in, v[1]), p2 = v[3];

	if (in->mode != X86_MODE_64) {
		p0 |= 0x10;
		p2 |= 8;
	}
	if (gpr_field(in) == GPR_REG)
		p0 |= 0x10;
	*p++ = 0x62;
	*p++ = p0;
	*p++ = patch_w_vvvv(in, v[2]);
	*p++ = p2;
	*p++ = in->opcode;
	return p;
}

/* imm8[7:4] names a register (vblendv*): bit 7 does not exist outside 64-bit mode. */
static bool imm_is_register(const struct x86_insn *in)
{
	return in->enc == X86_ENC_VEX && in->map == X86_MAP_0F3A && in->opcode >= 0x4a &&
	       in->opcode <= 0x4c;
}

unsigned native_encode(const struct x86_insn *in, u8 *out)
{
	u8 *p;

	if (in->enc == X86_ENC_VEX)
		p = put_vex(in, out);
	else if (in->enc == X86_ENC_EVEX)
		p = put_evex(in, out);
	else
		p = put_legacy(in, out);
	if (in->has_modrm)
		*p++ = new_modrm(in);
	if (in->map == X86_MAP_3DNOW) {
		*p++ = in->bytes[in->len - 1];
	} else if (in->imm_size) {
		for (unsigned i = in->imm_off; i < in->len; i++)
			*p++ = in->bytes[i];
		if (in->mode != X86_MODE_64 && imm_is_register(in))
			p[-1] &= 0x7f;
	}
	return (unsigned)(p - out);
}
