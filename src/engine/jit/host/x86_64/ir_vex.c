/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodings that the emitter of lifted code needs beyond emit.h. Intel SDM vol. 2, chapter 2.
 */
#include "engine/jit/host/x86_64/ir_x86.h"

static void operand(struct emit *e, unsigned reg, unsigned rm, const struct emit_mem *m,
		    unsigned tail)
{
	if (!m) {
		emit_u8(e, (u8)(0xc0 | (reg & 7) << 3 | (rm & 7)));
	} else if (m->base == XE_RIP) {
		emit_u8(e, (u8)((reg & 7) << 3 | 5));
		emit_u32(e, (u32)m->disp - (e->pos + 4 + tail));
	} else {
		emit_modrm_mem(e, reg, m);
	}
}

static bool high(unsigned reg)
{
	return reg < 16 && (reg & 8);
}

void vex_emit(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm,
	      const struct emit_mem *m, unsigned tail)
{
	bool b = m ? high(m->base) : high(rm), x = m && high(m->index);
	u8 last = (u8)((v.w ? 0x80 : 0) | (~vvvv & 15) << 3 | v.pp);

	if (m && m->gs)
		emit_u8(e, 0x65);
	if (v.map == MAP_0F && !v.w && !b && !x) {
		emit_u8(e, 0xc5);
		emit_u8(e, (u8)(last | (high(reg) ? 0 : 0x80)));
	} else {
		emit_u8(e, 0xc4);
		emit_u8(e, (u8)((high(reg) ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | v.map));
		emit_u8(e, last);
	}
	emit_u8(e, v.op);
	operand(e, reg, rm, m, tail);
}

void vex_rr(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm)
{
	vex_emit(e, v, reg, vvvv, rm, NULL, 0);
}

void vex_rri(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, unsigned rm, u8 imm)
{
	vex_emit(e, v, reg, vvvv, rm, NULL, 1);
	emit_u8(e, imm);
}

void vex_rm(struct emit *e, struct vex v, unsigned reg, unsigned vvvv, const struct emit_mem *m)
{
	vex_emit(e, v, reg, vvvv, 0, m, 0);
}

static void rex(struct emit *e, bool w, unsigned reg, unsigned rm, const struct emit_mem *m,
		bool always)
{
	u8 v = 0x40;

	v |= w ? 8 : 0;
	v |= high(reg) ? 4 : 0;
	v |= m && high(m->index) ? 2 : 0;
	v |= (m ? high(m->base) : high(rm)) ? 1 : 0;
	if (v != 0x40 || always)
		emit_u8(e, v);
}

static void opcode(struct emit *e, unsigned op)
{
	if (op > 0xff)
		emit_u8(e, (u8)(op >> 8));
	emit_u8(e, (u8)op);
}

void x86_rr(struct emit *e, unsigned prefix, unsigned op, bool w, unsigned reg, unsigned rm)
{
	bool byte = op == 0x0fb6 || op == 0x0fbe || op == 0x84;

	if (prefix)
		emit_u8(e, (u8)prefix);
	rex(e, w, reg, rm, NULL, byte);
	opcode(e, op);
	operand(e, reg, rm, NULL, 0);
}

void x86_rm(struct emit *e, unsigned prefix, unsigned op, bool w, unsigned reg,
	    const struct emit_mem *m)
{
	if (m->gs)
		emit_u8(e, 0x65);
	if (prefix)
		emit_u8(e, (u8)prefix);
	rex(e, w, reg, 0, m, false);
	opcode(e, op);
	operand(e, reg, 0, m, 0);
}

void x86_rm38(struct emit *e, unsigned prefix, u8 op, bool w, unsigned reg,
	      const struct emit_mem *m)
{
	if (m->gs)
		emit_u8(e, 0x65);
	if (prefix)
		emit_u8(e, (u8)prefix);
	rex(e, w, reg, 0, m, false);
	emit_u8(e, 0x0f);
	emit_u8(e, 0x38);
	emit_u8(e, op);
	operand(e, reg, 0, m, 0);
}

void x86_setcc(struct emit *e, enum emit_cc cc, unsigned reg)
{
	rex(e, false, 0, reg, NULL, true);
	emit_u8(e, 0x0f);
	emit_u8(e, (u8)(0x90 | cc));
	operand(e, 0, reg, NULL, 0);
}

void x86_setcc_mem(struct emit *e, enum emit_cc cc, const struct emit_mem *m)
{
	x86_rm(e, 0, 0x0f90u | cc, false, 0, m);
}

void x86_rm8(struct emit *e, u8 op, unsigned reg, const struct emit_mem *m)
{
	if (m->gs)
		emit_u8(e, 0x65);
	rex(e, false, reg, 0, m, true);
	emit_u8(e, op);
	operand(e, reg, 0, m, 0);
}

void x86_cmpxchg8(struct emit *e, unsigned reg, const struct emit_mem *m)
{
	rex(e, false, reg, 0, m, true);
	emit_u8(e, 0x0f);
	emit_u8(e, 0xb0);
	operand(e, reg, 0, m, 0);
}

void x86_grp1_mi(struct emit *e, unsigned n, unsigned size, const struct emit_mem *m, s32 imm)
{
	bool small = imm == (s8)imm || size == 1;

	if (size == 2)
		emit_u8(e, 0x66);
	rex(e, size == 8, 0, 0, m, false);
	emit_u8(e, size == 1 ? 0x80 : small ? 0x83 : 0x81);
	operand(e, n, 0, m, 0);
	if (small) {
		emit_u8(e, (u8)imm);
	} else if (size == 2) {
		emit_u8(e, (u8)imm);
		emit_u8(e, (u8)(imm >> 8));
	} else {
		emit_u32(e, (u32)imm);
	}
}

void x86_grp3(struct emit *e, unsigned n, bool w, unsigned reg)
{
	rex(e, w, 0, reg, NULL, false);
	emit_u8(e, 0xf7);
	operand(e, n, reg, NULL, 0);
}

void x86_push(struct emit *e, unsigned reg)
{
	rex(e, false, 0, reg, NULL, false);
	emit_u8(e, (u8)(0x50 | (reg & 7)));
}

void x86_pop(struct emit *e, unsigned reg)
{
	rex(e, false, 0, reg, NULL, false);
	emit_u8(e, (u8)(0x58 | (reg & 7)));
}

u32 x86_call(struct emit *e, u32 to)
{
	u32 at;

	emit_u8(e, 0xe8);
	at = e->pos;
	emit_u32(e, to - (at + 4));
	return at;
}

void x86_bswap(struct emit *e, bool w, unsigned reg)
{
	rex(e, w, 0, reg, NULL, false);
	emit_u8(e, 0x0f);
	emit_u8(e, (u8)(0xc8 | (reg & 7)));
}
