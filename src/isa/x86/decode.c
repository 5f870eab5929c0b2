// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The x86 decoder: prefixes, selection of the row by the generated tables,
 * ModRM, immediates; decode_opnd.c adds the operands and the last checks.
 * Called for every instruction the interpreter and the translator meet, on
 * bytes that are a guest's: every read is bounded by the length given.
 * Knows no CPU state.
 */
#include "isa/x86/decode.h"

/* Fixed-size copies and clears, written so that no libc call results. */
static inline void copy_bytes(u8 *to, const u8 *from, unsigned n)
{
	if (n >= X86_INSN_MAX) {
		__builtin_memcpy(to, from, X86_INSN_MAX);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		to[i] = from[i];
}

static inline int out_of_bytes(const struct dec *d)
{
	return d->n >= X86_INSN_MAX ? X86_DECODE_LONG : X86_DECODE_SHORT;
}

static inline u64 load_le(const u8 *p, unsigned n)
{
	u64 v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (u64)p[i] << (i * 8);
	return v;
}

static inline s64 sign_extend(u64 v, unsigned bytes)
{
	unsigned sh = (64 - bytes * 8) & 63;

	return (s64)(v << sh) >> sh;
}

/* ---- prefixes ---------------------------------------------------------------- */

/* A segment override; those of ES, CS, SS, DS have no effect in 64-bit mode. */
static void segment_prefix(struct x86_insn *in, u8 seg)
{
	if (in->mode == X86_MODE_64 && seg < X86_SEG_FS)
		return;
	in->seg = seg;
	in->seg_override = true;
}

/* True if b is a legacy prefix; notes it. */
static bool legacy_prefix(struct x86_insn *in, u8 b)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		segment_prefix(in, (b >> 3) & 3);
		return true;
	case 0x64:
	case 0x65:
		segment_prefix(in, b & 7);
		return true;
	case 0x66:
		in->p66 = true;
		return true;
	case 0x67:
		in->p67 = true;
		return true;
	case 0xf0:
		in->lock = true;
		return true;
	case 0xf2:
		in->repne = true;
		in->rep = false;
		return true;
	case 0xf3:
		in->rep = true;
		in->repne = false;
		return true;
	}
	return false;
}

/* Consume prefixes; a REX counts only when nothing but the opcode follows it. */
static int parse_prefixes(struct dec *d)
{
	struct x86_insn *in = d->in;

	for (;; d->pos++) {
		u8 b;

		if (d->pos >= d->n)
			return out_of_bytes(d);
		b = d->p[d->pos];
		if (in->mode == X86_MODE_64 && (b & 0xf0) == 0x40) {
			in->rex = b;
			in->pfx_len = d->pos;
			continue;
		}
		if (!legacy_prefix(in, b))
			break;
		in->rex = 0;
	}
	if (!in->rex)
		in->pfx_len = d->pos;
	return 0;
}

/* ---- opcode -------------------------------------------------------------------- */

static int parse_vex(struct dec *d)
{
	struct x86_insn *in = d->in;
	const u8 *p = d->p + d->pos;
	bool three = p[0] == 0xc4;
	u8 last;

	if (in->rex || in->p66 || in->rep || in->repne || in->lock)
		return X86_DECODE_UD;
	if (d->pos + (three ? 3 : 2) >= d->n)
		return out_of_bytes(d);
	last = p[three ? 2 : 1];
	d->r = ~p[1] >> 4 & 8;
	in->map = X86_MAP_0F;
	if (three) {
		d->x = ~p[1] >> 3 & 8;
		d->b = ~p[1] >> 2 & 8;
		in->map = p[1] & 31;
		d->w = last >> 7;
		if (in->map < X86_MAP_0F || in->map > X86_MAP_0F3A)
			return X86_DECODE_UD;
	}
	in->enc = X86_ENC_VEX;
	in->vvvv = ~last >> 3 & 15;
	d->lsel = last >> 2 & 1;
	d->pp = last & 3;
	d->table = X86_T_VEX + in->map - 1;
	d->pos += three ? 3 : 2;
	return 0;
}

static int parse_evex(struct dec *d)
{
	struct x86_insn *in = d->in;
	const u8 *p = d->p + d->pos;

	if (in->rex || in->p66 || in->rep || in->repne || in->lock)
		return X86_DECODE_UD;
	if (d->pos + 4 >= d->n)
		return out_of_bytes(d);
	in->map = p[1] & 7;
	if (p[1] & 8 || !(p[2] & 4) || in->map < X86_MAP_0F || in->map > X86_MAP_0F3A)
		return X86_DECODE_UD;
	in->enc = X86_ENC_EVEX;
	d->r = ~p[1] >> 4 & 8;
	d->x = ~p[1] >> 3 & 8;
	d->b = ~p[1] >> 2 & 8;
	d->r16 = ~p[1] & 16;
	d->v16 = p[3] & 8 ? 0 : 16;
	d->w = p[2] >> 7;
	in->vvvv = (~p[2] >> 3 & 15) | d->v16;
	d->pp = p[2] & 3;
	in->evex_z = p[3] >> 7;
	in->evex_b = p[3] >> 4 & 1;
	in->evex_aaa = p[3] & 7;
	d->lsel = p[3] >> 5 & 3;
	d->table = X86_T_EVEX + in->map - 1;
	d->pos += 4;
	return 0;
}

/* Outside 64-bit mode only the low eight registers exist; V' must be 1 there. */
static int drop_extensions(struct dec *d)
{
	if (d->in->mode == X86_MODE_64)
		return 0;
	d->r = d->x = d->b = d->r16 = 0;
	return d->v16 ? X86_DECODE_UD : 0;
}

/* C4, C5 and 62 are VEX and EVEX, or LES, LDS and BOUND with a memory operand. */
static bool is_vex_byte(const struct dec *d, u8 b)
{
	if (b != 0xc4 && b != 0xc5 && b != 0x62)
		return false;
	if (d->in->mode == X86_MODE_64)
		return true;
	return d->pos + 1 < d->n && d->p[d->pos + 1] >= 0xc0;
}

static void legacy_fields(struct dec *d)
{
	struct x86_insn *in = d->in;

	d->w = in->rex >> 3 & 1;
	d->r = (in->rex & 4) << 1;
	d->x = (in->rex & 2) << 2;
	d->b = (in->rex & 1) << 3;
	d->pp = in->repne ? 3 : in->rep ? 2 : in->p66 ? 1 : 0;
}

/* Read escape bytes and the opcode; sets the table to look in. */
static int parse_opcode(struct dec *d)
{
	struct x86_insn *in = d->in;
	u8 b = d->p[d->pos];
	int ret;

	if (is_vex_byte(d, b)) {
		ret = b == 0x62 ? parse_evex(d) : parse_vex(d);
		if (ret || (ret = drop_extensions(d)))
			return ret;
	} else {
		legacy_fields(d);
		if (b == 0x0f) {
			in->map = X86_MAP_0F;
			if (++d->pos >= d->n)
				return out_of_bytes(d);
			b = d->p[d->pos];
			if (b == 0x38 || b == 0x3a) {
				in->map = b == 0x38 ? X86_MAP_0F38 : X86_MAP_0F3A;
				d->pos++;
			}
		}
		d->table = in->map;
	}
	if (d->pos >= d->n)
		return out_of_bytes(d);
	in->w = d->w;
	in->op_off = d->pos;
	in->opcode = d->p[d->pos++];
	return 0;
}

/* ---- selection -------------------------------------------------------------------- */

static unsigned select_by(const struct dec *d, u16 dim)
{
	const struct x86_insn *in = d->in;

	switch ((enum x86_dim)dim) {
	case X86_DIM_PP:
		return d->pp;
	case X86_DIM_MOD:
		return in->modrm >= 0xc0;
	case X86_DIM_REG:
		return in->modrm >> 3 & 7;
	case X86_DIM_RM:
		return in->modrm & 7;
	case X86_DIM_W:
		return d->w;
	case X86_DIM_WM:
		return d->w && in->mode == X86_MODE_64;
	case X86_DIM_L:
		return d->lsel;
	case X86_DIM_MODE:
		return in->mode == X86_MODE_64;
	case X86_DIM_REXB:
		return in->rex & 1;
	case X86_NDIMS:
		break;
	}
	return 0;
}

static int select_row(struct dec *d)
{
	struct x86_insn *in = d->in;
	unsigned e = x86_index[d->table][in->opcode];

	if (x86_has_modrm[d->table][in->opcode >> 5] >> (in->opcode & 31) & 1) {
		if (d->pos >= d->n)
			return out_of_bytes(d);
		in->has_modrm = true;
		in->modrm_off = d->pos;
		in->modrm = d->p[d->pos++];
	}
	/* With registers and EVEX.b, L'L is the rounding mode (SDM vol. 2, 2.7.5). */
	if (in->evex_b && in->modrm >= 0xc0)
		d->lsel = 2;
	while (e & X86_NODE) {
		const u16 *node = &x86_nodes[e & ~X86_NODE];

		e = node[1 + select_by(d, node[0])];
	}
	if (!e)
		return X86_DECODE_UD;
	in->row = &x86_rows[e - 1];
	d->form = &x86_forms[e - 1];
	return 0;
}

static void set_sizes(struct dec *d)
{
	static const u8 adsize[3][2] = {{2, 4}, {4, 2}, {8, 4}};
	struct x86_insn *in = d->in;
	bool p66 = in->p66 && !(d->form->flags & X86_FORM_MAND66);
	u8 osz = d->form->osz;

	in->adsize = adsize[in->mode][in->p67];
	in->vl = d->form->flags & X86_FORM_LIG ? 16 : 16 << d->lsel;
	if (d->form->flags & X86_FORM_WGPR && in->mode != X86_MODE_64)
		in->w = false;
	if (osz == X86_OSZ_BYTE)
		in->opsize = 1;
	else if (in->mode == X86_MODE_16)
		in->opsize = p66 ? 4 : 2;
	else if (in->mode == X86_MODE_32)
		in->opsize = p66 ? 2 : 4;
	else if (d->w || osz == X86_OSZ_F64)
		in->opsize = 8;
	else if (osz == X86_OSZ_D64)
		in->opsize = p66 ? 2 : 8;
	else
		in->opsize = p66 ? 2 : 4;
}

unsigned x86_size_bytes(const struct x86_insn *in, u8 code)
{
	unsigned osz = in->opsize;

	switch (code) {
	case X86_SZ_V:
		return osz;
	case X86_SZ_Z:
		return osz > 4 ? 4 : osz;
	case X86_SZ_Y:
		return in->w && in->mode == X86_MODE_64 ? 8 : 4;
	case X86_SZ_F:
		return in->mode == X86_MODE_64 ? 8 : 4;
	case X86_SZ_P:
		return osz + 2;
	case X86_SZ_S:
		return in->mode == X86_MODE_64 ? 10 : 6;
	case X86_SZ_A:
	case X86_SZ_V2:
		return osz * 2;
	case X86_SZ_V8:
		return osz * 8;
	case X86_SZ_ENV:
		return osz == 2 ? 14 : 28;
	case X86_SZ_SAVE:
		return osz == 2 ? 94 : 108;
	case X86_SZ_N:
		return in->adsize;
	case X86_SZ_X:
		return in->vl;
	case X86_SZ_H:
		return in->vl / 2;
	case X86_SZ_Q:
		return in->vl / 4;
	case X86_SZ_E:
		return in->vl / 8;
	}
	return code;
}

unsigned x86_vsib_bytes(const struct x86_insn *in)
{
	return x86_forms[in->row - x86_rows].flags & X86_FORM_VIHALF ? in->vl / 2 : in->vl;
}

/* ---- ModRM memory operands ---------------------------------------------------------- */

/* The displacement; disp8 is scaled for EVEX (SDM vol. 2, 2.7.5). */
static int parse_disp(struct dec *d, unsigned size)
{
	struct x86_insn *in = d->in;

	if (d->pos + size > d->n)
		return out_of_bytes(d);
	in->disp_off = d->pos;
	in->disp_size = size;
	in->disp = sign_extend(load_le(d->p + d->pos, size), size);
	d->pos += size;
	return 0;
}

static void default_seg(struct x86_insn *in, bool stack)
{
	if (!in->seg_override)
		in->seg = stack ? X86_SEG_SS : X86_SEG_DS;
}

static int parse_mem16(struct dec *d)
{
	static const u8 base[8] = {3, 3, 5, 5, 6, 7, 5, 3};
	static const u8 index[8] = {6,		 7, 6, 7, X86_REG_NONE, X86_REG_NONE, X86_REG_NONE,
				    X86_REG_NONE};
	struct x86_insn *in = d->in;
	unsigned mod = in->modrm >> 6, rm = in->modrm & 7;

	in->mem_base = base[rm];
	in->mem_index = index[rm];
	if (mod == 0 && rm == 6) {
		in->mem_base = X86_REG_NONE;
		default_seg(in, false);
		return parse_disp(d, 2);
	}
	default_seg(in, in->mem_base == 5);
	return mod ? parse_disp(d, mod) : 0;
}

static int parse_sib(struct dec *d)
{
	struct x86_insn *in = d->in;
	unsigned mod = in->modrm >> 6, index;

	if (d->pos >= d->n)
		return out_of_bytes(d);
	in->has_sib = true;
	in->sib = d->p[d->pos++];
	in->mem_scale = 1 << (in->sib >> 6);
	index = (in->sib >> 3 & 7) | d->x;
	if (in->row->flags & X86_R_VSIB)
		in->mem_index = index | (in->enc == X86_ENC_EVEX ? d->v16 : 0);
	else if (index != 4)
		in->mem_index = index;
	in->mem_base = (in->sib & 7) | d->b;
	if ((in->sib & 7) == 5 && mod == 0) {
		in->mem_base = X86_REG_NONE;
		default_seg(in, false);
		return parse_disp(d, 4);
	}
	default_seg(in, in->mem_base == 4 || in->mem_base == 5);
	return mod ? parse_disp(d, mod == 1 ? 1 : 4) : 0;
}

static int parse_mem32(struct dec *d)
{
	struct x86_insn *in = d->in;
	unsigned mod = in->modrm >> 6, rm = in->modrm & 7;

	if (rm == 4)
		return parse_sib(d);
	if (in->row->flags & X86_R_VSIB)
		return X86_DECODE_UD;
	if (mod == 0 && rm == 5) {
		in->mem_base = in->mode == X86_MODE_64 ? X86_REG_RIP : X86_REG_NONE;
		default_seg(in, false);
		return parse_disp(d, 4);
	}
	in->mem_base = rm | d->b;
	default_seg(in, in->mem_base == 5);
	return mod ? parse_disp(d, mod == 1 ? 1 : 4) : 0;
}

static int parse_mem(struct dec *d)
{
	struct x86_insn *in = d->in;

	in->mem_base = in->mem_index = X86_REG_NONE;
	in->mem_scale = 1;
	if (!in->has_modrm || in->modrm >= 0xc0 || d->form->flags & X86_FORM_ANYMOD)
		return 0;
	in->has_mem = true;
	if (in->adsize == 2)
		return in->row->flags & X86_R_VSIB ? X86_DECODE_UD : parse_mem16(d);
	return parse_mem32(d);
}

/* ---- immediates ------------------------------------------------------------------------ */

static int parse_moffs(struct dec *d)
{
	struct x86_insn *in = d->in;
	unsigned size = in->adsize;

	if (d->pos + size > d->n)
		return out_of_bytes(d);
	in->disp_off = d->pos;
	in->disp_size = size;
	in->disp = (s64)load_le(d->p + d->pos, size);
	default_seg(in, false);
	d->pos += size;
	return 0;
}

/* Two immediates: `first` bytes into imm, `second` into imm2, zero-extended. */
static int parse_two(struct dec *d, unsigned first, unsigned second)
{
	struct x86_insn *in = d->in;

	if (d->pos + first + second > d->n)
		return out_of_bytes(d);
	in->imm_off = d->pos;
	in->imm_size = first + second;
	in->imm = (s64)load_le(d->p + d->pos, first);
	in->imm2 = (s64)load_le(d->p + d->pos + first, second);
	d->pos += first + second;
	return 0;
}

static int parse_one(struct dec *d, unsigned size, bool sign)
{
	struct x86_insn *in = d->in;
	u64 v;

	if (d->pos + size > d->n)
		return out_of_bytes(d);
	in->imm_off = d->pos;
	in->imm_size = size;
	v = load_le(d->p + d->pos, size);
	in->imm = sign ? sign_extend(v, size) : (s64)v;
	d->pos += size;
	return 0;
}

static int parse_imm(struct dec *d)
{
	unsigned osz = d->in->opsize;

	switch ((enum x86_imm_kind)d->form->imm) {
	case X86_IMM_NONE:
		return 0;
	case X86_IMM_B:
		return parse_one(d, 1, false);
	case X86_IMM_BS:
		return parse_one(d, 1, true);
	case X86_IMM_W:
		return parse_one(d, 2, false);
	case X86_IMM_Z:
		return parse_one(d, osz > 4 ? 4 : osz, true);
	case X86_IMM_V:
		return parse_one(d, osz, true);
	case X86_IMM_WB:
		return parse_two(d, 2, 1);
	case X86_IMM_BB:
		return parse_two(d, 1, 1);
	case X86_IMM_FAR:
		return parse_two(d, osz, 2);
	case X86_IMM_MOFFS:
		return parse_moffs(d);
	}
	return 0;
}

/* A shift by a masked count of 0 touches no flag: the row after it says so. */
static void shift_by_zero(struct dec *d)
{
	if (!(d->form->flags & X86_FORM_SHIFTIMM))
		return;
	if (!(d->in->imm & (d->in->opsize == 8 ? 63 : 31))) {
		d->in->row++;
		d->form++;
	}
}

static int decode_steps(struct dec *d)
{
	int ret;

	if ((ret = parse_prefixes(d)) || (ret = parse_opcode(d)) || (ret = select_row(d)))
		return ret;
	set_sizes(d);
	if ((ret = parse_mem(d)) || (ret = parse_imm(d)))
		return ret;
	shift_by_zero(d);
	ret = x86_decode_operands(d);
	if (ret)
		return ret;
	return x86_decode_valid(d) ? 0 : X86_DECODE_UD;
}

int x86_decode(struct x86_insn *in, enum x86_mode mode, const u8 *bytes, size_t n)
{
	struct dec d = {.in = in, .p = bytes, .n = n < X86_INSN_MAX ? n : X86_INSN_MAX};
	int ret;

	*in = (struct x86_insn){.mode = mode};
	ret = decode_steps(&d);
	in->len = d.pos;
	copy_bytes(in->bytes, bytes, d.n);
	return ret;
}
