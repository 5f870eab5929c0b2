// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The decoder's second half: operands from ModRM, vvvv and the opcode, and what
 * makes a complete encoding undefined (SDM vol. 2, 2.1.2, 2.3, 2.7).
 */
#include "isa/x86/decode.h"

static int gpr_operand(struct dec *d, struct x86_opnd *o, unsigned reg)
{
	o->kind = X86_OPND_GPR;
	if (o->size == 1 && !d->in->rex && reg >= 4 && reg < 8) {
		o->high = true;
		reg -= 4;
	}
	o->reg = reg;
	return 0;
}

static int mem_operand(struct dec *d, struct x86_opnd *o, const struct x86_opdesc *desc)
{
	o->kind = X86_OPND_MEM;
	o->reg = X86_REG_NONE;
	o->size = x86_size_bytes(d->in, desc->msize);
	if (d->in->evex_b && d->form->bcast)
		o->size = d->form->bcast;
	return 0;
}

/* A register operand of ModRM.rm: `reg16` is its bit 4 for EVEX vectors. */
static int vec_operand(const struct dec *d, struct x86_opnd *o, unsigned reg)
{
	o->kind = X86_OPND_VEC;
	o->reg = reg;
	/* Merging masking keeps, and so reads, the elements not selected. */
	if (o->write && d->in->evex_aaa && !d->in->evex_z)
		o->read = true;
	return 0;
}

static int reg_operand(struct x86_opnd *o, enum x86_opnd_kind kind, unsigned reg)
{
	o->kind = kind;
	o->reg = reg;
	return 0;
}

static int mask_operand(struct x86_opnd *o, unsigned reg)
{
	o->kind = X86_OPND_MASK;
	o->reg = reg;
	return reg > 7 ? X86_DECODE_UD : 0;
}

static int sreg_operand(struct x86_opnd *o, unsigned reg)
{
	o->kind = X86_OPND_SEG;
	o->reg = reg;
	return reg > X86_SEG_GS || (o->write && reg == X86_SEG_CS) ? X86_DECODE_UD : 0;
}

static int control_operand(struct x86_opnd *o, enum x86_opnd_kind kind, unsigned reg)
{
	unsigned valid = kind == X86_OPND_CR ? 0x11d : 0xff; /* CR0 2 3 4 8; DR0..7 */

	o->kind = kind;
	o->reg = reg;
	return reg > 15 || !(valid >> reg & 1) ? X86_DECODE_UD : 0;
}

static int implicit_mem(struct x86_opnd *o)
{
	o->kind = X86_OPND_MEM;
	o->implicit = true;
	return 0;
}

/* Outside 64-bit mode vvvv's top bit is ignored where vvvv names a register. */
static unsigned used_vvvv(const struct x86_insn *in)
{
	return in->mode == X86_MODE_64 ? in->vvvv : in->vvvv & 7;
}

/* Memory, by what ModRM says or whatever it says. */
static bool is_memory(const struct x86_insn *in, enum x86_src src)
{
	switch (src) {
	case X86_SRC_M:
	case X86_SRC_VM:
	case X86_SRC_O:
		return true;
	case X86_SRC_E:
	case X86_SRC_R:
	case X86_SRC_Q:
	case X86_SRC_N:
	case X86_SRC_W:
	case X86_SRC_U:
	case X86_SRC_KM:
		return in->has_mem;
	default:
		return false;
	}
}

enum { OTHER_OPERAND = 1 }; /* not of this family */

/* General, segment, control and debug registers. */
static int general_operand(struct dec *d, struct x86_opnd *o, const struct x86_opdesc *desc)
{
	struct x86_insn *in = d->in;
	unsigned reg = in->modrm >> 3 & 7, rm = in->modrm & 7;

	switch ((enum x86_src)desc->src) {
	case X86_SRC_E:
	case X86_SRC_R:
		return gpr_operand(d, o, rm | d->b);
	case X86_SRC_G:
		return d->r16 ? X86_DECODE_UD : gpr_operand(d, o, reg | d->r);
	case X86_SRC_Z:
		return gpr_operand(d, o, (in->opcode & 7) | d->b);
	case X86_SRC_B:
		return gpr_operand(d, o, used_vvvv(in));
	case X86_SRC_FIXED:
		o->implicit = true;
		return reg_operand(o, X86_OPND_GPR, desc->reg);
	case X86_SRC_SREG:
		return sreg_operand(o, reg);
	case X86_SRC_SEG:
		o->implicit = true;
		return reg_operand(o, X86_OPND_SEG, desc->reg);
	case X86_SRC_CREG:
		return control_operand(o, X86_OPND_CR, reg | d->r);
	case X86_SRC_DREG:
		return control_operand(o, X86_OPND_DR, reg | d->r);
	default:
		return OTHER_OPERAND;
	}
}

/* x87, MMX, vector and mask registers. */
static int vector_operand(struct dec *d, struct x86_opnd *o, const struct x86_opdesc *desc)
{
	struct x86_insn *in = d->in;
	unsigned reg = in->modrm >> 3 & 7, rm = in->modrm & 7;

	switch ((enum x86_src)desc->src) {
	case X86_SRC_ST0:
		return reg_operand(o, X86_OPND_ST, 0);
	case X86_SRC_STI:
		return reg_operand(o, X86_OPND_ST, rm);
	case X86_SRC_P:
		return reg_operand(o, X86_OPND_MMX, reg);
	case X86_SRC_Q:
	case X86_SRC_N:
		return reg_operand(o, X86_OPND_MMX, rm);
	case X86_SRC_V:
		return vec_operand(d, o, reg | d->r | d->r16);
	case X86_SRC_W:
	case X86_SRC_U:
		return vec_operand(d, o, rm | d->b | (in->enc == X86_ENC_EVEX ? d->x << 1 : 0));
	case X86_SRC_H:
		return vec_operand(d, o, used_vvvv(in));
	case X86_SRC_L:
		return vec_operand(d, o, in->imm >> 4 & (in->mode == X86_MODE_64 ? 15 : 7));
	case X86_SRC_XMM0:
		o->implicit = true;
		return vec_operand(d, o, 0);
	case X86_SRC_KR:
		return mask_operand(o, reg | d->r | d->r16);
	case X86_SRC_KM:
		return mask_operand(o, rm);
	case X86_SRC_KV:
		return mask_operand(o, used_vvvv(in));
	default:
		return OTHER_OPERAND;
	}
}

/* Immediates, and memory that ModRM does not name. */
static int plain_operand(struct x86_insn *in, struct x86_opnd *o, const struct x86_opdesc *desc)
{
	switch ((enum x86_src)desc->src) {
	case X86_SRC_STR:
	case X86_SRC_STACK:
		o->reg = desc->reg;
		return implicit_mem(o);
	case X86_SRC_IMM:
		return reg_operand(o, X86_OPND_IMM, 0);
	case X86_SRC_IMM2:
		return reg_operand(o, X86_OPND_IMM2, 0);
	case X86_SRC_ONE:
		in->imm = 1;
		o->implicit = true;
		return reg_operand(o, X86_OPND_IMM, 0);
	case X86_SRC_REL:
		o->size = in->opsize;
		return reg_operand(o, X86_OPND_REL, 0);
	default:
		return X86_DECODE_UD;
	}
}

static int set_operand(struct dec *d, struct x86_opnd *o, const struct x86_opdesc *desc)
{
	int ret;

	o->size = x86_size_bytes(d->in, desc->rsize);
	o->read = desc->read;
	o->write = desc->write;
	if (is_memory(d->in, desc->src))
		return mem_operand(d, o, desc);
	ret = general_operand(d, o, desc);
	if (ret == OTHER_OPERAND)
		ret = vector_operand(d, o, desc);
	return ret == OTHER_OPERAND ? plain_operand(d->in, o, desc) : ret;
}

/* The EVEX disp8 scale is the memory operand's size unless the row says otherwise. */
static void scale_disp8(struct dec *d)
{
	struct x86_insn *in = d->in;
	unsigned scale = d->form->scale;

	if (in->enc != X86_ENC_EVEX || !in->has_mem || in->disp_size != 1)
		return;
	for (unsigned i = 0; !scale && i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_MEM)
			scale = in->opnd[i].size;
	in->disp *= scale;
}

int x86_decode_operands(struct dec *d)
{
	struct x86_insn *in = d->in;

	in->nopnds = d->form->nops;
	for (unsigned i = 0; i < in->nopnds; i++) {
		int ret = set_operand(d, &in->opnd[i], &x86_opdescs[d->form->ops[i]]);

		if (ret)
			return ret;
	}
	scale_disp8(d);
	return 0;
}

/* ---- what makes a complete encoding undefined --------------------------------------------------
 */

static bool evex_valid(const struct dec *d)
{
	const struct x86_insn *in = d->in;
	unsigned fl = d->form->flags;

	if (in->evex_aaa ? !(fl & X86_FORM_K) : fl & X86_FORM_KREQ)
		return false;
	if (in->evex_z && (!(fl & X86_FORM_Z) || !in->evex_aaa ||
			   (in->has_mem && in->opnd[0].kind == X86_OPND_MEM)))
		return false;
	if (in->evex_b && in->has_mem && !d->form->bcast)
		return false;
	if (in->evex_b && !in->has_mem && !(fl & (X86_FORM_ER | X86_FORM_SAE | X86_FORM_ERIG)))
		return false;
	return true;
}

/* Gathers: destination, index (and mask) registers must all differ. */
static bool gather_valid(const struct x86_insn *in)
{
	const struct x86_opnd *o = in->opnd;

	if (o[0].kind != X86_OPND_VEC)
		return true; /* a scatter */
	if (o[0].reg == in->mem_index)
		return false;
	return in->enc == X86_ENC_EVEX || (o[2].reg != o[0].reg && o[2].reg != in->mem_index);
}

bool x86_decode_valid(const struct dec *d)
{
	const struct x86_insn *in = d->in;

	if (in->lock && !(in->row->flags & X86_R_LOCKABLE && in->has_mem))
		return false;
	if (in->enc == X86_ENC_LEGACY)
		return true;
	if (in->vvvv && !(d->form->flags & X86_FORM_VVVV) &&
	    !(in->row->flags & X86_R_VSIB && in->vvvv == d->v16))
		return false;
	if (in->row->flags & X86_R_VSIB && !gather_valid(in))
		return false;
	return in->enc == X86_ENC_VEX || evex_valid(d);
}
