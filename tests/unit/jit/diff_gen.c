// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jit/diff.h"

#include <stdlib.h>
#include <string.h>

#include "isa/x86/ops.h"
#include "tests/unit/isa/host_cpu.h"

#define PER_ROW 8
#define TRIES 12

/* What selects a row; the rest of an encoding is drawn at random. */
struct template
{
	u8 enc, map, opcode, modrm, pp, w, l, aaa;
	u8 b;	   /* REX.B that the row needs (xchg r8, rax beside nop) */
	bool zero; /* the row is that of an immediate count of 0 */
};

struct diff_gen {
	enum x86_mode mode;
	struct diff_rng rng;
	struct template (*t)[PER_ROW];
	u32 *seen; /* templates met of each row, also those not kept */
};

struct diff_rng *diff_gen_rng(struct diff_gen *g)
{
	return &g->rng;
}

static u64 rnd(struct diff_gen *g)
{
	return diff_rand(&g->rng);
}

/* ---- encodings ------------------------------------------------------------------- */

struct enc_bits {
	u8 rxb, r16, v16; /* extension bits as they go into REX (R 4, X 2, B 1) */
	u8 vvvv, z, b, aaa;
	bool lock, p67, seg, short_vex;
};

static unsigned put_legacy(u8 *p, const struct template *t, const struct enc_bits *e,
			   enum x86_mode mode)
{
	static const u8 prefix[6][2] = {{0}, {0x66}, {0xf3}, {0xf2}, {0x66, 0xf3}, {0x66, 0xf2}};
	u8 *s = p, rex = t->w << 3 | e->rxb;

	if (e->p67)
		*p++ = 0x67;
	if (e->seg)
		*p++ = 0x3e;
	for (unsigned i = 0; i < 2; i++)
		if (prefix[t->pp][i])
			*p++ = prefix[t->pp][i];
	if (e->lock)
		*p++ = 0xf0;
	if (mode == X86_MODE_64 && (rex || e->short_vex))
		*p++ = 0x40 | rex;
	if (t->map)
		*p++ = 0x0f;
	if (t->map == X86_MAP_0F38 || t->map == X86_MAP_0F3A)
		*p++ = t->map == X86_MAP_0F38 ? 0x38 : 0x3a;
	return (unsigned)(p - s);
}

static unsigned put_vex(u8 *p, const struct template *t, const struct enc_bits *e)
{
	u8 last = (~e->vvvv & 15) << 3 | t->l << 2 | t->pp;

	if (e->short_vex && t->map == 1 && !t->w && !(e->rxb & 3)) {
		p[0] = 0xc5;
		p[1] = (e->rxb & 4 ? 0 : 0x80) | last;
		return 2;
	}
	p[0] = 0xc4;
	p[1] = (~e->rxb & 7) << 5 | t->map;
	p[2] = t->w << 7 | last;
	return 3;
}

static unsigned put_evex(u8 *p, const struct template *t, const struct enc_bits *e)
{
	p[0] = 0x62;
	p[1] = (~e->rxb & 7) << 5 | (e->r16 ? 0 : 0x10) | t->map;
	p[2] = t->w << 7 | (~e->vvvv & 15) << 3 | 4 | t->pp;
	p[3] = e->z << 7 | t->l << 5 | e->b << 4 | (e->v16 ? 0 : 8) | e->aaa;
	return 4;
}

/* Prefixes and opcode; n random bytes follow for ModRM and the rest. */
static unsigned put_head(u8 *p, const struct template *t, const struct enc_bits *e,
			 enum x86_mode mode)
{
	unsigned n = t->enc == X86_ENC_LEGACY ? put_legacy(p, t, e, mode)
		     : t->enc == X86_ENC_VEX  ? put_vex(p, t, e)
					      : put_evex(p, t, e);

	p[n++] = t->opcode;
	return n;
}

/* A prefix or escape byte is no opcode. */
static bool is_opcode(const struct diff_gen *g, const struct template *t)
{
	static const u8 not [] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64,
				  0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};

	if (t->enc != X86_ENC_LEGACY || t->map)
		return true;
	return !memchr(not, t->opcode, sizeof(not )) &&
	       (g->mode != X86_MODE_64 || (t->opcode & 0xf0) != 0x40);
}

static void note_as(struct diff_gen *g, const struct template *t, u8 sib, u8 imm)
{
	struct enc_bits e = {.aaa = t->aaa, .rxb = t->b};
	struct x86_insn in;
	u8 b[32] = {0};
	unsigned n = put_head(b, t, &e, g->mode), row, slot;

	b[n] = t->modrm;
	b[n + 1] = sib;
	b[n + 2] = imm;
	if (x86_decode(&in, g->mode, b, sizeof(b)))
		return;
	row = (unsigned)(in.row - x86_rows);
	slot = g->seen[row] < PER_ROW ? g->seen[row] : rnd(g) % (g->seen[row] + 1);
	g->seen[row]++;
	if (slot < PER_ROW)
		g->t[row][slot] = *t;
}

/* A SIB whose registers differ from the destination, a count that counts; then a count of 0. */
static void note(struct diff_gen *g, struct template *t)
{
	note_as(g, t, 0x0a, 1);
	t->zero = true;
	note_as(g, t, 0, 0);
	t->zero = false;
	if (t->opcode != 0x90 || g->mode != X86_MODE_64)
		return;
	t->b = 1;
	note_as(g, t, 0, 0);
	t->b = 0;
}

/* All ModRM bytes that could select something: 8 memory, 64 register forms. */
static void note_modrms(struct diff_gen *g, struct template *t)
{
	for (unsigned i = 0; i < 72; i++) {
		t->modrm = i < 8 ? (u8)(i << 3 | 4) : (u8)(0xc0 + i - 8);
		note(g, t);
	}
}

static void find_templates(struct diff_gen *g)
{
	for (unsigned i = 0; i < 3 * 4 * 256; i++) {
		struct template t = {.enc = i / 1024, .map = i / 256 % 4, .opcode = i};
		unsigned npp = t.enc == X86_ENC_LEGACY ? 6 : 4,
			 nl = t.enc == X86_ENC_LEGACY ? 1 : 1 + t.enc;
		unsigned nw = g->mode == X86_MODE_64 || t.enc != X86_ENC_LEGACY ? 2 : 1;

		if ((t.enc != X86_ENC_LEGACY && !t.map) || !is_opcode(g, &t))
			continue;
		for (unsigned k = 0; k < npp * nw * nl; k++) {
			t.pp = k % npp;
			t.w = k / npp % nw;
			t.l = k / npp / nw;
			t.aaa = t.enc == X86_ENC_EVEX && t.map == X86_MAP_0F38 &&
				(t.opcode & 0xec) != 0;
			note_modrms(g, &t);
			if (t.aaa) {
				t.aaa = 0;
				note_modrms(g, &t);
			}
		}
	}
}

static void draw_bits(struct diff_gen *g, const struct template *t, struct enc_bits *e)
{
	u64 r = rnd(g);

	*e = (struct enc_bits){0};
	if (g->mode == X86_MODE_64) {
		e->rxb = r & 7;
		e->r16 = r >> 3 & 1;
		e->v16 = r >> 4 & 1;
		e->vvvv = r >> 5 & 15;
	} else {
		e->vvvv = r >> 5 & 7;
	}
	if (r & 1 << 9) {
		e->vvvv = 0;
		e->v16 = 0;
	}
	if (r & 1 << 10)
		e->r16 = 0;
	e->aaa = r & 1 << 11 ? 0 : r >> 12 & 7;
	e->z = e->aaa ? r >> 15 & 1 : 0;
	e->b = !(r >> 16 & 3);
	e->lock = !(r >> 18 & 7);
	e->short_vex = r >> 21 & 1;
	e->p67 = !(r >> 22 & 15) && g->mode != X86_MODE_32;
	e->seg = !(r >> 26 & 15);
	(void)t;
}

/* The whole encoding with random ModRM, SIB, displacement and immediate. */
static bool draw_encoding(struct diff_gen *g, const struct template *t, unsigned try, unsigned row,
			  struct x86_insn *in)
{
	struct enc_bits e;
	u8 b[32];
	unsigned n;
	u64 r = rnd(g), r2 = rnd(g);

	draw_bits(g, t, &e);
	if (try >= TRIES / 2) { /* perhaps one of them is not for this row */
		e.lock = false;
		e.b = 0;
		e.z = 0;
		e.vvvv = 0;
		e.v16 = 0;
		e.r16 = 0;
		e.aaa = t->aaa ? 1 + r % 7 : 0;
	}
	if (try >= TRIES - 2)
		e.rxb = 0;
	e.rxb |= t->b;
	n = put_head(b, t, &e, g->mode);
	b[n] = t->modrm;
	if (t->modrm < 0xc0)
		b[n] = (b[n] & 0x38) | (r >> 8 & 0xc7) % 0xc0;
	if (try % 3 == 0)
		b[n] = (b[n] & ~0x38) | (r >> 16 & 0x38);
	if (t->modrm >= 0xc0 && try % 2 == 0)
		b[n] = (b[n] & ~7) | (r >> 24 & 7);
	memcpy(b + n + 1, &r2, 8);
	r2 = rnd(g);
	memcpy(b + n + 9, &r2, 8);
	if (r & 1)
		b[n + 1 + (r >> 1 & 7)] &= 0x1f; /* small immediates too */
	if (x86_decode(in, g->mode, b, sizeof(b)))
		return false;
	if (t->zero && in->imm_size == 1 && r & 2) {
		b[in->imm_off] = r & 0xc0;
		if (x86_decode(in, g->mode, b, sizeof(b)))
			return false;
	}
	return in->row == &x86_rows[row];
}

/* ---- states ------------------------------------------------------------------------ */

static u64 random_gpr(struct diff_gen *g)
{
	static const u64 corner[] = {0,
				     1,
				     2,
				     ~0ULL,
				     0x7f,
				     0x80,
				     0xff,
				     0x7fff,
				     0x8000,
				     0xffff,
				     0x7fffffff,
				     0x80000000,
				     0xffffffff,
				     0x7fffffffffffffff,
				     0x8000000000000000,
				     63,
				     64};
	u64 r = rnd(g);

	switch (r & 7) {
	case 0:
	case 1:
		return corner[(r >> 8) % ARRAY_LEN(corner)];
	case 2:
		return rnd(g) >> 32;
	case 3:
		return r >> 56;
	}
	return rnd(g);
}

static u64 random_double(struct diff_gen *g)
{
	static const u64 nice[] = {0,
				   0x8000000000000000,
				   0x3ff0000000000000,
				   0xbff0000000000000,
				   0x7ff0000000000000,
				   0xfff0000000000000,
				   0x7ff8000000000000,
				   0x7ff0000000000001,
				   1,
				   0x000fffffffffffff,
				   0x7fefffffffffffff,
				   0x4059000000000000,
				   0x41dfffffffc00000,
				   0x43e0000000000000,
				   0x3fe0000000000000};
	u64 r = rnd(g);

	if (r & 1)
		return nice[(r >> 8) % ARRAY_LEN(nice)];
	return (rnd(g) & 0x800fffffffffffff) | (u64)(1023 - 40 + (r >> 8) % 80) << 52;
}

static u32 random_float(struct diff_gen *g)
{
	static const u32 nice[] = {0,	       0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
				   0xff800000, 0x7fc00000, 0x7f800001, 1,	   0x007fffff,
				   0x7f7fffff, 0x42c80000, 0x4f000000, 0x3f000000};
	u64 r = rnd(g);

	if (r & 1)
		return nice[(r >> 8) % ARRAY_LEN(nice)];
	return ((u32)rnd(g) & 0x807fffff) | (u32)(127 - 20 + (r >> 8) % 40) << 23;
}

/* Fill memory or registers with values of one kind: integers, floats, doubles. */
static void random_bytes(struct diff_gen *g, void *p, unsigned n)
{
	unsigned kind = rnd(g) >> 9 & 3;

	for (unsigned i = 0; i + 8 <= n; i += 8) {
		u64 v = kind == 0   ? random_double(g)
			: kind == 1 ? random_float(g) | (u64)random_float(g) << 32
				    : rnd(g);

		memcpy((u8 *)p + i, &v, 8);
	}
}

static void random_x87(struct diff_gen *g, struct diff_state *st)
{
	u64 r = rnd(g);
	u16 fcw = 0x37f | (r & 0xc00), fsw = r >> 16 & 0x7f00 & ~0x8000;

	if (r & 1 << 12)
		fcw &= ~0x300;
	if (!(r >> 13 & 15))
		fcw &= ~(r >> 40 & 0x3f);
	memcpy(st->xsave, &fcw, 2);
	memcpy(st->xsave + 2, &fsw, 2);
	st->xsave[4] = r >> 48; /* abridged tags */
	for (unsigned i = 0; i < 8; i++) {
		u8 *reg = st->xsave + 32 + i * 16;
		u64 mant = rnd(g), k = rnd(g);
		u16 exp = (k & 0x8000) | (16383 - 35 + (k >> 32) % 70);

		mant |= 1ULL << 63;
		if (!(k & 0x70))
			exp = k >> 16; /* anything: denormals, NaNs, unsupported */
		if ((k & 0x700) == 0) {
			mant = k & 0x800 ? 0 : 1ULL << 63;
			exp = k & 0x1000 ? 0x7fff : 0;
		}
		memcpy(reg, &mant, 8);
		memcpy(reg + 8, &exp, 2);
	}
}

static void random_vectors(struct diff_gen *g, struct diff_state *st)
{
	u64 bv = host_cpu_xcr0() & 0xe7, r = rnd(g);
	u32 mxcsr = 0x1f80 | (r & 0x6000) | (r >> 20 & 0x3f), mask = 0xffff;

	memset(st->xsave, 0, sizeof(st->xsave));
	memcpy(st->xsave + 512, &bv, 8);
	random_x87(g, st);
	if (!(r >> 32 & 7))
		mxcsr |= r >> 40 & 0x8040; /* FTZ, DAZ */
	if (!(r >> 36 & 15))
		mxcsr &= ~(0x3f | (r >> 48 & 0x1f80));
	memcpy(st->xsave + 24, &mxcsr, 4);
	memcpy(st->xsave + 28, &mask, 4);
	for (unsigned i = 0; i < 16; i++)
		random_bytes(g, st->xsave + 160 + i * 16, 16);
	for (unsigned comp = 2; comp < 8; comp++)
		if (bv >> comp & 1)
			random_bytes(g, st->xsave + diff_xsave_offset(comp),
				     diff_xsave_length(comp));
}

static void random_state(struct diff_gen *g, struct diff_state *st)
{
	for (unsigned i = 0; i < 16; i++)
		st->gpr[i] = random_gpr(g);
	st->rflags = 0x202 | (rnd(g) & (X86_F_STATUS | X86_F_DF));
	random_vectors(g, st);
}

/* ---- aiming memory operands ------------------------------------------------------------- */

/* An address at which `size` bytes mostly fit; at times across the middle or over an edge. */
static u64 target_linear(struct diff_gen *g, unsigned size)
{
	u64 r = rnd(g);
	unsigned off = r >> 16 & (HOST_DATA_SIZE - 1);

	if (!size)
		size = 64;
	if (off + size > HOST_DATA_SIZE)
		off = HOST_DATA_SIZE - size;
	switch (r & 31) {
	case 0:
		return HOST_DATA + HOST_DATA_SIZE - (r >> 8 & 31);
	case 1:
		return HOST_DATA - (r >> 8 & 31);
	case 2:
	case 3:
		return HOST_DATA + HOST_DATA_SIZE / 2 - (r >> 8) % size;
	}
	if (r & 32)
		return HOST_DATA + (off & ~(u64)63);
	return HOST_DATA + off;
}

static u64 target(struct diff_gen *g, unsigned size)
{
	return target_linear(g, size) - host_cpu_data_base(g->mode);
}

static void set_gpr(struct diff_state *st, unsigned reg, u64 v)
{
	st->gpr[reg & 15] = v;
}

/* Small elements for a VSIB index register, so that all land near the base. */
static void aim_vsib(struct diff_gen *g, struct x86_insn *in, struct diff_state *st)
{
	const char *name = strstr(in->row->name, "er") + 2; /* gather.., scatter.. */
	unsigned size = *name == 'q' ? 8 : 4;

	for (unsigned i = 0; i < 64; i += size) {
		u64 v = rnd(g) % 24;

		diff_vec_set(st, in->mem_index, i, &v, size);
	}
}

u64 diff_address(const struct x86_insn *in, const struct diff_state *st)
{
	u64 a = (u64)in->disp;

	if (in->mem_base == X86_REG_RIP)
		a += HOST_CODE_AT + in->len;
	else if (in->mem_base != X86_REG_NONE)
		a += st->gpr[in->mem_base];
	if (in->mem_index != X86_REG_NONE)
		a += st->gpr[in->mem_index] * in->mem_scale;
	if (in->adsize < 8)
		a = in->adsize == 4 ? (u32)a : (u16)a;
	return a + host_cpu_data_base(in->mode);
}

/* Rewrite a displacement so that an operand without base hits the scratch memory. */
static bool aim_disp(struct diff_gen *g, struct x86_insn *in, u64 to)
{
	u8 b[X86_INSN_MAX + 1] = {0};
	u64 v = to;

	if (in->mem_base == X86_REG_RIP)
		v = to - (HOST_CODE_AT + in->len);
	if (in->disp_size < (in->adsize == 2 ? 2 : 4))
		return false;
	memcpy(b, in->bytes, in->len);
	memcpy(b + in->disp_off, &v, in->disp_size);
	return x86_decode(in, g->mode, b, in->len) == 0;
}

/* Point the ModRM (or moffs) operand into the scratch memory by its base register. */
static bool aim_modrm(struct diff_gen *g, struct x86_insn *in, struct diff_state *st, unsigned size)
{
	u64 to = target(g, size), index = 0;

	if (in->row->flags & X86_R_VSIB) {
		if (in->mem_base == X86_REG_NONE)
			return false;
		aim_vsib(g, in, st);
		to = HOST_DATA + (rnd(g) & 0xfff) - host_cpu_data_base(g->mode);
	} else if (in->mem_index != X86_REG_NONE) {
		if (in->mem_index == in->mem_base)
			return false;
		if (rnd(g) & 3)
			set_gpr(st, in->mem_index, rnd(g) & 0xff);
		if (in->mem_base == X86_REG_NONE)
			set_gpr(st, in->mem_index, 0);
		index = st->gpr[in->mem_index] * in->mem_scale;
	}
	if (in->mem_base == X86_REG_NONE || in->mem_base == X86_REG_RIP)
		return aim_disp(g, in, to);
	to -= (u64)in->disp + index;
	if (in->adsize == 2)
		to = (to & 0xffff) | (rnd(g) & 0xffff0000);
	set_gpr(st, in->mem_base, to);
	return true;
}

/* bt and its kin address memory by the bit offset: keep that near. */
static bool aim_bits(struct diff_gen *g, struct x86_insn *in, struct diff_state *st)
{
	unsigned reg = in->opnd[1].reg;
	s64 bit = (s64)(rnd(g) % 4096) - 2048;

	if (!in->has_mem)
		return true;
	if (reg == in->mem_base || reg == in->mem_index)
		return false;
	set_gpr(st, reg, in->opsize == 8 ? (u64)bit : (u64)bit & 0xffffffff);
	return true;
}

/* Implicit operands: stack, string registers, xlat, maskmov. */
static void aim_implicit(struct diff_gen *g, struct x86_insn *in, struct diff_state *st)
{
	u32 fl = in->row->flags;

	if (in->row->cls == X86_C_STRING) {
		set_gpr(st, 1, rnd(g) % 5 ? rnd(g) % 20 : rnd(g) % 3000);
		set_gpr(st, 6, target(g, 64));
		set_gpr(st, 7, target(g, 64));
		return;
	}
	if (fl & X86_R_IMPLICIT_RSP && !(in->has_mem && (in->mem_base == 4 || in->mem_index == 4)))
		set_gpr(st, 4, target(g, 64));
	if (fl & X86_R_IMPLICIT_RSP)
		set_gpr(st, 5, target(g, 64));
	if (fl & X86_R_IMPLICIT_MEM && !(fl & X86_R_IMPLICIT_RSP)) {
		set_gpr(st, 3, target(g, 64)); /* xlat */
		set_gpr(st, 7, target(g, 16)); /* maskmovq, maskmovdqu */
	}
}

static bool aim(struct diff_gen *g, struct x86_insn *in, struct diff_state *st)
{
	unsigned size = 0;

	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_MEM && !in->opnd[i].implicit)
			size = in->opnd[i].size;
	if (in->row->flags & X86_R_BIT_STRING && !aim_bits(g, in, st))
		return false;
	aim_implicit(g, in, st);
	if (g->mode == X86_MODE_16 && in->adsize == 2 && in->row->cls == X86_C_STRING)
		for (unsigned i = 6; i < 8; i++)
			st->gpr[i] |= rnd(g) & 0xffff0000;
	if (in->has_mem || (in->disp_size && !in->has_modrm)) /* or moffs */
		return aim_modrm(g, in, st, size);
	return true;
}

/* F3 90 with REX.B: Intel's CPUs pause, AMD's exchange R8 and RAX, as hull does. */
static bool hosts_disagree(const struct x86_insn *in)
{
	return in->row->op == X86_OP_XCHG && in->opcode == 0x90 && in->rep;
}

bool diff_gen_make(struct diff_gen *g, unsigned row, struct x86_insn *in, struct diff_state *st)
{
	unsigned have = g->seen[row] < PER_ROW ? g->seen[row] : PER_ROW;

	if (!have)
		return false;
	for (unsigned try = 0; try < TRIES; try++) {
		const struct template *t = &g->t[row][rnd(g) % have];

		if (!draw_encoding(g, t, try, row, in))
			continue;
		if ((in->seg_override && in->seg >= 4) || /* the test process's own FS */
		    hosts_disagree(in))
			continue;
		random_state(g, st);
		if (aim(g, in, st))
			return true;
	}
	return false;
}

/* Set the displacement of an operand on `base` so that it hits the scratch memory. */
static bool aim_shared_base(struct diff_gen *g, struct x86_insn *in, const struct diff_state *st,
			    unsigned base)
{
	u8 b[X86_INSN_MAX + 1] = {0};
	u32 disp;
	u64 to;

	if (in->mem_base != base || in->mem_index != X86_REG_NONE || in->disp_size != 4 ||
	    in->adsize == 2 || in->row->flags & X86_R_VSIB)
		return false;
	to = target(g, 16);
	disp = (u32)(to - st->gpr[base & 15]);
	if (in->adsize == 8 && st->gpr[base & 15] + (u64)(s64)(s32)disp != to)
		return false;
	memcpy(b, in->bytes, in->len);
	memcpy(b + in->disp_off, &disp, 4);
	return x86_decode(in, g->mode, b, in->len) == 0;
}

/*
 * EVEX.X has no meaning for a general register in ModRM.rm, but with it set and
 * that register RSP, an AMD host uses RSP as it was before a push or pop that
 * has just been executed.
 */
static bool host_gets_rsp_wrong(const struct x86_insn *in)
{
	return in->enc == X86_ENC_EVEX && !in->has_mem && (in->modrm & 7) == 4;
}

bool diff_gen_next(struct diff_gen *g, unsigned row, const struct x86_insn *first,
		   const struct diff_state *st, struct x86_insn *in)
{
	unsigned have = g->seen[row] < PER_ROW ? g->seen[row] : PER_ROW;

	for (unsigned try = 0; have && try < TRIES; try++) {
		if (!draw_encoding(g, &g->t[row][rnd(g) % have], try, row, in))
			continue;
		if (in->row->cls == X86_C_STRING || in->row->flags & X86_R_IMPLICIT_MEM ||
		    (in->seg_override && in->seg >= 4) || (in->disp_size && !in->has_modrm) ||
		    host_gets_rsp_wrong(in) || hosts_disagree(in))
			continue;
		if (!in->has_mem || in->row->op == X86_OP_LEA)
			return true;
		if (first->has_mem && first->mem_base < 16 &&
		    !(in->row->flags & X86_R_BIT_STRING) &&
		    aim_shared_base(g, in, st, first->mem_base))
			return true;
	}
	return false;
}

struct diff_gen *diff_gen_create(enum x86_mode mode, u64 seed)
{
	struct diff_gen *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->mode = mode;
	g->rng.s = seed * 0x9e3779b97f4a7c15 + 88172645463325252ULL;
	g->t = calloc(x86_nrows, sizeof(*g->t));
	g->seen = calloc(x86_nrows, sizeof(*g->seen));
	if (!g->t || !g->seen) {
		diff_gen_destroy(g);
		return NULL;
	}
	find_templates(g);
	return g;
}

void diff_gen_destroy(struct diff_gen *g)
{
	if (!g)
		return;
	free(g->t);
	free(g->seen);
	free(g);
}
