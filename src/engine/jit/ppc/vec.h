/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Elements of vector registers in the architecture's numbering, and which registers an instruction
 * names. For op_v*.c.
 */
#ifndef HULL_ENGINE_JIT_PPC_VEC_H
#define HULL_ENGINE_JIT_PPC_VEC_H

#include "engine/jit/ppc/op.h"
#include "engine/jit/ppc/softfp.h"

/* Element i of `size` bytes (1, 2, 4, 8); i is below 16 / size. */
static inline u64 vec_get(const union ppc_vsr *v, unsigned size, unsigned i)
{
	unsigned bits = size * 8, at = (16 / size - 1 - i) * bits;
	u64 d = v->dw[at >> 6] >> (at & 63);

	return bits == 64 ? d : d & (BIT(bits) - 1);
}

static inline void vec_set(union ppc_vsr *v, unsigned size, unsigned i, u64 x)
{
	unsigned bits = size * 8, at = (16 / size - 1 - i) * bits;
	u64 mask = (bits == 64 ? ~0ULL : BIT(bits) - 1) << (at & 63);

	v->dw[at >> 6] = (v->dw[at >> 6] & ~mask) | (x << (at & 63) & mask);
}

static inline u128 vec_128(const union ppc_vsr *v)
{
	return (u128)v->dw[1] << 64 | v->dw[0];
}

static inline union ppc_vsr vec_from(u128 v)
{
	return (union ppc_vsr){.dw = {(u64)v, (u64)(v >> 64)}};
}

static inline s64 vec_sext(u64 v, unsigned size)
{
	return (s64)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

/* VMX registers. */
static inline union ppc_vsr *vec_t(struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[32 + ppc_rt(w)];
}

static inline const union ppc_vsr *vec_a(const struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[32 + ppc_ra(w)];
}

static inline const union ppc_vsr *vec_b(const struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[32 + ppc_rb(w)];
}

static inline const union ppc_vsr *vec_c(const struct ppc_vcpu *c, u32 w)
{
	return &c->vsr[32 + ppc_rc(w)];
}

static inline void vec_saturated(struct ppc_vcpu *c)
{
	c->vscr_sat.dw[0] = 1;
}

/* CR6 of vector compares: all true, 0, none true, 0. */
static inline void vec_cr6(struct ppc_vcpu *c, const union ppc_vsr *v)
{
	c->cr[24] = (v->dw[0] & v->dw[1]) == ~0ULL;
	c->cr[25] = 0;
	c->cr[26] = (v->dw[0] | v->dw[1]) == 0;
	c->cr[27] = 0;
}

/* Families, for ppc_op_row. */
struct ppc_op_row ppc_op_vint(unsigned op);
struct ppc_op_row ppc_op_vperm(unsigned op);
struct ppc_op_row ppc_op_vfp(unsigned op);
struct ppc_op_row ppc_op_vcrypt(unsigned op);
struct ppc_op_row ppc_op_vbcd(unsigned op);
struct ppc_op_row ppc_op_vsxfp(unsigned op);
struct ppc_op_row ppc_op_vsxmove(unsigned op);
struct ppc_op_row ppc_op_quad(unsigned op);

#endif
