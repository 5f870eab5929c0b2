/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jit/host/x86_64/emit.h"

#include "base/endian.h"

void emit_u8(struct emit *e, u8 v)
{
	if (e->pos >= e->end) {
		e->full = true;
		return;
	}
	e->base[e->pos++] = v;
}

/* Room for n bytes: where they go, else NULL. */
static u8 *emit_room(struct emit *e, unsigned n)
{
	u8 *p = e->base + e->pos;

	if (n > e->end - e->pos) {
		e->pos = e->end;
		e->full = true;
		return NULL;
	}
	e->pos += n;
	return p;
}

void emit_u32(struct emit *e, u32 v)
{
	u8 *p = emit_room(e, 4);

	if (p)
		store_le(p, 4, v);
}

void emit_u64(struct emit *e, u64 v)
{
	u8 *p = emit_room(e, 8);

	if (p)
		store_le(p, 8, v);
}

void emit_bytes(struct emit *e, const u8 *p, unsigned n)
{
	while (n--)
		emit_u8(e, *p++);
}

/* The recommended multi-byte NOPs, SDM vol. 2B "NOP", table 4-12. */
static const u8 emit_nops[8][8] = {
	{0x90},
	{0x66, 0x90},
	{0x0f, 0x1f, 0x00},
	{0x0f, 0x1f, 0x40, 0x00},
	{0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
	{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
};

void emit_align(struct emit *e, unsigned align, unsigned ahead)
{
	unsigned n = (unsigned)-(e->pos + ahead) & (align - 1);

	while (n) {
		unsigned k = n > 8 ? 8 : n;

		emit_bytes(e, emit_nops[k - 1], k);
		n -= k;
	}
}

static unsigned emit_scale_bits(unsigned scale)
{
	return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
}

static void emit_disp(struct emit *e, unsigned mod, s32 disp)
{
	if (mod == 1)
		emit_u8(e, (u8)disp);
	else if (mod == 2)
		emit_u32(e, (u32)disp);
}

void emit_modrm_mem(struct emit *e, unsigned reg, const struct emit_mem *m)
{
	unsigned r = (reg & 7) << 3;
	unsigned mod;

	if (m->base == EMIT_NONE) { /* SIB without base: mod 0, base 5, disp32 */
		unsigned x = m->index == EMIT_NONE ? 4 : m->index & 7u;

		emit_u8(e, (u8)(r | 4));
		emit_u8(e, (u8)(emit_scale_bits(m->scale) << 6 | x << 3 | 5));
		emit_u32(e, (u32)m->disp);
		return;
	}
	mod = m->disp == 0 && (m->base & 7) != 5 ? 0 : m->disp == (s8)m->disp ? 1 : 2;
	if (m->index != EMIT_NONE || (m->base & 7) == 4) {
		unsigned x = m->index == EMIT_NONE ? 4 : m->index & 7u;

		emit_u8(e, (u8)(mod << 6 | r | 4));
		emit_u8(e, (u8)(emit_scale_bits(m->scale) << 6 | x << 3 | (m->base & 7u)));
	} else {
		emit_u8(e, (u8)(mod << 6 | r | (m->base & 7u)));
	}
	emit_disp(e, mod, m->disp);
}

void emit_modrm_disp32(struct emit *e, unsigned reg, const struct emit_mem *m)
{
	bool sib = m->index != EMIT_NONE || (m->base & 7) == 4;

	if (m->base == EMIT_NONE) {
		emit_modrm_mem(e, reg, m);
		return;
	}
	emit_u8(e, (u8)(0x80 | (reg & 7) << 3 | (sib ? 4 : m->base & 7u)));
	if (sib)
		emit_u8(e, (u8)(emit_scale_bits(m->scale) << 6 |
				(m->index == EMIT_NONE ? 4 : m->index & 7u) << 3 | (m->base & 7u)));
	emit_u32(e, (u32)m->disp);
}

static void emit_rex(struct emit *e, bool w, unsigned reg, unsigned index, unsigned base)
{
	u8 rex = 0x40;

	rex |= w ? 8 : 0;
	rex |= reg != EMIT_NONE && (reg & 8) ? 4 : 0;
	rex |= index != EMIT_NONE && (index & 8) ? 2 : 0;
	rex |= base != EMIT_NONE && (base & 8) ? 1 : 0;
	if (rex != 0x40)
		emit_u8(e, rex);
}

static void emit_opcode(struct emit *e, unsigned op)
{
	if (op > 0xff)
		emit_u8(e, (u8)(op >> 8));
	emit_u8(e, (u8)op);
}

void emit_rm(struct emit *e, unsigned op, bool w, unsigned reg, const struct emit_mem *m)
{
	if (m->gs)
		emit_u8(e, 0x65);
	emit_rex(e, w, reg, m->index, m->base);
	emit_opcode(e, op);
	emit_modrm_mem(e, reg, m);
}

void emit_rr(struct emit *e, unsigned op, bool w, unsigned reg, unsigned rm)
{
	emit_rex(e, w, reg, EMIT_NONE, rm);
	emit_opcode(e, op);
	emit_u8(e, (u8)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void emit_gs(struct emit *e, unsigned op, bool w, unsigned reg, u32 off)
{
	struct emit_mem m = {EMIT_NONE, EMIT_NONE, 1, true, (s32)off};

	emit_rm(e, op, w, reg, &m);
}

void emit_grp1_ri(struct emit *e, unsigned n, bool w, unsigned reg, s32 imm)
{
	emit_rex(e, w, EMIT_NONE, EMIT_NONE, reg);
	emit_u8(e, imm == (s8)imm ? 0x83 : 0x81);
	emit_u8(e, (u8)(0xc0 | n << 3 | (reg & 7)));
	if (imm == (s8)imm)
		emit_u8(e, (u8)imm);
	else
		emit_u32(e, (u32)imm);
}

void emit_grp1_gsi(struct emit *e, unsigned n, bool w, u32 off, s32 imm)
{
	struct emit_mem m = {EMIT_NONE, EMIT_NONE, 1, true, (s32)off};
	bool small = imm == (s8)imm;

	emit_rm(e, small ? 0x83 : 0x81, w, n, &m);
	if (small)
		emit_u8(e, (u8)imm);
	else
		emit_u32(e, (u32)imm);
}

void emit_grp1_gsi8(struct emit *e, unsigned n, u32 off, s8 imm)
{
	struct emit_mem m = {EMIT_NONE, EMIT_NONE, 1, true, (s32)off};

	emit_rm(e, 0x80, false, n, &m);
	emit_u8(e, (u8)imm);
}

void emit_mov_ri(struct emit *e, unsigned reg, u64 imm)
{
	if (imm == (u32)imm) {
		emit_rex(e, false, EMIT_NONE, EMIT_NONE, reg);
		emit_u8(e, (u8)(0xb8 | (reg & 7)));
		emit_u32(e, (u32)imm);
	} else if ((s64)imm == (s32)imm) {
		emit_rex(e, true, EMIT_NONE, EMIT_NONE, reg);
		emit_u8(e, 0xc7);
		emit_u8(e, (u8)(0xc0 | (reg & 7)));
		emit_u32(e, (u32)imm);
	} else {
		emit_rex(e, true, EMIT_NONE, EMIT_NONE, reg);
		emit_u8(e, (u8)(0xb8 | (reg & 7)));
		emit_u64(e, imm);
	}
}

void emit_mov_rr(struct emit *e, unsigned dst, unsigned src)
{
	emit_rr(e, OP_MOV_RM, true, dst, src);
}

void emit_mov_mi(struct emit *e, bool w, const struct emit_mem *m, s32 imm)
{
	emit_rm(e, 0xc7, w, 0, m);
	emit_u32(e, (u32)imm);
}

void emit_lea(struct emit *e, bool w, unsigned reg, const struct emit_mem *m)
{
	emit_rm(e, OP_LEA, w, reg, m);
}

void emit_rorx32(struct emit *e, unsigned reg, unsigned src, unsigned n)
{
	/* VEX.LZ.F2.0F3A.W0 F0 /r ib */
	emit_u8(e, 0xc4);
	emit_u8(e, (u8)((reg & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 3));
	emit_u8(e, 0x7b);
	emit_u8(e, 0xf0);
	emit_u8(e, (u8)(0xc0 | (reg & 7) << 3 | (src & 7)));
	emit_u8(e, (u8)n);
}

void emit_shift_ri(struct emit *e, unsigned n, bool w, unsigned reg, u8 count)
{
	emit_rex(e, w, EMIT_NONE, EMIT_NONE, reg);
	emit_u8(e, 0xc1);
	emit_u8(e, (u8)(0xc0 | n << 3 | (reg & 7)));
	emit_u8(e, count);
}

static u32 emit_rel32(struct emit *e, u32 to)
{
	u32 at = e->pos;

	emit_u32(e, to - (at + 4));
	return at;
}

u32 emit_jmp(struct emit *e, u32 to)
{
	emit_u8(e, 0xe9);
	return emit_rel32(e, to);
}

u32 emit_jcc(struct emit *e, enum emit_cc cc, u32 to)
{
	emit_u8(e, 0x0f);
	emit_u8(e, (u8)(0x80 | cc));
	return emit_rel32(e, to);
}

/* Make the four bytes at pos + ahead lie inside one aligned quadword. */
static void emit_align_patch(struct emit *e, unsigned ahead)
{
	if (((e->pos + ahead) & 7) > 4)
		emit_align(e, 8, ahead);
}

u32 emit_jmp_patchable(struct emit *e, u32 to)
{
	emit_align_patch(e, 1);
	return emit_jmp(e, to);
}

u32 emit_jcc_patchable(struct emit *e, enum emit_cc cc, u32 to)
{
	emit_align_patch(e, 2);
	return emit_jcc(e, cc, to);
}

void emit_jmp_gs(struct emit *e, unsigned index, u32 off)
{
	struct emit_mem m = {EMIT_NONE, (u8)index, 8, true, (s32)off};

	emit_rm(e, 0xff, false, 4, &m);
}

void emit_patch(u8 *base, u32 at, u32 to)
{
	u32 rel = to - (at + 4);

	__atomic_store_n((u32 *)(base + at), rel, __ATOMIC_RELEASE);
}
