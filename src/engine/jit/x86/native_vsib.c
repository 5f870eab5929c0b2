/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers and scatters (SDM vol. 2, VGATHER*, VPGATHER*, VSCATTER*,
 * VPSCATTER*): in C on the saved image, element by element from the lowest.
 * Each element that is done clears its mask bit, so a fault leaves a state from
 * which the instruction goes on.
 */
#include "engine/jit/x86/native.h"

/* Where the upper parts of vector registers are: CPUID leaf 0xD components. */
struct vsib {
	struct x86_vcpu *c;
	const struct x86_insn *in;
	unsigned ymm, zmm, hi16, mask_off; /* component offsets in c->xsave */
	unsigned ds, is, count;		   /* data and index size, elements */
	unsigned data, index, vmask;	   /* register numbers */
	bool scatter, evex;
};

static unsigned component_off(struct x86_vcpu *c, unsigned i)
{
	u32 out[4];

	x86_cpuid(c, 0xd, i, out);
	return out[1] && out[1] <= X86_XSAVE_MAX - 1024 ? out[1] : 576;
}

/* Byte b of vector register r in the image. */
static u8 *vec_byte(const struct vsib *v, unsigned r, unsigned b)
{
	u8 *x = v->c->xsave;

	if (r >= 16)
		return x + v->hi16 + 64 * (r - 16) + b;
	if (b < 16)
		return x + 160 + 16 * r + b;
	return b < 32 ? x + v->ymm + 16 * r + b - 16 : x + v->zmm + 32 * r + b - 32;
}

static u8 *mask_word(const struct vsib *v)
{
	return v->c->xsave + v->mask_off + 8 * v->in->evex_aaa;
}

static bool elem_active(const struct vsib *v, unsigned i)
{
	if (v->evex)
		return load_le64(mask_word(v)) >> i & 1;
	return *vec_byte(v, v->vmask, (i + 1) * v->ds - 1) >> 7;
}

static void elem_done(const struct vsib *v, unsigned i)
{
	if (v->evex)
		store_le64(mask_word(v), load_le64(mask_word(v)) & ~BIT(i));
	else
		store_le(vec_byte(v, v->vmask, i * v->ds), v->ds, 0);
}

static int elem_move(const struct vsib *v, unsigned i)
{
	const struct x86_insn *in = v->in;
	struct x86_vcpu *c = v->c;
	u64 idx = sext(load_le(vec_byte(v, v->index, i * v->is), v->is), v->is), ea, val;
	u8 *data = vec_byte(v, v->data, i * v->ds);

	ea = (u64)in->disp + idx * in->mem_scale;
	if (in->mem_base != X86_REG_NONE)
		ea += c->gpr[in->mem_base];
	ea &= mask_bytes(in->adsize);
	if (v->scatter)
		return interp_write(c, in->seg, ea, v->ds, load_le(data, v->ds));
	if (interp_read(c, in->seg, ea, v->ds, &val) < 0)
		return -1;
	store_le(data, v->ds, val);
	return 0;
}

/* Clear bytes [from, 64) of a vector register. */
static void vec_clear_above(const struct vsib *v, unsigned r, unsigned from)
{
	for (unsigned b = from; b < 64; b++)
		if (b < 32 || r >= 16 || v->c->vm->xcr0_host & BIT(6))
			*vec_byte(v, r, b) = 0;
}

static void vsib_finish(const struct vsib *v)
{
	if (v->evex)
		store_le64(mask_word(v), 0);
	else
		vec_clear_above(v, v->vmask, 0);
	if (!v->scatter)
		vec_clear_above(v, v->data, v->count * v->ds);
}

static bool vsib_init(struct vsib *v, struct x86_vcpu *c, const struct x86_insn *in)
{
	const u8 *p = in->bytes + in->pfx_len;
	unsigned r = in->modrm >> 3 & 7;

	*v = (struct vsib){.c = c, .in = in, .evex = in->enc == X86_ENC_EVEX};
	v->scatter = in->opcode >= 0xa0;
	v->ds = in->w ? 8 : 4;
	v->is = in->opcode & 1 ? 8 : 4;
	v->count = in->vl / (v->ds > v->is ? v->ds : v->is);
	v->index = in->mem_index;
	v->vmask = in->vvvv & 15;
	/* R (and R' of EVEX) extend ModRM.reg, inverted. */
	if (in->mode == X86_MODE_64)
		r |= (p[1] & 0x80 ? 0 : 8) | (v->evex && !(p[1] & 0x10) ? 16 : 0);
	v->data = r;
	v->ymm = component_off(c, 2);
	v->mask_off = component_off(c, 5);
	v->zmm = component_off(c, 6);
	v->hi16 = component_off(c, 7);
	if (v->evex)
		return in->evex_aaa && (v->scatter || v->data != v->index);
	return v->data != v->index && v->data != v->vmask && v->index != v->vmask;
}

int native_vsib(struct x86_vcpu *c, const struct x86_insn *in)
{
	struct vsib v;
	u64 used;

	if (!vsib_init(&v, c, in) || in->mem_index >= 32)
		return x86_raise(c, X86_UD);
	/* Have every component in the image, initial ones too. */
	x86_fpu_load(c);
	x86_fpu_park(c);
	used = c->vm->xcr0_host & (v.evex ? 0xe6 : 6 | (c->vm->xcr0_host & 0x40));
	store_le64(c->xsave + 512, load_le64(c->xsave + 512) | used);
	for (unsigned i = 0; i < v.count; i++) {
		if (!elem_active(&v, i))
			continue;
		if (elem_move(&v, i) < 0)
			return -1;
		elem_done(&v, i);
	}
	vsib_finish(&v);
	return interp_next(c, in);
}
